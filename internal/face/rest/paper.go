package rest

import (
	"net/http"
	"sync"

	"hostward/internal/core"
)

// paper is a document that is made when it is first asked for: a start should
// not wait for what may never be read.
type paper struct {
	contentType string
	policy      string // Content-Security-Policy; "": the strictest
	body        func() ([]byte, error)
}

const readingPolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func papers(c Config) map[string]paper {
	return map[string]paper{
		Base + "/openapi.json":   {"application/json", "", sync.OnceValues(func() ([]byte, error) { return OpenAPI(c.Registry, c.Version) })},
		Base + "/docs":           {"text/html; charset=utf-8", readingPolicy, sync.OnceValues(func() ([]byte, error) { return documentation(c.Registry, c.Version) })},
		Base + "/docs/style.css": {"text/css; charset=utf-8", "", func() ([]byte, error) { return style, nil }},
	}
}

func (x *exchange) paper(p paper) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.method([]string{http.MethodGet})
		return
	}
	body, err := p.body()
	if err != nil {
		x.h.Log.Error("a document cannot be made", "path", x.r.URL.Path, "error", err)
		x.fail(core.AsError(err), "")
		return
	}
	if p.policy != "" {
		x.w.Header().Set("Content-Security-Policy", p.policy)
	}
	x.w.Header().Set("Content-Type", p.contentType)
	_, _ = x.w.Write(body)
}
