//go:build linux

package house_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/modfile"

	"hostward/internal/core/coretest"
	"hostward/internal/ini"
)

// top is the project's folder as seen from this one.
const top = "../.."

// pages are the documents that are held against the program.
var pages = []string{"README.md", "docs/design.md", "docs/operate.md", "docs/doors.md", "docs/dns.md", "docs/zones.md", "docs/bans.md", "docs/clock.md", "docs/controls.md", "docs/firewall.md", "docs/handlers.md", "docs/asvs.md", "docs/operations.md", "docs/dependencies.md"}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSessionsInTheDocumentsRun types every block marked "console" and
// compares what comes back.
func TestSessionsInTheDocumentsRun(t *testing.T) {
	for _, page := range []string{"README.md", "docs/operate.md"} {
		t.Run(page, func(t *testing.T) {
			s := newShell(t)
			if page != "README.md" { // which starts the server itself
				s.do("systemctl start hostward")
			}
			steps := 0
			for _, b := range blocks(read(t, page), "console") {
				for _, step := range b.steps() {
					needs(t, step.command)
					got := s.do(step.command)
					if !matches(step.want, got) {
						t.Errorf("%s:%d: $ %s\nthe page says\n%s\nbut it answers\n%s", page, step.line, step.command, indent(step.want), indent(got))
					}
					steps++
				}
			}
			if steps < 6 {
				t.Fatalf("only %d commands found in %s: the test looks at the wrong thing", steps, page)
			}
		})
	}
}

// needs skips where a program of the session is missing, unless everything is
// to be tested.
func needs(t *testing.T, command string) {
	t.Helper()
	for _, program := range []string{"dig", "sqlite3", "python3", "tar"} {
		if _, err := exec.LookPath(program); err != nil && strings.Contains(command, program) {
			if os.Getenv("HOSTWARD_TEST_FULL") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

func indent(lines []string) string { return "  " + strings.Join(lines, "\n  ") }

// block is a fenced part of a page.
type block struct {
	line int
	text []string
}

// blocks returns the fenced parts with that info string; "" for all.
func blocks(page, info string) []block {
	var all []block
	var open *block
	for n, line := range strings.Split(page, "\n") {
		fence, found := strings.CutPrefix(line, "```")
		switch {
		case found && open == nil:
			open = &block{line: n + 2}
			if info != "" && fence != info {
				open.line = 0
			}
		case found:
			if open.line > 0 {
				all = append(all, *open)
			}
			open = nil
		case open != nil:
			open.text = append(open.text, line)
		}
	}
	return all
}

// step is one typed line and what the page shows below it.
type step struct {
	line    int
	command string
	want    []string
}

func (b block) steps() []step {
	var all []step
	for i, line := range b.text {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, step{line: b.line + i, command: command})
		} else if len(all) > 0 {
			all[len(all)-1].want = append(all[len(all)-1].want, line)
		}
	}
	for i := range all {
		all[i].want = trim(all[i].want)
	}
	return all
}

// trim drops empty lines at both ends.
func trim(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// differing are the parts of an output that are others each time.
var differing = []struct {
	is   *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\b[a-z]_[0-9a-z]{26}\b`), "ID"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`[a-z2-7]{52}`), "TOKEN"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "HASH"},
	{regexp.MustCompile(`\b20\d{8}\b`), "SERIAL"},
	{regexp.MustCompile(`\b(leaf|records?,?|millis) +\d+`), "$1 N"},
	{regexp.MustCompile(`\d+ of \d+ sealed`), "N of N sealed"},
	{regexp.MustCompile(`\(ID, [a-z.]+, TIME\)`), "(ID, ACTION, TIME)"},
	{regexp.MustCompile(` +`), " "},
}

func same(want, got string) bool {
	for _, d := range differing {
		want, got = d.is.ReplaceAllString(want, d.name), d.is.ReplaceAllString(got, d.name)
	}
	return strings.TrimRight(want, " ") == strings.TrimRight(got, " ")
}

// matches compares line by line; "…" stands for any number of lines.
func matches(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == "…":
		return matches(want[1:], got) || len(got) > 0 && matches(want, got[1:])
	}
	return len(got) > 0 && same(want[0], got[0]) && matches(want[1:], got[1:])
}

func TestMatchingNoticesWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"in force, record r_aaaaaaaaaaaaaaaaaaaaaaaaaa, leaf 6", "in force, record r_bbbbbbbbbbbbbbbbbbbbbbbbbb, leaf 17", true},
		{"in force, record r_aaaaaaaaaaaaaaaaaaaaaaaaaa, leaf 6", "pending, record r_bbbbbbbbbbbbbbbbbbbbbbbbbb, leaf 6", false},
		{"sound  true", "sound  false", false},
		{"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…\nd", "a\nb\nc", false},
		{"a", "a\nb", false},
		{"192.0.2.25", "192.0.2.26", false},
	} {
		if got := matches(strings.Split(c.want, "\n"), strings.Split(c.got, "\n")); got != c.ok {
			t.Errorf("%q beside %q: %v", c.want, c.got, got)
		}
	}
}

// program is the binary, built once for all tests of the house.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the binary")
	}
	p, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shell is one sh that stands in a folder with bin, docs and data, and in
// which the words that need root on a real machine mean the program itself.
type shell struct {
	t    *testing.T
	in   io.Writer
	out  *bufio.Reader
	swap [][2]string // as the page has it, as it is here
}

const words = `
exec 2>&1
systemctl() { "$1_server"; }
make() { start_server; cat serve.out; }
sudo() { shift 2; "$@"; }
start_server() {
	: >serve.out
	hostward serve --data data --listen 127.0.0.1:$PANEL --dns 127.0.0.1:$DNS >serve.out 2>serve.err </dev/null & server=$!
	until [ -s serve.out ] && [ -z "$(tail -n 1 serve.out)" ]; do
		kill -0 $server 2>/dev/null || { cat serve.err; return 1; }
		sleep 0.02
	done
}
stop_server() { kill $server; wait $server; }
`

func newShell(t *testing.T) *shell {
	dir, panel, dns := t.TempDir(), strconv.Itoa(coretest.FreePort(t)), strconv.Itoa(coretest.FreePort(t))
	must(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	must(t, os.Symlink(program(t), filepath.Join(dir, "bin", "hostward")))
	docs, err := filepath.Abs(filepath.Join(top, "docs"))
	must(t, err)
	must(t, os.Symlink(docs, filepath.Join(dir, "docs")))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	sh := exec.CommandContext(ctx, "sh")
	sh.Dir = dir
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	sh.Cancel = func() error { return syscall.Kill(-sh.Process.Pid, syscall.SIGKILL) }
	sh.Env = append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"), "HOSTWARD_DATA="+dir+"/data", "PANEL="+panel, "DNS="+dns)
	in, err := sh.StdinPipe()
	must(t, err)
	out, err := sh.StdoutPipe()
	must(t, err)
	must(t, sh.Start())
	t.Cleanup(func() { _ = syscall.Kill(-sh.Process.Pid, syscall.SIGKILL); _ = sh.Wait() })
	_, err = io.WriteString(in, words)
	must(t, err)
	return &shell{t, in, bufio.NewReader(out), [][2]string{
		{"/var/lib/hostward", dir + "/data"}, {"/etc/hostward", dir + "/data/etc"}, {"127.0.0.1:8443", "127.0.0.1:" + panel},
		{"127.0.0.1:5300", "127.0.0.1:" + dns}, {"-p 5300", "-p " + dns}}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// do types one line and returns what is printed, in the words of the page.
func (s *shell) do(command string) []string {
	s.t.Helper()
	for _, w := range s.swap {
		command = strings.ReplaceAll(command, w[0], w[1])
	}
	if _, err := fmt.Fprintf(s.in, "{ %s\n} </dev/null\nprintf '\\001\\n'\n", command); err != nil {
		s.t.Fatal(err)
	}
	out, err := s.out.ReadString(1)
	if err != nil {
		s.t.Fatalf("%s: the shell ended: %v\n%s", command, err, out)
	}
	_, _ = s.out.ReadString('\n')
	out = strings.TrimSuffix(out, "\x01")
	for _, w := range s.swap {
		out = strings.ReplaceAll(out, w[1], w[0])
	}
	return trim(strings.Split(out, "\n"))
}

// TestCommandsInTheDocumentsExist asks the program for help on every command
// that a page or a unit names, and looks for each flag in it.
func TestCommandsInTheDocumentsExist(t *testing.T) {
	command := regexp.MustCompile(`(?:^|[\s(/])hostward((?: [a-z]+)+)([^\n]*)`)
	flag := regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*)`)
	help := map[string]string{}
	for name, text := range commandTexts(t) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			usage := helpOf(t, help, strings.Fields(m[1]))
			if usage == "" {
				t.Errorf("%s: there is no command hostward%s", name, m[1])
			}
			for _, f := range flag.FindAllStringSubmatch(m[2], -1) {
				if !regexp.MustCompile(regexp.QuoteMeta(f[1]) + `\b`).MatchString(usage) {
					t.Errorf("%s: hostward%s has no flag %s", name, m[1], f[1])
				}
			}
		}
	}
	if len(help) < 15 {
		t.Fatalf("only %d commands found: the test looks at the wrong thing", len(help))
	}
}

// commandTexts returns what is typed: fenced blocks and code in the text, one
// command a line, and the units.
func commandTexts(t *testing.T) map[string]string {
	all := map[string]string{}
	code := regexp.MustCompile("`(hostward [^`]+)`")
	for _, page := range pages {
		var b strings.Builder
		text := read(t, page)
		for _, info := range []string{"sh", "console"} {
			for _, x := range blocks(text, info) {
				b.WriteString(strings.ReplaceAll(strings.Join(x.text, "\n"), " | ", "\n") + "\n")
			}
		}
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			b.WriteString(m[1] + "\n")
		}
		all[page] = strings.ReplaceAll(b.String(), "sudo -u hostward ", "")
	}
	for _, unit := range []string{"hostward.service", "hostward-agent.service", "hostward-nameserver.service", "hostward-watch.service", "hostward-witness.service"} {
		for line := range strings.SplitSeq(read(t, "deploy/systemd/"+unit), "\n") {
			if strings.HasPrefix(line, "ExecStart=") {
				all[unit] += line + "\n"
			}
		}
	}
	return all
}

// helpOf returns the help of the longest command that words begin with, ""
// where there is none.
func helpOf(t *testing.T, seen map[string]string, words []string) string {
	for n := min(len(words), 3); n > 0; n-- {
		key := strings.Join(words[:n], " ")
		if _, ok := seen[key]; !ok {
			out, err := exec.Command(program(t), append(slices.Clone(words[:n]), "--help")...).CombinedOutput()
			if seen[key] = string(out); err != nil || !bytes.Contains(out, []byte("\n  hostward "+key+" ")) {
				seen[key] = ""
			}
		}
		if seen[key] != "" {
			return seen[key]
		}
	}
	return ""
}

// TestWhatTheDocumentsPointAtExists follows every link and looks for every
// folder, file and test that a page names.
func TestWhatTheDocumentsPointAtExists(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	place := regexp.MustCompile("`((?:internal|cmd|docs|bench|deploy|tools)(?:/[\\w.-]+)*)/?(?:…)?`")
	test := regexp.MustCompile(`\bTest[A-Z]\w*[a-z]\b`)
	toy := regexp.MustCompile("`(memo\\.[a-z]+)`")
	tests, tried := testNames(t), ways(t)
	for _, page := range pages {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			follow(t, page, m[1])
		}
		for _, m := range place.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(top, m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
		for _, name := range test.FindAllString(text, -1) {
			if !slices.ContainsFunc(tests, func(have string) bool { return strings.HasPrefix(have, name) }) {
				t.Errorf("%s names the test %s, which is not there", page, name)
			}
		}
		for _, m := range toy.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(tried, m[1]) {
				t.Errorf("%s names the case %s, which no test of internal/act has", page, m[1])
			}
		}
	}
}

// follow wants a link's file, and its heading, to exist. Links to elsewhere
// are not followed.
func follow(t *testing.T, page, link string) {
	t.Helper()
	if strings.Contains(link, "://") {
		return
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := page
	if file != "" {
		target = path.Join(path.Dir(page), file)
	}
	if _, err := os.Stat(filepath.Join(top, target)); err != nil {
		t.Errorf("%s links to %s, which is not there", page, link)
		return
	}
	if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
		t.Errorf("%s links to %s, which has no such heading", page, link)
	}
}

// anchors are the headings as GitHub names them.
func anchors(page string) []string {
	var all []string
	odd := regexp.MustCompile(`[^a-z0-9 _-]`)
	for line := range strings.SplitSeq(page, "\n") {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			all = append(all, strings.ReplaceAll(odd.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-"))
		}
	}
	return all
}

func testNames(t *testing.T) []string {
	var names []string
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	files, err := filepath.Glob(filepath.Join(top, "internal/*/*_test.go"))
	must(t, err)
	deeper, err := filepath.Glob(filepath.Join(top, "internal/*/*/*_test.go"))
	must(t, err)
	for _, f := range slices.Concat(files, deeper) {
		b, err := os.ReadFile(f)
		must(t, err)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			names = append(names, string(m[1]))
		}
	}
	if len(names) < 100 {
		t.Fatalf("only %d tests found", len(names))
	}
	return names
}

// ways are the cases of internal/act that try to change something and keep
// quiet about it.
func ways(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, "internal/act/*_test.go"))
	must(t, err)
	var names []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		for _, m := range regexp.MustCompile(`(?m)^\t"(memo\.[a-z]+)": +(?:func|nil)`).FindAllSubmatch(b, -1) {
			names = append(names, string(m[1]))
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %d cases found", len(names))
	}
	return names
}

// TestGuardsAreListed wants each of them to be told in docs/design.md.
func TestGuardsAreListed(t *testing.T) {
	design := read(t, "docs/design.md")
	for _, name := range ways(t) {
		if !strings.Contains(design, "`"+name+"`") {
			t.Errorf("docs/design.md does not tell of %s and what stops it", name)
		}
	}
}

// TestEveryKeyOfPanelINIIsExplained compares docs/operate.md with the keys
// that are read.
func TestEveryKeyOfPanelINIIsExplained(t *testing.T) {
	var want, got []string
	for _, f := range ini.Fields() {
		want = append(want, f.Name())
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\[[A-Za-z]+\\] [A-Za-z0-9.]+)` \\|").FindAllStringSubmatch(read(t, "docs/operate.md"), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/operate.md explains %q, read are %q", got, want)
	}
}

func goMod(t *testing.T) *modfile.File {
	t.Helper()
	f, err := modfile.Parse("go.mod", []byte(read(t, "go.mod")), nil)
	must(t, err)
	return f
}

// TestEveryDependencyHasItsReason compares docs/dependencies.md with go.mod
// and with what is imported outside of tests.
func TestEveryDependencyHasItsReason(t *testing.T) {
	var product, tests []string
	for _, r := range goMod(t).Require {
		switch {
		case r.Indirect:
		case imported(t, r.Mod.Path):
			product = append(product, r.Mod.Path)
		default:
			tests = append(tests, r.Mod.Path)
		}
	}
	inProgram, inTests, _ := strings.Cut(read(t, "docs/dependencies.md"), "## In tests only")
	compareRows(t, "In the program", inProgram, product)
	compareRows(t, "In tests only", inTests, tests)
}

func compareRows(t *testing.T, section, text string, want []string) {
	t.Helper()
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^` ]+)` \\|(.*)$").FindAllStringSubmatch(text, -1) {
		got = append(got, m[1])
		if cells := strings.Split(strings.TrimSuffix(m[2], "|"), "|"); len(cells) != 5 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }) {
			t.Errorf("the row of %s must say what for, why, who keeps it, licence, replacement", m[1])
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: docs/dependencies.md has\n%s\ngo.mod and the imports say\n%s", section, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// imported reports whether the product imports the module outside of tests.
func imported(t *testing.T, module string) bool {
	for _, files := range packages(t) {
		if slices.ContainsFunc(files, func(f *ast.File) bool {
			return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool {
				p, _ := strconv.Unquote(s.Path.Value)
				return p == module || strings.HasPrefix(p, module+"/")
			})
		}) {
			return true
		}
	}
	return false
}

// TestSQLiteHasItsOwnLibc wants modernc.org/libc in the version that
// modernc.org/sqlite was generated for; another one breaks it in quiet ways.
func TestSQLiteHasItsOwnLibc(t *testing.T) {
	list := exec.Command("go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")
	list.Dir = top
	out, err := list.Output()
	must(t, err)
	b, err := os.ReadFile(strings.TrimSpace(string(out)))
	must(t, err)
	theirs, err := modfile.ParseLax("go.mod", b, nil)
	must(t, err)
	if ours, want := version(goMod(t), "modernc.org/libc"), version(theirs, "modernc.org/libc"); ours != want || want == "" {
		t.Errorf("modernc.org/libc is %q in go.mod; modernc.org/sqlite wants %q", ours, want)
	}
}

func version(f *modfile.File, module string) string {
	for _, r := range f.Require {
		if r.Mod.Path == module {
			return r.Mod.Version
		}
	}
	return ""
}

// TestUnitsAreValid has systemd read the units.
func TestUnitsAreValid(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip(err)
	}
	for _, unit := range []string{"hostward.service", "hostward-agent.service", "hostward-nameserver.service", "hostward-watch.service", "hostward-witness.service", "hostward-firewall.service"} {
		file := filepath.Join(t.TempDir(), unit)
		must(t, os.WriteFile(file, []byte(strings.ReplaceAll(read(t, "deploy/systemd/"+unit), "/usr/bin/hostward", program(t))), 0o600))
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}
