package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// ID is the input of operations on one account.
type ID struct {
	Account string `json:"account" cli:"arg" rule:"required,max=254" doc:"id or log-in name of the account"`
}

// Create is the input of account.create.
type Create struct {
	Login  string `json:"login" cli:"arg" rule:"required,max=254" doc:"log-in name: a short word or an e-mail address; upper and lower case are the same"`
	Role   string `json:"role" rule:"required,enum=customer|reseller|auditor|additional administrator" doc:"what the account is"`
	Name   string `json:"name" rule:"max=200" doc:"name of the person or firm"`
	Email  string `json:"email" rule:"max=254" doc:"e-mail address for messages to the account"`
	Parent string `json:"parent" rule:"max=254" doc:"who the account belongs to: provider, or id or log-in name of a reseller; you when left out"`
}

// Validate holds the rules beyond the tags.
func (c *Create) Validate(f *core.Faults) {
	checkLogin(f, "login", c.Login)
	checkEmail(f, "email", c.Email)
}

// Update is the input of account.update.
type Update struct {
	Account string `json:"account" cli:"arg" rule:"required,max=254" doc:"id or log-in name of the account"`
	Name    string `json:"name" rule:"max=200" doc:"new name of the person or firm; left out: stays"`
	Email   string `json:"email" rule:"max=254" doc:"new e-mail address; left out: stays; a dash removes it"`
}

// Validate holds the rules beyond the tags.
func (u *Update) Validate(f *core.Faults) {
	if u.Email != "-" {
		checkEmail(f, "email", u.Email)
	}
}

// Filter is the input of account.list.
type Filter struct {
	Text  string `json:"text" rule:"max=100" doc:"only accounts whose log-in name, name or e-mail address holds this"`
	After string `json:"after" rule:"max=254" doc:"log-in name after which the list goes on: next of the page before"`
	Limit int    `json:"limit" rule:"max=500" doc:"how many at most; 0: 200"`
}

// List is a page of accounts in the order of their log-in names.
type List struct {
	Accounts []Account `json:"accounts"`
	Next     string    `json:"next,omitempty"` // there are more after it
}

var serves = []string{"2690:11.2", "2690:11.3", "2690:11.5"}

// proof is how fresh a proof must be for what opens or closes doors.
const proof = 15 * time.Minute

const sampleID = "a_0123456789abcdefghjkmnpqrs"

func (a *Accounts) ops() []act.Declaration {
	return slices.Concat(a.changes(), a.endings(), a.queries())
}

func (a *Accounts) queries() []act.Declaration {
	return []act.Declaration{
		act.Query[Filter, List]{
			Name: "account.list", Doc: "List the accounts you see.", Class: "account", Roles: act.Readers,
			Serves: serves, Sample: Filter{Limit: 50}, Target: nowhere, Run: a.list,
		},
		act.Query[ID, Account]{
			Name: "account.show", Doc: "Show one account.", Class: "account", Roles: act.Readers,
			Sample: ID{sampleID}, Target: a.aim, Run: a.show,
		},
	}
}

func (a *Accounts) changes() []act.Declaration {
	return []act.Declaration{
		act.Change[Create, Account]{
			Name: "account.create", Doc: "Create an account; nobody can log in to it before it is invited.", Class: "account",
			Roles: act.Staff, Proof: proof, Must: []string{"account.created"}, Serves: serves,
			Sample: Create{Login: "anna@kranewitt.example", Role: "customer", Name: "Anna Kranewitt"},
			Target: a.under, Run: a.create,
		},
		act.Change[Update, Account]{
			Name: "account.update", Doc: "Change name and e-mail address of an account.", Class: "account",
			Roles: act.Hosted, Proof: proof, Must: []string{"account.updated"}, May: a.notices.Tells(), Wakes: []string{"mail"}, Serves: serves,
			Sample: Update{Account: sampleID, Name: "Anna Kranewitt", Email: "anna@kranewitt.example"},
			Target: func(ctx context.Context, v *act.View, in *Update) (core.Ref, error) {
				return a.named(ctx, v, &in.Account)
			},
			Run: a.update,
		},
	}
}

func (a *Accounts) endings() []act.Declaration {
	ends := a.ends()
	return []act.Declaration{
		act.Change[ID, Account]{
			Name: "account.disable", Doc: "Close an account: nobody logs in to it, its sessions end.", Class: "account",
			Roles: act.Staff, Proof: proof, Must: []string{"account.disabled"}, May: ends, Serves: serves,
			Sample: ID{sampleID}, Target: a.aim, Run: a.disable,
		},
		act.Change[ID, Account]{
			Name: "account.enable", Doc: "Open a closed account again.", Class: "account",
			Roles: act.Staff, Proof: proof, Must: []string{"account.enabled"}, Serves: serves,
			Sample: ID{sampleID}, Target: a.aim, Run: a.enable,
		},
		act.Change[ID, ID]{
			Name: "account.delete", Doc: "Delete an account that owns nothing.", Class: "account", Confirm: true,
			Roles: act.Staff, Proof: proof, Must: []string{"account.deleted"}, May: ends, Serves: serves,
			Sample: ID{sampleID}, Target: a.aim, Run: a.delete,
		},
	}
}

func (a *Accounts) ends() []string {
	var events []string
	for _, w := range a.ways {
		events = append(events, w.Ends()...)
	}
	return events
}

func nowhere(context.Context, *act.View, *Filter) (core.Ref, error) { return core.Ref{}, nil }

func (a *Accounts) aim(ctx context.Context, v *act.View, in *ID) (core.Ref, error) {
	return a.named(ctx, v, &in.Account)
}

// named puts the id in the place of a log-in name.
func (a *Accounts) named(ctx context.Context, v *act.View, word *string) (core.Ref, error) {
	id, err := a.Resolve(ctx, v, *word)
	if err == nil && id == core.Provider {
		err = core.Errorf(core.NotFound, "there is no account %q", id)
	}
	*word = id
	return core.Ref{Kind: "account", ID: id}, err
}

// under aims at the account that will be above the new one.
func (a *Accounts) under(ctx context.Context, v *act.View, in *Create) (core.Ref, error) {
	if in.Parent == "" {
		in.Parent = v.Actor().Tenant
	}
	id, err := a.Resolve(ctx, v, in.Parent)
	in.Parent = id
	return core.Ref{Kind: "account", ID: id}, err
}

func (a *Accounts) list(ctx context.Context, v *act.View, in Filter) (List, error) {
	most := in.Limit
	if most == 0 {
		most = 200
	}
	var found []Account
	var err error
	if in.Text != "" {
		found, err = search(ctx, v, v.Actor().Tenant, in.Text, most)
	} else {
		found, err = below(ctx, v, in.After, most)
	}
	out := List{Accounts: []Account{}}
	if len(found) == most && in.Text == "" {
		out.Next = found[most-1].Login
	}
	names := map[string]string{}
	for _, x := range found {
		if err == nil && visible(v.Actor(), x) {
			err = dress(ctx, v, &x, names)
			out.Accounts = append(out.Accounts, x)
		}
	}
	return out, err
}

// dress adds what readers want to see beside the account itself: whether they
// may change it, and what the reseller above it is called.
func dress(ctx context.Context, v *act.View, x *Account, names map[string]string) error {
	x.Managed = manages(v.Actor(), *x)
	if x.Parent == core.Provider {
		return nil
	}
	name, known := names[x.Parent]
	if !known {
		above, err := byID(ctx, v, x.Parent)
		if err != nil {
			return err
		}
		name = above.Login
		names[x.Parent] = name
	}
	x.Above = name
	return nil
}

func (a *Accounts) show(ctx context.Context, v *act.View, in ID) (Account, error) {
	x, err := byID(ctx, v, in.Account)
	if err != nil {
		return Account{}, err
	}
	err = dress(ctx, v, &x, map[string]string{})
	return x, err
}

func (a *Accounts) create(ctx context.Context, tx *act.Tx, in Create) (Account, error) {
	x := Account{ID: core.NewID("a"), Login: Fold(in.Login), Name: strings.TrimSpace(in.Name), Email: in.Email,
		Role: in.Role, Parent: in.Parent, Created: tx.Now(), Managed: true}
	if err := a.fits(ctx, &tx.View, x); err != nil {
		return Account{}, err
	}
	return x, create(ctx, tx, x)
}

// fits holds the shape of the tree (SPEC 1): resellers, administrators and
// auditors are the provider's, customers a reseller's or the provider's.
func (a *Accounts) fits(ctx context.Context, v *act.View, x Account) error {
	if !manages(v.Actor(), x) {
		return core.Errorf(core.Denied, "a caller with the role %s does not create accounts with the role %s", v.Actor().Role, x.Role)
	}
	if x.Parent == core.Provider {
		return nil
	}
	above, err := byID(ctx, v, x.Parent)
	if err != nil {
		return err
	}
	var f core.Faults
	if above.role() != act.Reseller || x.role() != act.Customer {
		f.Add("parent", above.Login, "must be provider, or for a customer a reseller")
	}
	return f.Err()
}

func (a *Accounts) update(ctx context.Context, tx *act.Tx, in Update) (Account, error) {
	old, err := byID(ctx, &tx.View, in.Account)
	if err == nil && tx.Actor().ID != old.ID {
		err = managed(tx.Actor(), old)
	}
	if err != nil {
		return Account{}, err
	}
	x := old
	if in.Name != "" {
		x.Name = strings.TrimSpace(in.Name)
	}
	if in.Email != "" {
		x.Email = strings.TrimPrefix(in.Email, "-")
	}
	if x == old {
		return x, nil
	}
	if err := rename(ctx, tx, x); err != nil {
		return Account{}, err
	}
	if err := tx.Record(ctx, "account.updated", x.ref(), act.Diff(old, x)...); err != nil || x.Email == old.Email {
		return x, err
	}
	return x, a.notices.TellAt(ctx, tx, x.ID, old.Email, "Your e-mail address was changed",
		"Letters of this panel go to another address now; "+tx.Actor().Name+" ("+tx.Actor().Role.String()+") changed it. If this is not right, tell your administrator at once.")
}

// closable refuses what would leave the panel without its administrator, or a
// person without himself.
func closable(actor act.Actor, x Account) error {
	switch {
	case x.role() == act.Primary:
		return core.Errorf(core.Denied, "the primary administrator is neither disabled nor deleted")
	case actor.ID == x.ID:
		return core.Errorf(core.Denied, "nobody disables or deletes his own account")
	}
	return managed(actor, x)
}

func (a *Accounts) disable(ctx context.Context, tx *act.Tx, in ID) (Account, error) {
	x, err := byID(ctx, &tx.View, in.Account)
	if err == nil {
		err = closable(tx.Actor(), x)
	}
	if err != nil || x.Disabled {
		return x, err
	}
	if err := a.end(ctx, tx, x.ID, false); err != nil {
		return Account{}, err
	}
	if err := bar(ctx, tx, x.ID, tx.Now().UnixMicro(), tx.Actor().Tenant); err != nil {
		return Account{}, err
	}
	return a.turned(ctx, tx, "account.disabled", x)
}

// enable opens what the caller's own people closed: a reseller does not undo
// what the provider did.
func (a *Accounts) enable(ctx context.Context, tx *act.Tx, in ID) (Account, error) {
	x, err := byID(ctx, &tx.View, in.Account)
	if err == nil {
		err = closable(tx.Actor(), x)
	}
	if err != nil || !x.Disabled {
		return x, err
	}
	if tenant := tx.Actor().Tenant; tenant != core.Provider && tenant != x.Barred {
		return Account{}, core.Errorf(core.Denied, "this account was disabled by the provider, who alone enables it")
	}
	if err := bar(ctx, tx, x.ID, 0, ""); err != nil {
		return Account{}, err
	}
	return a.turned(ctx, tx, "account.enabled", x)
}

func (a *Accounts) turned(ctx context.Context, tx *act.Tx, event string, old Account) (Account, error) {
	x, err := byID(ctx, &tx.View, old.ID)
	if err != nil {
		return Account{}, err
	}
	x.Managed = true
	return x, tx.Record(ctx, event, x.ref(), act.Diff(old, x)...)
}

func (a *Accounts) end(ctx context.Context, tx *act.Tx, id string, forever bool) error {
	for _, w := range a.ways {
		if err := w.End(ctx, tx, id, forever); err != nil {
			return err
		}
	}
	return nil
}

func (a *Accounts) delete(ctx context.Context, tx *act.Tx, in ID) (ID, error) {
	x, err := byID(ctx, &tx.View, in.Account)
	if err == nil {
		err = closable(tx.Actor(), x)
	}
	if err == nil {
		err = a.empty(ctx, &tx.View, x)
	}
	if err != nil {
		return ID{}, err
	}
	if err := a.end(ctx, tx, x.ID, true); err != nil {
		return ID{}, err
	}
	if err := tx.Record(ctx, "account.deleted", x.ref(), act.Diff(x, nil)...); err != nil {
		return ID{}, err
	}
	return ID{x.ID}, remove(ctx, tx, x.ID)
}

// empty names all that stands in the way of deleting the account.
func (a *Accounts) empty(ctx context.Context, v *act.View, x Account) error {
	var has []string
	n, err := children(ctx, v, x.ID)
	if err != nil {
		return err
	}
	if n > 0 {
		has = append(has, count(n, "account"))
	}
	for _, h := range a.holdings {
		what, err := h.Holds(ctx, v, x.ID)
		if err != nil {
			return err
		}
		if what != "" {
			has = append(has, what)
		}
	}
	if has == nil {
		return nil
	}
	return core.Errorf(core.Conflict, "the account still owns %s; delete or move that first", strings.Join(has, " and "))
}
