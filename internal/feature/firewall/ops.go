package firewall

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Nothing is an input or output without fields.
type Nothing struct{}

// Line is a service as faces show it.
type Line struct {
	Entry
	To      []string `json:"to"`
	Decided bool     `json:"decided"`           // somebody did; else it is as the catalogue has it
	Runs    []string `json:"runs,omitempty"`    // programs that wait at its ports
	Packets uint64   `json:"packets,omitempty"` // that began something, since the table was loaded
	Seen    bool     `json:"seen"`              // the counter was
}

// Placed is a rule with its number, from 1.
type Placed struct {
	Place int `json:"place"`
	Rule
}

// Summary is a set without its networks.
type Summary struct {
	Name     string   `json:"name"`
	Networks int      `json:"networks"`
	Used     []string `json:"used,omitempty"` // by which services and rules
}

// Shown is the output of firewall.show.
type Shown struct {
	Output     string      `json:"output"`
	Containers string      `json:"containers"`
	Bridges    []string    `json:"bridges"`
	Log        bool        `json:"log"`
	Lockout    bool        `json:"lockout"`
	Services   []Line      `json:"services"`
	Rules      []Placed    `json:"rules"`
	Sets       []Summary   `json:"sets"`
	Uncovered  []Listener  `json:"uncovered,omitempty"` // what waits for others and nothing opens
	Status     host.Status `json:"status"`
	Observed   Observed    `json:"observed"`
	Seen       bool        `json:"seen"` // there is an agent that has looked
	You        string      `json:"you,omitempty"`
}

func (f *Firewall) show() act.Declaration {
	return act.Query[Nothing, Shown]{
		Name: "firewall.show", Doc: "Show the firewall: services, rules, sets, and how it stands on the machine.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (Shown, error) {
			s, err := read(ctx, v)
			if err != nil {
				return Shown{}, err
			}
			d := s.desired(f.ports.Panel())
			out := Shown{Output: d.Output, Containers: d.Containers, Bridges: d.Bridges, Log: d.Log, Lockout: d.Lockout, Rules: []Placed{}, Sets: []Summary{}, You: v.Actor().Address}
			out.Status, out.Observed, out.Seen = f.seen(ctx)
			out.Status.Observed = nil // it is beside it, read
			out.Services = d.lines(s, out.Observed)
			for i, r := range d.Rules {
				out.Rules = append(out.Rules, Placed{i + 1, r})
			}
			for _, x := range d.Sets {
				out.Sets = append(out.Sets, Summary{x.Name, len(x.Networks), d.uses(x.Name)})
			}
			for _, x := range out.Observed.Exposure {
				if x.outside() && len(d.reach(x.Proto, x.Port).From) == 0 && !ephemeral(x.Listener) {
					out.Uncovered = append(out.Uncovered, x.Listener)
				}
			}
			return out, nil
		},
	}
}

// ephemeral reports whether a port is one that a client got for its answers.
func ephemeral(l Listener) bool { return l.Proto == "udp" && l.Port >= 32768 }

func (d Desired) lines(s stored, o Observed) (out []Line) {
	for _, x := range d.Services {
		e, _ := entry(x.Name)
		e.Ports = x.Ports
		_, decided := s.Services[x.Name]
		l := Line{Entry: e, To: x.To, Decided: decided}
		for _, at := range o.Exposure {
			if !x.Out && at.outside() && x.about(at.Proto, at.Port) && !slices.Contains(l.Runs, at.Program) {
				l.Runs = append(l.Runs, at.Program)
			}
		}
		for _, c := range o.Counters {
			if c.Name == counterOf(x.Name) {
				l.Packets, l.Seen = c.Packets, true
			}
		}
		out = append(out, l)
	}
	return out
}

// uses says where a set is named.
func (d Desired) uses(set string) (out []string) {
	for _, s := range d.Services {
		if slices.Contains(s.To, "@"+set) {
			out = append(out, "service "+s.Name)
		}
	}
	for i, r := range d.Rules {
		if slices.Contains(r.Peers, "@"+set) {
			out = append(out, fmt.Sprintf("rule %d", i+1))
		}
	}
	return out
}

// Exposure is the output of firewall.exposure.
type Exposure struct {
	Seen      bool        `json:"seen"`  // else nobody could look, and the rest is empty
	State     string      `json:"state"` // of the control
	Loaded    bool        `json:"loaded"`
	Listeners []Exposed   `json:"listeners"`
	Published []Published `json:"published"`
	Foreign   []Foreign   `json:"foreign"`
	Blind     []string    `json:"blind,omitempty"`
}

func (f *Firewall) exposureOf() act.Declaration {
	return act.Query[Nothing, Exposure]{
		Name: "firewall.exposure", Doc: "Show who reaches what on this server now: programs that listen, and what tables of others forward.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, _ *act.View, _ Nothing) (Exposure, error) {
			s, o, ok := f.seen(ctx)
			return Exposure{Seen: ok, State: s.State, Loaded: o.Loaded, Listeners: append([]Exposed{}, o.Exposure...), Published: append([]Published{}, o.Published...), Foreign: append([]Foreign{}, o.Foreign...), Blind: o.Blind}, nil
		},
	}
}

// ServiceIn opens or closes a service.
type ServiceIn struct {
	Service string `json:"service" cli:"arg" rule:"required,max=40" doc:"name in the catalogue, such as web"`
	To      string `json:"to" cli:"arg" rule:"required,max=16384" doc:"all, nobody, or networks and sets by commas or blanks: 192.0.2.0/24, 2001:db8::/32, @office"`
	Ports   string `json:"ports" rule:"max=1000" doc:"its ports if they are others, such as 2222/tcp, or for FTP 21/tcp 49152-49407/tcp with the passive range; left out: as they are"`
	Lockout bool   `json:"lockout" doc:"do it even if it shuts you or everybody out from the panel"`

	to, ports []string
}

// Validate holds the rules beyond the tags.
func (in *ServiceIn) Validate(f *core.Faults) {
	if _, ok := entry(in.Service); !ok && in.Service != "" {
		f.Add("service", in.Service, "one of "+strings.Join(names(), ", "))
	}
	switch in.To = strings.TrimSpace(in.To); in.To {
	case All, Nobody:
		in.to = []string{in.To}
	default:
		in.to = whom(f, "to", in.To)
	}
	if len(in.to) > mostPeers {
		f.Add("to", fmt.Sprint(len(in.to)), fmt.Sprintf("at most %d networks; more belong into a set", mostPeers))
	}
	in.ports = words(in.Ports)
	for _, p := range in.ports {
		if _, ok := parsePort(p); !ok {
			f.Add("ports", p, portAccepted)
		}
	}
}

func names() (out []string) {
	for _, e := range Catalogue() {
		out = append(out, e.Name)
	}
	return out
}

func (f *Firewall) setService() act.Declaration {
	return act.Change[ServiceIn, Service]{
		Name: "firewall.service.set", Doc: "Open a service to all, to networks and sets, or to nobody.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.service.changed"}, Serves: serves(), Sample: ServiceIn{Service: "imap", To: "192.0.2.0/24"}, Target: target[ServiceIn],
		Run: func(ctx context.Context, tx *act.Tx, in ServiceIn) (Service, error) {
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Service{}, err
			}
			now, old := was.desired.service(in.Service), was.desired.service(in.Service)
			now.To = in.to
			if len(in.ports) > 0 {
				now.Ports = in.ports
			}
			if missing := was.missing(now.To); missing != "" {
				return now, core.Faults{{Field: "to", Value: missing, Accepted: "the name of a set that there is, behind @"}}.Err()
			}
			fields := append(change("to", strings.Join(old.To, " "), strings.Join(now.To, " ")), change("ports", strings.Join(old.Ports, " "), strings.Join(now.Ports, " "))...)
			if _, decided := was.Services[in.Service]; len(fields) == 0 && decided {
				return now, nil
			} else if len(fields) == 0 { // what was the default is a decision now
				fields = change("to", "", strings.Join(now.To, " "))
			}
			if err := putService(ctx, tx, now); err != nil {
				return now, err
			}
			return now, f.end(ctx, tx, was, in.Lockout, "firewall.service.changed", append([]act.Field{{Name: "service", New: &in.Service}}, fields...)...)
		},
	}
}

func (d Desired) service(name string) Service {
	for _, s := range d.Services {
		if s.Name == name {
			return s
		}
	}
	return Service{Name: name}
}

// missing is the first set in a list that there is not.
func (s stored) missing(list []string) string {
	for _, w := range list {
		if name, ok := strings.CutPrefix(w, "@"); ok && !slices.ContainsFunc(s.Sets, func(x Set) bool { return x.Name == name }) {
			return w
		}
	}
	return ""
}

// Proposed is the output of firewall.propose.
type Proposed struct {
	Opened []string `json:"opened"`         // services
	Left   []string `json:"left,omitempty"` // what listens and stays closed, with the reason
}

func (f *Firewall) propose() act.Declaration {
	return act.Change[Nothing, Proposed]{
		Name: "firewall.propose", Doc: "Open the services that run and about which nobody decided yet; databases, Samba and the panel without TLS stay closed.", Class: class,
		Roles: act.Admins, May: []string{"firewall.service.changed"}, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Proposed, error) {
			_, o, ok := f.seen(ctx)
			if !ok {
				return Proposed{}, core.Errorf(core.Conflict, "nobody has looked yet at what runs here: the agent does not run, or cannot look")
			}
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Proposed{}, err
			}
			open, left := was.proposal(o)
			out := Proposed{Opened: []string{}, Left: left}
			for _, s := range open {
				old := was.desired.service(s.Name)
				if err := putService(ctx, tx, s); err != nil {
					return out, err
				}
				fields := append(change("to", strings.Join(old.To, " "), strings.Join(s.To, " ")), change("ports", strings.Join(old.Ports, " "), strings.Join(s.Ports, " "))...)
				if err := f.end(ctx, tx, was, false, "firewall.service.changed", append([]act.Field{{Name: "service", New: ptr(s.Name)}}, fields...)...); err != nil {
					return out, err
				}
				out.Opened = append(out.Opened, s.Name)
			}
			return out, nil
		},
	}
}

// proposal is what would be opened, since it runs, and what would not.
func (b before) proposal(o Observed) (open []Service, left []string) {
	taken := map[Listener]bool{}
	for _, s := range b.desired.Services {
		e, _ := entry(s.Name)
		_, decided := b.Services[s.Name]
		runs, more := false, []string(nil)
		for _, x := range o.Exposure {
			ours := s.about(x.Proto, x.Port)
			if s.Name == "ssh" && x.Program == "sshd" && x.Proto == "tcp" && !ours { // at a port that its operator chose
				ours, more = true, append(more, fmt.Sprintf("%d/tcp", x.Port))
			}
			if !s.Out && ours && x.outside() {
				runs, taken[x.Listener] = true, true
			}
		}
		slices.Sort(more)
		more = slices.Compact(more)
		switch {
		case !runs || decided:
		case e.Risk != "":
			left = append(left, e.Name+": "+e.Risk)
		case !slices.Equal(s.To, []string{All}) || len(more) > 0:
			s.To, s.Ports = []string{All}, append(slices.Clone(s.Ports), more...)
			open = append(open, s)
		}
	}
	for _, x := range o.Exposure {
		if x.outside() && !taken[x.Listener] && !ephemeral(x.Listener) && len(b.desired.reach(x.Proto, x.Port).From) == 0 {
			left = append(left, fmt.Sprintf("%d/%s (%s): it is in no service; a rule can open it", x.Port, x.Proto, x.Program))
		}
	}
	slices.Sort(left)
	return open, slices.Compact(left)
}

// RuleIn is a new rule.
type RuleIn struct {
	Direction string `json:"direction" rule:"required,enum=input|output|forward" doc:"input: to this server; output: from it; forward: through it, to containers and networks behind"`
	Action    string `json:"action" rule:"required,enum=accept|drop|reject" doc:"accept; drop: without a word; reject: with an answer"`
	Protocol  string `json:"protocol" rule:"required,enum=tcp|udp|any" doc:"tcp, udp or any: with ports tcp and udp, without them everything"`
	Ports     string `json:"ports" rule:"max=1000" doc:"ports and ranges by commas or blanks, such as 8080, 9000-9010; left out: all. Of what is forwarded: as the outside names them"`
	Peers     string `json:"peers" rule:"max=16384" doc:"networks and sets at the other end, such as 192.0.2.0/24, @office; left out: all"`
	Comment   string `json:"comment" rule:"max=100" doc:"what it is for"`
	Before    string `json:"before" rule:"max=40" doc:"id of the rule that it goes before; left out: it is the last"`
	Lockout   bool   `json:"lockout" doc:"do it even if it shuts you or everybody out from the panel"`

	rule Rule
}

// Validate holds the rules beyond the tags.
func (in *RuleIn) Validate(f *core.Faults) {
	in.rule = Rule{Direction: in.Direction, Action: in.Action, Protocol: in.Protocol, Comment: strings.TrimSpace(in.Comment), Ports: words(in.Ports), Peers: whom(f, "peers", in.Peers)}
	for _, p := range in.rule.Ports {
		if _, ok := parseSpan(p, in.Protocol); !ok {
			f.Add("ports", p, spanAccepted)
		}
	}
	if !comment(in.rule.Comment) {
		f.Add("comment", in.Comment, commentAccepted)
	}
	if len(in.rule.Peers) > mostPeers {
		f.Add("peers", fmt.Sprint(len(in.rule.Peers)), fmt.Sprintf("at most %d networks; more belong into a set", mostPeers))
	}
}

func (f *Firewall) addRule() act.Declaration {
	return act.Change[RuleIn, Rule]{
		Name: "firewall.rule.add", Doc: "Add a rule; rules go before services, in their order.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.rule.added"}, Serves: serves(), Sample: RuleIn{Direction: "input", Action: "accept", Protocol: "tcp", Ports: "8080", Peers: "192.0.2.0/24", Comment: "monitoring"}, Target: target[RuleIn],
		Run: func(ctx context.Context, tx *act.Tx, in RuleIn) (Rule, error) {
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Rule{}, err
			}
			r := in.rule
			r.ID = core.NewID("fr")
			if missing := was.missing(r.Peers); missing != "" {
				return r, core.Faults{{Field: "peers", Value: missing, Accepted: "the name of a set that there is, behind @"}}.Err()
			}
			at, err := was.place(in.Before)
			if err != nil {
				return r, err
			}
			if err := putRules(ctx, tx, slices.Insert(slices.Clone(was.Rules), at, r)); err != nil {
				return r, err
			}
			return r, f.end(ctx, tx, was, in.Lockout, "firewall.rule.added", append([]act.Field{{Name: "rule", New: &r.ID}, {Name: "place", New: ptr(fmt.Sprint(at + 1))}}, act.Diff(nil, r.flat())...)...)
		},
	}
}

// flat is a rule as a record shows it.
func (r Rule) flat() any {
	return struct {
		Direction string `json:"direction"`
		Protocol  string `json:"protocol"`
		Ports     string `json:"ports"`
		Peers     string `json:"peers"`
		Action    string `json:"action"`
		Comment   string `json:"comment"`
	}{r.Direction, r.Protocol, strings.Join(r.Ports, " "), strings.Join(r.Peers, " "), r.Action, r.Comment}
}

// place is where a rule goes that goes before another.
func (s stored) place(before string) (int, error) {
	if before == "" {
		return len(s.Rules), nil
	}
	return s.rule(before)
}

func (s stored) rule(id string) (int, error) {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return 0, core.Errorf(core.NotFound, "there is no rule %.80q", id)
	}
	return i, nil
}

// RuleID names a rule.
type RuleID struct {
	Rule    string `json:"rule" cli:"arg" rule:"required,max=40" doc:"id of the rule"`
	Lockout bool   `json:"lockout" doc:"do it even if it shuts you or everybody out from the panel"`
}

func (f *Firewall) removeRule() act.Declaration {
	return act.Change[RuleID, Nothing]{
		Name: "firewall.rule.remove", Doc: "Remove a rule.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.rule.removed"}, Serves: serves(), Sample: RuleID{Rule: "fr_0123456789abcdefghjkmnpqrs"}, Target: target[RuleID],
		Run: func(ctx context.Context, tx *act.Tx, in RuleID) (Nothing, error) {
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Nothing{}, err
			}
			at, err := was.rule(in.Rule)
			if err != nil {
				return Nothing{}, err
			}
			if err := putRules(ctx, tx, slices.Delete(slices.Clone(was.Rules), at, at+1)); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, f.end(ctx, tx, was, in.Lockout, "firewall.rule.removed", append([]act.Field{{Name: "rule", Old: &in.Rule}, {Name: "place", Old: ptr(fmt.Sprint(at + 1))}}, act.Diff(was.Rules[at].flat(), nil)...)...)
		},
	}
}

// MoveIn moves a rule.
type MoveIn struct {
	Rule    string `json:"rule" cli:"arg" rule:"required,max=40" doc:"id of the rule"`
	Before  string `json:"before" rule:"max=40" doc:"id of the rule that it goes before; left out: it becomes the last"`
	Lockout bool   `json:"lockout" doc:"do it even if it shuts you or everybody out from the panel"`
}

func (f *Firewall) moveRule() act.Declaration {
	return act.Change[MoveIn, Nothing]{
		Name: "firewall.rule.move", Doc: "Move a rule: of two rules about the same, the first decides.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.rule.moved"}, Serves: serves(), Sample: MoveIn{Rule: "fr_0123456789abcdefghjkmnpqrs"}, Target: target[MoveIn],
		Run: func(ctx context.Context, tx *act.Tx, in MoveIn) (Nothing, error) {
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Nothing{}, err
			}
			from, err := was.rule(in.Rule)
			if err != nil {
				return Nothing{}, err
			}
			rest := stored{Rules: slices.Delete(slices.Clone(was.Rules), from, from+1)}
			if in.Before == in.Rule {
				return Nothing{}, nil
			}
			to, err := rest.place(in.Before)
			if err != nil || to == from {
				return Nothing{}, err
			}
			if err := putRules(ctx, tx, slices.Insert(rest.Rules, to, was.Rules[from])); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, f.end(ctx, tx, was, in.Lockout, "firewall.rule.moved", act.Field{Name: "rule", New: &in.Rule}, act.Field{Name: "place", Old: ptr(fmt.Sprint(from + 1)), New: ptr(fmt.Sprint(to + 1))})
		},
	}
}

// SetName names a set.
type SetName struct {
	Set string `json:"set" cli:"arg" rule:"required,max=24" doc:"name of the set"`
}

// SetShown is a set with its first networks.
type SetShown struct {
	Summary
	First []string `json:"first"`
}

// Text is one network a line.
func (s SetShown) Text() string { return strings.Join(s.First, "\n") }

const mostShown = 500

func (f *Firewall) showSet() act.Declaration {
	return act.Query[SetName, SetShown]{
		Name: "firewall.set.show", Doc: "Show a set of networks; of a large one the first 500.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves(),
		Sample: SetName{Set: "office"}, Target: target[SetName],
		Run: func(ctx context.Context, v *act.View, in SetName) (SetShown, error) {
			s, err := read(ctx, v)
			if err != nil {
				return SetShown{}, err
			}
			x, err := s.set(in.Set)
			return SetShown{Summary{x.Name, len(x.Networks), s.desired(0).uses(x.Name)}, x.Networks[:min(len(x.Networks), mostShown)]}, err
		},
	}
}

func (s stored) set(name string) (Set, error) {
	i := slices.IndexFunc(s.Sets, func(x Set) bool { return x.Name == name })
	if i < 0 {
		return Set{}, core.Errorf(core.NotFound, "there is no set %.80q", name)
	}
	return s.Sets[i], nil
}

// SetIn is a set as it should be.
type SetIn struct {
	Set      string `json:"set" cli:"arg" rule:"required,max=24" doc:"name of the set, such as office; it is made if there is none"`
	Networks string `json:"networks" form:"textarea" rule:"max=65536" doc:"all that it should hold, by commas, blanks or lines; left out: nothing"`
	Lockout  bool   `json:"lockout" doc:"do it even if it shuts you or everybody out from the panel"`

	networks []core.Network
}

// Validate holds the rules beyond the tags.
func (in *SetIn) Validate(f *core.Faults) {
	if !setName(in.Set) && in.Set != "" {
		f.Add("set", in.Set, setNameAccepted)
	}
	in.networks = core.ParseNetworks(f, "networks", in.Networks)
}

// SetChanged is what became of a set.
type SetChanged struct {
	Set      string `json:"set"`
	Networks int    `json:"networks"`
	Added    int    `json:"added"`
	Removed  int    `json:"removed"`
}

func (f *Firewall) putSet() act.Declaration {
	return act.Change[SetIn, SetChanged]{
		Name: "firewall.set.put", Doc: "Make a named set of networks, or say anew what it holds.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.set.changed"}, Serves: serves(), Sample: SetIn{Set: "office", Networks: "192.0.2.0/24, 2001:db8::/32"}, Target: target[SetIn],
		Run: func(ctx context.Context, tx *act.Tx, in SetIn) (SetChanged, error) {
			return f.replace(ctx, tx, in.Set, in.networks, in.Lockout)
		},
	}
}

// replace puts networks in the place of what a set holds. Single addresses stay what
// they are; networks are joined where they overlap or touch.
func (f *Firewall) replace(ctx context.Context, tx *act.Tx, name string, list []core.Network, lockout bool) (SetChanged, error) {
	was, err := f.begin(ctx, tx)
	if err != nil {
		return SetChanged{}, err
	}
	old, missing := was.set(name)
	now := Set{Name: name, Networks: texts(list)}
	added, removed := differ(old.Networks, now.Networks)
	out := SetChanged{name, len(now.Networks), len(added), len(removed)}
	if missing == nil && len(added)+len(removed) == 0 {
		return out, nil
	}
	if len(now.Networks) > mostElements {
		return out, core.Errorf(core.Invalid, "a set holds at most %d networks, and this has %d", mostElements, len(now.Networks))
	}
	if err := putSet(ctx, tx, now); err != nil {
		return out, err
	}
	return out, f.end(ctx, tx, was, lockout, "firewall.set.changed", act.Field{Name: "set", New: &name},
		act.Field{Name: "networks", Old: few(removed), New: few(added)})
}

// texts are networks in their shortest form, sorted, each once.
func texts(list []core.Network) []string {
	whole := slices.Clone(list)
	slices.SortFunc(whole, func(a, b core.Network) int {
		if c := a.First.Compare(b.First); c != 0 {
			return c
		}
		return a.Last.Compare(b.Last)
	})
	out := make([]string, 0, len(whole))
	for i, n := range whole {
		if i == 0 || n != whole[i-1] {
			out = append(out, n.String())
		}
	}
	return out
}

func differ(old, now []string) (added, removed []string) {
	had, has := map[string]bool{}, map[string]bool{}
	for _, n := range old {
		had[n] = true
	}
	for _, n := range now {
		if has[n] = true; !had[n] {
			added = append(added, n)
		}
	}
	for _, n := range old {
		if !has[n] {
			removed = append(removed, n)
		}
	}
	return added, removed
}

// few is a list for a record: the first hundred, and how many more.
func few(list []string) *string {
	const most = 100
	switch {
	case len(list) == 0:
		return nil
	case len(list) > most:
		return ptr(fmt.Sprintf("%s and %d more", strings.Join(list[:most], " "), len(list)-most))
	}
	return ptr(strings.Join(list, " "))
}

// LoadIn is a file of networks.
type LoadIn struct {
	Set     string   `json:"set" cli:"arg" rule:"required,max=24" doc:"name of the set; it is made if there is none"`
	File    act.File `json:"file" cli:"arg" rule:"required" doc:"text file with one network a line, all that the set should hold; # begins a note"`
	Lockout bool     `json:"lockout" doc:"do it even if it shuts you or everybody out from the panel"`

	networks []core.Network
}

// Validate holds the rules beyond the tags.
func (in *LoadIn) Validate(f *core.Faults) {
	if !setName(in.Set) && in.Set != "" {
		f.Add("set", in.Set, setNameAccepted)
	}
}

func (f *Firewall) loadSet() act.Declaration {
	return act.Change[LoadIn, SetChanged]{
		Name: "firewall.set.load", Doc: "Put a file of networks, up to 100,000, in the place of what a set holds.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.set.changed"}, Serves: serves(), Sample: LoadIn{Set: "blocklist", File: act.NewFile("198.51.100.0/24 # seen scanning\n")}, Target: target[LoadIn],
		Prepare: func(_ context.Context, v *act.View, in *LoadIn) (err error) {
			in.networks, err = parseFile(v, in.File)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in LoadIn) (SetChanged, error) {
			return f.replace(ctx, tx, in.Set, in.networks, in.Lockout)
		},
	}
}

// parseFile reads a file of networks and names every wrong line, the first few.
func parseFile(v *act.View, file act.File) (list []core.Network, err error) {
	r, err := v.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var faults core.Faults
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan() && len(faults) < 20; n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		one, err := core.ParseNetwork(text)
		if err != nil {
			faults.Add(fmt.Sprintf("file, line %d", n), text, err.Error())
			continue
		}
		if list = append(list, one); len(list) > mostElements {
			return nil, core.Errorf(core.Invalid, "the file has more than %d networks", mostElements)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, core.Wrap(core.Invalid, err, "the file cannot be read as lines of text")
	}
	return list, faults.Err()
}

func (f *Firewall) deleteSet() act.Declaration {
	return act.Change[SetName, Nothing]{
		Name: "firewall.set.delete", Doc: "Delete a set that nothing uses.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.set.deleted"}, Serves: serves(), Sample: SetName{Set: "office"}, Target: target[SetName],
		Run: func(ctx context.Context, tx *act.Tx, in SetName) (Nothing, error) {
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Nothing{}, err
			}
			x, err := was.set(in.Set)
			if err != nil {
				return Nothing{}, err
			}
			if used := was.desired.uses(x.Name); len(used) > 0 {
				return Nothing{}, core.Errorf(core.Conflict, "the set is used by %s: change that first", strings.Join(used, ", "))
			}
			if _, err := tx.Exec(ctx, `DELETE FROM firewall_set WHERE name = $1`, x.Name); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, f.end(ctx, tx, was, false, "firewall.set.deleted", act.Field{Name: "set", Old: &x.Name}, act.Field{Name: "networks", Old: few(x.Networks)})
		},
	}
}

// SettingIn changes settings; what is left out stays.
type SettingIn struct {
	Output     string `json:"output" rule:"enum=allow|deny" doc:"what leaves this server and nothing declares: allow or deny"`
	Containers string `json:"containers" rule:"enum=open|closed|none" doc:"open: ports that Docker and others publish pass; closed: only those that a forward rule declares; none: nothing is forwarded for containers, not even outward"`
	Bridges    string `json:"bridges" rule:"max=400" doc:"interfaces of containers, by blanks, such as docker0 br-*"`
	Log        string `json:"log" rule:"enum=on|off" doc:"on: a few of the dropped packets a minute go to the kernel's log"`
}

// Validate holds the rules beyond the tags.
func (in *SettingIn) Validate(f *core.Faults) {
	for _, b := range words(in.Bridges) {
		if !bridge(b) {
			f.Add("bridges", b, "the name of an interface such as docker0, or the beginning of one such as br-*")
		}
	}
}

func (f *Firewall) changeSetting() act.Declaration {
	return act.Change[SettingIn, Nothing]{
		Name: "firewall.setting.change", Doc: "Change what the firewall does with output, containers and its log.", Class: class, Roles: act.Admins,
		Must: []string{"firewall.setting.changed"}, Serves: serves(), Sample: SettingIn{Containers: "closed"}, Target: target[SettingIn],
		Run: func(ctx context.Context, tx *act.Tx, in SettingIn) (Nothing, error) {
			was, err := f.begin(ctx, tx)
			if err != nil {
				return Nothing{}, err
			}
			var fields []act.Field
			for _, x := range []struct{ name, old, now string }{
				{"output", was.desired.Output, in.Output}, {"containers", was.desired.Containers, in.Containers},
				{"bridges", strings.Join(was.desired.Bridges, " "), strings.Join(words(in.Bridges), " ")}, {"log", was.setting("log", "on"), in.Log},
			} {
				if x.now == "" || x.now == x.old {
					continue
				}
				if err := putSetting(ctx, tx, x.name, x.now); err != nil {
					return Nothing{}, err
				}
				fields = append(fields, change(x.name, x.old, x.now)...)
			}
			if len(fields) == 0 {
				return Nothing{}, nil
			}
			return Nothing{}, f.end(ctx, tx, was, false, "firewall.setting.changed", fields...)
		},
	}
}
