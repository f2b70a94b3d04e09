package actionlog

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/ledger"
)

// Logins calls yield for every log-in since a time that went through, newest
// first, until yield says no. Log-ins whose address was erased are left out. It
// is for features that ask what a rule would have done.
func (l *Log) Logins(ctx context.Context, v *act.View, since time.Time, yield func(account, address string, at time.Time) bool) error {
	f := ledger.Filter{From: since, Actions: []string{"login.enter", "login.passkey"}, Outcomes: []ledger.Outcome{ledger.Done}, Limit: 500}
	for {
		p, err := l.ports.Browser.List(ctx, v.Ledger(), ledger.Everything, f)
		if err != nil {
			return err
		}
		for _, r := range p.Records {
			if e := r.Entry; e.Address != "" && !yield(e.Actor.ID, e.Address, e.Time) {
				return nil
			}
		}
		if f.Before = p.Next; p.Next == 0 {
			return nil
		}
	}
}
