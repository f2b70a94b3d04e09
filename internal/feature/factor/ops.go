package factor

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Nothing is an input without fields.
type Nothing struct{}

// Of is the input of factor.list.
type Of struct {
	Account string `json:"account" cli:"arg" rule:"max=254" doc:"id or log-in name of the account; you when left out"`
}

// Owned is the output of factor.list.
type Owned struct {
	App      time.Time `json:"app,omitzero"` // since when there is an authenticator app
	Passkeys []Passkey `json:"passkeys"`
	Recovery int       `json:"recovery"` // recovery codes that are left
	Has      bool      `json:"has"`
	Required bool      `json:"required"`
	Due      time.Time `json:"due,omitzero"` // by when one is required
	Reset    bool      `json:"reset"`        // they were reset, and there is none again yet
}

func (f *Factors) list() act.Query[Of, Owned] {
	return act.Query[Of, Owned]{
		Name: "factor.list", Doc: "List the second factors of an account.", Class: class, Roles: act.Readers | act.Entrant, Step: enrol, Serves: serves,
		Sample: Of{},
		Target: func(ctx context.Context, v *act.View, in *Of) (core.Ref, error) {
			if in.Account == "" {
				in.Account = v.Actor().ID
				return own(ctx, v, in)
			}
			id, err := f.Accounts.Resolve(ctx, v, in.Account)
			in.Account = id
			return core.Ref{Kind: "account", ID: id}, err
		},
		Run: f.owned,
	}
}

func (f *Factors) owned(ctx context.Context, v *act.View, in Of) (out Owned, err error) {
	who, _, err := f.Accounts.Actor(ctx, v, in.Account)
	if err != nil {
		return out, err
	}
	if v.Actor().Role == act.Entrant && who.ID != v.Actor().ID {
		return out, core.Errorf(core.Denied, "finish logging in first")
	}
	s, err := f.Standing(ctx, v, who)
	if err != nil {
		return out, err
	}
	out = Owned{Has: s.Has, Required: !s.Due.IsZero() || s.Reset, Due: s.Due, Reset: s.Reset}
	a, _, err := appOf(ctx, v, in.Account)
	if err != nil {
		return out, err
	}
	out.App = a.confirmed
	if out.Passkeys, err = passkeysOf(ctx, v, in.Account); err != nil {
		return out, err
	}
	codes, err := codesOf(ctx, v, in.Account)
	out.Recovery = len(codes.Hashes)
	return out, err
}

// Begun is the output of totp.begin: what an app is set up with, shown once.
type Begun struct {
	Secret string `json:"secret"`
	URI    string `json:"uri"` // for a QR code
}

func (f *Factors) begin() act.Change[Nothing, Begun] {
	return act.Change[Nothing, Begun]{
		Name: "totp.begin", Doc: "Begin to set up an authenticator app, and show its secret once.", Class: class,
		Roles: act.Readers | act.Entrant, Step: enrol, Proof: proof15, Reveals: true, Must: []string{"totp.begun"}, Serves: serves,
		Sample: Nothing{}, Target: own[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Begun, error) {
			me, err := f.inSession(ctx, &tx.View)
			if err != nil {
				return Begun{}, err
			}
			sealed, seed, err := f.Codes.NewTOTP(ctx, ad(me))
			if err != nil {
				return Begun{}, err
			}
			a, _, err := appOf(ctx, &tx.View, me)
			if err != nil {
				return Begun{}, err
			}
			a.pending, a.begun = base64.StdEncoding.EncodeToString(sealed), tx.Now()
			if err := writeApp(ctx, tx, a); err != nil {
				return Begun{}, err
			}
			return Begun{seed.Reveal(), f.uri(tx.Actor().Name, seed)}, tx.Record(ctx, "totp.begun", a.ref(), act.Field{Name: "seed", Secret: true})
		},
	}
}

// uri is what a QR code says (the key URI format that all apps read).
func (f *Factors) uri(login string, seed core.Secret) string {
	issuer := f.Issuer()
	q := url.Values{"secret": {seed.Reveal()}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+login) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// Code is the input of totp.confirm.
type Code struct {
	Code core.Secret `json:"code" form:"code" rule:"required,max=20" doc:"the six digits that the app shows now"`

	held string // seed that it was held against
	step int64
}

// Confirmed is the output of what gives an account a factor.
type Confirmed struct {
	Codes []string `json:"codes,omitempty"` // recovery codes, when there were none

	token core.Secret
	until time.Time
}

// Text has a code in each line.
func (c Confirmed) Text() string { return strings.Join(c.Codes, "\n") }

// OpensSession hands the session's new token to the face.
func (c Confirmed) OpensSession() (core.Secret, time.Time) { return c.token, c.until }

func (f *Factors) confirm() act.Change[Code, Confirmed] {
	return act.Change[Code, Confirmed]{
		Name: "totp.confirm", Doc: "Confirm the authenticator app with a code that it shows.", Class: class,
		Roles: act.Readers | act.Entrant, Step: enrol, Reveals: true, Must: []string{"totp.confirmed"}, May: f.arms(), Serves: serves,
		Sample: Code{Code: core.NewSecret("123456")}, Target: own[Code],
		Prepare: f.prepareConfirm, Run: f.runConfirm,
	}
}

// arms names what giving an account a factor may record besides.
func (f *Factors) arms() []string {
	return append([]string{"recovery.made", "factor.restored"}, f.door.Proves()...)
}

func (f *Factors) prepareConfirm(ctx context.Context, v *act.View, in *Code) error {
	me, err := f.inSession(ctx, v)
	if err != nil {
		return err
	}
	a, _, err := appOf(ctx, v, me)
	if err != nil {
		return err
	}
	if a.pending == "" || v.Now().Sub(a.begun) >= pendingLife {
		return core.Errorf(core.Conflict, "begin to set up the app first: its secret is good for %d minutes", int(pendingLife.Minutes()))
	}
	in.held = a.pending
	if in.step, err = f.shown(ctx, v, a, in.Code); err != nil && core.CodeOf(err) == core.Internal {
		return nil // see checkCode: Run looks again
	}
	return err
}

// shown returns the step of a code that an app shows which is being set up.
func (f *Factors) shown(ctx context.Context, v *act.View, a app, code core.Secret) (int64, error) {
	step, ok, err := f.holds(ctx, v, a.account, a.pending, code, 0)
	if err == nil && !ok {
		err = core.Faults{{Field: "code", Accepted: "is not what the app shows now; look whether the clock of the phone is right"}}.Err()
	}
	return step, err
}

// runConfirm takes the seed whose code was shown. Another one may have been begun
// meanwhile, of which nobody has shown that he has it.
func (f *Factors) runConfirm(ctx context.Context, tx *act.Tx, in Code) (Confirmed, error) {
	me := tx.Actor().ID
	a, _, err := appOf(ctx, &tx.View, me)
	if err != nil {
		return Confirmed{}, err
	}
	if a.pending != in.held {
		return Confirmed{}, core.Errorf(core.Conflict, "the app was confirmed already, or is to be set up anew")
	}
	if in.step == 0 {
		in.step, err = f.shown(ctx, &tx.View, a, in.Code)
	}
	if err != nil {
		return Confirmed{}, err
	}
	a = app{account: me, sealed: a.pending, confirmed: tx.Now(), last: in.step}
	if err := writeApp(ctx, tx, a); err != nil {
		return Confirmed{}, err
	}
	if err := tx.Record(ctx, "totp.confirmed", a.ref(), act.Field{Name: "seed", Secret: true}); err != nil {
		return Confirmed{}, err
	}
	return f.armed(ctx, tx, me)
}

// armed ends what gave an account a factor: it gets recovery codes if it has
// none, and the session counts as proved.
func (f *Factors) armed(ctx context.Context, tx *act.Tx, account string) (c Confirmed, err error) {
	if err = f.restored(ctx, tx, account, "factor.restored"); err != nil {
		return c, err
	}
	have, err := codesOf(ctx, &tx.View, account)
	if err != nil {
		return c, err
	}
	if len(have.Hashes) == 0 {
		if c.Codes, err = makeCodes(ctx, tx, account); err != nil {
			return c, err
		}
	}
	c.token, c.until, err = f.door.Prove(ctx, tx, tx.Actor().Session)
	return c, err
}

func makeCodes(ctx context.Context, tx *act.Tx, account string) ([]string, error) {
	if _, err := removeCodes(ctx, tx, account); err != nil {
		return nil, err
	}
	var codes []string
	for range recoveryCodes {
		code := newRecoveryCode()
		if err := insertCode(ctx, tx, account, hashOf(code)); err != nil {
			return nil, err
		}
		codes = append(codes, code.Reveal())
	}
	return codes, tx.Record(ctx, "recovery.made", core.Ref{Kind: "recovery", ID: account}, act.Field{Name: "codes", Secret: true})
}

// last refuses to take the last factor of somebody who must have one.
func (f *Factors) last(ctx context.Context, tx *act.Tx) (alone bool, err error) {
	n, _, err := counted(ctx, &tx.View, tx.Actor().ID)
	if err != nil || n > 1 {
		return false, err
	}
	s, err := f.Standing(ctx, &tx.View, tx.Actor())
	if err == nil && !s.Due.IsZero() {
		err = core.Errorf(core.Conflict, "you must have a second factor, and this is your last one: add another first")
	}
	return true, err
}

func (f *Factors) removeTOTP() act.Change[Nothing, Nothing] {
	return act.Change[Nothing, Nothing]{
		Name: "totp.remove", Doc: "Remove your authenticator app.", Class: class, Roles: act.Readers, Proof: proof15, Confirm: true,
		Must: []string{"totp.removed"}, May: []string{"recovery.removed"}, Serves: serves, Sample: Nothing{}, Target: own[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Nothing, error) {
			me, err := f.inSession(ctx, &tx.View)
			if err != nil {
				return Nothing{}, err
			}
			a, _, err := appOf(ctx, &tx.View, me)
			if err == nil && a.sealed == "" {
				err = core.Errorf(core.NotFound, "you have no authenticator app")
			}
			if err != nil {
				return Nothing{}, err
			}
			alone, err := f.last(ctx, tx)
			if err == nil {
				err = dropApp(ctx, tx, a)
			}
			if err == nil && alone {
				err = dropCodes(ctx, tx, me)
			}
			return Nothing{}, err
		},
	}
}

// Options is what a browser needs for a ceremony, as JSON text.
type Options struct {
	Options string `json:"options"`
}

func (f *Factors) offer() act.Query[Nothing, Options] {
	return act.Query[Nothing, Options]{
		Name: "passkey.offer", Doc: "Say what a browser needs to make a passkey.", Class: class, Roles: act.Readers | act.Entrant, Step: enrol,
		Sample: Nothing{}, Target: own[Nothing], Serves: serves,
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Options, error) {
			me := v.Actor()
			list, err := passkeysOf(ctx, v, me.ID)
			if err != nil {
				return Options{}, err
			}
			var have []string
			for _, p := range list {
				have = append(have, p.data)
			}
			ticket, err := f.Codes.Ticket(ctx, "create", []byte(me.Session), v.Now())
			if err != nil {
				return Options{}, err
			}
			options, err := f.Passkeys.Create(me.Host, ticket, me, have)
			return Options{options}, err
		},
	}
}

// Add is the input of passkey.add.
type Add struct {
	Name     string `json:"name" rule:"required,max=100" doc:"what you call it, such as the name of the phone or key"`
	Response string `json:"response" form:"passkey" ask:"passkey.offer" rule:"required,max=65536" doc:"answer of the browser"`

	passkey Passkey
}

func (f *Factors) add() act.Change[Add, Confirmed] {
	return act.Change[Add, Confirmed]{
		Name: "passkey.add", Doc: "Add a passkey: a phone, a computer or a security key.", Class: class,
		Roles: act.Readers | act.Entrant, Step: enrol, Proof: proof15, Reveals: true, Must: []string{"passkey.added"}, May: f.arms(), Serves: serves,
		Sample: Add{Name: "phone", Response: "{}"}, Target: own[Add], Prepare: f.prepareAdd, Run: f.runAdd,
	}
}

func (f *Factors) prepareAdd(ctx context.Context, v *act.View, in *Add) error {
	account, err := f.inSession(ctx, v)
	if err != nil {
		return err
	}
	me := v.Actor()
	challenge, _, err := f.Passkeys.Claim(in.Response)
	if err != nil {
		return err
	}
	issued, ok, err := f.Codes.CheckTicket(ctx, "create", []byte(me.Session), challenge, v.Now(), challengeLife)
	if err != nil || !ok {
		return orLate(err)
	}
	p := Passkey{ID: core.NewID("k"), Name: strings.TrimSpace(in.Name), account: account, asked: issued}
	p.handle, p.data, err = f.Passkeys.Created(me.Host, challenge, me, in.Response)
	in.passkey = p
	return err
}

func (f *Factors) runAdd(ctx context.Context, tx *act.Tx, in Add) (Confirmed, error) {
	p := in.passkey
	p.Made = tx.Now()
	if err := addable(ctx, &tx.View, p); err != nil {
		return Confirmed{}, err
	}
	if err := insertPasskey(ctx, tx, p); err != nil {
		return Confirmed{}, err
	}
	if err := tx.Record(ctx, "passkey.added", p.ref(), act.Diff(nil, p)...); err != nil {
		return Confirmed{}, err
	}
	return f.armed(ctx, tx, p.account)
}

// addable refuses one passkey too many, one that is known, and a second one made
// with the same challenge.
func addable(ctx context.Context, v *act.View, p Passkey) error {
	list, err := passkeysOf(ctx, v, p.account)
	switch {
	case err != nil:
		return err
	case len(list) >= mostPasskeys:
		return core.Errorf(core.Conflict, "you have %d passkeys; remove one first", len(list))
	case slices.ContainsFunc(list, func(x Passkey) bool { return x.Made.After(p.asked) }):
		return orLate(nil)
	}
	_, err = passkeyByHandle(ctx, v, p.handle)
	switch {
	case err == nil:
		return core.Errorf(core.Conflict, "this passkey is known already")
	case core.CodeOf(err) == core.NotFound:
		return nil
	}
	return err
}

// Key is the input of passkey.remove.
type Key struct {
	Passkey string `json:"passkey" cli:"arg" rule:"required,max=40" doc:"id of the passkey"`
}

func (f *Factors) removeKey() act.Change[Key, Key] {
	return act.Change[Key, Key]{
		Name: "passkey.remove", Doc: "Remove a passkey of yours.", Class: class, Roles: act.Readers, Proof: proof15, Confirm: true,
		Must: []string{"passkey.removed"}, May: []string{"recovery.removed"}, Serves: serves, Sample: Key{"k_0123456789abcdefghjkmnpqrs"},
		Target: func(_ context.Context, _ *act.View, in *Key) (core.Ref, error) {
			return core.Ref{Kind: "passkey", ID: in.Passkey}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in Key) (Key, error) {
			me, err := f.inSession(ctx, &tx.View)
			if err != nil {
				return in, err
			}
			p, err := passkeyByID(ctx, &tx.View, in.Passkey)
			if err == nil && p.account != me {
				err = core.Errorf(core.Denied, "a passkey is removed by its owner; who manages an account resets all its factors")
			}
			if err != nil {
				return in, err
			}
			alone, err := f.last(ctx, tx)
			if err == nil {
				err = dropPasskey(ctx, tx, p)
			}
			if err == nil && alone {
				err = dropCodes(ctx, tx, me)
			}
			return in, err
		},
	}
}

// Recovery is the output of recovery.renew.
type Recovery struct {
	Codes []string `json:"codes"`
}

// Text has a code in each line.
func (r Recovery) Text() string { return strings.Join(r.Codes, "\n") }

func (f *Factors) renew() act.Change[Nothing, Recovery] {
	return act.Change[Nothing, Recovery]{
		Name: "recovery.renew", Doc: "Make ten new recovery codes, and show them once; the old ones end.", Class: class, Roles: act.Readers,
		Proof: proof15, Reveals: true, Must: []string{"recovery.made"}, Serves: serves, Sample: Nothing{}, Target: own[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Recovery, error) {
			me, err := f.inSession(ctx, &tx.View)
			if err != nil {
				return Recovery{}, err
			}
			n, _, err := counted(ctx, &tx.View, me)
			if err == nil && n == 0 {
				err = core.Errorf(core.Conflict, "recovery codes stand in for a second factor; set one up first")
			}
			if err != nil {
				return Recovery{}, err
			}
			codes, err := makeCodes(ctx, tx, me)
			return Recovery{codes}, err
		},
	}
}

// Reset is the input of factor.reset.
type Reset struct {
	Account string `json:"account" cli:"arg" rule:"required,max=254" doc:"id or log-in name of the account"`
	How     string `json:"how" rule:"required,min=5,max=400" doc:"how you made sure that it is he who asks: called back, seen in person; it goes on record, and he reads it"`
}

// Validate holds the rules beyond the tags: blanks say nothing.
func (r *Reset) Validate(f *core.Faults) {
	if r.How = strings.TrimSpace(r.How); len(r.How) < 5 {
		f.Add("how", "", "must have at least 5 characters")
	}
}

// Link is the output of factor.reset: shown once, to be handed to the person.
type Link struct {
	Account string    `json:"account"`
	Link    string    `json:"link"` // below the panel's own address
	Expires time.Time `json:"expires"`
}

// reset never opens an account to its password alone: the person needs the link
// too, and is told (SPEC A5). How he was recognised is on record: the reset is as
// sure as that. API tokens go too: whoever lost his phone may have lost more.
func (f *Factors) reset() act.Change[Reset, Link] {
	return act.Change[Reset, Link]{
		Name: "factor.reset", Doc: "Remove all second factors of an account; with the link you get, its owner sets up a new one.", Class: class,
		Roles: act.Staff, Proof: proof15, Confirm: true, Reveals: true, Must: []string{"factor.reset"}, Wakes: []string{"mail"},
		May:    slices.Concat(f.Ends(), f.door.Ends(), f.tokens.Ends(), f.door.Enrols(), f.Notices.Tells()),
		Serves: serves, Sample: Reset{"a_0123456789abcdefghjkmnpqrs", "called back at the number we have"},
		Target: func(ctx context.Context, v *act.View, in *Reset) (core.Ref, error) {
			id, err := f.Accounts.Resolve(ctx, v, in.Account)
			in.Account = id
			return core.Ref{Kind: "account", ID: id}, err
		},
		Run: f.runReset,
	}
}

func (f *Factors) runReset(ctx context.Context, tx *act.Tx, in Reset) (Link, error) {
	if in.Account == tx.Actor().ID {
		return Link{}, core.Errorf(core.Denied, "your own factors are changed one by one; somebody else resets them when you lost them all")
	}
	if err := f.Accounts.Manages(ctx, &tx.View, in.Account); err != nil {
		return Link{}, err
	}
	n, reset, err := counted(ctx, &tx.View, in.Account)
	if err == nil && n == 0 && !reset {
		err = core.Errorf(core.Conflict, "the account has no second factor to reset")
	}
	if err == nil {
		err = strip(ctx, tx, in.Account)
	}
	if err == nil {
		err = f.door.End(ctx, tx, in.Account, false)
	}
	if err == nil {
		err = f.tokens.End(ctx, tx, in.Account, true)
	}
	if err == nil {
		err = writeReset(ctx, tx, in.Account)
	}
	if err == nil {
		err = tx.Record(ctx, "factor.reset", core.Ref{Kind: "factor", ID: in.Account}, act.Field{Name: "how", New: &in.How})
	}
	if err == nil {
		err = f.Notices.Tell(ctx, tx, in.Account, "Your second factors were reset",
			"All second factors and API tokens of your account were removed by "+by(tx.Actor())+". How it was made sure that you asked: "+in.How+". Until you set up a new one, nobody gets in without the link that was handed out. If you did not ask for this, tell your administrator at once.")
	}
	if err != nil {
		return Link{}, err
	}
	out := Link{Account: in.Account}
	out.Link, out.Expires, err = f.door.Enrolment(ctx, tx, in.Account)
	return out, err
}

// by is how a notice names who did something.
func by(a act.Actor) string {
	if a.Kind == "os" {
		return a.Name + " at the server's command line"
	}
	return a.Name + " (" + a.Role.String() + ")"
}
