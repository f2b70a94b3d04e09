package zone_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/nameserver"
	"hostward/internal/store/storetest"
)

// served is a world whose nameserver answers.
type served struct {
	*world
	hands  *hands.Nameserver
	engine *control.Engine
	at     netip.AddrPort
}

// serve joins zones, engine and nameserver as the house does.
func serve(t testing.TB, url string, changes ...func(*zone.Ports)) *served {
	t.Helper()
	s, err := nameserver.New(nameserver.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Sockets: 1})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	out := &served{hands: hands.NewNameserver(s), at: s.Addrs()[0]}
	out.world = newWorld(t, url, func(p *zone.Ports, c *act.Config) {
		p.Served = out.hands.Version
		for _, change := range changes {
			change(p)
		}
		c.Wake = func(ctx context.Context, name string, objects []core.Ref) string {
			if name != "nameserver" {
				return act.InForce // who looks after keys and primaries is not here
			}
			return out.engine.Wake(ctx, name, objects)
		}
	})
	out.engine = control.NewEngine(slog.New(slog.NewTextHandler(testLog{t}, nil)), time.Hour, nil,
		control.Bound{Control: out.zones.Control(), Followed: out.hands, Follower: out.hands})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { out.engine.Run(ctx, out.Bus); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	return out
}

// ask sends one question over UDP and returns answers as text, or the response code.
func (s *served) ask(name string, typ dnsmessage.Type) string {
	s.t.Helper()
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}}}
	msg, err := q.Pack()
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := net.Dial("udp", s.at.String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(generous)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := conn.Write(msg); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.answer(buf[:n])
}

func (s *served) answer(msg []byte) string {
	var m dnsmessage.Message
	if err := m.Unpack(msg); err != nil {
		s.t.Fatal(err)
	}
	if m.RCode != dnsmessage.RCodeSuccess {
		return m.RCode.String()
	}
	var out []string
	for _, r := range m.Answers {
		if a, ok := r.Body.(*dnsmessage.AResource); ok {
			out = append(out, netip.AddrFrom4(a.A).String())
		}
	}
	return strings.Join(out, " ")
}

func TestAChangeIsAnsweredWhenTheOperationReturns(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := serve(t, url)
		if got := s.ask("mail.kranewitt.example.", dnsmessage.TypeA); got != "RCodeRefused" {
			t.Fatalf("before there is a zone: %s", got)
		}
		z, r := must[zone.Changed](s.world, customer, "zone.import", fields{"file": sample(t, "kranewitt.example.zone")})
		if got := s.ask("mail.kranewitt.example.", dnsmessage.TypeA); r.State != act.InForce || got != "192.0.2.25" {
			t.Errorf("after the import: %s, %s", r.State, got)
		}
		for _, c := range []struct {
			op   string
			in   fields
			name string
			want string
		}{
			{"zone.record.set", fields{"name": "mail", "type": "A", "data": []string{"192.0.2.77"}}, "mail.kranewitt.example.", "192.0.2.77"},
			{"zone.record.add", fields{"name": "new.deep", "type": "A", "data": "192.0.2.78"}, "new.deep.kranewitt.example.", "192.0.2.78"},
			{"zone.record.remove", fields{"name": "new.deep", "type": "A"}, "new.deep.kranewitt.example.", "RCodeNameError"},
		} {
			c.in["zone"] = z.ID
			_, r := must[zone.Changed](s.world, customer, c.op, c.in)
			if got := s.ask(c.name, dnsmessage.TypeA); r.State != act.InForce || got != c.want {
				t.Errorf("%s: %s, answer %s, want %s", c.op, r.State, got, c.want)
			}
		}
		shown, _ := must[zone.Shown](s.world, customer, "zone.show", fields{"zone": z.ID})
		if shown.Serving != act.InForce || shown.Served != shown.Version || shown.Version != 4 {
			t.Errorf("%s, version %d of %d", shown.Serving, shown.Served, shown.Version)
		}
		_, r = must[zone.Changed](s.world, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
		if got := s.ask("mail.kranewitt.example.", dnsmessage.TypeA); r.State != act.InForce || got != "RCodeRefused" {
			t.Errorf("after the deletion: %s, %s", r.State, got)
		}
		s.kranewitt() // the same name again, as another zone that begins with version 1
		if got := s.ask("mail.kranewitt.example.", dnsmessage.TypeA); got != "192.0.2.25" {
			t.Errorf("made anew: %s", got)
		}
	})
}

func TestAPreviewDoesNotReachTheNameserver(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	z := s.kranewitt()
	must[zone.Changed](s.world, customer, "zone.record.set", fields{"zone": z.ID, "name": "mail", "type": "A", "data": []string{"192.0.2.77"}}, preview)
	if got := s.ask("mail.kranewitt.example.", dnsmessage.TypeA); got != "192.0.2.25" {
		t.Error(got)
	}
}

// What is drawn from one text is compared as text: the plan from every version
// that a nameserver may have.
func TestThePlanIsTheDifferenceOrTheWholeZone(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	z := w.kranewitt()
	must[zone.Changed](w, customer, "zone.record.add", fields{"zone": z.ID, "name": "x", "type": "A", "data": "192.0.2.1"})
	must[zone.Changed](w, customer, "zone.record.add", fields{"zone": z.ID, "name": "y", "type": "A", "data": "192.0.2.1"})
	must[zone.Changed](w, customer, "zone.record.remove", fields{"zone": z.ID, "name": "x", "type": "A"})
	for have, want := range map[uint64]string{
		0: "serve zone kranewitt.example. version 4: all 25 RRsets",
		1: "serve zone kranewitt.example. version 4: 2 RRsets changed", // SOA and y; x came and went
		2: "serve zone kranewitt.example. version 4: 3 RRsets changed",
		4: "",
		9: "serve zone kranewitt.example. version 4: all 25 RRsets",
	} {
		if got := w.plan(core.Ref{Kind: "zone", ID: z.ID}, have); got != want {
			t.Errorf("from version %d: %q, want %q", have, got, want)
		}
	}
	must[zone.Changed](w, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
	if got := w.plan(core.Ref{Kind: "zone", ID: z.ID}, 4); got != "stop serving zone kranewitt.example." {
		t.Error(got)
	}
	if got := w.plan(core.Ref{Kind: "zone", ID: z.ID}, 0); got != "" {
		t.Error(got)
	}
	if got := w.plan(core.Ref{Kind: "zone", ID: "z_unknown"}, 3); !strings.HasPrefix(got, "stop serving") {
		t.Error(got)
	}
}

func (w *world) plan(object core.Ref, have uint64) string {
	w.t.Helper()
	var steps []host.Step
	err := w.Look(context.Background(), "test", func(v *act.View) (err error) {
		steps, err = w.zones.Control().Plan(context.Background(), v, object, have)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.String())
	}
	return strings.Join(lines, "\n")
}
