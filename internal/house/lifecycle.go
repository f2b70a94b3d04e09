package house

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/actionlog"
	"hostward/internal/feature/password"
	"hostward/internal/feature/policy"
	"hostward/internal/file"
	"hostward/internal/ini"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/witness"
)

// recordStart says that the log begins again, and what happened while nobody
// kept it: a stop that was not recorded, a gap, a clock that went back, edits
// past the door (SPEC L7).
func (h *House) recordStart(ctx context.Context) error {
	var pulse ledger.Pulse
	err := h.snapshot(ctx, func(r ledger.Reader) (err error) {
		pulse, err = ledger.ReadPulse(ctx, r, h.Clock())
		return err
	})
	if err != nil {
		return err
	}
	if pulse.Unclean && !pulse.Last.IsZero() {
		h.Log.Warn("the log stopped without saying so", "last", pulse.Last, "gap", pulse.Gap())
	}
	for _, e := range pulse.Entries() {
		if err := h.Bus.Report(ctx, e, nil); err != nil {
			return err
		}
	}
	return h.settleWarnings(ctx)
}

// checkLog marks jobs that the last stop cut off, and verifies the whole log in
// the background (SPEC L8).
func (h *House) checkLog(ctx context.Context) error {
	if err := h.features.jobs.Interrupt(ctx, h.Bus); err != nil {
		return err
	}
	_, err := h.Bus.Do(ctx, act.Call{Op: "log.check", Actor: act.SystemActor("start")})
	return err
}

// startDoors brings into force what the doors go by, before anybody comes:
// plaintext that a migration left in the database is enclosed, the list of
// breached passwords is loaded, and a secret key that was replaced at the server
// is noted (SPEC A4).
func (h *House) startDoors(ctx context.Context) error {
	if err := h.enclose(ctx); err != nil {
		return err
	}
	h.loadBlocklist(ctx)
	return h.features.secrets.Adopt(ctx, h.Bus)
}

// scrubFile stands in the data folder from before plain text is enclosed until it
// is gone from the files of the database too: a crash in between is made good.
const scrubFile = "scrub.due"

// enclose encrypts plain text for good, and writes the database anew.
func (h *House) enclose(ctx context.Context) error {
	due := filepath.Join(h.Data, scrubFile)
	found := false
	err := h.Bus.Look(ctx, "enclose", func(v *act.View) error {
		passwords, err := h.features.login.Plain(ctx, v)
		seeds, err2 := h.features.factors.Plain(ctx, v)
		found = passwords || seeds
		return errors.Join(err, err2)
	})
	if err == nil && found {
		err = file.Replace(due, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("looking for plain text in the database: %w", err)
	}
	if _, err := os.Stat(due); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	passwords, err := h.features.login.Enclose(ctx, h.Bus)
	if err != nil {
		return fmt.Errorf("hashing passwords that were in plain text: %w", err)
	}
	seeds, err := h.features.factors.Enclose(ctx, h.Bus)
	if err != nil {
		return fmt.Errorf("sealing seeds that were in plain text: %w", err)
	}
	h.Log.Warn("plain text was enclosed for good; now the database is written anew without it", "passwords", passwords, "seeds", seeds)
	if err := h.Store.Scrub(ctx); err != nil {
		return fmt.Errorf("removing plain text from the files of the database: %w", err)
	}
	return os.Remove(due)
}

// loadBlocklist brings the adopted list of breached passwords into force. A list
// that cannot be read is no reason to stay closed; the panel says that it is not
// in force.
func (h *House) loadBlocklist(ctx context.Context) string {
	var file, digest string
	err := h.Bus.Look(ctx, "blocklist", func(v *act.View) (err error) {
		file, digest, err = password.InForce(ctx, v)
		return err
	})
	if err == nil {
		err = h.blocklist.load(file, digest)
	}
	if err != nil {
		h.Log.Error("the list of breached passwords is not in force", "file", file, "error", err)
		return act.Drift
	}
	return act.InForce
}

// recover opens a new epoch of the log, whose first leaf names the last signed
// and witnessed trees and what is lost (SPEC L8).
func (h *House) recover(ctx context.Context) error {
	witnessed, err := h.known(ctx)
	if err != nil {
		return err
	}
	var plan ledger.Recovery
	err = h.snapshot(ctx, func(r ledger.Reader) (err error) {
		plan, err = ledger.PlanRecovery(ctx, r, h.Keeper, witnessed)
		return err
	})
	if err != nil {
		return err
	}
	if !plan.Needed {
		return h.restore(ctx)
	}
	e := &ledger.Entry{Action: ledger.RecoveredEvent, Class: "log", Object: ledger.LogObject, Tenant: core.Provider, Outcome: ledger.Done,
		Reason: h.Recover, Events: []ledger.Event{plan.Event()}}
	return h.Bus.Report(ctx, e, func(ctx context.Context, tx ledger.Tx) error { return h.book.OpenEpoch(ctx, tx, plan) })
}

// restore puts altered and removed records back from their sealed copies, when
// no more is wrong than that.
func (h *House) restore(ctx context.Context) error {
	e := &ledger.Entry{Action: ledger.RestoredEvent, Class: "log", Object: ledger.LogObject, Tenant: core.Provider, Outcome: ledger.Unchanged, Reason: h.Recover}
	err := h.Bus.Report(ctx, e, func(ctx context.Context, tx ledger.Tx) error {
		done, err := ledger.Restore(ctx, tx, h.Keeper, h.logDir())
		if len(done.Altered)+len(done.Removed) > 0 {
			e.Outcome, e.Events = ledger.Done, []ledger.Event{done.Event()}
		}
		return err
	})
	if err == nil && e.Outcome == ledger.Unchanged {
		err = core.Errorf(core.Conflict, "nothing is missing and no record was altered, so the log simply goes on; `hostward log verify` says what else is wrong")
	}
	return err
}

// known returns the trees that witnesses have cosigned, as they say and as the
// disk says. After the whole data folder was rolled back only they remember.
func (h *House) known(ctx context.Context) ([]ledger.Tree, error) {
	signed, err := h.Keeper.LastSigned(ctx)
	if err != nil {
		return nil, err
	}
	var trees []ledger.Tree
	if t := h.Sealer.LastWitnessed().Tree; t.Size > 0 {
		trees = append(trees, t)
	}
	for _, w := range h.Witnesses {
		t, err := latest(ctx, w, h.Keeper.VerifierKey(signed.Epoch), h.Private)
		if err != nil {
			return nil, fmt.Errorf("asking the witness %s what it has seen: %w", w.URL, err)
		}
		if t.Size > 0 {
			trees = append(trees, t)
		}
	}
	return trees, nil
}

func latest(ctx context.Context, w WitnessConfig, logKey string, private bool) (ledger.Tree, error) {
	c, err := witness.NewClient(w.URL, w.Key, private)
	if err != nil {
		return ledger.Tree{}, err
	}
	defer c.Close()
	signed, err := c.Latest(ctx, logKey)
	if err != nil || signed == nil {
		return ledger.Tree{}, err
	}
	t, _, err := ledger.OpenCheckpoint(signed, logKey, nil)
	return t, err
}

// erase deletes personal values whose time is over, and puts that on record
// (SPEC L5).
func (h *House) erase(ctx context.Context) error {
	var holds []actionlog.Hold
	err := h.Bus.Look(ctx, "erase", func(v *act.View) (err error) {
		holds, err = actionlog.Holds(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	for {
		var done ledger.Erasure
		e := &ledger.Entry{Action: ledger.ErasedEvent, Class: "log", Object: ledger.LogObject, Tenant: core.Provider, Outcome: ledger.Unchanged}
		err := h.Bus.Report(ctx, e, func(ctx context.Context, tx ledger.Tx) (err error) {
			if err := hold(ctx, tx, holds); err != nil {
				return err
			}
			done, err = ledger.Erase(ctx, tx, h.Clock(), ledger.DefaultRules, eraseAtOnce)
			if e.Events = done.Events(); len(e.Events) > 0 {
				e.Outcome = ledger.Done
			}
			return err
		})
		if err == nil {
			err = done.DropKeys(ctx, h.Keeper)
		}
		if err != nil || !done.More {
			return err
		}
	}
}

// hold tells the ledger which legal holds there are now.
func hold(ctx context.Context, tx ledger.Tx, holds []actionlog.Hold) error {
	old, err := ledger.Holds(ctx, tx)
	for _, x := range old {
		if err == nil {
			_, err = ledger.EndHold(ctx, tx, x.ID)
		}
	}
	for _, x := range holds {
		if err == nil {
			err = ledger.AddHold(ctx, tx, ledger.Hold(x))
		}
	}
	return err
}

// eraseAtOnce keeps one erasure a short transaction.
const eraseAtOnce = 2000

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
	err := p.bus.Look(ctx, "panel.ini", func(v *act.View) error {
		before, err := policy.LastAdopted(ctx, v)
		first.NIS2 = before[nis2Key] == "on" // it was in force: adopt treats a change as any other
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the policy that was in force: %w", err)
	}
	p.force.Store(&first)
	p.adopt(ctx, p.watcher.Current())
	return nil
}

// served asks the nameserver which version of a zone it answers with.
func (h *House) served(ctx context.Context, ref core.Ref) (uint64, error) {
	if h.nameservers == nil {
		return 0, nil
	}
	return h.nameservers.Version(ctx, ref)
}
