package firewall

import (
	"context"
	"embed"
	"encoding/json"
	"net/netip"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Seen returns how the agent last saw the firewall.
type Seen func(ctx context.Context) (host.Status, error)

// Ports are what the feature needs of others.
type Ports struct {
	Seen  Seen          // nil: there is no agent
	Panel func() uint16 // port on which the panel listens; 0: none that could be shut
}

// Firewall is the feature.
type Firewall struct{ ports Ports }

//go:embed sql
var migrations embed.FS

//go:embed page
var templates embed.FS

// New makes the feature.
func New(p Ports) *Firewall { return &Firewall{p} }

const class = "panel"

func serves() []string { return []string{"2690:6.7.2", "2690:13.3"} }

// Feature declares it.
func (f *Firewall) Feature() act.Feature {
	return act.Feature{Name: "firewall", SQL: migrations, Pages: pages(),
		Ops: []act.Declaration{f.show(), f.exposureOf(), f.setService(), f.propose(), f.addRule(), f.removeRule(), f.moveRule(),
			f.showSet(), f.putSet(), f.loadSet(), f.deleteSet(), f.changeSetting()},
		Kinds: []act.Kind{{Name: "firewall", Title: "Firewall", Path: "/firewall",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: digest, IDs: ids}}}
}

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return self(), nil }

// seen is how the agent last saw it; false if nobody could say.
func (f *Firewall) seen(ctx context.Context) (host.Status, Observed, bool) {
	var o Observed
	if f.ports.Seen == nil {
		return host.Status{}, o, false
	}
	s, err := f.ports.Seen(ctx)
	if err != nil || len(s.Observed) == 0 || json.Unmarshal(s.Observed, &o) != nil {
		return s, Observed{}, false
	}
	return s, o, true
}

// before is what should be, before an operation changes it.
type before struct {
	stored
	desired Desired
}

func (f *Firewall) begin(ctx context.Context, tx *act.Tx) (before, error) {
	s, err := read(ctx, &tx.View)
	return before{s, s.desired(f.ports.Panel())}, err
}

// end judges what an operation made of it: it must be what nft takes, and shut nobody
// out from the panel who did not say so.
func (f *Firewall) end(ctx context.Context, tx *act.Tx, was before, lockout bool, event string, fields ...act.Field) error {
	s, err := read(ctx, &tx.View)
	if err != nil {
		return err
	}
	d := s.desired(f.ports.Panel())
	if me, err := netip.ParseAddr(tx.Actor().Address); err == nil && d.Panel != 0 && !lockout &&
		was.desired.admits(me, "tcp", d.Panel) && !d.admits(me, "tcp", d.Panel) {
		return core.Errorf(core.Conflict, "this would shut out %s, the address you come from, from the panel at port %d: open it to that address, or say so explicitly with lockout", me, d.Panel)
	}
	nobody := d.Panel != 0 && len(d.reach("tcp", d.Panel).From) == 0
	switch {
	case nobody && lockout && !d.Lockout:
		d.Lockout = true
		err = putSetting(ctx, tx, "lockout", "yes")
	case !nobody && d.Lockout:
		d.Lockout = false
		err = dropSetting(ctx, tx, "lockout")
	}
	if err == nil {
		err = d.Validate()
	}
	if err != nil {
		return err
	}
	if was.desired.Lockout != d.Lockout {
		fields = append(fields, act.Field{Name: "lockout", Old: yesNo(was.desired.Lockout), New: yesNo(d.Lockout)})
	}
	return tx.Record(ctx, event, self(), fields...)
}

func yesNo(b bool) *string {
	if b {
		return ptr("yes")
	}
	return ptr("no")
}

func ptr(s string) *string { return &s }

// change is a field of a record; the same before and after, it is none.
func change(name, old, now string) []act.Field {
	if old == now {
		return nil
	}
	x := act.Field{Name: name}
	if old != "" {
		x.Old = &old
	}
	if now != "" {
		x.New = &now
	}
	return []act.Field{x}
}

// words splits what people write at commas, blanks and line ends.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// whom reads networks and names of sets, each in its shortest form.
func whom(faults *core.Faults, field, text string) (out []string) {
	var sets, rest []string
	for _, w := range words(strings.ReplaceAll(strings.ReplaceAll(text, " -", "-"), "- ", "-")) {
		if strings.HasPrefix(w, "@") {
			sets = append(sets, w)
			continue
		}
		rest = append(rest, w)
	}
	for _, n := range core.ParseNetworks(faults, field, strings.Join(rest, " ")) {
		out = append(out, n.String())
	}
	return append(out, sets...)
}
