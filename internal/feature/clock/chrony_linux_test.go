package clock

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hostward/internal/control"
	"hostward/internal/host"
	"hostward/internal/host/hands"
)

// The tests below run real chronyds in a place of their own: network, mounts and
// processes. None of them sets the clock (-x).

// place runs the rest of a test in namespaces; it returns whether this is there.
func place(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HOSTWARD_NAMESPACE") != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("namespaces need root")
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-nmpf", "--mount-proc", "--kill-child", "--", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "HOSTWARD_NAMESPACE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// machine is a machine with chrony as Debian installs it.
type machine struct {
	*testing.T
	dir     string
	control control.Machine
	servers map[string]*exec.Cmd // by address
}

const foreign = "10.1.0.9" // the source that chrony.conf names, in place of Debian's pool

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{T: t, dir: t.TempDir(), control: New(Ports{Notices: nobody{}}).Control(), servers: map[string]*exec.Cmd{}}
	m.run("cp", "-a", "/etc/chrony", m.dir+"/chrony")
	m.edit(m.dir+"/chrony/chrony.conf", "pool 2.debian.pool.ntp.org iburst", "server "+foreign+" iburst minpoll 1 maxpoll 2")
	m.run("mount", "--bind", m.dir+"/chrony", "/etc/chrony")
	m.write(m.dir+"/default", "DAEMON_OPTS=\"-x -F 0\"\n")
	m.run("mount", "--bind", m.dir+"/default", "/etc/default/chrony")
	m.write(m.dir+"/hosts", "127.0.0.1 localhost\n10.1.0.1 one.test\n10.1.0.2 two.test\n10.1.0.3 three.test\n10.1.0.4 nts.test\n10.1.0.1 pool.test\n10.1.0.2 pool.test\n")
	m.run("mount", "--bind", m.dir+"/hosts", "/etc/hosts")
	for _, dir := range []string{"/run", "/var/lib/chrony", "/var/log"} {
		m.run("mount", "-t", "tmpfs", "none", dir)
	}
	t.Cleanup(func() { m.try("service", "chrony", "stop") })
	return m
}

type nobody struct{ Notices }

func (nobody) Tells() []string { return nil }

func (m *machine) try(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

func (m *machine) run(args ...string) string {
	m.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (m *machine) write(path, text string) {
	m.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) edit(path, old, new string) {
	m.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		m.Fatalf("%s does not hold %q (%v)", path, old, err)
	}
	m.write(path, strings.Replace(string(data), old, new, 1))
}

// serve runs a server of time at an address.
func (m *machine) serve(address string, more ...string) {
	m.Helper()
	_, _ = m.try("ip", "address", "add", address+"/32", "dev", "lo") // it may be there
	dir := filepath.Join(m.dir, address)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.Fatal(err)
	}
	m.write(dir+"/conf", fmt.Sprintf("local stratum 8\nallow all\nbindaddress %s\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\n%s\n", address, dir, strings.Join(more, "\n")))
	cmd := exec.Command("chronyd", "-x", "-d", "-u", "root", "-f", dir+"/conf")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.servers[address] = cmd
	m.Cleanup(func() {
		m.kill(address)
		if m.Failed() {
			m.Logf("%s said:\n%s", address, said.String())
		}
	})
}

func (m *machine) kill(address string) {
	if cmd := m.servers[address]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		delete(m.servers, address)
	}
}

func at(names ...string) Desired {
	d := defaults()
	d.Sources, d.MinSources = nil, 1
	for _, name := range names {
		d.Sources = append(d.Sources, Source{Name: name, Kind: "server", IBurst: true, MinPoll: 1, MaxPoll: 2})
	}
	return d
}

// look looks, and returns what is to be done too.
func (m *machine) look(want *Desired) (Observed, control.Finding, error) {
	m.Helper()
	var desired []byte
	if want != nil {
		desired = must(m.T, want)
	}
	f, err := m.control.Look(m.Context(), hands.Machine{}, desired)
	var o Observed
	if err == nil {
		o = *Read(host.Status{Observed: f.Observed})
	}
	return o, f, err
}

// apply does what the agent does: plan, do, look again; it returns the steps.
func (m *machine) apply(want *Desired) string {
	m.Helper()
	_, f, err := m.look(want)
	if err != nil {
		m.Fatal(err)
	}
	var lines []string
	for _, s := range f.Steps {
		lines = append(lines, strings.Split(s.String(), ":")[0])
		if err := (hands.Machine{}).Do(m.Context(), s); err != nil {
			m.Fatal(err)
		}
	}
	if _, again, err := m.look(want); err != nil || len(again.Steps) > 0 {
		m.Fatalf("after all steps this is still to do: %v %v", again.Lines(), err)
	}
	return strings.Join(lines, "; ")
}

// until looks until something holds.
func (m *machine) until(what string, want *Desired, ok func(Observed) bool) Observed {
	m.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		o, _, err := m.look(want)
		if err == nil && ok(o) {
			return o
		}
		if time.Now().After(deadline) {
			m.Fatalf("in vain: %s: %v\n%s", what, err, must(m.T, o))
		}
	}
}

// older lets chronyd have run for so long.
func (m *machine) older(by time.Duration) {
	m.Helper()
	for _, p := range []string{SettingsPath, SourcesPath, pidPath} {
		info, err := os.Stat(p)
		if err == nil {
			err = os.Chtimes(p, time.Time{}, info.ModTime().Add(-by))
		}
		if err != nil {
			m.Fatal(err)
		}
	}
}

func source(o Observed, name string) (p Peer) {
	for _, p := range o.Sources {
		if p.Name == name {
			return p
		}
	}
	return p
}

func codes(o Observed) string {
	var list []string
	for _, a := range o.Alarms {
		list = append(list, strings.TrimSpace(a.Key()))
	}
	return strings.Join(list, "; ")
}

const (
	wrote     = "write " + SourcesPath
	set       = "write " + SettingsPath
	reloaded  = "run /usr/bin/chronyc reload sources"
	restarted = "run /usr/sbin/start-stop-daemon --stop --oknodo --retry TERM/20/KILL/5 --pidfile /run/chrony/chronyd.pid --exec /usr/sbin/chronyd; run /usr/sbin/service chrony start"
)

func TestChronydFollowsWhatIsApplied(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	for _, a := range []string{"10.1.0.1", "10.1.0.2", foreign} {
		m.serve(a)
	}
	m.run("service", "chrony", "start")
	d := at("one.test")
	before, f, err := m.look(nil)
	if err != nil || len(f.Steps) > 0 || len(f.Alarms) > 0 || before.Running != true || len(before.Sources) != 1 {
		t.Fatalf("before: %v %v %v %+v", err, f.Lines(), f.Alarms, before)
	}
	if got := m.apply(&d); got != set+"; "+wrote+"; "+restarted {
		t.Errorf("the first time it did %s", got)
	}
	if got := m.apply(&d); got != "" {
		t.Errorf("once more it did %s", got)
	}
	d = at("one.test", "10.1.0.2")
	if got := m.apply(&d); got != wrote+"; "+reloaded {
		t.Errorf("for one more source it did %s", got)
	}
	o := m.until("it follows the sources", &d, func(o Observed) bool { return o.Following && o.Usable() == 3 })
	for _, p := range o.Sources {
		if p.Ours() == (p.Name == foreign) || p.Address == "" || p.Proved() {
			t.Errorf("a source is %+v", p)
		}
	}
	if p := source(o, foreign); p.From != "/etc/chrony/chrony.conf:8" {
		t.Errorf("the source of chrony.conf is %+v", p)
	}
	if o.Tracking.Offset > 0.01 || o.Tracking.Offset < -0.01 || o.Tracking.Stratum != 9 {
		t.Errorf("it tracks %+v", o.Tracking)
	}
	d.Auth, d.StepAbove = "ignore", 250
	if got := m.apply(&d); got != set+"; "+restarted {
		t.Errorf("for other settings it did %s", got)
	}
	d = at("pool.test")
	d.Sources[0].Kind = "pool"
	m.apply(&d)
	m.until("of a pool both are sources", &d, func(o Observed) bool {
		return o.Usable() == 3 && len(slices.DeleteFunc(o.Sources, func(p Peer) bool { return p.Name != "pool.test" || p.Reach == 0 })) == 2
	})
	d = at("10.1.0.2") // which the pool has
	if got := m.apply(&d); got != wrote+"; "+restarted {
		t.Errorf("for an address that chronyd has under another name it did %s", got)
	}
	d.Sources[0].Prefer = true
	m.apply(&d)
	if o, _, _ := m.look(&d); len(o.Sources) != 2 {
		t.Errorf("a source that was taken out is still there: %+v", o.Sources)
	}
	if got := m.apply(nil); got != "remove "+SettingsPath+"; remove "+SourcesPath+"; "+restarted {
		t.Errorf("to let go it did %s", got)
	}
	if o, _, _ := m.look(nil); len(o.Sources) != 1 || len(o.Files) != 0 {
		t.Errorf("let go, it is %+v", o)
	}
}

func must(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// liar answers at an address with a time that is wrong by so much.
func (m *machine) liar(address string, by time.Duration) {
	m.Helper()
	m.run("ip", "address", "add", address+"/32", "dev", "lo")
	c, err := net.ListenPacket("udp", address+":123")
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = c.Close() })
	go func() {
		ask := make([]byte, 1024)
		for {
			n, from, err := c.ReadFrom(ask)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			now := stamp(time.Now().Add(by))
			say := make([]byte, 48)
			say[0], say[1], say[2], say[3] = 0x24, 1, ask[2], 0xe9 // RFC 5905 7.3: version 4, server, stratum 1, precise to 2^-23 s
			copy(say[12:], "LIAR")
			binary.BigEndian.PutUint64(say[16:], now)
			copy(say[24:32], ask[40:48])
			binary.BigEndian.PutUint64(say[32:], now)
			binary.BigEndian.PutUint64(say[40:], now)
			_, _ = c.WriteTo(say, from)
		}
	}()
}

// stamp is a time as NTP writes it.
func stamp(t time.Time) uint64 {
	return uint64(t.Unix()+2208988800)<<32 | uint64(t.Nanosecond())<<32/1e9
}

func TestAWrongSourceIsNamed(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.serve("10.1.0.1")
	m.serve("10.1.0.2")
	m.liar("10.1.0.3", 7*time.Second)
	m.run("service", "chrony", "start")
	d := at("one.test", "two.test", "three.test")
	m.apply(&d)
	o := m.until("the liar is found", &d, func(o Observed) bool { return codes(o) == "wrong three.test" && o.Usable() == 2 })
	if text := o.texts()[0]; !strings.Contains(text, "three.test (10.1.0.3) does not agree with the other sources: this clock differs from it by -7 s") {
		t.Errorf("it says %q", text)
	}
	if p := source(o, "three.test"); p.Word() != "wrong" || !o.Following {
		t.Errorf("the liar is %+v, tracking %+v", p, o.Tracking)
	}
	d = at("one.test", "three.test")
	m.apply(&d)
	m.older(time.Hour)
	m.until("of two that disagree none is believed", &d, func(o Observed) bool {
		return codes(o) == "wrong one.test; wrong three.test; unsynchronised; few"
	})
}

func TestAClockThatIsWrongIsAnAlarm(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.liar("10.1.0.3", 20*time.Second) // the others lie together: then this clock is wrong
	m.run("service", "chrony", "start")
	d := at("three.test")
	d.Step = "never"
	m.apply(&d)
	o := m.until("the offset is an alarm", &d, func(o Observed) bool { return strings.HasSuffix(codes(o), "offset") })
	if o.Tracking.Offset > -1 || !strings.Contains(o.texts()[1], "s behind, and more than 100 ms is too much") || o.Alarms[0].Code != "overridden" {
		t.Errorf("the clock is behind, it says %q of %+v", o.texts(), o.Tracking)
	}
}

func TestASourceThatIsLostIsFoundAgain(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.serve("10.1.0.1")
	m.serve("10.1.0.2")
	m.run("service", "chrony", "start")
	d := at("one.test", "two.test")
	d.MinSources = 2
	for i := range d.Sources {
		d.Sources[i].MaxPoll = 1
	}
	m.apply(&d)
	m.until("both answer", &d, func(o Observed) bool { return o.Usable() == 2 })
	m.older(time.Hour)
	if o, _, _ := m.look(&d); codes(o) != "" {
		t.Errorf("at first there are %s", codes(o))
	}
	m.kill("10.1.0.2")
	o := m.until("the loss is an alarm", &d, func(o Observed) bool {
		return strings.HasPrefix(codes(o), "unsynchronised; lost two.test") || strings.HasPrefix(codes(o), "lost two.test; few")
	})
	if !strings.Contains(strings.Join(o.texts(), "\n"), "two.test (10.1.0.2) has not answered for") {
		t.Errorf("it says %q", o.texts())
	}
	m.serve("10.1.0.2")
	m.until("it is well again", &d, func(o Observed) bool { return codes(o) == "" && o.Usable() == 2 })

	d = at("one.test", "nowhere.test")
	m.apply(&d)
	m.older(time.Hour)
	o = m.until("a name without an address is an alarm", &d, func(o Observed) bool { return codes(o) == "lost nowhere.test" })
	if !strings.Contains(o.texts()[0], "cannot be resolved") {
		t.Errorf("it says %q", o.texts())
	}
}

// TestNTSIsProvedByKeys asks two servers for NTS (RFC 8915): one whose certificate is
// trusted, and one that could be anybody.
func TestNTSIsProvedByKeys(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	trusted, other := newAuthority(m), newAuthority(m)
	m.write("/etc/chrony/trusted.pem", trusted.certificate)
	m.write("/etc/chrony/conf.d/trusted.conf", "ntstrustedcerts /etc/chrony/trusted.pem\n")
	for address, by := range map[string]*authority{"10.1.0.4": trusted, "10.1.0.1": other} {
		name := map[string]string{"10.1.0.4": "nts.test", "10.1.0.1": "one.test"}[address]
		cert, key := by.issue(name)
		m.write(m.dir+"/"+name+".cert", cert)
		m.write(m.dir+"/"+name+".key", key)
		m.serve(address, "ntsservercert "+m.dir+"/"+name+".cert", "ntsserverkey "+m.dir+"/"+name+".key", "ntsprocesses 0")
	}
	m.run("service", "chrony", "start")
	d := at("nts.test", "one.test")
	m.apply(&d)
	m.until("without NTS nothing is proved", &d, func(o Observed) bool { return o.Usable() == 2 && !source(o, "nts.test").Proved() && o.Proofs })
	for i := range d.Sources {
		d.Sources[i].NTS = true
	}
	if got := m.apply(&d); got != wrote+"; "+reloaded {
		t.Errorf("for NTS it did %s", got)
	}
	m.until("its keys are there", &d, func(o Observed) bool {
		p := source(o, "nts.test")
		return p.Proved() && p.Auth.Mode == "NTS" && o.Following
	})
	m.older(time.Hour)
	o := m.until("the other one is found out", &d, func(o Observed) bool { return codes(o) == "unauthenticated one.test" })
	if p, good := source(o, "one.test"), source(o, "nts.test"); p.Proved() || p.Reach != 0 || good.Auth.Bits != 256 || good.Auth.Cookies == 0 {
		t.Errorf("the sources are %+v", o.Sources)
	}
}

// authority signs certificates.
type authority struct {
	m           *machine
	key         *ecdsa.PrivateKey
	own         *x509.Certificate
	certificate string
}

func newAuthority(m *machine) *authority {
	a := &authority{m: m}
	a.own = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.certificate, a.key = a.sign(a.own)
	return a
}

// issue makes a certificate for a name, and its key.
func (a *authority) issue(name string) (cert, key string) {
	cert, private := a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.m.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (a *authority) sign(c *x509.Certificate) (string, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.m.Fatal(err)
	}
	by := a.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.own, key.Public(), by)
	if err != nil {
		a.m.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), key
}

func TestWhatOthersDoMeanwhileIsSeenAndSetRight(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.serve("10.1.0.1")
	m.run("service", "chrony", "start")
	d := at("one.test")
	m.apply(&d)
	seen := func(what, line, steps string) {
		t.Helper()
		_, f, err := m.look(&d)
		if err != nil || !slices.ContainsFunc(f.Diff, func(l string) bool { return strings.Contains(l, line) }) {
			t.Errorf("%s: it says %q, %v", what, f.Diff, err)
		}
		if got := m.apply(&d); got != steps {
			t.Errorf("%s: it did %s", what, got)
		}
	}
	m.edit(SourcesPath, "server one.test", "server 10.1.0.66 iburst\nserver one.test")
	m.run("chronyc", "reload", "sources")
	seen("a source was written into our file", "sources: − server 10.1.0.66 iburst", wrote+"; "+reloaded)
	m.edit(SettingsPath, "minsources 1", "minsources 9")
	seen("a setting was changed", "settings: + minsources 1", set+"; "+restarted)
	m.run("chronyc", "add", "server", "10.1.0.77")
	seen("a source was added by hand", "chronyd follows 10.1.0.77, which no file names", restarted)
	m.run("rm", SourcesPath)
	seen("our file was removed", "sources: + server one.test", wrote+"; "+reloaded)
	m.run("chronyc", "delete", "one.test")
	seen("a source was deleted by hand", "chronyd does not have as they should be: one.test", restarted)
	m.run("touch", SettingsPath)
	seen("the settings were not read", "chronyd has not read its settings since they changed", restarted)
	m.run(stop()...)
	if o, f, err := m.look(&d); err != nil || codes(o) != "down" || len(f.Steps) != 2 {
		t.Errorf("stopped: %v, %s, %v", err, codes(o), f.Lines())
	}
	seen("chronyd was stopped", "chronyd is not running", restarted)

	m.edit("/etc/chrony/chrony.conf", "makestep 1 3", "makestep 5.0 -1\n! minsources 7\nMINSOURCES  1")
	o, f, err := m.look(&d)
	if err != nil || len(f.Steps) > 0 || codes(o) != "overridden /etc/chrony/chrony.conf:42" || !strings.Contains(o.texts()[0], `"makestep 5.0 -1"`) {
		t.Errorf("a later line counts: %v, %v, %q", err, f.Lines(), o.texts())
	}
	m.edit("/etc/chrony/chrony.conf", "confdir /etc/chrony/conf.d", "# confdir /etc/chrony/conf.d")
	if _, _, err := m.look(&d); err == nil || !strings.Contains(err.Error(), `put the line "confdir /etc/chrony/conf.d" into it`) {
		t.Errorf("our file is not read: %v", err)
	}
	if o, _, err := m.look(nil); err != nil || !o.Running {
		t.Errorf("that is no matter to who lets go: %v", err)
	}
	m.edit("/etc/chrony/chrony.conf", "# confdir /etc/chrony/conf.d", "confdir /etc/chrony/conf.d\ninclude /etc/chrony/chrony.c*")
	if _, _, err := m.look(&d); err == nil || !strings.Contains(err.Error(), "more than 200") {
		t.Errorf("a file that includes itself: %v", err)
	}
	m.edit("/etc/chrony/chrony.conf", "include /etc/chrony/chrony.c*", "")
	m.run("mount", "-t", "overlay", "none", "-o", fmt.Sprintf("lowerdir=/usr/sbin,upperdir=%s,workdir=%s", m.made("/run/upper"), m.made("/run/work")), "/usr/sbin")
	m.run("rm", "/usr/sbin/chronyd")
	if _, _, err := m.look(&d); err == nil || !strings.Contains(err.Error(), "chrony is not installed") {
		t.Errorf("without chrony: %v", err)
	}
	m.run("kill", strings.TrimSpace(m.run("cat", pidPath)))
	m.until("without chrony and control, nothing is wrong", nil, func(o Observed) bool { return !o.Running && len(o.Alarms) == 0 })
}

func (m *machine) made(dir string) string {
	m.run("mkdir", dir)
	return dir
}

// TestALetGoThatWasCutOffIsFinished: the files went, and chronyd was not told.
func TestALetGoThatWasCutOffIsFinished(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.serve("10.1.0.1")
	m.run("service", "chrony", "start")
	d := at("one.test")
	m.apply(&d)
	m.run("rm", SourcesPath, SettingsPath)
	if got := m.apply(nil); got != restarted {
		t.Errorf("it did %s", got)
	}
	if got := m.apply(nil); got != "" {
		t.Errorf("once more it did %s", got)
	}
	sleeper := m.dir + "/ntpd"
	m.run("cp", "/bin/sleep", sleeper)
	cmd := exec.Command(sleeper, "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	m.apply(&d)
	m.until("another program that sets the clock is seen", &d, func(o Observed) bool { return codes(o) == "rival ntpd" })
}

// TestWhoIsNotRootSeesWhatChronydTellsAnybody looks as the panel does where there is no
// agent.
func TestWhoIsNotRootSeesWhatChronydTellsAnybody(t *testing.T) {
	if os.Getenv("HOSTWARD_LOOK") != "" {
		o, err := observe(t.Context(), hands.Machine{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("seen %s\n", must(t, o))
		return
	}
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.serve(foreign)
	m.run("service", "chrony", "start")
	m.until("it follows", nil, func(o Observed) bool { return o.Following })
	m.run("cp", os.Args[0], "/run/look")
	m.run("chmod", "755", "/run/look")
	cmd := exec.Command("/run/look", "-test.run=^"+t.Name()+"$")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", append(os.Environ(), "HOSTWARD_LOOK=1"), &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	var o Observed
	_, seen, found := strings.Cut(string(out), "seen ")
	if err != nil || !found || json.NewDecoder(strings.NewReader(seen)).Decode(&o) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !o.Running || o.Proofs || !o.Following || o.Usable() != 1 || !o.Since.IsZero() || o.Zone == "" || o.Boot == "" || o.Up == 0 {
		t.Errorf("it sees %+v", o)
	}
}

func TestAChronydThatDoesNotAnswerIsAnAlarm(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	m.run("service", "chrony", "start")
	d := at("one.test")
	m.apply(&d)
	pid := strings.TrimSpace(m.run("cat", pidPath))
	m.run("kill", "-STOP", pid)
	o, f, err := m.look(&d)
	m.run("kill", "-CONT", pid)
	if err != nil || codes(o) != "silent" || !strings.Contains(o.texts()[0], "506 Cannot talk to daemon") {
		t.Errorf("it says %q: %v", o.texts(), err)
	}
	if got := fmt.Sprintf("%s; %s", f.Steps[0], f.Steps[len(f.Steps)-1]); got != restarted {
		t.Errorf("it would do %s", got)
	}
	m.run("mkdir", "-p", "/run/systemd/system") // as systemd says that it runs
	m.run("touch", SettingsPath)
	if _, f, err := m.look(&d); err != nil || len(f.Steps) != 1 || f.Steps[0].String() != "run /usr/sbin/service chrony restart" {
		t.Errorf("with systemd it would do %v: %v", f.Steps, err)
	}
}

// TestAJumpIsFoundBetweenTwoLooks looks a second time where 1000 s more have passed
// since boot, while the clock shows what it shows.
func TestAJumpIsFoundBetweenTwoLooks(t *testing.T) {
	if os.Getenv("HOSTWARD_LOOK") != "" {
		var o Observed
		if err := o.instant(hands.Machine{}); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("seen %s\n", must(t, o.Instant()))
		return
	}
	if !place(t) {
		return
	}
	look := func(args ...string) (i Instant) {
		t.Helper()
		cmd := exec.Command("unshare", append(args, os.Args[0], "-test.run=^"+t.Name()+"$")...)
		cmd.Env = append(os.Environ(), "HOSTWARD_LOOK=1")
		out, err := cmd.CombinedOutput()
		_, seen, found := strings.Cut(string(out), "seen ")
		if err != nil || !found || json.NewDecoder(strings.NewReader(seen)).Decode(&i) != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return i
	}
	first, second, ahead := look("-f"), look("-f"), look("-T", "--boottime", "1000", "-f")
	if first.Boot == "" || JumpOf(first, second) != 0 {
		t.Errorf("from %+v to %+v is a jump of %d", first, second, JumpOf(first, second))
	}
	if jump := JumpOf(second, ahead); jump > -999_000_000 || jump < -1001_000_000 {
		t.Errorf("from %+v to %+v is a jump of %d", second, ahead, jump)
	}
	ahead.Boot = "another"
	if jump := JumpOf(second, ahead); jump != 0 {
		t.Errorf("over a boot there is a jump of %d", jump)
	}
}
