package jail_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hostward/internal/jail"
)

// everythingOn turns all jails on and says some things that refer to others.
const everythingOn = `
[DEFAULT]
enabled = true
ignoreip = 127.0.0.1/8 ::1, 192.0.2.0/24
           example.org
bantime  = 1d 2h
findtime = 15m
bantime.increment = true
bantime.multipliers = 1 5 30 60
port.extra = 2222

[sshd]
port = ssh,%(port.extra)s
mode = aggressive
failregex = %(known/failregex)s
            ^more from <HOST>$
maxretry = 3

[own]
filter   = sshd[mode=ddos, publickey="any"]
logpath  = %(sshd_log)s
           /var/log/other.log tail
bantime  = -1
backend  = systemd
journalmatch = _SYSTEMD_UNIT=own.service + "_COMM=own daemon"
datepattern = %(known/datepattern)s
usedns   = no
`

func withEverythingOn(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	err := os.CopyFS(folder, os.DirFS(shipped))
	if err == nil {
		err = os.WriteFile(folder+"/jail.local", []byte(everythingOn), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestEveryJailIsReadAsFail2banDoes reads jail.conf as Debian ships it, with all
// jails on.
func TestEveryJailIsReadAsFail2banDoes(t *testing.T) {
	f2b := startFail2ban(t)
	folder := withEverythingOn(t)
	var want struct {
		Jails map[string]map[string]any `json:"jails"`
	}
	f2b.ask(map[string]string{"jails": folder}, &want)
	got, err := jail.Load(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{}
	for _, f := range got.Faults {
		faults[f.Jail] = f.String()
	}
	read := map[string]bool{}
	for _, j := range got.Jails {
		if !j.Enabled {
			t.Errorf("%s is off", j.Name)
		}
		read[j.Name] = true
		compareJail(t, want.Jails[j.Name], j)
	}
	for name, w := range want.Jails {
		if w["error"] != nil && faults[name] == "" {
			t.Errorf("%s: no fault, fail2ban says %v", name, w["error"])
		}
		if w["error"] == nil && !read[name] {
			t.Errorf("%s was not read: %s", name, faults[name])
		}
	}
	if len(read) < 80 {
		t.Errorf("only %d jails were read", len(read))
	}
}

func compareJail(t *testing.T, want map[string]any, j jail.Jail) {
	t.Helper()
	if want == nil || want["error"] != nil {
		t.Errorf("%s: fail2ban refuses it: %v", j.Name, want["error"])
		return
	}
	d := j.Filter.Definition()
	var matches []string
	for _, m := range j.JournalMatch {
		matches = append(matches, strings.Join(m, " "))
	}
	var paths []string
	for _, p := range j.LogPath {
		paths = append(paths, p.Glob+map[bool]string{true: " tail"}[p.Tail])
	}
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.0f", d.Seconds()) }
	for name, got := range map[string]any{
		"prefregex": d.Prefix, "addfailregex": d.Fail, "addignoreregex": d.Ignore,
		"maxlines": fmt.Sprint(max(1, d.MaxLines)), "datepattern": d.DatePattern, "usedns": j.UseDNS,
		"addjournalmatch": matches, "addignoreip": j.Ignore,
		"maxretry": fmt.Sprint(j.MaxRetry), "findtime": seconds(j.FindTime), "bantime": seconds(j.BanTime),
		"backend": j.Backend, "logpath": strings.Join(paths, "\n"), "actions": j.Actions,
		"bantime.increment": map[bool]string{true: "True", false: "False"}[j.Increment.On],
	} {
		w, ok := want[name]
		if !ok {
			w = map[string]string{"maxlines": "1"}[name]
		}
		if text := fmt.Sprint(w); text != fmt.Sprint(got) && !(text == "<nil>" && fmt.Sprint(got) == "") {
			t.Errorf("%s: %s\n got %v\nwant %v", j.Name, name, got, w)
		}
	}
}

func TestLengthsOfTimeAreReadAsFail2banDoes(t *testing.T) {
	f2b := startFail2ban(t)
	texts := []string{
		"600", "10m", "1h", "1d 12h", "1d12h", "1year-6mo", "6 months", "2weeks", "1h*2", "-1", "0", "1.5h", "3 days 2 hours", "1hour+30min",
		"10 minutes", "5sec", "2w", "1mo", "1yy", "(1h+30m)*2", "3600/2", "1H 2M", "90 sec", "10 dd", "1 wee",
	}
	var want struct {
		Spans []*float64 `json:"spans"`
	}
	f2b.ask(map[string]any{"spans": texts}, &want)
	for i, text := range texts {
		got, err := jail.Span(text)
		if w := want.Spans[i]; w == nil || err != nil || got != time.Duration(*w*float64(time.Second)) {
			t.Errorf("%q: %v %v, want %v", text, got, err, w)
		}
	}
	for _, text := range []string{"", "soon", "1x", "1/0", "(1", strings.Repeat("(", 1000), "1d)", "10m; rm"} {
		if got, err := jail.Span(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// files makes a folder of files; a jail and two filters that are right are there.
func files(more map[string]string) fstest.MapFS {
	all := map[string]string{
		"jail.conf":          "[DEFAULT]\nfilter = %(__name__)s\n[good]\nenabled = true\nlogpath = /var/log/good\n",
		"filter.d/good.conf": "[Definition]\nfailregex = ^bad <HOST>$\n",
		"filter.d/bad.conf":  "[Definition]\nfailregex = <HOST>\n",
	}
	maps.Copy(all, more)
	fsys := fstest.MapFS{}
	for name, text := range all {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// TestWhatIsBrokenIsAFaultAndTakesNothingElseWithIt has one thing broken at a time.
func TestWhatIsBrokenIsAFaultAndTakesNothingElseWithIt(t *testing.T) {
	bad := "\n[bad]\nenabled = true\n"
	conf := "[DEFAULT]\nfilter = %(__name__)s\n[good]\nenabled = true\nlogpath = /var/log/good\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no such filter":            {map[string]string{"jail.conf": conf + bad + "filter = nowhere"}, "jail bad: filter nowhere: there is no filter.d/nowhere.conf"},
		"a filter elsewhere":        {map[string]string{"jail.conf": conf + bad + "filter = ../../etc/passwd"}, "accepted is the name of a file below filter.d"},
		"options without a bracket": {map[string]string{"jail.conf": conf + bad + "filter = good[mode=x"}, "options stand in brackets"},
		"no host in an expression":  {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\nfailregex = ^x$\n"}, "failregex 1: \"^x$\" says nowhere who it was"},
		"a broken expression":       {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\nfailregex = ^(<HOST>\n"}, "failregex 1: reading"},
		"a broken prefix":           {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\nprefregex = *\nfailregex = <HOST>\n"}, "prefregex: reading"},
		"a broken ignoreregex":      {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\nignoreregex = [\nfailregex = <HOST>\n"}, "ignoreregex 1: reading"},
		"a broken date pattern":     {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\ndatepattern = %%Q\nfailregex = <HOST>\n"}, "%Q is no part of a date"},
		"too many lines":            {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\nmaxlines = 100000\nfailregex = <HOST>\n"}, "maxlines = \"100000\": accepted is a whole number from 1 to 1000"},
		"values in a circle":        {map[string]string{"jail.conf": conf + bad + "bantime = %(a)s\na = %(b)s\nb = %(a)s"}, "they may refer to themselves"},
		"values without end":        {map[string]string{"jail.conf": conf + bad + "bantime = " + strings.Repeat("%(a)s", 50) + "\na = " + strings.Repeat("%(b)s", 50) + "\nb = " + strings.Repeat("%(c)s", 50) + "\nc = %(d)s\nd ="}, "the value refers to more than"},
		"nothing referred to":       {map[string]string{"jail.conf": conf + bad + "bantime = %(nothing)s"}, "%(nothing)s refers to nothing"},
		"half a reference":          {map[string]string{"jail.conf": conf + bad + "bantime = 100%"}, "after % must come another % or (name)s"},
		"tags in a circle":          {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "[Definition]\nfailregex = <a> <HOST>\na = <b>\nb = <a>\n"}, "leads back to itself"},
		"a time that is none":       {map[string]string{"jail.conf": conf + bad + "bantime = soon", "filter.d/bad.conf": "[Definition]\nfailregex = <HOST>\n"}, "bantime = \"soon\": accepted is a time"},
		"a number that is none":     {map[string]string{"jail.conf": conf + bad + "maxretry = many", "filter.d/bad.conf": "[Definition]\nfailregex = <HOST>\n"}, "maxretry = \"many\": accepted is a whole number"},
		"an encoding nobody has":    {map[string]string{"jail.conf": conf + bad + "logencoding = utf-16", "filter.d/bad.conf": "[Definition]\nfailregex = <HOST>\n"}, "accepted is auto, utf-8, ascii or iso-8859-1"},
		"a zone nobody has":         {map[string]string{"jail.conf": conf + bad + "logtimezone = Mars", "filter.d/bad.conf": "[Definition]\nfailregex = <HOST>\n"}, "logtimezone = \"Mars\": accepted is an offset"},
		"a file that is no text":    {map[string]string{"jail.local": "\xff\xfe\x00junk"}, "jail.local: the file is not valid UTF-8"},
		"a file that is no config":  {map[string]string{"jail.d/x.conf": "[good]\nthis is nothing\n"}, "jail.d/x.conf: line 2: \"this is nothing\" is no section"},
		"an option twice":           {map[string]string{"jail.local": "[good]\nport = 1\nport = 2\n"}, "jail.local: line 3: option \"port\" is there twice"},
		"a section twice":           {map[string]string{"jail.local": "[good]\n[good]\n"}, "section [good] is there twice"},
		"no section":                {map[string]string{"jail.local": "port = 1\n"}, "stands before the first [section]"},
		"a filter that is no text":  {map[string]string{"jail.conf": conf + bad, "filter.d/bad.conf": "\x00\xff"}, "jail bad: filter.d/bad.conf: the file is not valid UTF-8"},
		"an include outside":        {map[string]string{"jail.conf": "[INCLUDES]\nbefore = /etc/shadow\n" + conf}, "only files below /etc/fail2ban/ are read"},
		"an include above":          {map[string]string{"jail.conf": "[INCLUDES]\nafter = ../../shadow\n" + conf}, "only files below /etc/fail2ban/ are read"},
	} {
		t.Run(name, func(t *testing.T) {
			c2, err := jail.Load(files(c.files))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(c2.Jails, func(j jail.Jail) bool { return j.Name == "good" && j.Enabled && j.Filter != nil }) {
				t.Errorf("the good jail is not there: %v", c2.Faults)
			}
			if slices.ContainsFunc(c2.Jails, func(j jail.Jail) bool { return j.Name == "bad" }) {
				t.Error("the bad jail is there")
			}
			if len(c2.Faults) != 1 || !strings.Contains(c2.Faults[0].String(), c.want) {
				t.Errorf("faults: %v, want %q", c2.Faults, c.want)
			}
		})
	}
}

func TestIncludesThatGoRoundAreReadOnce(t *testing.T) {
	c, err := jail.Load(files(map[string]string{
		"jail.conf": "[INCLUDES]\nbefore = a.conf\n[DEFAULT]\nfilter = good\n[good]\nenabled = true\n",
		"a.conf":    "[INCLUDES]\nafter = b.conf\n[DEFAULT]\nbantime = 1\n",
		"b.conf":    "[INCLUDES]\nbefore = a.conf\n         jail.conf\n[DEFAULT]\nbantime = 2\n",
	}))
	if err != nil || len(c.Faults) > 0 || len(c.Jails) != 1 || c.Jails[0].BanTime != 2*time.Second {
		t.Errorf("%+v %v", c, err)
	}
}

func TestIncludesThatMultiplyAreStopped(t *testing.T) {
	all := map[string]string{"jail.conf": "[INCLUDES]\nbefore = a0.conf\n         b0.conf\n[good]\nenabled = true\nfilter = good\n"}
	for i := range 30 { // 2^30 ways
		text := fmt.Sprintf("[INCLUDES]\nbefore = a%d.conf\n         b%d.conf\n", i+1, i+1)
		all[fmt.Sprintf("a%d.conf", i)], all[fmt.Sprintf("b%d.conf", i)] = text, text
	}
	c, err := jail.Load(files(all))
	if err != nil || len(c.Jails) != 1 || len(c.Faults) != 1 || !strings.Contains(c.Faults[0].Text, "perhaps they include each other") {
		t.Errorf("%+v %v", c, err)
	}
}

func TestAFolderWithoutJailsIsRefused(t *testing.T) {
	if _, err := jail.Load(fstest.MapFS{}); err == nil || err.Error() != "neither jail.conf nor jail.local is there" {
		t.Error(err)
	}
}

// TestAJailThatIsOffNeedsNoFilter: what is off is listed, and broken or not it is no
// fault.
func TestAJailThatIsOffNeedsNoFilter(t *testing.T) {
	c, err := jail.Load(files(map[string]string{"jail.local": "[off]\nfilter = nowhere\nmaxretry = 7\n[worse]\nbantime = %(x)s\n"}))
	if err != nil || len(c.Faults) > 0 || len(c.Jails) != 3 {
		t.Fatalf("%+v %v", c, err)
	}
	if j := c.Jails[1]; j.Name != "off" || j.Enabled || j.MaxRetry != 7 || j.FilterName != "nowhere" {
		t.Errorf("%+v", j)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("[DEFAULT]\nfilter = %(__name__)s\n[a]\nenabled = true\n", "[Definition]\nfailregex = <x> <HOST>\nx = <y>\ny = %(z)s\nz = 1\n")
	f.Add("[INCLUDES]\nbefore = jail.conf\n[a?b]\nc : d ; e\n  f\n\n g\n", "[Init]\nmaxlines = 2\n[Definition]\nprefregex = ^<F-CONTENT>.+</F-CONTENT>$\n")
	f.Add("[a]\nenabled = 1\nfilter = a[x='1'][y=\"2\"]\naction = b[c=d, e='f g']\nlogpath = /x tail\n", "[Definition]\ndatepattern = {^LN-BEG}%%Y\nfailregex = <F-ID>\\S+</F-ID>\n")
	f.Add("[a]\nenabled = 1\nbantime = 1d 2h\nfindtime = (1+2)*3m\n", "\xff\x00")
	f.Fuzz(func(t *testing.T, conf, filter string) {
		c, err := jail.Load(fstest.MapFS{"jail.conf": {Data: []byte(conf)}, "filter.d/a.conf": {Data: []byte(filter)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range c.Jails {
			if j.Filter != nil {
				j.Filter.Match([]byte("Jan  2 03:04:05 a b[1]: c from 192.0.2.1"), now)
			}
		}
	})
}
