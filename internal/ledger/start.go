package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"hostward/internal/core"
)

// CheckStart is the quick look before the server starts (SPEC L8): the last
// tile against the database, the database against what was signed and what
// witnesses cosigned. The rest is Verify's. It returns *BehindError when
// records are missing, *StartError when something else does not fit, and
// says in either what to do.
func CheckStart(ctx context.Context, r Reader, keys Keys, dir string, witnessed []Tree) error {
	signed, err := keys.LastSigned(ctx)
	if err != nil {
		return fmt.Errorf("asking for the last signed checkpoint: %w", err)
	}
	epochs, err := readEpochs(ctx, r)
	if err != nil {
		return err
	}
	epoch := epochs[len(epochs)-1]
	next, err := countEntries(ctx, r)
	if err != nil {
		return err
	}
	have := max(next-epoch.Base, 0)
	behind := func(t Tree) bool {
		return t.Epoch > epoch.Number || (t.Epoch == epoch.Number && t.Size > have)
	}
	if behind(signed) {
		return &BehindError{Signed: signed, Epoch: epoch, Have: have}
	}
	for _, t := range witnessed {
		if behind(t) {
			return &BehindError{Signed: t, Epoch: epoch, Have: have, Witnessed: true}
		}
	}
	if signed.Epoch != epoch.Number {
		return nil // the sealer opens the epoch; its first record is checked there
	}
	return checkTail(ctx, r, epoch, epochFolder(dir, epoch.Number), signed, keys.VerifierKey(epoch.Number))
}

// StartError says that database, tiles and signature do not fit together.
type StartError struct{ What string }

// Error says what does not fit and what to do.
func (e *StartError) Error() string {
	return "the action log is not as it was sealed: " + e.What + "; run `hostward log verify` to see everything that was changed, and `hostward log recover --reason …` to put records back as they were sealed"
}

// checkTail compares the last tile with the database and the signed root.
func checkTail(ctx context.Context, r Reader, epoch Epoch, f folder, signed Tree, vkey string) error {
	if data, err := f.read("checkpoint"); err == nil {
		shown, _, err := OpenCheckpoint(data, vkey, nil)
		if err == nil && shown.Size > signed.Size {
			return &StartError{fmt.Sprintf("a checkpoint of %d records is signed, but the keeper only remembers %d: its own data was rolled back", shown.Size, signed.Size)}
		}
	}
	if signed.Size == 0 {
		return nil
	}
	e, err := f.loadEdge(signed.Size)
	if err != nil || e.root() != signed.Root {
		return nil // the sealer rebuilds tiles from the database and compares with the signed root
	}
	first := (signed.Size - 1) / tileWidth * tileWidth
	hashes, err := f.readTile(0, first/tileWidth, int(signed.Size-first))
	if err != nil {
		return nil
	}
	leaves, err := readLeaves(ctx, r, epoch.Base+first, len(hashes))
	if err != nil {
		return &StartError{err.Error()}
	}
	for i, leaf := range leaves {
		if LeafHash(leaf) != hashes[i] {
			return &StartError{fmt.Sprintf("record %d in the database differs from the signed tree", epoch.Base+first+int64(i))}
		}
	}
	return nil
}

// Pulse is what the last record says about the time before this start (SPEC L7).
type Pulse struct {
	Now     time.Time
	Last    time.Time // of the newest record; zero: the log is new
	LastID  string
	Unclean bool          // it was not the record of an orderly stop
	Behind  time.Duration // how far the clock is behind the newest record
}

// ReadPulse looks at the newest record.
func ReadPulse(ctx context.Context, r Reader, now time.Time) (Pulse, error) {
	p := Pulse{Now: now}
	next, err := countEntries(ctx, r)
	if err != nil || next == 0 {
		return p, err
	}
	list, err := readRange(ctx, r, next-1, next)
	if err != nil || len(list) == 0 {
		return p, err
	}
	l, err := DecodeLeaf(list[0].leaf)
	if err != nil {
		return p, fmt.Errorf("the newest record: %w", err)
	}
	p.Last, p.LastID = time.UnixMicro(l.Time).UTC(), l.ID
	p.Unclean = l.Action != StoppedAction
	p.Behind = max(p.Last.Sub(now), 0)
	return p, nil
}

// Gap is how long nothing was recorded.
func (p Pulse) Gap() time.Duration {
	if p.Last.IsZero() {
		return 0
	}
	return max(p.Now.Sub(p.Last), 0)
}

// Entries are the records to write at start: that the log runs again, and each
// thing that was not in order.
func (p Pulse) Entries() []*Entry {
	started := logEntry(p.Now, StartedAction)
	fields := []Field{plain("stop", "orderly")}
	switch {
	case p.Last.IsZero():
		fields = []Field{plain("stop", "none, this is the first start")}
	case p.Unclean:
		fields = []Field{plain("stop", "not recorded: the log stopped without saying so")}
	}
	if !p.Last.IsZero() {
		fields = append(fields, plain("lastRecord", p.LastID), plain("lastTime", p.Last.Format(core.TimeFormat)),
			plain("gapSeconds", strconv.FormatInt(int64(p.Gap().Seconds()), 10)))
	}
	started.Events = []Event{logEvent(StartedAction, fields...)}
	list := []*Entry{started}
	if p.Behind > 0 {
		clock := logEntry(p.Now, ClockAction)
		clock.Outcome, clock.Reason = Failed, "the clock is behind the newest record"
		clock.Events = []Event{logEvent(ClockAction, plain("behindSeconds", strconv.FormatFloat(p.Behind.Seconds(), 'f', 6, 64)),
			plain("lastTime", p.Last.Format(core.TimeFormat)))}
		list = append(list, clock)
	}
	return list
}

// StopEntry is the last record of an orderly stop.
func StopEntry(now time.Time) *Entry {
	e := logEntry(now, StoppedAction)
	e.Events = []Event{logEvent(StoppedAction)}
	return e
}

func logEntry(now time.Time, action string) *Entry {
	return &Entry{
		ID: core.NewID("r"), Time: now, Action: action, Class: "log", Door: "job", Actor: Identity{Kind: "system", ID: "log"},
		Object: LogObject, Tenant: core.Provider, Outcome: Done,
	}
}

func logEvent(name string, fields ...Field) Event {
	return Event{Name: name, Object: LogObject, Tenant: core.Provider, State: "-", Fields: fields}
}

func plain(name, value string) Field { return Field{Name: name, New: &value} }
