package firewall_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/act/acttest"
	"hostward/internal/core"
	"hostward/internal/feature/firewall"
	"hostward/internal/host"
	"hostward/internal/store/storetest"
)

func actor(role act.Role, address string) act.Actor {
	return act.Actor{Kind: "account", ID: core.Provider, Name: "ann", Role: role, Tenant: core.Provider, Door: "rest", Address: address}
}

var admin = actor(act.Primary, "192.0.2.9")

// world is a bus with a firewall, and an agent that says what it is told to.
type world struct {
	*act.Bus
	t    *testing.T
	f    *firewall.Firewall
	seen host.Status
	lost error // why the agent does not answer
}

type input map[string]any

func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) { f(t, newWorld(t, url)) })
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t, lost: errors.New("the agent does not run")}
	w.f = firewall.New(firewall.Ports{Panel: func() uint16 { return 8443 }, Seen: func(context.Context) (host.Status, error) { return w.seen, w.lost }})
	w.Bus = acttest.Open(t, url, core.SystemClock, acttest.Accounts(), w.f.Feature())
	return w
}

func (w *world) call(a act.Actor, op string, in input) (act.Result, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Do(w.t.Context(), act.Call{Op: op, Actor: a, Input: raw, Confirmed: true})
}

func must[O any](w *world, op string, in input) O {
	w.t.Helper()
	r, err := w.call(admin, op, in)
	if err != nil {
		w.t.Fatalf("%s %v: %v", op, in, core.AsError(err).Error())
	}
	return r.Output.(O)
}

// fails wants a refusal whose words hold some.
func (w *world) fails(code core.Code, a act.Actor, op string, in input, says string) {
	w.t.Helper()
	if _, err := w.call(a, op, in); core.CodeOf(err) != code || !strings.Contains(core.AsError(err).Error(), says) {
		w.t.Errorf("%s %v: %v, want %s that says %q", op, in, err, code, says)
	}
}

// desired is what the agent would be ordered.
func (w *world) desired() (d firewall.Desired) {
	w.t.Helper()
	m := w.f.Control()
	err := w.Look(w.t.Context(), "test", func(v *act.View) error {
		raw, err := m.Desired(w.t.Context(), v)
		if err != nil {
			return err
		}
		return errors.Join(m.Check(raw), json.Unmarshal(raw, &d))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) to(service string) string {
	w.t.Helper()
	for _, s := range w.desired().Services {
		if s.Name == service {
			return strings.Join(s.To, " ") + " " + strings.Join(s.Ports, " ")
		}
	}
	w.t.Fatalf("there is no service %s", service)
	return ""
}

func (w *world) sees(listeners ...firewall.Listener) {
	w.t.Helper()
	o := firewall.Observed{Loaded: true, Counters: []firewall.Counter{{Name: "service_web", Packets: 7}},
		Published: []firewall.Published{{Table: "ip nat", Proto: "tcp", First: 8080, Last: 8080, To: "172.17.0.2:80", State: "open past the firewall"}}}
	for _, l := range listeners {
		o.Exposure = append(o.Exposure, firewall.Exposed{Listener: l})
	}
	raw, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.seen, w.lost = host.Status{Control: firewall.Name, State: host.InForce, Observed: raw}, nil
}

func TestWhatIsClosedAtFirst(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for service, want := range map[string]string{"panel": "all 8443/tcp", "ssh": "all 22/tcp", "panel-http": "nobody 8880/tcp", "mysql": "nobody 3306/tcp",
			"samba": "nobody 137/udp 138/udp 139/tcp 445/tcp", "web": "nobody 80/tcp 443/tcp", "licensing": "all 443/tcp"} {
			if got := w.to(service); got != want {
				t.Errorf("%s is open to %s", service, got)
			}
		}
		if s := must[firewall.Shown](w, "firewall.show", nil); s.Seen || len(s.Services) != len(firewall.Catalogue()) {
			t.Errorf("shown without an agent: %+v", s)
		}
		if e := must[firewall.Exposure](w, "firewall.exposure", nil); e.Seen || len(e.Listeners) != 0 {
			t.Errorf("seen without an agent: %+v", e)
		}
		w.fails(core.Conflict, admin, "firewall.propose", nil, "agent")
	})
}

func TestServicesAreOpenedAndClosed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must[firewall.SetChanged](w, "firewall.set.put", input{"set": "office", "networks": "192.0.2.0/24\n2001:db8::/32"})
		must[firewall.Service](w, "firewall.service.set", input{"service": "imap", "to": "@office, 198.51.100.10-20 203.0.113.*"})
		if got := w.to("imap"); got != "198.51.100.10-198.51.100.20 203.0.113.0/24 @office 143/tcp 993/tcp" {
			t.Error(got)
		}
		must[firewall.Service](w, "firewall.service.set", input{"service": "ftp", "to": "all", "ports": "21/tcp, 49152-49407/tcp"})
		if got := w.to("ftp"); got != "all 21/tcp 49152-49407/tcp" {
			t.Error(got)
		}
		r, err := w.call(admin, "firewall.service.set", input{"service": "ftp", "to": "nobody"})
		if err != nil || w.to("ftp") != "nobody 21/tcp 49152-49407/tcp" || len(r.Changes) != 1 {
			t.Fatalf("%v %+v", err, r.Changes)
		}
		var said []string
		for _, f := range r.Changes[0].Fields {
			if f.Old != nil {
				said = append(said, f.Name+" "+*f.Old+" > "+*f.New)
			}
		}
		if strings.Join(said, "; ") != "to all > nobody" {
			t.Errorf("the record says %q", said)
		}
		w.fails(core.Conflict, admin, "firewall.set.delete", input{"set": "office"}, "service imap")
		for says, in := range map[string]input{
			"one of panel":  {"service": "telnet", "to": "all"},
			"192.0.2.0/24":  {"service": "imap", "to": "192.0.2.7/24"},
			"behind @":      {"service": "imap", "to": "@nowhere"},
			"8080/tcp":      {"service": "imap", "to": "all", "ports": "143"},
			"an address or": {"service": "imap", "to": "all, 192.0.2.1"},
		} {
			w.fails(core.Invalid, admin, "firewall.service.set", in, says)
		}
		for _, role := range []act.Role{act.Auditor, act.Customer, act.Reseller} {
			w.fails(core.Denied, actor(role, "192.0.2.9"), "firewall.service.set", input{"service": "imap", "to": "all"}, "")
		}
	})
}

// TestNobodyIsShutOutByMistake: the panel stays open to who changes the firewall,
// unless he says that he means it.
func TestNobodyIsShutOutByMistake(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fails(core.Conflict, admin, "firewall.service.set", input{"service": "panel", "to": "nobody"}, "192.0.2.9")
		w.fails(core.Conflict, actor(act.Primary, ""), "firewall.service.set", input{"service": "panel", "to": "nobody"}, "everybody")
		w.fails(core.Conflict, admin, "firewall.service.set", input{"service": "panel", "to": "198.51.100.0/24"}, "192.0.2.9")
		w.fails(core.Conflict, admin, "firewall.rule.add", input{"direction": "input", "action": "drop", "protocol": "any", "peers": "192.0.2.0/24"}, "192.0.2.9")
		if w.to("panel") != "all 8443/tcp" || len(w.desired().Rules) != 0 {
			t.Fatal("what was refused was done")
		}
		must[firewall.SetChanged](w, "firewall.set.put", input{"set": "office", "networks": "192.0.2.0/24"})
		must[firewall.Service](w, "firewall.service.set", input{"service": "panel", "to": "@office"})
		w.fails(core.Conflict, admin, "firewall.set.put", input{"set": "office", "networks": "198.51.100.7"}, "192.0.2.9")
		w.fails(core.Conflict, admin, "firewall.set.load", input{"set": "office", "file": "198.51.100.7\n"}, "192.0.2.9")
		must[firewall.Service](w, "firewall.service.set", input{"service": "panel", "to": "nobody", "lockout": true})
		if !w.desired().Lockout {
			t.Error("that it is meant is not in the order")
		}
		must[firewall.Service](w, "firewall.service.set", input{"service": "imap", "to": "all"}) // other changes go on
		must[firewall.Service](w, "firewall.service.set", input{"service": "panel", "to": "all"})
		if w.desired().Lockout {
			t.Error("it is still said to be meant")
		}
	})
}

func TestRulesAreKeptInOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		add := func(port, before string) string {
			return must[firewall.Rule](w, "firewall.rule.add", input{"direction": "input", "action": "accept", "protocol": "tcp", "ports": port, "before": before, "comment": port}).ID
		}
		order := func(want string) {
			t.Helper()
			var got []string
			for _, r := range w.desired().Rules {
				got = append(got, r.Comment)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("the order is %q, not %q", got, want)
			}
		}
		one, two := add("1", ""), add("2", "")
		three := add("3", two)
		order("1 3 2")
		move := func(rule, before string) {
			t.Helper()
			if _, err := w.call(admin, "firewall.rule.move", input{"rule": rule, "before": before}); err != nil {
				t.Fatal(err)
			}
		}
		move(two, one)
		order("2 1 3")
		move(two, "")
		order("1 3 2")
		move(two, two)
		order("1 3 2")
		must[firewall.Nothing](w, "firewall.rule.remove", input{"rule": three})
		order("1 2")
		w.fails(core.NotFound, admin, "firewall.rule.move", input{"rule": three}, "no rule")
		w.fails(core.NotFound, admin, "firewall.rule.add", input{"direction": "input", "action": "accept", "protocol": "tcp", "before": three}, "no rule")
		for says, in := range map[string]input{
			"without quotes": {"direction": "input", "action": "accept", "protocol": "tcp", "comment": `a"`},
			"a range such":   {"direction": "input", "action": "accept", "protocol": "tcp", "ports": "http"},
			"forward":        {"direction": "sideways", "action": "accept", "protocol": "tcp"},
			"behind @":       {"direction": "input", "action": "accept", "protocol": "tcp", "peers": "@nowhere"},
		} {
			w.fails(core.Invalid, admin, "firewall.rule.add", in, says)
		}
	})
}

func TestSetsTakeFiles(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var file strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&file, "10.%d.%d.%d # one\n", i>>15, i>>7&255, i&127*2)
		}
		got := must[firewall.SetChanged](w, "firewall.set.load", input{"set": "bad", "file": file.String()})
		if got.Networks != 100_000 || got.Added != 100_000 {
			t.Errorf("%+v", got)
		}
		if d := w.desired(); len(d.Sets) != 1 || len(d.Sets[0].Networks) != 100_000 {
			t.Error("the order lacks them")
		}
		if s := must[firewall.SetShown](w, "firewall.set.show", input{"set": "bad"}); s.Networks != 100_000 || len(s.First) != 500 {
			t.Errorf("%d of %d are shown", len(s.First), s.Networks)
		}
		file.WriteString("192.0.2.1\n")
		w.fails(core.Invalid, admin, "firewall.set.load", input{"set": "bad", "file": file.String()}, "100000")
		w.fails(core.Invalid, admin, "firewall.set.load", input{"set": "bad", "file": "192.0.2.1\nexample.org\n"}, "line 2")
		w.fails(core.Invalid, admin, "firewall.set.put", input{"set": "Bad set", "networks": "192.0.2.1"}, "small letters")
		if r, err := w.call(admin, "firewall.set.put", input{"set": "bad", "networks": "10.0.0.2 10.0.0.0-10.0.0.1"}); err != nil || r.Output.(firewall.SetChanged).Removed != 99_999 {
			t.Errorf("%v %+v", err, r.Output)
		}
		must[firewall.Nothing](w, "firewall.set.delete", input{"set": "bad"})
		w.fails(core.NotFound, admin, "firewall.set.show", input{"set": "bad"}, "no set")
	})
}

func TestOnlyWhatRunsIsProposed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		at := func(proto, address string, port uint16, program string) firewall.Listener {
			return firewall.Listener{Proto: proto, Address: address, Port: port, Program: program}
		}
		must[firewall.Service](w, "firewall.service.set", input{"service": "imap", "to": "nobody"})
		w.sees(at("tcp", "*", 443, "apache2"), at("udp", "0.0.0.0", 53, "named"), at("tcp", "127.0.0.1", 25, "master"), at("tcp", "*", 3306, "mariadbd"), at("tcp", "*", 8880, "hostward"),
			at("tcp", "*", 143, "dovecot"), at("tcp", "*", 2222, "sshd"), at("tcp", "*", 11211, "memcached"), at("udp", "*", 40000, "named"))
		shown := must[firewall.Shown](w, "firewall.show", nil)
		if got := fmt.Sprint(shown.Uncovered); strings.Contains(got, "40000") || !strings.Contains(got, "2222 sshd") || !strings.Contains(got, "11211") {
			t.Errorf("nothing opens %s", got)
		}
		p := must[firewall.Proposed](w, "firewall.propose", nil)
		if strings.Join(p.Opened, " ") != "ssh web dns" {
			t.Errorf("opened: %q", p.Opened)
		}
		if left := strings.Join(p.Left, "; "); !strings.Contains(left, "mysql") || !strings.Contains(left, "panel-http") || !strings.Contains(left, "11211/tcp (memcached)") || strings.Contains(left, "imap") {
			t.Errorf("left: %s", left)
		}
		for service, want := range map[string]string{"ssh": "all 22/tcp 2222/tcp", "web": "all 80/tcp 443/tcp", "smtp": "nobody 25/tcp 465/tcp 587/tcp", "imap": "nobody 143/tcp 993/tcp", "mysql": "nobody 3306/tcp"} {
			if got := w.to(service); got != want {
				t.Errorf("%s is open to %s", service, got)
			}
		}
		if again := must[firewall.Proposed](w, "firewall.propose", nil); len(again.Opened) != 0 {
			t.Errorf("opened again: %q", again.Opened)
		}
		i := slices.IndexFunc(shown.Services, func(l firewall.Line) bool { return l.Name == "web" })
		if l := shown.Services[i]; l.Packets != 7 || strings.Join(l.Runs, " ") != "apache2" {
			t.Errorf("%+v", l)
		}
		if e := must[firewall.Exposure](w, "firewall.exposure", nil); !e.Seen || e.State != host.InForce || len(e.Listeners) != 9 || len(e.Published) != 1 {
			t.Errorf("%+v", e)
		}
	})
}

func TestSettingsStayUnlessNamed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must[firewall.Nothing](w, "firewall.setting.change", input{"containers": "closed"})
		must[firewall.Nothing](w, "firewall.setting.change", input{"output": "deny", "bridges": "podman0, br-*", "log": "off"})
		d := w.desired()
		if d.Containers != "closed" || d.Output != "deny" || d.Log || strings.Join(d.Bridges, " ") != "podman0 br-*" {
			t.Errorf("%+v", d)
		}
		w.fails(core.Invalid, admin, "firewall.setting.change", input{"bridges": `docker0"`}, "interface")
		r, err := w.call(admin, "firewall.setting.change", input{"output": "deny"})
		if err != nil || len(r.Changes) != 0 {
			t.Errorf("nothing is changed, and yet: %v %+v", err, r.Changes)
		}
	})
}
