package login

import (
	"context"
	"strconv"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Limits are how many failures lock a name, and how long sessions last. NIST SP
// 800-63B-4 2.2.3: at most an hour unused and 24 hours in all with two factors.
type Limits struct {
	Failures      int `json:"failures" rule:"required,min=3,max=50" doc:"failed log-ins in a row that lock a log-in name for passwords"`
	AdminIdle     int `json:"admin_idle" rule:"required,min=5,max=60" doc:"minutes after which an unused session of an administrator or auditor ends"`
	AdminTotal    int `json:"admin_total" rule:"required,min=30,max=1440" doc:"minutes after which it ends whatever happens"`
	ResellerIdle  int `json:"reseller_idle" rule:"required,min=5,max=60" doc:"the same for resellers, unused"`
	ResellerTotal int `json:"reseller_total" rule:"required,min=30,max=1440" doc:"the same for resellers, whatever happens"`
	CustomerIdle  int `json:"customer_idle" rule:"required,min=5,max=60" doc:"the same for customers, unused"`
	CustomerTotal int `json:"customer_total" rule:"required,min=30,max=1440" doc:"the same for customers, whatever happens"`
}

// defaults are the limits as long as nobody sets others.
func defaults() Limits { return Limits{10, 30, 720, 60, 1440, 60, 1440} }

// of returns how long a session of a role may be unused, and how long it lasts
// in all. Auditors see what administrators see.
func (l Limits) of(r act.Role) (idle, absolute time.Duration) {
	i, t := l.CustomerIdle, l.CustomerTotal
	switch {
	case r&(act.Admins|act.Auditor) != 0:
		i, t = l.AdminIdle, l.AdminTotal
	case r == act.Reseller:
		i, t = l.ResellerIdle, l.ResellerTotal
	}
	return time.Duration(i) * time.Minute, time.Duration(t) * time.Minute
}

var limitsRef = core.Ref{Kind: "limits", ID: "limits"}

func (l *Login) showLimits() act.Query[Nothing, Limits] {
	return act.Query[Nothing, Limits]{
		Name: "limits.show", Doc: "Show how many failures lock a name, and how long sessions last.", Class: class, Roles: act.Admins | act.Auditor,
		Serves: serves, Sample: Nothing{}, Target: func(context.Context, *act.View, *Nothing) (core.Ref, error) { return limitsRef, nil },
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Limits, error) {
			x, _, err := limitsNow(ctx, v)
			return x, err
		},
	}
}

func (l *Login) setLimits() act.Change[Limits, Limits] {
	return act.Change[Limits, Limits]{
		Name: "limits.set", Doc: "Say how many failures lock a name, and how long sessions last from now on.", Class: class, Roles: act.Primary, Proof: proof,
		Must: []string{"limits.set"}, Serves: serves, Sample: Limits{8, 20, 480, 30, 720, 60, 1440},
		Target: func(context.Context, *act.View, *Limits) (core.Ref, error) { return limitsRef, nil },
		Run: func(ctx context.Context, tx *act.Tx, in Limits) (Limits, error) {
			old, found, err := limitsNow(ctx, &tx.View)
			if err != nil || found && old == in {
				return in, err
			}
			if err := writeLimits(ctx, tx, in); err != nil {
				return in, err
			}
			return in, tx.Record(ctx, "limits.set", limitsRef, act.Diff(old, in)...)
		},
	}
}

func number(name string, old, new int) act.Field {
	return act.Field{Name: name, Old: value(strconv.Itoa(old)), New: value(strconv.Itoa(new))}
}
