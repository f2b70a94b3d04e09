package apache_test

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hostward/internal/handlers/apache"
)

// files is a machine of text.
type files map[string]string

func (f files) ReadFile(name string) ([]byte, bool, error) {
	text, ok := f[name]
	return []byte(text), ok, nil
}

func (f files) Glob(pattern string) (out []string, err error) {
	for name := range f {
		ok, err := filepath.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

const dropIn = "/etc/apache2/conf-enabled/zz-hostward-handlers.conf"

func source() apache.Source {
	return apache.Source{Root: "/etc/apache2", Main: "/etc/apache2/apache2.conf", DropIn: dropIn,
		Modules: apache.Modules{"core_module", "mime_module", "rewrite_module", "headers_module", "alias_module"}, Defines: map[string]string{"WWW": "/var/www"}}
}

func read(t *testing.T, f files, before bool) *apache.Config {
	t.Helper()
	c, err := apache.Parse(f, source(), before)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// apply carries out what is to be written, as hands do.
func apply(t *testing.T, f files, p *apache.Policy) apache.Written {
	t.Helper()
	w := read(t, f, true).Under(p)
	for name, text := range w.Texts {
		if text == "" && name == dropIn {
			delete(f, name)
		} else {
			f[name] = text
		}
	}
	return w
}

func clone(f files) files {
	out := files{}
	for k, v := range f {
		out[k] = v
	}
	return out
}

func debian(site string) files {
	return files{
		"/etc/apache2/apache2.conf": "ServerRoot \"/etc/apache2\"\n<Directory />\n\tAllowOverride None\n</Directory>\n<Directory /var/www/>\n\tAllowOverride None\n</Directory>\n" +
			"AccessFileName .htaccess\nIncludeOptional conf-enabled/*.conf\nIncludeOptional sites-enabled/*.conf\n",
		"/etc/apache2/conf-enabled/charset.conf": "# nothing\n",
		"/etc/apache2/sites-enabled/site.conf":   site,
	}
}

var keeps = apache.Policy{Rewrite: true}

// TestWhatIsRead holds the reader against what Apache takes.
func TestWhatIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		site string
		want string // path, host, line, what it may
	}{
		"host":         {"<VirtualHost *:80>\nServerName a.example\n<Directory /var/www/a>\nAllowOverride All\n</Directory>\n</VirtualHost>\n", "/var/www/a a.example 4"},
		"case":         {"<directory '/var/www/a/'>\nallowoverride FILEINFO\n</DIRECTORY>\n", "/var/www/a  2"},
		"continued":    {"<Directory \\\n  \"/var/www/a\">\nAllowOverride \\\n  FileInfo\n</Directory>\n", "/var/www/a  3"},
		"CRLF":         {"<Directory /var/www/a>\r\nAllowOverride \\\r\n All\r\n</Directory>\r\n", "/var/www/a  2"},
		"variable":     {"Define BASE ${WWW}/b\n<Directory ${BASE}>\nAllowOverride All\n</Directory>\n", "/var/www/b  3"},
		"undefined":    {"UnDefine WWW\n<IfDefine WWW>\n<Directory /a>\nAllowOverride All\n</Directory>\n</IfDefine>\n", ""},
		"IfDefine":     {"<IfDefine !NO>\n<Directory /a>\nAllowOverride All\n</Directory>\n</IfDefine>\n", "/a  3"},
		"IfModule":     {"<IfModule mod_rewrite.c>\n<Directory /a>\nAllowOverride All\n</Directory>\n</IfModule>\n<IfModule !rewrite_module>\n<Directory /b>\nAllowOverride All\n</Directory>\n</IfModule>\n", "/a  3"},
		"comment":      {"<Directory /a>\n# AllowOverride None \\\nAllowOverride All\nAllowOverride None\n</Directory>\n", ""},
		"last":         {"<Directory /a>\nAllowOverride None\nAllowOverride All\n</Directory>\n", "/a  3"},
		"later":        {"<Directory /a>\nAllowOverride All\n</Directory>\n<Directory /a>\nAllowOverride None\n</Directory>\n", ""},
		"expression":   {"<DirectoryMatch /a>\nAllowOverride All\n</DirectoryMatch>\n<Directory ~ /a>\nAllowOverride All\n</Directory>\n", ""},
		"auth":         {"<Directory /a>\nAllowOverride AuthConfig Limit Indexes Options=Indexes\n</Directory>\n", ""},
		"options":      {"<Directory /a>\nAllowOverride Options=Indexes,ExecCGI\n</Directory>\n", "/a  2"},
		"list":         {"<Directory /a>\nAllowOverrideList Redirect AddHandler\n</Directory>\n", "/a  2"},
		"list without": {"<Directory /a>\nAllowOverride None\nAllowOverrideList Redirect RewriteRule\n</Directory>\n", ""},
		"wild":         {"<Directory /home/*/public_html>\nAllowOverride FileInfo\n</Directory>\n", "/home/*/public_html  2"},
		"within":       {"<Directory /a>\n<Files x>\nAllowOverride All\n</Files>\n</Directory>\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, g := range read(t, debian(c.site), false).Grants(keeps) {
				if g.File != "/etc/apache2/sites-enabled/site.conf" {
					t.Errorf("it is said to be in %s", g.File)
				}
				got = append(got, g.Path+" "+g.Host+" "+string(rune('0'+g.Line)))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestThePolicyHolds applies it and wants nobody to choose handlers, nobody to get
// what he had not, the same after a second time, and all of it back in the end.
func TestThePolicyHolds(t *testing.T) {
	for name, site := range map[string]string{
		"host":             "<VirtualHost *:80>\r\nServerName a\r\nDocumentRoot /var/www/a\r\n\t<Directory /var/www/a>\r\n\t\tAllowOverride \\\r\n  All\r\n\t</Directory>\r\n\t<Directory /var/www/a/private>\n\t\tallowoverride   None\n\t</Directory>\n</VirtualHost>",
		"main, late":       "<Directory /var/www/a>\nAllowOverride FileInfo\n</Directory>\n<Directory /var/www/a/b>\nAllowOverride AuthConfig\n</Directory>\n<Directory /var/www/a/c>\nAllowOverride None\n</Directory>\n",
		"list":             "<Directory /var/www/a>\nAllowOverride None\nAllowOverrideList AddHandler Redirect\n</Directory>\n<Directory /var/www/a/b>\nAllowOverride FileInfo\n</Directory>\n",
		"both lines":       "<Directory /var/www/a>\nAllowOverrideList AddHandler Redirect\nAllowOverride Options FileInfo Nonfatal=Unknown\n</Directory>\n",
		"inherited":        "<Directory /var/www>\nAllowOverride All\n</Directory>\n<Directory /var/www/a>\nAllowOverrideList Require\n</Directory>\n",
		"host over main":   "<Directory /var/www>\nAllowOverride None\n</Directory>\n<VirtualHost *>\n<Directory /var/www>\nAllowOverride All\n</Directory>\n</VirtualHost>\n<Directory /var/www/deep/er>\nAllowOverride None\n</Directory>\n",
		"several sections": "<Directory /var/www/a>\nAllowOverride All\n</Directory>\n<VirtualHost *>\n<Directory /var/www/a>\nAllowOverride Options=All\n</Directory>\n</VirtualHost>\n",
	} {
		t.Run(name, func(t *testing.T) {
			for where, f := range map[string]files{"sites": debian(site), "before the drop-in": early(site)} {
				was, before := clone(f), read(t, f, true)
				w := apply(t, f, &keeps)
				if len(w.Blind) > 0 {
					t.Errorf("%s: not reached: %q", where, w.Blind)
				}
				after := read(t, f, false)
				if g := after.Grants(keeps); g != nil {
					t.Errorf("%s: %v is still allowed in\n%v", where, g, f)
				}
				compare(t, where, before, after)
				now := clone(f)
				if apply(t, f, &keeps); !same(f, now) {
					t.Errorf("%s: the second time changes\n%v\nto\n%v", where, now, f)
				}
				if apply(t, f, nil); !same(f, was) {
					t.Errorf("%s: it did not come back: %q\nwas %q", where, f, was)
				}
			}
		})
	}
}

func early(site string) files {
	f := debian("")
	f["/etc/apache2/conf-enabled/local.conf"] = site
	return f
}

func same(a, b files) bool {
	return len(a) == len(b) && !slices.ContainsFunc(keysOf(a), func(k string) bool { return a[k] != b[k] })
}

func keysOf(f files) (out []string) {
	for k := range f {
		out = append(out, k)
	}
	return out
}

// compare holds every folder of every host against what the policy makes of it.
func compare(t *testing.T, where string, before, after *apache.Config) {
	t.Helper()
	for host := range before.Hosts {
		for _, dir := range []string{"/", "/var", "/var/www", "/var/www/a", "/var/www/a/b", "/var/www/a/b/c", "/var/www/a/c", "/var/www/a/private", "/var/www/deep/er/x", "/srv"} {
			had, _ := before.At(dir, host)
			has, _ := after.At(dir, host)
			if want := had.Under(keeps, source().Modules).String(); has.String() != want && !(had.Loose(keeps) == nil && has.String() == had.String()) {
				t.Errorf("%s: in %s of host %d it is\n%s\nwant\n%s", where, dir, host, has, want)
			}
		}
	}
}

// TestExceptions keep what they had, above and below others.
func TestExceptions(t *testing.T) {
	site := "<VirtualHost *>\nDocumentRoot /var/www/a\n<Directory /var/www>\nAllowOverride All\n</Directory>\n<Directory /var/www/own>\nAllowOverride FileInfo\n</Directory>\n</VirtualHost>\n"
	p := apache.Policy{Rewrite: true, Exceptions: []string{"/var/www/old", "/var/www/own"}}
	f := debian(site)
	if w := apply(t, f, &p); w.Blind != nil {
		t.Fatal(w.Blind)
	}
	c := read(t, f, false)
	for dir, loose := range map[string]bool{"/var/www": false, "/var/www/new": false, "/var/www/old": true, "/var/www/old/deep": true, "/var/www/own": true, "/var/www/older": false} {
		if got, _ := c.At(dir, 1); (got.Loose(p) != nil) != loose {
			t.Errorf("%s: %v", dir, got)
		}
	}
	for _, g := range c.Grants(p) {
		if !g.Except {
			t.Errorf("%v is no exception", g)
		}
	}
}

// TestAnEditByHandIsKept edits what was replaced, and around it.
func TestAnEditByHandIsKept(t *testing.T) {
	const host = "<VirtualHost *>\nServerName a\n<Directory /var/www/a>\nAllowOverride All\n</Directory>\n</VirtualHost>\n"
	name := "/etc/apache2/sites-enabled/site.conf"
	f := debian(host)
	apply(t, f, &keeps)
	f[name] = strings.Replace(f[name], "ServerName a\n", "ServerName a\n# by hand\nServerAlias b\n", 1)
	now := f[name]
	if apply(t, f, &keeps); f[name] != now {
		t.Errorf("an edit elsewhere changed\n%s\nto\n%s", now, f[name])
	}
	lines := strings.SplitAfter(f[name], "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "AllowOverride ") })
	lines[i], lines[i+1] = "AllowOverride FileInfo Limit\n", ""
	f[name] = strings.Join(lines, "")
	if g := read(t, f, false).Grants(keeps); len(g) != 1 {
		t.Fatalf("the edit is not found: %v", g)
	}
	apply(t, f, &keeps)
	if g := read(t, f, false).Grants(keeps); g != nil {
		t.Errorf("it was not mended: %v", g)
	}
	if apply(t, f, nil); f[name] != strings.Replace(strings.Replace(host, "ServerName a\n", "ServerName a\n# by hand\nServerAlias b\n", 1), "All\n", "FileInfo Limit\n", 1) {
		t.Errorf("the edit did not come back:\n%s", f[name])
	}
}

// TestWhatIsNotFollowedIsSaid wants a word about each thing that is not read.
func TestWhatIsNotFollowedIsSaid(t *testing.T) {
	for name, site := range map[string]string{
		"macro": "<Macro M>\n<Directory /a>\nAllowOverride All\n</Directory>\n</Macro>\nUse M\n", "perl": "<Perl>\n$x = 1;\n</Perl>\n",
		"open": "<Directory /a>\nAllowOverride All\n", "path": "<Directory ${NOBODY}/a>\nAllowOverride All\n</Directory>\n",
	} {
		if c := read(t, debian(site), false); len(c.Blind) == 0 {
			t.Errorf("%s: nothing is said", name)
		}
	}
	f := debian("Include sites-enabled/site.conf\n")
	if _, err := apache.Parse(f, source(), false); err == nil {
		t.Error("a file that includes itself is read for ever")
	}
	delete(f, "/etc/apache2/apache2.conf")
	if _, err := apache.Parse(f, source(), false); err == nil || !strings.Contains(err.Error(), "/etc/apache2/apache2.conf") {
		t.Errorf("without a first file: %v", err)
	}
}

// TestSites finds what would break, with its line.
func TestSites(t *testing.T) {
	c := read(t, debian("<VirtualHost *>\nServerName a.example\nDocumentRoot /var/www/a\n<Directory /var/www/a>\nAllowOverride All\n</Directory>\n<Directory /var/www/a/auth>\nAllowOverride AuthConfig\n</Directory>\n</VirtualHost>\n"), true)
	text := "RewriteEngine On\n# SetHandler x\nsethandler \\\n server-status\n<IfModule mod_nothing.c>\nAddHandler a .b\n</IfModule>\n<FilesMatch x>\nAddType a/b .c\n</FilesMatch>\nOptions +ExecCGI -Indexes\nOptions +Indexes\n" +
		"RewriteRule ^ - [L,H=cgi-script]\nRewriteRule ^x y [L]\nRewriteRule ^ http://b/ [P]\nErrorDocument 404 /x\nFancyThing on\nphp_flag engine off\nRequire all granted\n"
	uses := c.Site("/var/www/a/x/.htaccess", text)
	lines := func(which func(apache.Use) bool) (out []int) {
		for _, u := range uses {
			if u.Site != "a.example" || u.File != "/var/www/a/x/.htaccess" || u.Kind == "" {
				t.Errorf("%+v", u)
			}
			if which(u) {
				out = append(out, u.Line)
			}
		}
		return out
	}
	if got := lines(keeps.Breaks); !slices.Equal(got, []int{3, 9, 11, 17}) {
		t.Errorf("lines %v break: %+v", got, uses)
	}
	if got := lines(keeps.Leaves); !slices.Equal(got, []int{13, 15, 18}) {
		t.Errorf("lines %v remain: %+v", got, uses)
	}
	strict := apache.Policy{}
	if got := lines(strict.Breaks); !slices.Equal(got, []int{3, 9, 11, 13, 14, 15, 17}) {
		t.Errorf("without rewriting, lines %v break: %+v", got, uses)
	}
	except := apache.Policy{Exceptions: []string{"/var/www/a"}}
	if got := append(lines(except.Breaks), lines(except.Leaves)...); got != nil {
		t.Errorf("in an exception, lines %v are told", got)
	}
	for _, file := range []string{"/var/www/a/auth/.htaccess", "/srv/.htaccess"} {
		if uses := c.Site(file, text); uses != nil {
			t.Errorf("%s: %+v", path.Dir(file), uses)
		}
	}
}

// TestTypes tells plain types from those that are handlers; both go.
func TestTypes(t *testing.T) {
	c := read(t, debian("<Directory /a>\nAllowOverride FileInfo\n</Directory>\n"), true)
	for line, kind := range map[string]string{
		"AddType image/webp .webp": apache.Type, "AddType font/woff2 woff2": apache.Type, "ForceType 'application/json'": apache.Type, "ForceType None": apache.Handler,
		"AddType application/x-httpd-php .jpg": apache.Handler, "addtype Application/X-HTTPD-CGI .x": apache.Handler, "ForceType server-status": apache.Handler,
		"AddType text/x-server-parsed-html .html": apache.Handler, "RemoveType .php": apache.Handler, "AddType": apache.Handler,
	} {
		if uses := c.Site("/a/.htaccess", line+"\n"); len(uses) != 1 || uses[0].Kind != kind || !keeps.Breaks(uses[0]) {
			t.Errorf("%s: %+v, want %s", line, uses, kind)
		}
	}
}

// TestPatternsHideNothing has sections whose patterns match each other's text, not
// each other's folders.
func TestPatternsHideNothing(t *testing.T) {
	for name, site := range map[string]string{
		"later pattern": "<Directory /srv/*>\nAllowOverride All\n</Directory>\n<Directory /srv/?>\nAllowOverride None\n</Directory>\n",
		"list on top":   "<Directory /srv/ab>\nAllowOverride All\n</Directory>\n<Directory /srv/*>\nAllowOverrideList Require\n</Directory>\n",
		"class on top":  "<Directory /srv/ab>\nAllowOverrideList AddHandler\n</Directory>\n<Directory /srv/*>\nAllowOverride AuthConfig\n</Directory>\n",
	} {
		f := debian("<VirtualHost *>\n" + site + "</VirtualHost>\n")
		if read(t, f, false).Grants(keeps) == nil {
			t.Errorf("%s: nothing is seen", name)
		}
		w := apply(t, f, &keeps)
		got, _ := read(t, f, false).At("/srv/ab", 1)
		if g := read(t, f, false).Grants(keeps); got.Loose(keeps) != nil || g != nil {
			t.Errorf("%s: it is still allowed: %s; %v", name, got, g)
		}
		if strings.Contains(site, "List") != (w.Blind != nil) {
			t.Errorf("%s: it is said: %q", name, w.Blind)
		}
	}
}

// FuzzComesBack wants no text to stop the reader, and every text back.
func FuzzComesBack(f *testing.F) {
	f.Add("<VirtualHost *>\n<Directory /a>\nAllowOverride \\\n All\n</Directory>\n</VirtualHost>")
	f.Add("<Directory /a>\r\nAllowOverrideList AddHandler\r\n</Directory>\r\nInclude x\n")
	f.Fuzz(func(t *testing.T, site string) {
		m := debian(site)
		was := clone(m)
		c, err := apache.Parse(m, source(), true)
		if err != nil || strings.Contains(site, "# Hostward ") {
			return
		}
		for name, text := range c.Under(&keeps).Texts {
			m[name] = text
		}
		if len(c.Blind) == 0 && len(c.Under(&keeps).Blind) == 0 {
			after, err := apache.Parse(m, source(), false)
			if err != nil {
				t.Fatal(err)
			}
			if g := after.Grants(keeps); g != nil {
				t.Errorf("%q\nbecame\n%q\nand allows %v", site, m, g)
			}
		}
		c, err = apache.Parse(m, source(), true)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range c.Under(nil).Texts {
			m[name] = text
		}
		delete(m, dropIn)
		if !same(m, was) {
			t.Errorf("%q came back as %q", was, m)
		}
	})
}
