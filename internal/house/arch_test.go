package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hostward/internal/act"
)

// room says who a package may import of ours, and what it must not import of
// anybody, each ban with the reason that is printed when it breaks.
type room struct {
	dir  string            // folder below the module; "/*" stands for each folder in it
	ours []string          // rooms it may import; "*": all
	bans map[string]string // import path or prefix ending in "/" -> reason
}

var hands = map[string]string{
	"os":           "a feature does not touch the machine: plan a host.Step, or ask for a port",
	"os/exec":      "no commands in a feature: plan a host.Step",
	"net":          "no network in a feature: declare a port, an adapter fills it",
	"net/http":     "no network in a feature: declare a port, an adapter fills it",
	"database/sql": "rows are reached through act.View and act.Tx only, or the gate sees nothing",
	"log":          "a feature returns errors; the bus logs them",
	"log/slog":     "a feature returns errors; the bus logs them",
	"unsafe":       "unsafe reaches around the door",
	"reflect":      "reflection reaches around act's closed types",
	"syscall":      "a feature does not touch the machine",
	"plugin":       "a feature is compiled in",
	"sync":         "a feature keeps no state of its own between calls: the database says what should be",
	"sync/atomic":  "a feature keeps no state of its own between calls",
	"math/rand":    "randomness comes from core.NewID and core.NewToken",
	"math/rand/v2": "randomness comes from core.NewID and core.NewToken",
}

// pure is for rooms that work on text alone.
var pure = map[string]string{
	"os": "it is handed a file system, and acts on nothing", "os/exec": "it acts on nothing", "net": "it knows no network", "log/slog": "it returns errors",
}

var rooms = []room{
	{dir: "internal/core", bans: map[string]string{"github.com/": "core is standard library only", "golang.org/": "core is standard library only", "modernc.org/": "core is standard library only"}},
	{dir: "internal/file", ours: []string{"core"}},
	{dir: "internal/jail", ours: []string{"core", "jail/conf", "jail/date", "jail/literal", "jail/pattern"}, bans: pure},
	{dir: "internal/jail/conf", bans: pure},
	{dir: "internal/jail/literal", bans: pure},
	{dir: "internal/jail/pattern", bans: pure},
	{dir: "internal/jail/date", ours: []string{"jail/pattern"}, bans: pure},
	{dir: "internal/rr", ours: []string{"core"}},
	{dir: "internal/rr/sign", ours: []string{"core", "rr"}, bans: map[string]string{
		"os": "signing is pure: time, keys and randomness are given to it", "net": "signing knows no network", "crypto/rand": "signing is given what it needs"}},
	{dir: "internal/rr/transfer", ours: []string{"core", "rr"}, bans: map[string]string{
		"database/sql": "transfer is a protocol: it is handed what it sends and hands over what it gets", "log/slog": "transfer returns errors"}},
	{dir: "internal/rr/ask", ours: []string{"core", "rr"}, bans: map[string]string{
		"database/sql": "ask puts one question and judges the answer", "log/slog": "ask returns errors"}},
	{dir: "internal/ini", ours: []string{"core", "file"}},
	{dir: "internal/store", ours: []string{"core", "file"}},
	{dir: "internal/ledger", ours: []string{"core", "file"}, bans: map[string]string{
		"net/http": "the ledger knows no network: package witness asks outside"}},
	// The keeper reads what it signs for zones: rr/sign says what such a message is.
	{dir: "internal/keeper", ours: []string{"core", "file", "ledger", "rr", "rr/sign"}},
	{dir: "internal/witness", ours: []string{"core", "file", "ledger"}},
	{dir: "internal/host", ours: []string{"core", "rr", "rr/sign"}, bans: map[string]string{
		"os": "host holds effects as data; host/hands carries them out", "os/exec": "host holds effects as data"}},
	{dir: "internal/host/hands", ours: []string{"core", "rr", "rr/sign", "host", "nameserver"}},
	{dir: "internal/socket", ours: []string{"core"}},
	// The ban engine outlives the panel and needs no rights: it asks a host.Kernel.
	{dir: "internal/watch", ours: []string{"core", "file", "host", "jail", "socket"}, bans: map[string]string{
		"database/sql": "the ban engine keeps its own book; it never opens the database"}},
	{dir: "internal/act", ours: []string{"core", "ledger", "store"}, bans: map[string]string{
		"net/http": "the door knows no face"}},
	// The agent believes proofs of the log, and carries out what controls plan.
	{dir: "internal/agent", ours: []string{"core", "file", "ledger", "host", "control", "socket"}, bans: map[string]string{
		"database/sql": "the agent never opens the database", "net": "the agent has a Unix socket, and that through package socket", "os/exec": "hands act"}},
	{dir: "internal/control", ours: []string{"core", "act", "host"}, bans: map[string]string{
		"os/exec": "a control describes; hands act"}},
	{dir: "internal/nameserver", ours: []string{"core", "file", "rr", "rr/transfer", "socket"}, bans: map[string]string{
		"database/sql": "the nameserver is fed; it never opens the database"}},
	// The log's own feature shows what the ledger keeps; it still changes nothing.
	{dir: "internal/feature/actionlog", ours: []string{"core", "act", "ledger"}, bans: hands},
	// What web servers' files say about handlers is text to be read and written.
	{dir: "internal/handlers", bans: map[string]string{"os": "handlers is text in, text out: eyes read, hands write", "net": "handlers knows no network"}},
	{dir: "internal/feature/handler", ours: []string{"core", "act", "control", "host", "handlers", "handlers/apache", "handlers/iis"}, bans: hands},
	{dir: "internal/feature/*", ours: []string{"core", "act", "control", "host", "rr", "rr/sign", "rr/transfer"}, bans: hands},
	// What the outside sees of a zone is measured in the words of DNS, and told to sign.Next.
	{dir: "internal/adapter/outside", ours: []string{"core", "rr", "rr/ask", "rr/sign"}},
	// A ban engine is a host.Guard.
	{dir: "internal/adapter/fail2ban", ours: []string{"core", "file", "host"}, bans: map[string]string{
		"os/exec": "the server is asked through its socket; what is written and run is planned by feature/ban"}},
	{dir: "internal/adapter/*", ours: []string{"core", "file", "ini", "keeper", "ledger", "act"}},
	{dir: "internal/face/*", ours: []string{"core", "act"}, bans: map[string]string{
		"database/sql": "a face has nothing but the bus"}},
	{dir: "internal/house", ours: []string{"*"}},
	{dir: "cmd/hostward", ours: []string{"*"}},
}

// elsewhere lists third-party modules that belong to one edge of the house.
var elsewhere = map[string]struct{ rooms, why string }{
	"modernc.org/sqlite":            {"internal/store internal/adapter/fail2ban", "one room knows our database; fail2ban's own is read where fail2ban is known"},
	"github.com/jackc/pgx/":         {"internal/store", "one room knows the database engines"},
	"github.com/go-webauthn/":       {"internal/adapter/passkey", "WebAuthn stays behind internal/adapter/passkey"},
	"github.com/pquerna/otp":        {"internal/keeper", "only the keeper sees a seed"},
	"github.com/ccojocar/zxcvbn-go": {"internal/adapter/strength", "word lists stay behind internal/adapter/strength"},
	"github.com/FastFilter/":        {"internal/adapter/breach", "the filter stays behind internal/adapter/breach"},
	"github.com/boombuler/":         {"internal/face/web", "only a page draws a QR code"},
	"github.com/miekg/dns":          {"internal/rr", "the DNS library stays behind internal/rr, so that another can take its place"},
	"github.com/spf13/cobra":        {"internal/face/cli cmd/hostward", "only the CLI knows its library"},
	"github.com/google/nftables":    {"internal/host/hands", "only the hands speak to the kernel"},
	"golang.org/x/mod/sumdb/":       {"internal/ledger internal/keeper internal/witness internal/house", "tree arithmetic stays in the log's rooms"},
}

const module = "hostward/"

// TestRoomsImportOnlyWhatTheyMay holds every import of the product against the
// table above.
func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	checked := 0
	for dir, files := range packages(t) {
		r, ok := roomOf(dir)
		if !ok {
			t.Errorf("%s is in no room: add it to the table in arch_test.go, with its reasons", dir)
			continue
		}
		for _, f := range files {
			for _, spec := range f.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				r.check(t, dir, path)
				checked++
			}
		}
	}
	if checked < 100 {
		t.Fatalf("only %d imports seen: the test looks at the wrong place", checked)
	}
}

func (r room) check(t *testing.T, dir, path string) {
	t.Helper()
	for ban, why := range r.bans {
		if path == ban || strings.HasSuffix(ban, "/") && strings.HasPrefix(path, ban) {
			t.Errorf("%s imports %s: %s", dir, path, why)
		}
	}
	for prefix, home := range elsewhere {
		if strings.HasPrefix(path, prefix) && !slices.ContainsFunc(strings.Fields(home.rooms), func(h string) bool { return dir == h || strings.HasPrefix(dir, h+"/") }) {
			t.Errorf("%s imports %s: %s", dir, path, home.why)
		}
	}
	ours, ok := strings.CutPrefix(path, module+"internal/")
	if !ok || slices.Contains(r.ours, "*") || "internal/"+ours == dir || strings.HasPrefix("internal/"+ours, dir+"/") {
		return
	}
	if !slices.Contains(r.ours, ours) {
		t.Errorf("%s imports %s: this room may import only %s (features do not know each other; faces know no feature)", dir, ours, strings.Join(r.ours, ", "))
	}
}

func roomOf(dir string) (room, bool) {
	for _, r := range rooms {
		parent, each := strings.CutSuffix(r.dir, "/*")
		if dir == r.dir || each && strings.HasPrefix(dir, parent+"/") {
			return r, true
		}
	}
	for _, r := range rooms { // a folder within a room belongs to it
		if strings.HasPrefix(dir, r.dir+"/") {
			return r, true
		}
	}
	return room{}, false
}

// packages parses the product's files, tests and helpers of tests left out.
func packages(t *testing.T) map[string][]*ast.File {
	t.Helper()
	root := "../.."
	all := map[string][]*ast.File{}
	for _, top := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && (d.Name() == "testdata" || strings.HasSuffix(d.Name(), "test")) {
				return errOr(err, fs.SkipDir)
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, filepath.Dir(path))
			all[filepath.ToSlash(rel)] = append(all[filepath.ToSlash(rel)], f)
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return all
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// TestNothingHappensByImporting allows no init functions: configuration and
// state are made in cmd and passed down.
func TestNothingHappensByImporting(t *testing.T) {
	for dir, files := range packages(t) {
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has an init function: make the thing in cmd and pass it down", dir)
				}
			}
		}
	}
}

// TestFeaturesKeepNoState wants variables of a feature's package to be values
// that no one changes later, and no goroutine that outlives an operation: the
// database says what should be, and what is not in it is on no record.
func TestFeaturesKeepNoState(t *testing.T) {
	seen := 0
	for dir, files := range packages(t) {
		if !strings.HasPrefix(dir, "internal/feature/") {
			continue
		}
		vars := variables(files)
		seen += len(vars)
		for _, f := range files {
			for _, fault := range stateful(f, vars, featureTypes(files)) {
				t.Errorf("%s %s", dir, fault)
			}
		}
	}
	if seen == 0 {
		t.Fatal("no package variable seen: the test looks at the wrong place")
	}
}

// variables are the names of a package's own variables.
func variables(files []*ast.File) map[string]bool {
	vars := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, s := range g.Specs {
					for _, name := range s.(*ast.ValueSpec).Names {
						vars[name.Name] = name.Name != "_"
					}
				}
			}
		}
	}
	return vars
}

// featureTypes are the types that declare a feature: one value of them lives as
// long as the server.
func featureTypes(files []*ast.File) map[string]bool {
	types := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.Name == "Feature" {
				if star, ok := fn.Recv.List[0].Type.(*ast.StarExpr); ok {
					types[star.X.(*ast.Ident).Name] = true
				}
			}
		}
	}
	return types
}

// stateful names each place where a file could keep something between calls.
func stateful(f *ast.File, vars, features map[string]bool) (faults []string) {
	ours := func(e ast.Expr) bool {
		id, ok := root(e).(*ast.Ident)
		return ok && vars[id.Name] && (id.Obj == nil || f.Scope.Lookup(id.Name) == id.Obj)
	}
	kept := func(e ast.Expr, how string) {
		if e != nil && ours(e) {
			faults = append(faults, how+" the package variable "+root(e).(*ast.Ident).Name+": a feature keeps no state between calls")
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				if n.Tok != token.DEFINE {
					kept(lhs, "assigns to")
				}
			}
		case *ast.IncDecStmt:
			kept(n.X, "counts")
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				kept(n.Key, "assigns to")
				kept(n.Value, "assigns to")
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				kept(n.X, "takes the address of")
			}
			if id, ok := n.X.(*ast.Ident); ok && n.Op == token.TILDE && id.Name == "string" {
				faults = append(faults, "has a type parameter ~string: inferred from a method of act.View, it would let SQL be put together at run time")
			}
		case *ast.SendStmt:
			kept(n.Chan, "sends to")
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
				kept(n.Args[0], id.Name+"s")
			}
		case *ast.GoStmt:
			faults = append(faults, "starts a goroutine: what it does after the operation has ended is on no record; make it a job")
		case *ast.FuncDecl:
			faults = append(faults, remembers(n, features)...)
		}
		return true
	})
	return faults
}

// remembers finds methods that keep something in the feature itself: only New
// and Join, which the house calls before anything runs, fill it.
func remembers(fn *ast.FuncDecl, features map[string]bool) (faults []string) {
	if fn.Recv == nil || fn.Body == nil || fn.Name.Name == "Join" || len(fn.Recv.List[0].Names) == 0 {
		return nil
	}
	star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return nil
	}
	me, typ := fn.Recv.List[0].Names[0].Name, star.X.(*ast.Ident).Name
	if !features[typ] {
		return nil // a value of one operation
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && a.Tok != token.DEFINE {
			for _, lhs := range a.Lhs {
				if id, ok := root(lhs).(*ast.Ident); ok && id.Name == me && lhs != ast.Expr(id) {
					faults = append(faults, "has a method "+typ+"."+fn.Name.Name+" that keeps something in the feature: it would last beyond the operation, on no record")
				}
			}
		}
		return true
	})
	return faults
}

// TestHiddenStateIsFound holds the finder against each way to hide some.
func TestHiddenStateIsFound(t *testing.T) {
	const head = "package x\nvar n int\nvar m = map[string]int{}\nvar c chan int\ntype F struct{ last string }\n"
	for name, body := range map[string]string{
		"assignment": "func f() { n = 1 }", "count": "func f() { n++ }", "map": "func f() { m[`a`] = 1 }", "delete": "func f() { delete(m, `a`) }",
		"clear": "func f() { clear(m) }", "address": "func f() *int { return &n }", "channel": "func f() { c <- 1 }", "range": "func f() { for n = range 3 {} }",
		"inferred SQL": "func f[S ~string](get func(S) error, q string) error { return get(S(q)) }",
		"goroutine":    "func f() { go f() }", "method": "func (x *F) Run() { x.last = `a` }",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", head+body, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(stateful(f, variables([]*ast.File{f}), map[string]bool{"F": true})) == 0 {
			t.Errorf("%s: hidden state was not found", name)
		}
	}
	f, _ := parser.ParseFile(token.NewFileSet(), "x.go", head+"func f() { n := 1; n++; m := map[string]int{}; m[`a`] = n }", 0)
	if faults := stateful(f, variables([]*ast.File{f}), map[string]bool{"F": true}); faults != nil {
		t.Errorf("local variables were taken for state: %v", faults)
	}
}

func root(e ast.Expr) ast.Expr {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return e
		}
	}
}

// TestFramesStaySmall keeps act and control from becoming a framework: at most
// 40 exported names each.
func TestFramesStaySmall(t *testing.T) {
	const most = 40
	all := packages(t)
	for _, dir := range []string{"internal/act", "internal/control"} {
		var names []string
		for _, f := range all[dir] {
			names = append(names, exported(f)...)
		}
		if len(names) == 0 || len(names) > most {
			slices.Sort(names)
			t.Errorf("%s exports %d names, at most %d are allowed: %s", dir, len(names), most, strings.Join(names, " "))
		}
	}
}

// exported counts types, functions, constants and variables, not methods.
// Enumerations count once: their members belong to the type.
func exported(f *ast.File) []string {
	var names []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Tok == token.CONST {
				if first := d.Specs[0].(*ast.ValueSpec).Names[0]; first.IsExported() {
					names = append(names, first.Name)
				}
				continue
			}
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						if n.IsExported() {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// TestWhatFeaturesHoldHasNoWindows wants no fields in what features are handed:
// through one they could reach the writer and change rows past the gate.
func TestWhatFeaturesHoldHasNoWindows(t *testing.T) {
	for _, held := range []reflect.Type{reflect.TypeFor[act.Bus](), reflect.TypeFor[act.View](), reflect.TypeFor[act.Tx](), reflect.TypeFor[act.Flow](), reflect.TypeFor[act.Work]()} {
		for _, f := range reflect.VisibleFields(held) {
			if f.IsExported() && f.Type != reflect.TypeFor[act.View]() {
				t.Errorf("%s has the field %s: a feature that holds one gets past the door through it", held, f.Name)
			}
		}
	}
}

// TestEveryPackageSaysWhatItIs wants a package comment in each folder.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for dir, files := range packages(t) {
		if !slices.ContainsFunc(files, func(f *ast.File) bool { return f.Doc.Text() != "" }) {
			t.Errorf("%s has no package comment", dir)
		}
	}
}
