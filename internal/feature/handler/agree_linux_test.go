package handler_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"hostward/internal/feature/handler"
	"hostward/internal/handlers/apache"
	"hostward/internal/host/hands"
)

// TestOurReadingAgreesWithApache lets Apache judge configurations that nobody wrote:
// sections of the main server and of many hosts, with patterns, lists and conditions,
// before and while the policy holds. What .htaccess may do in each folder of each host
// must be what we say it is.
func TestOurReadingAgreesWithApache(t *testing.T) {
	if !alone(t) {
		return
	}
	const hosts = 40
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	patterns, lists := r.IntN(2) > 0, r.IntN(2) > 0
	s := site(t)
	folders := []string{"/srv", "/srv/x", "/srv/x/y", "/srv/x/y/z"}
	s.put("/srv/x/y/z/page.html", "a page")
	s.put("/etc/apache2/conf-enabled/random.conf", sections(r, 3, patterns, lists))
	s.put("/etc/apache2/sites-enabled/zzz-random.conf", sections(r, 2, patterns, lists))
	for i := range hosts {
		s.put(fmt.Sprintf("/etc/apache2/sites-enabled/h%d.conf", i), fmt.Sprintf("<VirtualHost *:80>\nServerName h%d.example\nDocumentRoot /srv/x\n%s</VirtualHost>\n", i, sections(r, 4, patterns, lists)))
	}
	s.run("apache2ctl", "graceful")
	judge := func(when string) {
		t.Helper()
		c := s.parse()
		for _, line := range []string{"Header set X-Site %s\n", "SetHandler server-status\n# %s\n", "AuthName %s\n"} {
			for _, dir := range folders {
				s.put(dir+"/.htaccess", fmt.Sprintf(line, dir))
			}
			directive, _, _ := strings.Cut(line, " ")
			for i := range c.Hosts {
				if strings.HasPrefix(c.Hosts[i].Name, "h") {
					s.judge(when, c, i, directive, folders)
				}
			}
		}
	}
	s.until("Apache knows its hosts", func() bool {
		a, _, err := get("h39.example", "/y/z/none")
		return err == nil && a.status != 0 && s.loaded()
	})
	judge("before")
	if len(s.met) < 5 {
		t.Errorf("too little was met to learn from it: %v", s.met)
	}
	p := apache.Policy{Rewrite: true}
	before := s.parse()
	s.apply(&handler.Desired{Apache: true, Rewrite: true})
	judge("in force")
	f, _ := s.see(&handler.Desired{Apache: true, Rewrite: true})
	if len(f.Alarms) > 0 && !lists {
		t.Errorf("without lists nothing is unsure, and it is said: %q", f.Alarms)
	}
	after := s.parse()
	t.Logf("patterns %v, lists %v, %d alarms; met: %v", patterns, lists, len(f.Alarms), s.met)
	if g := after.Grants(p); g != nil {
		t.Errorf("it is still allowed: %+v", g)
	}
	modules := s.modules()
	for host := range before.Hosts {
		for _, dir := range append(folders, "/srv/q/y", "/srv/x/q/z", "/srv/y/x", "/var/www") {
			had, _ := before.At(dir, host)
			has, _ := after.At(dir, host)
			if want := had.Under(p, modules); has.String() != want.String() && len(f.Alarms) == 0 {
				t.Errorf("in %s of %q it was\n%s\nand is\n%s\nwant\n%s", dir, before.Hosts[host].Name, had, has, want)
			}
		}
	}
}

// sections writes some at random, with patterns, lists, or both.
func sections(r *rand.Rand, most int, patterns, lists bool) string {
	paths := []string{"/srv", "/srv/", "/srv/x", `"/srv/x/y"`, "/srv/x/y/z"}
	if patterns {
		paths = append(paths, "/srv/*/y", "/srv/[xy]/*", "/srv/x/?/z", "/srv/?")
	}
	words := []string{"AllowOverride None", "AllowOverride All", "AllowOverride FileInfo", "AllowOverride AuthConfig", "allowoverride Options=Indexes FileInfo Indexes", "AllowOverride All\nAllowOverride Limit"}
	if lists {
		words = append(words, "AllowOverrideList Header SetHandler", "AllowOverrideList None", "AllowOverride None\nAllowOverrideList AuthName", "AllowOverride \\\n FileInfo\nAllowOverrideList AuthName")
	}
	var b strings.Builder
	for range 1 + r.IntN(most) {
		text := fmt.Sprintf("<Directory %s>\n%s\n</Directory>\n", paths[r.IntN(len(paths))], words[r.IntN(len(words))])
		around := []string{text, text, text, "<IfModule mod_mime.c>\n" + text + "</IfModule>\n", "<IfModule !mime_module>\n" + text + "</IfModule>\n"}
		b.WriteString(around[r.IntN(len(around))])
	}
	return b.String()
}

func (s *server) loaded() bool { _, o := s.see(nil); return o.Loaded }

func (s *server) modules() (modules apache.Modules) {
	s.Helper()
	out, err := exec.Command("apache2ctl", "-M").Output()
	if err != nil {
		s.Fatal(err)
	}
	for _, f := range strings.Fields(string(out)) {
		if strings.HasSuffix(f, "_module") {
			modules = append(modules, f)
		}
	}
	return modules
}

// parse reads the configuration as it is.
func (s *server) parse() *apache.Config {
	s.Helper()
	c, err := apache.Parse(hands.Machine{}, apache.Source{Root: "/etc/apache2", Main: "/etc/apache2/apache2.conf", Modules: s.modules(), DropIn: "/etc/apache2/conf-enabled/zz-hostward-handlers.conf"}, false)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// judge asks for a page below folders that all have a .htaccess with one directive.
func (s *server) judge(when string, c *apache.Config, host int, directive string, folders []string) {
	s.Helper()
	class := "FileInfo"
	if directive == "AuthName" {
		class = "AuthConfig"
	}
	want := answer{status: 200, body: "a page"}
	chosen := false
	for _, dir := range folders {
		may, _ := c.At(dir, host)
		switch {
		case len(may.Classes) == 0 && len(may.List) == 0: // it is not read
		case slices.Contains(may.Classes, class) || slices.Contains(may.List, directive):
			if directive == "Header" {
				want.site = dir
			}
			chosen = chosen || directive == "SetHandler"
		default:
			want.status = 500
		}
		if want.status == 500 {
			break
		}
	}
	got, status, err := get(c.Hosts[host].Name, "/y/z/page.html")
	s.met[fmt.Sprintf("%s %d %v %v", directive, got.status, status, got.site != "")]++
	switch {
	case err != nil || got.status != want.status, want.status == 200 && (status != chosen || got.site != want.site || !chosen && got.body != want.body):
		s.Errorf("%s: %s of %s: %d, %q, handler chosen: %v, %v; we say %d, %q, %v", when, directive, c.Hosts[host].Name, got.status, got.site, status, err, want.status, want.site, chosen)
	case when == "in force" && status:
		s.Errorf("%s of %s chooses a handler", directive, c.Hosts[host].Name)
	}
}
