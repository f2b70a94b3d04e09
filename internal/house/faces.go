package house

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
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
		Session: func(ctx context.Context, token core.Secret, use bool) (act.Actor, error) {
			return h.features.login.Session(ctx, h.Bus, token, use)
		},
		Ready: h.ready, Ledger: h.seal,
		Login: "login.enter", Setup: "login.setup", Logout: "session.end", Leave: "session.leave", Prove: "session.prove", Step: "/step", Ways: h.ways, Record: "/log/{id}", Browser: "/log",
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
	return h.agents.renew(h.behind(mux)), nil
}

// ways are the fields of session.prove that somebody can use: his second factors,
// or his password where he has none.
func (h *House) ways(ctx context.Context, a act.Actor) []string {
	var have []string
	err := h.Bus.Look(ctx, "ways", func(v *act.View) (err error) {
		have, err = h.features.factors.Methods(ctx, v, a.ID)
		return err
	})
	if err != nil {
		h.Log.Error("nobody can tell how somebody proves who he is", "error", err)
	}
	switch {
	case len(have) == 0:
		return []string{"password"}
	case slices.Contains(have, "passkey") && len(have) == 1:
		return []string{"passkey"}
	case slices.Contains(have, "passkey"):
		return []string{"passkey", "code"}
	}
	return []string{"code"}
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
	who := act.Actor{Kind: "stranger", Role: act.Stranger, Door: "rest", Address: remote(r), Agent: r.UserAgent(), Connected: core.Connected(r.Context())}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme == "" {
		return who, nil
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return who, core.Errorf(core.Unauthenticated, "the Authorization header must be Bearer and an API token")
	}
	a, err := h.features.tokens.Bearer(r.Context(), h.Bus, core.NewSecret(strings.TrimSpace(token)), who.Address)
	if err != nil && a.ID == "" {
		return who, err
	}
	a.Door, a.Address, a.Agent, a.Connected = who.Door, who.Address, who.Agent, who.Connected
	return a, err // with an error the record still says whose token it was
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
