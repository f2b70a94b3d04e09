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
	v.Release()
	return l.hashFor(ctx, v.Actor(), demand, f, field, password, lane, second, words...)
}

// hashFor is hash against what was asked when somebody looked.
func (l *Login) hashFor(ctx context.Context, who act.Actor, demand string, f core.Faults, field string, password core.Secret, lane string, second bool, words ...string) (fresh, error) {
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
	phc, err := l.Hasher.HashPassword(ctx, lane, who.Role != act.Stranger, password)
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
		May:    append([]string{"session.ended", "session.proved", "session.rotated", "credential.failed", "throttle.counted"}, l.Notices.Tells()...),
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
	demand, err := l.Policy.Demand(ctx, v)
	if err != nil {
		return err
	}
	if err = l.recall(ctx, v, in.Old, &in.checked); err != nil || !in.checked.ok {
		return err // Run counts it
	}
	if in.Old.Reveal() == in.New.Reveal() {
		return core.Faults{{Field: "new_password", Accepted: "must be another one"}}.Err()
	}
	in.fresh, err = l.hashFor(ctx, me, demand, nil, "new_password", in.New, me.ID, standing.Has, words...)
	return err
}

func (l *Login) runChange(ctx context.Context, tx *act.Tx, in Change) (Changed, error) {
	me := tx.Actor()
	who, err := l.knew(ctx, tx, in.checked, "old_password")
	if err != nil {
		return Changed{}, err
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
	token, err := l.recalled(ctx, tx, &s, who)
	return Changed{me.ID, Entered{Session: s.ID, Token: token, Expires: s.Expires}}, err
}

// recalled gives the session of somebody who knew his password another token. That
// he knew it proves who he is only where he has no second factor.
func (l *Login) recalled(ctx context.Context, tx *act.Tx, s *Session, who act.Actor) (core.Secret, error) {
	standing, err := l.Factors.Standing(ctx, &tx.View, who)
	if err != nil {
		return core.Secret{}, err
	}
	if !standing.Has {
		return l.proved(ctx, tx, s, who, false)
	}
	token, err := l.rotated(ctx, tx, s, who)
	return token, firstOf(err, tx.Record(ctx, "session.rotated", s.ref(), act.Field{Name: "account", New: &s.Account}))
}
