package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
)

// Filter says which records to list. Empty fields restrict nothing; several
// values of one field mean any of them, several fields mean all of them.
type Filter struct {
	From, To time.Time // From included, To not
	Classes  []string
	Actions  []string
	Outcomes []Outcome
	Doors    []string
	Actor    string   // id of the actor, or of who acted as him
	Name     string   // name of the actor, upper or lower case
	Address  string   // source IP
	Object   core.Ref // Kind alone, or Kind and ID
	Session  string
	Text     string // words, all of which occur in plain text of the record, whole
	Before   int64  // cursor: records below this seq; 0: the newest
	Limit    int    // records; 0: 50
}

// Page is a part of a list, newest first.
type Page struct {
	Records []Record
	// Next is Filter.Before for the next page, 0 at the end.
	Next int64
	// Searched is false when the page is shorter than Limit only because enough
	// records were looked at for one call: ask again with Next for more.
	Searched bool
}

const (
	defaultLimit = 50
	// patience is how many records one call decodes at most: some 20 ms.
	patience = 4 * 1024
)

// List returns a page of the records that scope may see and f selects. It
// answers in bounded time whatever the filter and the size of the log.
func (b Browser) List(ctx context.Context, r Reader, scope Scope, f Filter) (Page, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	q, err := b.query(ctx, r, scope, f)
	if err != nil {
		return Page{}, fmt.Errorf("reading the action log: %w", err)
	}
	page := Page{}
	page.Next, page.Searched, err = q.run(ctx, r, func(seq int64, leaf []byte, l *Leaf) (bool, error) {
		rec := b.record(epochAt(q.epochs, seq), seq, leaf, l, scope)
		if err := b.complete(ctx, r, &rec, l, false); err != nil {
			return false, err
		}
		page.Records = append(page.Records, rec)
		return len(page.Records) < f.Limit, nil
	})
	if err != nil {
		return Page{}, fmt.Errorf("reading the action log: %w", err)
	}
	return page, nil
}

// query is a Filter made ready.
type query struct {
	scope    Scope
	epochs   []Epoch
	from, to int64 // times; to 0: open
	before   int64
	wanted   traits
	words    []uint64
	blinds   [][]byte // newest period first; nil: no look-up by a personal value
	personal bool
	budget   int

	leaf   Leaf
	traits traits
	found  map[uint64]bool
	each   func(seq int64, leaf []byte, l *Leaf) (more bool, err error)
	next   int64 // everything from here on has been looked at
	full   bool
}

func (b Browser) query(ctx context.Context, r Reader, scope Scope, f Filter) (*query, error) {
	q := &query{scope: scope, budget: patience}
	var err error
	if q.epochs, err = readEpochs(ctx, r); err != nil {
		return nil, err
	}
	if q.before, err = countEntries(ctx, r); err != nil {
		return nil, err
	}
	if f.Before > 0 {
		q.before = min(q.before, f.Before)
	}
	q.from, q.to = moment(f.From), moment(f.To)
	q.want(f)
	if err := q.lookUp(ctx, r, b.Keys, f); err != nil {
		return nil, err
	}
	return q, nil
}

func moment(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMicro(), 1)
}

func (q *query) want(f Filter) {
	addAll(&q.wanted, dimClass, f.Classes)
	addAll(&q.wanted, dimAction, f.Actions)
	addAll(&q.wanted, dimOutcome, f.Outcomes)
	addAll(&q.wanted, dimDoor, f.Doors)
	q.wanted.add(dimActor, f.Actor)
	q.wanted.add(dimSession, f.Session)
	if f.Object.ID != "" {
		q.wanted.addObject(f.Object)
	} else {
		q.wanted.add(dimKind, f.Object.Kind)
	}
	if !q.scope.All {
		addAll(&q.wanted, dimTenant, q.scope.Tenants)
	}
	eachWord(f.Text, func(h uint64) { q.words = append(q.words, h) })
}

func addAll[S ~string](t *traits, d dimension, values []S) {
	for _, v := range values {
		t.add(d, string(v))
	}
}

// lookUp turns a name or address into the blind keys of every period there is.
func (q *query) lookUp(ctx context.Context, r Reader, keys Keys, f Filter) error {
	address, name := blindAddress(f.Address), blindName(f.Name)
	if address == "" && name == "" {
		return nil
	}
	if address != "" && name != "" {
		return core.Errorf(core.Invalid, "filter by name or by address, not by both")
	}
	q.personal = true
	periods, err := readPeriods(ctx, r)
	if err != nil {
		return err
	}
	for _, p := range periods {
		if strings.HasPrefix(p, KindAddress+"/") != (address != "") {
			continue
		}
		blind, err := keys.Blind(ctx, p, name+address)
		if errors.Is(err, ErrPeriodDropped) {
			continue
		}
		if err != nil {
			return fmt.Errorf("hiding a look-up key: %w", err)
		}
		q.blinds = append(q.blinds, blind)
	}
	return nil
}

// blindName and blindAddress are the texts that names and addresses are looked up by.
func blindName(s string) string { return strings.ToLower(strings.TrimSpace(storable(s))) }

func blindAddress(s string) string {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().String()
	}
	return strings.ToLower(storable(s))
}

// readPeriods lists the periods in use.
func readPeriods(ctx context.Context, r Reader) ([]string, error) {
	rows, err := r.Query(ctx, `SELECT period FROM ledger_period WHERE over = 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return list, rows.Err()
}

// run calls each for every match, newest first, until it says enough, the log
// ends or the budget does.
func (q *query) run(ctx context.Context, r Reader, each func(int64, []byte, *Leaf) (bool, error)) (next int64, searched bool, err error) {
	q.each, q.next = each, q.before
	switch {
	case q.personal:
		err = q.throughLookUp(ctx, r)
	case q.unrestricted():
		err = q.straight(ctx, r)
	default:
		err = q.throughBlocks(ctx, r)
	}
	if q.full || q.budget <= 0 {
		return q.next, q.full, err
	}
	return 0, true, err
}

func (q *query) unrestricted() bool {
	for _, values := range q.wanted {
		if len(values) > 0 {
			return false
		}
	}
	return len(q.words) == 0 && q.from == 0 && q.to == 0 && q.scope.All
}

func (q *query) done() bool { return q.full || q.budget <= 0 || q.next <= 0 }

// straight reads records one after another in pieces of a growing size.
func (q *query) straight(ctx context.Context, r Reader) error {
	for size := 64; !q.done(); size = min(2*size, 1024) {
		if err := q.scan(ctx, r, q.next-int64(size), q.next); err != nil {
			return err
		}
	}
	return nil
}

// scan looks at the records in [from, to), newest first.
func (q *query) scan(ctx context.Context, r Reader, from, to int64) error {
	rows, err := readRange(ctx, r, max(from, 0), to)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := q.look(row.seq, row.leaf); err != nil || q.full {
			return err
		}
	}
	q.next = max(from, 0)
	return nil
}

// readRange reads everything first, so that each may use the connection.
func readRange(ctx context.Context, r Reader, from, to int64) ([]entryRow, error) {
	rows, err := r.Query(ctx, `SELECT seq, leaf FROM ledger_entry WHERE seq >= $1 AND seq < $2 ORDER BY seq DESC`, from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []entryRow
	for rows.Next() {
		var row entryRow
		if err := rows.Scan(&row.seq, &row.leaf); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// look decodes one record and hands it on if it matches.
func (q *query) look(seq int64, leaf []byte) error {
	q.budget--
	q.next = seq
	if err := decodeLeaf(string(leaf), &q.leaf); err != nil {
		return fmt.Errorf("record %d cannot be read; run `hostward log verify`: %w", seq, err)
	}
	if !q.matches(&q.leaf) {
		return nil
	}
	more, err := q.each(seq, leaf, &q.leaf)
	q.full = !more
	return err
}

func (q *query) matches(l *Leaf) bool {
	if l.Time < q.from || (q.to > 0 && l.Time >= q.to) || !q.scope.sees(l) {
		return false
	}
	l.traits(&q.traits)
	if !q.wanted.matches(&q.traits) {
		return false
	}
	return q.hasWords(l)
}

func (q *query) hasWords(l *Leaf) bool {
	if len(q.words) == 0 {
		return true
	}
	if q.found == nil {
		q.found = map[uint64]bool{}
	}
	clear(q.found)
	l.words(func(h uint64) {
		if slices.Contains(q.words, h) {
			q.found[h] = true
		}
	})
	return !slices.ContainsFunc(q.words, func(h uint64) bool { return !q.found[h] })
}

// throughBlocks reads the newest records, which no block sums up yet, and then
// only blocks in which something can match.
func (q *query) throughBlocks(ctx context.Context, r Reader) error {
	var blocks int64
	if err := r.QueryRow(ctx, `SELECT COALESCE(MAX(block) + 1, 0) FROM ledger_block`).Scan(&blocks); err != nil {
		return err
	}
	for tail := blocks * BlockSize; !q.done() && q.next > tail; {
		if err := q.scan(ctx, r, max(tail, q.next-BlockSize), q.next); err != nil {
			return err
		}
	}
	for size := 8; !q.done(); size = min(4*size, 1024) {
		candidates, last, err := q.candidates(ctx, r, (q.next-1)/BlockSize, size)
		if err != nil {
			return err
		}
		for _, number := range candidates {
			if err := q.scan(ctx, r, number*BlockSize, min(q.next, (number+1)*BlockSize)); err != nil || q.done() {
				return err
			}
		}
		q.next = min(q.next, last*BlockSize)
	}
	return nil
}

// candidates looks at size summaries from block number down. last is the
// lowest block that has been dealt with.
func (q *query) candidates(ctx context.Context, r Reader, number int64, size int) (list []int64, last int64, err error) {
	text := `SELECT block, first_time, last_time, keys FROM ledger_block WHERE block <= $1 ORDER BY block DESC LIMIT $2`
	if len(q.words) > 0 {
		text = `SELECT block, first_time, last_time, keys, words FROM ledger_block WHERE block <= $1 ORDER BY block DESC LIMIT $2`
	}
	rows, err := r.Query(ctx, text, number, size)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	var first, newest int64
	var keys, words sql.RawBytes
	into := []any{&last, &first, &newest, &keys, &words}
	if len(q.words) == 0 {
		into = into[:4]
	}
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return nil, 0, err
		}
		if q.mayHold(first, newest, bloom(keys), bloom(words)) {
			list = append(list, last)
		}
	}
	if n < size {
		last = 0
	}
	return list, last, rows.Err()
}

func (q *query) mayHold(first, newest int64, keys, words bloom) bool {
	if newest < q.from || (q.to > 0 && first >= q.to) {
		return false
	}
	return q.wanted.in(keys) && !slices.ContainsFunc(q.words, func(h uint64) bool { return !words.has(h) })
}

// throughLookUp follows the index of blind keys: one stream for each period,
// merged by record.
func (q *query) throughLookUp(ctx context.Context, r Reader) error {
	streams := make([]stream, len(q.blinds))
	for i := range streams {
		streams[i] = stream{blind: q.blinds[i], below: q.before * 8}
	}
	for !q.done() {
		seq, err := newestOf(ctx, r, streams)
		if err != nil || seq < 0 {
			q.next = 0
			return err
		}
		rows, err := readRange(ctx, r, seq, seq+1)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := q.look(row.seq, row.leaf); err != nil {
				return err
			}
		}
	}
	return nil
}

// stream is the list of ids with one blind key, read in pieces.
type stream struct {
	blind []byte
	ids   []int64
	below int64
	end   bool
}

func (s *stream) fill(ctx context.Context, r Reader) error {
	const piece = 128
	rows, err := r.Query(ctx, `SELECT id FROM ledger_personal WHERE blind = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		s.blind, s.below, piece)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&s.below); err != nil {
			return err
		}
		s.ids = append(s.ids, s.below)
	}
	s.end = len(s.ids) < piece
	return rows.Err()
}

// newestOf takes the highest seq off the streams, -1 when all are empty.
func newestOf(ctx context.Context, r Reader, streams []stream) (int64, error) {
	seq := int64(-1)
	for i := range streams {
		s := &streams[i]
		if len(s.ids) == 0 && !s.end {
			if err := s.fill(ctx, r); err != nil {
				return 0, err
			}
		}
		if len(s.ids) > 0 {
			seq = max(seq, s.ids[0]/8)
		}
	}
	for i := range streams {
		for s := &streams[i]; len(s.ids) > 0 && s.ids[0]/8 == seq; {
			s.ids = s.ids[1:]
		}
	}
	return seq, nil
}

// ErrNoRecord says that there is no such record, or none the scope may see.
var ErrNoRecord = core.Errorf(core.NotFound, "there is no such record in the action log")

// Get returns one record by its number, with everything that still exists.
func (b Browser) Get(ctx context.Context, r Reader, scope Scope, seq int64) (Record, error) {
	list, err := readRange(ctx, r, seq, seq+1)
	if err == nil && len(list) == 0 {
		return Record{}, ErrNoRecord
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading record %d: %w", seq, err)
	}
	records, err := b.whole(ctx, r, scope, list)
	if err == nil && len(records) == 0 {
		return Record{}, ErrNoRecord
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading record %d: %w", seq, err)
	}
	return records[0], nil
}

// Find returns one record by its id.
func (b Browser) Find(ctx context.Context, r Reader, scope Scope, id string) (Record, error) {
	seq, err := SeqOf(ctx, r, id)
	if err != nil {
		return Record{}, err
	}
	return b.Get(ctx, r, scope, seq)
}

// SeqOf returns the number of a record by its id.
func SeqOf(ctx context.Context, r Reader, id string) (int64, error) {
	var seq int64
	err := r.QueryRow(ctx, `SELECT seq FROM ledger_entry WHERE id = $1`, storable(id)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNoRecord
	}
	return seq, err
}

// Tail returns up to limit records after seq (-1: from the beginning), oldest
// first, complete, and the seq to go on from, which moves past records that
// the scope hides. It is what live views and forwarding read.
func (b Browser) Tail(ctx context.Context, r Reader, scope Scope, after int64, limit int) ([]Record, int64, error) {
	rows, err := r.Query(ctx, `SELECT seq, leaf FROM ledger_entry WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	if err != nil {
		return nil, after, fmt.Errorf("reading the action log: %w", err)
	}
	defer rows.Close()
	var list []entryRow
	for rows.Next() {
		var row entryRow
		if err := rows.Scan(&row.seq, &row.leaf); err != nil {
			return nil, after, fmt.Errorf("reading the action log: %w", err)
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil || len(list) == 0 {
		return nil, after, err
	}
	records, err := b.whole(ctx, r, scope, list)
	return records, list[len(list)-1].seq, err
}

// whole reads records completely, without those that the scope hides.
func (b Browser) whole(ctx context.Context, r Reader, scope Scope, list []entryRow) ([]Record, error) {
	epochs, err := readEpochs(ctx, r)
	if err != nil {
		return nil, err
	}
	records := make([]Record, 0, len(list))
	for _, row := range list {
		l, err := DecodeLeaf(row.leaf)
		if err != nil {
			return nil, fmt.Errorf("record %d cannot be read; run `hostward log verify`: %w", row.seq, err)
		}
		if !scope.sees(l) {
			continue
		}
		rec := b.record(epochAt(epochs, row.seq), row.seq, row.leaf, l, scope)
		if err := b.complete(ctx, r, &rec, l, true); err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}
