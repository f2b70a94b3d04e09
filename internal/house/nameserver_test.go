//go:build linux

package house_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hostward/internal/core/coretest"
	"hostward/internal/nameserver"
)

// TestEachProcessOutlivesTheOther runs the nameserver as its own process: it answers
// while the panel is dead, comes back without it, and is fed again by it when its
// disk is lost.
func TestEachProcessOutlivesTheOther(t *testing.T) {
	m := newMachine(t)
	socket := filepath.Join(m.data, "run", "ns.sock")
	folder := filepath.Join(m.data, "served")
	start := func() *process {
		p := m.spawn("nameserver", "--folder", folder, "--socket", socket, "--dns", m.dns)
		m.server = p
		m.until("the nameserver answers", func() bool { return strings.Contains(p.said.String(), "answering") })
		return p
	}
	ns := start()
	m.extra = []string{"--nameserver", socket}
	m.serve()
	m.does("zone", "create", "example.org")
	m.does("zone", "record", "add", "example.org", "www", "A", "192.0.2.10")
	m.does("zone", "sign", "example.org")
	answers := func(what, want string) {
		t.Helper()
		m.until(what, func() bool { return strings.Contains(m.dig("www.example.org", "A"), want) })
	}
	answers("the zone is served", "192.0.2.10")

	m.kill()
	answers("it answers without the panel", "192.0.2.10")
	_ = ns.cmd.Process.Kill()
	<-ns.ended
	ns = start()
	answers("it comes back without the panel", "192.0.2.10")

	panel := m.begin()
	m.until("the panel serves", func() bool { return strings.Contains(panel.said.String(), "Hostward is running.") })
	m.does("zone", "record", "set", "example.org", "www", "A", "192.0.2.11")
	answers("the panel feeds it again", "192.0.2.11")
	before := m.dig("example.org", "SOA")

	_ = ns.cmd.Process.Kill()
	<-ns.ended
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	m.does("zone", "record", "set", "example.org", "www", "A", "192.0.2.12") // nobody serves it: that is said, and it is kept
	start()
	m.server = panel
	answers("what was lost is fed again", "192.0.2.12")
	if before == m.dig("example.org", "SOA") {
		t.Error("the serial stood still")
	}
}

func TestOneSocketHasOneNameserver(t *testing.T) {
	m := newMachine(t)
	socket := filepath.Join(m.data, "ns.sock")
	m.server = m.spawn("nameserver", "--folder", filepath.Join(m.data, "a"), "--socket", socket, "--dns", m.dns)
	m.until("it answers", func() bool { return strings.Contains(m.server.said.String(), "answering") })
	other := m.spawn("nameserver", "--folder", filepath.Join(m.data, "b"), "--socket", socket, "--dns", coretest.Free(t).String())
	<-other.ended
	if !strings.Contains(other.said.String(), "another nameserver listens") {
		t.Errorf("the second said:\n%s", other.said)
	}
	if _, err := nameserver.Dial(socket).Held(t.Context()); err != nil {
		t.Errorf("the first: %v", err)
	}
	if c, err := net.Dial("unix", socket); err == nil {
		_ = c.Close()
	} else {
		t.Error(err)
	}
}
