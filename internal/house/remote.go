package house

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/ini"
)

// remote is the address of the client as text, "" where it cannot be told.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	a, ok := parseClient(host)
	if !ok {
		return ""
	}
	return a.String()
}

// behind puts the address of the client into RemoteAddr, once, for every face.
// Without a configured proxy it is the other end of the connection, whatever the
// headers say. A trusted proxy is believed about who came to it, and about
// nothing that stood in the header before: the chain is read from its end, and
// its first address that is no trusted proxy is the client's (SPEC A2).
func (h *House) behind(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		a, ok := parseClient(host)
		if p := h.policy.current(); ok && trusted(p, a) {
			a, ok = client(p, r.Header)
		}
		behind := *r
		behind.Body = &patient{r.Body, http.NewResponseController(w)}
		behind.RemoteAddr = "" // a proxy that names nobody who could be judged
		if ok {
			behind.RemoteAddr = net.JoinHostPort(a.String(), port)
		}
		next.ServeHTTP(w, &behind)
	})
}

// patience is how long the next part of a request's body may take: who holds one
// back holds what was found out about him at its beginning.
const patience = 30 * time.Second

// patient is a body that must go on coming.
type patient struct {
	io.ReadCloser
	c *http.ResponseController
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	_ = p.c.SetReadDeadline(time.Now().Add(patience)) // a recorder in a test has none
	return p.ReadCloser.Read(b)
}

func parseClient(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

func trusted(p ini.Policy, a netip.Addr) bool {
	for _, n := range p.Proxies {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// client reads the one configured header. false: it is not there, or what it says
// is no address. A proxy does not stand in for its clients then: it may have been
// made to leave the header out.
func client(p ini.Policy, header http.Header) (farthest netip.Addr, ok bool) {
	for _, hop := range slices.Backward(hops(p.ProxyHeader, header)) {
		a, known := parseClient(hop)
		if !known {
			return netip.Addr{}, false
		}
		if farthest, ok = a, true; !trusted(p, a) {
			return a, true
		}
	}
	return farthest, ok
}

// hops are the addresses that the header names, the farthest first.
func hops(name string, header http.Header) []string {
	var chain []string
	for _, line := range header.Values(name) {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimSpace(item); strings.EqualFold(name, "Forwarded") {
				item = forwardedFor(item)
			}
			chain = append(chain, bare(item))
		}
	}
	return chain
}

// forwardedFor is what an element of Forwarded says about for (RFC 7239 4).
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// bare drops what may stand around an address: brackets, and a port
// (RFC 7239 6).
func bare(text string) string {
	if host, _, err := net.SplitHostPort(text); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
}
