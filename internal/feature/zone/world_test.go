package zone_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// The tenants of these tests: agency is a reseller, shop its customer, rival
// another customer.
const (
	agency = "a_agency"
	shop   = "a_shop"
	rival  = "a_rival"
)

func parent(tenant string) []string {
	switch tenant {
	case shop:
		return []string{agency, core.Provider}
	case core.Provider:
		return nil
	}
	return []string{core.Provider}
}

func actor(tenant string, role act.Role) act.Actor {
	return act.Actor{Kind: "account", ID: "u_" + strings.TrimPrefix(tenant, "a_"), Name: tenant, Role: role, Tenant: tenant, Door: "rest", Address: "192.0.2.1"}
}

// Who acts.
var (
	admin    = actor(core.Provider, act.Primary)
	reseller = actor(agency, act.Reseller)
	customer = actor(shop, act.Customer)
	stranger = actor(rival, act.Customer)
	auditor  = actor(core.Provider, act.Auditor)
)

func ports() zone.Ports {
	return zone.Ports{
		Tenant: func(_ context.Context, v *act.View, text string) (string, error) {
			id := "a_" + strings.TrimPrefix(text, "a_")
			if !slices.Contains([]string{agency, shop, rival}, id) {
				return "", core.Errorf(core.NotFound, "there is no account %q", text)
			}
			return id, nil
		},
		TenantName: func(_ context.Context, _ *act.View, id string) (string, error) {
			return strings.TrimPrefix(id, "a_"), nil
		},
		Above: func(_ context.Context, _ *act.View, tenant string) ([]string, error) { return parent(tenant), nil },
		Below: func(_ context.Context, _ *act.View, tenant string) ([]string, error) {
			if tenant == agency {
				return []string{shop}, nil
			}
			return nil, nil
		},
	}
}

// accounts stands for the feature that keeps accounts: a tenant owns itself.
func accounts() act.Feature {
	return act.Feature{Name: "account", SQL: fstest.MapFS{}, Kinds: []act.Kind{{Name: "account",
		Owner:  func(_ context.Context, _ *act.View, id string) (string, error) { return id, nil },
		Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
		IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil },
	}}}
}

// world is a bus with zones on a real database.
type world struct {
	*act.Bus
	t     testing.TB
	zones *zone.Zones
	kind  act.Kind
	store *store.Store
	url   string
	reg   *act.Registry

	keeper keeper.Keeper
	ends   chan string // how each job ended
}

// jobs stands for the feature that keeps jobs on record.
type jobs struct{ ends chan string }

func (jobs) Begin(context.Context, *act.Bus, act.Actor, string, string) (string, act.Result, error) {
	return "j_1", act.Result{State: act.Pending}, nil
}

func (j jobs) End(_ context.Context, _ *act.Bus, _, summary string, err error) error {
	if err != nil {
		summary += ": " + err.Error()
	}
	j.ends <- summary
	return nil
}

func registry(t testing.TB, z *zone.Zones) *act.Registry {
	t.Helper()
	reg, err := act.NewRegistry(accounts(), z.Feature())
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func migrations(z *zone.Zones) []store.Migration {
	return []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "zone", FS: z.Feature().SQL}}
}

// each runs f on both engines.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) { f(t, newWorld(t, url, nil)) })
}

func newWorld(t testing.TB, url string, change func(*zone.Ports, *act.Config)) *world {
	t.Helper()
	p, c := ports(), act.Config{}
	if change != nil {
		change(&p, &c)
	}
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(t.TempDir(), "keys")})
	if err != nil {
		t.Fatal(err)
	}
	p.NewKey = func(ctx context.Context, zone rr.Name, flags uint16, a sign.Algorithm) (sign.Public, string, error) {
		public, sealed, err := k.NewZoneKey(ctx, zone, flags, a)
		return public, base64.StdEncoding.EncodeToString(sealed), err
	}
	z := zone.New(p)
	s := storetest.Open(t, url, migrations(z))
	w := storetest.Acquire(t, s)
	c.Registry, c.Store, c.Writer = registry(t, z), s, w
	if c.Clock == nil {
		c.Clock = core.SystemClock
	}
	c.Book = ledger.NewBook(k, c.Clock)
	c.Log = slog.New(slog.NewTextHandler(testLog{t}, nil))
	ends := make(chan string, 8)
	c.Jobs = jobs{ends}
	c.Spool = filepath.Join(t.TempDir(), "spool")
	c.Scope = func(_ context.Context, _ *act.View, tenant string) ([]string, error) { return parent(tenant), nil }
	b, err := act.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); _ = w.Close(); _ = k.Close() })
	kind, _ := c.Registry.Kind("zone")
	return &world{Bus: b, t: t, zones: z, kind: kind, store: s, url: url, reg: c.Registry, keeper: k, ends: ends}
}

// testLog shows what the operator would read, but for slow operations: the
// machine that runs tests is busy.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	if !strings.Contains(string(b), "slow operation") {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

type fields map[string]any

// do runs one operation.
func (w *world) do(a act.Actor, op string, in fields, more ...func(*act.Call)) (act.Result, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	c := act.Call{Op: op, Actor: a, Input: raw}
	for _, f := range more {
		f(&c)
	}
	return w.Do(context.Background(), c)
}

// must runs one operation that has to succeed, and returns its output.
func must[O any](w *world, a act.Actor, op string, in fields, more ...func(*act.Call)) (O, act.Result) {
	w.t.Helper()
	r, err := w.do(a, op, in, more...)
	if err != nil {
		w.t.Fatalf("%s: %v", op, err)
	}
	out, ok := r.Output.(O)
	if !ok {
		w.t.Fatalf("%s answered with %T", op, r.Output)
	}
	return out, r
}

// fails runs one operation that has to fail with a code, and returns the sentence.
func (w *world) fails(code core.Code, a act.Actor, op string, in fields, more ...func(*act.Call)) string {
	w.t.Helper()
	_, err := w.do(a, op, in, more...)
	if err == nil {
		w.t.Fatalf("%s %v succeeded; it must fail with %s", op, in, code)
	}
	e, ok := errors.AsType[*core.Error](err)
	if !ok || e.Code != code {
		w.t.Fatalf("%s failed with %v; it must fail with %s", op, err, code)
	}
	return e.Sentence()
}

func preview(c *act.Call)   { c.Preview = true }
func confirmed(c *act.Call) { c.Confirmed = true }
func expect(v uint64) func(*act.Call) {
	return func(c *act.Call) { c.Expect = v }
}

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// kranewitt imports the small firm's zone for the customer.
func (w *world) kranewitt() zone.Changed {
	w.t.Helper()
	out, _ := must[zone.Changed](w, customer, "zone.import", fields{"file": sample(w.t, "kranewitt.example.zone")})
	return out
}

// count counts rows by a constant text.
func (w *world) count(q string) (n int) {
	w.t.Helper()
	s, err := w.store.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	if err := s.QueryRow(context.Background(), q).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// rows counts all rows of the feature.
func (w *world) rows() [4]int {
	return [4]int{w.count(`SELECT count(*) FROM zone_zone`), w.count(`SELECT count(*) FROM zone_rrset`),
		w.count(`SELECT count(*) FROM zone_version`), w.count(`SELECT count(*) FROM zone_digest`)}
}

// last returns the newest leaf of the log as text.
func (w *world) last() string {
	w.t.Helper()
	s, err := w.store.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	var leaf []byte
	if err := s.QueryRow(context.Background(), `SELECT leaf FROM ledger_entry ORDER BY seq DESC LIMIT 1`).Scan(&leaf); err != nil {
		w.t.Fatal(err)
	}
	return string(leaf)
}

// digests returns the running digest of a zone and the one made of its rows.
func (w *world) digests(id string) (running, rows string) {
	w.t.Helper()
	err := w.Look(context.Background(), "test", func(v *act.View) (err error) {
		if running, err = w.kind.Digest(context.Background(), v, id); err == nil {
			rows, err = w.kind.Recompute(context.Background(), v, id)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return running, rows
}

// generous is how long a test waits for what should come at once.
const generous = 20 * time.Second
