package act

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// statement is SQL known when the program was compiled: outside this package
// only an untyped constant converts to it. Placeholders are $1, $2 ...
type statement string

// View reads one snapshot at one instant. Only the Bus makes a usable one,
// and it ends with the operation: a View kept for later answers errOver.
type View struct {
	db    store.Reader
	now   time.Time
	actor Actor
	bus   *Bus
	over  bool

	placed *error // whether the actor may act at all, once that was asked
}

var errOver = errors.New("this view is over: its operation has ended")

// Now is the one time of the operation.
func (v *View) Now() time.Time { return v.now }

// Actor is who asks.
func (v *View) Actor() Actor { return v.actor }

func (v *View) end() { v.over = true }

// Release gives the snapshot back before Prepare does what takes long: there are
// few, and strangers who hash passwords must not keep pages waiting. The view
// reads no more. A Tx has no snapshot to give.
func (v *View) Release() {
	if s, ok := v.db.(*store.Snapshot); ok {
		v.end()
		_ = s.Close() // the bus closes it once more and sees the error, if there is one
	}
}

// Get scans the first row into dest and reports whether there was one.
func (v *View) Get(ctx context.Context, q statement, args []any, dest ...any) (bool, error) {
	if v.over || v.bus == nil {
		return false, errOver
	}
	if err := v.bus.permitted(q, false); err != nil {
		return false, err
	}
	err := v.db.QueryRow(ctx, string(q), args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Each calls row for every row; row scans it with the function it is given.
func (v *View) Each(ctx context.Context, q statement, args []any, row func(scan func(dest ...any) error) error) error {
	if v.over || v.bus == nil {
		return errOver
	}
	if err := v.bus.permitted(q, false); err != nil {
		return err
	}
	rows, err := v.db.Query(ctx, string(q), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Ledger lets the log's own feature read the log's tables. It is for read
// snapshots alone: inside a change it is nil.
func (v *View) Ledger() ledger.Reader {
	if s, ok := v.db.(*store.Snapshot); ok && !v.over {
		return s
	}
	return nil
}

// Tx is a View that writes. What it wrote stays only if the gate agrees.
type Tx struct {
	View
	w      *store.Writer
	wrote  int64
	events []ledger.Event
	owner  func(context.Context, core.Ref) (string, error)
	fault  error
	refuse error
	signer *Actor
}

// Exec runs one INSERT, UPDATE or DELETE and returns how many rows it changed.
func (t *Tx) Exec(ctx context.Context, q statement, args ...any) (int64, error) {
	if t.over || t.w == nil { // w is nil from the gate on
		return 0, errOver
	}
	if err := t.bus.permitted(q, true); err != nil {
		t.fault = err
		return 0, err
	}
	n, err := t.w.Exec(ctx, string(q), args...)
	t.wrote += n
	return n, err
}

// Record notes one event about one object, with its old and new values. Every
// object that the operation touches needs one.
func (t *Tx) Record(ctx context.Context, event string, on core.Ref, fields ...Field) error {
	if t.over {
		return errOver
	}
	tenant, err := t.owner(ctx, on)
	if err != nil {
		t.fault = fmt.Errorf("recording %s: owner of %s: %w", event, on, err)
		return t.fault
	}
	t.events = append(t.events, ledger.Event{Name: event, Object: on, Tenant: tenant, Fields: fields})
	return nil
}

// Sign says whose act this was, once that is proved: a log-in begins as a
// stranger's and its record is that of who got in.
func (t *Tx) Sign(who Actor) { t.signer = &who }

// Refuse turns the operation down and yet keeps what it wrote and recorded: a
// wrong password must be counted. Return its result from Run.
func (t *Tx) Refuse(err error) error {
	t.refuse = err
	return err
}

var (
	writes = regexp.MustCompile(`(?is)^\s*(INSERT|UPDATE|DELETE)\s`)
	reads  = regexp.MustCompile(`(?is)^\s*(SELECT|WITH)\s`)
	// Tables of the frame, and words that are not for features.
	closed = regexp.MustCompile(`(?i)\b(ledger_|act_|store_|sqlite_|pg_|information_schema)|;|--|/\*|\bU&["']|\b(PRAGMA|ATTACH|DETACH|CREATE|DROP|ALTER|TRUNCATE|VACUUM|REINDEX|SAVEPOINT|ROLLBACK|COMMIT|COPY|GRANT|MERGE)\b`)
	// What only looks like a question: WITH x AS (DELETE …), SELECT … INTO a
	// table that no trigger watches, SELECT … FOR UPDATE.
	quiet = regexp.MustCompile(`(?i)\b(INSERT|UPDATE|DELETE|REPLACE|INTO)\s`)
	texts = regexp.MustCompile(`'[^']*'`)
	// Quotes of other kinds: one with an apostrophe in it would make what follows
	// look like a text, and nothing above would look into it.
	quotes = regexp.MustCompile("[\"`\\[]|(?i:\\bE')|\\$[a-zA-Z_]*\\$")
	// A word before a parenthesis that is no function: a column list, a keyword.
	lists    = regexp.MustCompile(`(?i)\b((INSERT|REPLACE)\s+(OR\s+\w+\s+)?INTO\s+\w+|WITH\s+(RECURSIVE\s+)?\w+)\s*\(`)
	callings = regexp.MustCompile(`["\w.]+\s*\(`)
)

// functions are what SQL of a feature may call, and the words that stand before
// a parenthesis. Databases offer more that changes what no trigger sees:
// set_config, nextval, query_to_xml with a text put together.
var functions = strings.Fields(`abs avg cast coalesce count length lower max min nullif replace round substr sum trim upper
	all and any as by conflict else exists filter from in not on or over returning select set then union using values when where`)

// verdict is what permitted found about one SQL text.
type verdict struct {
	q     statement
	write bool
}

// permitted keeps a feature out of the frame's tables and away from words
// that would change the rules. Every SQL text is a constant of the program, so
// the verdicts are few and kept.
func (b *Bus) permitted(q statement, write bool) error {
	key := verdict{q, write}
	found, ok := b.rules.Load(key)
	if !ok {
		found = inspect(q, write)
		b.rules.Store(key, found)
	}
	err, _ := found.(error)
	return err
}

func inspect(q statement, write bool) error {
	if m := quotes.FindString(string(q)); m != "" {
		return fmt.Errorf("SQL of a feature quotes texts with ' and names not at all, and %s does: %s", m, q)
	}
	bare := texts.ReplaceAllString(string(q), "''")
	if m := closed.FindString(bare); m != "" {
		return fmt.Errorf("SQL of a feature must not contain %q: %s", m, q)
	}
	if m := quiet.FindString(bare); m != "" && !write {
		return fmt.Errorf("a view only reads, and %q does not: %s", strings.TrimSpace(m), q)
	}
	for _, m := range callings.FindAllString(lists.ReplaceAllString(bare, "("), -1) {
		if name := strings.ToLower(strings.TrimSpace(m[:len(m)-1])); !slices.Contains(functions, name) {
			return fmt.Errorf("SQL of a feature must not call %s: add it to the list in act/tx.go if it changes nothing: %s", name, q)
		}
	}
	if want := reads; write {
		want = writes
		if !want.MatchString(string(q)) {
			return fmt.Errorf("Exec takes one INSERT, UPDATE or DELETE: %s", q)
		}
	} else if !want.MatchString(string(q)) {
		return fmt.Errorf("a view takes one SELECT: %s", q)
	}
	return nil
}
