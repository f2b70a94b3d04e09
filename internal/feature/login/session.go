package login

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Of is the input of session.list.
type Of struct {
	Account string `json:"account" cli:"arg" rule:"max=254" doc:"id or log-in name of the account; you when left out"`
}

// Sessions is the output of session.list.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	Failures int       `json:"failures"`         // failed log-ins since the last good one
	Changed  time.Time `json:"changed,omitzero"` // when the password was set
}

// One is the input of operations on one session.
type One struct {
	Session string `json:"session" cli:"arg" rule:"required,max=40" doc:"id of the session"`
}

// Nothing is an input without fields.
type Nothing struct{}

// Ended is the output of session.end.
type Ended struct {
	Session string `json:"session"`
}

// ClosesSession has the face take the cookie away.
func (Ended) ClosesSession() {}

// Token is the input of session.resolve.
type Token struct {
	Token core.Secret `json:"token" rule:"required,max=200" doc:"token of a session"`
}

// Resolved is the output of session.resolve. A token that opens nothing is not
// an error: strangers send what they like, and the record is that of the
// operation which they then may not call.
type Resolved struct {
	Found bool      `json:"found"`
	Actor act.Actor `json:"actor"`
	Renew bool      `json:"renew"` // its use is to be noted
}

const sampleSession = "s_0123456789abcdefghjkmnpqrs"

func (l *Login) list() act.Query[Of, Sessions] {
	return act.Query[Of, Sessions]{
		Name: "session.list", Doc: "List the sessions of an account.", Class: class, Roles: act.Readers, Serves: serves,
		Sample: Of{}, Target: l.whose,
		Run: func(ctx context.Context, v *act.View, in Of) (Sessions, error) {
			list, err := sessionsOf(ctx, v, in.Account)
			if err != nil {
				return Sessions{}, err
			}
			out := Sessions{Sessions: []Session{}}
			for _, s := range list {
				if s.Current = s.ID == v.Actor().Session; !s.over(v.Now()) {
					out.Sessions = append(out.Sessions, s)
				}
			}
			c, _, err := credentialOf(ctx, v, in.Account)
			out.Failures, out.Changed = c.failures, core.At(c.changed)
			return out, err
		},
	}
}

// whose aims at an account that the caller may see.
func (l *Login) whose(ctx context.Context, v *act.View, in *Of) (core.Ref, error) {
	if in.Account == "" {
		if in.Account = v.Actor().ID; v.Actor().Kind != "account" {
			return core.Ref{}, errNameOne()
		}
	}
	id, err := l.Accounts.Resolve(ctx, v, in.Account)
	in.Account = id
	return core.Ref{Kind: "account", ID: id}, err
}

// errNameOne tells root, who has no account, to name one.
func errNameOne() error {
	return core.Faults{{Field: "account", Accepted: "must be given: you have no account yourself"}}.Err()
}

func (l *Login) end() act.Change[Nothing, Ended] {
	return act.Change[Nothing, Ended]{
		Name: "session.end", Doc: "Log out.", Class: class, Roles: act.Readers | act.Entrant, Anyhow: true, Serves: serves,
		Must: []string{"session.ended"}, Sample: Nothing{}, Target: own[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Ended, error) {
			s, err := sessionByID(ctx, &tx.View, tx.Actor().Session)
			if err != nil {
				return Ended{}, err
			}
			return Ended{s.ID}, endSession(ctx, tx, s)
		},
	}
}

func (l *Login) revoke() act.Change[One, One] {
	return act.Change[One, One]{
		Name: "session.revoke", Doc: "End a session of yours, or of an account you manage.", Class: class, Roles: act.Readers, Serves: serves,
		Must: []string{"session.ended"}, Sample: One{sampleSession}, Target: l.session,
		Run: func(ctx context.Context, tx *act.Tx, in One) (One, error) {
			s, err := sessionByID(ctx, &tx.View, in.Session)
			if err == nil && s.Account != tx.Actor().ID {
				err = l.Accounts.Manages(ctx, &tx.View, s.Account)
			}
			if err != nil {
				return One{}, err
			}
			return in, endSession(ctx, tx, s)
		},
	}
}

// session hides sessions of accounts that the caller may not see.
func (l *Login) session(ctx context.Context, v *act.View, in *One) (core.Ref, error) {
	ref := core.Ref{Kind: "session", ID: in.Session}
	s, err := sessionByID(ctx, v, in.Session)
	if err == nil {
		err = l.Accounts.Visible(ctx, v, s.Account)
	}
	if err != nil && core.CodeOf(err) == core.NotFound {
		err = core.Errorf(core.NotFound, "there is no session %q", clip(in.Session))
	}
	return ref, err
}

func endSession(ctx context.Context, tx *act.Tx, s Session) error {
	if err := tx.Record(ctx, "session.ended", s.ref(), act.Field{Name: "account", Old: &s.Account}); err != nil {
		return err
	}
	return deleteSession(ctx, tx, s.ID)
}

// endSessions ends all sessions of an account but one.
func (l *Login) endSessions(ctx context.Context, tx *act.Tx, account, but string) error {
	_, err := l.endAll(ctx, tx, account, but)
	return err
}

// endAll is endSessions, and says how many.
func (l *Login) endAll(ctx context.Context, tx *act.Tx, account, but string) (n int, err error) {
	list, err := sessionsOf(ctx, &tx.View, account)
	for _, s := range list {
		if err == nil && s.ID != but {
			n++
			err = endSession(ctx, tx, s)
		}
	}
	return n, err
}

// Clear is the input of session.clear.
type Clear struct {
	Account string `json:"account" cli:"arg" rule:"max=254" doc:"id or log-in name of the account; you when left out"`
}

// Cleared is the output of session.clear and session.purge.
type Cleared struct {
	Sessions int `json:"sessions"`
}

// clear ends all sessions of an account at once; of the caller's own all but the
// one that asks.
func (l *Login) clear() act.Change[Clear, Cleared] {
	return act.Change[Clear, Cleared]{
		Name: "session.clear", Doc: "End all other sessions of yours, or all of an account you manage.", Class: class, Roles: act.Readers, Serves: serves,
		Must: []string{"session.ended"}, Sample: Clear{},
		Target: func(ctx context.Context, v *act.View, in *Clear) (core.Ref, error) {
			of := Of(*in)
			ref, err := l.whose(ctx, v, &of)
			in.Account = of.Account
			return ref, err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Clear) (Cleared, error) {
			me := tx.Actor()
			if in.Account != me.ID {
				if err := l.Accounts.Manages(ctx, &tx.View, in.Account); err != nil {
					return Cleared{}, err
				}
			}
			n, err := l.endAll(ctx, tx, in.Account, me.Session)
			return Cleared{n}, err
		},
	}
}

// purge is for the day when something leaked: everybody logs in again.
func (l *Login) purge() act.Change[Nothing, Cleared] {
	return act.Change[Nothing, Cleared]{
		Name: "session.purge", Doc: "End the sessions of everybody but your own.", Class: class, Roles: act.Primary, Proof: proof, Confirm: true, Serves: serves,
		Must: []string{"session.ended"}, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (out Cleared, err error) {
			ids, err := sessionIDs(ctx, &tx.View)
			for _, id := range ids {
				s, serr := sessionByID(ctx, &tx.View, id)
				if err = firstOf(err, serr); err == nil && s.ID != tx.Actor().Session {
					out.Sessions++
					err = endSession(ctx, tx, s)
				}
			}
			return out, err
		},
	}
}

// own aims at the caller's own session.
func own[I any](ctx context.Context, v *act.View, _ *I) (core.Ref, error) {
	return mine(ctx, v, new(I))
}

func (l *Login) resolve() act.Query[Token, Resolved] {
	return act.Query[Token, Resolved]{
		Name: "session.resolve", Doc: "Say whose session a token opens.", Class: class, Roles: act.System,
		Sample: Token{core.NewSecret("0")}, Target: nowhere[Token],
		Run: func(ctx context.Context, v *act.View, in Token) (Resolved, error) {
			s, found, err := sessionByHash(ctx, v, hashOf(in.Token))
			if err != nil || !found || s.over(v.Now()) {
				return Resolved{}, err
			}
			who, open, err := l.Accounts.Actor(ctx, v, s.Account)
			if err != nil || !open {
				return Resolved{}, err
			}
			who, err = l.inside(ctx, v, s, who)
			return Resolved{Found: err == nil, Actor: who, Renew: s.due(v.Now())}, err
		},
	}
}

// inside is who acts in a session: somebody who has a step left, the owner, or
// the owner as somebody else.
func (l *Login) inside(ctx context.Context, v *act.View, s Session, who act.Actor) (act.Actor, error) {
	who.Session, who.Proof, who.Strong = s.ID, s.proved, s.strong
	step, err := l.left(ctx, v, s, who)
	if err != nil || step != "" {
		who.Role, who.Step = act.Entrant, step
		return who, err
	}
	if s.Acting == "" {
		return who, nil
	}
	as, open, err := l.Accounts.Actor(ctx, v, s.Acting)
	if err != nil || !open { // gone or closed meanwhile: the owner is himself again
		return who, core.UnlessNotFound(err)
	}
	as.Session, as.By = s.ID, &who
	return as, nil
}

func (l *Login) renew() act.Change[One, One] {
	return act.Change[One, One]{
		Name: "session.renew", Doc: "Note that a session is in use, at most four times per idle limit.", Class: class, Roles: act.System,
		Must: []string{"session.renewed"}, Sample: One{sampleSession},
		Target: func(_ context.Context, _ *act.View, in *One) (core.Ref, error) {
			return core.Ref{Kind: "session", ID: in.Session}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in One) (One, error) {
			s, err := sessionByID(ctx, &tx.View, in.Session)
			if err != nil || !s.due(tx.Now()) || s.over(tx.Now()) {
				return in, err
			}
			if err := renewSession(ctx, tx, s.ID); err != nil {
				return in, err
			}
			return in, tx.Record(ctx, "session.renewed", s.ref())
		},
	}
}

// Session returns who is behind a session's token, as an actor that lacks only
// door, address and user agent; core.Unauthenticated when nobody is. A use is
// noted when that is due; if it cannot be, the session just ends earlier. What a
// page does by itself is no use: else an open tab would never be idle.
func (l *Login) Session(ctx context.Context, b *act.Bus, token core.Secret, use bool) (act.Actor, error) {
	job := act.SystemActor("session")
	var r Resolved
	if formed(token) { // what strangers send is no reason for a record of the system's
		var err error
		if r, err = l.resolve().Call(ctx, b, job, Token{token}); err != nil {
			return act.Actor{}, err
		}
	}
	if !r.Found {
		return act.Actor{}, core.Errorf(core.Unauthenticated, "the session is over; log in again")
	}
	if r.Renew && use {
		_, _, _ = l.renew().Call(ctx, b, job, One{r.Actor.Session})
	}
	return r.Actor, nil
}

// mostSwept bounds one sweep, so that it stays a short transaction.
const mostSwept = 200

// Swept is the output of session.sweep.
type Swept struct {
	Sessions int `json:"sessions"`
	Links    int `json:"links"`
}

func (l *Login) sweep() act.Change[Nothing, Swept] {
	return act.Change[Nothing, Swept]{
		Name: "session.sweep", Doc: "End sessions and links that are over.", Class: class, Roles: act.System, Serves: serves,
		May: []string{"session.expired", "setup.expired"}, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (out Swept, err error) {
			if out.Sessions, err = expireSessions(ctx, tx); err == nil {
				out.Links, err = expireSetups(ctx, tx)
			}
			return out, err
		},
	}
}

func expireSessions(ctx context.Context, tx *act.Tx) (int, error) {
	list, err := sessionsOver(ctx, &tx.View, mostSwept)
	for _, s := range list {
		if err == nil {
			err = tx.Record(ctx, "session.expired", s.ref(), act.Field{Name: "account", Old: &s.Account})
		}
		if err == nil {
			err = deleteSession(ctx, tx, s.ID)
		}
	}
	return len(list), err
}

// Sweep ends what is over, and writes nothing when nothing is. The house calls
// it every few minutes.
func (l *Login) Sweep(ctx context.Context, b *act.Bus) error {
	due := false
	err := b.Look(ctx, "sweep", func(v *act.View) error {
		over, err := sessionsOver(ctx, v, 1)
		if err != nil {
			return err
		}
		links, err := setupsOver(ctx, v, 1)
		due = len(over)+len(links) > 0
		return err
	})
	if err != nil || !due {
		return err
	}
	_, _, err = l.sweep().Call(ctx, b, act.SystemActor("sweep"), Nothing{})
	return err
}

// Live reports whether a session id is that of a live session of the account.
func (l *Login) Live(ctx context.Context, v *act.View, account, session string) (bool, error) {
	s, err := sessionByID(ctx, v, session)
	if core.CodeOf(err) == core.NotFound && err != nil {
		return false, nil
	}
	return err == nil && s.Account == account && !s.over(v.Now()), err
}

// Holds reports whether an actor is still who he was when his session was
// resolved, without noting a use.
func (l *Login) Holds(ctx context.Context, v *act.View, a act.Actor) (bool, error) {
	s, err := sessionByID(ctx, v, a.Session)
	if err != nil || s.over(v.Now()) {
		return false, core.UnlessNotFound(err)
	}
	who, open, err := l.Accounts.Actor(ctx, v, s.Account)
	if err != nil || !open {
		return false, core.UnlessNotFound(err)
	}
	now, err := l.inside(ctx, v, s, who)
	return err == nil && same(&now, &a), err
}

// same compares two actors, and who acts as them.
func same(a, b *act.Actor) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ID == b.ID && a.Role == b.Role && a.Step == b.Step && a.Tenant == b.Tenant && same(a.By, b.By)
}

// Census counts the passwords that are kept: all, those found good under a demand
// of the policy, and those that must be changed.
func (l *Login) Census(ctx context.Context, v *act.View, demand string) (total, good, weak int, err error) {
	return census(ctx, v, demand)
}

// Worker is somebody with a live session.
type Worker struct{ Account, Address string }

// Working returns who has a live session, and the address it was opened from.
func (l *Login) Working(ctx context.Context, v *act.View) ([]Worker, error) {
	var out []Worker
	err := v.Each(ctx, `SELECT account, address FROM login_session WHERE expires > $1 AND seen + idle > $1 ORDER BY account, address`, []any{v.Now().UnixMicro()},
		func(scan func(dest ...any) error) error {
			var w Worker
			err := scan(&w.Account, &w.Address)
			out = append(out, w)
			return err
		})
	return out, err
}
