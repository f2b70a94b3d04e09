package house_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"index/suffixarray"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
	"hostward/internal/house"
	"hostward/internal/store"
)

// world is a real house with people in it.
type world struct {
	*testing.T
	*house.House
	data   string
	logs   *text
	people map[string]*person
	made   int
	given  []string // secrets that were handed out or in: nowhere to be found later
	web    http.Handler
	local  http.Handler
	ahead  atomic.Int64 // nanoseconds by which the house's clock is ahead
}

// now is the house's time; pass moves it on.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())).UTC() }

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// text is a log that can be read while it is written.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *text) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(b)
}

func (k *text) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.String()
}

// person is somebody with a role, a session, a second factor and a token.
type person struct {
	act.Actor
	login, password string
	cookie, bearer  string
	seed            string   // of his app
	codes           []string // recovery codes that are left
}

// code takes one of his recovery codes: an app shows a new code only every half minute.
func (p *person) code() string {
	c := p.codes[0]
	p.codes = p.codes[1:]
	return c
}

var (
	console = act.Actor{Kind: "os", ID: "uid:0", Name: "root", Role: act.Primary, Tenant: core.Provider, Door: "cli"}
	nobody  = act.Actor{Kind: "stranger", Role: act.Stranger, Door: "rest"}
)

const password = "seven quiet herons wade "

// newWorld opens a house on an empty database and lets people in: an
// administrator, a second one, an auditor, a reseller with a customer, and
// another reseller and customer, who are strangers to them.
func newWorld(t *testing.T, database string) *world {
	t.Helper()
	w := emptyWorld(t, database)
	w.populate()
	w.settle()
	return w
}

// emptyWorld is a house that nobody has been let into yet. ini, if any, is its panel.ini.
func emptyWorld(t *testing.T, database string, ini ...string) *world {
	t.Helper()
	return worldWith(t, house.Config{Database: database}, ini...)
}

// worldWith is emptyWorld with more in its configuration.
func worldWith(t *testing.T, c house.Config, ini ...string) *world {
	t.Helper()
	w := &world{T: t, data: t.TempDir(), logs: &text{}, people: map[string]*person{}}
	if strings.HasPrefix(c.Database, "sqlite:") {
		c.Database = "" // in the data folder, so that all of it can be searched
	}
	err := os.MkdirAll(filepath.Join(w.data, "etc"), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.data, "etc", "panel.ini"), []byte(strings.Join(ini, "\n")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Data, c.PanelLog, c.Clock, c.SigningEvery = w.data, w.logs, w.now, -1
	c.Log = slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.House, err = house.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if w.web, err = w.Web("test"); err != nil {
		t.Fatal(err)
	}
	if w.local, err = w.Local("test", func(*http.Request) (act.Actor, error) { return console, nil }); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) populate() {
	first := &person{login: "first", password: password + "first"}
	w.must(console, "admin.init", map[string]any{"login": first.login, "name": "First", "password": first.password})
	w.enter("administrator", first)
	for _, p := range []struct{ name, role, under string }{
		{"additional", "additional administrator", ""}, {"auditor", "auditor", ""},
		{"reseller", "reseller", ""}, {"customer", "customer", "reseller"},
		{"other reseller", "reseller", ""}, {"other customer", "customer", "other reseller"},
	} {
		under := core.Provider
		if p.under != "" {
			under = w.people[p.under].ID
		}
		w.enter(p.name, w.join(p.role, under))
	}
}

// must calls as the administrator's own tool would, and wants success.
func (w *world) must(a act.Actor, op string, in map[string]any) act.Result {
	w.Helper()
	r, err := w.Bus.Do(context.Background(), act.Call{Op: op, Actor: a, Input: raw(in), Confirmed: true})
	if err != nil {
		w.Fatalf("%s: %v", op, err)
	}
	return r
}

func raw(in map[string]any) json.RawMessage {
	b, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return b
}

// fields are an answer as a caller gets it, secrets included.
func fields(output any) map[string]any {
	b, _ := json.Marshal(output)
	out := map[string]any{}
	_ = json.Unmarshal(b, &out)
	return out
}

func (w *world) unique(what string) string {
	w.made++
	return fmt.Sprintf("%s%06d", what, w.made)
}

// join makes an account and gives it a password.
func (w *world) join(role, under string) *person {
	w.Helper()
	p := &person{login: w.unique("login")}
	p.password = password + p.login
	r := w.must(console, "account.create", map[string]any{"login": p.login, "role": role, "name": "Name", "parent": under})
	p.ID = fields(r.Output)["id"].(string)
	w.claim(p)
	return p
}

func (w *world) claim(p *person) {
	w.Helper()
	w.must(nobody, "login.claim", map[string]any{"token": w.link(p.ID), "password": p.password})
	w.given = append(w.given, p.password)
}

// link makes a one-time link and returns its token.
func (w *world) link(account string) string {
	w.Helper()
	r := w.must(console, "login.invite", map[string]any{"account": account})
	text := fmt.Sprint(fields(r.Output)["link"])
	if text == "(secret)" {
		text = revealed(r.Output, "Link")
	}
	u, err := url.Parse(text)
	if err != nil {
		w.Fatal(err)
	}
	token := u.Query().Get("token")
	if token == "" {
		token = text[strings.LastIndexAny(text, "/=#")+1:]
	}
	w.given = append(w.given, token)
	return token
}

// session logs in and returns the token and the id of the session.
func (w *world) session(p *person) (token, id string) {
	w.Helper()
	from := nobody
	from.Address = "192.0.2.7"
	r := w.must(from, "login.enter", map[string]any{"login": p.login, "password": p.password})
	token = revealed(r.Output, "Token")
	w.given = append(w.given, token)
	return token, fields(r.Output)["session"].(string)
}

// inside is who has a session.
func (w *world) inside(token string) act.Actor {
	w.Helper()
	a := actorOf(w.must(act.SystemActor("test"), "session.resolve", map[string]any{"token": token}).Output)
	a.Door, a.Address, a.Host = "rest", "192.0.2.9", "panel.example"
	if a.By != nil {
		a.By.Door, a.By.Address = a.Door, a.Address
	}
	return a
}

// arm gives who is in a session an authenticator app.
func (w *world) arm(p *person) {
	w.Helper()
	p.Actor = w.inside(p.cookie)
	p.seed = revealed(w.must(p.Actor, "totp.begin", nil).Output, "Secret")
	r := w.must(p.Actor, "totp.confirm", map[string]any{"code": accounttest.Code(p.seed, w.now())})
	p.codes = r.Output.(factor.Confirmed).Codes
	token, _ := r.Output.(factor.Confirmed).OpensSession()
	p.cookie = token.Reveal()
	p.Actor = w.inside(p.cookie)
	w.given = append(append(w.given, p.seed, p.cookie), p.codes...)
}

// everything is what a token is granted that may do whatever its owner may.
func (w *world) everything() []string {
	scopes := []string{"*"}
	for _, op := range w.Registry.Ops() {
		if op.Proof != 0 {
			scopes = append(scopes, op.Name)
		}
	}
	return scopes
}

func (w *world) enter(name string, p *person) {
	w.Helper()
	p.cookie, _ = w.session(p)
	w.arm(p)
	r := w.must(p.Actor, "token.create", map[string]any{"name": "test", "expires_in": 30, "scope": w.everything()})
	p.bearer = revealed(r.Output, "Token")
	w.given = append(w.given, p.bearer)
	w.people[name] = p
	w.rest(p, "GET", "/api/v1/log/status", nil) // the first use of a token is noted
}

// someone returns who has a role: of several the first.
func (w *world) someone(roles act.Role, but ...string) (string, bool) {
	for _, x := range []struct {
		role act.Role
		name string
	}{{act.Primary, "administrator"}, {act.Additional, "additional"}, {act.Reseller, "reseller"}, {act.Customer, "customer"}, {act.Auditor, "auditor"}, {act.Stranger, "stranger"}, {act.System, "system"}} {
		if roles&x.role != 0 && !slices.Contains(but, x.name) {
			return x.name, true
		}
	}
	return "", false
}

// actor is who has that name.
func (w *world) actor(name string) act.Actor {
	switch name {
	case "stranger":
		a := nobody
		w.made++ // failures of one network are exact only up to a limit
		a.Address = fmt.Sprintf("198.%d.%d.1", 18+w.made>>8&1, w.made&255)
		a.Address = fmt.Sprintf("10.%d.%d.1", w.made>>8&255, w.made&255)
		return a
	case "system":
		return act.SystemActor("test")
	}
	a := w.people[name].Actor
	a.Proof = w.now() // the tests may take longer than a proof is fresh
	return a
}

// settle waits until no job runs, so that nothing changes but by the test.
func (w *world) settle() {
	w.Helper()
	if _, ok := w.Registry.Op("job.list"); !ok {
		return
	}
	deadline := time.Now().Add(time.Minute)
	for strings.Contains(fmt.Sprint(fields(w.must(console, "job.list", nil).Output)), "running") {
		if time.Now().After(deadline) {
			w.Fatal("the jobs of the start do not end")
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

// snapshot is one look at the database.
func (w *world) snapshot(f func(*store.Snapshot)) {
	w.Helper()
	s, err := w.Store.Snapshot(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	defer s.Close()
	f(s)
}

// column returns the first column of an answer as text.
func (w *world) column(s *store.Snapshot, q string, args ...any) (all []string) {
	w.Helper()
	rows, err := s.Query(context.Background(), q, args...)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			w.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// tables are those of the features; the frame's own are left out.
func (w *world) tables(s *store.Snapshot) []string {
	w.Helper()
	q := `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`
	if w.Database != "" && strings.HasPrefix(w.Database, "postgres") {
		q = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`
	}
	return slices.DeleteFunc(w.column(s, q), func(name string) bool {
		for _, own := range []string{"store_", "ledger_", "act_", "sqlite_"} {
			if strings.HasPrefix(name, own) {
				return true
			}
		}
		return false
	})
}

// state is a digest of each table of the features.
func (w *world) state() map[string]string {
	w.Helper()
	sums := map[string]string{}
	w.snapshot(func(s *store.Snapshot) {
		for _, table := range w.tables(s) {
			sums[table] = w.rows(s, table)
		}
	})
	if len(sums) < 5 {
		w.Fatalf("only the tables %v were found: the test looks at the wrong place", slices.Sorted(maps.Keys(sums)))
	}
	return sums
}

func (w *world) rows(s *store.Snapshot, table string) string {
	w.Helper()
	rows, err := s.Query(context.Background(), "SELECT * FROM "+table)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		w.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		cells, to := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			w.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%q", cells))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return fmt.Sprintf("%d rows %s", len(lines), hex.EncodeToString(sum[:8]))
}

// changed names the tables that differ between two states.
func changed(before, after map[string]string) (names []string) {
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name+": "+before[name]+" -> "+after[name])
		}
	}
	slices.Sort(names)
	return names
}

// records returns how many leaves there are.
func (w *world) records() (n int) {
	w.Helper()
	w.snapshot(func(s *store.Snapshot) {
		if err := s.QueryRow(context.Background(), `SELECT count(*) FROM ledger_entry`).Scan(&n); err != nil {
			w.Fatal(err)
		}
	})
	return n
}

// since returns the leaves that came after the first n.
func (w *world) since(n int) (leaves []string) {
	w.Helper()
	w.snapshot(func(s *store.Snapshot) {
		leaves = w.column(s, `SELECT leaf FROM ledger_entry WHERE seq >= $1 ORDER BY seq`, n)
	})
	return leaves
}

// kept is an index of everything that the house keeps, by where: each file of its folder but
// the keys, its own log, and on PostgreSQL each table as text.
func (w *world) kept() map[string]*suffixarray.Index {
	w.Helper()
	all, err := w.files()
	for range 50 { // a bundle of the log that is full takes the place of its beginning
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		all, err = w.files()
	}
	if err != nil {
		w.Fatal(err)
	}
	w.snapshot(func(s *store.Snapshot) {
		if !strings.HasPrefix(w.Database, "postgres") {
			return
		}
		for _, table := range w.column(s, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`) {
			all[table] = suffixarray.New([]byte(strings.Join(w.column(s, `SELECT t::text FROM "`+table+`" AS t`), "\n")))
		}
	})
	return all
}

// files is everything in the data folder, and what the operator reads.
func (w *world) files() (map[string]*suffixarray.Index, error) {
	all := map[string]*suffixarray.Index{"panel.log": suffixarray.New([]byte(w.logs.String()))}
	return all, filepath.WalkDir(w.data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = suffixarray.New(b)
		return err
	})
}

// holds says where a text is, in any of its forms.
func holds(kept map[string]*suffixarray.Index, text string) (where []string) {
	forms := disguises(text)
	for name, index := range kept {
		if slices.ContainsFunc(forms, func(form string) bool { return len(index.Lookup([]byte(form), 1)) > 0 }) {
			where = append(where, name)
		}
	}
	return where
}

// disguises are the forms in which a text may lie in a file: as it is, in hex, in
// base64 at each of the three places where it may begin, as JSON, and as
// UTF-16, which other tools write.
func disguises(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))), url.QueryEscape(text)}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for skip := range 3 {
			b := e.EncodeToString(append(make([]byte, skip), text...))
			first := (skip*8 + 5) / 6
			if last := len(b) - 2; last > first+8 {
				forms = append(forms, b[first:last])
			}
		}
	}
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(text)); err == nil && len(raw) > 8 {
		forms = append(forms, string(raw)) // what a token or seed stands for
	}
	var wide []byte
	for _, r := range text {
		wide = append(wide, byte(r), byte(r>>8))
	}
	return append(forms, string(wide))
}
