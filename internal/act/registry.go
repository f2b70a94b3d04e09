package act

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hostward/internal/core"
	"hostward/internal/store"
)

// Feature is what one feature folder gives to the house.
type Feature struct {
	Name  string        // folder name; prefix of its operations and tables
	Ops   []Declaration // what it can do
	Kinds []Kind        // what it keeps
	Pages []Page        // what it shows
	SQL   fs.FS         // its migrations, under sql/
}

// Registry is all features together: the faces draw themselves from it.
type Registry struct {
	ops   map[string]*Op
	kinds map[string]Kind
	pages []Page
}

var opName = regexp.MustCompile(`^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)?\.[a-z]+$`)

// NewRegistry refuses declarations that leave something out: it names every
// fault, and the program does not start.
func NewRegistry(features ...Feature) (*Registry, error) {
	r := &Registry{ops: map[string]*Op{}, kinds: map[string]Kind{}}
	var faults []error
	for _, f := range features {
		for _, k := range f.Kinds {
			faults = append(faults, r.addKind(f, k))
		}
		for _, d := range f.Ops {
			faults = append(faults, r.addOp(d.declare()))
		}
		for _, p := range f.Pages {
			p.Feature = f.Name
			r.pages = append(r.pages, p)
		}
	}
	for _, op := range r.ops {
		faults = append(faults, r.checkEvents(op))
	}
	for _, p := range r.pages {
		faults = append(faults, r.checkAnswer(p))
	}
	return r, errors.Join(faults...)
}

func (r *Registry) addKind(f Feature, k Kind) error {
	switch {
	case k.Name == "" || k.Owner == nil || k.Digest == nil || k.IDs == nil:
		return fmt.Errorf("%s: kind %q needs Name, Owner, Digest and IDs", f.Name, k.Name)
	case r.kinds[k.Name].Name != "":
		return fmt.Errorf("%s: kind %q is declared twice", f.Name, k.Name)
	}
	r.kinds[k.Name] = k
	return nil
}

func (r *Registry) addOp(op *Op) error {
	var missing []string
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, what)
		}
	}
	need(opName.MatchString(op.Name), "a name like noun.verb or noun.noun.verb")
	need(op.Doc != "", "a Doc sentence")
	need(op.Class != "", "a Class")
	need(op.Roles != 0, "Roles")
	need(op.target != nil, "a Target")
	need(op.sample != nil, "a Sample")
	need(op.run != nil || op.stream != nil || op.job != nil, "a Run function")
	need(op.Method != "change" || len(op.Must)+len(op.May) > 0, "events it records")
	need(op.inputFault == nil, fmt.Sprint("a describable input: ", op.inputFault))
	if r.ops[op.Name] != nil {
		missing = append(missing, "a name of its own")
	}
	r.ops[op.Name] = op
	if missing != nil {
		return fmt.Errorf("operation %q needs %s", op.Name, strings.Join(missing, ", "))
	}
	return nil
}

// checkEvents wants each event's kind declared: "zone.record.added" is about a zone.
func (r *Registry) checkEvents(op *Op) error {
	for _, e := range slices.Concat(op.Must, op.May) {
		noun, _, _ := strings.Cut(e, ".")
		if _, ok := r.kinds[noun]; !ok {
			return fmt.Errorf("operation %q: event %q is about no declared kind", op.Name, e)
		}
	}
	return nil
}

// checkAnswer wants what a page shows once to be the output of a change that
// reveals something: no other ever gets there.
func (r *Registry) checkAnswer(p Page) error {
	for name := range strings.FieldsSeq(p.Answer) {
		if op := r.ops[name]; op == nil || op.Method != "change" || !op.Reveals {
			return fmt.Errorf("page %s: %q is no change that reveals something", p.Path, name)
		}
	}
	return nil
}

// Op returns the operation of that name.
func (r *Registry) Op(name string) (*Op, bool) { op, ok := r.ops[name]; return op, ok }

// Ops returns every operation, ordered by name.
func (r *Registry) Ops() []*Op {
	return slices.SortedFunc(maps.Values(r.ops), func(a, b *Op) int { return strings.Compare(a.Name, b.Name) })
}

// Kind returns the object kind of that name.
func (r *Registry) Kind(name string) (Kind, bool) { k, ok := r.kinds[name]; return k, ok }

// Kinds returns every object kind, ordered by name.
func (r *Registry) Kinds() []Kind {
	return slices.SortedFunc(maps.Values(r.kinds), func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
}

// Pages returns every page in the order of declaration.
func (r *Registry) Pages() []Page { return slices.Clone(r.pages) }

// States recomputes the digest of every object from the rows alone, for log
// verify, which may run without a bus. It returns the kinds that have states.
func (r *Registry) States(ctx context.Context, db store.Reader, yield func(core.Ref, string) error) ([]string, error) {
	v := &View{db: db, bus: &Bus{}, actor: SystemActor("log verify")}
	defer v.end()
	var kinds []string
	for _, k := range r.Kinds() {
		if err := k.states(ctx, v, yield); err != nil {
			return kinds, fmt.Errorf("state of the %s: %w", k.Title, err)
		}
		kinds = append(kinds, k.Name)
	}
	return kinds, nil
}

func (k Kind) states(ctx context.Context, v *View, yield func(core.Ref, string) error) error {
	digest := k.Recompute
	if digest == nil {
		digest = k.Digest
	}
	ids, err := k.IDs(ctx, v)
	if err != nil {
		return err
	}
	for _, id := range ids {
		d, err := digest(ctx, v, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if d == "-" {
			continue
		}
		if err := yield(core.Ref{Kind: k.Name, ID: id}, d); err != nil {
			return err
		}
	}
	return nil
}
