package login

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// The steps that can be left after a password or a passkey.
const (
	stepFactor   = "factor"   // show a second factor
	stepLink     = "link"     // show the link that goes with a reset
	stepEnrol    = "enrol"    // set up a second factor
	stepPassword = "password" // change the password
)

// left is what is left to do before a session is one. It is worked out at each
// use, from how things stand now.
func (l *Login) left(ctx context.Context, v *act.View, s Session, who act.Actor) (string, error) {
	standing, err := l.Factors.Standing(ctx, v, who)
	switch {
	case err != nil:
		return "", err
	case standing.Has && !s.strong:
		return stepFactor, nil
	case !standing.Has && standing.Reset && !s.linked:
		return stepLink, nil
	case !standing.Has && standing.Needed:
		return stepEnrol, nil
	}
	if s.Method == byPasskey { // no password was shown, and he may not know it
		return "", nil
	}
	c, _, err := credentialOf(ctx, v, s.Account)
	if err != nil || c.weak == "" {
		return "", err
	}
	return stepPassword, nil
}

// Step is the output of login.step.
type Step struct {
	Step    string    `json:"step"`              // factor, link, enrol or password; "": none is left
	Methods []string  `json:"methods,omitempty"` // ways to prove oneself: passkey, app, recovery
	Why     string    `json:"why,omitempty"`     // why the password must be changed
	Due     time.Time `json:"due,omitzero"`      // by when a second factor must be set up
	Has     bool      `json:"has"`               // there is a second factor
	Fresh   bool      `json:"fresh"`             // who he is was proved a moment ago
}

// step says what is left, for the page of one more step and that of proving
// oneself again.
func (l *Login) step() act.Query[Nothing, Step] {
	return act.Query[Nothing, Step]{
		Name: "login.step", Doc: "Say what is left to do before you are logged in.", Class: class, Roles: act.Entrant | act.Readers,
		Serves: serves, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Step, error) {
			me := v.Actor()
			out := Step{Step: me.Step, Fresh: me.Proved(v.Now(), proof)}
			who, _, err := l.Accounts.Actor(ctx, v, me.ID)
			if err != nil {
				return out, core.UnlessNotFound(err)
			}
			standing, err := l.Factors.Standing(ctx, v, who)
			if err != nil {
				return out, err
			}
			out.Due, out.Has = standing.Due, standing.Has
			c, _, err := credentialOf(ctx, v, me.ID)
			if err != nil {
				return out, err
			}
			out.Why = c.weak
			out.Methods, err = l.Factors.Methods(ctx, v, me.ID)
			return out, err
		},
	}
}

// Proof is what shows once more who somebody is: a code or a passkey, or for who
// has neither the password.
type Proof struct {
	Code     core.Secret `json:"code" form:"code" rule:"max=40" doc:"six digits of your app, or one of your recovery codes"`
	Passkey  string      `json:"passkey" form:"passkey" ask:"login.challenge" rule:"max=65536" doc:"answer of the browser about a passkey"`
	Password core.Secret `json:"password" form:"password" rule:"max=256" doc:"your password, when you have no second factor"`

	found   any
	checked checked
}

// Shown is the input of login.factor.
type Shown struct {
	Code    core.Secret `json:"code" form:"code" rule:"max=40" doc:"six digits of your app, or one of your recovery codes"`
	Passkey string      `json:"passkey" form:"passkey" ask:"login.challenge" rule:"max=65536" doc:"answer of the browser about a passkey"`
	Device  core.Secret `json:"device" form:"device" rule:"max=200" doc:"token of a browser that is known, if it has one"`

	found  any
	device string
}

// factor is the step after the password of somebody who has a second factor.
func (l *Login) factor() act.Change[Shown, Entered] {
	return act.Change[Shown, Entered]{
		Name: "login.factor", Doc: "Show your second factor, the last step of logging in.", Class: class, Roles: act.Entrant, Step: stepFactor, Reveals: true,
		Must: []string{"session.proved"}, Serves: serves, Wakes: []string{"mail"},
		May:    slices.Concat(l.ins(), []string{"throttle.counted", "credential.failed"}, l.Factors.Uses()),
		Sample: Shown{Code: core.NewSecret("123456")}, Target: mine[Shown],
		Prepare: func(ctx context.Context, v *act.View, in *Shown) error {
			d, err := knownDevice(ctx, v, in.Device, v.Actor().ID)
			if err != nil {
				return err
			}
			in.device = d.ID
			in.found, err = l.recognise(ctx, v, in.Code, in.Passkey, d.ID)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Shown) (Entered, error) {
			s, who, err := l.proving(ctx, tx)
			if err != nil {
				return Entered{}, err
			}
			if err := l.use(ctx, tx, in.Passkey, in.found, in.device); err != nil {
				return Entered{}, err
			}
			s.Method = byFactor
			token, err := l.proved(ctx, tx, &s, who, true)
			if err != nil {
				return Entered{}, err
			}
			return l.entered(ctx, tx, s, who, token, in.device)
		},
	}
}

// mine aims at the caller's own session.
func mine[I any](ctx context.Context, v *act.View, _ *I) (core.Ref, error) {
	s, err := sessionByID(ctx, v, v.Actor().Session)
	if err != nil {
		err = core.Errorf(core.NotFound, "you are not in a session")
	}
	return s.ref(), err
}

// recognise judges a code or a passkey's answer. What is wrong is counted by Run:
// found is then nil.
func (l *Login) recognise(ctx context.Context, v *act.View, code core.Secret, passkey, device string) (any, error) {
	me := v.Actor()
	if code.Empty() == (passkey == "") {
		return nil, core.Faults{{Field: "code", Accepted: "give a code, or use a passkey"}}.Err()
	}
	if passkey == "" { // a passkey cannot be guessed
		if err := wait(ctx, v, codeKeys(me, device)...); err != nil {
			l.report(v, me.ID, "throttled", err)
			return nil, err
		}
	}
	found, err := l.Factors.Check(ctx, v, me.ID, code, passkey)
	if core.CodeOf(err) != core.Unauthenticated || err == nil {
		return found, err
	}
	l.report(v, me.ID, "factor", nil)
	if passkey != "" {
		return nil, core.Errorf(core.Invalid, "%s", core.AsError(err).Public)
	}
	return nil, nil
}

// proving returns the session of the caller and who he is, once he may be let in.
func (l *Login) proving(ctx context.Context, tx *act.Tx) (s Session, who act.Actor, err error) {
	me := tx.Actor()
	if s, err = sessionByID(ctx, &tx.View, me.Session); err != nil {
		return s, who, err
	}
	who, open, err := l.Accounts.Actor(ctx, &tx.View, me.ID)
	if err == nil && (!open || s.Account != me.ID) {
		err = core.Errorf(core.Unauthenticated, "the session is over; log in again")
	}
	if err != nil {
		return s, who, err
	}
	at := who
	at.Door, at.Address = me.Door, me.Address
	return s, who, l.Admit(ctx, &tx.View, at)
}

// use uses up what was recognised, or counts that nothing was. A code waits once
// more: many at once must not count as one.
func (l *Login) use(ctx context.Context, tx *act.Tx, passkey string, found any, device string) error {
	me := tx.Actor()
	keys := codeKeys(me, device)
	if passkey == "" {
		if err := wait(ctx, &tx.View, keys...); err != nil {
			return err
		}
	}
	if found == nil {
		return l.mistaken(ctx, tx, device)
	}
	if err := l.Factors.Use(ctx, tx, me.ID, found); core.CodeOf(err) == core.Unauthenticated && err != nil {
		return l.mistaken(ctx, tx, device)
	} else if err != nil {
		return err
	}
	return forgive(ctx, tx, append(keys, factorKey(me.ID))...)
}

// mistaken counts a wrong code. Where nothing is known it was shown by somebody who
// has the password: that is told.
func (l *Login) mistaken(ctx context.Context, tx *act.Tx, device string) error {
	me := tx.Actor()
	keys := codeKeys(me, device)
	err := countFailure(ctx, tx, append(keys, networkKey(me.Address))...)
	if err == nil && device != "" {
		err = failDevice(ctx, tx, device)
	}
	if err == nil {
		err = failCredential(ctx, tx, me.ID)
	}
	if err == nil && slices.Contains(keys, factorKey(me.ID)) {
		err = l.warn(ctx, tx)
	}
	if err != nil {
		return err
	}
	return tx.Refuse(core.Faults{{Field: "code", Accepted: "is not right, or it was used before; take the next one"}}.Err())
}

// warn tells an account how many wrong codes followed its password, at the third,
// the tenth and the one that locks.
func (l *Login) warn(ctx context.Context, tx *act.Tx) error {
	me := tx.Actor()
	b, err := burdenOf(ctx, &tx.View, factorKey(me.ID).text)
	if err != nil || !slices.Contains([]int{3, 10, mostEver}, b.failures) {
		return err
	}
	return l.Notices.Tell(ctx, tx, me.ID, "Wrong codes after your password", fmt.Sprintf(
		"%d wrong codes in a row were shown after your password, the last one from the address %s. If it was not you, somebody has your password: change it now.", b.failures, me.Address))
}

// proved notes that who is in the session showed who he is, and gives the session
// another token.
func (l *Login) proved(ctx context.Context, tx *act.Tx, s *Session, who act.Actor, strong bool) (core.Secret, error) {
	s.proved, s.strong = tx.Now(), s.strong || strong
	token, err := l.rotated(ctx, tx, s, who)
	if err != nil {
		return token, err
	}
	return token, tx.Record(ctx, "session.proved", s.ref(), act.Field{Name: "account", New: &s.Account}, act.Field{Name: "method", New: &s.Method})
}

// rotated gives a session another token: one that somebody had before opens
// nothing any more. One that is whole from now on lasts as long as whole ones do.
// Its record is the caller's.
func (l *Login) rotated(ctx context.Context, tx *act.Tx, s *Session, who act.Actor) (core.Secret, error) {
	token := core.NewToken()
	s.hash = hashOf(token)
	step, err := l.left(ctx, &tx.View, *s, who)
	if err == nil && step == "" && s.half() {
		err = l.grow(ctx, tx, s, who)
	}
	if err != nil {
		return token, err
	}
	return token, writeProof(ctx, tx, *s)
}

func (l *Login) grow(ctx context.Context, tx *act.Tx, s *Session, who act.Actor) error {
	limits, _, err := limitsNow(ctx, &tx.View)
	if err != nil {
		return err
	}
	_, absolute := limits.of(who.Role)
	s.Expires = s.Started.Add(absolute)
	return l.room(ctx, tx, who.ID, false)
}

// Prove notes that who is in the session has just shown a second factor, and
// gives the session another token.
func (l *Login) Prove(ctx context.Context, tx *act.Tx, session string) (core.Secret, time.Time, error) {
	s, err := sessionByID(ctx, &tx.View, session)
	if err != nil {
		return core.Secret{}, time.Time{}, err
	}
	who, _, err := l.Accounts.Actor(ctx, &tx.View, s.Account)
	if err != nil {
		return core.Secret{}, time.Time{}, err
	}
	if s.Method == byPassword {
		s.Method = byFactor
	}
	token, err := l.proved(ctx, tx, &s, who, true)
	return token, s.Expires, err
}

// Proves names the events that Prove may record.
func (l *Login) Proves() []string { return []string{"session.proved", "session.ended"} }

// prove is the step-up before what opens doors (SPEC A7).
func (l *Login) prove() act.Change[Proof, Entered] {
	return act.Change[Proof, Entered]{
		Name: "session.prove", Doc: "Show once more who you are, before what opens doors.", Class: class, Roles: act.Readers | act.Entrant, Step: stepEnrol, Reveals: true,
		Must: []string{"session.proved"}, Serves: serves,
		May:    slices.Concat([]string{"session.ended", "throttle.counted", "throttle.cleared", "credential.failed"}, l.Factors.Uses(), l.Notices.Tells()),
		Sample: Proof{Password: core.NewSecret("a password of many words")}, Target: mine[Proof],
		Prepare: l.prepareProve, Run: l.runProve,
	}
}

func (l *Login) prepareProve(ctx context.Context, v *act.View, in *Proof) error {
	me := v.Actor()
	if me.By != nil {
		return core.Errorf(core.Denied, "who acts as somebody else cannot prove to be him")
	}
	standing, err := l.Factors.Standing(ctx, v, me)
	if err != nil {
		return err
	}
	if standing.Has {
		in.found, err = l.recognise(ctx, v, in.Code, in.Passkey, "")
		return err
	}
	if in.Password.Empty() {
		return core.Faults{{Field: "password", Accepted: "must be given: you have no second factor"}}.Err()
	}
	return l.recall(ctx, v, in.Password, &in.checked)
}

// recall holds a password against that of the caller, as log-in does: a stolen
// session is no way to find it out. The view reads no more afterwards.
func (l *Login) recall(ctx context.Context, v *act.View, password core.Secret, c *checked) (err error) {
	me := v.Actor()
	if err := wait(ctx, v, codeKeys(me, "")...); err != nil {
		return err
	}
	why, _, err := l.fill(ctx, v, me.ID, c)
	if err != nil {
		return err
	}
	v.Release()
	c.ok, _, err = l.Hasher.CheckPassword(ctx, me.ID, true, c.phc, password)
	if err == nil && !c.ok {
		l.report(v, me.ID, why, nil)
	}
	return err
}

func (l *Login) runProve(ctx context.Context, tx *act.Tx, in Proof) (Entered, error) {
	s, who, err := l.proving(ctx, tx)
	if err != nil {
		return Entered{}, err
	}
	standing, err := l.Factors.Standing(ctx, &tx.View, who)
	if err != nil {
		return Entered{}, err
	}
	if standing.Has {
		err = l.use(ctx, tx, in.Passkey, in.found, "")
	} else {
		_, err = l.knew(ctx, tx, in.checked, "password")
	}
	if err != nil {
		return Entered{}, err
	}
	token, err := l.proved(ctx, tx, &s, who, standing.Has)
	return Entered{Session: s.ID, Token: token, Expires: s.Expires}, err
}

// knew looks again at a password that recall held, and counts a wrong one. It
// waits once more, as use does.
func (l *Login) knew(ctx context.Context, tx *act.Tx, c checked, field string) (who act.Actor, err error) {
	if err := wait(ctx, &tx.View, codeKeys(tx.Actor(), "")...); err != nil {
		return who, err
	}
	who, ok, err := l.holds(ctx, &tx.View, c)
	if err == nil && !ok {
		err = l.forgotten(ctx, tx, field)
	}
	return who, err
}

// forgotten counts a wrong password of somebody who is in already.
func (l *Login) forgotten(ctx context.Context, tx *act.Tx, field string) error {
	me := tx.Actor()
	if err := countFailure(ctx, tx, append(codeKeys(me, ""), networkKey(me.Address))...); err != nil {
		return err
	}
	if err := failCredential(ctx, tx, me.ID); err != nil {
		return err
	}
	return tx.Refuse(core.Faults{{Field: field, Accepted: "is not your password"}}.Err())
}

// TokenOf is the input of login.link.
type TokenOf struct {
	Token core.Secret `json:"token" rule:"required,max=200" doc:"token of the link that you were given"`
}

// link is the step of somebody whose factors were reset: his password alone does
// not let him set up new ones.
func (l *Login) link() act.Change[TokenOf, Entered] {
	return act.Change[TokenOf, Entered]{
		Name: "login.link", Doc: "Show the link that you were given when your second factors were reset.", Class: class, Roles: act.Entrant, Step: stepLink, Reveals: true,
		Must: []string{"setup.used", "session.proved"}, May: append(l.ins(), "throttle.counted"), Serves: serves, Sample: TokenOf{core.NewSecret("0")}, Target: mine[TokenOf],
		Prepare: func(ctx context.Context, v *act.View, _ *TokenOf) error {
			return wait(ctx, v, codeKeys(v.Actor(), "")...)
		},
		Run: func(ctx context.Context, tx *act.Tx, in TokenOf) (Entered, error) {
			s, who, err := l.proving(ctx, tx)
			if err != nil {
				return Entered{}, err
			}
			x, err := valid(ctx, &tx.View, in.Token, forFactor)
			if err == nil && x.account != who.ID {
				err = errNoLink
			}
			if core.CodeOf(err) == core.NotFound && err != nil {
				if err := countFailure(ctx, tx, append(codeKeys(tx.Actor(), ""), networkKey(tx.Actor().Address))...); err != nil {
					return Entered{}, err
				}
				return Entered{}, tx.Refuse(core.Faults{{Field: "token", Accepted: "is not that of your link"}}.Err())
			}
			if err == nil {
				err = claim(ctx, tx, x)
			}
			if err != nil {
				return Entered{}, err
			}
			s.linked = true
			token, err := l.proved(ctx, tx, &s, who, false)
			if err != nil {
				return Entered{}, err
			}
			return l.entered(ctx, tx, s, who, token, "")
		},
	}
}

// Challenge is the output of login.challenge: what a browser needs to answer with
// a passkey, as JSON text.
type Challenge struct {
	Options string `json:"options"`
}

// challenge asks for a passkey: of the caller, or of a stranger for any.
func (l *Login) challenge() act.Query[Nothing, Challenge] {
	return act.Query[Nothing, Challenge]{
		Name: "login.challenge", Doc: "Say what a browser needs to log in with a passkey.", Class: class, Roles: act.Stranger | act.Entrant | act.Readers,
		Serves: serves, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Challenge, error) {
			account := ""
			if v.Actor().Role != act.Stranger {
				account = v.Actor().ID
			}
			options, err := l.Factors.Challenge(ctx, v, account)
			return Challenge{options}, err
		},
	}
}

// Passkey is the input of login.passkey.
type Passkey struct {
	Passkey string      `json:"passkey" form:"passkey" ask:"login.challenge" rule:"required,max=65536" doc:"answer of the browser about a passkey"`
	Device  core.Secret `json:"device" form:"device" rule:"max=200" doc:"token of a browser that is known, if it has one"`

	account string
	found   any
	device  string
}

// passkey lets somebody in without a name and a password. It stays open when a
// name is locked.
func (l *Login) passkey() act.Change[Passkey, Entered] {
	return act.Change[Passkey, Entered]{
		Name: "login.passkey", Doc: "Log in with a passkey, without a password.", Class: class, Roles: act.Stranger, Reveals: true,
		Must: []string{"session.started"}, Serves: []string{"2690:11.6", "2690:11.7"},
		Wakes:  []string{"mail"},
		May:    append(l.ins(), l.Factors.Uses()...),
		Sample: Passkey{Passkey: "{}"}, Target: nowhere[Passkey],
		Prepare: func(ctx context.Context, v *act.View, in *Passkey) (err error) {
			if in.account, in.found, err = l.Factors.Arrive(ctx, v, in.Passkey); err != nil {
				l.report(v, "", "passkey", nil)
				return err
			}
			d, err := knownDevice(ctx, v, in.Device, in.account)
			in.device = d.ID
			return err
		},
		Run: l.runPasskey,
	}
}

func (l *Login) runPasskey(ctx context.Context, tx *act.Tx, in Passkey) (Entered, error) {
	who, open, err := l.Accounts.Actor(ctx, &tx.View, in.account)
	if err == nil && !open {
		err = core.Errorf(core.Unauthenticated, "the account is closed")
	}
	if err != nil {
		return Entered{}, err
	}
	at := who
	at.Door, at.Address = tx.Actor().Door, tx.Actor().Address
	if err := l.Admit(ctx, &tx.View, at); err != nil { // he has proved who he is: the truth gives nothing away
		return Entered{}, err
	}
	if err := l.Factors.Use(ctx, tx, who.ID, in.found); err != nil {
		return Entered{}, err
	}
	name, err := nameKey(ctx, &tx.View, who.Name)
	if err == nil {
		err = forgive(ctx, tx, name, factorKey(who.ID))
	}
	if err != nil {
		return Entered{}, err
	}
	return l.start(ctx, tx, who, byPasskey, in.device)
}
