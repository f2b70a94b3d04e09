package login

import (
	"context"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// setupMemory is how long a link that is over is still known, so that who
// comes late is told what happened.
const setupMemory = 24 * time.Hour

// First is the input of login.setup.
type First struct {
	Token    core.Secret `json:"token" rule:"required,max=200" doc:"token of the set-up link"`
	Login    string      `json:"login" rule:"required,max=254" doc:"log-in name: a short word or an e-mail address"`
	Name     string      `json:"name" rule:"max=200" doc:"name of the person"`
	Password core.Secret `json:"password" form:"password" rule:"required,max=256" doc:"password of at least 15 characters; a sentence is a good one"`

	phc string
}

// Init is the input of admin.init.
type Init struct {
	Login    string      `json:"login" rule:"required,max=254" doc:"log-in name: a short word or an e-mail address"`
	Name     string      `json:"name" rule:"max=200" doc:"name of the person"`
	Password core.Secret `json:"password" form:"password" rule:"required,max=256" doc:"password of at least 15 characters; a sentence is a good one"`

	phc string
}

// Claim is the input of login.claim.
type Claim struct {
	Token    core.Secret `json:"token" rule:"required,max=200" doc:"token of the link"`
	Password core.Secret `json:"password" form:"password" rule:"required,max=256" doc:"new password of at least 15 characters; a sentence is a good one"`

	phc string
}

// Claimed is the output of operations that give an account its password.
type Claimed struct {
	Account string `json:"account"`
	Login   string `json:"login"`
}

// Invite is the input of login.invite.
type Invite struct {
	Account string `json:"account" cli:"arg" rule:"required,max=254" doc:"id or log-in name of the account"`
}

// Link is a one-time link: shown once, claimed once, for 30 minutes. Its text is
// plain, since every face must be able to show it this once.
type Link struct {
	Account string    `json:"account,omitempty"` // "" for the first administrator
	Link    string    `json:"link"`              // below the panel's own address
	Expires time.Time `json:"expires"`
}

const setupPath = "/setup#token="

// Token is the secret of the link, which is in its fragment.
func (l Link) Token() string { return strings.TrimPrefix(l.Link, setupPath) }

// State is the output of login.ready.
type State struct {
	Ready bool `json:"ready"` // there is an administrator
}

func (l *Login) ready() act.Query[Nothing, State] {
	return act.Query[Nothing, State]{
		Name: "login.ready", Doc: "Say whether the first administrator has been set up.", Class: class,
		Roles: act.Stranger | act.Readers, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (State, error) {
			has, err := l.Accounts.HasFirst(ctx, v)
			return State{has}, err
		},
	}
}

func (l *Login) offer() act.Change[Nothing, Link] {
	return act.Change[Nothing, Link]{
		Name: "login.offer", Doc: "Make the one-time link with which the first administrator is set up.", Class: class,
		Roles: act.System, Reveals: true, Must: []string{"setup.offered"}, May: []string{"setup.ended"}, Serves: serves,
		Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Link, error) {
			if err := l.vacant(ctx, &tx.View); err != nil {
				return Link{}, err
			}
			return offer(ctx, tx, "")
		},
	}
}

// Offer makes the link for the first administrator; the house prints it at start.
func (l *Login) Offer(ctx context.Context, b *act.Bus) (Link, error) {
	out, _, err := l.offer().Call(ctx, b, act.SystemActor("start"), Nothing{})
	return out, err
}

func (l *Login) vacant(ctx context.Context, v *act.View) error {
	has, err := l.Accounts.HasFirst(ctx, v)
	if err == nil && has {
		return core.Errorf(core.Conflict, "the first administrator has been set up already")
	}
	return err
}

// offer makes a link; those before it end.
func offer(ctx context.Context, tx *act.Tx, account string) (Link, error) {
	if err := endSetups(ctx, tx, account, false); err != nil {
		return Link{}, err
	}
	token := core.NewToken()
	s := setup{id: core.NewID("l"), account: account, hash: hashOf(token), created: tx.Now(), expires: tx.Now().Add(setupLife)}
	if err := insertSetup(ctx, tx, s); err != nil {
		return Link{}, err
	}
	out := Link{Account: account, Link: setupPath + token.Reveal(), Expires: s.expires}
	return out, tx.Record(ctx, "setup.offered", s.ref(), act.Field{Name: "account", New: value(account)},
		act.Field{Name: "expires", New: value(s.expires.Format(core.TimeFormat))})
}

// endSetups ends the links of an account that can still be claimed, or removes
// all of them.
func endSetups(ctx context.Context, tx *act.Tx, account string, all bool) error {
	list, err := setupsOf(ctx, &tx.View, account)
	for _, s := range list {
		if err != nil || !all && s.check(tx.Now()) != nil {
			continue
		}
		if err = tx.Record(ctx, "setup.ended", s.ref(), act.Field{Name: "account", Old: value(s.account)}); err == nil {
			err = deleteSetup(ctx, tx, s.id)
		}
	}
	return err
}

func expireSetups(ctx context.Context, tx *act.Tx) (int, error) {
	list, err := setupsOver(ctx, &tx.View, mostSwept)
	for _, s := range list {
		if err == nil {
			err = tx.Record(ctx, "setup.expired", s.ref(), act.Field{Name: "account", Old: value(s.account)})
		}
		if err == nil {
			err = deleteSetup(ctx, tx, s.id)
		}
	}
	return len(list), err
}

// check says why a link cannot be claimed any more. Only who has the token
// gets to read this.
func (s setup) check(now time.Time) error {
	switch {
	case !s.used.IsZero():
		return core.Errorf(core.Conflict, "this link has been used already; ask for a new one")
	case !now.Before(s.expires):
		return core.Errorf(core.Conflict, "this link is over: a link can be claimed for 30 minutes; ask for a new one")
	}
	return nil
}

// linked aims at the link, so that its record names it; an unknown one is
// refused later.
func linked(ctx context.Context, v *act.View, token core.Secret) (core.Ref, error) {
	s, found, err := setupByHash(ctx, v, hashOf(token))
	if err != nil || !found {
		return core.Ref{}, err
	}
	return s.ref(), nil
}

// valid returns a link that can be claimed; first: for the first administrator.
func valid(ctx context.Context, v *act.View, token core.Secret, first bool) (setup, error) {
	s, found, err := setupByHash(ctx, v, hashOf(token))
	if err == nil && (!found || (s.account == "") != first) {
		err = core.Errorf(core.NotFound, "there is no such link; ask for a new one")
	}
	if err == nil {
		err = s.check(v.Now())
	}
	return s, err
}

func (l *Login) setup() act.Change[First, Claimed] {
	return act.Change[First, Claimed]{
		Name: "login.setup", Doc: "Set up the first administrator with the link that the server printed.", Class: class,
		Roles: act.Stranger, Must: []string{"setup.used", "account.created", "credential.set"}, Serves: serves,
		Sample:  First{Token: core.NewSecret("0"), Login: "anna", Name: "Anna Kranewitt", Password: core.NewSecret("a password of many words")},
		Target:  func(ctx context.Context, v *act.View, in *First) (core.Ref, error) { return linked(ctx, v, in.Token) },
		Prepare: l.prepareSetup, Run: l.runSetup,
	}
}

func (l *Login) prepareSetup(ctx context.Context, v *act.View, in *First) error {
	if _, err := valid(ctx, v, in.Token, true); err != nil {
		return err
	}
	if err := l.vacant(ctx, v); err != nil {
		return err
	}
	var f core.Faults
	l.Accounts.CheckLogin(&f, "login", in.Login)
	phc, err := l.hash(ctx, v, f, "password", in.Password, in.Login, in.Name)
	in.phc = phc
	return err
}

func (l *Login) runSetup(ctx context.Context, tx *act.Tx, in First) (Claimed, error) {
	s, err := valid(ctx, &tx.View, in.Token, true)
	if err != nil {
		return Claimed{}, err
	}
	if err := claim(ctx, tx, s); err != nil {
		return Claimed{}, err
	}
	return l.first(ctx, tx, in.Login, in.Name, in.phc)
}

// claim uses a link up. One of two at once finds it used.
func claim(ctx context.Context, tx *act.Tx, s setup) error {
	ok, err := useSetup(ctx, tx, s.id)
	if err == nil && !ok {
		s.used = tx.Now()
		err = s.check(tx.Now())
	}
	if err != nil {
		return err
	}
	return tx.Record(ctx, "setup.used", s.ref(), act.Field{Name: "account", Old: value(s.account)})
}

func (l *Login) first(ctx context.Context, tx *act.Tx, login, name, phc string) (Claimed, error) {
	id, err := l.Accounts.First(ctx, tx, login, name)
	if err != nil {
		return Claimed{}, err
	}
	return Claimed{id, fold(login)}, set(ctx, tx, id, phc)
}

// set gives an account its password.
func set(ctx context.Context, tx *act.Tx, account, phc string) error {
	if err := setCredential(ctx, tx, account, phc); err != nil {
		return err
	}
	return tx.Record(ctx, "credential.set", credentialRef(account), act.Field{Name: "password", Secret: true})
}

func (l *Login) init() act.Change[Init, Claimed] {
	return act.Change[Init, Claimed]{
		Name: "admin.init", Doc: "Set up the first administrator at the server's own command line.", Class: class,
		Roles: act.Primary, Must: []string{"account.created", "credential.set"}, May: []string{"setup.ended"}, Serves: serves,
		Sample: Init{Login: "anna", Name: "Anna Kranewitt", Password: core.NewSecret("a password of many words")},
		Target: nowhere[Init],
		Prepare: func(ctx context.Context, v *act.View, in *Init) error {
			if err := l.vacant(ctx, v); err != nil {
				return err
			}
			var f core.Faults
			l.Accounts.CheckLogin(&f, "login", in.Login)
			phc, err := l.hash(ctx, v, f, "password", in.Password, in.Login, in.Name)
			in.phc = phc
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Init) (Claimed, error) {
			if err := endSetups(ctx, tx, "", false); err != nil {
				return Claimed{}, err
			}
			return l.first(ctx, tx, in.Login, in.Name, in.phc)
		},
	}
}

func (l *Login) invite() act.Change[Invite, Link] {
	return act.Change[Invite, Link]{
		Name: "login.invite", Doc: "Make a one-time link with which an account sets its password.", Class: class,
		Roles: act.Staff, Reveals: true, Must: []string{"setup.offered"}, May: []string{"setup.ended"}, Serves: serves,
		Sample: Invite{"a_0123456789abcdefghjkmnpqrs"},
		Target: func(ctx context.Context, v *act.View, in *Invite) (core.Ref, error) {
			id, err := l.Accounts.Resolve(ctx, v, in.Account)
			in.Account = id
			return core.Ref{Kind: "account", ID: id}, err
		},
		Run: l.runInvite,
	}
}

// runInvite makes nobody a link for himself: a stolen session would change the
// password without knowing the old one. At the local command line it is the way
// back in for an administrator who forgot his.
func (l *Login) runInvite(ctx context.Context, tx *act.Tx, in Invite) (Link, error) {
	if in.Account == tx.Actor().ID {
		return Link{}, core.Errorf(core.Denied, "a link is made by somebody else; to change your own password use password.change")
	}
	if err := l.Accounts.Manages(ctx, &tx.View, in.Account); err != nil {
		return Link{}, err
	}
	_, open, err := l.Accounts.Actor(ctx, &tx.View, in.Account)
	if err == nil && !open {
		err = core.Errorf(core.Conflict, "the account is disabled; enable it first")
	}
	if err != nil {
		return Link{}, err
	}
	return offer(ctx, tx, in.Account)
}

func (l *Login) claim() act.Change[Claim, Claimed] {
	return act.Change[Claim, Claimed]{
		Name: "login.claim", Doc: "Set your password with a one-time link.", Class: class,
		Roles: act.Stranger, Must: []string{"setup.used", "credential.set"}, May: []string{"session.ended"}, Serves: serves,
		Sample:  Claim{Token: core.NewSecret("0"), Password: core.NewSecret("a password of many words")},
		Target:  func(ctx context.Context, v *act.View, in *Claim) (core.Ref, error) { return linked(ctx, v, in.Token) },
		Prepare: l.prepareClaim, Run: l.runClaim,
	}
}

func (l *Login) prepareClaim(ctx context.Context, v *act.View, in *Claim) error {
	s, err := valid(ctx, v, in.Token, false)
	if err != nil {
		return err
	}
	who, _, err := l.Accounts.Actor(ctx, v, s.account)
	if err != nil {
		return err
	}
	in.phc, err = l.hash(ctx, v, nil, "password", in.Password, who.Name)
	return err
}

func (l *Login) runClaim(ctx context.Context, tx *act.Tx, in Claim) (Claimed, error) {
	s, err := valid(ctx, &tx.View, in.Token, false)
	if err != nil {
		return Claimed{}, err
	}
	who, open, err := l.Accounts.Actor(ctx, &tx.View, s.account)
	if err == nil && !open {
		err = core.Errorf(core.Conflict, "the account is disabled")
	}
	if err != nil {
		return Claimed{}, err
	}
	if err := claim(ctx, tx, s); err != nil {
		return Claimed{}, err
	}
	if err := l.endSessions(ctx, tx, s.account, ""); err != nil {
		return Claimed{}, err
	}
	return Claimed{who.ID, who.Name}, set(ctx, tx, s.account, in.phc)
}
