package jail_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/jail"
)

// shipped is where Debian puts fail2ban's configuration.
const shipped = "/etc/fail2ban"

// now is the time of all comparisons: what fail2ban's own tests take.
var now = time.Unix(1124013600, 0)

func complete() bool { return os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" }

// A fail2ban is the real one, asked line by line.
type fail2ban struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// startFail2ban runs fail2ban's own code. Without it the test is skipped.
func startFail2ban(t *testing.T) *fail2ban {
	t.Helper()
	if _, err := os.Stat(shipped + "/filter.d"); err != nil && !complete() {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/fail2ban.py")
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("fail2ban: %v", err)
		}
	})
	return &fail2ban{t, in, bufio.NewReaderSize(out, 1<<20)}
}

// ask hands over a job and reads the answer.
func (f *fail2ban) ask(job, answer any) {
	f.t.Helper()
	data, err := json.Marshal(job)
	if err == nil {
		_, err = f.in.Write(append(data, '\n'))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	line, err := f.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, answer)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// A variant is a filter with options, and lines for it.
type variant struct {
	Options map[string]any `json:"options"`
	Journal bool           `json:"journal"`
	Lines   []string       `json:"lines"`
	mode    jail.Mode
}

type job struct {
	Base     string         `json:"base"`
	Spec     string         `json:"spec"`
	Options  map[string]any `json:"options"`
	Journal  bool           `json:"journal"`
	Lines    []string       `json:"lines"`
	Mode     string         `json:"mode"`
	FindTime int            `json:"findtime"`
}

// findTime of catching up: the samples are of all years, and some count then.
const findTime = 200 * 24 * time.Hour

// ask has fail2ban read the lines of a variant.
func (v variant) ask(f *fail2ban, folder, name string) reply {
	f.t.Helper()
	mode := map[jail.Mode]string{jail.Live: "live", jail.CatchUp: "catchup", jail.Offline: "offline"}[v.mode]
	var r reply
	f.ask(job{folder, name, v.Options, v.Journal, v.Lines, mode, int(findTime.Seconds())}, &r)
	return r
}

type reply struct {
	Error string `json:"error"`
	Parts struct {
		Prefix      string   `json:"prefregex"`
		Fail        []string `json:"addfailregex"`
		Ignore      []string `json:"addignoreregex"`
		MaxLines    int      `json:"maxlines"`
		DatePattern string   `json:"datepattern"`
	} `json:"parts"`
	Answers []*answer `json:"answers"`
}

// An answer is what a filter makes of a line.
type answer struct {
	Error  string            `json:"error,omitempty"`
	Regex  int               `json:"regex"`
	ID     string            `json:"id"`
	Time   *float64          `json:"time"`
	Fields map[string]string `json:"fields"`
	Users  []string          `json:"users"`
	Lines  []string          `json:"lines"`
}

func (a *answer) String() string {
	if a == nil {
		return "no failure"
	}
	data, _ := json.Marshal(a)
	return string(data)
}

func (v variant) spec(name string) string {
	if len(v.Options) == 0 {
		return name
	}
	var options []string
	for _, key := range slices.Sorted(maps.Keys(v.Options)) {
		options = append(options, fmt.Sprintf("%s=%q", key, fmt.Sprint(v.Options[key])))
	}
	return name + "[" + strings.Join(options, ", ") + "]"
}

// zurich is where fail2ban's own tests take place.
func zurich(t *testing.T) *time.Location {
	t.Helper()
	location, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// ours has this package read the lines.
func ours(d jail.Definition, v variant) ([]*answer, error) {
	f, err := jail.NewFilter(d)
	if err != nil {
		return nil, err
	}
	f.SetMode(v.mode)
	answers := make([]*answer, len(v.Lines))
	for i, line := range v.Lines {
		match := f.Match
		if v.Journal {
			match = func(line []byte, now time.Time) (jail.Failure, bool) { return f.MatchAt(line, now, now) }
		}
		if failure, ok := match([]byte(line), now); ok {
			answers[i] = answerOf(failure)
		}
	}
	if f.GaveUp() > 0 {
		return nil, fmt.Errorf("gave up on %d lines", f.GaveUp())
	}
	return answers, nil
}

func answerOf(f jail.Failure) *answer {
	seconds := float64(f.Time.UnixMicro()) / 1e6
	users := slices.Clone(f.Users)
	slices.Sort(users)
	a := &answer{Regex: f.Regex, ID: f.Host, Time: &seconds, Fields: map[string]string{}, Users: users, Lines: f.Lines}
	for _, field := range f.Fields {
		a.Fields[field.Name] = field.Text
	}
	switch {
	case f.ID != "":
		a.ID = f.ID
	case f.Addr.IsValid() && f.Addr.IsSingleIP():
		a.ID = f.Addr.Addr().String()
	case f.Addr.IsValid():
		a.ID = f.Addr.String()
	}
	return a
}

// allowed are the differences that same overlooks, in the words of docs/bans.md.
const allowed = `<!-- allowed -->
- A line without a date, read offline: fail2ban leaves the time open, we say now.
- A line kept as evidence: fail2ban puts the last date before a line that has none, we keep the line as it is.
- Users: fail2ban lists them for connections of several lines only, we list the one user of a single line too.
<!-- /allowed -->
`

func TestAllowedDifferencesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/bans.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), allowed) {
		t.Errorf("docs/bans.md does not say exactly:\n%s", allowed)
	}
}

// same compares two answers, but for what is allowed.
func same(want, got *answer) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	at := float64(now.Unix())
	if want.Time != nil {
		at = *want.Time
	}
	return want.Error == "" && want.Regex == got.Regex && want.ID == got.ID && at == *got.Time && maps.Equal(want.Fields, got.Fields) &&
		(len(want.Users) == 0 && len(got.Users) <= 1 || slices.Equal(want.Users, got.Users)) &&
		slices.EqualFunc(want.Lines, got.Lines, strings.HasSuffix)
}

// withExamples returns a copy of what is shipped with the two filters that fail2ban's
// own tests add, one of which spans several lines.
func withExamples(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(shipped)); err != nil {
		t.Fatal(err)
	}
	const examples = "/usr/lib/python3/dist-packages/fail2ban/tests/config/filter.d"
	for _, name := range []string{"zzz-generic-example.conf", "zzz-sshd-obsolete-multiline.conf"} {
		text, err := os.ReadFile(examples + "/" + name)
		if err == nil {
			text = regexp.MustCompile(`before = .*/`).ReplaceAll(text, []byte("before = "))
			err = os.WriteFile(folder+"/filter.d/"+name, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// filters lists what is in filter.d, but those that only others include.
func filters(t *testing.T, folder string) []string {
	t.Helper()
	names, err := fs.Glob(os.DirFS(folder), "filter.d/*.conf")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		name = strings.TrimSuffix(strings.TrimPrefix(name, "filter.d/"), ".conf")
		if !strings.HasSuffix(name, "common") {
			all = append(all, name)
		}
	}
	return all
}

// TestEveryShippedFilterAnswersAsFail2banDoes has each filter that Debian ships, in
// each variant of fail2ban's own tests, read fail2ban's sample lines for it: the same
// expressions from the same files, and the same answer to each line.
func TestEveryShippedFilterAnswersAsFail2banDoes(t *testing.T) {
	f2b := startFail2ban(t)
	location := zurich(t)
	folder := withExamples(t)
	lines, matched, differ := 0, 0, 0
	var everything []string
	type made struct {
		name string
		def  jail.Definition
	}
	var all []made
	for _, name := range filters(t, folder) {
		var samples struct{ Variants []variant }
		f2b.ask(map[string]string{"samples": name}, &samples)
		if len(samples.Variants) == 0 {
			samples.Variants = []variant{{}}
		}
		for _, v := range samples.Variants {
			v.mode = jail.Offline
			want := v.ask(f2b, folder, name)
			def, err := jail.ReadFilter(os.DirFS(folder), v.spec(name))
			if err != nil || want.Error != "" {
				t.Errorf("%s: %v, fail2ban: %s", v.spec(name), err, want.Error)
				continue
			}
			def.Location, def.FindTime = location, findTime
			differ += compareParts(t, v.spec(name), want, def)
			m, d := compare(t, v.spec(name), def, v, want)
			lines, matched, differ = lines+len(v.Lines), matched+m, differ+d
			for _, mode := range []jail.Mode{jail.Live, jail.CatchUp} {
				v.mode = mode
				_, d = compare(t, fmt.Sprintf("%s, mode %d", v.spec(name), mode), def, v, v.ask(f2b, folder, name))
				differ += d
			}
			if len(v.Options) == 0 {
				all = append(all, made{name, def})
			}
			if !v.Journal {
				everything = append(everything, v.Lines...)
			}
		}
	}
	t.Logf("%d lines, %d failures, %d differences", lines, matched, differ)
	if lines < 1300 || matched < 1000 {
		t.Errorf("only %d lines and %d failures: the samples are not where they were", lines, matched)
	}
	if !complete() {
		return
	}
	lines, matched, differ = 0, 0, 0
	for _, m := range all { // each filter on the samples of all
		v := variant{Lines: everything, mode: jail.Offline}
		found, d := compare(t, m.name+" on all samples", m.def, v, v.ask(f2b, folder, m.name))
		lines, matched, differ = lines+len(everything), matched+found, differ+d
	}
	t.Logf("every filter on every line: %d lines, %d failures, %d differences", lines, matched, differ)
}

func compareParts(t *testing.T, spec string, want reply, def jail.Definition) (differ int) {
	t.Helper()
	p := want.Parts
	for _, part := range []struct{ name, want, got string }{
		{"prefregex", p.Prefix, def.Prefix},
		{"failregex", strings.Join(p.Fail, "\n"), strings.Join(def.Fail, "\n")},
		{"ignoreregex", strings.Join(p.Ignore, "\n"), strings.Join(def.Ignore, "\n")},
		{"maxlines", fmt.Sprint(p.MaxLines), fmt.Sprint(max(1, def.MaxLines))},
		{"datepattern", p.DatePattern, def.DatePattern},
	} {
		if part.want != part.got {
			differ++
			t.Errorf("%s: %s\n got %q\nwant %q", spec, part.name, part.got, part.want)
		}
	}
	return differ
}

// shown is how many differences of one filter are listed.
const shown = 5

func compare(t *testing.T, spec string, def jail.Definition, v variant, want reply) (matched, differ int) {
	t.Helper()
	answers, err := ours(def, v)
	if err != nil {
		t.Errorf("%s: %v", spec, err)
		return 0, 1
	}
	for i, got := range answers {
		if got != nil {
			matched++
		}
		if same(want.Answers[i], got) {
			continue
		}
		if differ++; differ <= shown {
			t.Errorf("%s: %q\n got %v\nwant %v", spec, v.Lines[i], got, want.Answers[i])
		}
	}
	if differ > shown {
		t.Errorf("%s: %d differences in all", spec, differ)
	}
	return matched, differ
}
