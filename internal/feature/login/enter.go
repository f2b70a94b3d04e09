package login

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Enter is the input of login.enter.
type Enter struct {
	Login    string      `json:"login" rule:"required,max=254" doc:"log-in name"`
	Password core.Secret `json:"password" form:"password" rule:"required,max=256" doc:"password"`

	checked checked
}

// checked is what Prepare found out, for Run to act upon.
type checked struct {
	account string // "" for nobody
	phc     string // what the password was held against
	ok      bool
	better  string // the same password at today's cost
}

// Entered is the output of login.enter.
type Entered struct {
	Session string      `json:"session"`
	Token   core.Secret `json:"token"`
	Expires time.Time   `json:"expires"`
}

// OpensSession hands the token to the face, which sets the cookie.
func (e Entered) OpensSession() (core.Secret, time.Time) { return e.Token, e.Expires }

// errWrong is the one answer to every wrong pair of name and password.
func errWrong() error { return core.Errorf(core.Unauthenticated, "log-in name or password is wrong") }

func (l *Login) enter() act.Change[Enter, Entered] {
	return act.Change[Enter, Entered]{
		Name: "login.enter", Doc: "Log in and open a session.", Class: class, Roles: act.Stranger, Reveals: true,
		Must: []string{"session.started"}, Serves: serves,
		May:     []string{"session.ended", "credential.failed", "credential.cleared", "credential.rehashed", "throttle.counted", "throttle.cleared"},
		Sample:  Enter{Login: "anna", Password: core.NewSecret("a password of many words")},
		Target:  nowhere[Enter], // whether the name exists is no stranger's business
		Prepare: l.check, Run: l.open,
	}
}

// check does the same work for every name (SPEC A8). While the network waits
// nothing is hashed, so that waiting costs the server nothing.
func (l *Login) check(ctx context.Context, v *act.View, in *Enter) error {
	in.Login = fold(in.Login)
	if err := wait(ctx, v, in.Login); err != nil {
		l.report(v, "", "throttled", err)
		return err
	}
	id, err := l.Accounts.Lookup(ctx, v, in.Login)
	if err != nil {
		return err
	}
	why, err := l.fill(ctx, v, id, &in.checked)
	if err != nil {
		return err
	}
	v.Release()
	var old bool
	if in.checked.ok, old, err = l.Hasher.CheckPassword(ctx, in.checked.phc, in.Password); err != nil {
		return err
	}
	if !in.checked.ok {
		l.report(v, id, why, nil)
	} else if old {
		in.checked.better, err = l.Hasher.HashPassword(ctx, in.Password)
	}
	return err
}

// fill looks up what to hold a password against, "" for nobody and for a closed
// account, and says why a failure would be one. It asks the same for every id.
func (l *Login) fill(ctx context.Context, v *act.View, id string, c *checked) (why string, err error) {
	credential, _, err := credentialOf(ctx, v, id)
	if err != nil {
		return "", err
	}
	_, open, err := l.Accounts.Actor(ctx, v, id)
	switch {
	case err != nil && core.CodeOf(err) == core.NotFound:
		return "name", nil
	case err != nil || !open:
		c.account = id
		return "closed", err
	}
	c.account, c.phc = id, credential.phc
	return "password", nil
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
	if err := wait(ctx, &tx.View, in.Login); err != nil {
		return Entered{}, err
	}
	who, ok, err := l.holds(ctx, &tx.View, in.checked)
	if err != nil {
		return Entered{}, err
	}
	if !ok {
		return Entered{}, fail(ctx, tx, in.checked.account, in.Login, errWrong())
	}
	if err := l.welcome(ctx, tx, in); err != nil {
		return Entered{}, err
	}
	return l.start(ctx, tx, who)
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

// fail counts a failure, for the network and for the account, and refuses with
// err. Both stay although the operation is refused.
func fail(ctx context.Context, tx *act.Tx, account, login string, err error) error {
	if err := countFailure(ctx, tx, login); err != nil {
		return err
	}
	c, found, cerr := credentialOf(ctx, &tx.View, account)
	if cerr != nil {
		return cerr
	}
	if found {
		if err := setFailures(ctx, tx, account, c.failures+1, tx.Now().UnixMicro()); err != nil {
			return err
		}
		if err := tx.Record(ctx, "credential.failed", credentialRef(account), number("failures", c.failures, c.failures+1)); err != nil {
			return err
		}
	}
	return tx.Refuse(err)
}

// welcome forgets what failed before, and keeps a hash at today's cost.
func (l *Login) welcome(ctx context.Context, tx *act.Tx, in Enter) error {
	if err := forgive(ctx, tx, in.Login); err != nil {
		return err
	}
	c, _, err := credentialOf(ctx, &tx.View, in.checked.account)
	if err != nil {
		return err
	}
	if c.failures > 0 {
		if err := setFailures(ctx, tx, c.account, 0, 0); err != nil {
			return err
		}
		if err := tx.Record(ctx, "credential.cleared", credentialRef(c.account), number("failures", c.failures, 0)); err != nil {
			return err
		}
	}
	if in.checked.better == "" {
		return nil
	}
	if err := rehash(ctx, tx, c.account, in.checked.better); err != nil {
		return err
	}
	return tx.Record(ctx, "credential.rehashed", credentialRef(c.account))
}

// start opens a session with a token that nobody had before: one that was
// planted in a browser is worth nothing.
func (l *Login) start(ctx context.Context, tx *act.Tx, who act.Actor) (Entered, error) {
	if err := l.room(ctx, tx, who.ID); err != nil {
		return Entered{}, err
	}
	idle, absolute := limits(who.Role)
	token := core.NewToken()
	s := Session{ID: core.NewID("s"), Account: who.ID, Started: tx.Now(), Seen: tx.Now(), Expires: tx.Now().Add(absolute),
		Address: tx.Actor().Address, Agent: tx.Actor().Agent, hash: hashOf(token), idle: idle}
	if err := insertSession(ctx, tx, s); err != nil {
		return Entered{}, err
	}
	tx.Sign(who)
	err := tx.Record(ctx, "session.started", s.ref(), act.Field{Name: "account", New: &who.ID},
		act.Field{Name: "login", New: &who.Name, Personal: true}, act.Field{Name: "expires", New: value(s.Expires.Format(core.TimeFormat))})
	return Entered{s.ID, token, s.Expires}, err
}

// room ends the oldest session of somebody who has too many.
func (l *Login) room(ctx context.Context, tx *act.Tx, account string) error {
	list, err := sessionsOf(ctx, &tx.View, account)
	for ; err == nil && len(list) >= mostSessions; list = list[:len(list)-1] {
		err = endSession(ctx, tx, list[len(list)-1])
	}
	return err
}
