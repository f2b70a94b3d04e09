package house

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/feature/actionlog"
	"hostward/internal/ledger"
	"hostward/internal/witness"
)

// witnessed is the log as the follower of witnesses sees it.
type witnessed struct{ *ledger.Sealer }

// ProveGrowth proves that one tree begins with another (RFC 6962 2.1.2).
func (w witnessed) ProveGrowth(_ context.Context, epoch int, old, next int64) (tlog.TreeProof, error) {
	return w.ConsistencyPath(epoch, old, next)
}

var _ witness.Log = witnessed{}

// verifyOptions are the same for the running server and for the offline word.
func (h *House) verifyOptions() (ledger.VerifyOptions, error) {
	o := ledger.VerifyOptions{Snapshot: h.snapshot, Dir: h.logDir(), VerifierKey: h.Keeper.VerifierKey, Keys: h.Keeper,
		States: func(ctx context.Context, r ledger.Reader, yield func(core.Ref, string) error) ([]string, error) {
			return h.Registry.States(ctx, r, yield)
		}}
	for _, w := range h.Witnesses {
		v, err := witness.Verifier(w.Key)
		if err != nil {
			return o, fmt.Errorf("key of the witness %s: %w", w.URL, err)
		}
		o.Witnesses = append(o.Witnesses, v)
	}
	return o, nil
}

// verify recomputes the log and the state, and says it in words.
func (h *House) verify(ctx context.Context, thorough bool, progress func(done, total int64)) (actionlog.Report, error) {
	o, err := h.verifyOptions()
	if err != nil {
		return actionlog.Report{}, err
	}
	o.Thorough, o.Progress = thorough, progress
	if err := h.awaitSeal(ctx); err != nil {
		h.Log.Warn("verifying without the newest records sealed", "error", err)
	}
	r, err := ledger.Verify(ctx, o)
	if err != nil {
		return actionlog.Report{}, core.Wrap(core.Unavailable, err, "the log could not be verified: "+err.Error())
	}
	out := Verdict(r, o.Witnesses)
	if !thorough && r.Records > ledger.Sampled {
		out.Promise += " Of personal values and summaries a sample was checked; a thorough run checks all."
	}
	return out, nil
}

// awaitSeal gives the sealer a moment, so that the verdict covers what was just
// done. With nothing to seal it does nothing: sealing writes the newest tile
// again, and what somebody did to that must be seen first.
func (h *House) awaitSeal(ctx context.Context) error {
	s, err := h.logStatus(ctx)
	if err != nil || s.Records <= s.Sealed {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return h.Sealer.WaitFor(soon, s.Records-1, ledger.Sealed)
}

// Verdict says in words what a verification found.
func Verdict(r ledger.Report, witnesses []note.Verifier) actionlog.Report {
	out := actionlog.Report{Sound: r.OK(), Records: r.Records, Objects: int64(r.States), Millis: r.Took.Milliseconds(), Against: r.Newest.String(), Promise: promise(r, len(witnesses))}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, f.String())
	}
	if r.More > 0 {
		out.Findings = append(out.Findings, fmt.Sprintf("and %d findings more", r.More))
	}
	switch first := r.First(); {
	case r.OK():
		out.Sentence = "Nothing was changed: every record, every proof and every object is as it was sealed."
	case first != nil:
		out.Sentence = "The log is not as it was sealed. First: " + first.String()
	default:
		out.Sentence = "The state is not what the log says: " + out.Findings[0]
	}
	return out
}

// promise says honestly what a verdict rests on (SPEC L4).
func promise(r ledger.Report, configured int) string {
	switch {
	case len(r.Witnesses) > 0:
		return "Cosigned outside by " + strings.Join(r.Witnesses, ", ") + ": up to there nobody, not even root here, can have rewritten it."
	case configured > 0:
		return "No cosignature of the configured witnesses was found yet."
	}
	return "No outside witness is set up: root on this server could have rewritten all of it. Keep checkpoints elsewhere, or set up a witness."
}

func (h *House) prove(ctx context.Context, seq int64) (actionlog.Proof, error) {
	soon, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := h.Sealer.WaitFor(soon, seq, ledger.Sealed); err != nil {
		return actionlog.Proof{}, core.Wrap(core.Unavailable, err, "the record is not sealed yet; try again in a second")
	}
	p := actionlog.Proof{Name: fmt.Sprintf("record-%d.tlog-proof", seq), Key: h.Keeper.VerifierKey(h.Sealer.Sealed().Tree.Epoch)}
	err := h.snapshot(ctx, func(r ledger.Reader) error {
		b, err := h.Sealer.Prove(ctx, r, seq)
		p.File = string(b)
		return err
	})
	return p, err
}

func (h *House) logStatus(ctx context.Context) (actionlog.Status, error) {
	sealed, cosigned := h.Sealer.Sealed(), h.Sealer.LastWitnessed()
	s := actionlog.Status{Sealed: sealed.Base + sealed.Tree.Size, Witnessed: cosigned.Base + cosigned.Tree.Size, Epoch: sealed.Tree.Epoch,
		Root: sealed.Tree.Root.String(), Checkpoint: string(sealed.Note), Key: h.Keeper.VerifierKey(max(sealed.Tree.Epoch, 1))}
	err := h.snapshot(ctx, func(r ledger.Reader) error {
		return r.QueryRow(ctx, `SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entry`).Scan(&s.Records)
	})
	if h.follower != nil {
		for _, w := range h.follower.States() {
			s.Witnesses = append(s.Witnesses, shownWitness(w))
		}
	}
	s.Sentence = "Up to the last cosigned checkpoint nobody can rewrite the log unseen, not even root on this server."
	if s.Witnessed == 0 && len(s.Witnesses) > 0 {
		s.Sentence = "No witness has cosigned yet. Until one does, root could still rewrite all of the log."
	}
	if len(s.Witnesses) == 0 {
		s.Sentence = "No outside witness is set up. The log shows every change that does not come from root with the keys; root could still rewrite all of it. Set up a witness in the file witnesses beside panel.ini."
	}
	return s, err
}

func shownWitness(w witness.State) actionlog.Witness {
	out := actionlog.Witness{Name: w.Name, Size: w.Tree.Size, Error: w.Error}
	if !w.At.IsZero() {
		out.At = w.At.UTC().Format(time.RFC3339)
	}
	return out
}

// followSeal notes when each checkpoint was signed, for people to read.
func (h *House) followSeal(ctx context.Context) {
	checkpoints, end := h.Sealer.Subscribe()
	defer end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-checkpoints:
			now := h.Clock()
			h.sealedAt.Store(&now)
		}
	}
}

// stalled says why sealing stands still, "" while it works.
func (h *House) stalled() string {
	h.staleMu.Lock()
	defer h.staleMu.Unlock()
	return h.stale
}

// headsEvery is how often the log commits to the ends of all chains.
const headsEvery = time.Hour

// recordHeads writes a heads record (SPEC L4). The map is brought near on a
// snapshot first, so that little is left for the transaction. also, if not
// nil, works with the map as the record has it.
func (h *House) recordHeads(ctx context.Context, also func(context.Context, ledger.Reader) error) (int64, error) {
	h.headsMu.Lock()
	defer h.headsMu.Unlock()
	if h.heads == nil {
		h.heads = ledger.NewHeads()
	}
	err := h.snapshot(ctx, func(r ledger.Reader) error { _, err := h.heads.Advance(ctx, r); return err })
	if err != nil {
		return 0, err
	}
	e := &ledger.Entry{Action: ledger.HeadsAction, Class: "log", Object: ledger.LogObject, Tenant: core.Provider, Outcome: ledger.Done}
	var seq int64
	err = h.Bus.Report(ctx, e, func(ctx context.Context, tx ledger.Tx) error {
		root, err := h.heads.Advance(ctx, tx)
		e.Events, seq = []ledger.Event{root.Event()}, root.Seq
		if err == nil && also != nil {
			err = also(ctx, tx)
		}
		return err
	})
	if err != nil {
		h.heads.Forget()
	}
	return seq, err
}

// complete proves where the chain of an object ends, in a heads record made
// for it.
func (h *House) complete(ctx context.Context, object core.Ref) (actionlog.Completeness, error) {
	var p ledger.HeadProof
	seq, err := h.recordHeads(ctx, func(ctx context.Context, r ledger.Reader) (err error) {
		p, err = h.heads.ProveObject(ctx, r, object)
		return err
	})
	if err != nil {
		return actionlog.Completeness{}, err
	}
	c := actionlog.Completeness{Line: string(p.Line.JSON()), Index: p.Index, Size: p.Size, Inner: paths(p.Inner), Outer: paths(p.Outer),
		Root: hex.EncodeToString(p.Covers.Root[:]), Record: seq}
	c.Proof, err = h.prove(ctx, seq)
	return c, err
}

func paths(hashes []tlog.Hash) []string {
	out := make([]string, len(hashes))
	for i, x := range hashes {
		out[i] = x.String()
	}
	return out
}

// verdict puts on record what the engine saw after it had worked (SPEC L1).
func (h *House) verdict(ctx context.Context, v control.Verdict) {
	e := &ledger.Entry{Action: v.Control + ".applied", Class: "dns", Tenant: core.Provider, Outcome: ledger.Done,
		Reason: fmt.Sprintf("%d objects, %d steps: %s", len(v.Objects), v.Steps, v.State)}
	if len(v.Objects) == 1 {
		e.Object = v.Objects[0]
	}
	if v.Drift {
		e.Action = v.Control + ".drift"
		e.Reason = "found by looking and mended; " + e.Reason
	}
	if v.State != act.InForce {
		e.Outcome, e.Reason = ledger.Failed, e.Reason+"; left: "+v.Left
	}
	if err := h.Bus.Report(ctx, e, nil); err != nil && ctx.Err() == nil {
		h.Log.Error("a verdict could not be recorded", "control", v.Control, "error", err)
	}
}

// housekeeping does what is due from time to time until ctx ends.
func (h *House) housekeeping(ctx context.Context) {
	if _, err := h.recordHeads(ctx, nil); err != nil && ctx.Err() == nil {
		h.Log.Error("the heads of the log could not be recorded", "error", err)
	}
	sweep, hourly := time.NewTicker(5*time.Minute), time.NewTicker(headsEvery)
	defer sweep.Stop()
	defer hourly.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			err = errors.Join(h.features.login.Sweep(ctx, h.Bus), h.features.tokens.Warn(ctx, h.Bus), h.settleWarnings(ctx))
		case <-hourly.C:
			_, err = h.recordHeads(ctx, nil)
			err = errors.Join(err, h.erase(ctx))
		}
		if err != nil && ctx.Err() == nil {
			h.Log.Error("housekeeping failed; it is tried again", "error", err)
		}
	}
}
