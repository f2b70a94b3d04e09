package house_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/agent"
	"hostward/internal/core"
	"hostward/internal/feature/actionlog"
	"hostward/internal/feature/control"
	realhands "hostward/internal/host/hands"
	"hostward/internal/house"
	"hostward/internal/rr/transfer/transfertest"
	"hostward/internal/socket"
)

// kept under control: a panel with a real agent in a network of its own.
type controlled struct {
	*hosting
	socket string
}

// TestTheFirewallIsAppliedConfirmedAndUndone goes from an order to the kernel and back
// into the log, with the real agent, nftables and a panel that dies in between.
func TestTheFirewallIsAppliedConfirmedAndUndone(t *testing.T) {
	if !ownMachine(t) {
		return
	}
	c := &controlled{hosting: &hosting{T: t, dir: t.TempDir()}, socket: filepath.Join(t.TempDir(), "run", "agent.sock")}
	runAgent(t, c.socket)
	c.open()

	before := time.Now()
	if r := c.call(console, "control.apply", map[string]any{"control": "firewall", "seconds": 600}); r.State != act.Pending {
		t.Fatalf("an order that must be confirmed is %q", r.State)
	}
	if c.table() == "" || !strings.Contains(c.table(), "8443") {
		t.Fatalf("the table in the kernel is %q", c.table())
	}
	c.closesOld(before)
	old, recent := console, console
	old.Door, old.Connected = "web", before
	if _, err := c.Bus.Do(t.Context(), act.Call{Op: "control.confirm", Actor: old, Input: raw(map[string]any{"control": "firewall"})}); core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "open before the change") {
		t.Errorf("over an old connection: %v", err)
	}
	recent.Door, recent.Connected = "web", time.Now()
	if r := c.call(recent, "control.confirm", map[string]any{"control": "firewall"}); r.State != act.InForce {
		t.Errorf("over a new one it is %q", r.State)
	}
	first := c.table()

	// The second order closes ssh, and nobody confirms it: the panel is dead.
	c.call(console, "firewall.service.set", map[string]any{"service": "ssh", "to": "nobody"})
	if r := c.call(console, "control.apply", map[string]any{"control": "firewall", "seconds": 10}); r.State != act.Pending || c.table() == first {
		t.Fatalf("the second order is %q, and the table as before: %v", r.State, c.table() == first)
	}
	must(t, c.Close())
	c.until("the agent undoes it", func() bool { return c.table() == first })
	c.open()
	c.until("the panel knows", func() bool { return strings.Contains(c.standing("firewall").Undone, "nobody confirmed") })
	if s := c.standing("firewall"); s.State != "in force" || !s.Edited {
		t.Errorf("after it was undone: %+v", s)
	}

	// Somebody opens a port past us.
	must(t, exec.CommandContext(t.Context(), tool(t, "nft"), "add", "rule", "inet", "hostward", "input", "tcp", "dport", "9999", "accept").Run())
	c.until("drift is mended", func() bool { return c.table() == first })
	for _, event := range []string{"control.ordered", "control.intends", "control.waits", "control.kept", "control.confirmed", "control.reverted", "control.drifted", "control.mended"} {
		c.until(event+" is on record", func() bool { return c.recorded(event) })
	}
	if out := fields(c.must("log.verify", nil)); out["sound"] != true {
		t.Errorf("the log: %+v", out)
	}
	if r := c.call(console, "control.release", map[string]any{"control": "firewall"}); r.State != act.InForce || c.table() != "" {
		t.Errorf("let go it is %q, and the table %q", r.State, c.table())
	}
}

// runAgent runs the real one until the test ends.
func runAgent(t *testing.T, path string) {
	t.Helper()
	a, err := agent.Open(agent.Config{Dir: t.TempDir(), Machines: house.Machines(), Eyes: realhands.Machine{}, Hands: realhands.Machine{}, Every: 500 * time.Millisecond})
	must(t, err)
	l, err := socket.Listen(t.Context(), path, "agent")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { a.Run(ctx); ended <- nil }()
	go func() { ended <- socket.Serve(ctx, l, agent.Handler(a)) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		must(t, a.Close())
	})
}

// ownMachine is a network of our own, and a /var/lib where the agent keeps its things.
func ownMachine(t *testing.T) bool {
	t.Helper()
	if !transfertest.Alone(t) {
		return false
	}
	must(t, exec.CommandContext(t.Context(), tool(t, "mount"), "-t", "tmpfs", "tmpfs", "/var/lib").Run())
	return true
}

// TestControlsInChromium applies the firewall in a browser, and keeps it over the new
// connection that the panel makes the browser open.
func TestControlsInChromium(t *testing.T) {
	if !ownMachine(t) {
		return
	}
	path := filepath.Join(t.TempDir(), "run", "agent.sock")
	runAgent(t, path)
	w := worldWith(t, house.Config{Agent: path})
	w.populate()
	// Not by loopback: a connection within the machine says nothing about the network.
	must(t, exec.CommandContext(t.Context(), tool(t, "ip"), "addr", "add", "192.0.2.1/32", "dev", "lo").Run())
	b := w.openPanelAt(t, "192.0.2.1", "192.0.2.1")
	b.Session(w.people["administrator"].cookie)
	b.Visit("overview", "/")
	says(b, "Controls in force")
	b.Open("/controls/firewall")
	says(b, "not under control")
	b.Click("form[action='/do/control.apply'] button[type='submit'], form[action='/do/control.apply'] .foot button")
	says(b, "is in effect and waits for you")
	b.Visit("control-waits", "/controls/firewall")
	b.Visit("overview-waits", "/")
	b.Open("/controls/firewall")
	b.Click("form[action='/do/control.confirm'] button")
	b.Until("!document.body.innerText.includes('waits for you')")
	says(b, "in force")
	b.Visit("control", "/controls/firewall")
	b.Visit("controls", "/controls")
	b.Visit("overview-force", "/")
}

func (c *controlled) open() {
	c.Helper()
	var err error
	c.House, err = house.Open(c.Context(), house.Config{Data: c.dir, Private: true, SigningEvery: -1, Agent: c.socket})
	must(c.T, err)
	c.Cleanup(func() { _ = c.Close() })
}

func (c *controlled) call(who act.Actor, op string, in map[string]any) act.Result {
	c.Helper()
	r, err := c.Bus.Do(c.Context(), act.Call{Op: op, Actor: who, Input: raw(in), Confirmed: true})
	if err != nil {
		c.Fatalf("%s: %v", op, err)
	}
	return r
}

// closesOld wants a page over an old connection to be the last one over it.
func (c *controlled) closesOld(before time.Time) {
	c.Helper()
	web, err := c.Web("test")
	must(c.T, err)
	for at, want := range map[time.Time]string{before: "close", time.Now().Add(time.Minute): ""} {
		r := httptest.NewRequestWithContext(core.WithConnected(c.Context(), at), http.MethodGet, "/login", nil)
		w := httptest.NewRecorder()
		web.ServeHTTP(w, r)
		if got := w.Header().Get("Connection"); got != want {
			c.Errorf("a connection of %s is answered with Connection: %q", at, got)
		}
	}
}

func (c *controlled) table() string {
	c.Helper()
	text, err := (realhands.Machine{}).Table(c.Context(), "inet", "hostward", "")
	must(c.T, err)
	return text
}

func (c *controlled) standing(name string) control.Standing {
	c.Helper()
	return c.call(console, "control.show", map[string]any{"control": name}).Output.(control.Standing)
}

// recorded reports whether an event stands in some record.
func (c *controlled) recorded(event string) bool {
	c.Helper()
	list := c.call(console, "log.list", map[string]any{"limit": 200}).Output.(actionlog.Listed)
	for _, r := range list.Records {
		for _, e := range r.Events {
			if e.Name == event {
				return true
			}
		}
	}
	return false
}
