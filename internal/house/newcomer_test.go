//go:build unix

package house_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hostward/internal/core/coretest"
	"hostward/internal/store/storetest"
)

// The binary as people use it: built once, started on free ports, called by
// its own command line, looked at by dig and sqlite3, killed, rolled back,
// starved of disk. Conditions are waited for, with limits for a busy machine.

const generous = 60 * time.Second

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hostward-bin")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "hostward")
	out, err := exec.Command("go", "build", "-o", path, "hostward/cmd/hostward").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// builtIn is the folder of the binary, "" when no test needed it.
var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// machine is a data folder with a server that may run on it.
type machine struct {
	*testing.T
	bin, data string
	dns       string
	extra     []string // flags of serve
	within    []string // words before the command of a server
	server    *process
}

// process is a running program and what it said.
type process struct {
	cmd   *exec.Cmd
	said  *text
	ended chan struct{}
}

func newMachine(t *testing.T, extra ...string) *machine {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the binary")
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.MkdirTemp("", "hw") // short: a Unix socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, bin: bin, data: data, dns: coretest.Free(t).String(), extra: extra}
	t.Cleanup(func() { m.kill(); _ = os.RemoveAll(data) })
	return m
}

func (m *machine) spawn(args ...string) *process {
	m.Helper()
	argv := slices.Concat(m.within, []string{m.bin}, args)
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), said: &text{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		m.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	m.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	return p
}

// begin starts serve without waiting for anything.
func (m *machine) begin() *process {
	m.Helper()
	args := append([]string{"serve", "--data", m.data, "--listen", "127.0.0.1:0", "--dns", m.dns, "--allow-private"}, m.extra...)
	m.server = m.spawn(args...)
	return m.server
}

// serve starts the server and waits until it serves.
func (m *machine) serve() {
	m.Helper()
	p := m.begin()
	m.until("the server serves", func() bool {
		select {
		case <-p.ended:
			m.Fatalf("serve ended:\n%s", p.said)
		default:
		}
		return strings.Contains(p.said.String(), "Hostward is running.")
	})
}

// refuses starts the server and returns what it says when it will not run.
func (m *machine) refuses() string {
	m.Helper()
	p := m.begin()
	select {
	case <-p.ended:
	case <-time.After(generous):
		m.Fatalf("serve runs though it should refuse:\n%s", p.said)
	}
	if p.cmd.ProcessState.ExitCode() == 0 {
		m.Errorf("serve refused with exit code 0:\n%s", p.said)
	}
	return p.said.String()
}

func (m *machine) stop() {
	m.Helper()
	_ = m.server.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.server.ended:
	case <-time.After(generous):
		m.Fatalf("serve does not stop:\n%s", m.server.said)
	}
}

func (m *machine) kill() {
	if m.server != nil {
		_ = m.server.cmd.Process.Kill()
		<-m.server.ended
	}
}

func (m *machine) until(what string, ok func() bool) {
	m.Helper()
	for deadline := time.Now().Add(generous); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.Fatalf("waited in vain until %s; the server said:\n%s", what, m.server.said)
		}
	}
}

// tries runs a command and returns what it printed and its exit code.
func (m *machine) tries(args ...string) (string, int) {
	m.Helper()
	ctx, stop := context.WithTimeout(context.Background(), generous)
	defer stop()
	c := exec.CommandContext(ctx, m.bin, append([]string{"--data", m.data}, args...)...)
	out, err := c.CombinedOutput()
	if err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			m.Fatalf("%v: %v", args, err)
		}
	}
	return string(out), c.ProcessState.ExitCode()
}

// does runs a command that must succeed.
func (m *machine) does(args ...string) string {
	m.Helper()
	out, code := m.tries(args...)
	if code != 0 {
		m.Fatalf("hostward %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// sound wants log verify to find nothing.
func (m *machine) sound() {
	m.Helper()
	if out, code := m.tries("log", "verify"); code != 0 || !strings.Contains(out, "Nothing was changed") {
		m.Errorf("log verify: exit code %d\n%s", code, out)
	}
}

// unsound wants log verify to fail and to name what was done.
func (m *machine) unsound(names ...string) {
	m.Helper()
	out, code := m.tries("log", "verify")
	if code != 1 {
		m.Errorf("log verify: exit code %d, want 1\n%s", code, out)
	}
	for _, name := range names {
		if !strings.Contains(out, name) {
			m.Errorf("log verify does not name %s:\n%s", name, out)
		}
	}
}

// sqlite edits the database as somebody who became root would.
func (m *machine) sqlite(q string) string {
	m.Helper()
	path := tool(m.T, "sqlite3")
	out, err := exec.Command(path, "-cmd", ".timeout 10000", filepath.Join(m.data, "panel.db"), q).CombinedOutput()
	if err != nil {
		m.Fatalf("sqlite3: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && (os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

func (m *machine) dig(name, kind string) string {
	m.Helper()
	host, port, _ := net.SplitHostPort(m.dns)
	out, err := exec.Command(tool(m.T, "dig"), "+short", "+time=2", "@"+host, "-p", port, name, kind).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

// secure trusts the certificate that the server made for itself.
var secure = &http.Client{Timeout: generous, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// panel is the address that the server printed.
func (m *machine) panel() string {
	m.Helper()
	found := regexp.MustCompile(`panel  (https://\S+)`).FindStringSubmatch(m.server.said.String())
	if found == nil {
		m.Fatalf("no address printed:\n%s", m.server.said)
	}
	return found[1]
}

// local calls over the Unix socket, as the command line does.
func (m *machine) local() *http.Client {
	path := filepath.Join(m.data, "run", "hostward.sock")
	return &http.Client{Timeout: generous, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// post sends JSON and returns the status and the body.
func post(c *http.Client, address string, in any) (int, string, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return 0, "", err
	}
	r, err := c.Post(address, "application/json", bytes.NewReader(b))
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, string(body), err
}

const bind = `$TTL 1h
$ORIGIN kranewitt.example.
@   IN SOA ns1 hostmaster ( 2026112201 ; serial
        4h 1h 14d 15m )
    IN NS  ns1
    IN NS  ns2.kranewitt.example.
    IN MX  10 mail
ns1 IN A   192.0.2.1
ns2 IN AAAA 2001:db8::2
mail IN A  192.0.2.25
www  300 IN CNAME web
web  IN A  192.0.2.80
txt  IN TXT "v=spf1 mx -all" ( "second; string" )
`

// TestNewcomer is the main job from end to end, as a newcomer does it.
func TestNewcomer(t *testing.T) {
	m := newMachine(t)
	m.serve()
	link := regexp.MustCompile(`https://\S+/setup#token=(\S+)`).FindStringSubmatch(m.server.said.String())
	if link == nil {
		t.Fatalf("no set-up link printed:\n%s", m.server.said)
	}
	form := url.Values{"token": {link[1]}, "login": {"anna"}, "name": {"Anna"}, "password": {password + "anna"}}
	claim := func() int {
		r, err := secure.PostForm(m.panel()+"/do/login.setup", form)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	if s := claim(); s != http.StatusSeeOther {
		t.Fatalf("claiming the set-up link: status %d", s)
	}
	form.Set("login", "mallory")
	if s := claim(); s < 400 {
		t.Errorf("a used set-up link works again: status %d", s)
	}
	m.does("account", "create", "agency", "--role", "reseller", "--name", "Agency")
	m.does("account", "create", "kranewitt", "--role", "customer", "--parent", "agency")
	file := filepath.Join(m.data, "kranewitt.zone")
	if err := os.WriteFile(file, []byte(bind), 0o600); err != nil {
		t.Fatal(err)
	}
	m.does("zone", "import", file, "--owner", "kranewitt")
	if got := m.dig("web.kranewitt.example", "A"); got != "192.0.2.80" {
		t.Errorf("dig after the import: %q", got)
	}
	broken := filepath.Join(m.data, "broken.zone")
	if err := os.WriteFile(broken, []byte(strings.Replace(bind, "192.0.2.25", "192.0.2.256", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := m.tries("zone", "import", broken, "--name", "broken.example"); code == 0 || !strings.Contains(out, "line 10") {
		t.Errorf("a broken file: exit code %d, the line is not named:\n%s", code, out)
	}
	preview := m.does("zone", "record", "set", "kranewitt.example", "web", "A", "192.0.2.81", "--dry-run")
	if !strings.Contains(preview, "192.0.2.80") || !strings.Contains(preview, "192.0.2.81") || m.dig("web.kranewitt.example", "A") != "192.0.2.80" {
		t.Errorf("the preview does not show old and new, or changed something:\n%s", preview)
	}
	m.does("zone", "record", "set", "kranewitt.example", "web", "A", "192.0.2.81", "--reason", "new server")
	if got := m.dig("web.kranewitt.example", "A"); got != "192.0.2.81" {
		t.Errorf("dig after the change: %q", got)
	}
	log := m.does("log", "list", "--limit", "100", "-o", "json")
	for _, want := range []string{`"login.setup"`, `"account.create"`, `"zone.import"`, `"zone.record.set"`, `"door":"cli"`, `"door":"web"`, "192.0.2.80", "192.0.2.81", "new server", `"outcome":"refused"`, "127.0.0.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not show %s", want)
		}
	}
	m.sound()
	m.sqlite(`UPDATE zone_rrset SET data = replace(data, '192.0.2.81', '192.0.2.66') WHERE data LIKE '%192.0.2.81%'`)
	m.unsound("zone")
	m.sqlite(`UPDATE zone_rrset SET data = replace(data, '192.0.2.66', '192.0.2.81') WHERE data LIKE '%192.0.2.66%'`)
	m.stop()
	m.serve()
	if got := m.dig("web.kranewitt.example", "A"); got != "192.0.2.81" {
		t.Errorf("dig after a restart: %q", got)
	}
	if list := m.does("log", "list", "--limit", "100", "-o", "json"); !strings.Contains(list, "tampering") {
		t.Error("the edit past the door is not on record after the restart")
	}
}

// furnish gives a machine an administrator and some zones.
func (m *machine) furnish(zones int) {
	m.Helper()
	c := m.local()
	if s, body, err := post(c, "http://local/api/v1/admin/init", map[string]any{"login": "anna", "password": password + "anna"}); err != nil || s != 200 {
		m.Fatalf("admin init: %d %s %v", s, body, err)
	}
	for i := range zones {
		m.create(c, fmt.Sprintf("z%d.example", i))
	}
}

func (m *machine) create(c *http.Client, name string) {
	m.Helper()
	if s, body, err := post(c, "http://local/api/v1/zone/create", map[string]any{"name": name}); err != nil || s >= 300 {
		m.Fatalf("zone create: %d %s %v", s, body, err)
	}
}

// copyTo copies a folder, or a part of one.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestTamperingIsNamed edits a stopped server's files, each way on its own copy.
func TestTamperingIsNamed(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.furnish(140) // more than 256 records, so that a tile is full
	m.sound()
	m.stop()
	zone := m.sqlite(`SELECT id FROM zone_zone LIMIT 1`)
	record := m.sqlite(`SELECT id FROM ledger_entry WHERE seq = 5`)
	for name, c := range map[string]struct {
		edit  func(*machine)
		names []string
	}{
		"row of the log": {func(m *machine) {
			m.sqlite(`UPDATE ledger_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '"outcome":"done"', '"outcome":"read"') AS BLOB) WHERE seq = 5`)
		}, []string{"5"}},
		"record removed": {func(m *machine) { m.sqlite(`DELETE FROM ledger_entry WHERE seq = 5`) }, []string{"5"}},
		"row of a zone":  {func(m *machine) { m.sqlite(`UPDATE zone_rrset SET ttl = ttl + 1 WHERE zone_id = '` + zone + `'`) }, []string{zone}},
		"zone removed": {func(m *machine) {
			m.sqlite(`DELETE FROM zone_rrset WHERE zone_id = '` + zone + `'; DELETE FROM zone_zone WHERE id = '` + zone + `'`)
		}, []string{zone}},
		"account raised": {func(m *machine) { m.sqlite(`UPDATE account SET role = 'auditor'`) }, []string{"account"}},
		"tile replaced": {func(m *machine) {
			// A full tile: one that is not full is written anew with the next record.
			path := filepath.Join(m.data, "log/tlog/epoch-1/tile/0/000")
			b, err := os.ReadFile(path)
			if err != nil {
				m.Fatal(err)
			}
			b[7] ^= 1
			_ = os.Chmod(path, 0o600)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				m.Fatal(err)
			}
		}, []string{"tile"}},
		"entries replaced": {func(m *machine) {
			path := filepath.Join(m.data, "log/tlog/epoch-1/tile/entries/000")
			b, err := os.ReadFile(path)
			if err != nil {
				m.Fatal(err)
			}
			_ = os.Chmod(path, 0o600)
			if err := os.WriteFile(path, bytes.Replace(b, []byte(`"done"`), []byte(`"read"`), 1), 0o600); err != nil {
				m.Fatal(err)
			}
		}, []string{"tile"}},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := newMachine(t)
			copyTo(t, m.data+"/.", c2.data)
			c.edit(c2)
			c2.unsound(c.names...)
		})
	}
	if record == "" {
		t.Error("the fifth record has no id")
	}
}

// load creates zones until it is told to stop, or the server is gone, and
// returns the names that were acknowledged.
func (m *machine) load(ctx context.Context, prefix string, workers int) (acknowledged []string) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range workers {
		all.Go(func() {
			c := m.local()
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("%s-%d-%d.example", prefix, n, i)
				s, _, err := post(c, "http://local/api/v1/zone/create", map[string]any{"name": name})
				if err != nil {
					return
				}
				if s < 300 {
					mu.Lock()
					acknowledged = append(acknowledged, name)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return acknowledged
}

// has wants every zone to be there, and its creation to be in the log.
func (m *machine) has(names []string) {
	m.Helper()
	have := map[string]bool{}
	after := ""
	for {
		var page struct {
			Output struct {
				Zones []struct{ Name string }
				Next  string
			}
		}
		if err := json.Unmarshal([]byte(m.does("zone", "list", "--limit", "1000", "--after", after, "-o", "json")), &page); err != nil {
			m.Fatal(err)
		}
		for _, z := range page.Output.Zones {
			have[z.Name] = true
		}
		if after = page.Output.Next; after == "" {
			break
		}
	}
	for _, name := range names {
		if !have[name] {
			m.Errorf("%s was acknowledged and is lost", name)
		}
	}
}

// TestKillLosesNothing kills the server under load, again and again.
func TestKillLosesNothing(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.furnish(1)
	var acknowledged []string
	for round := range 5 {
		got := make(chan []string)
		go func() { got <- m.load(t.Context(), fmt.Sprintf("r%d", round), 8) }()
		size := func() int64 {
			info, err := os.Stat(filepath.Join(m.data, "panel.db-wal"))
			if err != nil {
				return 0
			}
			return info.Size()
		}
		began := size()
		m.until("there is load", func() bool { return size() != began })
		time.Sleep(time.Duration(150+170*round) * time.Millisecond) // another moment to die each time
		m.kill()
		acknowledged = append(acknowledged, <-got...)
		m.serve()
	}
	if len(acknowledged) < 20 {
		t.Errorf("only %d operations were acknowledged: there was no load", len(acknowledged))
	}
	m.has(acknowledged)
	m.sound()
	t.Logf("%d operations acknowledged over 5 kills", len(acknowledged))
}

// TestAnOldDatabaseIsRefused puts an older copy of the database file back.
func TestAnOldDatabaseIsRefused(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.furnish(2)
	m.stop()
	old := t.TempDir()
	copyTo(t, filepath.Join(m.data, "panel.db"), old)
	m.serve()
	m.create(m.local(), "lost.example")
	m.stop()
	for _, name := range []string{"panel.db", "panel.db-wal", "panel.db-shm"} {
		_ = os.Remove(filepath.Join(m.data, name))
	}
	copyTo(t, filepath.Join(old, "panel.db"), m.data)
	if said := m.refuses(); !strings.Contains(said, "log recover") {
		t.Errorf("the refusal does not say what to do:\n%s", said)
	}
	m.unsound()
	if out, code := m.tries("log", "recover"); code != 2 {
		t.Errorf("recovering without a reason: exit code %d\n%s", code, out)
	}
	m.does("log", "recover", "--reason", "the disk was restored from yesterday")
	m.serve()
	m.create(m.local(), "again.example")
	m.sound()
	if list := m.does("log", "list", "--limit", "50", "-o", "json"); !strings.Contains(list, "the disk was restored from yesterday") {
		t.Error("the reason is not on record")
	}
}

// TestAWitnessSeesARollback puts the whole folder back, keys and all: only
// somebody outside can know.
func TestAWitnessSeesARollback(t *testing.T) {
	m := newMachine(t)
	key := filepath.Join(t.TempDir(), "witness.key")
	verifier := strings.TrimSpace(m.does("witness", "key", "--name", "witness.example/w1", "--key", key))
	m.serve() // so that the log has a name and a key
	m.furnish(1)
	var status struct{ Output struct{ Key string } }
	if err := json.Unmarshal([]byte(m.does("log", "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	m.stop()
	address := coretest.Free(t).String()
	w := m.spawn("witness", "serve", "--listen", address, "--key", key, "--state", t.TempDir(), "--log", status.Output.Key)
	line := "http://" + address + " " + verifier + "\n"
	if err := os.WriteFile(filepath.Join(m.data, "etc", "witnesses"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old")
	copyTo(t, m.data, old)
	m.serve()
	m.create(m.local(), "witnessed.example")
	m.until("the witness has cosigned what was done", func() bool {
		var s struct {
			Output struct{ Records, Witnessed int64 }
		}
		_ = json.Unmarshal([]byte(m.does("log", "status", "-o", "json")), &s)
		select {
		case <-w.ended:
			t.Fatalf("the witness ended:\n%s", w.said)
		default:
		}
		return s.Output.Witnessed >= 8 && s.Output.Witnessed == s.Output.Records
	})
	m.sound()
	m.stop()
	if err := os.RemoveAll(m.data); err != nil {
		t.Fatal(err)
	}
	copyTo(t, old, m.data)
	if said := m.refuses(); !strings.Contains(said, "witness") || !strings.Contains(said, "log recover") {
		t.Errorf("the refusal does not say what happened and what to do:\n%s", said)
	}
	m.does("log", "recover", "--reason", "restored", "--allow-private")
	m.serve()
	m.create(m.local(), "again.example")
	m.sound()
}

// TestASecondServerTakesOver runs two servers on one PostgreSQL.
func TestASecondServerTakesOver(t *testing.T) {
	database := storetest.Postgres(t)
	first := newMachine(t, "--database", database)
	first.serve()
	first.furnish(1)
	got := make(chan []string)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	second := newMachine(t, "--database", database)
	copyTo(t, filepath.Join(first.data, "keys"), second.data) // both sign one log
	listen := coretest.Free(t).String()
	second.extra = append(second.extra, "--listen", listen)
	second.begin()
	ready := func() int {
		r, err := secure.Get("https://" + listen + "/readyz")
		if err != nil {
			return 0
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	second.until("the second server stands by", func() bool { return strings.Contains(second.server.said.String(), "standing by") })
	if s := ready(); s != http.StatusServiceUnavailable {
		t.Errorf("readyz of who stands by: %d, want 503", s)
	}
	go func() { got <- first.load(ctx, "first", 4) }()
	time.Sleep(500 * time.Millisecond) // some load
	first.kill()
	died := time.Now()
	acknowledged := <-got
	second.until("the second server takes over", func() bool { return ready() == http.StatusOK })
	t.Logf("taken over after %v, %d operations acknowledged before", time.Since(died).Round(10*time.Millisecond), len(acknowledged))
	if len(acknowledged) == 0 {
		t.Error("there was no load")
	}
	second.has(acknowledged)
	second.create(second.local(), "second.example")
	second.sound()
}

// TestAFullDiskLosesNothing runs on a file system of a few megabytes.
func TestAFullDiskLosesNothing(t *testing.T) {
	m := newMachine(t)
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", m.data).CombinedOutput(); err != nil {
		t.Skipf("mounting a small file system: %v: %s", err, out)
	}
	t.Cleanup(func() {
		m.kill()
		if out, err := exec.Command("umount", m.data).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	m.serve()
	m.furnish(3)
	ballast := filepath.Join(m.data, "ballast")
	fill(t, ballast)
	info, err := os.Stat(ballast)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(ballast, info.Size()-1<<20); err != nil { // room for some changes
		t.Fatal(err)
	}
	c := m.local()
	var acknowledged []string
	full := ""
	for i := 0; full == "" && i < 2000; i++ {
		name := fmt.Sprintf("full%d.example", i)
		s, body, err := post(c, "http://local/api/v1/zone/create", map[string]any{"name": name})
		switch {
		case err != nil:
			t.Fatalf("the server does not answer on a full disk: %v\n%s", err, m.server.said)
		case s < 300:
			acknowledged = append(acknowledged, name)
		default:
			full = fmt.Sprint(s, " ", body)
		}
	}
	if !strings.Contains(full, "disk is full") || !strings.Contains(full, "nothing was changed") {
		t.Errorf("a change on a full disk says: %s", full)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	m.until("changes go through again", func() bool {
		s, _, err := post(c, "http://local/api/v1/zone/create", map[string]any{"name": fmt.Sprintf("after%d.example", time.Now().UnixNano())})
		return err == nil && s < 300
	})
	m.has(acknowledged)
	m.sound()
	m.kill()
	m.serve()
	m.has(acknowledged)
	m.sound()
	if len(acknowledged) == 0 {
		t.Error("no change went through before the disk was full")
	}
	t.Logf("%d changes before the disk was full", len(acknowledged))
}

// fill writes until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 4096)
	for size := 1 << 20; size >= 512; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	_ = w.Flush()
}
