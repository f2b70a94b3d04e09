package witness

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Held is what the server has when it starts.
type Held struct {
	// Epoch is the database's newest epoch and Size its number of records in it.
	Epoch int
	Size  int64

	// Root returns the root of the first size records in the database.
	Root func(ctx context.Context, size int64) (tlog.Hash, error)

	// Signed is the last checkpoint on the disk, as a note; nil if there is none.
	// It is offered to witnesses that do not show what they cosigned.
	Signed []byte

	// Witnessed is the last cosigned checkpoint on the disk, as a note, or nil.
	// What it says counts if the log's own key has signed it.
	Witnessed []byte
}

// Seen is what one witness said at start.
type Seen struct {
	Name string
	Size int64 // of the largest tree it has seen in this epoch; 0: none
	Err  error // it could not be asked, or its answer is not to be trusted
}

// CheckStart compares the database with the memory of the witnesses and of the
// disk. It returns a *ledger.BehindError when one of them has seen a larger tree,
// or a later epoch, than the database holds, and ledger.ErrNotAppendOnly when
// one has seen another history: serve must not start then (SPEC L8). A witness
// that cannot be asked does not stop the start; Seen says so.
//
// It comes before the first record of the new run: a record on top of a
// rolled-back data folder is a second history, signed with the log's key.
func (f *Follower) CheckStart(ctx context.Context, held Held) ([]Seen, error) {
	if err := f.checkDisk(ctx, held); err != nil {
		return nil, err
	}
	seen := make([]Seen, len(f.workers))
	stops := make([]error, len(f.workers))
	var wg sync.WaitGroup
	for i, w := range f.workers {
		wg.Go(func() { seen[i], stops[i] = w.checkStart(ctx, held) })
	}
	wg.Wait()
	return seen, errors.Join(stops...)
}

// checkDisk looks at the cosigned checkpoint that this machine kept.
func (f *Follower) checkDisk(ctx context.Context, held Held) error {
	if held.Witnessed == nil {
		return nil
	}
	for epoch := held.Epoch; epoch <= held.Epoch+1; epoch++ {
		key, err := note.NewVerifier(f.cfg.VerifierKey(epoch))
		if err != nil {
			return fmt.Errorf("the log's verifier key: %w", err)
		}
		if _, err := note.Open(held.Witnessed, note.VerifierList(key)); err != nil {
			continue // of an earlier epoch, or broken: it proves nothing
		}
		c, err := parseCheckpoint(noteText(held.Witnessed))
		if err != nil {
			return err
		}
		return compare(ctx, held, ledger.Tree{Epoch: epoch, Size: c.size, Root: c.root})
	}
	return nil
}

// checkStart asks one witness: first for a later epoch, which a database from
// before a recovery does not know of.
func (w *worker) checkStart(ctx context.Context, held Held) (Seen, error) {
	seen := Seen{Name: w.client.Name()}
	for _, epoch := range []int{held.Epoch + 1, held.Epoch} {
		latest, err := w.client.Latest(ctx, w.cfg.VerifierKey(epoch))
		if err != nil {
			seen.Err = err
			return seen, nil
		}
		if latest == nil {
			continue
		}
		c, err := parseCheckpoint(noteText(latest))
		if err != nil {
			seen.Err = err
			return seen, nil
		}
		seen.Size = c.size
		return seen, compare(ctx, held, ledger.Tree{Epoch: epoch, Size: c.size, Root: c.root})
	}
	return w.probe(ctx, held, seen)
}

// probe asks a witness that shows no checkpoint, by offering ours as the first.
// The size it answers with is not signed. It is believed all the same: an
// administrator chose this witness, and can take it out to start without it.
func (w *worker) probe(ctx context.Context, held Held, seen Seen) (Seen, error) {
	if held.Signed == nil {
		return seen, nil
	}
	_, err := w.client.Submit(ctx, 0, nil, held.Signed)
	known, ok := errors.AsType[*SizeError](err)
	switch {
	case !ok:
		seen.Err = err
	case known.Size > held.Size:
		seen.Size = known.Size
		return seen, behind(held, ledger.Tree{Epoch: held.Epoch, Size: known.Size})
	default:
		seen.Size = known.Size
	}
	return seen, nil
}

// compare holds a tree that was seen outside against the database.
func compare(ctx context.Context, held Held, seen ledger.Tree) error {
	if seen.Epoch > held.Epoch || seen.Size > held.Size {
		return behind(held, seen)
	}
	if seen.Size == 0 {
		return nil
	}
	root, err := held.Root(ctx, seen.Size)
	if err != nil {
		return fmt.Errorf("computing the root of the first %d records: %w", seen.Size, err)
	}
	if root != seen.Root {
		return core.Wrap(core.Unavailable, ledger.ErrNotAppendOnly, fmt.Sprintf(
			"a witness has cosigned other records: the root of the first %d is %s there and %s in the database; "+
				"run `hostward log verify` to see which record was changed, bring the untouched database back, "+
				"or run `hostward log recover --reason …`", seen.Size, seen.Root, root))
	}
	return nil
}

// behind is the refusal to start on an older database. Its text says what to do.
func behind(held Held, seen ledger.Tree) error {
	b := &ledger.BehindError{Signed: seen, Have: held.Size, Witnessed: true}
	b.Epoch.Number = held.Epoch
	return core.Wrap(core.Unavailable, b, b.Error())
}
