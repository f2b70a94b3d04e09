package login

import (
	"context"
	"fmt"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Forgot is the input of login.forgot.
type Forgot struct {
	Login string `json:"login" rule:"required,max=254" doc:"log-in name"`
}

// Asked is the output of login.forgot: the same for every name.
type Asked struct {
	Sentence string `json:"sentence"`
}

// Letters that this feature writes.
const (
	LetterRecovery = "recovery" // somebody asked for a new password
	LetterInvite   = "invite"   // somebody invited the account
)

// forgot has a letter with a link sent. For a name that nobody has, a closed
// account, and one without an address a letter to nobody is queued: the answer,
// the work and the record are the same (SPEC A8).
func (l *Login) forgot() act.Change[Forgot, Asked] {
	return act.Change[Forgot, Asked]{
		Name: "login.forgot", Doc: "Have a link for a new password sent to the e-mail address of an account.", Class: class, Roles: act.Stranger, Wakes: []string{"mail"},
		Must: []string{"letter.queued", "throttle.counted"}, Serves: serves, Sample: Forgot{Login: "anna"}, Target: nowhere[Forgot],
		Prepare: func(_ context.Context, _ *act.View, in *Forgot) error {
			if in.Login = fold(in.Login); !l.Mails() {
				return core.Errorf(core.Conflict, "this server sends no mail; ask whoever made your account for a link")
			}
			return nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in Forgot) (Asked, error) {
			keys := append(letterKeys(in.Login), networkKey(tx.Actor().Address))
			if err := wait(ctx, &tx.View, keys...); err != nil {
				return Asked{}, err
			}
			id, err := l.recoverable(ctx, &tx.View, in.Login)
			if err != nil {
				return Asked{}, err
			}
			if err := countFailure(ctx, tx, keys...); err != nil {
				return Asked{}, err
			}
			return Asked{"If an account has this name and an e-mail address, a letter with a link is on its way. The link is good for 30 minutes from when it is sent."},
				l.Notices.Queue(ctx, tx, id, LetterRecovery)
		},
	}
}

// recoverable returns the account that may get a link by mail, "" for none. An
// administrator or auditor without a second factor may not: who reads his mail
// would have all there is.
func (l *Login) recoverable(ctx context.Context, v *act.View, login string) (string, error) {
	id, err := l.Accounts.Lookup(ctx, v, login)
	if err != nil {
		return "", err
	}
	who, open, err := l.Accounts.Actor(ctx, v, id)
	if core.UnlessNotFound(err) != nil {
		return "", err
	}
	standing, err := l.Factors.Standing(ctx, v, who)
	if err != nil || !open || who.Role&(act.Admins|act.Auditor) != 0 && !standing.Has {
		return "", err
	}
	return id, nil
}

// To is the input of login.recovery.
type To struct {
	Account string `json:"account" rule:"required,max=40" doc:"id of the account"`
}

// recovery makes the link when its letter goes out, so that no link ever waits
// in the database.
func (l *Login) recovery() act.Change[To, Link] {
	return act.Change[To, Link]{
		Name: "login.recovery", Doc: "Make the link of a letter that is going out.", Class: class, Roles: act.System, Reveals: true,
		Must: []string{"setup.offered"}, May: []string{"setup.ended"}, Serves: serves, Sample: To{"a_0123456789abcdefghjkmnpqrs"},
		Target: func(_ context.Context, _ *act.View, in *To) (core.Ref, error) {
			return core.Ref{Kind: "account", ID: in.Account}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in To) (Link, error) {
			_, open, err := l.Accounts.Actor(ctx, &tx.View, in.Account)
			if err == nil && !open {
				err = core.Errorf(core.Conflict, "the account is disabled")
			}
			if err != nil {
				return Link{}, err
			}
			return offer(ctx, tx, in.Account, byMail)
		},
	}
}

// Letter writes a letter of this feature: about says which, base is the panel's
// own address. Nothing of it is kept.
func (l *Login) Letter(ctx context.Context, b *act.Bus, account, about, base string) (subject, text string, err error) {
	out, _, err := l.recovery().Call(ctx, b, act.SystemActor("mail"), To{account})
	if err != nil {
		return "", "", err
	}
	subject, why := "A new password for your account", "Somebody asked for a new password for your account. If it was not you, do nothing: your password stays as it is, and the link ends by itself."
	if about == LetterInvite {
		subject, why = "Your account", "An account was made for you. Set its password with this link:"
	}
	text = fmt.Sprintf("%s\n\n%s%s\n\nThe link works once, until %s UTC. Nobody will ever ask you for it or for your password.\n",
		why, base, out.Link, out.Expires.UTC().Format("2006-01-02 15:04"))
	return subject, text, nil
}
