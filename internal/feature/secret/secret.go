package secret

import (
	"context"
	"embed"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Sealer seals a value again under the newest key of its purpose.
type Sealer = func(ctx context.Context, ad, sealed []byte) ([]byte, error)

// Keys is what the feature needs of the keeper.
type Keys interface {
	// Status says which keys there are.
	Status(ctx context.Context) (Status, error)
	// Rotate makes a new secret key and wraps every key under it.
	Rotate(ctx context.Context) (old, now string, err error)
	// Renew makes the next key of a purpose; 0: nothing was ever sealed for it.
	Renew(ctx context.Context, purpose string) (generation uint32, err error)
	// Reseal is a Sealer for a purpose.
	Reseal(ctx context.Context, purpose string, ad, sealed []byte) ([]byte, error)
	// Retire destroys the keys of a purpose before a generation.
	Retire(ctx context.Context, purpose string, before uint32) error
}

// Status is which keys there are.
type Status struct {
	Secret     string `json:"secret"`     // id of the secret key
	Credential bool   `json:"credential"` // systemd hands it over; else it is a file
	Keys       []Key  `json:"keys"`
}

// Key is one key under which values of the database are sealed.
type Key struct {
	Purpose    string    `json:"purpose"`
	Generation uint32    `json:"generation"`
	Written    time.Time `json:"written"` // made, or last wrapped
}

// Holder is a feature that keeps values sealed for a purpose. Reseal seals all of
// them again, in its own operations, and returns how many there are.
type Holder struct {
	Purpose string
	Reseal  func(ctx context.Context, b *act.Bus, seal Sealer) (int, error)
}

// Secrets is the feature.
type Secrets struct {
	keys    Keys
	holders []Holder
}

// New makes the feature.
func New(k Keys, holders ...Holder) *Secrets { return &Secrets{k, holders} }

//go:embed sql
var migrations embed.FS

const (
	class = "authentication"
	proof = 15 * time.Minute
)

var (
	serves = []string{"2690:9.2", "2690:11.6"}
	self   = core.Ref{Kind: "secret", ID: "server"}
)

// Feature declares it.
func (s *Secrets) Feature() act.Feature {
	return act.Feature{Name: "secret", SQL: migrations, Ops: []act.Declaration{s.status(), s.rotate(), s.note()},
		Kinds: []act.Kind{{Name: "secret", Title: "Keys of the server", Path: "/security-policy",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: digest, IDs: ids}}}
}

// Nothing is an input without fields.
type Nothing struct{}

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return self, nil }

// Shown is the output of secret.status.
type Shown struct {
	Status
	Since time.Time `json:"since,omitzero"` // when the secret key came into force
	Holds []Held    `json:"holds"`
}

// Held is what is sealed for one purpose.
type Held struct {
	Purpose    string    `json:"purpose"`
	Generation uint32    `json:"generation"`
	Since      time.Time `json:"since,omitzero"`
	Values     int       `json:"values"` // at the last time they were sealed again
}

func (s *Secrets) status() act.Query[Nothing, Shown] {
	return act.Query[Nothing, Shown]{
		Name: "secret.status", Doc: "Show which keys seal the secrets of this server.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves,
		Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (out Shown, err error) {
			if out.Status, err = s.keys.Status(ctx); err != nil {
				return out, err
			}
			list, err := noted(ctx, v)
			out.Holds = []Held{}
			for _, n := range list {
				if n.Purpose == "" {
					out.Since = core.At(n.Since)
					continue
				}
				out.Holds = append(out.Holds, Held{n.Purpose, n.Generation, core.At(n.Since), n.Values})
			}
			return out, err
		},
	}
}

// Rotate is the input of secret.rotate.
type Rotate struct {
	Values bool `json:"values" doc:"seal the values in the database again too, under new keys of their purposes; takes longer"`
}

func (s *Secrets) rotate() act.Job[Rotate] {
	return act.Job[Rotate]{
		Name: "secret.rotate", Doc: "Replace the server's secret key, and with it what seals the secrets in the database.", Class: class,
		Roles: act.Primary, Proof: proof, Confirm: true, Serves: serves, Sample: Rotate{Values: true}, Target: target[Rotate], Run: s.run,
	}
}

// Note is the input of secret.note: a key that came into force.
type Note struct {
	Purpose    string `json:"purpose" rule:"max=20" doc:"what the key seals; left out: the server's secret key"`
	Secret     string `json:"secret" rule:"max=20" doc:"id of the secret key"`
	Generation uint32 `json:"generation" doc:"of the purpose's key"`
	Values     int    `json:"values" doc:"how many values were sealed again under it"`
}

func (s *Secrets) note() act.Change[Note, Nothing] {
	return act.Change[Note, Nothing]{
		Name: "secret.note", Doc: "Put on record that a key came into force.", Class: class, Roles: act.System,
		Must: []string{"secret.changed"}, Serves: serves, Sample: Note{Secret: "0123abcd"}, Target: target[Note],
		Run: func(ctx context.Context, tx *act.Tx, in Note) (Nothing, error) {
			old, err := notedOf(ctx, &tx.View, in.Purpose)
			if err != nil || in == old.Note {
				return Nothing{}, err
			}
			if err := write(ctx, tx, in); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "secret.changed", self, act.Diff(old.Note, in)...)
		},
	}
}

func (s *Secrets) call(ctx context.Context, b *act.Bus, n Note) error {
	_, _, err := s.note().Call(ctx, b, act.SystemActor("keys"), n)
	return err
}

// Adopt notes the secret key in force when it is another than was noted. The house
// calls it at every start.
func (s *Secrets) Adopt(ctx context.Context, b *act.Bus) error {
	now, err := s.keys.Status(ctx)
	if err != nil {
		return err
	}
	var known state
	err = b.Look(ctx, "keys", func(v *act.View) (err error) {
		known, err = notedOf(ctx, v, "")
		return err
	})
	if err != nil || known.Secret == now.Secret {
		return err
	}
	return s.call(ctx, b, Note{Secret: now.Secret})
}
