package house

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// Inspect answers "log verify" over a log that the house refuses to open: it
// reads only, and leaves no record, since nothing may be added to a log that
// is broken. why is the refusal; every other operation is answered with it.
func Inspect(ctx context.Context, c Config, why error) (http.Handler, func() error, error) {
	if err := c.defaults(); err != nil {
		return nil, nil, err
	}
	h := &House{Config: c}
	if err := h.inspect(ctx); err != nil {
		return nil, nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/log/verify") {
			problem(w, why)
			return
		}
		o, err := h.verifyOptions()
		if err != nil {
			problem(w, err)
			return
		}
		report, err := ledger.Verify(r.Context(), o)
		if err != nil {
			problem(w, err)
			return
		}
		verdict := Verdict(report, o.Witnesses)
		verdict.Findings = append(verdict.Findings, why.Error())
		if verdict.Sound {
			verdict.Sound, verdict.Sentence = false, "What is left is as it was sealed, but the server refuses to start: "+why.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(act.Result{Output: verdict})
	}), h.Close, nil
}

// inspect opens what verifying needs, reading only.
func (h *House) inspect(ctx context.Context) (err error) {
	if h.Keeper, err = keeper.Open(keeper.Config{Dir: filepath.Join(h.Data, "keys"), Origin: h.Origin, Credentials: os.Getenv("CREDENTIALS_DIRECTORY")}); err != nil {
		return err
	}
	h.features = newFeatures(h)
	if h.Registry, err = act.NewRegistry(h.features.list()...); err != nil {
		return err
	}
	h.Store, err = store.Open(ctx, store.Config{URL: h.Database, Migrations: h.features.migrations(), ReadOnly: true})
	return err
}

func problem(w http.ResponseWriter, err error) {
	e := core.AsError(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": "unavailable", "status": http.StatusServiceUnavailable, "detail": err.Error(), "code": e.Code})
}
