package account

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Way is a feature through which an account gets in.
type Way interface {
	// Ends names the events that End may record.
	Ends() []string
	// End closes what is open for the account: its sessions. With forever it
	// also removes what could open it again: passwords, links, tokens.
	End(ctx context.Context, tx *act.Tx, account string, forever bool) error
}

// Holding is a feature whose objects belong to tenants.
type Holding interface {
	// Holds says in words what the tenant owns, "3 zones", or "".
	Holds(ctx context.Context, v *act.View, tenant string) (string, error)
}

// Notices tells people what was done about their accounts.
type Notices interface {
	// TellAt puts a notice before an account, and sends it to a second address too.
	TellAt(ctx context.Context, tx *act.Tx, account, address, subject, text string) error
	// Tells names the events that TellAt may record.
	Tells() []string
}

// Accounts is the feature. Other features ask it, through ports of their own,
// who an account is and who may see and manage it.
type Accounts struct {
	ways     []Way
	holdings []Holding
	notices  Notices
}

// New makes the feature. Join comes before Feature.
func New() *Accounts { return &Accounts{} }

// Join says which features let accounts in, which keep what they own, and which
// tells people what was done.
func (a *Accounts) Join(ways []Way, holdings []Holding, n Notices) {
	a.ways, a.holdings, a.notices = ways, holdings, n
}

//go:embed sql
var migrations embed.FS

// Feature declares it.
func (a *Accounts) Feature() act.Feature {
	return act.Feature{Name: "account", SQL: migrations, Pages: pages(), Ops: a.ops(), Kinds: []act.Kind{{
		Name: "account", Title: "Accounts", Path: "/accounts/{id}",
		Owner: a.Owner, Digest: digest, IDs: ids, Find: find,
	}}}
}

// Scope returns the tenants above tenant, nearest first, for act.Config.
func (a *Accounts) Scope(ctx context.Context, v *act.View, tenant string) ([]string, error) {
	if tenant == core.Provider {
		return nil, nil
	}
	x, err := byID(ctx, v, tenant)
	if core.CodeOf(err) == core.NotFound || err == nil && x.Parent == core.Provider {
		return []string{core.Provider}, nil
	}
	return []string{x.Parent, core.Provider}, err
}

// Owner returns the tenant that owns an account. The provider, under whom
// accounts are made, counts as one.
func (a *Accounts) Owner(ctx context.Context, v *act.View, id string) (string, error) {
	if id == core.Provider {
		return core.Provider, nil
	}
	x, err := byID(ctx, v, id)
	return x.owner(), err
}

// Actor returns an account as somebody who acts, without door and address, and
// whether it is open.
func (a *Accounts) Actor(ctx context.Context, v *act.View, id string) (who act.Actor, open bool, err error) {
	x, err := byID(ctx, v, id)
	who = x.actor()
	return who, err == nil && !x.Disabled && who.Role != 0, err
}

// Made returns when an account was made.
func (a *Accounts) Made(ctx context.Context, v *act.View, id string) (time.Time, error) {
	x, err := byID(ctx, v, id)
	return x.Created, err
}

// Address returns an account's e-mail address, "" for none.
func (a *Accounts) Address(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	return x.Email, err
}

// Words returns the names by which somebody would know an account: what its
// password must not be made of.
func (a *Accounts) Words(ctx context.Context, v *act.View, id string) ([]string, error) {
	x, err := byID(ctx, v, id)
	words := []string{x.Login, x.Name, x.Email}
	for _, mail := range []string{x.Login, x.Email} {
		if local, domain, ok := strings.Cut(mail, "@"); ok {
			words = append(words, local, domain)
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" }), err
}

// Everyone calls yield for every open account.
func (a *Accounts) Everyone(ctx context.Context, v *act.View, yield func(who act.Actor, made time.Time)) error {
	return everyone(ctx, v, func(x Account) {
		if who := x.actor(); !x.Disabled && who.Role != 0 {
			yield(who, x.Created)
		}
	})
}

// Lookup returns the id of the account with a log-in name, "" for none. It
// looks at no right: it is for log-in.
func (a *Accounts) Lookup(ctx context.Context, v *act.View, login string) (string, error) {
	return idOf(ctx, v, login)
}

// Resolve returns the id that a caller means by an id or a log-in name. A name
// outside his scope does not exist; an id is left to the door to judge.
func (a *Accounts) Resolve(ctx context.Context, v *act.View, word string) (string, error) {
	if word == core.Provider {
		return word, nil
	}
	x, err := byID(ctx, v, word)
	if core.CodeOf(err) != core.NotFound {
		return word, errOrHidden(v, x, err)
	}
	id, err2 := idOf(ctx, v, word)
	if err2 != nil || id == "" {
		return word, firstOf(err2, err)
	}
	x, err2 = byID(ctx, v, id)
	if tenant := v.Actor().Tenant; err2 == nil && tenant != core.Provider && tenant != x.owner() && tenant != x.Parent {
		return word, err
	}
	if err2 == nil && !visible(v.Actor(), x) {
		return word, err
	}
	return id, err2
}

// Tenant is Resolve for who may own something: the provider, a reseller or a
// customer. To any other account core.NotFound is the answer.
func (a *Accounts) Tenant(ctx context.Context, v *act.View, word string) (string, error) {
	id, err := a.Resolve(ctx, v, word)
	if err != nil {
		return id, err
	}
	owner, err := a.Owner(ctx, v, id)
	if err == nil && owner != id {
		err = core.Errorf(core.NotFound, "there is no reseller or customer %q", clip(word))
	}
	return id, err
}

func errOrHidden(v *act.View, x Account, err error) error {
	if err == nil && !visible(v.Actor(), x) {
		return core.Errorf(core.NotFound, "there is no account %q", clip(x.ID))
	}
	return err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Visible returns core.NotFound when the caller may not see the account,
// though it is within his tenant.
func (a *Accounts) Visible(ctx context.Context, v *act.View, id string) error {
	x, err := byID(ctx, v, id)
	return errOrHidden(v, x, err)
}

// Manages returns core.Denied when the caller may not change the account, let
// somebody in as it, or end its sessions.
func (a *Accounts) Manages(ctx context.Context, v *act.View, id string) error {
	x, err := byID(ctx, v, id)
	if err = errOrHidden(v, x, err); err != nil {
		return err
	}
	return managed(v.Actor(), x)
}

func managed(actor act.Actor, x Account) error {
	if !manages(actor, x) {
		return core.Errorf(core.Denied, "accounts with the role %s are not managed by a caller with the role %s", x.Role, actor.Role)
	}
	return nil
}

// HasFirst reports whether there is a primary administrator.
func (a *Accounts) HasFirst(ctx context.Context, v *act.View) (bool, error) {
	id, err := primary(ctx, v)
	return id != "", err
}

// First creates the primary administrator, once. It records account.created.
func (a *Accounts) First(ctx context.Context, tx *act.Tx, login, name string) (string, error) {
	if id, err := primary(ctx, &tx.View); err != nil || id != "" {
		return "", firstOf(err, core.Errorf(core.Conflict, "the first administrator has been set up already"))
	}
	x := Account{ID: core.NewID("a"), Login: Fold(login), Name: name, Role: act.Primary.String(), Parent: core.Provider, Created: tx.Now()}
	return x.ID, create(ctx, tx, x)
}

// CheckLogin notes what is wrong with a new log-in name.
func (a *Accounts) CheckLogin(f *core.Faults, field, login string) { checkLogin(f, field, login) }

// create writes a checked account. The name may have been taken.
func create(ctx context.Context, tx *act.Tx, x Account) error {
	if id, err := idOf(ctx, &tx.View, x.Login); err != nil || id != "" {
		return firstOf(err, core.Errorf(core.Conflict, "this log-in name is taken; choose another"))
	}
	if err := insert(ctx, tx, x); err != nil {
		return err
	}
	return tx.Record(ctx, "account.created", x.ref(), act.Diff(nil, x)...)
}

func digest(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	if core.CodeOf(err) == core.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("digest of account: %w", err)
	}
	s := state{x.ID, x.Login, x.Name, x.Email, x.Role, x.Parent, 0, x.Barred, x.Created.UnixMicro()}
	if x.Disabled {
		s.Disabled = x.Since.UnixMicro()
	}
	return act.DigestOf(s)
}

func find(ctx context.Context, v *act.View, text string, most int) ([]act.Hit, error) {
	list, err := search(ctx, v, v.Actor().Tenant, text, most)
	var hits []act.Hit
	for _, x := range list {
		if visible(v.Actor(), x) {
			hits = append(hits, act.Hit{ID: x.ID, Name: x.Login, Owner: x.owner()})
		}
	}
	return hits, err
}
