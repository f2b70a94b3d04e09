package house

import (
	"context"
	"fmt"
	"os"
	"time"

	"hostward/internal/core"
	"hostward/internal/ini"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// recordStart says that the log begins again, and what happened while nobody
// kept it: a stop that was not clean, a gap, edits past the door (SPEC L7).
func (h *House) recordStart(ctx context.Context) error {
	e := &ledger.Entry{Action: "log.started", Class: "log", Tenant: core.Provider, Outcome: ledger.Done,
		Reason: fmt.Sprintf("database %s, process %d", h.Store.Engine(), os.Getpid())}
	if err := h.Bus.Report(ctx, e, nil); err != nil {
		return err
	}
	return h.settleWarnings(ctx)
}

// recordStop is the last record of a clean stop.
func (h *House) recordStop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return h.Bus.Report(ctx, &ledger.Entry{Action: "log.stopped", Class: "log", Tenant: core.Provider, Outcome: ledger.Done}, nil)
}

// settleWarnings puts on record what the store found: objects that somebody
// edited past the door, guards that somebody removed.
func (h *House) settleWarnings(ctx context.Context) error {
	warnings := h.Store.Warnings()
	for _, w := range warnings {
		h.Log.Warn("the database was changed past the door", "cause", w.Cause, "object", w.Touch.Kind+":"+w.Touch.ID, "detail", w.Detail)
		e := &ledger.Entry{Action: "log.tampering", Class: "log", Tenant: core.Provider, Outcome: ledger.Failed,
			Object: core.Ref{Kind: w.Touch.Kind, ID: w.Touch.ID}, Reason: w.Detail}
		err := h.Bus.Report(ctx, e, func(ctx context.Context, _ ledger.Tx) error {
			return h.writer.Settle(ctx, []store.Warning{w})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// adoptFirst adopts what panel.ini says at the start; it may have changed
// while nobody looked.
func (p *policyFile) adoptFirst(ctx context.Context) error {
	first := ini.Default()
	p.force.Store(&first)
	p.adopt(ctx, p.watcher.Current())
	return nil
}

// served asks the nameserver which version of a zone it answers with.
func (h *House) served(ref core.Ref) (uint64, error) {
	if h.nameservers == nil {
		return 0, nil
	}
	return h.nameservers.Version(context.Background(), ref)
}
