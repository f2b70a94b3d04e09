package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/core"
)

func sortEnds(ends []*chainEnd) {
	slices.SortFunc(ends, func(a, b *chainEnd) int { return strings.Compare(a.line.key(), b.line.key()) })
}

func (v *verification) noteObject(kind string, ref core.Ref, seq int64, format string, args ...any) {
	v.report.add(Finding{Kind: kind, Seq: -1, Object: ref, Index: seq, What: fmt.Sprintf(format, args...)})
}

// compareHeads compares the table of heads with the chains.
func (v *verification) compareHeads(ctx context.Context, r Reader) error {
	v.report.Objects = len(v.objects)
	rows, err := r.Query(ctx, `SELECT kind, id, n, seq, leaf, state, tenant, bucket FROM ledger_head`)
	if err != nil {
		return fmt.Errorf("reading heads: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h HeadLine
		var seq int64
		var bucket int
		var leaf []byte
		if err := rows.Scan(&h.Object.Kind, &h.Object.ID, &h.N, &seq, &leaf, &h.State, &h.Tenant, &bucket); err != nil {
			return fmt.Errorf("reading heads: %w", err)
		}
		h.Leaf = hex.EncodeToString(leaf)
		v.compareHead(h, seq, bucket, v.objects[h.Object])
	}
	for _, at := range v.objects {
		if !at.seen && !v.wrong {
			v.noteObject(WrongHead, at.line.Object, at.seq, "%v: its row in ledger_head is missing", at.line.Object)
		}
		at.seen = false
	}
	return rows.Err()
}

func (v *verification) compareHead(h HeadLine, seq int64, bucket int, at *chainEnd) {
	switch {
	case at == nil:
		v.noteObject(WrongHead, h.Object, seq, "%s: ledger_head or ledger_tenant has it, but no record does", name(h))
	case (h != at.line || seq != at.seq || bucket != bucketOf(h.key())) && !v.wrong:
		v.noteObject(WrongHead, h.Object, seq, "%s: its row in ledger_head or ledger_tenant differs from its newest record, %d", name(h), at.seq)
	}
	if at != nil {
		at.seen = true
	}
}

func (v *verification) compareTenants(ctx context.Context, r Reader) error {
	v.report.Tenants = len(v.tenants)
	rows, err := r.Query(ctx, `SELECT id, n, seq, leaf, bucket FROM ledger_tenant`)
	if err != nil {
		return fmt.Errorf("reading tenants: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h HeadLine
		var seq int64
		var bucket int
		var leaf []byte
		if err := rows.Scan(&h.Tenant, &h.N, &seq, &leaf, &bucket); err != nil {
			return fmt.Errorf("reading tenants: %w", err)
		}
		h.Leaf = hex.EncodeToString(leaf)
		v.compareHead(h, seq, bucket, v.tenants[h.Tenant])
	}
	for _, at := range v.tenants {
		if !at.seen && !v.wrong {
			v.noteObject(WrongHead, core.Ref{Kind: "tenant", ID: at.line.Tenant}, at.seq, "tenant %s: its row in ledger_tenant is missing", at.line.Tenant)
		}
	}
	return rows.Err()
}

// comparePersonal opens personal values and their commitments, those of every
// record or of some spread evenly over the log.
func (v *verification) comparePersonal(ctx context.Context, r Reader) error {
	if v.Keys == nil {
		return nil
	}
	step := int64(1)
	if !v.Thorough {
		step = max(v.next/Sampled, 1)
	}
	for seq := (v.next - 1) % step; seq < v.next && seq >= 0; seq += step {
		list, err := readRange(ctx, r, seq, seq+1)
		if err != nil {
			return fmt.Errorf("reading personal values: %w", err)
		}
		if len(list) == 0 {
			continue
		}
		if l, err := DecodeLeaf(list[0].leaf); err == nil {
			if err := v.personal(ctx, r, seq, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// personal checks the values of one record.
func (v *verification) personal(ctx context.Context, r Reader, seq int64, l *Leaf) error {
	wanted, err := allCommitments(ctx, r, l)
	if err != nil || len(wanted) == 0 {
		return err
	}
	have, dropped, err := v.openings(ctx, r, seq, l)
	if err != nil {
		return err
	}
	for _, path := range sortedKeys(wanted) {
		commitment := wanted[path]
		period := periodOf(partOf(path), l.Class, l.Time)
		o, ok := have[path]
		switch {
		case ok && o.Commit() == commitment:
			v.report.Personal++
		case ok:
			v.report.add(Finding{Kind: WrongPersonal, Seq: seq, What: "the value of " + path + " in ledger_personal does not open its commitment"}.about(l))
		case dropped[period] || v.erased[period]:
			v.report.Erased++
		default:
			v.report.add(Finding{Kind: WrongPersonal, Seq: seq, What: "the value of " + path + " is missing, altered or unreadable, and no record says that it was erased"}.about(l))
		}
	}
	return nil
}

// openings opens what it can of a record. dropped names the periods whose key
// is gone.
func (v *verification) openings(ctx context.Context, r Reader, seq int64, l *Leaf) (map[string]Opening, map[string]bool, error) {
	rows, err := r.Query(ctx, `SELECT id, period, sealed FROM ledger_personal WHERE id >= $1 AND id < $2`, seq*8, seq*8+8)
	if err != nil {
		return nil, nil, fmt.Errorf("reading personal values: %w", err)
	}
	defer rows.Close()
	have, dropped := map[string]Opening{}, map[string]bool{}
	for rows.Next() {
		var row personalRow
		if err := rows.Scan(&row.id, &row.period, &row.sealed); err != nil {
			return nil, nil, fmt.Errorf("reading personal values: %w", err)
		}
		list, err := openRow(ctx, v.Keys, l.ID, row)
		if errors.Is(err, ErrPeriodDropped) {
			dropped[row.period] = true
		}
		for _, o := range list {
			have[o.Path] = o
		}
	}
	return have, dropped, rows.Err()
}

// allCommitments returns every commitment of a record, by path, those in
// blobs included.
func allCommitments(ctx context.Context, r Reader, l *Leaf) (map[string]string, error) {
	all := l.commitments()
	for i := range l.Events {
		fields := l.Events[i].Fields
		if ref := l.Events[i].Blob; ref != nil {
			data, err := readBlob(ctx, r, ref.Digest)
			if err != nil {
				return nil, err
			}
			fields, _ = DecodeFields(data)
		}
		for j, f := range fields {
			path := "events." + strconv.Itoa(i) + ".fields." + strconv.Itoa(j)
			if f.Personal && f.Old != nil {
				all[path+".old"] = *f.Old
			}
			if f.Personal && f.New != nil {
				all[path+".new"] = *f.New
			}
		}
	}
	return all, nil
}

// partOf is the part of a record's personal values that a path belongs to.
func partOf(path string) int {
	switch path {
	case "by.name":
		return partBy
	case "ip", "agent":
		return partSource
	}
	return partActor
}

// compareBlobs recomputes the digests of long differences.
func (v *verification) compareBlobs(ctx context.Context, r Reader) error {
	for _, digest := range slices.Sorted(maps.Keys(v.blobs)) {
		data, err := readBlob(ctx, r, digest)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		switch {
		case data == nil:
			v.note(WrongBlob, "the long difference %s is missing", digest)
		case hex.EncodeToString(sum[:]) != digest || len(data) != v.blobs[digest].Size:
			v.note(WrongBlob, "the long difference %s was altered", digest)
		default:
			v.report.Blobs++
		}
	}
	return nil
}

// compareBlocks recomputes what lists go by: a summary that was emptied would
// hide records from the browser, though not from here.
func (v *verification) compareBlocks(ctx context.Context, r Reader) error {
	step := int64(1)
	if !v.Thorough {
		step = max(v.next/BlockSize/64, 1)
	}
	for number := int64(0); (number+1)*BlockSize <= v.next; number += step {
		if err := v.compareBlock(ctx, r, number); err != nil {
			return fmt.Errorf("comparing summaries: %w", err)
		}
	}
	return v.strays(ctx, r)
}

// strays finds rows that nobody of us writes and that lists or counts would
// believe: records before the first, summaries and counts of what is not there.
// An export reads whatever rows there are.
func (v *verification) strays(ctx context.Context, r Reader) error {
	blocks := v.next / BlockSize
	for _, s := range []struct {
		query, what string
		limit       any
	}{
		{`SELECT count(*) FROM ledger_entry WHERE seq < $1`, "rows of ledger_entry stand before the first record: nobody recorded them", 0},
		{`SELECT count(*) FROM ledger_block WHERE block < 0 OR block >= $1`, "rows of ledger_block sum up records that are not there: lists may hide others", blocks},
		{`SELECT count(*) FROM ledger_count WHERE $1 = 0`, "rows of ledger_count count records that are not there", blocks},
	} {
		var n int64
		if err := r.QueryRow(ctx, s.query, s.limit).Scan(&n); err != nil {
			return fmt.Errorf("looking for rows that do not belong: %w", err)
		}
		if n > 0 {
			v.note(WrongHead, "%d %s", n, s.what)
		}
	}
	return nil
}

func (v *verification) compareBlock(ctx context.Context, r Reader, number int64) error {
	b, err := readBlock(ctx, r, number)
	if err != nil || len(b.counts) == 0 {
		return nil // the records themselves are wrong, or lost: that is said elsewhere
	}
	rows, err := r.Query(ctx, `SELECT first_time, last_time, keys, words FROM ledger_block WHERE block = $1`, number)
	if err != nil {
		return err
	}
	defer rows.Close()
	var first, last int64
	var keys, words []byte
	if rows.Next() {
		if err := rows.Scan(&first, &last, &keys, &words); err != nil {
			return err
		}
	}
	if first != b.first || last != b.last || !bytes.Equal(keys, newBloom(b.keys)) || !bytes.Equal(words, newBloom(b.words)) {
		v.note(WrongHead, "the summary of records %d to %d in ledger_block was altered: lists may hide records", number*BlockSize, (number+1)*BlockSize-1)
	}
	return rows.Err()
}

// compareStates holds what is in the database now against the newest record
// of each object.
func (v *verification) compareStates(ctx context.Context, r Reader) error {
	if v.States == nil {
		return nil
	}
	kinds, err := v.States(ctx, r, func(ref core.Ref, digest string) error {
		v.compareState(ref, digest)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recomputing the state of objects: %w", err)
	}
	refs := slices.SortedFunc(maps.Keys(v.objects), func(a, b core.Ref) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		at := v.objects[ref]
		if slices.Contains(kinds, ref.Kind) && !at.seen && isHash(at.line.State) {
			v.noteObject(WrongState, ref, at.seq, "%v is missing from the database; its newest record, %d, says that it exists", ref, at.seq)
		}
	}
	return nil
}

func (v *verification) compareState(ref core.Ref, digest string) {
	v.report.States++
	at := v.objects[ref]
	switch {
	case at == nil:
		v.noteObject(WrongState, ref, -1, "%v is in the database, but no record says that it was ever made", ref)
		return
	case at.line.State == "":
		v.noteObject(WrongState, ref, at.seq, "%v is in the database; its newest record, %d, says that it was deleted", ref, at.seq)
	case at.line.State != "-" && at.line.State != digest:
		v.noteObject(WrongState, ref, at.seq, "%v was altered outside the log: it is not as its newest record, %d, left it", ref, at.seq)
	}
	at.seen = true
}
