package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/control"
	"hostward/internal/feature/handler"
	"hostward/internal/handlers/apache"
	"hostward/internal/host"
	"hostward/internal/host/hands"
)

// alone runs the rest of a test as root in a network, among files and among processes
// of its own, with a copy of Debian's Apache that is not the machine's.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HOSTWARD_ALONE") != "" {
		return true
	}
	for _, tool := range []string{"unshare", "ip", "apache2ctl"} {
		if _, err := exec.LookPath(tool); err != nil || os.Getuid() != 0 {
			t.Skipf("needs root and %s", tool)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const set = `mount --make-rprivate / && ip link set lo up && cp -a /etc/apache2 "$1" && mount --bind "$1/apache2" /etc/apache2 &&
		for d in /var/www /srv /var/log/apache2 /run/apache2 /run/lock/apache2; do mkdir -p $d && mount -t tmpfs -o mode=755 none $d || exit 1; done; shift; exec "$@"`
	cmd := exec.CommandContext(t.Context(), "unshare", "-nmpf", "--mount-proc", "--kill-child", "--", "sh", "-c", set, "sh", t.TempDir(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "HOSTWARD_ALONE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// server is a real Apache, and the control of it.
type server struct {
	*testing.T
	machine control.Machine
	met     map[string]int // answers of each kind
}

const host80 = "http://127.0.0.1:80"

// site is Debian's Apache with two sites: one in a virtual host, one that the main
// server's sections are about.
func site(t *testing.T) *server {
	t.Helper()
	s := &server{t, handler.New(handler.Ports{}).Control(), map[string]int{}}
	for _, m := range []string{"rewrite.load", "headers.load", "cgid.load", "cgid.conf", "status.load", "mime.load", "mime.conf"} {
		link := "/etc/apache2/mods-enabled/" + m
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if err := os.Symlink("../mods-available/"+m, link); err != nil {
			t.Fatal(err)
		}
	}
	s.put("/etc/apache2/sites-available/a.conf", "<VirtualHost *:80>\r\n  ServerName a.example\r\n  DocumentRoot /var/www/a\r\n  <Directory \"/var/www/a/\">\r\n    allowoverride \\\r\n      All\r\n  </Directory>\r\n"+
		"  <Directory /var/www/a/closed>\r\n    AllowOverride None\r\n  </Directory>\r\n</VirtualHost>\r\n")
	s.put("/etc/apache2/sites-available/b.conf", "<VirtualHost *:80>\n\tServerName b.example\n\tDocumentRoot /srv/b\n\tAlias /old /srv/old\n</VirtualHost>")
	for _, name := range []string{"a.conf", "b.conf"} {
		if err := os.Symlink("../sites-available/"+name, "/etc/apache2/sites-enabled/"+name); err != nil {
			t.Fatal(err)
		}
	}
	s.put("/etc/apache2/conf-enabled/local.conf", "ServerName server.example\n<IfModule mod_mime.c>\n<Directory /srv>\n\tRequire all granted\n\tAllowOverride FileInfo AuthConfig\n</Directory>\n</IfModule>\n")
	for _, dir := range []string{"/var/www/a", "/srv/b", "/srv/old"} {
		s.put(dir+"/index.html", "the page of "+dir)
		s.put(dir+"/.htaccess", "Header set X-Site yes\nRewriteEngine On\nRewriteRule ^from$ http://else.example/to [R=302,L]\nErrorDocument 404 \"it is missing\"\n")
		s.put(dir+"/set/.htaccess", "SetHandler server-status\n")
		s.put(dir+"/add/.htaccess", "AddHandler server-status .txt\n")
		s.put(dir+"/add/x.txt", "the source")
		s.put(dir+"/type/.htaccess", "# a type that is a handler\nForceType server-status\n")
		s.put(dir+"/type/x.txt", "the source")
		s.put(dir+"/files/.htaccess", "<IfModule mod_mime.c>\n<FilesMatch x>\n<If \"true\">\nSetHandler server-status\n</If>\n</FilesMatch>\n</IfModule>\n")
		s.put(dir+"/files/x.txt", "the source")
	}
	s.put("/var/www/a/cgi/.htaccess", "AddHandler cgi-script .sh\nOptions +ExecCGI\n")
	s.put("/var/www/a/cgi/run.sh", "#!/bin/sh\necho Content-Type: text/plain\necho\necho it ran\n")
	if err := os.Chmod("/var/www/a/cgi/run.sh", 0o755); err != nil {
		t.Fatal(err)
	}
	s.put("/var/www/a/closed/.htaccess", "Header set X-Site no\nSetHandler server-status\n")
	s.put("/var/www/a/closed/index.html", "closed")
	s.run("apache2ctl", "start")
	t.Cleanup(func() { s.run("apache2ctl", "stop") })
	s.until("Apache answers", func() bool { _, _, err := get("a.example", "/"); return err == nil })
	return s
}

func (s *server) put(path, text string) {
	s.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s *server) run(args ...string) {
	s.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		s.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func (s *server) until(what string, f func() bool) {
	s.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile("/var/log/apache2/error.log")
			s.Fatalf("within a minute it is not so: %s\n%s", what, log)
		}
	}
}

// answer is what a visitor gets.
type answer struct {
	status int
	site   string // the header that a .htaccess sets
	body   string
}

// get also reports whether it was a handler that the site chose.
func get(name, path string) (answer, bool, error) {
	req, err := http.NewRequest(http.MethodGet, host80+path, nil)
	if err != nil {
		return answer{}, false, err
	}
	req.Host, req.Close = name, true
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
	r, err := c.Do(req)
	if err != nil {
		return answer{}, false, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return answer{r.StatusCode, r.Header.Get("X-Site"), string(body)}, strings.Contains(string(body), "Apache Server Status"), err
}

// answers wants what visitors of the sites get: with or without effect of each line
// that chooses a handler, and what is no handler in any case.
func (s *server) answers(when string, free map[string]bool) {
	s.Helper()
	for where, overrides := range free {
		name, dir, _ := strings.Cut(where, "/")
		if dir != "" {
			dir = "/" + dir
		}
		for _, path := range []string{"/set/", "/add/x.txt", "/type/x.txt", "/files/x.txt"} {
			s.until(fmt.Sprintf("%s: %s%s chooses its handler: %v", when, where, path, overrides), func() bool {
				a, status, err := get(name, dir+path)
				return err == nil && (overrides && status || !overrides && a.status == http.StatusInternalServerError && !strings.Contains(a.body, "the source"))
			})
		}
		for path, want := range map[string]answer{"/": {200, "yes", "the page of"}, "/from": {302, "", ""}, "/nothing": {404, "", "it is missing"}} {
			a, _, err := get(name, dir+path)
			if err != nil || a.status != want.status || want.site != "" && a.site != want.site || !strings.Contains(a.body, want.body) {
				s.Errorf("%s: %s%s: %+v, %v, want %+v", when, where, path, a, err, want)
			}
		}
	}
	if a, _, err := get("a.example", "/closed/"); err != nil || a.status != 200 || a.site == "no" || a.body != "closed" {
		s.Errorf("%s: where .htaccess was never read: %+v %v", when, a, err)
	}
}

// look looks through the real eyes.
func (s *server) look(d *handler.Desired) (control.Finding, error) {
	s.Helper()
	var raw []byte
	if d != nil {
		var err error
		if raw, err = json.Marshal(d); err != nil {
			s.Fatal(err)
		}
	}
	return s.machine.Look(context.Background(), hands.Machine{}, raw)
}

func (s *server) see(d *handler.Desired) (control.Finding, handler.Observed) {
	s.Helper()
	f, err := s.look(d)
	if err != nil {
		s.Fatal(err)
	}
	var o handler.Observed
	if err := json.Unmarshal(f.Observed, &o); err != nil {
		s.Fatal(err)
	}
	return f, o
}

// apply carries out an order as the agent does, and wants nothing left to do.
func (s *server) apply(d *handler.Desired) handler.Observed {
	s.Helper()
	f, _ := s.see(d)
	for _, step := range f.Steps {
		if err := (hands.Machine{}).Do(context.Background(), step); err != nil {
			s.Fatalf("%s: %v", step, err)
		}
	}
	again, o := s.see(d)
	if len(again.Steps) > 0 {
		s.Fatalf("after all steps this is left:\n%s", strings.Join(again.Lines(), "\n"))
	}
	return o
}

// snapshot is all of Apache's configuration: content, mode and links.
func snapshot(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir("/etc/apache2", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if e.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			out[path] = "-> " + to
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = info.Mode().String() + " " + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSitesChooseNoHandlers asks a real Apache before, while and after the policy
// holds.
func TestSitesChooseNoHandlers(t *testing.T) {
	if !alone(t) {
		return
	}
	s := site(t)
	was := snapshot(t)
	all := map[string]bool{"a.example": true, "b.example": true, "b.example/old": true}
	s.answers("before", all)
	if a, _, err := get("a.example", "/cgi/run.sh"); err != nil || a.body != "it ran\n" {
		t.Fatalf("before: a script does not run: %+v %v", a, err)
	}
	_, o := s.see(nil)
	s.impact(o)

	d := &handler.Desired{Apache: true, Rewrite: true, Exceptions: []string{"/srv/old"}}
	f, _ := s.see(d)
	if lines := strings.Join(f.Lines(), "\n"); !strings.Contains(lines, "sites-enabled/a.conf: +# Hostward ") || !strings.Contains(lines, "zz-hostward-handlers.conf: +<IfModule mod_mime.c>") {
		t.Errorf("the difference is not told:\n%s", lines)
	}
	o = s.apply(d)
	if !o.DropIn || !o.Loaded || len(o.Blind) > 0 || slices.ContainsFunc(o.Grants, func(g apache.Grant) bool { return !g.Except }) {
		t.Errorf("in force, and seen as %+v", o)
	}
	held := map[string]bool{"a.example": false, "b.example": false, "b.example/old": true}
	s.answers("in force", held)
	if a, _, err := get("a.example", "/cgi/run.sh"); err != nil || a.status != 500 || strings.Contains(a.body, "echo") {
		t.Errorf("in force: a script answers %+v %v", a, err)
	}
	if to, err := os.Readlink("/etc/apache2/sites-enabled/a.conf"); err != nil || to != "../sites-available/a.conf" {
		t.Errorf("the link of a site became %q, %v", to, err)
	}

	s.edit(d, held)

	// The edit stays; everything else is as it was.
	s.apply(nil)
	now := snapshot(t)
	const edited = "/etc/apache2/sites-available/a.conf"
	if !strings.Contains(now[edited], byHand) {
		t.Errorf("the edit is lost:\n%s", now[edited])
	}
	now[edited] = strings.Replace(now[edited], byHand, "", 1)
	if !maps.Equal(was, now) {
		t.Errorf("let go, it is not as it was: %q\n%q", was, now)
	}
	s.answers("let go", all)
}

const byHand = "# by hand\r\n"

// impact wants each line that would break, by site, file and line.
func (s *server) impact(o handler.Observed) {
	s.Helper()
	var got []string
	for _, u := range o.Uses {
		if u.Kind != apache.Rewrite {
			got = append(got, fmt.Sprintf("%s %s:%d %s", u.Site, u.File, u.Line, u.Kind))
		}
	}
	want := []string{"b.example /srv/b/add/.htaccess:1 handler", "b.example /srv/b/files/.htaccess:4 handler", "b.example /srv/b/set/.htaccess:1 handler", "b.example /srv/b/type/.htaccess:2 handler",
		"b.example /srv/old/add/.htaccess:1 handler", "b.example /srv/old/files/.htaccess:4 handler", "b.example /srv/old/set/.htaccess:1 handler", "b.example /srv/old/type/.htaccess:2 handler",
		"a.example /var/www/a/add/.htaccess:1 handler", "a.example /var/www/a/cgi/.htaccess:1 handler", "a.example /var/www/a/cgi/.htaccess:2 programs",
		"a.example /var/www/a/files/.htaccess:4 handler", "a.example /var/www/a/set/.htaccess:1 handler", "a.example /var/www/a/type/.htaccess:2 handler"}
	if !slices.Equal(got, want) || !o.Installed || !o.Running || len(o.Grants) != 2 {
		s.Errorf("it would break\n%s\nwant\n%s\n%+v", strings.Join(got, "\n"), strings.Join(want, "\n"), o.Grants)
	}
}

// edit changes files by hand while the policy holds: what opens it again is found
// and closed, what does not stays.
func (s *server) edit(d *handler.Desired, held map[string]bool) {
	s.Helper()
	name := "/etc/apache2/sites-available/a.conf"
	s.put(name, strings.Replace(s.text(name), "  DocumentRoot", byHand+"  DocumentRoot", 1))
	s.put("/etc/apache2/sites-enabled/c.conf", "<Directory /srv/b>\nAllowOverride All\n</Directory>\n")
	s.run("apache2ctl", "graceful")
	s.answers("opened again by hand", map[string]bool{"a.example": false, "b.example": true})
	f, o := s.see(d)
	if len(f.Steps) == 0 || !slices.ContainsFunc(o.Grants, func(g apache.Grant) bool { return g.File == "/etc/apache2/sites-enabled/c.conf" && g.Line == 2 }) {
		s.Errorf("what was opened by hand is not seen: %q %+v", f.Lines(), o.Grants)
	}
	s.apply(d)
	s.answers("closed again", held)

	s.put("/etc/apache2/conf-enabled/broken.conf", "Nonsense on\n")
	if f, err := s.look(d); err == nil || !strings.Contains(err.Error(), "broken.conf") {
		s.Errorf("a configuration that Apache refuses gives %q, %v", f.Lines(), err)
	}
	for _, name := range []string{"conf-enabled/broken.conf", "sites-enabled/c.conf"} {
		if err := os.Remove("/etc/apache2/" + name); err != nil {
			s.Fatal(err)
		}
	}
	s.apply(d)
	s.answers("after a file went", held)
}

func (s *server) text(name string) string {
	s.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		s.Fatal(err)
	}
	return string(data)
}

// TestApacheLoadsNothingThatIsWrong wants Apache's own test before it is told to
// load files.
func TestApacheLoadsNothingThatIsWrong(t *testing.T) {
	if !alone(t) {
		return
	}
	s := site(t)
	f, _ := s.see(&handler.Desired{Apache: true})
	var runs []string
	for i, step := range f.Steps {
		if r, ok := step.(host.Run); ok {
			runs = append(runs, r.Args[1])
		} else if len(runs) > 0 {
			t.Errorf("step %d, %s, comes after %v", i, step, runs)
		}
	}
	if !slices.Equal(runs, []string{"configtest", "graceful"}) {
		t.Fatalf("it runs %v", runs)
	}
	s.run("apache2ctl", "stop")
	s.until("Apache has ended", func() bool { _, o := s.see(nil); return !o.Running })
	if f, _ := s.see(&handler.Desired{Apache: true}); slices.ContainsFunc(f.Steps, func(s host.Step) bool { return strings.Contains(s.String(), "graceful") }) {
		t.Errorf("an Apache that does not run would be started: %s", f.Lines())
	}
	s.run("apache2ctl", "start")
}

// TestWhatRewritingLeaves shows what stays open while rewriting is allowed, that it is
// told, and that it closes with it; that an exception may lie below a section of a
// virtual host; and what Apache does where somebody made forbidden lines harmless.
func TestWhatRewritingLeaves(t *testing.T) {
	if !alone(t) {
		return
	}
	s := site(t)
	s.put("/var/www/a/flag/.htaccess", "RewriteEngine On\nRewriteRule ^x - [L,H=server-status]\n")
	s.put("/var/www/a/flag/x.txt", "the source")
	s.put("/var/www/a/keep/set/.htaccess", "SetHandler server-status\n")
	s.put("/etc/apache2/conf-enabled/quiet.conf", "<Directory /srv/old>\nAllowOverride All Nonfatal=Override\n</Directory>\n")
	gets := func(when, path string, want func(a answer, status bool) bool) {
		t.Helper()
		name := "a.example"
		if strings.HasPrefix(path, "/old/") {
			name = "b.example"
		}
		s.until(when+": "+path, func() bool {
			a, status, err := get(name, path)
			return err == nil && want(a, status)
		})
	}
	chosen := func(_ answer, status bool) bool { return status }
	broken := func(a answer, _ bool) bool { return a.status == 500 }
	source := func(a answer, _ bool) bool { return a.body == "the source" }

	d := &handler.Desired{Apache: true, Rewrite: true, Exceptions: []string{"/var/www/a/keep"}}
	s.apply(d)
	gets("rewriting allowed", "/set/", broken)
	gets("rewriting allowed", "/keep/set/", chosen)
	gets("rewriting allowed", "/flag/x.txt", chosen)
	gets("forbidden lines are harmless", "/old/add/x.txt", source)
	f, _ := s.see(d)
	if len(f.Alarms) != 2 || !strings.Contains(f.Alarms[0], "quiet.conf:2") || !strings.Contains(f.Alarms[1], "/var/www/a/flag/.htaccess:2") {
		t.Errorf("what is left open is not told: %q", f.Alarms)
	}
	s.put("/var/www/a/.htaccess", "Header set X-Site yes\n") // it would break all below, exceptions too
	d.Rewrite = false
	s.apply(d)
	gets("rewriting forbidden", "/flag/x.txt", broken)
	gets("rewriting forbidden", "/keep/set/", chosen)
	if f, _ := s.see(d); len(f.Alarms) != 1 {
		t.Errorf("what rewriting left open is closed, and told: %q", f.Alarms)
	}
	if log := s.text("/var/log/apache2/error.log"); strings.Contains(log, "AH00117") || strings.Contains(log, "AH02304") {
		t.Errorf("the list holds what Apache does not know:\n%s", log)
	}
	s.apply(nil)
	gets("let go", "/set/", chosen)
	gets("let go", "/old/add/x.txt", chosen)
}
