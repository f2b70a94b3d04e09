package act

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// Migrations are the frame's own tables.
//
//go:embed sql
var Migrations embed.FS

// Config is what a Bus is made of.
type Config struct {
	Registry *Registry
	Store    *store.Store
	Writer   *store.Writer // from here on the bus's alone
	Book     *ledger.Book
	Clock    core.Clock
	Log      *slog.Logger
	Spool    string // folder for uploads
	// Scope returns the tenants above tenant, nearest first, without itself.
	// The provider's are none.
	Scope func(ctx context.Context, v *View, tenant string) ([]string, error)
	// Sealed is told after each commit that records wait to be sealed.
	Sealed func()
	// Wake brings a control up to date after a commit and returns the state
	// word: "in force", "pending" or "drift". It waits only briefly.
	Wake func(ctx context.Context, control string, objects []core.Ref) string
	// RecordReads reports whether every read is to be recorded (SPEC L6,
	// [actionLog] api.includeImmutable).
	RecordReads func() bool
	// Admit returns an error when the actor may not act from where he is (SPEC
	// A1). It is asked for accounts alone, before every operation. Nil: everyone may.
	Admit func(ctx context.Context, v *View, a Actor) error
	// Holds returns an error when an account is no longer who it was when the face
	// looked: its session ended, its token was revoked, it was closed or is
	// something else now. A step of a job has no session: only the account counts.
	// It is asked with Admit, before every operation. Nil: nobody asks.
	Holds func(ctx context.Context, v *View, a Actor) error
	// Jobs keeps jobs on record. Nil: no operation is a job.
	Jobs Jobs
}

// Bus runs operations. Its methods may be called from any goroutine.
type Bus struct {
	with     Config // not embedded: features hold a Bus, and must not get at the writer through it
	spool    string
	places   sync.Mutex // of uploads, see reserve
	queue    chan *request
	limiter  *limiter
	closing  chan struct{}
	closed   chan struct{}
	closeOne sync.Once
	last     *ledger.Entry
	rules    sync.Map // SQL text -> verdict, see permitted
	bench    bench
	doubts   doubts
	ruin     error // of the batch under way, see one
}

// Call is one request, the same from every face.
type Call struct {
	Op        string
	Actor     Actor
	Input     json.RawMessage
	Reason    string // why, in the caller's words; goes on record
	Key       string // Idempotency-Key: a repeat has the same answer and one effect
	Expect    uint64 // version of the target that the caller last saw; 0: any
	Preview   bool   // run everything, show what would happen, roll back
	Confirmed bool   // the caller was asked and agreed

	in any // decoded input, from a typed call
}

// State words of a Result, the same five in every face.
const (
	InForce   = "in force"
	Pending   = "pending"
	Drift     = "drift"
	Unchanged = "unchanged"
	Previewed = "preview"
)

// Result is the answer to a Call.
type Result struct {
	Output  any            `json:"output,omitempty"`
	State   string         `json:"state,omitempty"`
	Record  string         `json:"record,omitempty"`  // id of the log record
	Index   uint64         `json:"index"`             // its leaf index
	Version uint64         `json:"version,omitempty"` // of the target, for If-Match
	Target  core.Ref       `json:"target,omitzero"`
	Changes []ledger.Event `json:"changes,omitempty"` // what changed, or would
	Replay  bool           `json:"-"`                 // answered from the Idempotency-Key
}

// New starts the bus's loop. Close ends it.
func New(c Config) (*Bus, error) {
	if c.Registry == nil || c.Store == nil || c.Writer == nil || c.Book == nil || c.Clock == nil || c.Log == nil || c.Scope == nil {
		return nil, errors.New("a bus needs Registry, Store, Writer, Book, Clock, Log and Scope")
	}
	for _, op := range c.Registry.ops {
		if op.Method == "job" && c.Jobs == nil {
			return nil, errNoJobs
		}
	}
	if err := os.MkdirAll(c.Spool, 0o700); err != nil {
		return nil, fmt.Errorf("making the upload folder: %w", err)
	}
	b := &Bus{with: c, spool: c.Spool, queue: make(chan *request, 1024), limiter: newLimiter(),
		closing: make(chan struct{}), closed: make(chan struct{}), bench: bench{works: map[string]*Work{}}}
	go b.loop()
	return b, nil
}

// Close is End without a last record.
func (b *Bus) Close() { b.End(nil) }

// End cancels the jobs, answers what waits, writes the counts of strangers'
// failures, and last, if it is not nil, the record of the stop.
func (b *Bus) End(last *ledger.Entry) {
	b.stopJobs()
	b.closeOne.Do(func() { b.last = last; close(b.closing) })
	<-b.closed
}

// Do runs one operation to its end. The error, if any, is a *core.Error.
func (b *Bus) Do(ctx context.Context, c Call) (Result, error) {
	op, ok := b.with.Registry.Op(c.Op)
	if !ok {
		return b.refused(ctx, c, nil, nil, core.Errorf(core.NotFound, "there is no operation %q", clipName(c.Op)))
	}
	if op.Method == "stream" {
		return b.refused(ctx, c, op, nil, core.Errorf(core.Invalid, "%s is a stream: open it as one", op.Name))
	}
	if err := c.fit(); err != nil {
		c.Reason, c.Key = "", ""
		return b.refused(ctx, c, op, nil, err)
	}
	in, err := b.input(op, c)
	if err != nil {
		return b.refused(ctx, c, op, nil, err)
	}
	switch op.Method {
	case "query":
		return b.read(ctx, op, c, in)
	case "job":
		return b.begin(ctx, op, c, in)
	}
	return b.change(ctx, op, c, in)
}

// input decodes and validates; it reads nothing.
func (b *Bus) input(op *Op, c Call) (any, error) {
	in := c.in
	if in == nil {
		var err error
		if in, err = op.decode(c.Input); err != nil {
			return nil, err
		}
	}
	return in, op.validate(in)
}

// change prepares outside the transaction, then queues for the writer.
func (b *Bus) change(ctx context.Context, op *Op, c Call, in any) (Result, error) {
	if op.unconfirmed(c) {
		return b.refused(ctx, c, op, nil, errUnconfirmed(op))
	}
	if c.Actor.Role&outside != 0 {
		if c.Key = ""; c.Preview { // a key belongs to an actor, and a stranger is nobody
			return b.refused(ctx, c, op, nil, core.Errorf(core.Denied, "there is no preview before you have logged in: it would try a password and leave no trace"))
		}
	}
	digest, err := "", error(nil)
	if c.Key != "" { // now: Target and Prepare may fill in the input
		digest, err = DigestOf(in)
	}
	if err == nil && !b.repeated(ctx, c) {
		err = b.prepare(ctx, op, c, in)
	}
	if err != nil {
		return b.refused(ctx, c, op, in, err)
	}
	r, err := b.submit(ctx, &request{op: op, call: c, in: in, input: digest})
	if err != nil {
		return r, b.told(op, c, err)
	}
	if !c.Preview && !r.Replay && r.State == InForce {
		r.State = b.wake(ctx, op, r)
	}
	return r, nil
}

func (o *Op) unconfirmed(c Call) bool { return o.Confirm && !c.Confirmed && !c.Preview }

func errUnconfirmed(op *Op) error {
	return core.Errorf(core.Unconfirmed, "%s cannot be taken back lightly: confirm it", op.Name)
}

// repeated reports whether the call's key was used before: then there is
// nothing to prepare, and what was done stands in its way. The transaction
// looks again.
func (b *Bus) repeated(ctx context.Context, c Call) (known bool) {
	if c.Key == "" || c.Preview {
		return false
	}
	err := b.snapshot(ctx, c.Actor, func(v *View) error {
		return v.db.QueryRow(ctx, `SELECT count(*) > 0 FROM act_key WHERE actor = $1 AND key = $2`, c.Actor.ID, c.Key).Scan(&known)
	})
	return err == nil && known
}

// prepare checks the right on a snapshot before it does costly work for an
// actor who may not; Run's transaction checks it again.
func (b *Bus) prepare(ctx context.Context, op *Op, c Call, in any) error {
	if op.prepare == nil {
		return nil
	}
	return b.snapshot(ctx, c.Actor, func(v *View) error {
		target, _, err := b.authorize(ctx, v, op, c, in)
		if err == nil {
			err = b.expected(ctx, v.db, ledger.ReadHead, c, target) // a stale form is told so, not what else is wrong with it
		}
		if err != nil {
			return err
		}
		return op.prepare(ctx, v, in)
	})
}

func (b *Bus) wake(ctx context.Context, op *Op, r Result) string {
	state := InForce
	for _, control := range op.Wakes {
		if b.with.Wake == nil {
			return Pending
		}
		if s := b.with.Wake(ctx, control, objects(r.Changes)); s != InForce {
			state = s
		}
	}
	return state
}

func objects(events []ledger.Event) []core.Ref {
	var refs []core.Ref
	seen := map[core.Ref]bool{}
	for _, e := range events {
		if !seen[e.Object] {
			seen[e.Object] = true
			refs = append(refs, e.Object)
		}
	}
	return refs
}

// snapshot runs f on one read snapshot, which ends with it. A panic of a
// feature becomes a failed call, which goes on record like any other.
func (b *Bus) snapshot(ctx context.Context, actor Actor, f func(*View) error) (err error) {
	s, err := b.with.Store.Snapshot(ctx)
	if err != nil {
		return core.Wrap(core.Unavailable, err, "the database cannot be read now")
	}
	defer s.Close()
	v := b.view(s, actor, b.with.Clock())
	defer func() {
		v.end()
		if p := recover(); p != nil {
			b.with.Log.Error("reading panicked", "actor", actor.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("reading panicked: %v", p)
		}
	}()
	return f(v)
}

func (b *Bus) view(r store.Reader, actor Actor, now time.Time) *View {
	return &View{db: r, now: now, actor: actor, bus: b}
}

// told turns any error into a *core.Error and tells the operator what the
// caller is not told.
func (b *Bus) told(op *Op, c Call, err error) error {
	e := core.AsError(err)
	if e.Code == core.Internal {
		b.with.Log.Error("operation failed", "op", c.Op, "actor", c.Actor.ID, "door", c.Actor.Door, "error", err)
	}
	return e
}

// fit keeps what stands beside the input within bounds, whichever face sent it:
// the reason stays in the log for ever, and is read in terminals.
func (c Call) fit() error {
	var faults core.Faults
	if len(c.Reason) > 1024 || printable(c.Reason) != c.Reason {
		faults.Add("reason", "", "must be one line of text in UTF-8, of at most 1024 bytes")
	}
	if len(c.Key) > 255 || printable(c.Key) != c.Key {
		faults.Add("idempotency key", "", "must have at most 255 characters, none of them a control character")
	}
	return faults.Err()
}

// printable is s as a record can hold it, without control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// clipName is the name of an operation that somebody made up, for the record.
func clipName(s string) string {
	if s = printable(s); len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
