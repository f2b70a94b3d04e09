package transfer_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// program finds a program that a test needs. Without it the test is skipped,
// except where everything is to run.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
		t.Fatalf("%s is not installed: apt-get install knot nsd bind9 bind9-utils bind9-dnsutils knot-dnsutils ldnsutils pdns-server pdns-backend-sqlite3", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// setting is what a peer's configuration is made of.
type setting struct {
	Dir            string
	Port           int // where it listens
	Primary        int // the port of ours
	Zone           string
	Key            *transfer.Key
	KeyText        string
	WithKey, Quote string
}

// peer is another server, as secondary of ours.
type peer struct {
	name    string
	ixfr    bool // it asks for differences
	prepare func(t *testing.T, s setting)
	command func(t *testing.T, s setting) *exec.Cmd
}

func peers() []peer {
	return []peer{
		{"Knot", true, prepareKnot, func(t *testing.T, s setting) *exec.Cmd {
			return exec.Command(program(t, "knotd"), "-c", s.Dir+"/config")
		}},
		{"NSD", true, prepareNSD, func(t *testing.T, s setting) *exec.Cmd {
			return exec.Command(program(t, "nsd"), "-d", "-c", s.Dir+"/config")
		}},
		{"BIND", true, prepareBIND, func(t *testing.T, s setting) *exec.Cmd {
			return exec.Command(program(t, "named"), "-g", "-c", s.Dir+"/config")
		}},
		{"PowerDNS", false, preparePowerDNS, func(t *testing.T, s setting) *exec.Cmd {
			return exec.Command(program(t, "pdns_server"), "--config-dir="+s.Dir)
		}},
	}
}

func put(t testing.TB, path, format string, args ...any) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func prepareKnot(t *testing.T, s setting) {
	key, use := "", ""
	if s.Key != nil {
		key, use = s.Key.Text(transfer.FormKnot).Reveal(), "\n    key: "+strings.TrimSuffix(string(s.Key.Name), ".")
	}
	put(t, s.Dir+"/config", `server:
  rundir: "%[1]s"
  listen: 127.0.0.1@%[2]d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 2
database:
  storage: "%[1]s"
log:
  - target: stderr
    any: info
%[3]sremote:
  - id: ours
    address: 127.0.0.1@%[4]d%[5]s
acl:
  - id: notify
    address: 127.0.0.1
    action: notify%[5]s
  - id: all
    address: 127.0.0.1
    action: transfer
template:
  - id: default
    storage: "%[1]s"
    zonefile-sync: -1
zone:
  - domain: %[6]s
    master: ours
    acl: [notify, all]
`, s.Dir, s.Port, key, s.Primary, use, s.Zone)
}

func prepareNSD(t *testing.T, s setting) {
	key, name := "", "NOKEY"
	if s.Key != nil {
		key, name = s.Key.Text(transfer.FormNSD).Reveal(), strings.TrimSuffix(string(s.Key.Name), ".")
	}
	put(t, s.Dir+"/config", `server:
  ip-address: 127.0.0.1@%[2]d
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "%[1]s"
  database: ""
  pidfile: "%[1]s/pid"
  xfrdfile: "%[1]s/xfrd.state"
  xfrdir: "%[1]s"
  zonelistfile: "%[1]s/zone.list"
  verbosity: 2
  xfrd-reload-timeout: 0
remote-control:
  control-enable: no
%[3]szone:
  name: "%[6]s"
  zonefile: "%[1]s/zone"
  request-xfr: 127.0.0.1@%[4]d %[5]s
  allow-notify: 127.0.0.1 %[5]s
  provide-xfr: 127.0.0.1 NOKEY
  max-retry-time: 1
  min-retry-time: 1
`, s.Dir, s.Port, key, s.Primary, name, s.Zone)
}

func prepareBIND(t *testing.T, s setting) {
	key, use, notify := "", "", "127.0.0.1;"
	if s.Key != nil {
		name := `key "` + strings.TrimSuffix(string(s.Key.Name), ".") + `"`
		key, use, notify = s.Key.Text(transfer.FormBIND).Reveal(), name, name+";"
	}
	put(t, s.Dir+"/config", `%[3]soptions {
  directory "%[1]s"; pid-file "%[1]s/pid"; session-keyfile "%[1]s/key"; lock-file none;
  listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no; allow-transfer { 127.0.0.1; };
  min-retry-time 1; max-retry-time 1; serial-query-rate 1000; notify-rate 1000; startup-notify-rate 1000;
};
controls { };
zone "%[6]s" { type secondary; file "zone"; masterfile-format text; primaries port %[4]d { 127.0.0.1 %[5]s; }; allow-notify { %[7]s }; };
`, s.Dir, s.Port, key, s.Primary, use, s.Zone, notify)
}

func preparePowerDNS(t *testing.T, s setting) {
	put(t, s.Dir+"/pdns.conf", `launch=gsqlite3
gsqlite3-database=%[1]s/db
local-address=127.0.0.1
local-port=%[2]d
socket-dir=%[1]s
secondary=yes
xfr-cycle-interval=1
slave-cycle-interval=1
allow-notify-from=127.0.0.1
allow-axfr-ips=127.0.0.1
allow-unsigned-notify=yes
allow-unsigned-autoprimary=no
disable-syslog=yes
security-poll-suffix=
query-cache-ttl=0
negquery-cache-ttl=0
cache-ttl=0
zone-cache-refresh-interval=0
loglevel=5
`, s.Dir, s.Port)
	schema, err := os.ReadFile("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")
	if err != nil {
		t.Fatal(err)
	}
	create := exec.Command(program(t, "sqlite3"), s.Dir+"/db")
	create.Stdin = bytes.NewReader(schema)
	run(t, create)
	util := func(args ...string) {
		t.Helper()
		run(t, exec.Command(program(t, "pdnsutil"), append([]string{"--config-dir=" + s.Dir}, args...)...))
	}
	util("create-slave-zone", s.Zone, fmt.Sprintf("127.0.0.1:%d", s.Primary))
	if s.Key != nil {
		util(strings.Fields(s.Key.Text(transfer.FormPowerDNS).Reveal())[1:]...)
		util("activate-tsig-key", s.Zone, strings.TrimSuffix(string(s.Key.Name), "."), "secondary")
	}
}

func run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// journal is what a program prints; it may be read while it runs.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.b.String()
	return s[max(0, len(s)-6000):]
}

// begin runs a program until the test ends.
func begin(t testing.TB, cmd *exec.Cmd) *journal {
	t.Helper()
	var out journal
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // ended by the signal
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Args[0], out.String())
		}
	})
	return &out
}

// until waits for a condition of another program.
func until(t testing.TB, what func() string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(25 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what())
		}
		time.Sleep(20 * time.Millisecond) // between two looks at another program
	}
}

// serves reports which serial a server on loopback has, 0 for none.
func serves(port int, zone rr.Name) uint32 {
	m := new(dns.Msg)
	m.SetQuestion(string(zone), dns.TypeSOA)
	c := dns.Client{Timeout: time.Second}
	got, _, err := c.Exchange(m, fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil || len(got.Answer) != 1 || !got.Authoritative {
		return 0
	}
	soa, ok := got.Answer[0].(*dns.SOA)
	if !ok {
		return 0
	}
	return soa.Serial
}

// theirs is the zone as a peer gives it away, read by the library.
func theirs(t testing.TB, port int, zone rr.Name) []string {
	t.Helper()
	m := new(dns.Msg)
	m.SetAxfr(string(zone))
	ch, err := new(dns.Transfer).In(m, fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for e := range ch {
		if e.Error != nil {
			t.Fatal(e.Error)
		}
		for _, r := range e.RR {
			out = append(out, strings.ToLower(r.String()))
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // the SOA is there twice
}

func same(t testing.TB, port int, sets []rr.RRset) {
	t.Helper()
	want := zoneLines(t, sets)
	slices.Sort(want)
	if d := cmp.Diff(want, theirs(t, port, soaOf(sets).Name)); d != "" {
		t.Errorf("the secondary serves another zone:\n%s", d)
	}
}

// TestSecondariesFollow runs through the life of a secondary: it fetches the
// zone, follows a NOTIFY, is cut off and catches up, and comes back after so
// long that the history is gone.
func TestSecondariesFollow(t *testing.T) {
	for _, p := range peers() {
		for _, a := range append([]transfer.Algorithm{""}, transfer.SHA256, transfer.SHA512) {
			t.Run(p.name+"/"+string(a), func(t *testing.T) {
				t.Parallel()
				var key *transfer.Key
				if a != "" {
					k := newKey(t, "shared.key.example.", a)
					key = &k
				}
				p.follow(t, key)
			})
		}
	}
}

func (p peer) follow(t *testing.T, key *transfer.Key) {
	ours := startPrimary(t, key)
	ours.publish(sample(t, 1, 1500), false)
	s := setting{Dir: t.TempDir(), Port: coretest.FreePort(t), Primary: ours.port, Zone: "z.example", Key: key}
	command := p.command(t, s)
	p.prepare(t, s)
	begin(t, command)
	reaches := func(serial uint32) {
		t.Helper()
		what := func() string { return fmt.Sprintf("%s serves serial %d, saw\n%s", p.name, serial, ours.seen()) }
		until(t, what, func() bool { return serves(s.Port, origin) == serial })
	}
	notify := func(serial uint32) {
		t.Helper()
		soa := soaOf(sample(t, serial, 0))
		if err := testClient().Notify(testContext(t), transfer.Peer{Address: fmt.Sprintf("127.0.0.1:%d", s.Port), Key: key}, origin, &soa); err != nil {
			t.Fatal(err)
		}
	}
	how := func(kind transfer.Kind) {
		t.Helper()
		want := "AXFR: whole"
		if p.ixfr {
			want = "IXFR: " + string(kind)
		}
		seen := ours.seen()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(seen, want); seen += ours.seen() { // it is noted after it was sent
			if time.Now().After(deadline) {
				t.Errorf("want %s, saw\n%s", want, seen)
				return
			}
			time.Sleep(5 * time.Millisecond) // between two looks
		}
	}
	reaches(1)
	same(t, s.Port, sample(t, 1, 1500))
	ours.seen()

	ours.publish(sample(t, 2, 1499, "new A 192.0.2.77"), false)
	notify(2)
	reaches(2)
	how(transfer.Difference)
	same(t, s.Port, sample(t, 2, 1499, "new A 192.0.2.77"))

	ours.leave(true)
	ours.publish(sample(t, 3, 1498, "new 60 A 192.0.2.77"), false)
	ours.publish(sample(t, 4, 1498), false)
	ours.leave(false)
	notify(4)
	reaches(4)
	how(transfer.Difference)
	same(t, s.Port, sample(t, 4, 1498))

	ours.publish(sample(t, 5, 1400, "newest A 192.0.2.78"), true)
	notify(5)
	reaches(5)
	how(transfer.Whole)
	same(t, s.Port, sample(t, 5, 1400, "newest A 192.0.2.78"))
}
