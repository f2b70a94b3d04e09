package login

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// fresh is a new password, ready to be kept: its hash, and what it was found good for.
type fresh struct{ phc, judged string }

// lane is where somebody waits to have a password hashed.
func lane(v *act.View) string {
	if a := v.Actor(); a.Role != act.Stranger {
		return a.ID
	}
	return network(v.Actor().Address)
}

// hash checks a new password and hashes it; f holds faults of other fields found
// before, second says that it stands beside a second factor. The view reads no
// more afterwards.
func (l *Login) hash(ctx context.Context, v *act.View, f core.Faults, field string, password core.Secret, lane string, second bool, words ...string) (fresh, error) {
	demand, err := l.Policy.Demand(ctx, v)
	if err != nil {
		return fresh{}, err
	}
	known := v.Actor().Role != act.Stranger
	v.Release()
	fault, err := l.Policy.Fault(ctx, demand, password, second, words...)
	if err != nil {
		return fresh{}, err
	}
	if fault != "" {
		f.Add(field, "", fault)
	}
	if err := f.Err(); err != nil {
		return fresh{}, err
	}
	phc, err := l.Hasher.HashPassword(ctx, lane, known, password)
	return fresh{phc, asked(demand, second)}, err
}

// Change is the input of password.change.
type Change struct {
	Old core.Secret `json:"old_password" form:"password" rule:"required,max=256" doc:"password until now"`
	New core.Secret `json:"new_password" form:"new-password" rule:"required,max=256" doc:"new password; a sentence is a good one"`

	checked checked
	fresh   fresh
}

// Changed is the output of password.change.
type Changed struct {
	Account string `json:"account"`

	entered Entered
}

// OpensSession hands the session's new token to the face.
func (c Changed) OpensSession() (core.Secret, time.Time) { return c.entered.OpensSession() }

func (l *Login) change() act.Change[Change, Changed] {
	return act.Change[Change, Changed]{
		Name: "password.change", Doc: "Change your own password and end your other sessions.", Class: class,
		Roles: act.Readers | act.Entrant, Step: stepPassword, Reveals: true, Wakes: []string{"mail"},
		Must: []string{"credential.set"}, Serves: serves,
		May:    append([]string{"session.ended", "session.proved", "credential.failed", "throttle.counted"}, l.Notices.Tells()...),
		Sample: Change{Old: core.NewSecret("a password of many words"), New: core.NewSecret("another one of many words")},
		Target: func(ctx context.Context, v *act.View, _ *Change) (core.Ref, error) {
			ref := credentialRef(v.Actor().ID)
			_, found, err := credentialOf(ctx, v, ref.ID)
			if err == nil && !found {
				err = core.Errorf(core.NotFound, "you have no password here")
			}
			return ref, err
		},
		Prepare: l.prepareChange, Run: l.runChange,
	}
}

// prepareChange asks for the old password as log-in does: a stolen session is
// no way to find it out. An API token is none to change it, and neither is
// acting as somebody.
func (l *Login) prepareChange(ctx context.Context, v *act.View, in *Change) error {
	me := v.Actor()
	live, err := l.Live(ctx, v, me.ID, me.Session)
	if err == nil && (!live || me.By != nil) {
		err = core.Errorf(core.Denied, "a password is changed by its owner in a session, after logging in")
	}
	if err != nil {
		return err
	}
	words, err := l.Accounts.Words(ctx, v, me.ID)
	if err != nil {
		return err
	}
	who, _, err := l.Accounts.Actor(ctx, v, me.ID)
	if err != nil {
		return err
	}
	standing, err := l.Factors.Standing(ctx, v, who)
	if err != nil {
		return err
	}
	if err = l.recall(ctx, v, in.Old, &in.checked); err != nil || !in.checked.ok {
		return err // Run counts it
	}
	if in.Old.Reveal() == in.New.Reveal() {
		return core.Faults{{Field: "new_password", Accepted: "must be another one"}}.Err()
	}
	in.fresh, err = l.hash(ctx, v, nil, "new_password", in.New, me.ID, standing.Has, words...)
	return err
}

func (l *Login) runChange(ctx context.Context, tx *act.Tx, in Change) (Changed, error) {
	me := tx.Actor()
	if err := wait(ctx, &tx.View, codeKey(me.ID)); err != nil {
		return Changed{}, err
	}
	_, ok, err := l.holds(ctx, &tx.View, in.checked)
	if err != nil {
		return Changed{}, err
	}
	if !ok {
		return Changed{}, l.forgotten(ctx, tx, "old_password")
	}
	if err := l.endSessions(ctx, tx, me.ID, me.Session); err != nil {
		return Changed{}, err
	}
	if err := set(ctx, tx, me.ID, in.fresh); err != nil {
		return Changed{}, err
	}
	if err := l.Notices.Tell(ctx, tx, me.ID, "Your password was changed", "You changed your password, from the address "+me.Address+", and your other sessions ended. If it was not you, tell your administrator at once."); err != nil {
		return Changed{}, err
	}
	s, err := sessionByID(ctx, &tx.View, me.Session)
	if err != nil {
		return Changed{}, err
	}
	token, err := proved(ctx, tx, &s, false)
	return Changed{me.ID, Entered{Session: s.ID, Token: token, Expires: s.Expires}}, err
}
