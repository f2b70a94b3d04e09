package web_test

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/web"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

//go:embed testdata/page
var pages embed.FS

// The toy feature of these tests keeps zones, with every kind of field and of
// page that a real feature has.
var toySQL = fstest.MapFS{"sql/0001_zone.sql": {Data: []byte(`
-- object: table=zone kind=zone id=id
CREATE TABLE zone (id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL UNIQUE, ttl BIGINT NOT NULL, note TEXT NOT NULL, data TEXT NOT NULL);
-- object: table=token kind=token id=id
CREATE TABLE token (id TEXT PRIMARY KEY, owner TEXT NOT NULL, label TEXT NOT NULL);
`)}}

type zoneRow struct {
	ID      string   `json:"id" log:"-"`
	Owner   string   `json:"owner" log:"personal"`
	Name    string   `json:"name"`
	TTL     int      `json:"ttl"`
	Note    string   `json:"note"`
	Records []record `json:"records" log:"-"`
}

func (z zoneRow) State() string {
	return []string{"in force", "pending", "drift", "unchanged", "disabled"}[len(z.Name)%5]
}

type record struct {
	Name string `json:"name" doc:"owner name, @ for the zone itself" rule:"required,max=255"`
	Type string `json:"type" doc:"type of the record" rule:"required,enum=A|AAAA|MX|TXT|CNAME"`
	TTL  int    `json:"ttl" doc:"seconds; empty: the zone’s" rule:"max=604800"`
	Data string `json:"rdata" doc:"value as in a zone file" rule:"required,max=4096"`
}

type createIn struct {
	Name    string      `json:"name" doc:"name of the zone, such as example.org" rule:"required,max=253" cli:"arg"`
	Kind    string      `json:"kind" doc:"who keeps the data" rule:"enum=primary|secondary"`
	TTL     int         `json:"defaultTTL" doc:"seconds that a record without its own time to live may be cached" rule:"min=0,max=604800"`
	DNSSEC  bool        `json:"dnssec" doc:"sign the zone from its first day"`
	Masters []string    `json:"masters" doc:"addresses to transfer from, one a line; for a secondary only"`
	Notify  []string    `json:"notify" doc:"who is told of a change" rule:"enum=secondaries|webhook|mail"`
	Records []record    `json:"records" doc:"first records, all or none of them" rule:"max=50"`
	Note    string      `json:"note" doc:"for yourself and your colleagues" form:"textarea" rule:"max=2000"`
	Secret  core.Secret `json:"transferSecret" doc:"shared secret of the transfer key" rule:"max=64"`
	File    act.File    `json:"file" doc:"a BIND zone file to begin with"`
}

func (in *createIn) Validate(f *core.Faults) {
	if in.Name != "" && !strings.Contains(in.Name, ".") {
		f.Add("name", in.Name, "must have at least two labels, such as example.org")
	}
}

type zoneIn struct {
	Zone string `json:"zone" doc:"id of the zone" rule:"required" cli:"arg"`
}

type updateIn struct {
	Zone string `json:"zone" doc:"id of the zone" rule:"required" cli:"arg"`
	TTL  int    `json:"ttl" doc:"default time to live in seconds" rule:"required,min=30,max=604800"`
	Note string `json:"note" doc:"for yourself and your colleagues" form:"textarea"`
}

type listIn struct {
	Text  string `json:"q" doc:"part of the name"`
	Sort  string `json:"sort" doc:"name or -name"`
	After string `json:"after" doc:"cursor of the next page"`
	Most  int    `json:"most" doc:"rows of a page" rule:"max=500"`
}

type listOut struct {
	Zones []zoneRow `json:"zones"`
	Next  string    `json:"next"`
	Total int       `json:"total"`
}

func readZone(ctx context.Context, v *act.View, id string) (zoneRow, error) {
	z, data := zoneRow{ID: id}, ""
	found, err := v.Get(ctx, `SELECT owner, name, ttl, note, data FROM zone WHERE id = $1`, []any{id}, &z.Owner, &z.Name, &z.TTL, &z.Note, &data)
	if err == nil && !found {
		return z, core.Errorf(core.NotFound, "there is no zone %q", id)
	}
	_ = json.Unmarshal([]byte(data), &z.Records)
	return z, err
}

func digest(err error, state any) (string, error) {
	if err != nil {
		if core.CodeOf(err) == core.NotFound {
			return "", nil
		}
		return "", err
	}
	return act.DigestOf(state)
}

var zoneKind = act.Kind{Name: "zone", Title: "Zones", Path: "/zones/{id}",
	Owner: func(ctx context.Context, v *act.View, id string) (string, error) {
		z, err := readZone(ctx, v, id)
		return z.Owner, err
	},
	Digest: func(ctx context.Context, v *act.View, id string) (string, error) {
		z, err := readZone(ctx, v, id)
		return digest(err, z)
	},
	IDs: func(context.Context, *act.View) ([]string, error) { return nil, nil },
	Find: func(ctx context.Context, v *act.View, text string, most int) (hits []act.Hit, err error) {
		err = v.Each(ctx, `SELECT id, name, owner FROM zone WHERE name LIKE '%' || $1 || '%' ORDER BY name LIMIT $2`, []any{text, most}, func(scan func(...any) error) error {
			hits = append(hits, act.Hit{})
			return scan(&hits[len(hits)-1].ID, &hits[len(hits)-1].Name, &hits[len(hits)-1].Owner)
		})
		return hits, err
	}}

var tokenKind = act.Kind{Name: "token",
	Owner: func(ctx context.Context, v *act.View, id string) (owner string, err error) {
		_, err = v.Get(ctx, `SELECT owner FROM token WHERE id = $1`, []any{id}, &owner)
		return owner, err
	},
	Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
	IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil }}

func zoneTarget(_ context.Context, _ *act.View, in *zoneIn) (core.Ref, error) {
	return core.Ref{Kind: "zone", ID: in.Zone}, nil
}

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

var zoneCreate = act.Change[createIn, zoneRow]{Name: "zone.create", Doc: "create a zone", Class: "dns", Roles: act.Hosted,
	Must: []string{"zone.created"}, Sample: createIn{Name: "example.org"}, Target: nowhere[createIn],
	Run: func(ctx context.Context, tx *act.Tx, in createIn) (zoneRow, error) {
		z := zoneRow{ID: core.NewID("z"), Owner: tx.Actor().Tenant, Name: in.Name, TTL: cmp.Or(in.TTL, 3600), Note: in.Note, Records: in.Records}
		if f, err := tx.Open(in.File); err == nil {
			text, _ := io.ReadAll(f)
			_ = f.Close()
			z.Note += string(text)
		}
		if taken, err := tx.Get(ctx, `SELECT id FROM zone WHERE name = $1`, []any{in.Name}, new(string)); err != nil || taken {
			return z, cmp.Or(err, error(core.Errorf(core.Conflict, "there is a zone %s already", in.Name)))
		}
		data, _ := json.Marshal(z.Records)
		if _, err := tx.Exec(ctx, `INSERT INTO zone (id, owner, name, ttl, note, data) VALUES ($1, $2, $3, $4, $5, $6)`, z.ID, z.Owner, z.Name, z.TTL, z.Note, string(data)); err != nil {
			return z, err
		}
		fields := act.Diff(nil, z)
		if !in.Secret.Empty() {
			fields = append(fields, act.Field{Name: "transferSecret", Secret: true})
		}
		return z, tx.Record(ctx, "zone.created", core.Ref{Kind: "zone", ID: z.ID}, fields...)
	}}

var zoneUpdate = act.Change[updateIn, zoneRow]{Name: "zone.update", Doc: "change a zone’s settings", Class: "dns", Roles: act.Hosted,
	Must: []string{"zone.updated"}, Sample: updateIn{Zone: "z_1", TTL: 600},
	Target: func(_ context.Context, _ *act.View, in *updateIn) (core.Ref, error) {
		return core.Ref{Kind: "zone", ID: in.Zone}, nil
	},
	Run: func(ctx context.Context, tx *act.Tx, in updateIn) (zoneRow, error) {
		old, err := readZone(ctx, &tx.View, in.Zone)
		z := old
		if z.TTL, z.Note = in.TTL, in.Note; err != nil || len(act.Diff(old, z)) == 0 {
			return z, err
		}
		if _, err := tx.Exec(ctx, `UPDATE zone SET ttl = $1, note = $2 WHERE id = $3`, z.TTL, z.Note, z.ID); err != nil {
			return z, err
		}
		return z, tx.Record(ctx, "zone.updated", core.Ref{Kind: "zone", ID: z.ID}, act.Diff(old, z)...)
	}}

var zoneDelete = act.Change[zoneIn, string]{Name: "zone.delete", Doc: "delete a zone and all its records", Class: "dns", Roles: act.Hosted, Confirm: true,
	Must: []string{"zone.deleted"}, Sample: zoneIn{"z_1"}, Target: zoneTarget,
	Run: func(ctx context.Context, tx *act.Tx, in zoneIn) (string, error) {
		z, err := readZone(ctx, &tx.View, in.Zone)
		if err != nil {
			return "", err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM zone WHERE id = $1`, in.Zone); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "zone.deleted", core.Ref{Kind: "zone", ID: in.Zone}, act.Diff(z, nil)...)
	}}

var zoneShow = act.Query[zoneIn, zoneRow]{Name: "zone.show", Doc: "show a zone", Class: "dns", Roles: act.Readers, Sample: zoneIn{"z_1"}, Target: zoneTarget,
	Run: func(ctx context.Context, v *act.View, in zoneIn) (zoneRow, error) { return readZone(ctx, v, in.Zone) }}

var zoneList = act.Query[listIn, listOut]{Name: "zone.list", Doc: "list zones", Class: "dns", Roles: act.Readers, Sample: listIn{Most: 10}, Target: nowhere[listIn],
	Run: func(ctx context.Context, v *act.View, in listIn) (out listOut, err error) {
		most := cmp.Or(in.Most, 50)
		err = v.Each(ctx, `SELECT id FROM zone WHERE name LIKE '%' || $1 || '%' AND name > $2 AND ($3 = 'provider' OR owner = $3) ORDER BY name LIMIT 501`, []any{in.Text, in.After, v.Actor().Tenant}, func(scan func(...any) error) error {
			z := zoneRow{}
			if err := scan(&z.ID); err != nil || len(out.Zones) > most {
				return err
			}
			z, err := readZone(ctx, v, z.ID)
			out.Zones = append(out.Zones, z)
			return err
		})
		if out.Total = len(out.Zones); out.Total > most {
			out.Zones, out.Next = out.Zones[:most], out.Zones[most-1].Name
		}
		return out, err
	}}

type mintIn struct {
	Label string `json:"label" doc:"what the token is for" rule:"required,max=60"`
}
type mintOut struct {
	ID    string      `json:"id"`
	Token core.Secret `json:"token"`
}

var tokenMint = act.Change[mintIn, mintOut]{Name: "token.mint", Doc: "mint an API token", Class: "authentication", Roles: act.Admins, Reveals: true,
	Must: []string{"token.minted"}, Sample: mintIn{"ci"}, Target: nowhere[mintIn],
	Run: func(ctx context.Context, tx *act.Tx, in mintIn) (mintOut, error) {
		out := mintOut{core.NewID("t"), core.NewSecret("shown-once-token")}
		if _, err := tx.Exec(ctx, `INSERT INTO token (id, owner, label) VALUES ($1, $2, $3)`, out.ID, tx.Actor().Tenant, in.Label); err != nil {
			return out, err
		}
		return out, tx.Record(ctx, "token.minted", core.Ref{Kind: "token", ID: out.ID}, act.Field{Name: "label", New: &in.Label})
	}}

type loginIn struct {
	Login    string      `json:"login" doc:"your account’s name" rule:"required,max=100"`
	Password core.Secret `json:"password" doc:"your password or passphrase" rule:"required,max=256"`
}
type loginOut struct {
	ID    string `json:"id"`
	token core.Secret
	until time.Time
}

func (o loginOut) OpensSession() (core.Secret, time.Time) { return o.token, o.until }

type logoutOut struct{}

func (logoutOut) ClosesSession() {}

// sessions is the toy's session table.
type sessions struct {
	mu    sync.Mutex
	known map[string]act.Actor
}

func (s *sessions) open(a act.Actor) core.Secret {
	token := core.NewToken()
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Session = core.NewID("s")
	s.known[token.Reveal()] = a
	return token
}

func (s *sessions) who(_ context.Context, token core.Secret, _ bool) (act.Actor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.known[token.Reveal()]; ok {
		return a, nil
	}
	return act.Actor{}, core.Errorf(core.Unauthenticated, "this session is over")
}

func person(name, tenant string, role act.Role) act.Actor {
	return act.Actor{Kind: "account", ID: "a_" + name, Name: name, Role: role, Tenant: tenant, Door: "web", Proof: time.Now()}
}

var (
	admin    = person("margit", core.Provider, act.Primary)
	customer = person("baker", "bakery", act.Customer)
	auditor  = person("quist", core.Provider, act.Auditor)
)

func (s *sessions) login() act.Change[loginIn, loginOut] {
	return act.Change[loginIn, loginOut]{Name: "session.open", Doc: "log in", Class: "authentication", Roles: act.Stranger | act.Readers,
		Must: []string{"token.opened"}, Sample: loginIn{Login: "margit"}, Target: nowhere[loginIn],
		Run: func(ctx context.Context, tx *act.Tx, in loginIn) (loginOut, error) {
			if in.Login != "margit" || in.Password.Reveal() != "correct horse battery" {
				return loginOut{}, core.Errorf(core.Unauthenticated, "the name or the password is wrong")
			}
			out := loginOut{core.NewID("t"), s.open(admin), tx.Now().Add(time.Hour)}
			if _, err := tx.Exec(ctx, `INSERT INTO token (id, owner, label) VALUES ($1, $2, $3)`, out.ID, core.Provider, "session"); err != nil {
				return out, err
			}
			return out, tx.Record(ctx, "token.opened", core.Ref{Kind: "token", ID: out.ID})
		}}
}

func (s *sessions) logout() act.Change[struct{}, logoutOut] {
	return act.Change[struct{}, logoutOut]{Name: "session.close", Doc: "log out", Class: "authentication", Roles: act.Readers,
		May: []string{"token.closed"}, Target: nowhere[struct{}],
		Run: func(context.Context, *act.Tx, struct{}) (logoutOut, error) { return logoutOut{}, nil }}
}

type setupIn struct {
	Token    core.Secret `json:"token" doc:"from the link that the server printed" rule:"required,max=100"`
	Login    string      `json:"login" doc:"name to log in with" rule:"required,max=100"`
	Password core.Secret `json:"password" form:"new-password" doc:"at least 15 characters; a sentence is fine" rule:"required,min=15,max=256"`
}

var accountSetup = act.Change[setupIn, string]{Name: "account.setup", Doc: "create the first administrator", Class: "account", Roles: act.Stranger,
	May: []string{"token.opened"}, Sample: setupIn{Login: "margit"}, Target: nowhere[setupIn],
	Run: func(context.Context, *act.Tx, setupIn) (string, error) {
		return "", core.Errorf(core.Denied, "this set-up link was used already")
	}}

type logIn struct {
	Class string `json:"class" doc:"log class"`
}
type logRow struct {
	ID      string      `json:"id"`
	Time    time.Time   `json:"time"`
	Action  string      `json:"action"`
	Actor   string      `json:"actor"`
	Address string      `json:"address"`
	Door    string      `json:"door"`
	Object  string      `json:"object"`
	Outcome string      `json:"outcome"`
	Fields  []act.Field `json:"fields"`
}
type bucket struct {
	From, To              time.Time
	Done, Refused, Failed int
}
type logOut struct {
	Rows    []logRow `json:"rows"`
	Buckets []bucket `json:"buckets"`
}

// instant is when all of this happens.
var instant = time.Date(2026, 11, 22, 17, 6, 44, 120000000, time.UTC)

func madeUpLog() (out logOut) {
	actions := []string{"zone.record.add", "session.open", "zone.create", "account.create", "policy.adopt", "zone.import"}
	outcomes := []string{"done", "done", "done", "unchanged", "refused", "done", "failed", "read"}
	for i := range 60 {
		out.Rows = append(out.Rows, logRow{ID: fmt.Sprintf("r_%04d", i), Time: instant.Add(-time.Duration(i*i*7) * time.Second),
			Action: actions[i*5%6], Actor: []string{"margit", "baker", "quist", "—"}[i%4], Address: []string{"192.0.2.17", "2001:db8:4:11::8f2", "198.51.100.4"}[i%3],
			Door: []string{"web", "cli", "rest"}[i%3], Object: "zone:example.org", Outcome: outcomes[i*3%8]})
	}
	for i := range 48 {
		from := instant.Truncate(time.Hour).Add(time.Duration(i-47) * time.Hour)
		out.Buckets = append(out.Buckets, bucket{from, from.Add(time.Hour), (i*i*7 + 3) % 41, i % 5, i % 11 / 9})
	}
	return out
}

var logList = act.Query[logIn, logOut]{Name: "log.list", Doc: "list log records", Class: "log", Roles: act.Readers, Target: nowhere[logIn],
	Run: func(context.Context, *act.View, logIn) (logOut, error) { return madeUpLog(), nil }}

var logTail = act.Stream[logIn]{Name: "log.tail", Doc: "follow the log", Class: "log", Roles: act.Readers, Target: nowhere[logIn],
	Run: func(_ context.Context, s *act.Flow, _ logIn) error {
		for _, r := range madeUpLog().Rows[:3] {
			if err := s.Send(r); err != nil {
				return err
			}
		}
		return nil
	}}

var zoneBreak = act.Query[zoneIn, string]{Name: "zone.break", Doc: "answer with a fault of ours", Class: "dns", Roles: act.Admins, Target: nowhere[zoneIn],
	Run: func(context.Context, *act.View, zoneIn) (string, error) {
		return "", fmt.Errorf("cause-for-the-operator")
	}}

func ask(op string, in any) act.Call {
	b, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return act.Call{Op: op, Input: b}
}

func toyPages() []act.Page {
	page := func(path, title, section, icon, file string, order int, calls func(map[string]string, url.Values) map[string]act.Call) act.Page {
		return act.Page{Path: path, Title: title, Section: section, Icon: icon, Order: order, Roles: act.Readers, Template: pages, File: "testdata/page/" + file, Calls: calls}
	}
	return []act.Page{
		page("/zones", "Zones", "DNS", "zone", "zones.html", 1, func(_ map[string]string, q url.Values) map[string]act.Call {
			return map[string]act.Call{"zones": ask("zone.list", listIn{Text: q.Get("q"), Sort: q.Get("sort"), After: q.Get("after")})}
		}),
		page("/zones/new", "New zone", "DNS", "zone", "new.html", 2, nil),
		page("/zones/{zone}", "Zone", "", "zone", "zone.html", 3, func(p map[string]string, _ url.Values) map[string]act.Call {
			return map[string]act.Call{"zone": ask("zone.show", zoneIn{p["zone"]})}
		}),
		page("/log", "Action log", "Proof", "log", "log.html", 9, func(_ map[string]string, q url.Values) map[string]act.Call {
			return map[string]act.Call{"log": ask("log.list", logIn{q.Get("class")})}
		}),
		page("/log/{record}", "Record", "", "log", "record.html", 9, nil),
		page("/empty", "Secondaries", "DNS", "server", "empty.html", 3, nil),
	}
}

// panel is a face over a real bus and a real database, behind TLS.
type panel struct {
	*httptest.Server
	face     *web.Face
	bus      *act.Bus
	sessions *sessions
	ready    bool
	ledger   web.Ledger
	log      *lines
}

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newPanel(t *testing.T, more ...act.Page) *panel {
	t.Helper()
	p := &panel{sessions: &sessions{known: map[string]act.Actor{}}, ready: true, log: &lines{},
		ledger: web.Ledger{Records: 48213, Sealed: 48213, SealedAt: instant.Add(-3 * time.Second), Root: "9f3a77c1d20ebb4185a0c3d9"}}
	feature := act.Feature{Name: "toy", SQL: toySQL, Kinds: []act.Kind{zoneKind, tokenKind}, Pages: append(toyPages(), more...),
		Ops: []act.Declaration{zoneCreate, zoneUpdate, zoneDelete, zoneShow, zoneList, tokenMint, accountSetup, logList, logTail, zoneBreak, p.sessions.login(), p.sessions.logout()}}
	reg, err := act.NewRegistry(feature)
	if err != nil {
		t.Fatal(err)
	}
	p.bus = newBus(t, reg, p.log)
	p.face, err = web.New(web.Config{Registry: reg, Bus: p.bus, Session: p.sessions.who, Clock: func() time.Time { return instant },
		Logger: slog.New(slog.NewTextHandler(p.log, nil)), Ready: func(context.Context) bool { return p.ready },
		Ledger: func(context.Context) web.Ledger { return p.ledger },
		Login:  "session.open", Setup: "account.setup", Logout: "session.close", Record: "/log/{id}", Browser: "/log", Version: "0.1", Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewTLSServer(p.face)
	t.Cleanup(p.Close)
	return p
}

func newBus(t *testing.T, reg *act.Registry, log io.Writer) *act.Bus {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + filepath.Join(dir, "panel.db"), Migrations: []store.Migration{
		{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "toy", FS: fs.FS(toySQL)}}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := act.New(act.Config{Registry: reg, Store: s, Writer: w, Book: ledger.NewBook(k, core.SystemClock), Clock: core.SystemClock,
		Log: slog.New(slog.NewTextHandler(log, nil)), Spool: filepath.Join(dir, "spool"),
		Scope: func(context.Context, *act.View, string) ([]string, error) { return []string{core.Provider}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); _ = w.Close(); _ = s.Close(); _ = k.Close() })
	return b
}

// zone makes a zone and returns its id.
func (p *panel) zone(t testing.TB, a act.Actor, name string, records ...record) string {
	t.Helper()
	z, _, err := zoneCreate.Call(t.Context(), p.bus, a, createIn{Name: name, Note: "first of its kind", Records: records})
	if err != nil {
		t.Fatal(err)
	}
	return z.ID
}

// browser is a client with cookies that follows no redirect.
type browser struct {
	*http.Client
	t   testing.TB
	url string
}

func (p *panel) browser(t testing.TB, a *act.Actor) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *p.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b := &browser{&c, t, p.URL}
	if a != nil {
		home, _ := url.Parse(p.URL)
		jar.SetCookies(home, []*http.Cookie{{Name: "__Host-session", Value: p.sessions.open(*a).Reveal(), Path: "/", Secure: true}})
	}
	return b
}

type answer struct {
	*http.Response
	text string
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}
