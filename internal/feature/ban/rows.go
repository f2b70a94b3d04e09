package ban

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// read returns the policy.
func read(ctx context.Context, v *act.View) (Policy, error) {
	p := initial()
	var text string
	found, err := v.Get(ctx, `SELECT settings FROM ban_policy WHERE id = 'server'`, nil, &text)
	if err != nil || !found {
		return p, err
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, fmt.Errorf("reading the policy of bans: %w", err)
	}
	return p, nil
}

func write(ctx context.Context, tx *act.Tx, p Policy) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO ban_policy (id, settings) VALUES ('server', $1) ON CONFLICT (id) DO UPDATE SET settings = excluded.settings`, string(text))
	return err
}

func policyDigest(ctx context.Context, v *act.View, _ string) (string, error) {
	var state struct {
		Settings string `json:"settings"`
	}
	found, err := v.Get(ctx, `SELECT settings FROM ban_policy WHERE id = 'server'`, nil, &state.Settings)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(state)
}

func policyIDs(ctx context.Context, v *act.View) ([]string, error) {
	var ids []string
	err := v.Each(ctx, `SELECT id FROM ban_policy`, nil, texts(&ids))
	return ids, err
}

func texts(all *[]string) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		*all = append(*all, id)
		return err
	}
}

// Order is what an engine is still to do.
type Order struct {
	ID     string
	Lift   bool
	Prefix netip.Prefix
	For    time.Duration // 0: until somebody lifts it
	Reason string
	Made   time.Time
	Tries  int
	Fault  string

	salt string
}

func (o Order) ref() core.Ref { return core.Ref{Kind: "ban", ID: o.ID} }

// patience is how long an engine may take for an order.
const patience = time.Hour

// Over reports an order that has waited too long.
func (o Order) Over(now time.Time) bool { return now.Sub(o.Made) >= patience }

func (o Order) verb() string {
	if o.Lift {
		return "lift"
	}
	return "ban"
}

// orders appends each row of id, verb, prefix, seconds, reason, salt, made, tries, fault.
func orders(list *[]Order) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var o Order
		var verb, prefix string
		var secs, made int64
		if err := scan(&o.ID, &verb, &prefix, &secs, &o.Reason, &o.salt, &made, &o.Tries, &o.Fault); err != nil {
			return err
		}
		p, err := netip.ParsePrefix(prefix)
		o.Lift, o.Prefix, o.For, o.Made = verb == "lift", p, time.Duration(secs)*time.Second, core.At(made)
		*list = append(*list, o)
		return err
	}
}

func orderByID(ctx context.Context, v *act.View, id string) (Order, error) {
	var list []Order
	err := v.Each(ctx, `SELECT id, verb, prefix, seconds, reason, salt, made, tries, fault FROM ban_order WHERE id = $1`, []any{id}, orders(&list))
	if err == nil && len(list) == 0 {
		err = core.Errorf(core.NotFound, "there is no ban %.40q", id)
	}
	if err != nil {
		return Order{}, err
	}
	return list[0], nil
}

// waiting returns the orders, oldest first.
func waiting(ctx context.Context, v *act.View) (list []Order, err error) {
	err = v.Each(ctx, `SELECT id, verb, prefix, seconds, reason, salt, made, tries, fault FROM ban_order ORDER BY made, id`, nil, orders(&list))
	return list, err
}

func insertOrder(ctx context.Context, tx *act.Tx, o Order) error {
	_, err := tx.Exec(ctx, `INSERT INTO ban_order (id, verb, prefix, seconds, reason, salt, made, tries, fault) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '')`,
		o.ID, o.verb(), o.Prefix.String(), seconds(o.For), o.Reason, o.salt, core.Micros(o.Made))
	return err
}

func retryOrder(ctx context.Context, tx *act.Tx, o Order, fault string) error {
	_, err := tx.Exec(ctx, `UPDATE ban_order SET tries = $1, fault = $2 WHERE id = $3`, o.Tries+1, fault, o.ID)
	return err
}

func removeOrder(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM ban_order WHERE id = $1`, id)
	return err
}

// isDay tells the two kinds of ids apart.
func isDay(id string) bool { return !strings.HasPrefix(id, "b_") }

// The states that the log's digests cover.
type (
	orderState struct {
		Sum   string `json:"sum"` // SHA-256 of salt, verb, prefix, seconds and reason
		Made  int64  `json:"made"`
		Tries int    `json:"tries"`
		Fault string `json:"fault"`
	}
	dayState struct {
		Events int64  `json:"events"`
		Chain  string `json:"chain"`
	}
)

func digest(ctx context.Context, v *act.View, id string) (string, error) {
	if isDay(id) {
		d, found, err := dayOf(ctx, v, id)
		if err != nil || !found {
			return "", err
		}
		return act.DigestOf(dayState{d.events, d.chain})
	}
	o, err := orderByID(ctx, v, id)
	if err != nil {
		return "", core.UnlessNotFound(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %q", o.salt, o.verb(), o.Prefix, seconds(o.For), o.Reason))
	return act.DigestOf(orderState{hex.EncodeToString(sum[:]), core.Micros(o.Made), o.Tries, o.Fault})
}

// recompute believes no sum that is stored.
func recompute(ctx context.Context, v *act.View, id string) (string, error) {
	if !isDay(id) {
		return digest(ctx, v, id)
	}
	d, found, err := dayOf(ctx, v, id)
	if err != nil || !found {
		return "", err
	}
	state := dayState{Chain: d.salt}
	err = v.Each(ctx, `SELECT n, engine, seq, time, what, jail, prefix, cause, until, times, failures, lines FROM ban_event WHERE day = $1 ORDER BY n`, []any{id},
		func(scan func(dest ...any) error) error {
			e, err := scanEvent(scan)
			state.Events++
			state.Chain = e.chained(state.Chain)
			return err
		})
	if err != nil {
		return "", err
	}
	return act.DigestOf(state)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM ban_order ORDER BY id`, nil, texts(&all))
	if err == nil {
		err = v.Each(ctx, `SELECT id FROM ban_day ORDER BY id`, nil, texts(&all))
	}
	return all, err
}

// noted is one day of history.
type noted struct {
	id, salt, chain string
	events          int64
}

func dayOf(ctx context.Context, v *act.View, id string) (d noted, found bool, err error) {
	d.id = id
	found, err = v.Get(ctx, `SELECT salt, events, chain FROM ban_day WHERE id = $1`, []any{id}, &d.salt, &d.events, &d.chain)
	return d, found, err
}

// event is one row of history.
type event struct {
	N        int64  `json:"n"`
	Engine   string `json:"engine"`
	Seq      int64  `json:"seq"`
	Time     int64  `json:"time"`
	What     string `json:"what"`
	Jail     string `json:"jail"`
	Prefix   string `json:"prefix"`
	Cause    string `json:"cause"`
	Until    int64  `json:"until"`
	Times    int    `json:"times"`
	Failures int    `json:"failures"`
	Lines    string `json:"lines"`
}

// chained is the sum of an event behind that of those before.
func (e event) chained(before string) string {
	text, err := json.Marshal(e)
	if err != nil {
		return "" // a struct of texts and numbers cannot fail
	}
	sum := sha256.Sum256(append([]byte(before+"\n"), text...))
	return hex.EncodeToString(sum[:])
}

// scanEvent reads n, engine, seq, time, what, jail, prefix, cause, until, times,
// failures, lines.
func scanEvent(scan func(dest ...any) error) (e event, err error) {
	err = scan(&e.N, &e.Engine, &e.Seq, &e.Time, &e.What, &e.Jail, &e.Prefix, &e.Cause, &e.Until, &e.Times, &e.Failures, &e.Lines)
	return e, err
}

func insertEvent(ctx context.Context, tx *act.Tx, day string, e event) error {
	_, err := tx.Exec(ctx, `INSERT INTO ban_event (day, n, engine, seq, time, what, jail, prefix, cause, until, times, failures, lines)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		day, e.N, e.Engine, e.Seq, e.Time, e.What, e.Jail, e.Prefix, e.Cause, e.Until, e.Times, e.Failures, e.Lines)
	return err
}

func writeDay(ctx context.Context, tx *act.Tx, d noted) error {
	_, err := tx.Exec(ctx, `INSERT INTO ban_day (id, salt, events, chain) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET events = excluded.events, chain = excluded.chain`, d.id, d.salt, d.events, d.chain)
	return err
}

func removeDay(ctx context.Context, tx *act.Tx, id string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM ban_event WHERE day = $1`, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM ban_day WHERE id = $1`, id)
	return err
}

// daysBefore returns the oldest days before one.
func daysBefore(ctx context.Context, v *act.View, day string, most int) (all []string, err error) {
	err = v.Each(ctx, `SELECT id FROM ban_day WHERE id < $1 ORDER BY id LIMIT $2`, []any{day, most}, texts(&all))
	return all, err
}

// last returns number and time of the event of an engine that was noted last.
func last(ctx context.Context, v *act.View, engine string) (seq, at int64, err error) {
	_, err = v.Get(ctx, `SELECT seq, time FROM ban_event WHERE engine = $1 ORDER BY day DESC, n DESC LIMIT 1`, []any{engine}, &seq, &at)
	return seq, at, err
}
