package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"hostward/internal/core"
)

// pages collects what one batch writes, table by table.
type pages struct {
	entries  []entryRow
	personal []personalRow
	blobs    []blobRow
	objects  []core.Ref // whose ends moved
	tenants  []string
	periods  []personalRow // whose periods may be new
	blocks   []*block
}

type entryRow struct {
	seq  int64
	id   string
	leaf []byte
}

type blobRow struct {
	digest string
	seq    int64
	data   []byte
}

// texts holds the INSERT statements by number of rows, so that a few constant
// texts serve every batch and stay prepared.
type texts struct {
	entry, personal, blob, object, tenant map[int]string
}

// steps are the numbers of rows that have a statement of their own.
var steps = [...]int{64, 16, 4, 2, 1}

func newTexts() texts {
	return texts{
		entry:    inserts("INSERT INTO ledger_entry (seq, id, leaf) VALUES", 3, ""),
		personal: inserts("INSERT INTO ledger_personal (id, period, blind, sealed) VALUES", 4, ""),
		blob: inserts("INSERT INTO ledger_blob (digest, seq, data) VALUES", 3,
			" ON CONFLICT (digest) DO UPDATE SET seq = excluded.seq"),
		object: inserts("INSERT INTO ledger_head (kind, id, n, seq, leaf, state, tenant, bucket) VALUES", 8,
			" ON CONFLICT (kind, id) DO UPDATE SET n = excluded.n, seq = excluded.seq, leaf = excluded.leaf,"+
				" state = excluded.state, tenant = excluded.tenant"),
		tenant: inserts("INSERT INTO ledger_tenant (id, n, seq, leaf, bucket) VALUES", 5,
			" ON CONFLICT (id) DO UPDATE SET n = excluded.n, seq = excluded.seq, leaf = excluded.leaf"),
	}
}

func inserts(head string, columns int, tail string) map[int]string {
	m := make(map[int]string, len(steps))
	for _, rows := range steps {
		m[rows] = head + placeholders(rows, columns) + tail
	}
	return m
}

// placeholders returns " ($1, $2), ($3, $4)" for two rows of two columns.
func placeholders(rows, columns int) string {
	var s strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			s.WriteString(" (")
		case i%columns == 0:
			s.WriteString("), (")
		default:
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "$%d", i+1)
	}
	return s.String() + ")"
}

// insert writes rows with the largest statements that fit.
func insert[T any](ctx context.Context, tx Tx, texts map[int]string, rows []T, args func([]any, *T) []any) error {
	var list []any
	for len(rows) > 0 {
		n := 1
		for _, step := range steps {
			if step <= len(rows) {
				n = step
				break
			}
		}
		list = list[:0]
		for i := range rows[:n] {
			list = args(list, &rows[i])
		}
		if _, err := tx.Exec(ctx, texts[n], list...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (b *Book) write(ctx context.Context, tx Tx, w *pages) error {
	err := insert(ctx, tx, b.texts.entry, w.entries, func(list []any, r *entryRow) []any {
		return append(list, r.seq, r.id, r.leaf)
	})
	if err != nil {
		return fmt.Errorf("writing records: %w", err)
	}
	err = insert(ctx, tx, b.texts.personal, w.personal, func(list []any, r *personalRow) []any {
		return append(list, r.id, r.period, r.blind, r.sealed)
	})
	if err != nil {
		return fmt.Errorf("writing personal values: %w", err)
	}
	for _, r := range w.periods {
		_, err := tx.Exec(ctx, `INSERT INTO ledger_period (period, first) VALUES ($1, $2) ON CONFLICT (period) DO NOTHING`, r.period, r.id)
		if err != nil {
			return fmt.Errorf("writing a period: %w", err)
		}
	}
	if err := b.writeBlobs(ctx, tx, w.blobs); err != nil {
		return err
	}
	return b.writeEnds(ctx, tx, w)
}

// writeBlobs writes one by one: the same content may come twice in a batch,
// which one statement must not meet.
func (b *Book) writeBlobs(ctx context.Context, tx Tx, blobs []blobRow) error {
	for _, r := range blobs {
		if _, err := tx.Exec(ctx, b.texts.blob[1], r.digest, r.seq, r.data); err != nil {
			return fmt.Errorf("writing long differences: %w", err)
		}
	}
	return nil
}

func (b *Book) writeEnds(ctx context.Context, tx Tx, w *pages) error {
	err := insert(ctx, tx, b.texts.object, w.objects, func(list []any, r *core.Ref) []any {
		at := b.objects[*r]
		at.dirty = false
		return append(list, r.Kind, r.ID, int64(at.n), at.seq, unhex(at.leaf), at.state, at.tenant, at.bucket)
	})
	if err != nil {
		return fmt.Errorf("writing heads: %w", err)
	}
	err = insert(ctx, tx, b.texts.tenant, w.tenants, func(list []any, id *string) []any {
		at := b.tenants[*id]
		at.dirty = false
		return append(list, *id, int64(at.n), at.seq, unhex(at.leaf), at.bucket)
	})
	if err != nil {
		return fmt.Errorf("writing tenants: %w", err)
	}
	return nil
}

// unhex is for hashes this package has encoded itself.
func unhex(s string) []byte {
	b, _ := hex.DecodeString(s)
	return b
}
