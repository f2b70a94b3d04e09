package factor

import (
	"context"
	"slices"
	"strconv"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Lacking is an account that must have a factor and has none.
type Lacking struct {
	ID    string    `json:"id"`
	Login string    `json:"login"`
	Role  string    `json:"role"`
	Due   time.Time `json:"due"`
	Over  bool      `json:"over"` // it is past due: its next log-in sets one up first
}

// Policy is the output of mfa.show.
type Policy struct {
	Rules   []Rule    `json:"rules"`
	Having  int       `json:"having"`  // accounts with a factor
	Total   int       `json:"total"`   // open accounts
	Missing int       `json:"missing"` // that must have one and do not
	Lacking []Lacking `json:"lacking"` // of these the first, as far as the reader sees them
}

const mostLacking = 200

func (f *Factors) show() act.Query[Nothing, Policy] {
	return act.Query[Nothing, Policy]{
		Name: "mfa.show", Doc: "Show who must have a second factor, and who lacks one.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves,
		Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Policy, error) {
			out := Policy{Lacking: []Lacking{}}
			var err error
			if out.Rules, err = f.inForce(ctx, v); err != nil {
				return out, err
			}
			has, err := equipped(ctx, v)
			if err != nil {
				return out, err
			}
			err = f.Accounts.Everyone(ctx, v, func(who act.Actor, made time.Time) { out.count(v, who, made, has[who.ID]) })
			return out, err
		},
	}
}

// count counts an account. It is named only to who may know of it: additional
// administrators see none of their peers (SPEC 1).
func (p *Policy) count(v *act.View, who act.Actor, made time.Time, has bool) {
	p.Total++
	if has {
		p.Having++
		return
	}
	i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.Group == groupOf(who.Role) })
	if i < 0 || !p.Rules[i].Required {
		return
	}
	if p.Missing++; len(p.Lacking) < mostLacking && !v.Actor().Peer(who.ID, who.Role) {
		due := p.Rules[i].due(made)
		p.Lacking = append(p.Lacking, Lacking{who.ID, who.Name, who.Role.String(), due, !v.Now().Before(due)})
	}
}

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

// Set is the input of mfa.set.
type Set struct {
	Group    string `json:"group" cli:"arg" rule:"required,enum=administrators|auditors|resellers|customers" doc:"whom the rule is for"`
	Required bool   `json:"required" doc:"everybody in the group must have a second factor"`
	Grace    int    `json:"grace" rule:"max=90" doc:"days until it is asked for, from now or from when an account is made"`
}

var policyRef = core.Ref{Kind: "mfa", ID: "policy"}

func (f *Factors) set() act.Change[Set, Rule] {
	return act.Change[Set, Rule]{
		Name: "mfa.set", Doc: "Say whether a group must have a second factor, and from when.", Class: class, Roles: act.Primary, Proof: proof15,
		Must: []string{"mfa.set"}, Serves: serves, Sample: Set{Group: "resellers", Required: true, Grace: 14},
		Target: func(context.Context, *act.View, *Set) (core.Ref, error) { return policyRef, nil },
		Run: func(ctx context.Context, tx *act.Tx, in Set) (Rule, error) {
			list, err := rules(ctx, &tx.View)
			if err != nil {
				return Rule{}, err
			}
			old := list[slices.IndexFunc(list, func(r Rule) bool { return r.Group == in.Group })]
			now := Rule{Group: in.Group, Required: in.Required, Grace: in.Grace, Since: old.Since}
			if now == old {
				return now, nil
			}
			if !old.Required || !now.Required || now.Grace < old.Grace {
				now.Since = tx.Now()
			}
			if err := writeRule(ctx, tx, now); err != nil {
				return Rule{}, err
			}
			return now, tx.Record(ctx, "mfa.set", policyRef, act.Field{Name: in.Group, Old: value(old.String()), New: value(now.String())})
		},
	}
}

// String is the rule in words.
func (r Rule) String() string {
	switch {
	case !r.Required:
		return "not required"
	case r.Grace == 0:
		return "required"
	}
	return "required after " + days(r.Grace)
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}
