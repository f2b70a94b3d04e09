//go:build unix

package house_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A mutation check (SPEC L1): each tx.Record of the features is taken away in
// turn, and the tests must notice. All of them are built into one binary, in
// which a variable of the environment chooses the one that keeps silent, so
// that only running costs time. HOSTWARD_MUTATE=all tries every one; otherwise
// a sample that depends on nothing but their names.

const (
	chosen = "HOSTWARD_MUTANT"
	sample = 6
)

// silent is one call of tx.Record that can be switched off.
type silent struct {
	n             int
	file, feature string
	line          int
	text          string
}

func (s silent) String() string { return fmt.Sprintf("%s:%d %s", s.file, s.line, s.text) }

func (s silent) rank() string {
	sum := sha256.Sum256([]byte(s.file + s.text))
	return hex.EncodeToString(sum[:])
}

// overlay replaces files of the module for one build.
type overlay struct {
	Replace map[string]string
	dir     string
}

func newOverlay(t *testing.T) *overlay {
	return &overlay{map[string]string{}, t.TempDir()}
}

func (o *overlay) put(t *testing.T, path string, content []byte) {
	t.Helper()
	to := filepath.Join(o.dir, fmt.Sprintf("f%d.go", len(o.Replace)))
	full, err := filepath.Abs(path)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	o.Replace[full] = to
}

func (o *overlay) file(t *testing.T) string {
	t.Helper()
	b, _ := json.Marshal(o)
	path := filepath.Join(o.dir, "overlay.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// silence puts a switch before each tx.Record of the features.
func silence(t *testing.T, o *overlay) (all []silent) {
	t.Helper()
	files, err := filepath.Glob("../feature/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	helped := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mutated, found := switches(t, path, source, len(all))
		if len(found) == 0 {
			continue
		}
		all = append(all, found...)
		if dir := filepath.Dir(path); !helped[dir] {
			helped[dir] = true
			o.put(t, filepath.Join(dir, "zz_mutant.go"), fmt.Appendf(nil, helper, filepath.Base(dir)))
		}
		o.put(t, path, mutated)
	}
	return all
}

const helper = `package %s

import (
	"context"
	"os"
	"strconv"

	"hostward/internal/act"
	"hostward/internal/core"
)

func unlessSilent(n int, tx *act.Tx, ctx context.Context, event string, on core.Ref, fields ...act.Field) error {
	if os.Getenv("` + chosen + `") == strconv.Itoa(n) {
		return nil
	}
	return tx.Record(ctx, event, on, fields...)
}
`

// switches rewrites tx.Record(… to unlessSilent(n, tx, ….
func switches(t *testing.T, path string, source []byte, from int) ([]byte, []silent) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []silent
	type edit struct {
		at, end int
		text    string
	}
	var edits []edit
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Record" || len(call.Args) < 3 {
			return true
		}
		on := source[set.Position(sel.X.Pos()).Offset:set.Position(sel.X.End()).Offset]
		at, open := set.Position(call.Pos()), set.Position(call.Lparen)
		s := silent{n: from + len(found) + 1, file: filepath.ToSlash(path), feature: filepath.Base(filepath.Dir(path)), line: at.Line,
			text: string(source[at.Offset:set.Position(call.Args[2].End()).Offset]) + ")"}
		found = append(found, s)
		edits = append(edits, edit{at.Offset, open.Offset + 1, fmt.Sprintf("unlessSilent(%d, %s, ", s.n, on)})
		return true
	})
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(b.at, a.at) })
	for _, e := range edits {
		source = slices.Concat(source[:e.at], []byte(e.text), source[e.end:])
	}
	return source, found
}

// testBinary builds the tests of a package with the overlay.
func testBinary(t *testing.T, o *overlay, dir string) string {
	t.Helper()
	to := filepath.Join(o.dir, strings.ReplaceAll(dir, "/", "_")+".test")
	c := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", o.file(t), "-o", to, "./"+dir)
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building the tests of %s: %v\n%s", dir, err, out)
	}
	return to
}

// runs runs a test binary in its package's folder and reports whether it passed.
func runs(t *testing.T, binary, dir, pattern, mutant string) (bool, string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, binary, "-test.run", pattern, "-test.failfast", "-test.timeout", "170s")
	c.Dir = filepath.Join("../..", dir)
	c.Env = append(os.Environ(), chosen+"="+mutant)
	out, err := c.CombinedOutput()
	return err == nil, string(out)
}

// happy are the parts of the conformance test in which operations succeed.
const happy = "^TestConformance$/^sqlite$/^(doors|system)$"

func TestASilentFeatureIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the tests of the features")
	}
	o := newOverlay(t)
	all := silence(t, o)
	if len(all) < 20 {
		t.Fatalf("only %d calls of tx.Record found: the test looks at the wrong place", len(all))
	}
	house := testBinary(t, o, "internal/house")
	if ok, out := runs(t, house, "internal/house", happy, ""); !ok {
		t.Fatalf("the tests fail without a mutant:\n%s", out)
	}
	some := all
	if os.Getenv("HOSTWARD_MUTATE") != "all" {
		slices.SortFunc(some, func(a, b silent) int { return strings.Compare(a.rank(), b.rank()) })
		some = some[:sample]
	}
	features := map[string]string{}
	for _, s := range some {
		if tests, _ := filepath.Glob("../feature/" + s.feature + "/*_test.go"); tests != nil && features[s.feature] == "" {
			features[s.feature] = testBinary(t, o, "internal/feature/"+s.feature)
		}
	}
	for _, s := range some {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			by := noticed(t, s, house, features[s.feature])
			if by == "" {
				t.Error("survived: no test notices when it records nothing")
			}
			t.Logf("noticed by %s", by)
		})
	}
	t.Logf("%d of %d calls", len(some), len(all))
}

// noticed says which tests fail when s keeps silent, "" for none.
func noticed(t *testing.T, s silent, house, feature string) string {
	n := fmt.Sprint(s.n)
	if ok, _ := runs(t, house, "internal/house", happy, n); !ok {
		return "conformance"
	}
	if feature == "" {
		return ""
	}
	if ok, _ := runs(t, feature, "internal/feature/"+s.feature, "^Test/^sqlite$", n); !ok {
		return "its own tests"
	}
	return ""
}

// weakened are hand-made faults of the door; the tests of act must notice each.
var weakened = []struct{ name, file, old, new string }{
	{"touched objects are not asked for", "gate.go", `touched, err := b.with.Writer.Touched(ctx)`, `_, err := b.with.Writer.Touched(ctx); touched := []store.Touch{}`},
	{"unnamed objects pass", "gate.go", `!named[ref] {`, `!named[ref] && false {`},
	{"declared events may be missing", "gate.go", `return complete(op, tx)`, `return nil`},
	{"undeclared events pass", "gate.go", `if !slices.Contains(op.Must, e.Name) && !slices.Contains(op.May, e.Name) {`, `if false {`},
	{"events about another kind pass", "gate.go", `noun != e.Object.Kind {`, `noun != e.Object.Kind && false {`},
	{"faults are forgotten", "gate.go", `if tx.fault != nil {`, `if false {`},
	{"the owner may change behind the record", "gate.go", `return b.stays(ctx, tx, op, e)`, `return nil`},
	{"foreign objects are seen", "gate.go", `if err == nil && !inside {`, `if err == nil && !inside && false {`},
	{"the gate is open", "loop.go", `if err := b.gate(ctx, tx, r.op); err != nil {`, `if err := error(nil); err != nil {`},
	{"failed operations stay", "loop.go", `case err != nil && !r.keep:`, `case false:`},
	{"previews stay", "loop.go", `case r.call.Preview:`, `case false:`},
	{"operations call each other", "loop.go", `if ctx.Value(inside{}) != nil {`, `if false {`},
	{"questions may change", "tx.go", `m != "" && !write {`, `m != "" && false {`},
	{"any function may be called", "tx.go", `!slices.Contains(functions, name) {`, `false && !slices.Contains(functions, name) {`},
	{"the frame's tables are open", "tx.go", `if m := closed.FindString(bare); m != "" {`, `if m := closed.FindString(bare); m != "" && false {`},
	{"views last", "tx.go", `func (v *View) end() { v.over = true }`, `func (v *View) end() {}`},
	{"flows last", "read.go", `f.over = true`, `f.over = false`},
	{"refusals leave no record", "record.go", `r, werr := b.submit(context.WithoutCancel(ctx), &request{entry: e, call: c, op: op})`, `r, werr := Result{}, error(nil)`},
}

func TestAWeakDoorIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the tests of act")
	}
	some := slices.Clone(weakened)
	if os.Getenv("HOSTWARD_MUTATE") != "all" {
		some = some[:3]
	}
	for _, w := range weakened { // even those that are not tried must still apply
		if b, err := os.ReadFile("../act/" + w.file); err != nil || bytes.Count(b, []byte(w.old)) != 1 {
			t.Errorf("%s: %q is not once in act/%s (%v): mend the table", w.name, w.old, w.file, err)
		}
	}
	for _, w := range some {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile("../act/" + w.file)
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.Replace(b, []byte(w.old), []byte(w.new), 1)
			if strings.Contains(w.new, "store.Touch") {
				b = bytes.Replace(b, []byte("\"hostward/internal/ledger\"\n"), []byte("\"hostward/internal/ledger\"\n\t\"hostward/internal/store\"\n"), 1)
			}
			o := newOverlay(t)
			o.put(t, "../act/"+w.file, b)
			if ok, _ := runs(t, testBinary(t, o, "internal/act"), "internal/act", "^Test.*/^sqlite$", ""); ok {
				t.Errorf("survived: no test of act notices that %s", w.name)
			}
		})
	}
}
