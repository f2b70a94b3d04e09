package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Server answers for the zones it was fed. Its methods may be called from any
// goroutine.
type Server struct {
	cfg   Config
	zones atomic.Pointer[table[*slot]]

	feed sync.Mutex // one Apply at a time
	disk *disk      // nil: what is served lives as long as the process

	mu       sync.Mutex
	udp      []*net.UDPConn
	tcp      []net.Listener
	tls      []net.Listener
	open     map[net.Conn][8]byte // with their networks
	perNet   map[[8]byte]int
	counters []*counters
	closed   bool

	secrets atomic.Pointer[secrets]
	limiter atomic.Pointer[limiter]
	refused atomic.Uint64
	running sync.WaitGroup
	aside   []string
	rolls   *time.Timer // of the secrets, if they are the server's own

	settings    atomic.Pointer[Settings]
	asks        *asks
	sending     shares        // transfers under way
	updating    shares        // updates that wait for the feeder
	over        chan struct{} // closed when it is told to end
	whole       atomic.Uint64 // zones that were sent
	differences atomic.Uint64 // of zones, that were sent instead
	notifier    *notifier
}

// Aside returns the files of the folder that were broken and are kept under
// another name; what they held is fed again.
func (s *Server) Aside() []string { return s.aside }

// slot is where the image of a zone hangs; a change of the zone replaces the
// image and leaves the table of zones alone.
type slot struct{ image atomic.Pointer[image] }

// New checks the configuration and takes the addresses. Serve answers on
// them; until then packets wait in the sockets.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults(runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, open: map[net.Conn][8]byte{}, perNet: map[[8]byte]int{}, over: make(chan struct{})}
	s.zones.Store(newTable[*slot]())
	s.limiter.Store(newLimiter(cfg.Limit))
	s.setSecrets(cfg.Secrets...)
	if len(cfg.Secrets) == 0 {
		if err := s.keepSecrets(); err != nil {
			return nil, fmt.Errorf("nameserver: keeping the secrets of cookies: %w", err)
		}
	}
	s.asks, s.notifier = newAsks(), newNotifier(s)
	settings, aside, err := cfg.readSettings()
	if err != nil {
		return nil, fmt.Errorf("nameserver: reading the settings: %w", err)
	}
	s.settings.Store(settings)
	if settings.Limit.Rate > 0 {
		s.limiter.Store(newLimiter(settings.Limit))
	}
	if cfg.Folder != "" {
		if s.disk, s.aside, err = openDisk(s, cfg.Folder); err != nil {
			return nil, fmt.Errorf("nameserver: reading what was served: %w", err)
		}
	}
	s.aside = append(aside, s.aside...)
	if err := s.list(nil, true); err != nil {
		return nil, fmt.Errorf("nameserver: %w", err)
	}
	s.notifier.settled(settings.Peers) // who acknowledged what is not kept: all are told again
	for _, at := range cfg.Listen {
		if err := s.listenAll(at); err != nil {
			return nil, errors.Join(fmt.Errorf("nameserver: listening on %s: %w", at, err), s.close())
		}
	}
	for _, at := range cfg.ListenTLS {
		l, err := listenStream(at)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("nameserver: listening for TLS on %s: %w", at, err), s.close())
		}
		s.tls = append(s.tls, l)
	}
	return s, nil
}

// listenAll takes an address; [::] stands for all addresses of both families, each
// with sockets of its own. A machine may be without IPv6.
func (s *Server) listenAll(at netip.AddrPort) error {
	if at.Addr() != netip.IPv6Unspecified() {
		return s.listen(at)
	}
	if err := s.listen(netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())); err != nil {
		return err
	}
	port := s.tcp[len(s.tcp)-1].Addr().(*net.TCPAddr).AddrPort().Port()
	err := s.listen(netip.AddrPortFrom(at.Addr(), port))
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

// listen takes an address for TCP, and then the same port for UDP.
func (s *Server) listen(at netip.AddrPort) error {
	l, err := listenStream(at)
	if err != nil {
		return err
	}
	s.tcp = append(s.tcp, l)
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	for range sockets(s.cfg.Sockets) {
		c, err := listenUDP(netip.AddrPortFrom(at.Addr(), port))
		if err != nil {
			return err
		}
		s.udp = append(s.udp, c)
	}
	return nil
}

func listenStream(at netip.AddrPort) (net.Listener, error) {
	network := "tcp6"
	if at.Addr().Unmap().Is4() {
		network = "tcp4"
	}
	return net.Listen(network, at.String())
}

// setSecrets replaces the secrets of server cookies while the server runs: the
// first makes cookies, all are believed. None is a call without effect.
func (s *Server) setSecrets(of ...Secret) {
	if len(of) > 0 {
		kept := secrets(slices.Clone(of))
		s.secrets.Store(&kept)
	}
}

// SetLimit replaces the limit of the answers' rate.
func (s *Server) SetLimit(l Limit) error {
	if l.Rate < 0 || l.Rate > mostRate || l.Slip < 0 {
		return core.Errorf(core.Invalid, "a limit of 0 to 4000 answers a second is accepted, and a slip of 0 or more")
	}
	s.limiter.Store(newLimiter(l))
	return nil
}

// TLSAddrs returns the addresses that are listened on for TLS.
func (s *Server) TLSAddrs() []netip.AddrPort {
	var out []netip.AddrPort
	for _, l := range s.tls {
		out = append(out, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return out
}

// Addrs returns the addresses that are listened on, with their real ports.
func (s *Server) Addrs() []netip.AddrPort {
	var out []netip.AddrPort
	for _, l := range s.tcp {
		out = append(out, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return out
}

// Apply brings in change sets, in order. When it returns without error, every
// query from then on is answered from them, and they are on disk if the server
// has one. They go live all or none: an error means that nothing was changed.
//
// One that brings the version that is served already, of the same object, is left
// out. One that is Full replaces whatever is served under its name, be it newer or
// another object's. A difference needs the version it goes on from to be served,
// or is core.Conflict. A drop of what is another object's by now is left out.
func (s *Server) Apply(ctx context.Context, changes []ChangeSet) error {
	ready, err := compile(ctx, changes)
	if err != nil {
		return err
	}
	s.feed.Lock()
	defer s.feed.Unlock()
	if s.disk == nil {
		return s.apply(ctx, changes, ready, func() error { return nil })
	}
	if err := s.apply(ctx, changes, ready, func() error { return s.disk.note(changes) }); err != nil {
		return err
	}
	return s.disk.compact(s, false)
}

// compile makes the images of whole zones, which need nothing of what is served, on
// all cores and without keeping other feeders waiting.
func compile(ctx context.Context, changes []ChangeSet) ([]*image, error) {
	ready, errs := make([]*image, len(changes)), make([]error, len(changes))
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(changes); i = int(next.Add(1)) - 1 {
			c := &changes[i]
			if zone, err := rr.ParseName(string(c.Zone), ""); err != nil {
				errs[i] = err
			} else {
				c.Zone = zone
			}
			if errs[i] == nil && c.Full && ctx.Err() == nil {
				ready[i], errs[i] = (*image)(nil).next(*c)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(changes)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("nameserver: zone %s, version %d: %w", changes[i].Zone, changes[i].Version, err)
		}
	}
	return ready, ctx.Err()
}

// apply publishes once the changes are known to be right and durable has noted
// them; s.feed is held.
func (s *Server) apply(ctx context.Context, changes []ChangeSet, ready []*image, durable func() error) error {
	p := plan{zones: s.zones.Load(), images: map[string]*image{}}
	for i, c := range changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.add(c, ready[i]); err != nil {
			return fmt.Errorf("nameserver: zone %s, version %d: %w", c.Zone, c.Version, err)
		}
	}
	if err := durable(); err != nil {
		return err
	}
	moves := p.moves()
	p.publish(&s.zones)
	s.notifier.changed(p.images)
	return s.list(moves, false)
}

// plan collects the new images; nil stands for a zone to be dropped.
type plan struct {
	zones  *table[*slot]
	images map[string]*image
}

// add takes in one change set; whole is the image of one that is Full.
func (p *plan) add(c ChangeSet, whole *image) error {
	if len(c.Object) > 200 {
		return core.Errorf(core.Invalid, "the object's name has %d octets: at most 200 are accepted", len(c.Object))
	}
	key := string(c.Zone.Wire())
	now := p.current(key)
	same := now != nil && now.object == c.Object
	switch {
	case now != nil && now.object == catalogObject && !same:
		return core.Errorf(core.Conflict, "the name is that of the catalog (panel.ini, [dns] catalog)")
	case c.Drop:
		if same {
			p.images[key] = nil
		}
		return nil
	case same && (c.Version == now.version || !c.Full && c.From == 0 && c.Version < now.version):
		return nil
	case !same && !c.Full:
		return core.Errorf(core.Conflict, "the zone is not served yet: its first change set must be full")
	case !c.Full && c.From != 0 && c.From != now.version:
		return core.Errorf(core.Conflict, "version %d is served, and this is a difference from %d", now.version, c.From)
	}
	if c.Full {
		p.images[key] = whole
		return nil
	}
	img, err := now.next(c)
	if err != nil {
		return err
	}
	did, err := step(now, img, c)
	if err != nil {
		return err
	}
	img.past = now.past.and(did)
	p.images[key] = img
	return nil
}

func (p *plan) current(key string) *image {
	if img, planned := p.images[key]; planned {
		return img
	}
	if s := p.zones.getString(key); s != nil {
		return s.image.Load()
	}
	return nil
}

// publish hangs the images up. The table is replaced only if zones come or go.
func (p *plan) publish(zones *atomic.Pointer[table[*slot]]) {
	var e *edit[*slot]
	for key, img := range p.images {
		s := p.zones.getString(key)
		if s != nil && img != nil {
			s.image.Store(img)
			continue
		}
		if e == nil {
			e = p.zones.edit()
		}
		if img == nil {
			e.remove(key)
			continue
		}
		s = &slot{}
		s.image.Store(img)
		e.set(img.apex, s) // the key in memory that is there already
	}
	if e != nil {
		zones.Store(e.done())
	}
}

// Held returns what is served of each zone, for whoever feeds the server to know
// where to go on.
func (s *Server) Held(context.Context) (map[rr.Name]Held, error) {
	zones := s.zones.Load()
	out := make(map[rr.Name]Held, zones.n)
	for key, slot := range zones.all {
		img := slot.image.Load()
		if name, _, err := rr.NameFromWire([]byte(key)); err == nil && img.object != catalogObject {
			out[name] = Held{img.object, img.version}
		}
	}
	return out, nil
}

// Counted implements Feed.
func (s *Server) Counted(context.Context) (Stats, error) { return s.Stats(), nil }

// Stats returns what was counted so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Zones: s.zones.Load().n, Rcodes: map[int]uint64{}, Refused: s.refused.Load(), Open: int64(len(s.open)),
		Whole: s.whole.Load(), Differences: s.differences.Load()}
	for _, c := range s.counters {
		c.addTo(&out)
	}
	now := momentOf(time.Now()).unix
	for _, slot := range s.zones.Load().all {
		if slot.image.Load().soonest < now {
			out.ExpiredZones++
		}
	}
	return out
}

// Serve answers until Shutdown and then returns nil; after it, at once.
func (s *Server) Serve() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	errs := make(chan error, len(s.udp)+len(s.tcp)+len(s.tls))
	s.running.Go(s.notifier.run)
	for _, c := range s.udp {
		r := s.responder()
		s.running.Go(func() { errs <- s.serveUDP(c, r) })
	}
	for _, l := range s.tcp {
		r := s.responder()
		s.running.Go(func() { errs <- s.serveTCP(l, r.count, nil) })
	}
	for _, l := range s.tls {
		r := s.responder()
		s.running.Go(func() { errs <- s.serveTCP(l, r.count, s.tlsConfig()) })
	}
	s.mu.Unlock()
	s.running.Wait()
	close(errs)
	var all []error
	for err := range errs {
		if !errors.Is(err, net.ErrClosed) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// responder makes one and notes its counters; s.mu is held.
func (s *Server) responder() *responder {
	c := &counters{}
	s.counters = append(s.counters, c)
	return s.newResponder(c)
}

func (s *Server) newResponder(c *counters) *responder {
	r := &responder{zones: s.zones.Load, payload: s.cfg.Payload, nsid: s.cfg.NSID, version: s.cfg.Version, idle: s.cfg.Idle, count: c}
	s.refresh(r)
	return r
}

// refresh brings a responder up to date with the time and with what may be
// set while the server runs.
func (s *Server) refresh(r *responder) {
	r.now, r.secrets, r.limiter = momentOf(time.Now()), *s.secrets.Load(), s.limiter.Load()
	set := s.settings.Load()
	r.nsid, r.version = or(set.NSID, s.cfg.NSID), or(set.Version, s.cfg.Version)
}

// Shutdown frees the addresses and ends connections. It waits for Serve to
// end, at most as long as ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.close()
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.over)
	if s.rolls != nil {
		s.rolls.Stop()
	}
	s.notifier.stop()
	var errs []error
	for _, c := range s.udp {
		errs = append(errs, c.Close())
	}
	for _, l := range slices.Concat(s.tcp, s.tls) {
		errs = append(errs, l.Close())
	}
	for c := range s.open {
		_ = c.Close() // the asker sees the end either way
	}
	if s.disk != nil {
		errs = append(errs, s.disk.close())
	}
	return errors.Join(errs...)
}

// guarded answers one packet. A mistake of ours costs that packet, is counted,
// and never the server.
func (r *responder) guarded(msg, out []byte) (answer []byte) {
	defer func() {
		if recover() != nil {
			r.count.panics.Add(1)
			answer = nil
		}
	}()
	return r.respond(msg, out)
}
