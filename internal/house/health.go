package house

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// health answers whoever watches over the server: /healthz (the process is
// there), /readyz (it does its work), /metrics (Prometheus text, for loopback
// or with an administrator's or auditor's token).
func (h *House) health(mux *http.ServeMux, version string) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := h.unready(); why != "" {
			plain(w, http.StatusServiceUnavailable, why+"\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if err := h.mayMeasure(r); err != nil {
			plain(w, http.StatusForbidden, "metrics are for loopback, or for an administrator's or auditor's token: "+core.AsError(err).Public+"\n")
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = fmt.Fprint(w, h.metrics(r, version))
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, text)
}

// unready says why the server should get no traffic, "" when it should.
func (h *House) unready() string {
	select {
	case <-h.Lost():
		return "the lease of the database is lost"
	default:
	}
	if why := h.stalled(); why != "" {
		return "records cannot be sealed"
	}
	for name, v := range h.Engine.States() {
		if v.State == act.Drift {
			return "the control " + name + " is not in force"
		}
	}
	return ""
}

// mayMeasure lets loopback in, and a token that may ask for the state of the log,
// which the figures are a part of: so that every door rule holds here too, and a
// refusal is on record.
func (h *House) mayMeasure(r *http.Request) error {
	from, err := netip.ParseAddr(remote(r))
	if err == nil && from.IsLoopback() && r.Header.Get("Authorization") == "" {
		return nil
	}
	who, err := h.bearer(r)
	if err == nil {
		err = h.policy.current().API(from)
	}
	if err == nil && who.Role&(act.Admins|act.Auditor) == 0 {
		err = core.Errorf(core.Denied, "the token is that of a %s", who.Role)
	}
	c := act.Call{Op: "log.status", Actor: who}
	if err != nil {
		_, err = h.Bus.Refuse(r.Context(), c, err)
		return err
	}
	_, err = h.Bus.Do(r.Context(), c)
	return err
}

func (h *House) metrics(r *http.Request, version string) string {
	var b strings.Builder
	gauge := func(name, help string, value any) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s %v\n", name, help, name, name, value)
	}
	fmt.Fprintf(&b, "# HELP hostward_build_info The running version.\n# TYPE hostward_build_info gauge\nhostward_build_info{version=%q,go=%q} 1\n", version, runtime.Version())
	if s, err := h.logStatus(r.Context()); err == nil {
		gauge("hostward_log_records", "Records committed to the action log.", s.Records)
		gauge("hostward_log_sealed", "Records below the newest signed checkpoint.", s.Sealed)
		gauge("hostward_log_witnessed", "Records below the newest cosigned checkpoint.", s.Witnessed)
	}
	for name, v := range h.Engine.States() {
		inForce := 0
		if v.State == act.InForce {
			inForce = 1
		}
		fmt.Fprintf(&b, "hostward_control_in_force{control=%q} %d\n", name, inForce)
	}
	if s, err := h.Answers.Counted(r.Context()); err == nil {
		gauge("hostward_dns_zones", "Zones that the nameserver answers for.", s.Zones)
		gauge("hostward_dns_zones_expired", "Zones with a signature that has expired.", s.ExpiredZones)
		for code, n := range s.Rcodes {
			fmt.Fprintf(&b, "hostward_dns_answers_total{rcode=%q} %d\n", fmt.Sprint(code), n)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	gauge("hostward_heap_bytes", "Bytes of live and dead objects on the Go heap.", m.HeapAlloc)
	gauge("hostward_goroutines", "Goroutines.", runtime.NumGoroutine())
	return b.String()
}
