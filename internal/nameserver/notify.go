package nameserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Telling is what became of telling one server of one zone's new version (RFC 1996).
type Telling struct {
	Zone   rr.Name        `json:"zone"`
	To     netip.AddrPort `json:"to"`
	Peer   string         `json:"peer"`
	Serial uint32         `json:"serial"`            // that it is told of
	Known  uint32         `json:"known,omitempty"`   // the last that it acknowledged; 0: none yet
	Fault  string         `json:"fault,omitempty"`   // why it is not acknowledged
	At     time.Time      `json:"at,omitzero"`       // of the last try
	Next   time.Time      `json:"next_try,omitzero"` // when it is tried again
}

// Limits of telling.
const (
	tellers  = 16               // servers that are told at once
	firstLag = 10 * time.Second // until the first repeat; four times as long each time
	mostLag  = time.Hour
)

// teller is a Telling in the making.
type teller struct {
	Telling
	key   rr.Name
	lag   time.Duration
	busy  bool
	wants bool // there is something to tell
}

type told struct {
	zone rr.Name
	to   netip.AddrPort
}

// notifier tells other servers of new versions. What is told is only that there is
// one: they ask for it themselves, and by their own clocks in any case.
type notifier struct {
	server *Server
	ctx    context.Context //nolint:containedctx // the life of the server, not of a call
	stop   context.CancelFunc
	wake   chan struct{}

	mu   sync.Mutex
	list map[told]*teller
}

func newNotifier(s *Server) *notifier {
	ctx, stop := context.WithCancel(context.Background())
	return &notifier{server: s, ctx: ctx, stop: stop, wake: make(chan struct{}, 1), list: map[told]*teller{}}
}

// changed notes that zones have new versions.
func (n *notifier) changed(images map[string]*image) {
	settings := n.server.settings.Load()
	if settings == nil || !slices.ContainsFunc(settings.Peers, func(p Peer) bool { return len(p.Told) > 0 }) {
		return
	}
	for key, img := range images {
		if name, _, err := rr.NameFromWire([]byte(key)); err == nil && img != nil {
			n.wantAll(settings.Peers, name, img.serial, func(told) bool { return true })
		}
	}
	n.rouse()
}

// settled notes who there is to tell now. Who is new is told of every zone; who is
// no longer told is forgotten.
func (n *notifier) settled(peers []Peer) {
	n.mu.Lock()
	known := map[netip.AddrPort]bool{}
	for who := range n.list {
		known[who.to] = true
		if !slices.ContainsFunc(peers, func(p Peer) bool { return p.about(who.zone) && slices.Contains(p.Told, who.to) }) {
			delete(n.list, who)
		}
	}
	n.mu.Unlock()
	for key, slot := range n.server.zones.Load().all {
		if name, _, err := rr.NameFromWire([]byte(key)); err == nil {
			n.wantAll(peers, name, slot.image.Load().serial, func(who told) bool { return !known[who.to] })
		}
	}
	n.rouse()
}

// wantAll has everybody told of one zone whom it concerns.
func (n *notifier) wantAll(peers []Peer, name rr.Name, serial uint32, which func(told) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range peers {
		for _, to := range p.Told {
			if who := (told{name, to}); p.about(name) && which(who) {
				n.want(who, p, serial)
			}
		}
	}
}

func (n *notifier) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) want(who told, p Peer, serial uint32) {
	t := n.list[who]
	if t == nil {
		t = &teller{Telling: Telling{Zone: who.zone, To: who.to}}
		n.list[who] = t
	}
	t.Peer, t.key, t.Serial, t.wants, t.lag, t.Next = p.Name, p.Key, serial, true, firstLag, time.Time{}
}

// run tells until the server stops.
func (n *notifier) run() {
	slots := make(chan struct{}, tellers)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		next := time.Hour
		for _, t := range n.due(&next) {
			select {
			case slots <- struct{}{}:
			case <-n.ctx.Done():
				return
			}
			running.Go(func() {
				defer func() { <-slots }()
				n.tell(t)
			})
		}
		wait := time.NewTimer(next)
		select {
		case <-n.wake:
		case <-wait.C:
		case <-n.ctx.Done():
			wait.Stop()
			return
		}
		wait.Stop()
	}
}

// due returns whom it is time to tell, and lowers next to when the others are.
func (n *notifier) due(next *time.Duration) (out []*teller) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.list {
		switch {
		case t.busy || !t.wants:
		case t.Next.After(now):
			*next = min(*next, t.Next.Sub(now))
		default:
			t.busy, t.wants = true, false
			out = append(out, t)
		}
	}
	return out
}

func (n *notifier) tell(t *teller) {
	n.mu.Lock()
	zone, to, serial, name := t.Zone, t.To, t.Serial, t.key
	n.mu.Unlock()
	peer := transfer.Peer{Address: to.String()}
	if k, ok := n.server.settings.Load().keys(name); ok && name != "" {
		peer.Key = &k
	}
	var hint *rr.Record
	if soa, ok := n.server.soaOf(zone); ok {
		hint = &soa
	}
	var d net.Dialer
	client := transfer.Client{Dial: d.DialContext, Clock: time.Now, Random: rand.Reader, Patience: transfer.Patience{Tries: 3}}
	err := client.Notify(n.ctx, peer, zone, hint)
	n.done(t, serial, err)
}

// done notes what came of it. What is not acknowledged is told again; what has
// changed meanwhile too.
func (n *notifier) done(t *teller, serial uint32, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t.busy, t.At, t.Fault = false, time.Now().UTC(), ""
	if err == nil {
		t.Known = serial
	} else {
		t.Fault = err.Error()
		t.wants, t.Next, t.lag = true, t.At.Add(t.lag), min(4*t.lag, mostLag)
	}
	n.rouse()
}

// Told implements Feed.
func (s *Server) Told(context.Context) ([]Telling, error) {
	s.notifier.mu.Lock()
	defer s.notifier.mu.Unlock()
	out := make([]Telling, 0, len(s.notifier.list))
	for _, t := range s.notifier.list {
		out = append(out, t.Telling)
	}
	slices.SortFunc(out, func(a, b Telling) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.To.String(), b.To.String()))
	})
	return out, nil
}
