package policy

import (
	"context"
	"embed"
	"slices"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// File is the port to panel.ini, filled by the house.
type File interface {
	// Keys lists the keys the file may have.
	Keys() []Key
	// Check returns the faults of a value for a key.
	Check(name, value string) core.Faults
	// State says what is in force now, and why.
	State() State
}

// Key is one key of panel.ini.
type Key struct {
	Name     string `json:"name"` // "[api] enabled"
	Accepted string `json:"accepted"`
	Panel    bool   `json:"panel"` // may be set in the panel
}

// State is what is in force.
type State struct {
	Path     string            `json:"path"`
	Source   string            `json:"source"`
	Sentence string            `json:"sentence"`
	Since    time.Time         `json:"since"`
	Faults   []string          `json:"faults,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
	Values   map[string]string `json:"values"`
}

// Policy is the feature.
type Policy struct{ file File }

// New joins the feature with the file.
func New(file File) *Policy { return &Policy{file} }

//go:embed sql
var migrations embed.FS

//go:embed page
var pages embed.FS

const only = "panel" // there is one policy

var self = core.Ref{Kind: "policy", ID: only}

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return self, nil }

// Feature declares it to the house.
func (p *Policy) Feature() act.Feature {
	return act.Feature{
		Name: "policy",
		SQL:  migrations,
		Ops:  []act.Declaration{Adopt, p.set(), p.show()},
		Kinds: []act.Kind{{Name: "policy", Title: "Policy", Path: "/policy",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: digest,
			IDs:    ids,
		}},
		Pages: []act.Page{{Path: "/security-policy", Title: "Security policy", Section: "Policy", Icon: "shield", Order: 59,
			Roles: act.Admins | act.Auditor, Template: pages, File: "page/security.html",
			Calls: calls("policy", "policy.show", "access", "access.show", "passwords", "password.policy.show", "factors", "mfa.show", "limits", "limits.show", "keys", "secret.status"),
		}, {Path: "/policy", Title: "Policy file", Section: "Policy", Icon: "policy", Order: 61,
			Roles: act.Admins | act.Auditor, Template: pages, File: "page/policy.html", Calls: calls("policy", "policy.show")}},
	}
}

// Value is one key and what the file says about it.
type Value struct {
	Name  string `json:"name" doc:"Section and key: [api] enabled" rule:"required,max=120"`
	Value string `json:"value" doc:"What it says" rule:"max=4096"`
}

// Adopted is the input of Adopt.
type Adopted struct {
	Source string  `json:"source" doc:"Where the policy comes from: file, last-good, default or locked" rule:"required,max=20"`
	Values []Value `json:"values" doc:"Every key with its value"`
}

// Adopt puts on record what panel.ini says now, with old and new values. It is
// the system's own: nobody edits a policy through it.
var Adopt = act.Change[Adopted, struct{}]{
	Name: "policy.adopt", Doc: "Put on record what panel.ini says now.", Class: "panel", Roles: act.System,
	Must: []string{"policy.adopted"}, Serves: []string{"2690:3.2"},
	Sample: Adopted{Source: "file", Values: []Value{{"[api] enabled", "off"}}},
	Target: target[Adopted], Run: adopt,
}

func adopt(ctx context.Context, tx *act.Tx, in Adopted) (struct{}, error) {
	old, err := LastAdopted(ctx, &tx.View)
	if err != nil {
		return struct{}{}, err
	}
	var fields []act.Field
	for _, v := range in.Values {
		was, had := old[v.Name]
		if had && was == v.Value {
			continue
		}
		if err := write(ctx, tx, v); err != nil {
			return struct{}{}, err
		}
		fields = append(fields, act.Field{Name: v.Name, Old: some(was, had), New: &v.Value})
	}
	fulfilled, err := fulfil(ctx, tx)
	if err != nil || fields == nil && fulfilled == 0 {
		return struct{}{}, err
	}
	return struct{}{}, tx.Record(ctx, "policy.adopted", self, fields...)
}

func some(s string, ok bool) *string {
	if !ok {
		return nil
	}
	return &s
}

func (p *Policy) set() act.Declaration {
	return act.Change[Value, struct{}]{
		Name: "policy.set", Doc: "Change one value in panel.ini, keeping everything else in it.", Class: "panel", Roles: act.Primary, Proof: 15 * time.Minute,
		Must: []string{"policy.wished"}, Wakes: []string{"policyfile"}, Serves: []string{"2690:11.2", "2690:3.2"},
		Sample: Value{"[api] allowedIPs", "192.0.2.1, 192.0.2.100"}, Target: target[Value],
		Prepare: func(_ context.Context, _ *act.View, in *Value) error { return p.check(*in) },
		Run:     wish,
	}
}

// check refuses keys that the panel may not set, before any value.
func (p *Policy) check(in Value) error {
	var faults core.Faults
	i := slices.IndexFunc(p.file.Keys(), func(k Key) bool { return k.Name == in.Name })
	switch {
	case i < 0:
		faults.Add("name", in.Name, "must be a key of panel.ini")
	case !p.file.Keys()[i].Panel:
		return core.Errorf(core.Denied, "%s is set in panel.ini by root only, so that nobody weakens the log from the panel", in.Name)
	default:
		faults = p.file.Check(in.Name, in.Value)
	}
	return faults.Err()
}

func wish(ctx context.Context, tx *act.Tx, in Value) (struct{}, error) {
	old, err := LastAdopted(ctx, &tx.View)
	if err != nil {
		return struct{}{}, err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO policy_wish (policy_id, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (policy_id, name) DO UPDATE SET value = excluded.value`, only, in.Name, in.Value); err != nil {
		return struct{}{}, err
	}
	was, had := old[in.Name]
	return struct{}{}, tx.Record(ctx, "policy.wished", self, act.Field{Name: in.Name, Old: some(was, had), New: &in.Value})
}

// Shown is the output of policy.show.
type Shown struct {
	State  State   `json:"state"`
	Keys   []Line  `json:"keys"`
	Wishes []Value `json:"wishes,omitempty"` // asked for and not yet in the file
}

// Line is one key as the page shows it.
type Line struct {
	Key
	Value   string `json:"value"`   // in force
	Adopted string `json:"adopted"` // on record
}

func (p *Policy) show() act.Declaration {
	return act.Query[struct{}, Shown]{
		Name: "policy.show", Doc: "Show what panel.ini says and what of it is in force.", Class: "panel", Roles: act.Admins | act.Auditor,
		Target: target[struct{}],
		Run: func(ctx context.Context, v *act.View, _ struct{}) (Shown, error) {
			adopted, err := LastAdopted(ctx, v)
			if err != nil {
				return Shown{}, err
			}
			s := Shown{State: p.file.State()}
			for _, k := range p.file.Keys() {
				s.Keys = append(s.Keys, Line{Key: k, Value: s.State.Values[k.Name], Adopted: adopted[k.Name]})
			}
			s.Wishes, err = Wishes(ctx, v)
			return s, err
		},
	}
}
