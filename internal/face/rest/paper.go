package rest

import (
	"net/http"
)

// paper is a document that is made once, at the start.
type paper struct {
	contentType string
	policy      string // Content-Security-Policy
	body        []byte
}

const readingPolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func papers(openapi, docs []byte) map[string]paper {
	return map[string]paper{
		Base + "/openapi.json":   {"application/json", "", openapi},
		Base + "/docs":           {"text/html; charset=utf-8", readingPolicy, docs},
		Base + "/docs/style.css": {"text/css; charset=utf-8", "", style},
	}
}

func (x *exchange) paper(p paper) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.method([]string{http.MethodGet})
		return
	}
	if p.policy != "" {
		x.w.Header().Set("Content-Security-Policy", p.policy)
	}
	x.w.Header().Set("Content-Type", p.contentType)
	_, _ = x.w.Write(p.body)
}
