package login

import (
	"context"
	"slices"
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
	Password core.Secret `json:"password" form:"new-password" rule:"required,max=256" doc:"password of at least 15 characters; a sentence is a good one"`

	fresh fresh
}

// Init is the input of admin.init.
type Init struct {
	Login    string      `json:"login" rule:"required,max=254" doc:"log-in name: a short word or an e-mail address"`
	Name     string      `json:"name" rule:"max=200" doc:"name of the person"`
	Password core.Secret `json:"password" form:"new-password" rule:"required,max=256" doc:"password of at least 15 characters; a sentence is a good one"`

	fresh fresh
}

// Claim is the input of login.claim.
type Claim struct {
	Token    core.Secret `json:"token" rule:"required,max=200" doc:"token of the link"`
	Password core.Secret `json:"password" form:"new-password" rule:"required,max=256" doc:"new password of at least 15 characters; a sentence is a good one"`

	fresh fresh
}

// Claimed is the output of operations that give an account its password.
type Claimed struct {
	Account string `json:"account"`
	Login   string `json:"login"`
}

// Invite is the input of login.invite.
type Invite struct {
	Account string `json:"account" cli:"arg" rule:"required,max=254" doc:"id or log-in name of the account"`
	Send    bool   `json:"send" doc:"send the link to the account's e-mail address instead of showing it"`
}

// Link is a one-time link: shown once, claimed once, for 30 minutes. Its text is
// plain, since every face must be able to show it this once.
type Link struct {
	Account string    `json:"account,omitempty"` // "" for the first administrator
	Link    string    `json:"link,omitempty"`    // below the panel's own address; "" when it was sent
	Expires time.Time `json:"expires,omitzero"`
	Sent    bool      `json:"sent,omitempty"` // it goes to the account's e-mail address
}

// Where links lead, by what they are for.
var linkPaths = map[string]string{forPassword: "/setup#token=", byMail: "/setup#token=", forFactor: "/login#token="}

// Token is the secret of the link, which is in its fragment.
func (l Link) Token() string {
	_, token, _ := strings.Cut(l.Link, "#token=")
	return token
}

// State is the output of login.ready.
type State struct {
	Ready bool `json:"ready"` // there is an administrator
	Mails bool `json:"mails"` // a link for a new password can be had by mail
}

func (l *Login) ready() act.Query[Nothing, State] {
	return act.Query[Nothing, State]{
		Name: "login.ready", Doc: "Say whether the first administrator has been set up.", Class: class,
		Roles: act.Stranger | act.Entrant | act.Readers, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (State, error) {
			has, err := l.Accounts.HasFirst(ctx, v)
			return State{has, l.Mails()}, err
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
			return offer(ctx, tx, "", forPassword)
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

// offer makes a link; those before it end, but not those for something else: a
// stranger who has a letter sent must not take away what goes with a reset.
func offer(ctx context.Context, tx *act.Tx, account, purpose string) (Link, error) {
	if err := endSetups(ctx, tx, account, func(s setup) bool { return s.purpose == purpose && s.check(tx.Now()) == nil }); err != nil {
		return Link{}, err
	}
	token := core.NewToken()
	s := setup{id: core.NewID("l"), account: account, hash: hashOf(token), purpose: purpose, created: tx.Now(), expires: tx.Now().Add(setupLife)}
	if err := insertSetup(ctx, tx, s); err != nil {
		return Link{}, err
	}
	fields := []act.Field{{Name: "account", New: value(account)}, {Name: "expires", New: value(s.expires.Format(core.TimeFormat))}}
	if purpose != forPassword {
		fields = append(fields, act.Field{Name: "purpose", New: &purpose})
	}
	return Link{Account: account, Link: linkPaths[purpose] + token.Reveal(), Expires: s.expires}, tx.Record(ctx, "setup.offered", s.ref(), fields...)
}

// Enrolment makes a one-time link with which an account gets to set up a new
// second factor; Enrols names the events it may record.
func (l *Login) Enrolment(ctx context.Context, tx *act.Tx, account string) (link string, until time.Time, err error) {
	if err := forgive(ctx, tx, factorKey(account)); err != nil {
		return "", until, err
	}
	out, err := offer(ctx, tx, account, forFactor)
	return out.Link, out.Expires, err
}

// Enrols names the events that Enrolment may record.
func (l *Login) Enrols() []string {
	return []string{"setup.offered", "setup.ended", "throttle.cleared"}
}

// endSetups ends some links of an account.
func endSetups(ctx context.Context, tx *act.Tx, account string, which func(setup) bool) error {
	list, err := setupsOf(ctx, &tx.View, account)
	for _, s := range list {
		if err != nil || !which(s) {
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

var errNoLink = core.Errorf(core.NotFound, "there is no such link; ask for a new one")

// valid returns a link that can be claimed for one of some purposes.
func valid(ctx context.Context, v *act.View, token core.Secret, purposes ...string) (setup, error) {
	s, found, err := setupByHash(ctx, v, hashOf(token))
	if err == nil && (!found || !slices.Contains(purposes, s.purpose)) {
		err = errNoLink
	}
	if err == nil {
		err = s.check(v.Now())
	}
	return s, err
}

// validFirst is valid for the first administrator, whose link belongs to nobody.
func validFirst(ctx context.Context, v *act.View, token core.Secret) (setup, error) {
	s, err := valid(ctx, v, token, forPassword)
	if err == nil && s.account != "" {
		err = errNoLink
	}
	return s, err
}

// validFor is valid for the password of an account.
func validFor(ctx context.Context, v *act.View, token core.Secret) (setup, error) {
	s, err := valid(ctx, v, token, forPassword, byMail)
	if err == nil && s.account == "" {
		err = errNoLink
	}
	return s, err
}

// Claimable returns the names of whose link a token is of, core.Unauthenticated
// when it cannot be claimed: for who judges a password before there is an account.
func (l *Login) Claimable(ctx context.Context, v *act.View, token core.Secret) ([]string, error) {
	s, err := valid(ctx, v, token, forPassword, byMail)
	if err != nil {
		return nil, core.Wrap(core.Unauthenticated, err, "log in, or open the link that you were given")
	}
	if s.account == "" {
		return nil, nil
	}
	return l.Accounts.Words(ctx, v, s.account)
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
	if _, err := validFirst(ctx, v, in.Token); err != nil {
		return err
	}
	if err := l.vacant(ctx, v); err != nil {
		return err
	}
	var f core.Faults
	l.Accounts.CheckLogin(&f, "login", in.Login)
	fresh, err := l.hash(ctx, v, f, "password", in.Password, lane(v), false, in.Login, in.Name)
	in.fresh = fresh
	return err
}

func (l *Login) runSetup(ctx context.Context, tx *act.Tx, in First) (Claimed, error) {
	s, err := validFirst(ctx, &tx.View, in.Token)
	if err != nil {
		return Claimed{}, err
	}
	if err := claim(ctx, tx, s); err != nil {
		return Claimed{}, err
	}
	return l.first(ctx, tx, in.Login, in.Name, in.fresh)
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

func (l *Login) first(ctx context.Context, tx *act.Tx, login, name string, f fresh) (Claimed, error) {
	id, err := l.Accounts.First(ctx, tx, login, name)
	if err != nil {
		return Claimed{}, err
	}
	return Claimed{id, fold(login)}, set(ctx, tx, id, f)
}

// set gives an account its password.
func set(ctx context.Context, tx *act.Tx, account string, f fresh) error {
	if err := setCredential(ctx, tx, account, f); err != nil {
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
			fresh, err := l.hash(ctx, v, f, "password", in.Password, lane(v), false, in.Login, in.Name)
			in.fresh = fresh
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Init) (Claimed, error) {
			if err := endSetups(ctx, tx, "", func(s setup) bool { return s.check(tx.Now()) == nil }); err != nil {
				return Claimed{}, err
			}
			return l.first(ctx, tx, in.Login, in.Name, in.fresh)
		},
	}
}

func (l *Login) invite() act.Change[Invite, Link] {
	return act.Change[Invite, Link]{
		Name: "login.invite", Doc: "Make a one-time link with which an account sets its password, or have it sent.", Class: class,
		Roles: act.Staff, Proof: proof, Reveals: true, Wakes: []string{"mail"}, Serves: serves,
		May:    append([]string{"setup.offered", "setup.ended"}, l.Notices.Tells()...),
		Sample: Invite{Account: "a_0123456789abcdefghjkmnpqrs"},
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
	if err := l.linkTold(ctx, tx, in.Account); err != nil {
		return Link{}, err
	}
	if !in.Send {
		return offer(ctx, tx, in.Account, forPassword)
	}
	return Link{Account: in.Account, Sent: true}, l.send(ctx, tx, in.Account)
}

// linkTold tells somebody who has a password already that another one can be set.
func (l *Login) linkTold(ctx context.Context, tx *act.Tx, account string) error {
	if _, found, err := credentialOf(ctx, &tx.View, account); err != nil || !found {
		return err
	}
	return l.Notices.Tell(ctx, tx, account, "A link for a new password was made",
		tx.Actor().Name+" made a link with which a new password for your account can be set within 30 minutes. If you did not ask for it, tell your administrator at once.")
}

// send has the link go to the account's own address, so that nobody else ever
// sees it.
func (l *Login) send(ctx context.Context, tx *act.Tx, account string) error {
	address, err := l.Accounts.Address(ctx, &tx.View, account)
	switch {
	case err != nil:
		return err
	case address == "":
		return core.Errorf(core.Conflict, "the account has no e-mail address; give it one, or have the link shown")
	case !l.Mails():
		return core.Errorf(core.Conflict, "this server sends no mail: set [mail] server and [panel] url in panel.ini, or have the link shown")
	}
	return l.Notices.Queue(ctx, tx, account, LetterInvite)
}

func (l *Login) claim() act.Change[Claim, Claimed] {
	return act.Change[Claim, Claimed]{
		Name: "login.claim", Doc: "Set your password with a one-time link.", Class: class,
		Roles: act.Stranger, Must: []string{"setup.used", "credential.set"}, Serves: serves, Wakes: []string{"mail"},
		May:     append([]string{"session.ended", "setup.ended", "throttle.cleared"}, l.Notices.Tells()...),
		Sample:  Claim{Token: core.NewSecret("0"), Password: core.NewSecret("a password of many words")},
		Target:  func(ctx context.Context, v *act.View, in *Claim) (core.Ref, error) { return linked(ctx, v, in.Token) },
		Prepare: l.prepareClaim, Run: l.runClaim,
	}
}

func (l *Login) prepareClaim(ctx context.Context, v *act.View, in *Claim) error {
	s, err := validFor(ctx, v, in.Token)
	if err != nil {
		return err
	}
	who, _, err := l.Accounts.Actor(ctx, v, s.account)
	if err != nil {
		return err
	}
	standing, err := l.Factors.Standing(ctx, v, who)
	if err != nil {
		return err
	}
	words, err := l.Accounts.Words(ctx, v, s.account)
	if err != nil {
		return err
	}
	in.fresh, err = l.hash(ctx, v, nil, "password", in.Password, lane(v), standing.Has, words...)
	return err
}

func (l *Login) runClaim(ctx context.Context, tx *act.Tx, in Claim) (Claimed, error) {
	s, err := validFor(ctx, &tx.View, in.Token)
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
	others := func(x setup) bool { return x.purpose != forFactor && x.check(tx.Now()) == nil }
	if err := firstOf(l.endSessions(ctx, tx, s.account, ""), endSetups(ctx, tx, s.account, others)); err != nil {
		return Claimed{}, err
	}
	if err := l.unlock(ctx, tx, who); err != nil {
		return Claimed{}, err
	}
	return Claimed{who.ID, who.Name}, set(ctx, tx, s.account, in.fresh)
}

// unlock opens a name that failures had locked, and tells its owner that the
// password is another one.
func (l *Login) unlock(ctx context.Context, tx *act.Tx, who act.Actor) error {
	name, err := nameKey(ctx, &tx.View, who.Name)
	if err == nil {
		err = forgive(ctx, tx, name, togetherKey(tx.Actor().Address, who.Name))
	}
	if err != nil {
		return err
	}
	return l.Notices.Tell(ctx, tx, who.ID, "Your password was set", "Somebody set the password of your account with a one-time link, from the address "+tx.Actor().Address+". Your sessions ended. API tokens go on working: look at yours. If it was not you, tell your administrator at once.")
}
