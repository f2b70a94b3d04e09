package token

import (
	"context"
	"embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Accounts is what tokens need to know about accounts.
type Accounts interface {
	// Actor returns the account as an actor without door and address, and
	// whether it is open.
	Actor(ctx context.Context, v *act.View, id string) (who act.Actor, open bool, err error)
	// Owner returns the tenant that owns the account.
	Owner(ctx context.Context, v *act.View, id string) (string, error)
	// Resolve returns the id that the caller means by an id or a log-in name.
	Resolve(ctx context.Context, v *act.View, word string) (string, error)
	// Visible returns core.NotFound when the caller may not see the account.
	Visible(ctx context.Context, v *act.View, id string) error
	// Manages returns core.Denied when the caller may not take from the account.
	Manages(ctx context.Context, v *act.View, id string) error
	// Everyone calls yield for every open account.
	Everyone(ctx context.Context, v *act.View, yield func(who act.Actor, made time.Time)) error
}

// Sessions says whether somebody logged in himself.
type Sessions interface {
	// Live reports whether session is a live session of the account.
	Live(ctx context.Context, v *act.View, account, session string) (bool, error)
}

// Notices tells people what was done about their accounts.
type Notices interface {
	Tell(ctx context.Context, tx *act.Tx, account, subject, text string) error
	// Tells names the events that Tell may record.
	Tells() []string
}

// Factors are second factors.
type Factors interface {
	// Lacks reports whether an account must have a second factor now and has none:
	// then it does not get in, and neither do its programs.
	Lacks(ctx context.Context, v *act.View, who act.Actor) (bool, error)
}

// Ports are what the feature is joined with; none may be nil.
type Ports struct {
	Accounts Accounts
	Sessions Sessions
	Notices  Notices
	Factors  Factors
	// Actions reports whether a scope's action names at least one operation.
	Actions func(action string) bool
	// Object returns the object that somebody means by "zone:example.org", when an
	// account may reach it; core.NotFound otherwise.
	Object func(ctx context.Context, v *act.View, account, text string) (core.Ref, error)
}

// Tokens is the feature.
type Tokens struct{ Ports }

// New makes the feature.
func New(p Ports) *Tokens { return &Tokens{p} }

//go:embed sql
var migrations embed.FS

// Feature declares it.
func (t *Tokens) Feature() act.Feature {
	return act.Feature{Name: "token", SQL: migrations,
		Kinds: []act.Kind{{Name: "token", Title: "API tokens", Owner: t.owner, Digest: digest, IDs: ids}},
		Ops:   []act.Declaration{t.create(), t.list(), t.revoke(), t.resolve(), t.note(), t.warn()}}
}

// Create is the input of token.create.
type Create struct {
	Name     string   `json:"name" cli:"arg" rule:"required,max=100" doc:"what the token is for"`
	Scopes   []string `json:"scope" rule:"required,max=200" doc:"what it may, one a line: an operation (zone.record.add), all of a noun (zone.*), read for everything that only reads, or *; behind a blank an object it is bound to (zone.record.* zone:example.org). What asks for a second factor must be named in full"`
	Days     int      `json:"expires_in" rule:"required,min=1,max=366" doc:"days after which it ends"`
	Unused   int      `json:"unused_days" rule:"max=366" doc:"days without a use after which it ends earlier; 0: it does not"`
	Networks string   `json:"networks" form:"textarea" rule:"max=4096" doc:"addresses and networks from which it works; left out: from everywhere"`
	Account  string   `json:"account" rule:"max=254" doc:"id or log-in name of the account; you when left out, and only at the local command line anybody else"`

	networks []string
}

// Validate holds the rules beyond the tags.
func (c *Create) Validate(f *core.Faults) {
	c.networks = nil
	if strings.TrimSpace(c.Name) == "" {
		f.Add("name", "", "must say what the token is for")
	}
	for _, n := range core.ParseNetworks(f, "networks", c.Networks) {
		c.networks = append(c.networks, n.String())
	}
	for i, s := range c.Scopes {
		if !scopeForm.MatchString(strings.Join(strings.Fields(s), " ")) {
			f.Add(fmt.Sprintf("scope.%d", i), s, "must be an operation, zone.*, read or *, and behind a blank an object such as zone:example.org")
		}
	}
}

var scopeForm = regexp.MustCompile(`^(\*|read|[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)*(\.\*)?)( [a-z]+:[^\s]{1,255})?$`)

// Created is the output of token.create. The token is plain, since every face
// must be able to show it this once.
type Created struct {
	ID      string    `json:"id"`
	Token   string    `json:"token"`
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires"`
}

// Of is the input of token.list.
type Of struct {
	Account string `json:"account" cli:"arg" rule:"max=254" doc:"id or log-in name of the account; you when left out"`
}

// List is the output of token.list.
type List struct {
	Tokens []Token `json:"tokens"`
}

// One is the input of operations on one token.
type One struct {
	Token string `json:"token" cli:"arg" rule:"required,max=40" doc:"id of the token"`
}

// Bearer is the input of token.resolve.
type Bearer struct {
	Token   core.Secret `json:"token" rule:"required,max=200" doc:"the token itself"`
	Address string      `json:"address" rule:"max=60" doc:"address it is sent from"`
}

// Resolved is the output of token.resolve. A token that opens nothing is not an
// error: the record is that of the operation which a stranger then may not call.
type Resolved struct {
	Found bool      `json:"found"`
	Actor act.Actor `json:"actor"`
	Note  bool      `json:"note"` // its use is to be noted
	Away  bool      `json:"away"` // it is valid, and does not work from this address
}

const (
	class    = "authentication"
	proof    = 15 * time.Minute
	sampleID = "t_0123456789abcdefghjkmnpqrs"
)

var serves = []string{"2690:11.2", "2690:11.6"}

func (t *Tokens) owner(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	if err != nil {
		return "", err
	}
	return t.Accounts.Owner(ctx, v, x.Account)
}

func digest(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	if err != nil {
		if core.CodeOf(err) == core.NotFound {
			err = nil
		}
		return "", err
	}
	return act.DigestOf(state{x.ID, x.Account, x.Name, x.hash, core.Micros(x.Created), core.Micros(x.Expires), core.Micros(x.Used), x.Scopes, x.Networks, x.Unused, x.warned})
}

func (t *Tokens) create() act.Change[Create, Created] {
	return act.Change[Create, Created]{
		Name: "token.create", Doc: "Make an API token that acts for you, within scopes, and show it once.", Class: class,
		Roles: act.Readers, Proof: proof, Reveals: true, Must: []string{"token.created"}, May: t.Notices.Tells(), Wakes: []string{"mail"}, Serves: serves,
		Sample: Create{Name: "backup script", Scopes: []string{"read"}, Days: 90},
		Target: func(ctx context.Context, v *act.View, in *Create) (core.Ref, error) {
			return t.whose(ctx, v, &in.Account)
		},
		Run: t.mint,
	}
}

// whose aims at an account that the caller may see.
func (t *Tokens) whose(ctx context.Context, v *act.View, word *string) (core.Ref, error) {
	if *word == "" {
		if *word = v.Actor().ID; v.Actor().Kind != "account" {
			return core.Ref{}, core.Faults{{Field: "account", Accepted: "must be given: you have no account yourself"}}.Err()
		}
	}
	id, err := t.Accounts.Resolve(ctx, v, *word)
	*word = id
	return core.Ref{Kind: "account", ID: id}, err
}

func (t *Tokens) mint(ctx context.Context, tx *act.Tx, in Create) (Created, error) {
	if err := t.may(ctx, &tx.View, in.Account); err != nil {
		return Created{}, err
	}
	list, err := of(ctx, &tx.View, in.Account)
	if err == nil && len(list) >= mostEach {
		err = core.Errorf(core.Conflict, "the account has %d tokens, more than anybody can keep an eye on; revoke some first", len(list))
	}
	if err != nil {
		return Created{}, err
	}
	scopes, err := t.scopes(ctx, &tx.View, in)
	if err != nil {
		return Created{}, err
	}
	secret := core.NewSecret(prefix + core.NewToken().Reveal())
	x := Token{ID: core.NewID("t"), Account: in.Account, Name: strings.TrimSpace(in.Name), Scopes: scopes, Networks: in.networks, Unused: in.Unused,
		hash: hashOf(secret), Created: tx.Now(), Expires: tx.Now().Add(time.Duration(in.Days) * day)}
	if err := insert(ctx, tx, x); err != nil {
		return Created{}, err
	}
	expires := x.Expires.Format(core.TimeFormat)
	fields := append(act.Diff(nil, x), act.Field{Name: "expires", New: &expires})
	if err := tx.Record(ctx, "token.created", x.ref(), fields...); err != nil {
		return Created{}, err
	}
	return Created{x.ID, secret.Reveal(), scopes, x.Expires}, t.announce(ctx, tx, x)
}

// scopes are those that were asked for, with the ids of objects for their names.
// One that no operation answers to is a mistake, and so is an object that is not
// the account's.
func (t *Tokens) scopes(ctx context.Context, v *act.View, in Create) ([]string, error) {
	var faults core.Faults
	var list []string
	for i, s := range in.Scopes {
		action, object, bound := strings.Cut(strings.Join(strings.Fields(s), " "), " ")
		if !t.Actions(action) {
			faults.Add(fmt.Sprintf("scope.%d", i), action, "must name an operation that there is")
			continue
		}
		if bound {
			ref, err := t.Object(ctx, v, in.Account, object)
			if err != nil && core.CodeOf(err) != core.NotFound {
				return nil, err
			}
			if err != nil {
				faults.Add(fmt.Sprintf("scope.%d", i), object, "must be an object of the account")
				continue
			}
			action += " " + ref.String()
		}
		if !slices.Contains(list, action) {
			list = append(list, action)
		}
	}
	slices.Sort(list)
	return list, faults.Err()
}

// may wants a person in a session that was opened with a second factor, or root
// at the local command line: a token must not be a way around it (SPEC A6).
func (t *Tokens) may(ctx context.Context, v *act.View, account string) error {
	me := v.Actor()
	_, open, err := t.Accounts.Actor(ctx, v, account)
	switch {
	case err != nil:
		return err
	case !open:
		return core.Errorf(core.Conflict, "the account is disabled")
	case me.Kind == "os":
		return nil
	case account != me.ID:
		return core.Errorf(core.Denied, "everybody makes tokens for himself")
	}
	live, err := t.Sessions.Live(ctx, v, me.ID, me.Session)
	switch {
	case err != nil:
		return err
	case !live || me.Grants != nil:
		return core.Errorf(core.Denied, "a token is made in a session, after logging in, or at the local command line; a token makes no other")
	case !me.Strong:
		return core.Errorf(core.Denied, "a token is made with a second factor only: set one up first, on the page My security")
	}
	return nil
}

// announce tells the owner, and all administrators, of a token that somebody made
// at the command line, where no second factor was asked for.
func (t *Tokens) announce(ctx context.Context, tx *act.Tx, x Token) (err error) {
	me := tx.Actor()
	if me.Kind != "os" {
		return nil
	}
	told := map[string]bool{x.Account: true}
	if eerr := t.Accounts.Everyone(ctx, &tx.View, func(who act.Actor, _ time.Time) {
		if who.Role&act.Admins != 0 {
			told[who.ID] = true
		}
	}); eerr != nil {
		return eerr
	}
	owner, _, err := t.Accounts.Actor(ctx, &tx.View, x.Account)
	for _, id := range slices.Sorted(maps.Keys(told)) {
		if err == nil {
			err = t.Notices.Tell(ctx, tx, id, "A token was made at the command line",
				me.Name+" made the API token \""+x.Name+"\" for "+owner.Name+" at the server's command line. It may: "+strings.Join(x.Scopes, "; ")+".")
		}
	}
	return err
}

func (t *Tokens) list() act.Query[Of, List] {
	return act.Query[Of, List]{
		Name: "token.list", Doc: "List the API tokens of an account.", Class: class, Roles: act.Readers, Serves: serves,
		Sample: Of{},
		Target: func(ctx context.Context, v *act.View, in *Of) (core.Ref, error) { return t.whose(ctx, v, &in.Account) },
		Run: func(ctx context.Context, v *act.View, in Of) (List, error) {
			list, err := of(ctx, v, in.Account)
			for i := range list {
				list[i].Expired, list[i].Scopes = list[i].over(v.Now()), list[i].scopes()
			}
			return List{list}, err
		},
	}
}

func (t *Tokens) revoke() act.Change[One, One] {
	return act.Change[One, One]{
		Name: "token.revoke", Doc: "End an API token of yours, or of an account you manage.", Class: class, Roles: act.Readers,
		Must: []string{"token.revoked"}, Serves: serves, Sample: One{sampleID}, Target: t.token,
		Run: func(ctx context.Context, tx *act.Tx, in One) (One, error) {
			x, err := byID(ctx, &tx.View, in.Token)
			if err == nil && x.Account != tx.Actor().ID {
				err = t.Accounts.Manages(ctx, &tx.View, x.Account)
			}
			if err != nil {
				return One{}, err
			}
			return in, end(ctx, tx, x)
		},
	}
}

// token hides tokens of accounts that the caller may not see.
func (t *Tokens) token(ctx context.Context, v *act.View, in *One) (core.Ref, error) {
	x, err := byID(ctx, v, in.Token)
	if err == nil {
		err = t.Accounts.Visible(ctx, v, x.Account)
	}
	if err != nil && core.CodeOf(err) == core.NotFound {
		err = core.Errorf(core.NotFound, "there is no token %.40q", in.Token)
	}
	return core.Ref{Kind: "token", ID: in.Token}, err
}

func end(ctx context.Context, tx *act.Tx, x Token) error {
	if err := tx.Record(ctx, "token.revoked", x.ref(), act.Diff(x, nil)...); err != nil {
		return err
	}
	return remove(ctx, tx, x.ID)
}

func (t *Tokens) resolve() act.Query[Bearer, Resolved] {
	return act.Query[Bearer, Resolved]{
		Name: "token.resolve", Doc: "Say who acts with an API token.", Class: class, Roles: act.System,
		Sample: Bearer{Token: core.NewSecret("hw_0"), Address: "192.0.2.7"},
		Target: func(context.Context, *act.View, *Bearer) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(ctx context.Context, v *act.View, in Bearer) (Resolved, error) {
			x, found, err := byHash(ctx, v, hashOf(in.Token))
			if err != nil || !found || x.over(v.Now()) {
				return Resolved{}, err
			}
			who, open, err := t.Accounts.Actor(ctx, v, x.Account)
			if err != nil || !open {
				return Resolved{}, err
			}
			if lacks, err := t.Factors.Lacks(ctx, v, who); err != nil || lacks {
				return Resolved{}, err
			}
			who.Session, who.Door, who.Grants = x.ID, "rest", x.grants()
			return Resolved{Found: true, Actor: who, Note: x.due(v.Now()), Away: !x.from(in.Address)}, nil
		},
	}
}

func (t *Tokens) note() act.Change[One, One] {
	return act.Change[One, One]{
		Name: "token.note", Doc: "Note that an API token is in use, at most once an hour.", Class: class, Roles: act.System,
		Must: []string{"token.used"}, Sample: One{sampleID},
		Target: func(_ context.Context, _ *act.View, in *One) (core.Ref, error) {
			return core.Ref{Kind: "token", ID: in.Token}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in One) (One, error) {
			x, err := byID(ctx, &tx.View, in.Token)
			if err != nil || !x.due(tx.Now()) || x.over(tx.Now()) {
				return in, err
			}
			x.Used = tx.Now()
			if err := note(ctx, tx, x.ID, x.warned && x.near(tx.Now())); err != nil {
				return in, err
			}
			return in, tx.Record(ctx, "token.used", x.ref())
		},
	}
}

// Bearer returns who acts with a token that is sent from an address, as an actor
// that lacks only address and user agent; core.Unauthenticated when nobody does.
// Who sends a valid one from where it does not work is returned beside that error,
// for the record. A use is noted when that is due.
func (t *Tokens) Bearer(ctx context.Context, b *act.Bus, token core.Secret, address string) (act.Actor, error) {
	job := act.SystemActor("token")
	var r Resolved
	if formed(token) { // what strangers send is no reason for a record of the system's
		var err error
		if r, err = t.resolve().Call(ctx, b, job, Bearer{token, address}); err != nil {
			return act.Actor{}, err
		}
	}
	if !r.Found || r.Away {
		return r.Actor, core.Errorf(core.Unauthenticated, "the token is not valid: it ended, was revoked, does not work from here, its owner must set up a second factor first, or it never was")
	}
	if r.Note {
		_, _, _ = t.note().Call(ctx, b, job, One{r.Actor.Session})
	}
	return r.Actor, nil
}

const mostWarned = 100 // at once

// Warned is the output of token.warn.
type Warned struct {
	Tokens int `json:"tokens"`
}

// Nothing is an input without fields.
type Nothing struct{}

func (t *Tokens) warn() act.Change[Nothing, Warned] {
	return act.Change[Nothing, Warned]{
		Name: "token.warn", Doc: "Tell owners of tokens that these end soon.", Class: class, Roles: act.System, Wakes: []string{"mail"},
		May: append([]string{"token.warned"}, t.Notices.Tells()...), Serves: serves, Sample: Nothing{},
		Target: func(context.Context, *act.View, *Nothing) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Warned, error) {
			list, err := ending(ctx, &tx.View, mostWarned)
			for _, x := range list {
				if err == nil {
					err = t.warnOf(ctx, tx, x)
				}
			}
			return Warned{len(list)}, err
		},
	}
}

func (t *Tokens) warnOf(ctx context.Context, tx *act.Tx, x Token) error {
	if err := warn(ctx, tx, x.ID); err != nil {
		return err
	}
	if err := tx.Record(ctx, "token.warned", x.ref()); err != nil {
		return err
	}
	return t.Notices.Tell(ctx, tx, x.Account, "An API token ends soon",
		"Your API token \""+x.Name+"\" ends on "+x.ends().Format("2006-01-02")+". Make another one in time, or let it end if nothing uses it.")
}

// Warn tells owners of tokens that these end soon, and writes nothing when none
// does. The house calls it every few minutes.
func (t *Tokens) Warn(ctx context.Context, b *act.Bus) error {
	due := false
	err := b.Look(ctx, "token", func(v *act.View) error {
		list, err := ending(ctx, v, 1)
		due = len(list) > 0
		return err
	})
	if err != nil || !due {
		return err
	}
	_, _, err = t.warn().Call(ctx, b, act.SystemActor("token"), Nothing{})
	return err
}

// Live reports whether a token id is that of a valid token of the account.
func (t *Tokens) Live(ctx context.Context, v *act.View, account, id string) (bool, error) {
	x, err := byID(ctx, v, id)
	if err != nil && core.CodeOf(err) == core.NotFound {
		return false, nil
	}
	return err == nil && x.Account == account && !x.over(v.Now()), err
}

// Ends names the events that End may record.
func (t *Tokens) Ends() []string { return []string{"token.revoked"} }

// End revokes every token of an account that goes for ever. Those of a closed
// one open nothing, and work again when it is opened.
func (t *Tokens) End(ctx context.Context, tx *act.Tx, account string, forever bool) error {
	if !forever {
		return nil
	}
	list, err := of(ctx, &tx.View, account)
	for _, x := range list {
		if err == nil {
			err = end(ctx, tx, x)
		}
	}
	return err
}
