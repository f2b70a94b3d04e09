package actionlog

import (
	"context"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Hold keeps personal values in the log that are due for erasure (SPEC L5).
type Hold struct {
	ID     string    `json:"id" log:"-"`
	Tenant string    `json:"tenant,omitempty"` // "" for all
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to,omitzero"`
	Reason string    `json:"reason"`
}

// NewHold is the input of log.hold.add.
type NewHold struct {
	Tenant string `json:"tenant" doc:"Tenant whose records are held, by id or log-in name; all when left out" rule:"max=254"`
	From   string `json:"from" doc:"Records since this time: RFC 3339, or a date; no bound when left out" rule:"max=40"`
	To     string `json:"to" doc:"Records before this time; no bound when left out" rule:"max=40"`
	Why    string `json:"why" doc:"Why they are held: the case, the authority" rule:"required,min=5,max=500"`
}

// OneHold names a hold.
type OneHold struct {
	Hold string `json:"hold" doc:"Id of the hold" rule:"required,max=40" cli:"arg"`
}

func holdRef(id string) core.Ref { return core.Ref{Kind: "hold", ID: id} }

func holdOwner(context.Context, *act.View, string) (string, error) { return core.Provider, nil }

func (l *Log) holdAdd() act.Declaration {
	return act.Change[NewHold, Hold]{
		Name: "log.hold.add", Doc: "Hold personal values in the log, so that no rule erases them.", Class: class, Roles: act.Primary,
		Must: []string{"hold.added"}, Serves: serves(), Sample: NewHold{Why: "case 7 Os 12/26, public prosecutor", From: "2026-11-01"}, Target: nothing[NewHold],
		Run: func(ctx context.Context, tx *act.Tx, in NewHold) (Hold, error) {
			var faults core.Faults
			if in.Tenant != "" {
				id, err := l.ports.Tenant(ctx, &tx.View, in.Tenant)
				if err != nil {
					return Hold{}, err
				}
				in.Tenant = id
			}
			h := Hold{ID: core.NewID("h"), Tenant: in.Tenant, From: moment(&faults, "from", in.From), To: moment(&faults, "to", in.To), Reason: in.Why}
			if err := faults.Err(); err != nil {
				return h, err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO actionlog_hold (id, tenant, from_time, to_time, reason) VALUES ($1, $2, $3, $4, $5)`,
				h.ID, h.Tenant, micros(h.From), micros(h.To), h.Reason); err != nil {
				return h, err
			}
			return h, tx.Record(ctx, "hold.added", holdRef(h.ID), act.Diff(nil, h)...)
		},
	}
}

var holdEnd = act.Change[OneHold, Hold]{
	Name: "log.hold.end", Doc: "End a hold: what is due is erased at the next run.", Class: class, Roles: act.Primary, Confirm: true,
	Must: []string{"hold.ended"}, Serves: serves(), Sample: OneHold{"h_00000000000000000000000000"},
	Target: func(_ context.Context, _ *act.View, in *OneHold) (core.Ref, error) { return holdRef(in.Hold), nil },
	Run: func(ctx context.Context, tx *act.Tx, in OneHold) (Hold, error) {
		all, err := Holds(ctx, &tx.View)
		if err != nil {
			return Hold{}, err
		}
		i := slices.IndexFunc(all, func(h Hold) bool { return h.ID == in.Hold })
		if i < 0 {
			return Hold{}, core.Errorf(core.NotFound, "there is no hold %.40q", in.Hold)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM actionlog_hold WHERE id = $1`, in.Hold); err != nil {
			return Hold{}, err
		}
		return all[i], tx.Record(ctx, "hold.ended", holdRef(in.Hold), act.Diff(all[i], nil)...)
	},
}

// HoldList is the output of log.hold.list.
type HoldList struct {
	Holds []Hold `json:"holds"`
}

var holdList = act.Query[struct{}, HoldList]{
	Name: "log.hold.list", Doc: "List the legal holds.", Class: class, Roles: act.Admins | act.Auditor, Target: nothing[struct{}],
	Run: func(ctx context.Context, v *act.View, _ struct{}) (HoldList, error) {
		all, err := Holds(ctx, v)
		return HoldList{append([]Hold{}, all...)}, err
	},
}

// Holds returns every hold, ordered by id.
func Holds(ctx context.Context, v *act.View) ([]Hold, error) {
	var all []Hold
	err := v.Each(ctx, `SELECT id, tenant, from_time, to_time, reason FROM actionlog_hold`, nil, func(scan func(...any) error) error {
		var h Hold
		var from, to int64
		err := scan(&h.ID, &h.Tenant, &from, &to, &h.Reason)
		h.From, h.To = at(from), at(to)
		all = append(all, h)
		return err
	})
	slices.SortFunc(all, func(a, b Hold) int { return strings.Compare(a.ID, b.ID) })
	return all, err
}

func holdDigest(ctx context.Context, v *act.View, id string) (string, error) {
	all, err := Holds(ctx, v)
	i := slices.IndexFunc(all, func(h Hold) bool { return h.ID == id })
	if err != nil || i < 0 {
		return "", err
	}
	return act.DigestOf(all[i])
}

func holdIDs(ctx context.Context, v *act.View) ([]string, error) {
	all, err := Holds(ctx, v)
	var ids []string
	for _, h := range all {
		ids = append(ids, h.ID)
	}
	return ids, err
}

// micros and at keep 0 for "no bound".
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
