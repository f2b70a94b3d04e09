package house

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

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
			a, ok = client(p, r.Header, a)
		}
		behind := *r
		behind.RemoteAddr = "" // a proxy that names nobody who could be judged
		if ok {
			behind.RemoteAddr = net.JoinHostPort(a.String(), port)
		}
		next.ServeHTTP(w, &behind)
	})
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

// client reads the one configured header. A trusted proxy that sends none speaks
// for itself, as a monitor on its host does; false: what it sends is no address.
func client(p ini.Policy, header http.Header, proxy netip.Addr) (netip.Addr, bool) {
	chain := hops(p.ProxyHeader, header)
	for _, hop := range slices.Backward(chain) {
		a, ok := parseClient(hop)
		if !ok {
			return netip.Addr{}, false
		}
		if proxy = a; !trusted(p, a) {
			return a, true
		}
	}
	return proxy, true
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
