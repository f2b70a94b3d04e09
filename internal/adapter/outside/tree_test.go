package outside_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/adapter/outside"
	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

// The addresses of the tree: benchmarking and documentation networks, which Dial leads to
// nameservers on the loopback.
const (
	rootAt, testA, testB   = "198.18.0.1", "198.18.1.1", "198.18.9.1"
	childA, childB, childC = "198.18.2.1", "198.18.3.1", "2001:db8:3::1"
	zone                   = rr.Name("z.test.")
)

// keys of the zones.
func key(n uint64) sign.Key {
	k := signtest.Key(sign.Ed25519, n, signtest.CSK)
	k.Submit = true
	return k
}

// machine is one nameserver, with one zone.
type machine struct {
	origin rr.Name
	lines  []string
	keys   []sign.Key // none: unsigned
	at     time.Time  // when it was signed
	nsec3  bool
	after  func(lines []string) []string // changes the signed zone
	option string                        // of the zone in NSD's settings
	with   string                        // the program; "": nsd
	front  func(port string) string      // stands before the nameserver; returns its port
}

// tree is a root, a top level with two servers, and a zone with two, one of which has two addresses.
type tree struct {
	t        *testing.T
	now      time.Time
	machines map[string]*machine // by address
	ports    map[string]string
	cut      map[string]bool // "tcp 198.18.2.1": nothing gets there
	cfg      outside.Config
	later    []func() // what starts after all machines
}

func newTree(t *testing.T) *tree {
	w := &tree{t: t, now: time.Now().UTC().Truncate(time.Second), ports: map[string]string{}, cut: map[string]bool{}}
	top := func() *machine {
		return &machine{origin: "test.", at: w.now, keys: []sign.Key{key(1)}, lines: []string{
			"@ 3600 SOA ns1 h 1 7200 900 1209600 300", "@ NS ns1", "@ NS ns2", "ns1 A " + testA, "ns2 A " + testB,
			"z NS ns1.z", "z NS ns2.z", "ns1.z A " + childA, "ns2.z A " + childB, "ns2.z AAAA " + childC,
			"z DS " + key(2).DS(zone, sign.SHA256).String()}}
	}
	child := func() *machine {
		return &machine{origin: zone, at: w.now, keys: []sign.Key{key(2)}, lines: []string{
			"@ 3600 SOA ns1 h 7 7200 900 1209600 300", "@ NS ns1", "@ NS ns2", "ns1 A " + childA, "ns2 A " + childB, "ns2 AAAA " + childC, "www A 192.0.2.80"}}
	}
	w.machines = map[string]*machine{
		rootAt: {origin: ".", lines: []string{"@ 3600 SOA root. h. 1 7200 900 1209600 300", "@ NS root.", "root. A " + rootAt,
			"test. NS ns1.test.", "test. NS ns2.test.", "ns1.test. A " + testA, "ns2.test. A " + testB}},
		testA: top(), testB: top(), childA: child(), childB: child(),
	}
	w.cfg = outside.Config{Dial: w.dial, Clock: func() time.Time { return w.now }, Allow: func(netip.Addr) bool { return true },
		Roots: []netip.Addr{netip.MustParseAddr(rootAt)}, Wait: 2 * time.Second}
	return w
}

// of changes the machines at addresses.
func (w *tree) of(change func(m *machine), at ...string) {
	for _, a := range at {
		change(w.machines[a])
	}
}

// swap replaces a line of a zone; an empty one takes it away.
func swap(from, to string) func(*machine) {
	return func(m *machine) {
		i := slices.Index(m.lines, from)
		if m.lines = slices.Delete(slices.Clone(m.lines), i, i+1); to != "" {
			m.lines = append(m.lines, to)
		}
	}
}

func with(line string) func(*machine) {
	return func(m *machine) { m.lines = append(slices.Clone(m.lines), line) }
}

// dial leads to the nameserver that plays an address.
func (w *tree) dial(ctx context.Context, network, address string) (net.Conn, error) {
	at, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, ok := w.ports[at]
	switch {
	case strings.HasPrefix(at, "127."):
		return new(net.Dialer).DialContext(ctx, network, address)
	case w.cut[network+" "+at]:
		return nil, syscall.ECONNREFUSED
	case !ok:
		return nil, errors.New("no route to " + address)
	}
	return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
}

// check starts all nameservers and looks at the zone.
func (w *tree) check() outside.Report {
	w.t.Helper()
	for at, m := range w.machines {
		w.ports[at] = m.start(w.t)
	}
	w.ports[childC] = w.ports[childB]
	for _, start := range w.later {
		start()
	}
	o, err := outside.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	report, err := o.Check(w.t.Context(), zone)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// file writes the machine's zone and returns the path.
func (m *machine) file(t *testing.T) string {
	t.Helper()
	z, err := rr.ParseZone(strings.NewReader(strings.Join(m.lines, "\n")+"\n"), rr.Options{Origin: m.origin, TTL: 3600})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	add := func(records []rr.Record) {
		for _, r := range records {
			lines = append(lines, r.String())
		}
	}
	if len(m.keys) == 0 {
		for _, s := range z.Sets {
			add(s.Records())
		}
	} else {
		signed, err := sign.New(t.Context(), sign.Config{Origin: m.origin, Keys: m.keys, NSEC3: m.nsec3}, z.Sets, m.at)
		if err != nil {
			t.Fatal(err)
		}
		for s := range signed.Sets() {
			add(s.Records())
		}
	}
	if m.after != nil {
		lines = m.after(lines)
	}
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// programs are the nameservers, and how each is told its port, folder, zone and file.
var programs = map[string]struct {
	config string
	args   []string
}{
	"nsd": {`server:
  ip-address: 127.0.0.1@%[1]s
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "%[2]s"
  database: ""
  pidfile: "%[2]s/pid"
  xfrdfile: "%[2]s/xfrd"
  zonelistfile: "%[2]s/list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "%[3]s"
  zonefile: "%[4]s"
  %[5]s
`, []string{"-d", "-c"}},
	"knotd": {`server:
  rundir: "%[2]s"
  listen: 127.0.0.1@%[1]s
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "%[2]s"
log:
  - target: stderr
    any: error
zone:
  - domain: "%[3]s"
    file: "%[4]s"
    storage: "%[2]s"
    zonefile-sync: -1
    journal-content: none
%[5]s`, []string{"-c"}},
	"named": {`options {
  directory "%[2]s"; pid-file "%[2]s/pid"; session-keyfile "%[2]s/key"; lock-file none;
  listen-on port %[1]s { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no; allow-transfer { none; };
  check-integrity no;
};
controls { };
zone "%[3]s" { type primary; file "%[4]s"; %[5]s };
`, []string{"-f", "-c"}},
}

// start runs the machine's nameserver with its zone and returns the port.
func (m *machine) start(t *testing.T) string {
	t.Helper()
	dir, port, name := t.TempDir(), strconv.Itoa(coretest.FreePort(t)), m.with
	if name == "" {
		name = "nsd"
	}
	p := programs[name]
	path := filepath.Join(dir, "config")
	if err := os.WriteFile(path, fmt.Appendf(nil, p.config, port, dir, m.origin, m.file(t), m.option), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tool(t, name), append(slices.Clone(p.args), path)...)
	wait(t, "127.0.0.1:"+port, string(m.origin))
	if m.front != nil {
		return m.front(port)
	}
	return port
}

// resolver prepares unbound, which trusts that DS of the top level and knows where our
// servers are; "": it does not validate. It starts when the others have. It returns its address.
func (w *tree) resolver(ds string) string {
	path, dir, port := tool(w.t, "unbound"), w.t.TempDir(), strconv.Itoa(coretest.FreePort(w.t))
	w.later = append(w.later, func() {
		config := fmt.Sprintf("server:\n  interface: 127.0.0.1@%s\n  username: \"\"\n  chroot: \"\"\n  directory: \"%[2]s\"\n  pidfile: \"%[2]s/pid\"\n"+
			"  use-syslog: no\n  num-threads: 1\n  do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n", port, dir)
		if ds == "" {
			config += "  module-config: \"iterator\"\n"
		} else {
			config += "  module-config: \"validator iterator\"\n  trust-anchor: \"test. DS " + ds + "\"\n"
		}
		for origin, at := range map[string]string{"test.": testA, "z.test.": childA} {
			config += fmt.Sprintf("stub-zone:\n  name: %q\n  stub-addr: 127.0.0.1@%s\n", origin, w.ports[at])
		}
		config += "remote-control:\n  control-enable: no\n"
		file := filepath.Join(dir, "unbound.conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			w.t.Fatal(err)
		}
		run(w.t, path, "-d", "-c", file)
		await(w.t, "127.0.0.1:"+port, "localhost.", func(*dns.Msg) bool { return true })
	})
	return "127.0.0.1:" + port
}

// run runs a program until the test ends.
func run(t *testing.T, path string, args ...string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // ended by the signal
	})
}

// wait returns when a server answers for a zone.
func wait(t *testing.T, address, origin string) {
	t.Helper()
	await(t, address, origin, func(m *dns.Msg) bool { return len(m.Answer) > 0 })
}

// await returns when a server gives an answer that will do.
func await(t *testing.T, address, origin string, enough func(*dns.Msg) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		m := new(dns.Msg)
		m.SetQuestion(origin, dns.TypeSOA)
		if got, err := dns.Exchange(m, address); err == nil && enough(got) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer for %s", address, origin)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at another program
	}
}

// tool returns the path of a program, and skips the test where it is missing and need
// not be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if path := filepath.Join(dir, name); exec.Command("test", "-x", path).Run() == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// front answers questions itself, or hands them to the nameserver behind and changes
// what it says.
func front(t *testing.T, change func(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg)) func(string) string {
	return func(port string) string {
		handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			change(w, q, func(q *dns.Msg) *dns.Msg {
				c := dns.Client{Net: w.LocalAddr().Network()}
				r, _, err := c.Exchange(q, "127.0.0.1:"+port)
				if err != nil {
					return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
				}
				return r
			})
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*dns.Server{{Listener: l, Handler: handler}, {PacketConn: p, Handler: handler}} {
			started := make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
			<-started
			t.Cleanup(func() { _ = s.Shutdown() })
		}
		_, front, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return front
	}
}
