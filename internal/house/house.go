package house

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/ini"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/nameserver"
	"hostward/internal/store"
	"hostward/internal/witness"
)

// Config is what a house is built from. Every field but Data has a default.
type Config struct {
	Data     string         // data folder: database, keys, log, uploads
	Config   string         // folder of panel.ini; default: etc in the data folder
	Database string         // "postgres://…"; default: SQLite in the data folder
	Origin   string         // name of the log for the world; default: made at the first start
	DNS      netip.AddrPort // where the nameserver answers; zero: nowhere
	Panel    uint16         // port of the panel, which the firewall keeps reachable; default: 8443
	// DoT is where it answers over TLS (RFC 7858), with what Certificate returns.
	DoT         []netip.AddrPort
	Certificate func() (*tls.Certificate, error)
	// Nameserver is the socket of a nameserver that runs as its own process (SPEC
	// D3). Default: it is a part of this one, and DNS says where.
	Nameserver string
	// Agent is the socket of the process with root's hands. Default: there is none,
	// and controls are looked at only.
	Agent     string
	Witnesses []WitnessConfig // who cosigns checkpoints
	Private   bool            // other servers may have private addresses (SPEC A10)
	Roots     []netip.Addr    // of the DNS tree, for looks from outside; default: the IANA\'s
	Clock     core.Clock
	Log       *slog.Logger
	// PanelLog gets one line for each failed log-in, in a form that ban filters
	// read. Default: nobody.
	PanelLog io.Writer
	// Guard returns a ban engine by its name; nil: it is not joined to this panel.
	Guard func(engine string) host.Guard
	// DriftEvery is how often controls look for drift. Default: 30 s.
	DriftEvery time.Duration
	// SigningEvery is how often somebody looks which keys and signatures are due.
	// Default: 1 min; negative: never.
	SigningEvery time.Duration
	// Offline leaves out what serves: for recovery words without a server.
	Offline bool
	// Recover, when not empty, is the reason for opening a new epoch of the log
	// after a disaster (SPEC L8).
	Recover string
	// Waiting is told who holds the database while this process stands by.
	Waiting func(holder string)
}

// WitnessConfig names one outside witness (C2SP tlog-witness).
type WitnessConfig struct{ URL, Key string }

func (h *House) panelPort() uint16 { return cmp.Or(h.Panel, 8443) }

// House is a running Hostward without its faces.
type House struct {
	Config
	Registry *act.Registry
	Bus      *act.Bus
	Store    *store.Store
	Keeper   keeper.Keeper
	Sealer   *ledger.Sealer
	Engine   *control.Engine
	Answers  nameserver.Feed
	DNSHere  *nameserver.Server // nil where it is another process

	heads       *ledger.Heads
	headsMu     sync.Mutex
	features    *features
	book        *ledger.Book
	nameservers *hands.Nameserver
	policy      *policyFile
	blocklist   *blocklist
	mail        chan struct{} // letters wait
	signing     *signing
	secondaries *secondaries
	agents      *agents
	bans        *bans
	world       *world
	clock       *clockWatch
	neighbours  atomic.Pointer[nameserver.Settings] // as the nameserver was told last
	follower    *witness.Follower
	writer      *store.Writer
	stop        context.CancelFunc
	running     sync.WaitGroup
	stopped     sync.Once
	stale       string // why sealing stands still, see sealing
	staleMu     sync.Mutex
	sealedAt    atomic.Pointer[time.Time]
}

func (c *Config) defaults() error {
	if c.Data == "" {
		return errors.New("a data folder must be named")
	}
	if c.Config == "" {
		c.Config = filepath.Join(c.Data, "etc")
	}
	if c.Database == "" {
		c.Database = "sqlite://" + filepath.Join(c.Data, "panel.db")
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.PanelLog == nil {
		c.PanelLog = io.Discard
	}
	if c.DriftEvery == 0 {
		c.DriftEvery = 30 * time.Second
	}
	if c.SigningEvery == 0 {
		c.SigningEvery = time.Minute
	}
	for _, dir := range []string{c.Data, c.Config} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the folder %s: %w", dir, err)
		}
	}
	return nil
}

// Open builds the house. It waits while another process holds the database
// (standing by), refuses to start behind what was signed or witnessed, puts on
// record what happened while nobody ran, and brings every control into force.
func Open(ctx context.Context, c Config) (*House, error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	h := &House{Config: c, mail: make(chan struct{}, 1)}
	h.signing, h.secondaries = newSigning(h), newSecondaries(h)
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *House) open(ctx context.Context) (err error) {
	if h.Store, err = store.Open(ctx, store.Config{URL: h.Database, Migrations: newFeatures(&House{}).migrations()}); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if h.writer, err = h.acquire(ctx); err != nil {
		return fmt.Errorf("taking the database: %w", err)
	}
	// After the lease: who stood by must know what the other one has signed.
	if h.Keeper, err = keeper.Open(keeper.Config{Dir: filepath.Join(h.Data, "keys"), Origin: h.Origin,
		Credentials: os.Getenv("CREDENTIALS_DIRECTORY")}); err != nil {
		return fmt.Errorf("opening the keys: %w", err)
	}
	h.features = newFeatures(h)
	if h.Registry, err = act.NewRegistry(h.features.list()...); err != nil {
		return fmt.Errorf("joining the features: %w", err)
	}
	background, stop := context.WithCancel(context.Background())
	h.stop = stop
	if err := h.openLog(ctx); err != nil {
		return err
	}
	if err := h.openBus(); err != nil {
		return err
	}
	h.bans = newBans(h)
	return h.start(ctx, background)
}

// acquire takes the writer, standing by while somebody else has it.
func (h *House) acquire(ctx context.Context) (*store.Writer, error) {
	if w, ok, err := h.Store.TryAcquire(ctx); err != nil || ok {
		return w, err
	}
	if h.Offline {
		return nil, core.Errorf(core.Conflict, "a server has the database (%s); stop it first", h.Store.Holder(ctx))
	}
	if h.Waiting != nil {
		h.Waiting(h.Store.Holder(ctx))
	}
	return h.Store.Acquire(ctx)
}

// snapshot lets the ledger read what is committed.
func (h *House) snapshot(ctx context.Context, read func(ledger.Reader) error) error {
	s, err := h.Store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return read(s)
}

// openLog makes the sealer and refuses to go on behind what was signed here or
// cosigned elsewhere (SPEC L8).
func (h *House) openLog(ctx context.Context) error {
	h.Sealer = ledger.NewSealer(ledger.SealerConfig{Dir: h.logDir(), Keys: h.Keeper, Snapshot: h.snapshot, Report: h.sealing})
	if h.Recover != "" {
		return nil // it is known to be broken
	}
	if err := h.snapshot(ctx, func(r ledger.Reader) error { return ledger.CheckStart(ctx, r, h.Keeper, h.logDir(), nil) }); err != nil {
		return err
	}
	held, err := h.held(ctx)
	if err != nil {
		return fmt.Errorf("checking the log: %w", err)
	}
	if len(h.Witnesses) == 0 {
		return nil
	}
	var list []witness.Witness
	for _, w := range h.Witnesses {
		list = append(list, witness.Witness{URL: w.URL, Key: w.Key})
	}
	h.follower, err = witness.NewFollower(witness.FollowerConfig{Log: witnessed{h.Sealer}, Witnesses: list, VerifierKey: h.Keeper.VerifierKey,
		AllowPrivate: h.Private, Last: h.Sealer.LastWitnessed(), Clock: h.Clock, Report: h.witnessTurned})
	if err != nil {
		return fmt.Errorf("setting up the witnesses: %w", err)
	}
	seen, err := h.follower.CheckStart(ctx, held)
	for _, s := range seen {
		if s.Err != nil {
			h.Log.Warn("a witness could not be asked", "witness", s.Name, "error", s.Err)
		}
	}
	return err
}

func (h *House) logDir() string { return filepath.Join(h.Data, "log", "tlog") }

// held seals what is committed, which is the check that the database, the
// tiles and the last signed tree belong together, and says what we have.
func (h *House) held(ctx context.Context) (witness.Held, error) {
	if err := h.Sealer.Seal(ctx); err != nil {
		return witness.Held{}, err
	}
	sealed, cosigned := h.Sealer.Sealed(), h.Sealer.LastWitnessed()
	return witness.Held{Epoch: max(sealed.Tree.Epoch, 1), Size: sealed.Tree.Size, Signed: sealed.Note, Witnessed: cosigned.Note,
		Root: func(_ context.Context, size int64) (tlog.Hash, error) {
			t, err := h.Sealer.TreeAt(max(sealed.Tree.Epoch, 1), size)
			return t.Root, err
		}}, nil
}

// sealing is told when the sealer stands still and when it works again.
func (h *House) sealing(err error) {
	h.staleMu.Lock()
	defer h.staleMu.Unlock()
	h.stale = ""
	if err != nil {
		h.stale = "records cannot be written down for good now; the server's own log says why" // the cause may name paths
		h.Log.Error("records cannot be sealed now; nothing is lost", "error", err)
	} else {
		h.Log.Info("records are sealed again")
	}
}

func (h *House) openBus() (err error) {
	h.book = ledger.NewBook(h.Keeper, h.Clock)
	h.Bus, err = act.New(act.Config{
		Registry: h.Registry, Store: h.Store, Writer: h.writer, Book: h.book, Clock: h.Clock, Log: h.Log,
		Spool: filepath.Join(h.Data, "spool"), Scope: h.features.accounts.Scope, Sealed: h.Sealer.Wake, Wake: h.wake, Jobs: h.features.jobs, Holds: h.features.holds, Admit: h.features.access.Admit,
		RecordReads: func() bool { return h.policy.current().IncludeReads },
	})
	return err
}

// wake is how operations reach the machine: controls of the engine, the policy
// file, which people edit too, and what works beside them.
func (h *House) wake(ctx context.Context, name string, objects []core.Ref) string {
	switch name {
	case "policyfile":
		return h.policy.write(ctx)
	case "job":
		for _, o := range objects {
			h.Bus.Cancel(o.ID)
		}
		return act.Pending
	case "mail":
		return h.wakeMail(objects)
	case "secondary":
		h.secondaries.wake()
		return act.InForce
	case "peers":
		return h.wakePeers(ctx)
	case "agent":
		return h.agents.wake(ctx, objects)
	case "bans":
		return h.bans.wake(ctx)
	case "signing":
		h.signing.wake()
		return act.InForce
	case "blocklist":
		return h.loadBlocklist(ctx)
	}
	return h.Engine.Wake(ctx, name, objects)
}

// start begins the background work, in an order in which each part finds what
// it needs.
func (h *House) start(ctx, background context.Context) error {
	if h.Recover != "" {
		if err := h.recover(ctx); err != nil {
			return err
		}
	}
	h.always(background, "sealing", h.Sealer.Run)
	h.always(background, "following the seal", h.followSeal)
	if err := h.recordStart(ctx); err != nil {
		return fmt.Errorf("putting the start on record: %w", err)
	}
	if err := h.startPolicy(ctx, background); err != nil {
		return err
	}
	h.Engine = control.NewEngine(h.Log, h.DriftEvery, h.verdict)
	if err := h.startDoors(ctx); err != nil || h.Offline {
		return err
	}
	if h.follower != nil {
		h.always(background, "asking witnesses", h.follower.Run)
	}
	if err := h.startDNS(); err != nil {
		return err
	}
	var err error
	if h.world, err = h.newWorld(); err != nil {
		return fmt.Errorf("setting up looks from outside: %w", err)
	}
	h.nameservers = hands.NewNameserver(h.Answers)
	signer := hands.NewSigner(h.nameservers, h.Answers, h.Keeper, h.Clock)
	zones := control.Bound{Control: h.features.zones.Control(), Followed: h.nameservers, Follower: signer}
	h.Engine = control.NewEngine(h.Log, h.DriftEvery, h.verdict, zones)
	h.always(background, "controls", func(ctx context.Context) { h.Engine.Run(ctx, h.Bus) })
	h.always(background, "neighbours", h.followPeers)
	h.always(background, "what the nameserver asks", h.answerAsked)
	h.always(background, "following primaries", h.secondaries.run)
	h.always(background, "serving the agent", h.agents.run)
	if h.SigningEvery > 0 {
		h.always(background, "signing", h.signing.run)
	}
	if h.Guard != nil {
		h.always(background, "following the ban engine", h.bans.run)
	}
	h.always(background, "housekeeping", h.housekeeping)
	h.always(background, "mail", h.post)
	return h.checkLog(ctx)
}

// witnessTurned is told when a witness begins to fail and when it works again.
func (h *House) witnessTurned(name string, err error) {
	if err != nil {
		h.Log.Warn("a witness does not cosign; it is asked again and again", "witness", name, "error", err)
		return
	}
	h.Log.Info("a witness cosigns again", "witness", name)
}

// always runs f in the background until ctx ends. Where f panics, that is told and
// f begins anew: one part that fails must not take the others with it.
func (h *House) always(ctx context.Context, what string, f func(context.Context)) {
	h.running.Go(func() {
		for h.panics(what, func() { f(ctx) }) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	})
}

func (h *House) panics(what string, f func()) (caught bool) {
	defer func() {
		if p := recover(); p != nil {
			caught = true
			h.Log.Error("a part of the server failed and begins anew", "part", what, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f()
	return false
}

func (h *House) startDNS() (err error) {
	if h.Nameserver != "" {
		h.Answers = nameserver.Dial(h.Nameserver)
		return nil
	}
	c := nameserver.Config{Folder: filepath.Join(h.Data, "dns"), ListenTLS: h.DoT, Certificate: h.Certificate}
	if h.DNS.IsValid() {
		c.Listen = []netip.AddrPort{h.DNS}
	}
	if h.DNSHere, err = nameserver.New(c); err != nil {
		return fmt.Errorf("opening the nameserver: %w", err)
	}
	h.Answers = h.DNSHere
	for _, file := range h.DNSHere.Aside() {
		h.Log.Warn("a file of the nameserver was broken and is set aside; what it held is fed again", "file", file)
	}
	h.running.Go(func() {
		if err := h.DNSHere.Serve(); err != nil {
			h.Log.Error("the nameserver ended", "error", err)
		}
	})
	return nil
}

func (h *House) startPolicy(ctx, background context.Context) error {
	locked := ini.Locked()
	h.policy.sealer, h.policy.bus, h.policy.log = h.Sealer, h.Bus, h.Log
	h.policy.later = func(f func(context.Context)) { h.running.Go(func() { f(background) }) }
	h.policy.force.Store(&locked)
	h.policy.watcher = ini.Watch(background, h.policy.path, h.Data, h.Clock, func(l ini.Loaded) { h.policy.adopt(background, l) })
	return h.policy.adoptFirst(ctx)
}

// Lost is closed when the lease of the database is lost: this process must end.
func (h *House) Lost() <-chan struct{} { return h.writer.Lost() }

// Close records the stop, ends the work in the background and closes
// everything. It may be called more than once.
func (h *House) Close() (err error) {
	h.stopped.Do(func() { err = h.close() })
	return err
}

func (h *House) close() error {
	var faults []error
	if h.Bus != nil {
		h.Bus.End(ledger.StopEntry(h.Clock()))
		faults = append(faults, h.Sealer.Seal(context.Background()))
	}
	if h.stop != nil {
		h.stop()
	}
	if h.DNSHere != nil {
		soon, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		faults = append(faults, h.DNSHere.Shutdown(soon))
		cancel()
	}
	h.running.Wait()
	for _, c := range h.closers() {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}

func (h *House) closers() []io.Closer {
	var list []io.Closer
	if h.writer != nil {
		list = append(list, h.writer)
	}
	if h.Store != nil {
		list = append(list, h.Store)
	}
	if h.Keeper != nil {
		list = append(list, h.Keeper)
	}
	return list
}
