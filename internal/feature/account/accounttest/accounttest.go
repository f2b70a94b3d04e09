// Package accounttest joins the features that decide who gets in on a real bus,
// store, ledger and keeper, with a clock that tests move, and tries them from
// outside through act.Bus.Do. After each test it holds every object's state
// against the newest digest in the log. Passkeys are played by Browser; real ones
// are proved in a real browser by the tests of the whole house.
package accounttest

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/adapter/strength"
	"hostward/internal/core"
	"hostward/internal/feature/access"
	"hostward/internal/feature/account"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/login"
	"hostward/internal/feature/notice"
	"hostward/internal/feature/password"
	"hostward/internal/feature/token"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// House is the features, joined.
type House struct {
	*act.Bus
	T         *testing.T
	Accounts  *account.Accounts
	Logins    *login.Login
	Factors   *factor.Factors
	Notices   *notice.Notices
	Access    *access.Access
	Passwords *password.Passwords
	Tokens    *token.Tokens
	Registry  *act.Registry
	Store     *store.Store
	URL       string // of the database

	Keeper keeper.Keeper
	Keys   string // folder of its keys

	NIS2     bool            // the mode is on
	Mails    bool            // the server may send mail
	Breached map[string]bool // passwords of the offline list
	Log      []Entered       // what access.try is told about
	Sets     access.Sets     // where sets of networks are kept; each is made anew unless a test sets it
	Seeded   func()          // called within totp.begin, once the seed is sealed; nil: nothing is

	mu       sync.Mutex
	now      time.Time
	failures []login.Failure
	gate     *Gate // see Block
	cheap    bool  // hashes count as made with other costs than today's
	checks   int   // passwords that were held against a hash, or against nothing
	logged   strings.Builder
	held     string // what every account is said to own
	first    func() // see First
	between  func() // see Meanwhile
}

// Good is a password that the floor lets through.
const Good = "seven brown hens under a ladder"

// Each runs f on every engine with a house that has no administrator yet.
func Each(t *testing.T, f func(t *testing.T, h *House)) { t.Helper(); EachWith(t, More{}, f) }

// More is what one test needs besides.
type More struct {
	// Join joins more features, and who keeps jobs, with a house that is not open yet.
	Join func(h *House) ([]act.Feature, act.Jobs)
	// Credentials is the folder in which systemd hands over the secret key, "" for none.
	Credentials string
}

// EachWith is Each with more in the house.
func EachWith(t *testing.T, more More, f func(t *testing.T, h *House)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) { f(t, open(t, url, more)) })
}

func open(t *testing.T, url string, more More) *House {
	h := &House{T: t, URL: url, Accounts: account.New(), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Keys: filepath.Join(t.TempDir(), "keys"), Sets: noSets{}}
	k := must(keeper.Open(keeper.Config{Dir: h.Keys, Credentials: more.Credentials}))(t)
	h.Keeper = k
	h.join(k)
	features := []act.Feature{h.Accounts.Feature(), h.Logins.Feature(), h.Factors.Feature(), h.Passwords.Feature(), h.Access.Feature(), h.Tokens.Feature(), h.Notices.Feature()}
	var jobs act.Jobs
	if more.Join != nil {
		var besides []act.Feature
		besides, jobs = more.Join(h)
		features = append(features, besides...)
	}
	h.Registry = must(act.NewRegistry(features...))(t)
	migrations := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}}
	for _, f := range features {
		migrations = append(migrations, store.Migration{Name: f.Name, FS: f.SQL})
	}
	h.Store = storetest.Open(t, url, migrations)
	w := storetest.Acquire(t, h.Store)
	h.Bus = must(act.New(act.Config{Registry: h.Registry, Store: h.Store, Writer: w, Book: ledger.NewBook(k, h.Clock), Clock: h.Clock,
		Log: slog.New(slog.NewTextHandler(h, nil)), Spool: filepath.Join(t.TempDir(), "spool"), Scope: h.Accounts.Scope,
		Admit: h.Access.Admit, Jobs: jobs, Wake: func(context.Context, string, []core.Ref) string { return act.Pending }}))(t)
	t.Cleanup(func() { h.agree(); h.Bus.Close(); _ = w.Close(); _ = k.Close() })
	return h
}

// join is what the house does with its features.
func (h *House) join(k keeper.Keeper) {
	mails := func() bool { return h.Mails }
	nis2 := func() bool { return h.NIS2 }
	h.Notices = notice.New(h.Accounts, mails)
	h.Access = access.New(access.Ports{Sets: sets{h}, Accounts: h.Accounts, Logins: h.logins})
	h.Factors = factor.New(factor.Ports{Accounts: h.Accounts, Codes: codes{k, h}, Passkeys: Browser{}, Notices: h.Notices, NIS2: nis2,
		Issuer: func() string { return "Hostward test" },
		Seal: func(ctx context.Context, ad []byte, seed core.Secret) ([]byte, error) {
			return k.Seal(ctx, keeper.TOTP, ad, raw(seed.Reveal()))
		}})
	estimator := strength.New(2)
	h.Passwords = password.New(password.Ports{
		Estimate: func(ctx context.Context, text string, words []string) (password.Guess, error) {
			g, err := estimator.Estimate(ctx, text, words)
			return password.Guess{Score: g.Score, Guesses: g.Guesses, Common: g.Common, Why: g.Why, Advice: g.Advice}, err
		},
		Breached: func(text string) bool { return h.Breached[text] }, Loaded: func() string { return "" }, NIS2: nis2,
		Inspect: func(_ context.Context, file string) (password.List, error) {
			return password.List{File: file, Digest: file}, nil
		},
		Census: func(ctx context.Context, v *act.View, demand string) (password.Census, error) {
			total, good, weak, err := h.Logins.Census(ctx, v, demand)
			return password.Census{Total: total, Current: good, Weak: weak, Unseen: total - good - weak}, err
		},
		Link: func(ctx context.Context, v *act.View, token core.Secret) ([]string, error) {
			return h.Logins.Claimable(ctx, v, token)
		},
		Names: func(ctx context.Context, v *act.View) ([]string, bool, error) {
			words, err := h.Accounts.Words(ctx, v, v.Actor().ID)
			return words, false, err
		},
	})
	h.Logins = login.New(login.Ports{Accounts: h.Accounts, Hasher: counting{k, h}, Policy: h.Passwords, Factors: second{h.Factors}, Notices: h.Notices,
		Admit: h.Access.Admit, Mails: mails, Report: h.report})
	h.Tokens = token.New(token.Ports{Accounts: h.Accounts, Sessions: h.Logins, Notices: h.Notices, Factors: h.Factors,
		Actions: func(action string) bool {
			_, ok := h.Registry.Op(action)
			return ok || action == "*" || action == "read" || strings.HasSuffix(action, ".*")
		},
		Object: func(ctx context.Context, v *act.View, account, text string) (core.Ref, error) {
			_, word, _ := strings.Cut(text, ":")
			id, err := h.Accounts.Resolve(ctx, v, word)
			return core.Ref{Kind: "account", ID: id}, err
		}})
	h.Factors.Join(h.Logins, h.Tokens)
	h.Accounts.Join([]account.Way{h.Logins, h.Tokens, h.Factors, h.Notices}, []account.Holding{h}, h.Notices)
}

type second struct{ *factor.Factors }

func (s second) Standing(ctx context.Context, v *act.View, who act.Actor) (login.Standing, error) {
	x, err := s.Factors.Standing(ctx, v, who)
	return login.Standing(x), err
}

// sets are those of the house's Sets, whichever that is now.
type sets struct{ h *House }

func (s sets) Get(version string) (*core.Networks, bool) { return s.h.Sets.Get(version) }
func (s sets) Put(version string, set *core.Networks)    { s.h.Sets.Put(version, set) }

// noSets forgets every set, so that each is made anew.
type noSets struct{}

func (noSets) Get(string) (*core.Networks, bool) { return nil, false }
func (noSets) Put(string, *core.Networks)        {}

// Entered is a log-in that the log is said to hold.
type Entered struct {
	Account, Address string
	At               time.Time
}

func (h *House) logins(_ context.Context, _ *act.View, since time.Time, yield func(account, address string, at time.Time) bool) error {
	for _, e := range h.Log {
		if !e.At.Before(since) && !yield(e.Account, e.Address, e.At) {
			break
		}
	}
	return nil
}

func must[T any](x T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

// Clock is the house's time; it moves by a microsecond at each look, so that
// no two records are at once.
func (h *House) Clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(time.Microsecond)
	return h.now
}

// Pass moves the time on.
func (h *House) Pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// Write takes the operator's log.
func (h *House) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logged.Write(b)
}

// Logged is the operator's log so far.
func (h *House) Logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logged.String()
}

func (h *House) report(f login.Failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, f)
}

// counting counts the costly part of a log-in.
type counting struct {
	login.Hasher
	h *House
}

func (c counting) CheckPassword(ctx context.Context, lane string, known bool, phc string, password core.Secret) (ok, rehash bool, err error) {
	c.h.mu.Lock()
	c.h.checks++
	cheap, gate := c.h.cheap, c.h.gate
	c.h.mu.Unlock()
	if gate != nil {
		gate.Arrived <- struct{}{}
		<-gate.Open
	}
	ok, rehash, err = c.Hasher.CheckPassword(ctx, lane, known, phc, password)
	return ok, rehash || ok && cheap, err
}

// Cheap makes every hash count as made with other costs than today's.
func (h *House) Cheap(cheap bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cheap = cheap
}

// Gate stops everybody who checks a password: he sends to Arrived, then waits
// until Open is closed.
type Gate struct{ Arrived, Open chan struct{} }

// Block puts up a gate.
func (h *House) Block() *Gate {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = &Gate{make(chan struct{}), make(chan struct{})}
	return h.gate
}

// Checks is how many passwords were checked so far.
func (h *House) Checks() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.checks
}

// Failures are what a ban filter was told.
func (h *House) Failures() []login.Failure {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.failures)
}

// Hold says that every account owns what, "" for nothing.
func (h *House) Hold(what string) { h.held = what }

// Holds is the port to features that keep what accounts own.
func (h *House) Holds(context.Context, *act.View, string) (string, error) { return h.held, nil }

// Root is root at the local command line.
func Root() act.Actor {
	return act.Actor{Kind: "os", ID: "uid:0", Name: "root", Role: act.Primary, Tenant: core.Provider, Door: "cli"}
}

// Stranger is somebody unknown at an address.
func Stranger(address string) act.Actor {
	return act.Actor{Kind: "stranger", Role: act.Stranger, Door: "web", Address: address, Agent: "test browser"}
}

// Input is what an operation is given, by field.
type Input map[string]any

// Call calls an operation; dangerous ones are confirmed.
func (h *House) Call(a act.Actor, op string, in Input) (act.Result, error) {
	b, err := json.Marshal(in)
	if err != nil {
		h.T.Fatal(err)
	}
	return h.Do(context.Background(), act.Call{Op: op, Actor: a, Input: b, Confirmed: true})
}

// Must is Call of something that has to go well.
func (h *House) Must(a act.Actor, op string, in Input) act.Result {
	h.T.Helper()
	r, err := h.Call(a, op, in)
	if err != nil {
		h.T.Fatalf("%s by %s: %v", op, a.Role, err)
	}
	return r
}

// Refused is Call of something that has to be refused with a code; it returns
// the sentence.
func (h *House) Refused(code core.Code, a act.Actor, op string, in Input) string {
	h.T.Helper()
	_, err := h.Call(a, op, in)
	if err == nil {
		h.T.Fatalf("%s by %s went through; want %s", op, a.Role, code)
	}
	if got := core.CodeOf(err); got != code {
		h.T.Fatalf("%s by %s: %v (%s); want %s", op, a.Role, err, got, code)
	}
	return core.AsError(err).Sentence()
}

// Init sets up the primary administrator "root" and logs him in.
func (h *House) Init() act.Actor {
	h.T.Helper()
	h.Primary()
	return h.Enter("root", Good)
}

// Primary sets up the primary administrator "root" and returns him, not logged in.
func (h *House) Primary() act.Actor {
	h.T.Helper()
	h.Must(Root(), "admin.init", Input{"login": "root", "password": Good})
	return h.As("root")
}

// Account makes an account and returns who acts with it, not logged in.
func (h *House) Account(by act.Actor, login, role, parent string) act.Actor {
	h.T.Helper()
	h.Must(by, "account.create", Input{"login": login, "role": role, "parent": parent})
	return h.As(login)
}

// As returns the account as an actor outside any session.
func (h *House) As(login string) (a act.Actor) {
	h.T.Helper()
	err := h.Look(context.Background(), "test", func(v *act.View) error {
		id, err := h.Accounts.Lookup(context.Background(), v, login)
		if err == nil {
			a, _, err = h.Accounts.Actor(context.Background(), v, id)
		}
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	a.Door, a.Address, a.Proof = "web", "192.0.2.9", h.Clock()
	return a
}

// Claim gives an account the password Good through a link.
func (h *House) Claim(login string) {
	h.T.Helper()
	h.Must(Stranger("192.0.2.9"), "login.claim", Input{"token": h.Invite(Root(), login), "password": Good})
}

// Create makes an account, gives it the password Good, and logs it in.
func (h *House) Create(by act.Actor, login, role, parent string) act.Actor {
	h.T.Helper()
	h.Account(by, login, role, parent)
	h.Claim(login)
	return h.Enter(login, Good)
}

// Invite makes a link and returns its token.
func (h *House) Invite(by act.Actor, account string) string {
	h.T.Helper()
	return h.Must(by, "login.invite", Input{"account": account}).Output.(login.Link).Token()
}

// Token logs in and returns the session's token.
func (h *House) Token(name, password string) core.Secret {
	h.T.Helper()
	return h.Must(Stranger("192.0.2.9"), "login.enter", Input{"login": name, "password": password}).Output.(login.Entered).Token
}

// Enter logs in and returns who is in the session.
func (h *House) Enter(name, password string) act.Actor {
	h.T.Helper()
	return h.Inside(h.Token(name, password))
}

// Inside returns who is behind a session's token.
func (h *House) Inside(token core.Secret) act.Actor {
	h.T.Helper()
	a, err := h.Logins.Session(context.Background(), h.Bus, token, true)
	if err != nil {
		h.T.Fatal(err)
	}
	a.Door, a.Address, a.Host = "web", "192.0.2.9", "panel.test:8443"
	if a.By != nil {
		a.By.Door, a.By.Address = a.Door, a.Address
	}
	return a
}

// Over fails unless a session's token opens nothing any more.
func (h *House) Over(token core.Secret) {
	h.T.Helper()
	if a, err := h.Logins.Session(context.Background(), h.Bus, token, true); core.CodeOf(err) != core.Unauthenticated || err == nil {
		h.T.Fatalf("the session still opens as %s: %v", a.ID, err)
	}
}

// Leaves returns the records so far, as they are hashed.
func (h *House) Leaves() []string {
	h.T.Helper()
	s := must(h.Store.Snapshot(context.Background()))(h.T)
	defer s.Close()
	rows := must(s.Query(context.Background(), `SELECT leaf FROM ledger_entry ORDER BY seq`))(h.T)
	defer rows.Close()
	var leaves []string
	for rows.Next() {
		var leaf []byte
		if err := rows.Scan(&leaf); err != nil {
			h.T.Fatal(err)
		}
		leaves = append(leaves, string(leaf))
	}
	return leaves
}

// Everything returns all that is kept: the database's files or, on PostgreSQL,
// its rows as text, the records, and the operator's log.
func (h *House) Everything() string {
	h.T.Helper()
	all := h.Logged() + strings.Join(h.Leaves(), "\n")
	if path, ok := strings.CutPrefix(h.URL, "sqlite://"); ok {
		for _, file := range must(filepath.Glob(filepath.FromSlash(path) + "*"))(h.T) {
			all += string(must(os.ReadFile(file))(h.T))
		}
		return all
	}
	s := must(h.Store.Snapshot(context.Background()))(h.T)
	defer s.Close()
	for _, table := range h.column(s, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`) {
		all += strings.Join(h.column(s, `SELECT CAST(t AS text) FROM `+table+` t`), "\n")
	}
	return all
}

func (h *House) column(s *store.Snapshot, q string) (values []string) {
	h.T.Helper()
	rows := must(s.Query(context.Background(), q))(h.T)
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			h.T.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

// Count returns how many rows a table has.
func (h *House) Count(table string) (n int) {
	h.T.Helper()
	s := must(h.Store.Snapshot(context.Background()))(h.T)
	defer s.Close()
	if err := s.QueryRow(context.Background(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		h.T.Fatal(err)
	}
	return n
}

// Last returns the newest record, decoded.
func (h *House) Last() *ledger.Leaf {
	h.T.Helper()
	leaves := h.Leaves()
	if len(leaves) == 0 {
		h.T.Fatal("there is no record")
	}
	return must(ledger.DecodeLeaf([]byte(leaves[len(leaves)-1])))(h.T)
}

// Behind writes to the database past the door, as root could, and takes away what
// the guards noted about it.
func (h *House) Behind(q string, args ...any) {
	h.T.Helper()
	driver, url := "pgx", h.URL
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, url = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db := must(sql.Open(driver, url))(h.T)
	defer db.Close()
	tx := must(db.Begin())(h.T)
	must(tx.Exec(q, args...))(h.T)
	must(tx.Exec(`DELETE FROM store_touched`))(h.T)
	if err := tx.Commit(); err != nil {
		h.T.Fatal(err)
	}
}

// agree holds every object against its newest digest in the log.
func (h *House) agree() {
	ctx := context.Background()
	s, err := h.Store.Snapshot(ctx)
	if err != nil {
		h.T.Error(err)
		return
	}
	defer s.Close()
	err = h.Look(ctx, "test", func(v *act.View) error {
		for _, k := range h.Registry.Kinds() {
			ids, err := k.IDs(ctx, v)
			if err != nil {
				return err
			}
			for _, id := range ids {
				state, err := k.Digest(ctx, v, id)
				if err != nil {
					return err
				}
				head, found, err := ledger.ReadHead(ctx, s, core.Ref{Kind: k.Name, ID: id})
				if err != nil || !found || head.State != state {
					h.T.Errorf("%s %s has the state %s, the log says %q (%v)", k.Name, id, state, head.State, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		h.T.Error(err)
	}
}

// Race runs f at once n times and returns how many went through.
func Race(n int, f func(i int) error) (won int) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	for i := range n {
		wait.Go(func() {
			<-start
			if f(i) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	close(start)
	wait.Wait()
	return won
}
