package factor

import (
	"context"
	"encoding/base64"
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
	Lacking []Lacking `json:"lacking"` // of these the first
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
			err = f.Accounts.Everyone(ctx, v, func(who act.Actor, made time.Time) { out.count(v.Now(), who, made, has[who.ID]) })
			return out, err
		},
	}
}

func (p *Policy) count(now time.Time, who act.Actor, made time.Time, has bool) {
	p.Total++
	if has {
		p.Having++
		return
	}
	i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.Group == groupOf(who.Role) })
	if i < 0 || !p.Rules[i].Required {
		return
	}
	if p.Missing++; len(p.Lacking) < mostLacking {
		due := p.Rules[i].due(made)
		p.Lacking = append(p.Lacking, Lacking{who.ID, who.Name, who.Role.String(), due, !now.Before(due)})
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

// Sealed is the input of totp.reseal: seeds that were sealed again.
type Sealed struct {
	Apps []SealedApp `json:"apps" rule:"required,max=200" doc:"apps whose seeds were sealed again"`
}

// SealedApp is one of them, with what it was and what it is now.
type SealedApp struct {
	Account string `json:"account" rule:"required,max=40" doc:"id of the account"`
	Was     string `json:"was" doc:"the seed in use, as it was sealed"`
	Seed    string `json:"seed" doc:"as it is sealed now"`
}

// reseal takes what the keeper sealed again under its newest key. What somebody
// changed meanwhile is newer, and stays.
func (f *Factors) reseal() act.Change[Sealed, Nothing] {
	return act.Change[Sealed, Nothing]{
		Name: "totp.reseal", Doc: "Keep seeds that were sealed again under a new key.", Class: class, Roles: act.System,
		Must: []string{"totp.resealed"}, Serves: serves, Sample: Sealed{[]SealedApp{{Account: "a_0123456789abcdefghjkmnpqrs"}}}, Target: nowhere[Sealed],
		Run: func(ctx context.Context, tx *act.Tx, in Sealed) (Nothing, error) {
			for _, s := range in.Apps {
				a, found, err := appOf(ctx, &tx.View, s.Account)
				if err != nil || !found || a.sealed != s.Was {
					if err != nil {
						return Nothing{}, err
					}
					continue
				}
				a.sealed, a.pending = s.Seed, "" // an app that is being set up begins again
				if err := reseal(ctx, tx, a); err != nil {
					return Nothing{}, err
				}
				if err := tx.Record(ctx, "totp.resealed", a.ref()); err != nil {
					return Nothing{}, err
				}
			}
			return Nothing{}, nil
		},
	}
}

// Sealer seals a value again under the newest key of its purpose.
type Sealer = func(ctx context.Context, ad, sealed []byte) ([]byte, error)

// Reseal seals every seed again, some at a time, and returns how many.
func (f *Factors) Reseal(ctx context.Context, b *act.Bus, seal Sealer) (n int, err error) {
	after := ""
	for {
		var list []app
		err := b.Look(ctx, "reseal", func(v *act.View) (err error) {
			list, err = apps(ctx, v, after, 200)
			return err
		})
		if err != nil || len(list) == 0 {
			return n, err
		}
		var in Sealed
		for _, a := range list {
			after = a.account
			again, err := again(ctx, seal, a)
			if err != nil {
				return n, err
			}
			in.Apps = append(in.Apps, SealedApp{a.account, a.sealed, again})
		}
		if _, _, err := f.reseal().Call(ctx, b, act.SystemActor("reseal"), in); err != nil {
			return n, err
		}
		n += len(list)
	}
}

func again(ctx context.Context, seal Sealer, a app) (string, error) {
	if a.sealed == "" {
		return "", nil
	}
	raw, err := base64.StdEncoding.DecodeString(a.sealed)
	if err != nil {
		return "", err
	}
	raw, err = seal(ctx, ad(a.account), raw)
	return base64.StdEncoding.EncodeToString(raw), err
}
