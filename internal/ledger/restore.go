package ledger

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// RestoredEvent is the name of the record that tells of a Restore.
const RestoredEvent = "log.restored"

// Restoration is what Restore put back.
type Restoration struct {
	Altered []int64 // records whose bytes were other than sealed
	Removed []int64 // records that were missing
}

// Event describes the restoration for its record.
func (r Restoration) Event() Event {
	return logEvent(RestoredEvent, plain("altered", numbers(r.Altered)), plain("removed", numbers(r.Removed)))
}

func numbers(list []int64) string {
	const most = 1000
	var b []byte
	for i, n := range list {
		if i == most {
			return string(b) + fmt.Sprintf(" and %d more", len(list)-most)
		}
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}

// Restore puts records that were altered or removed in the database back as
// the entry bundles have them, if the bundles lead to the root that the keeper
// signed last: what they hold is then what was sealed. It changes nothing
// otherwise. Records that were inserted, and anything but records, it leaves
// to Verify to name.
func Restore(ctx context.Context, tx Tx, keys Keys, dir string) (Restoration, error) {
	var done Restoration
	signed, err := keys.LastSigned(ctx)
	if err != nil {
		return done, fmt.Errorf("asking for the last signed checkpoint: %w", err)
	}
	epochs, err := readEpochs(ctx, tx)
	if err != nil {
		return done, err
	}
	epoch, f := epochs[len(epochs)-1], epochFolder(dir, signed.Epoch)
	if epoch.Number != signed.Epoch {
		return done, fmt.Errorf("epoch %d is signed, the database is in epoch %d", signed.Epoch, epoch.Number)
	}
	if err := f.provesRoot(signed); err != nil {
		return done, err
	}
	return done, f.eachBundle(signed.Size, func(first int64, leaves [][]byte) error {
		return done.bundle(ctx, tx, epoch.Base+first, leaves)
	})
}

// provesRoot recomputes the tree from the entry bundles alone.
func (f folder) provesRoot(signed Tree) error {
	e := &edge{}
	err := f.eachBundle(signed.Size, func(_ int64, leaves [][]byte) error {
		for _, leaf := range leaves {
			e.append(LeafHash(leaf), func(int, int64, []tlog.Hash) {})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the sealed copies of the records cannot be read: %w", err)
	}
	if e.root() != signed.Root {
		return fmt.Errorf("%w: the sealed copies of the records were changed too, so nothing can be put back", ErrNotAppendOnly)
	}
	return nil
}

// eachBundle reads the entry bundles of the first size leaves in order.
func (f folder) eachBundle(size int64, do func(first int64, leaves [][]byte) error) error {
	for first := int64(0); first < size; first += tileWidth {
		width := int(min(tileWidth, size-first))
		data, err := f.read(tilePath(entriesLevel, first/tileWidth, width))
		if err != nil {
			return err
		}
		leaves, err := unpackBundle(data)
		if err == nil && len(leaves) != width {
			err = fmt.Errorf("the entry bundle of record %d holds %d records, not %d", first, len(leaves), width)
		}
		if err == nil {
			err = do(first, leaves)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bundle compares the rows of one bundle with its leaves.
func (r *Restoration) bundle(ctx context.Context, tx Tx, first int64, leaves [][]byte) error {
	rows, err := readRange(ctx, tx, first, first+int64(len(leaves)))
	if err != nil {
		return fmt.Errorf("reading records: %w", err)
	}
	have := map[int64][]byte{}
	for _, row := range rows {
		have[row.seq] = row.leaf
	}
	for i, leaf := range leaves {
		seq := first + int64(i)
		if err := r.row(ctx, tx, seq, have[seq], leaf); err != nil {
			return fmt.Errorf("putting record %d back: %w", seq, err)
		}
	}
	return nil
}

func (r *Restoration) row(ctx context.Context, tx Tx, seq int64, have, want []byte) error {
	if bytes.Equal(have, want) {
		return nil
	}
	l, err := DecodeLeaf(want)
	if err != nil {
		return err
	}
	if have != nil {
		r.Altered = append(r.Altered, seq)
		_, err = tx.Exec(ctx, `UPDATE ledger_entry SET id = $1, leaf = $2 WHERE seq = $3`, l.ID, want, seq)
		return err
	}
	r.Removed = append(r.Removed, seq)
	_, err = tx.Exec(ctx, `INSERT INTO ledger_entry (seq, id, leaf) VALUES ($1, $2, $3)`, seq, l.ID, want)
	return err
}
