package login

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Enter is the input of login.enter.
type Enter struct {
	Login    string      `json:"login" rule:"required,max=254" doc:"log-in name"`
	Password core.Secret `json:"password" form:"password" rule:"required,max=256" doc:"password"`
	Device   core.Secret `json:"device" form:"device" rule:"max=200" doc:"token of a browser that is known, if it has one"`

	checked checked
}

// checked is what Prepare found out, for Run to act upon.
type checked struct {
	account string // "" for nobody
	phc     string // what the password was held against
	ok      bool
	better  string // the same password at today's cost
	device  string // id of the known device it came from
	barred  error  // administrators do not log in from this address

	judged string // what it was held against now; "" when it was before
	weak   string // why it must be changed
}

// Entered is the output of what opens a session.
type Entered struct {
	Session string      `json:"session"`
	Token   core.Secret `json:"token"`
	Expires time.Time   `json:"expires"`
	Step    string      `json:"step,omitempty"` // what is left to do; "": nothing
	Device  core.Secret `json:"device"`         // for a browser that is not known yet

	deviceUntil time.Time
}

// OpensSession hands the token to the face, which sets the cookie.
func (e Entered) OpensSession() (core.Secret, time.Time) { return e.Token, e.Expires }

// KnowsDevice hands the device's token to the face, which keeps it as a cookie.
func (e Entered) KnowsDevice() (core.Secret, time.Time) { return e.Device, e.deviceUntil }

// errWrong is the one answer to every pair of name and password that does not
// let anybody in. From an address that administrators may not use it says so to
// everybody, or else it would tell a right password from a wrong one.
func errWrong(barred error) error {
	text := "log-in name or password is wrong"
	if barred != nil {
		text += "; or you are an administrator: " + core.AsError(barred).Public
	}
	return core.Errorf(core.Unauthenticated, "%s", text)
}

func (l *Login) enter() act.Change[Enter, Entered] {
	return act.Change[Enter, Entered]{
		Name: "login.enter", Doc: "Log in with a password.", Class: class, Roles: act.Stranger, Reveals: true,
		Must: []string{"session.started"}, Serves: serves, Wakes: []string{"mail"},
		May:     append(l.ins(), "credential.failed", "credential.barred", "credential.rehashed", "credential.judged", "throttle.counted"),
		Sample:  Enter{Login: "anna", Password: core.NewSecret("a password of many words")},
		Target:  nowhere[Enter], // whether the name exists is no stranger's business
		Prepare: l.check, Run: l.open,
	}
}

// check does the same work for every name (SPEC A8). While it has to wait
// nothing is hashed, so that waiting costs the server nothing.
func (l *Login) check(ctx context.Context, v *act.View, in *Enter) error {
	in.Login = fold(in.Login)
	id, err := l.Accounts.Lookup(ctx, v, in.Login)
	if err != nil {
		return err
	}
	known, err := knownDevice(ctx, v, in.Device, id)
	if err != nil {
		return err
	}
	in.checked.device = known.ID
	if err := l.patient(ctx, v, in); err != nil {
		l.report(v, id, "throttled", err)
		return err
	}
	in.checked.barred = l.Admit(ctx, v, administrator(v.Actor()))
	why, judge, err := l.fill(ctx, v, id, &in.checked)
	if err != nil {
		return err
	}
	v.Release()
	return l.hold(ctx, v, in, id, why, judge)
}

// patient asks whether this attempt has to wait. From a known device it has not.
func (l *Login) patient(ctx context.Context, v *act.View, in *Enter) error {
	if in.checked.device != "" {
		return nil
	}
	keys, err := passwordKeys(ctx, v, in.Login)
	if err != nil {
		return err
	}
	return wait(ctx, v, keys...)
}

// administrator is who an administrator would be at the caller's address.
func administrator(a act.Actor) act.Actor {
	return act.Actor{Kind: "account", Role: act.Primary, Tenant: core.Provider, Door: a.Door, Address: a.Address}
}

// hold holds the password against the hash, and, when it is right and more is
// asked than before, against what is asked now.
func (l *Login) hold(ctx context.Context, v *act.View, in *Enter, id, why string, judge judging) (err error) {
	c := &in.checked
	lane := network(v.Actor().Address)
	if c.device != "" {
		lane = c.device
	}
	var old bool
	if c.ok, old, err = l.Hasher.CheckPassword(ctx, lane, c.device != "", c.phc, in.Password); err != nil {
		return err
	}
	if !c.ok {
		l.report(v, id, why, nil)
		return nil
	}
	if old {
		if c.better, err = l.Hasher.HashPassword(ctx, lane, true, in.Password); err != nil {
			return err
		}
	}
	if judge.demand == "" {
		return nil
	}
	c.judged = asked(judge.demand, judge.second)
	c.weak, err = l.Policy.Fault(ctx, judge.demand, in.Password, judge.second, judge.words...)
	return err
}

// judging is what a password is to be judged with; no demand: it was before.
type judging struct {
	demand string
	second bool
	words  []string
}

// fill looks up what to hold a password against, "" for nobody and for a closed
// account, and says why a failure would be one. It asks the same for every id.
func (l *Login) fill(ctx context.Context, v *act.View, id string, c *checked) (why string, j judging, err error) {
	credential, _, err := credentialOf(ctx, v, id)
	if err != nil {
		return "", j, err
	}
	demand, err := l.Policy.Demand(ctx, v)
	if err != nil {
		return "", j, err
	}
	who, open, err := l.Accounts.Actor(ctx, v, id)
	absent := err != nil && core.CodeOf(err) == core.NotFound
	if err != nil && !absent {
		return "", j, err
	}
	standing, err := l.Factors.Standing(ctx, v, who)
	switch {
	case err != nil:
		return "", j, err
	case absent:
		return "name", j, nil
	case !open:
		c.account = id
		return "closed", j, nil
	}
	c.account = id
	if _, plain := core.CutPlain(credential.phc); !plain {
		c.phc = credential.phc
	}
	if asked := asked(demand, standing.Has); credential.judged != asked {
		j.demand, j.second = demand, standing.Has
		j.words, err = l.Accounts.Words(ctx, v, id)
	}
	return "password", j, err
}

// asked is a demand with the floor that goes with it: a password that was good
// beside a second factor is held against more when that is gone.
func asked(demand string, second bool) string {
	if second {
		return demand + " beside"
	}
	return demand
}

func (l *Login) report(v *act.View, account, why string, err error) {
	if l.Report == nil || err != nil && core.CodeOf(err) != core.Throttled {
		return
	}
	a := v.Actor()
	l.Report(Failure{Time: v.Now(), Door: a.Door, Address: a.Address, Account: account, Why: why})
}

// open looks again at all that may have changed since check: many attempts at
// once must not count as one.
func (l *Login) open(ctx context.Context, tx *act.Tx, in Enter) (Entered, error) {
	if _, known, err := deviceByID(ctx, &tx.View, in.checked.device); err != nil {
		return Entered{}, err
	} else if !known { // failures ended it meanwhile
		in.checked.device = ""
	}
	if err := l.patient(ctx, &tx.View, &in); err != nil {
		return Entered{}, err
	}
	who, ok, err := l.holds(ctx, &tx.View, in.checked)
	if err != nil {
		return Entered{}, err
	}
	if !ok {
		return Entered{}, l.fail(ctx, tx, in)
	}
	if who.Role&(act.Admins|act.Auditor) != 0 && in.checked.barred != nil {
		if err := tx.Record(ctx, "credential.barred", credentialRef(who.ID)); err != nil {
			return Entered{}, err
		}
		return Entered{}, l.fail(ctx, tx, in)
	}
	if err := l.welcome(ctx, tx, in, who); err != nil {
		return Entered{}, err
	}
	return l.start(ctx, tx, who, byPassword, in.checked.device)
}

// holds reports whether what was checked still is so.
func (l *Login) holds(ctx context.Context, v *act.View, c checked) (who act.Actor, ok bool, err error) {
	if !c.ok {
		return who, false, nil
	}
	now, found, err := credentialOf(ctx, v, c.account)
	if err != nil || !found || now.phc != c.phc {
		return who, false, err
	}
	who, open, err := l.Accounts.Actor(ctx, v, c.account)
	if core.CodeOf(err) == core.NotFound && err != nil {
		return who, false, nil
	}
	return who, open, err
}

// fail counts a failure and refuses. Both stay although the operation is refused.
func (l *Login) fail(ctx context.Context, tx *act.Tx, in Enter) (err error) {
	if device := in.checked.device; device != "" {
		err = failDevice(ctx, tx, device)
	} else {
		err = failPassword(ctx, tx, in)
	}
	if err != nil {
		return err
	}
	if err := failCredential(ctx, tx, in.checked.account); err != nil {
		return err
	}
	return tx.Refuse(errWrong(in.checked.barred))
}

// failPassword counts a failure where nothing is known.
func failPassword(ctx context.Context, tx *act.Tx, in Enter) error {
	if err := season(ctx, tx); err != nil {
		return err
	}
	keys, err := passwordKeys(ctx, &tx.View, in.Login)
	if err != nil {
		return err
	}
	return countFailure(ctx, tx, keys...)
}

// failCredential counts a failure on the account, so that its owner sees it.
func failCredential(ctx context.Context, tx *act.Tx, account string) error {
	c, found, err := credentialOf(ctx, &tx.View, account)
	if err != nil || !found {
		return err
	}
	if err := setFailures(ctx, tx, account, c.failures+1, tx.Now().UnixMicro()); err != nil {
		return err
	}
	return tx.Record(ctx, "credential.failed", credentialRef(account), number("failures", c.failures, c.failures+1))
}

// welcome forgets what failed before, keeps a hash at today's cost, and what the
// password was found to be.
func (l *Login) welcome(ctx context.Context, tx *act.Tx, in Enter, who act.Actor) error {
	name, err := nameKey(ctx, &tx.View, in.Login)
	if err != nil {
		return err
	}
	if err := forgive(ctx, tx, togetherKey(tx.Actor().Address, in.Login), name); err != nil {
		return err
	}
	if in.checked.better != "" {
		if err := rehash(ctx, tx, who.ID, in.checked.better); err != nil {
			return err
		}
		if err := tx.Record(ctx, "credential.rehashed", credentialRef(who.ID)); err != nil {
			return err
		}
	}
	return judge(ctx, tx, in.checked, who)
}

// many is how many failures before somebody got in are worth telling him.
const many = 3

// cleared forgets the failures of an account that got in, and tells its owner when
// there were many: they may not have been his.
func (l *Login) cleared(ctx context.Context, tx *act.Tx, account string) error {
	c, _, err := credentialOf(ctx, &tx.View, account)
	if err != nil || c.failures == 0 {
		return err
	}
	if err := setFailures(ctx, tx, account, 0, 0); err != nil {
		return err
	}
	if err := tx.Record(ctx, "credential.cleared", credentialRef(account), number("failures", c.failures, 0)); err != nil || c.failures < many {
		return err
	}
	return l.Notices.Tell(ctx, tx, account, "Failed log-ins before yours", fmt.Sprintf(
		"%d log-ins to your account failed before one went through from the address %s. If the failures were not yours, change your password; if the log-in was not yours either, end all sessions and tell your administrator.", c.failures, tx.Actor().Address))
}

// judge keeps what came of holding the password against what is asked now.
func judge(ctx context.Context, tx *act.Tx, c checked, who act.Actor) error {
	if c.judged == "" {
		return nil
	}
	if err := setJudged(ctx, tx, who.ID, c.judged, c.weak); err != nil {
		return err
	}
	found := "good"
	if c.weak != "" {
		found = "must be changed"
	}
	return tx.Record(ctx, "credential.judged", credentialRef(who.ID), act.Field{Name: "password", New: &found})
}

// start opens a session with a token that nobody had before: one that was
// planted in a browser is worth nothing.
func (l *Login) start(ctx context.Context, tx *act.Tx, who act.Actor, method, device string) (Entered, error) {
	limits, _, err := limitsNow(ctx, &tx.View)
	if err != nil {
		return Entered{}, err
	}
	idle, absolute := limits.of(who.Role)
	token := core.NewToken()
	s := Session{ID: core.NewID("s"), Account: who.ID, Method: method, Started: tx.Now(), Seen: tx.Now(), Expires: tx.Now().Add(absolute),
		Address: tx.Actor().Address, Agent: tx.Actor().Agent, hash: hashOf(token), idle: idle, proved: tx.Now(), strong: method == byPasskey}
	step, err := l.left(ctx, &tx.View, s, who)
	if err != nil {
		return Entered{}, err
	}
	if step != "" {
		s.Expires = tx.Now().Add(halfLife)
	}
	if err := l.room(ctx, tx, who.ID, s.half()); err != nil {
		return Entered{}, err
	}
	if err := insertSession(ctx, tx, s); err != nil {
		return Entered{}, err
	}
	tx.Sign(who)
	if err := tx.Record(ctx, "session.started", s.ref(), act.Field{Name: "account", New: &who.ID}, act.Field{Name: "login", New: &who.Name, Personal: true},
		act.Field{Name: "method", New: &method}, act.Field{Name: "expires", New: value(s.Expires.Format(core.TimeFormat))}); err != nil {
		return Entered{}, err
	}
	return l.entered(ctx, tx, s, who, token, device)
}

// ins names the events that entered and forgive may record, and room.
func (l *Login) ins() []string {
	return slices.Concat([]string{"session.ended", "credential.cleared", "throttle.cleared"}, deviceEvents, l.Notices.Tells())
}

// entered is the answer to who got as far as a session. A browser becomes known
// when nothing is left to do.
func (l *Login) entered(ctx context.Context, tx *act.Tx, s Session, who act.Actor, token core.Secret, device string) (Entered, error) {
	out := Entered{Session: s.ID, Token: token, Expires: s.Expires}
	var err error
	if out.Step, err = l.left(ctx, &tx.View, s, who); err != nil || out.Step != "" {
		return out, err
	}
	if err := l.cleared(ctx, tx, who.ID); err != nil {
		return out, err
	}
	out.Device, out.deviceUntil, err = l.know(ctx, tx, who.ID, device)
	return out, err
}

// room ends the oldest session of somebody who has too many. Those with a step left
// make room for their like alone: who knows a password ends nobody's session.
func (l *Login) room(ctx context.Context, tx *act.Tx, account string, half bool) error {
	list, err := sessionsOf(ctx, &tx.View, account)
	list = slices.DeleteFunc(list, func(s Session) bool { return s.half() != half })
	most := mostSessions
	if half {
		most = mostHalf
	}
	for ; err == nil && len(list) >= most; list = list[:len(list)-1] {
		err = endSession(ctx, tx, list[len(list)-1])
	}
	return err
}
