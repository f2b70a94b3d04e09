package ban

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// ShownJail is a jail as it is set, and as it stands.
type ShownJail struct {
	Name     string   `json:"name"`
	About    string   `json:"about"`
	Section  string   `json:"section,omitempty"` // its name in the engine, where that is another
	State    string   `json:"state"`             // on, off, auto; "foreign": it is none of ours
	MaxRetry int      `json:"limit"`
	FindTime string   `json:"within"`
	BanTime  string   `json:"for"`
	Runs     bool     `json:"runs"`
	Sources  []string `json:"sources,omitempty"`
	Failures uint64   `json:"failures"`
	Bans     uint64   `json:"bans"`   // since it started
	Banned   int      `json:"banned"` // now
	Fault    string   `json:"fault,omitempty"`
}

// Jails is the output of jail.list.
type Jails struct {
	Engine string      `json:"engine"`
	Again  bool        `json:"again"` // who comes again is kept out longer each time
	Most   string      `json:"most"`  // at the most
	Jails  []ShownJail `json:"jails"`
	Fault  string      `json:"fault,omitempty"` // why the engine cannot be asked
}

// foreign is the state of a jail that somebody else set up.
const foreign = "foreign"

func (b *Bans) listJails() act.Query[Nothing, Jails] {
	return act.Query[Nothing, Jails]{
		Name: "jail.list", Doc: "List the jails: how they are set, and how they stand.", Class: class, Roles: readers, Serves: serves(), Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Jails, error) {
			p, err := read(ctx, v)
			if err != nil {
				return Jails{}, err
			}
			out := Jails{Engine: p.Engine, Again: p.Again, Most: length(p.Most)}
			var running []host.Jail
			g, _, err := b.guard(ctx, v)
			if err == nil {
				running, err = jailsOf(ctx, g)
				err = silent(p.Engine, err)
			}
			if err != nil {
				out.Fault = core.AsError(err).Sentence()
			}
			for i, m := range models("") {
				j := p.jails()[i]
				x := ShownJail{Name: m.name, About: m.about, State: j.State, MaxRetry: j.MaxRetry, FindTime: length(j.FindTime), BanTime: length(j.BanTime)}
				if m.section != m.name && p.Engine == Fail2Ban {
					x.Section = m.section
				}
				for _, r := range running {
					if canonical(r.Name) == m.name {
						x.stands(r)
					}
				}
				out.Jails = append(out.Jails, x)
			}
			for _, r := range running {
				if name := canonical(r.Name); !slices.Contains(names(), name) {
					x := ShownJail{Name: r.Name, State: foreign, MaxRetry: r.MaxRetry, FindTime: length(seconds(r.FindTime)), BanTime: length(seconds(r.BanTime))}
					if name == Manual {
						x.State, x.About = On, "bans by hand"
					}
					x.stands(r)
					out.Jails = append(out.Jails, x)
				}
			}
			return out, nil
		},
	}
}

func jailsOf(ctx context.Context, g host.Guard) ([]host.Jail, error) {
	ctx, stop := context.WithTimeout(ctx, briefly)
	defer stop()
	return g.Jails(ctx)
}

func (x *ShownJail) stands(r host.Jail) {
	x.Runs, x.Sources, x.Failures, x.Bans, x.Banned, x.Fault = r.On, r.Sources, r.Failures, r.Bans, r.Banned, r.Fault
}

// JailIn is the input of jail.set.
type JailIn struct {
	Jail     string `json:"jail" cli:"arg" rule:"required,max=60" doc:"which: ssh, panel, recidive, smtp, imap, ftp, vsftpd, web, bots, nginx, dns, or a name that Plesk or Debian have for it"`
	State    string `json:"state" rule:"enum=on|off|auto" doc:"auto: on where its program and log are; left out: stays"`
	MaxRetry int    `json:"failures" rule:"max=1000" doc:"failures within the time below that lead to a ban; 0: stays"`
	FindTime string `json:"within" rule:"max=20" doc:"how long a failure counts, such as 10m; left out: stays"`
	BanTime  string `json:"for" rule:"max=20" doc:"how long a ban lasts, such as 1h, or until lifted; left out: stays"`
}

// Validate holds the rules beyond the tags.
func (j *JailIn) Validate(f *core.Faults) {
	if !slices.Contains(names(), canonical(j.Jail)) {
		f.Add("jail", j.Jail, "must be one of "+strings.Join(names(), ", "))
	}
	if d, ok := parseLength(j.FindTime); j.FindTime != "" && (!ok || d < 0) {
		f.Add("within", j.FindTime, "a length such as 10m, 1h or 1d")
	}
	if _, ok := parseLength(j.BanTime); j.BanTime != "" && !ok {
		f.Add("for", j.BanTime, lengthForms)
	}
}

func (b *Bans) setJail() act.Change[JailIn, Jail] {
	return act.Change[JailIn, Jail]{
		Name: "jail.set", Doc: "Switch a jail on or off, or change its limits; the control bans applies it.", Class: class, Roles: act.Admins, Proof: proof,
		May: []string{"banpolicy.changed"}, Wakes: []string{unapplied}, Serves: serves(), Sample: JailIn{Jail: "ssh", State: On, MaxRetry: 4, BanTime: "2h"}, Target: target[JailIn],
		Run: func(ctx context.Context, tx *act.Tx, in JailIn) (Jail, error) {
			p, err := read(ctx, &tx.View)
			if err != nil {
				return Jail{}, err
			}
			was := p.jails()[slices.Index(names(), canonical(in.Jail))]
			j := was
			j.State, j.MaxRetry = cmp.Or(in.State, j.State), cmp.Or(in.MaxRetry, j.MaxRetry)
			if d, ok := parseLength(in.FindTime); ok {
				j.FindTime = seconds(d)
			}
			if d, ok := parseLength(in.BanTime); ok {
				j.BanTime = max(seconds(d), -1)
				if d < 0 {
					j.BanTime = -1
				}
			}
			if j == was {
				return j, nil
			}
			return j, change(ctx, tx, p.with(j), act.Field{Name: "jail " + j.Name, Old: ptr(was.String()), New: ptr(j.String())})
		},
	}
}

// String says how a jail is set.
func (j Jail) String() string {
	return j.State + ": " + strconv.Itoa(j.MaxRetry) + " failures in " + length(j.FindTime) + " lead to a ban, " + length(j.BanTime)
}

// change writes the policy and records what is different.
func change(ctx context.Context, tx *act.Tx, p Policy, fields ...act.Field) error {
	if err := write(ctx, tx, p); err != nil {
		return err
	}
	return tx.Record(ctx, "banpolicy.changed", self, fields...)
}

// PolicyIn is the input of ban.policy.set.
type PolicyIn struct {
	Again string `json:"again" rule:"enum=yes|no" doc:"yes: who comes again is kept out longer each time; left out: stays"`
	Most  string `json:"most" rule:"max=20" doc:"how long a ban becomes by that at the most, such as 1w; left out: stays"`
}

// Validate holds the rules beyond the tags.
func (p *PolicyIn) Validate(f *core.Faults) {
	if d, ok := parseLength(p.Most); p.Most != "" && (!ok || d < 0) {
		f.Add("most", p.Most, "a length such as 1d or 1w, at most 10 years")
	}
}

func (b *Bans) setPolicy() act.Change[PolicyIn, Policy] {
	return act.Change[PolicyIn, Policy]{
		Name: "ban.policy.set", Doc: "Say whether who comes again is kept out longer; the control bans applies it.", Class: class, Roles: act.Admins, Proof: proof,
		May: []string{"banpolicy.changed"}, Wakes: []string{unapplied}, Serves: serves(), Sample: PolicyIn{Again: "yes", Most: "2w"}, Target: target[PolicyIn],
		Run: func(ctx context.Context, tx *act.Tx, in PolicyIn) (Policy, error) {
			p, err := read(ctx, &tx.View)
			if err != nil {
				return p, err
			}
			was := p
			if in.Again != "" {
				p.Again = in.Again == "yes"
			}
			if d, ok := parseLength(in.Most); ok {
				p.Most = seconds(d)
			}
			if p.Again == was.Again && p.Most == was.Most {
				return p, nil
			}
			return p, change(ctx, tx, p, act.Field{Name: "longer each time", Old: ptr(was.longer()), New: ptr(p.longer())})
		},
	}
}

func (p Policy) longer() string {
	if !p.Again {
		return "no"
	}
	return "yes, at most " + length(p.Most)
}

// EngineIn is the input of ban.engine.choose.
type EngineIn struct {
	Engine string `json:"engine" cli:"arg" rule:"required,enum=watch|fail2ban|none" doc:"watch: our own; fail2ban: Debian's, which must be installed; none: nobody is banned"`
}

func (b *Bans) choose() act.Change[EngineIn, Policy] {
	return act.Change[EngineIn, Policy]{
		Name: "ban.engine.choose", Doc: "Choose which engine bans; the control bans applies it.", Class: class, Roles: act.Primary, Proof: proof,
		May: []string{"banpolicy.changed"}, Wakes: []string{unapplied}, Serves: serves(), Sample: EngineIn{Engine: Fail2Ban}, Target: target[EngineIn],
		Run: func(ctx context.Context, tx *act.Tx, in EngineIn) (Policy, error) {
			p, err := read(ctx, &tx.View)
			if err != nil || p.Engine == in.Engine {
				return p, err
			}
			was := p.Engine
			p.Engine = in.Engine
			return p, change(ctx, tx, p, act.Field{Name: "engine", Old: &was, New: &p.Engine})
		},
	}
}

// TrustList is the output of ban.trust.list.
type TrustList struct {
	Networks []ShownTrust `json:"networks"`
	You      string       `json:"you,omitempty"` // address that the caller comes from
}

// ShownTrust is a trusted network as faces show it.
type ShownTrust struct {
	Network string    `json:"network"`
	Note    string    `json:"note"`
	Since   time.Time `json:"since"`
}

func (b *Bans) listTrust() act.Query[Nothing, TrustList] {
	return act.Query[Nothing, TrustList]{
		Name: "ban.trust.list", Doc: "List the networks that no jail keeps out.", Class: class, Roles: readers, Serves: serves(), Sample: Nothing{}, Target: nowhere[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (TrustList, error) {
			p, err := read(ctx, v)
			out := TrustList{Networks: []ShownTrust{}, You: v.Actor().Address}
			for _, t := range p.Trusted {
				out.Networks = append(out.Networks, ShownTrust{shown(t.Network), t.Note, t.Since})
			}
			return out, err
		},
	}
}

// TrustIn is the input of ban.trust.add.
type TrustIn struct {
	Networks string `json:"networks" cli:"arg" form:"textarea" rule:"required,max=65536" doc:"addresses and networks, by commas, blanks or lines: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32"`
	Note     string `json:"note" rule:"max=200" doc:"what it is, such as office"`

	prefixes []netip.Prefix
}

// Validate holds the rules beyond the tags.
func (t *TrustIn) Validate(f *core.Faults) {
	t.prefixes = checkPrefixes(f, t.Networks)
	for _, p := range t.prefixes {
		if fault := wide(p); fault != "" {
			f.Add("networks", shown(p), fault)
		}
	}
}

func checkPrefixes(f *core.Faults, text string) (out []netip.Prefix) {
	for _, n := range core.ParseNetworks(f, "networks", text) {
		p, ok := n.Prefix()
		if !ok {
			f.Add("networks", n.String(), "an address or one network, such as 192.0.2.0/24")
			continue
		}
		out = append(out, p.Masked())
	}
	return out
}

func (b *Bans) addTrust() act.Change[TrustIn, TrustList] {
	return act.Change[TrustIn, TrustList]{
		Name: "ban.trust.add", Doc: "Trust networks: no jail keeps them out, once the control bans is applied.", Class: class, Roles: act.Admins, Proof: proof,
		May: []string{"banpolicy.changed"}, Wakes: []string{unapplied}, Serves: serves(), Sample: TrustIn{Networks: "192.0.2.0/24", Note: "office"}, Target: target[TrustIn],
		Run: func(ctx context.Context, tx *act.Tx, in TrustIn) (TrustList, error) {
			p, err := read(ctx, &tx.View)
			if err != nil {
				return TrustList{}, err
			}
			var added []string
			for _, n := range in.prefixes {
				if !slices.ContainsFunc(p.Trusted, func(t Trust) bool { return t.Network == n }) {
					p.Trusted = append(p.Trusted, Trust{n, in.Note, tx.Now()})
					added = append(added, shown(n))
				}
			}
			if len(p.Trusted) > mostTrusted {
				return TrustList{}, core.Errorf(core.Conflict, "at most %d networks can be trusted", mostTrusted)
			}
			if added == nil {
				return TrustList{Networks: []ShownTrust{}}, nil
			}
			slices.SortFunc(p.Trusted, func(a, b Trust) int {
				return cmp.Or(a.Network.Addr().Compare(b.Network.Addr()), a.Network.Bits()-b.Network.Bits())
			})
			return TrustList{Networks: []ShownTrust{}}, change(ctx, tx, p, act.Field{Name: "trusted", New: ptr(strings.Join(added, " ")), Personal: true})
		},
	}
}

// DistrustIn is the input of ban.trust.remove.
type DistrustIn struct {
	Networks string `json:"networks" cli:"arg" form:"textarea" rule:"required,max=65536" doc:"addresses and networks as they stand in the list"`

	prefixes []netip.Prefix
}

// Validate holds the rules beyond the tags.
func (t *DistrustIn) Validate(f *core.Faults) { t.prefixes = checkPrefixes(f, t.Networks) }

func (b *Bans) removeTrust() act.Change[DistrustIn, TrustList] {
	return act.Change[DistrustIn, TrustList]{
		Name: "ban.trust.remove", Doc: "Trust networks no more, once the control bans is applied.", Class: class, Roles: act.Admins, Proof: proof,
		Must: []string{"banpolicy.changed"}, Wakes: []string{unapplied}, Serves: serves(), Sample: DistrustIn{Networks: "192.0.2.0/24"}, Target: target[DistrustIn],
		Run: func(ctx context.Context, tx *act.Tx, in DistrustIn) (TrustList, error) {
			p, err := read(ctx, &tx.View)
			if err != nil {
				return TrustList{}, err
			}
			var gone []string
			p.Trusted = slices.DeleteFunc(p.Trusted, func(t Trust) bool {
				is := slices.Contains(in.prefixes, t.Network)
				if is {
					gone = append(gone, shown(t.Network))
				}
				return is
			})
			if gone == nil {
				return TrustList{}, core.Errorf(core.NotFound, "none of these stands in the list; a network is named as the list has it")
			}
			return TrustList{Networks: []ShownTrust{}}, change(ctx, tx, p, act.Field{Name: "trusted", Old: ptr(strings.Join(gone, " ")), Personal: true})
		},
	}
}
