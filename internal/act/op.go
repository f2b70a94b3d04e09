package act

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"reflect"
	"slices"
	"time"

	"hostward/internal/core"
)

// Change is an operation that may write.
type Change[I, O any] struct {
	Name    string        // noun[.noun].verb: "zone.record.add"
	Doc     string        // one sentence, for help, OpenAPI and forms
	Class   string        // log class: "dns", "authentication", "account", "panel", "log"
	Roles   Role          // who may call it on the objects in his scope
	Step    string        // an Entrant calls it at this step only; "": at each
	Must    []string      // a success records each of these events
	May     []string      // and nothing besides these
	Proof   time.Duration // how fresh the proof of who he is must be; 0: none asked
	Confirm bool          // dangerous: faces ask first, Call.Confirmed must be set
	Reveals bool          // the output holds a secret that is shown once
	Anyhow  bool          // it is open to somebody who may not act from where he is (SPEC A1): to log out
	Wakes   []string      // controls to bring up to date after commit
	Serves  []string      // annex points it is evidence for: "2690:3.2.6"
	Sample  I             // documentation, and input of the conformance test

	// Target names the object aimed at: the right is checked on its owner. For
	// a new object it is the account that will own it. It may set defaults in
	// the input. An object that is not there is core.NotFound.
	Target func(ctx context.Context, v *View, in *I) (core.Ref, error)
	// Prepare does before the transaction what takes long or leaves the
	// database: hashing a password, parsing a file. It sees a snapshot; what it
	// read may have changed when Run comes.
	Prepare func(ctx context.Context, v *View, in *I) error
	// Run touches the database only, within some 50 ms.
	Run func(ctx context.Context, tx *Tx, in I) (O, error)
}

// Query reads. Its View cannot write, and its transaction is always rolled back.
type Query[I, O any] struct {
	Name, Doc, Class string
	Roles            Role
	Step             string
	Logged           bool // its record is durable before the answer leaves
	Serves           []string
	Sample           I
	Target           func(ctx context.Context, v *View, in *I) (core.Ref, error)
	Run              func(ctx context.Context, v *View, in I) (O, error)
}

// Stream reads for long: a live tail, an export. It is recorded when it opens
// and when it closes, reads in short pieces, and its right is checked again
// every 2 s.
type Stream[I any] struct {
	Name, Doc, Class string
	Roles            Role
	Serves           []string
	Sample           I
	Target           func(ctx context.Context, v *View, in *I) (core.Ref, error)
	Run              func(ctx context.Context, s *Flow, in I) error
}

// Kind is one kind of object a feature keeps.
type Kind struct {
	Name  string
	Title string // plural, for people: "Zones"
	Path  string // page of one object, with {id}; "" for none
	// Owner returns the tenant that owns the object; core.NotFound when absent.
	Owner func(ctx context.Context, v *View, id string) (string, error)
	// Digest returns hex SHA-256 of the object's state (SPEC L4), "" when it is gone.
	Digest func(ctx context.Context, v *View, id string) (string, error)
	// Recompute does the same from the rows alone, trusting no stored sum. Nil: Digest does.
	Recompute func(ctx context.Context, v *View, id string) (string, error)
	// IDs returns every object that is there.
	IDs func(ctx context.Context, v *View) ([]string, error)
	// Find returns objects whose name holds text, for the search. Nil: not searched.
	Find func(ctx context.Context, v *View, text string, most int) ([]Hit, error)
}

// Hit is one found object.
type Hit struct{ ID, Name, Owner string }

// Page is one page of the web face, as data.
type Page struct {
	Feature  string // filled by the registry
	Path     string // "/zones/{zone}"
	Title    string // "Zone {zone}"
	Section  string // rail entry it appears under; "" for none
	Words    string // what else people search it by, besides title and section
	Icon     string // name of an icon of the web face
	Order    int    // place in the rail
	Roles    Role
	Template fs.FS  // holds File
	File     string // "page/zone.html"
	Answer   string // changes that reveal something, by blanks: this page shows their output, once, as Get "answer"
	// Calls lists the queries to run in one View, by name for the template,
	// from the path's parameters and the query string.
	Calls func(path map[string]string, query url.Values) map[string]Call
}

// Declaration is a Change, Query, Stream or Job.
type Declaration interface{ declare() *Op }

// Op is a declared operation without its types: what the faces see.
type Op struct {
	Name, Doc, Class string
	Method           string // "change", "query", "stream", "job"
	Roles            Role
	Step             string
	Must, May        []string
	Proof            time.Duration
	Confirm          bool
	Reveals          bool
	Anyhow           bool
	Logged           bool
	Wakes, Serves    []string
	Input            []Param      // fields of the input, in order
	Output           reflect.Type // of a change or query

	input      reflect.Type
	inputFault error
	sample     any
	target     func(context.Context, *View, any) (core.Ref, error)
	prepare    func(context.Context, *View, any) error
	run        func(context.Context, *Tx, any) (any, error)
	stream     func(context.Context, *Flow, any) error
	job        func(context.Context, *Work, any) (string, error)
	look       func(context.Context, *View, any) (any, error)
}

// Sample returns the documented example input.
func (o *Op) Sample() json.RawMessage {
	b, err := json.Marshal(o.sample)
	if err != nil {
		return nil
	}
	return b
}

// secretive reports whether the input holds a secret: two inputs that differ
// in it alone cannot be told apart later.
func (o *Op) secretive() bool {
	return slices.ContainsFunc(o.Input, func(p Param) bool { return p.Type == "secret" })
}

func (c Change[I, O]) declare() *Op {
	op := describe[I, O](c.Name, c.Doc, c.Class, "change", c.Roles, c.Sample, c.Target)
	op.Step, op.Must, op.May, op.Proof, op.Confirm, op.Reveals = c.Step, c.Must, c.May, c.Proof, c.Confirm, c.Reveals
	op.Anyhow, op.Wakes, op.Serves = c.Anyhow, c.Wakes, c.Serves
	if c.Prepare != nil {
		op.prepare = func(ctx context.Context, v *View, in any) error { return c.Prepare(ctx, v, in.(*I)) }
	}
	if c.Run != nil {
		op.run = func(ctx context.Context, tx *Tx, in any) (any, error) { return c.Run(ctx, tx, *in.(*I)) }
	}
	return op
}

func (q Query[I, O]) declare() *Op {
	op := describe[I, O](q.Name, q.Doc, q.Class, "query", q.Roles, q.Sample, q.Target)
	op.Step, op.Logged, op.Serves = q.Step, q.Logged, q.Serves
	if q.Run != nil {
		op.run = func(ctx context.Context, tx *Tx, in any) (any, error) { return q.Run(ctx, &tx.View, *in.(*I)) }
	}
	return op
}

func (s Stream[I]) declare() *Op {
	op := describe[I, any](s.Name, s.Doc, s.Class, "stream", s.Roles, s.Sample, s.Target)
	op.Logged, op.Serves = true, s.Serves
	if s.Run != nil {
		op.stream = func(ctx context.Context, f *Flow, in any) error { return s.Run(ctx, f, *in.(*I)) }
	}
	return op
}

func describe[I, O any](name, doc, class, method string, roles Role, sample I, target func(context.Context, *View, *I) (core.Ref, error)) *Op {
	op := &Op{Name: name, Doc: doc, Class: class, Method: method, Roles: roles, sample: sample,
		input: reflect.TypeFor[I](), Output: reflect.TypeFor[O]()}
	op.Input, op.inputFault = params(op.input)
	if target != nil {
		op.target = func(ctx context.Context, v *View, in any) (core.Ref, error) { return target(ctx, v, in.(*I)) }
	}
	return op
}

// Call calls the change with typed input and output: for jobs and tests.
func (c Change[I, O]) Call(ctx context.Context, b *Bus, actor Actor, in I) (O, Result, error) {
	r, err := b.Do(ctx, Call{Op: c.Name, Actor: actor, in: &in})
	out, _ := r.Output.(O)
	return out, r, err
}

// Call calls the query with typed input and output.
func (q Query[I, O]) Call(ctx context.Context, b *Bus, actor Actor, in I) (O, error) {
	r, err := b.Do(ctx, Call{Op: q.Name, Actor: actor, in: &in})
	out, _ := r.Output.(O)
	return out, err
}

// DigestOf returns hex SHA-256 of state's JSON: the state digest of a kind
// that fits into one struct. Its field order and names are part of the log
// format, so change them only together with docs/log-format.md.
func DigestOf(state any) (string, error) {
	b, err := json.Marshal(state)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
