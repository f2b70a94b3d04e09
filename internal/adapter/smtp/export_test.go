package smtp

import (
	"context"
	"net"
)

// For the tests: what is not for others.
var (
	OnlyLoopback = onlyLoopback
	Unstructured = unstructured
)

// Route is where a configuration leads, as host:port and the word for TLS.
func Route(c Config) (address, tls string) { return c.route().String(), c.route().tls }

// Compose is the mail as it is sent, before dots are stuffed.
func Compose(c Config, m Message) []byte { return c.write(m).data }

// ParseAddress reports whether text is an address.
func ParseAddress(s string) bool { _, ok := parseAddress(s); return ok }

// Converse talks to a server at the other end of conn.
func Converse(ctx context.Context, c Config, conn net.Conn, m Message) error {
	x := &exchange{ctx: ctx, server: "server:25", socket: conn, hush: c.hushFor(m)}
	x.over(conn)
	return c.converse(x, c.write(m))
}
