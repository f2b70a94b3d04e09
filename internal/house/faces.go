package house

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/rest"
	"hostward/internal/face/web"
	"hostward/internal/feature/login"
)

// Web returns everything that is served over HTTPS: the panel, REST, health.
func (h *House) Web(version string) (http.Handler, error) {
	panel, err := web.New(web.Config{
		Registry: h.Registry, Bus: h.Bus, Clock: h.Clock, Logger: h.Log, Version: version,
		Session: func(ctx context.Context, token core.Secret) (act.Actor, error) {
			return h.features.login.Session(ctx, h.Bus, token)
		},
		Ready: h.ready, Ledger: h.seal,
		Login: "login.enter", Setup: "login.setup", Logout: "session.end", Record: "/log/{id}", Browser: "/log",
	})
	if err != nil {
		return nil, err
	}
	api, err := h.rest(version, "rest", h.bearer, func(a netip.Addr) error { return h.policy.current().API(a) })
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(rest.Base+"/", api)
	mux.Handle("/", panel)
	h.health(mux, version)
	return mux, nil
}

// Local returns what is served on the Unix socket: REST for the command line.
// peer says who is connected.
func (h *House) Local(version string, peer func(*http.Request) (act.Actor, error)) (http.Handler, error) {
	return h.rest(version, "cli", peer, nil)
}

func (h *House) rest(version, door string, who func(*http.Request) (act.Actor, error), api func(netip.Addr) error) (http.Handler, error) {
	return rest.New(rest.Config{Bus: h.Bus, Registry: h.Registry, Version: version, Door: door, Authenticate: who, API: api, Log: h.Log})
}

// bearer says who sends a request by its token (RFC 6750 2.1). A cookie never
// counts here, so that a page elsewhere cannot call the API for a visitor.
func (h *House) bearer(r *http.Request) (act.Actor, error) {
	who := act.Actor{Kind: "stranger", Role: act.Stranger, Door: "rest", Address: remote(r), Agent: r.UserAgent()}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme == "" {
		return who, nil
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return who, core.Errorf(core.Unauthenticated, "the Authorization header must be Bearer and an API token")
	}
	a, err := h.features.tokens.Bearer(r.Context(), h.Bus, core.NewSecret(strings.TrimSpace(token)))
	if err != nil {
		return who, err
	}
	a.Door, a.Address, a.Agent = who.Door, who.Address, who.Agent
	return a, nil
}

// remote is the address of the other end of the connection. No header is
// believed: there is no configured proxy yet.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return ""
}

func (h *House) ready(ctx context.Context) bool {
	has := false
	err := h.Bus.Look(ctx, "ready", func(v *act.View) (err error) {
		has, err = h.features.accounts.HasFirst(ctx, v)
		return err
	})
	return has || err != nil
}

// seal is the honest state of the log for the rail of the panel.
func (h *House) seal(ctx context.Context) web.Ledger {
	s, err := h.logStatus(ctx)
	out := web.Ledger{Records: uint64(s.Records), Sealed: uint64(s.Sealed), Root: s.Root, Stopped: h.stalled()}
	if at := h.sealedAt.Load(); at != nil {
		out.SealedAt = *at
	}
	for _, w := range s.Witnesses {
		if w.Size > 0 && w.Error == "" {
			out.Witnesses++
		}
	}
	if err != nil {
		out.Stopped = "the log cannot be read"
	}
	return out
}

// Offer returns the one-time set-up link, "" when there is an administrator.
func (h *House) Offer(ctx context.Context) (string, error) {
	if h.ready(ctx) {
		return "", nil
	}
	link, err := h.features.login.Offer(ctx, h.Bus)
	return link.Link, err
}

var _ web.Opener = login.Entered{}
