package token

import (
	"context"
	"embed"
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
}

// Sessions says whether somebody logged in himself.
type Sessions interface {
	// Live reports whether session is a live session of the account.
	Live(ctx context.Context, v *act.View, account, session string) (bool, error)
}

// Tokens is the feature.
type Tokens struct {
	accounts Accounts
	sessions Sessions
}

// New makes the feature.
func New(a Accounts, s Sessions) *Tokens { return &Tokens{a, s} }

//go:embed sql
var migrations embed.FS

// Feature declares it.
func (t *Tokens) Feature() act.Feature {
	return act.Feature{Name: "token", SQL: migrations,
		Kinds: []act.Kind{{Name: "token", Title: "API tokens", Owner: t.owner, Digest: digest, IDs: ids}},
		Ops:   []act.Declaration{t.create(), t.list(), t.revoke(), t.resolve(), t.note()}}
}

// Create is the input of token.create.
type Create struct {
	Name    string `json:"name" cli:"arg" rule:"required,max=100" doc:"what the token is for"`
	Days    int    `json:"expires_in" rule:"required,min=1,max=366" doc:"days after which it ends"`
	Account string `json:"account" rule:"max=254" doc:"id or log-in name of the account; you when left out, and only at the local command line anybody else"`
}

// Created is the output of token.create. The token is plain, since every face
// must be able to show it this once.
type Created struct {
	ID      string    `json:"id"`
	Token   string    `json:"token"`
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
	Token core.Secret `json:"token" rule:"required,max=200" doc:"the token itself"`
}

// Resolved is the output of token.resolve. A token that opens nothing is not an
// error: the record is that of the operation which a stranger then may not call.
type Resolved struct {
	Found bool      `json:"found"`
	Actor act.Actor `json:"actor"`
	Note  bool      `json:"note"` // its use is to be noted
}

const (
	class    = "authentication"
	sampleID = "t_0123456789abcdefghjkmnpqrs"
)

var serves = []string{"2690:11.2", "2690:11.6"}

func (t *Tokens) owner(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	if err != nil {
		return "", err
	}
	return t.accounts.Owner(ctx, v, x.Account)
}

func digest(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	if err != nil {
		if core.CodeOf(err) == core.NotFound {
			err = nil
		}
		return "", err
	}
	return act.DigestOf(state{x.ID, x.Account, x.Name, x.hash, micros(x.Created), micros(x.Expires), micros(x.Used)})
}

func (t *Tokens) create() act.Change[Create, Created] {
	return act.Change[Create, Created]{
		Name: "token.create", Doc: "Make an API token that acts as you, and show it once.", Class: class,
		Roles: act.Readers, Reveals: true, Must: []string{"token.created"}, Serves: serves,
		Sample: Create{Name: "backup script", Days: 90},
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
	id, err := t.accounts.Resolve(ctx, v, *word)
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
	secret := core.NewSecret(prefix + core.NewToken().Reveal())
	x := Token{ID: core.NewID("t"), Account: in.Account, Name: strings.TrimSpace(in.Name), hash: hashOf(secret),
		Created: tx.Now(), Expires: tx.Now().Add(time.Duration(in.Days) * day)}
	if err := insert(ctx, tx, x); err != nil {
		return Created{}, err
	}
	expires := x.Expires.Format(core.TimeFormat)
	fields := append(act.Diff(nil, x), act.Field{Name: "expires", New: &expires})
	return Created{x.ID, secret.Reveal(), x.Expires}, tx.Record(ctx, "token.created", x.ref(), fields...)
}

// may wants a person in a session of his own, or root at the local command line.
func (t *Tokens) may(ctx context.Context, v *act.View, account string) error {
	me := v.Actor()
	_, open, err := t.accounts.Actor(ctx, v, account)
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
	live, err := t.sessions.Live(ctx, v, me.ID, me.Session)
	if err == nil && !live {
		err = core.Errorf(core.Denied, "a token is made in a session, after logging in, or at the local command line; a token makes no other")
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
				list[i].Expired = list[i].over(v.Now())
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
				err = t.accounts.Manages(ctx, &tx.View, x.Account)
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
		err = t.accounts.Visible(ctx, v, x.Account)
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
		Sample: Bearer{core.NewSecret("hw_0")},
		Target: func(context.Context, *act.View, *Bearer) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(ctx context.Context, v *act.View, in Bearer) (Resolved, error) {
			x, found, err := byHash(ctx, v, hashOf(in.Token))
			if err != nil || !found || x.over(v.Now()) {
				return Resolved{}, err
			}
			who, open, err := t.accounts.Actor(ctx, v, x.Account)
			if err != nil || !open {
				return Resolved{}, err
			}
			who.Session, who.Door = x.ID, "rest"
			return Resolved{Found: true, Actor: who, Note: x.due(v.Now())}, nil
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
			if err := note(ctx, tx, x.ID); err != nil {
				return in, err
			}
			return in, tx.Record(ctx, "token.used", x.ref())
		},
	}
}

// Bearer returns who acts with a token, as an actor that lacks only address and
// user agent; core.Unauthenticated when nobody does. It notes the use when that
// is due.
func (t *Tokens) Bearer(ctx context.Context, b *act.Bus, token core.Secret) (act.Actor, error) {
	job := act.SystemActor("token")
	var r Resolved
	if formed(token) { // what strangers send is no reason for a record of the system's
		var err error
		if r, err = t.resolve().Call(ctx, b, job, Bearer{token}); err != nil {
			return act.Actor{}, err
		}
	}
	if !r.Found {
		return act.Actor{}, core.Errorf(core.Unauthenticated, "the token is not valid: it ended, was revoked, or never was")
	}
	if r.Note {
		_, _, _ = t.note().Call(ctx, b, job, One{r.Actor.Session})
	}
	return r.Actor, nil
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
