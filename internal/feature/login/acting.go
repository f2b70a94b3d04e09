package login

import (
	"context"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Act is the input of session.act.
type Act struct {
	Account string `json:"account" cli:"arg" rule:"required,max=254" doc:"id or log-in name of the reseller or customer"`
	Why     string `json:"why" rule:"required,min=5,max=400" doc:"why you act as him; he reads it"`
}

// Validate holds the rules beyond the tags: blanks are no reason.
func (a *Act) Validate(f *core.Faults) {
	if a.Why = strings.TrimSpace(a.Why); len(a.Why) < 5 {
		f.Add("why", "", "must have at least 5 characters")
	}
}

// Acting is the output of session.act and session.leave.
type Acting struct {
	Account string `json:"account,omitempty"`

	entered Entered
}

// OpensSession hands the session's new token to the face.
func (a Acting) OpensSession() (core.Secret, time.Time) { return a.entered.OpensSession() }

// act lets somebody see and do what an account he manages sees and does (SPEC
// A9). It is his own session that does it: both are on record, nothing that asks
// for a fresh proof is open to him, and the person is told.
func (l *Login) act() act.Change[Act, Acting] {
	return act.Change[Act, Acting]{
		Name: "session.act", Doc: "Act as a reseller or customer you manage, with a reason; he is told.", Class: class, Roles: act.Staff, Proof: proof, Reveals: true,
		Must: []string{"session.acting", "account.acted"}, May: l.Notices.Tells(), Wakes: []string{"mail"}, Serves: []string{"2690:11.2", "2690:11.3"},
		Sample: Act{Account: "a_0123456789abcdefghjkmnpqrs", Why: "he asked for help with his zone"},
		Target: func(ctx context.Context, v *act.View, in *Act) (core.Ref, error) {
			id, err := l.Accounts.Resolve(ctx, v, in.Account)
			in.Account = id
			return core.Ref{Kind: "account", ID: id}, err
		},
		Run: l.runAct,
	}
}

func (l *Login) runAct(ctx context.Context, tx *act.Tx, in Act) (Acting, error) {
	if tx.Actor().Kind != "account" {
		return Acting{}, core.Errorf(core.Denied, "only who is logged in at the panel acts as somebody: the command line has no session to do it in")
	}
	s, me, err := l.proving(ctx, tx)
	if err != nil {
		return Acting{}, err
	}
	if err := l.Accounts.Manages(ctx, &tx.View, in.Account); err != nil {
		return Acting{}, err
	}
	as, open, err := l.Accounts.Actor(ctx, &tx.View, in.Account)
	switch {
	case err != nil:
		return Acting{}, err
	case !open:
		return Acting{}, core.Errorf(core.Conflict, "the account is disabled")
	case as.Role&(act.Reseller|act.Customer) == 0 || as.ID == me.ID:
		return Acting{}, core.Errorf(core.Denied, "you act as resellers and customers only")
	}
	fields := []act.Field{{Name: "by", New: &me.Name, Personal: true}, {Name: "why", New: &in.Why}}
	if err := tx.Record(ctx, "account.acted", core.Ref{Kind: "account", ID: as.ID}, fields...); err != nil {
		return Acting{}, err
	}
	if err := l.Notices.Tell(ctx, tx, as.ID, "Somebody acts as you",
		me.Name+" ("+me.Role.String()+") began to act as you. The reason given: "+in.Why+". Everything done meanwhile is in your log with both names."); err != nil {
		return Acting{}, err
	}
	return l.turn(ctx, tx, s, me, in.Account, "session.acting")
}

// turn has a session act as an account, or as itself again. It proves nothing.
func (l *Login) turn(ctx context.Context, tx *act.Tx, s Session, who act.Actor, account, event string) (Acting, error) {
	if err := writeActing(ctx, tx, s.ID, account); err != nil {
		return Acting{}, err
	}
	if err := tx.Record(ctx, event, s.ref(), act.Field{Name: "acting", Old: value(s.Acting), New: value(account)}); err != nil {
		return Acting{}, err
	}
	token, err := l.rotated(ctx, tx, &s, who)
	return Acting{account, Entered{Session: s.ID, Token: token, Expires: s.Expires}}, err
}

// endActing makes who acts as an account that is closed himself again, for good:
// when it is opened once more, he needs another reason.
func endActing(ctx context.Context, tx *act.Tx, account string) error {
	list, err := sessionsActing(ctx, &tx.View, account)
	for _, s := range list {
		if err == nil {
			err = writeActing(ctx, tx, s.ID, "")
		}
		if err == nil {
			err = tx.Record(ctx, "session.left", s.ref(), act.Field{Name: "acting", Old: &account})
		}
	}
	return err
}

func (l *Login) leave() act.Change[Nothing, Acting] {
	return act.Change[Nothing, Acting]{
		Name: "session.leave", Doc: "Stop acting as somebody else.", Class: class, Roles: act.Hosted, Reveals: true,
		Must: []string{"session.left"}, Serves: []string{"2690:11.2"}, Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Acting, error) {
			if tx.Actor().By == nil {
				return Acting{}, core.Errorf(core.Conflict, "you act as nobody else")
			}
			s, err := sessionByID(ctx, &tx.View, tx.Actor().Session)
			if err != nil {
				return Acting{}, err
			}
			return l.turn(ctx, tx, s, *tx.Actor().By, "", "session.left")
		},
	}
}
