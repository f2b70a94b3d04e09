package house

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"hostward/internal/adapter/outside"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Looks from outside.
const (
	looksAtATime = 4
	lookFresh    = 30 * time.Second // a look is good for others who ask so soon
	lookTime     = 25 * time.Second
	mostLooks    = 20_000 // reports that are kept
)

// world looks at zones as strangers see them, and keeps what it saw last. What it
// knows is measured, and measured again after a start.
type world struct {
	eyes  *outside.Outside
	clock core.Clock
	slots chan struct{}

	mu   sync.Mutex
	seen map[rr.Name]outside.Report
}

func (h *House) newWorld() (*world, error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	cfg := outside.Config{Dial: d.DialContext, Clock: h.Clock, Roots: h.Roots, Time: lookTime, Allow: func(netip.Addr) bool { return true }}
	if !h.Private {
		cfg.Allow, cfg.Resolver = core.IsPublic, systemResolver()
		d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
			if address == cfg.Resolver {
				return nil // the operator chose it, wherever it is
			}
			return core.PublicOnly(ctx, network, address, c)
		}
	}
	eyes, err := outside.New(cfg)
	return &world{eyes: eyes, clock: h.Clock, slots: make(chan struct{}, looksAtATime), seen: map[rr.Name]outside.Report{}}, err
}

// systemResolver is the first nameserver of resolv.conf(5), "" where none is known.
func systemResolver() string {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	return outside.SystemResolver(f)
}

// look returns what is seen of a zone, not older than fresh.
func (w *world) look(ctx context.Context, name rr.Name, fresh time.Duration) (outside.Report, error) {
	if r, ok := w.last(name); ok && w.clock().Sub(r.At) < fresh {
		return r, nil
	}
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return outside.Report{}, ctx.Err()
	}
	defer func() { <-w.slots }()
	r, err := w.eyes.Check(ctx, name)
	if err != nil {
		return r, core.Wrap(core.Unavailable, err, "the zone cannot be looked at from outside now: "+err.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) >= mostLooks {
		clear(w.seen)
	}
	w.seen[name] = r
	return r, nil
}

func (w *world) last(name rr.Name) (outside.Report, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.seen[name]
	return r, ok
}

// healthOf is what is known of a zone from outside; now has it measured.
func (h *House) healthOf(ctx context.Context, name rr.Name, now bool) (out zone.Health, err error) {
	if h.world == nil {
		return out, core.Errorf(core.Unavailable, "nobody looks from outside yet")
	}
	r, ok := h.world.last(name)
	if now {
		if r, err = h.world.look(ctx, name, lookFresh); err != nil {
			return out, err
		}
	} else if !ok {
		return out, nil
	}
	out = zone.Health{At: r.At, Parent: strings.TrimSuffix(string(r.Parent), ".")}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, zone.Finding{ID: string(f.ID), Severity: string(f.Severity), Server: f.Server, Measured: f.Measured, Expected: f.Expected, Do: f.Do})
	}
	for _, s := range r.Servers {
		out.Servers = append(out.Servers, zone.ServerSeen{Server: s.Server, Failed: s.Failed, Serial: s.Serial})
	}
	return out, nil
}

// parent asks the parent of a zone for its DS; nothing: it could not be asked.
func (w *world) parent(ctx context.Context, name rr.Name) (out []zone.ParentServer) {
	r, err := w.look(ctx, name, lookFresh)
	if err != nil {
		return nil
	}
	for _, s := range r.Observed.Parent {
		out = append(out, parentServer(s))
	}
	return out
}

func parentServer(s sign.Server) zone.ParentServer {
	out := zone.ParentServer{Name: s.Name, Failed: s.Failed, TTL: s.TTL}
	for _, ds := range s.DS {
		out.DS = append(out.DS, ds.String())
	}
	return out
}
