package transfertest

import (
	"bytes"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Setting is what a server is set up with.
type Setting struct {
	Dir    string         // its own folder
	Listen netip.AddrPort // where it listens
	Ours   netip.AddrPort // our server: its primary, or whom it tells as one; as one it may be missing
	Zone   string         // without the last dot
	Key    *transfer.Key  // of both; nil for a secondary: none is needed
	Sets   []rr.RRset     // what it serves as primary
	Within []string       // what its programs are run with, as in Place.Within
	// Catalog says that the zone is a catalog (RFC 9432), and its members are followed.
	Catalog bool
}

// Server is a program of others in one role.
type Server struct {
	Name        string
	Differences bool // it asks for differences, or gives them
	Signs       bool // it signs the zone by itself
	Catalogs    bool // it reads catalogs
	BareMembers bool // and fetches their members without the key

	prepare func(t testing.TB, s Setting)
	command []string // after which the folder comes
	change  func(t testing.TB, s *Setting, r *Running, add, remove string)
}

// Start writes the configuration and runs the server.
func (v Server) Start(t testing.TB, s Setting) *Running {
	t.Helper()
	Program(t, v.command[0])
	v.prepare(t, s)
	last := len(v.command) - 1
	return Begin(t, s.within(t, v.command[0], append(v.command[1:last:last], v.command[last]+s.Dir+v.file())...))
}

func (v Server) file() string {
	if v.command[0] == "pdns_server" {
		return ""
	}
	return "/config"
}

// Change gives a primary a new version of its zone, in one step or two: the A record
// of a new name, and without what it had of another; "": nothing is removed.
func (v Server) Change(t testing.TB, s *Setting, r *Running, add, remove string) {
	t.Helper()
	v.change(t, s, r, add, remove)
}

// within is a command where the server runs.
func (s Setting) within(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	argv := append(append(append([]string{}, s.Within...), Program(t, name)), args...)
	return exec.Command(argv[0], argv[1:]...)
}

func (s Setting) keyName() string { return strings.TrimSuffix(string(s.Key.Name), ".") }

// zoneFile writes the zone where a primary reads it.
func (s Setting) zoneFile(t testing.TB) {
	t.Helper()
	var b bytes.Buffer
	if err := rr.WriteZone(&b, &rr.Zone{Origin: rr.Name(s.Zone + "."), Sets: s.Sets}); err != nil {
		t.Fatal(err)
	}
	put(t, s.Dir+"/zone", "%s", b.String())
}

// util runs pdnsutil.
func (s Setting) util(t testing.TB, args ...string) {
	t.Helper()
	Run(t, exec.Command(Program(t, "pdnsutil"), append([]string{"--config-dir=" + s.Dir}, args...)...))
}
