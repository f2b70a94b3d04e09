package smtp

import (
	"crypto/x509"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hostward/internal/core"
)

// The words of Config.TLS.
const (
	StartTLS = "starttls" // begin in clear text, then TLS (RFC 3207); without it no mail
	Implicit = "implicit" // TLS from the first byte (RFC 8314 3.3)
	None     = "none"     // clear text; to this machine only
)

// Config says which server takes our mail.
type Config struct {
	// Server is host, host:port or an IP address. The port is 465 with TLS
	// "implicit", else 587 with a user, else 25.
	Server string
	// TLS is "starttls", "implicit" or "none". Empty stands for "implicit" on
	// port 465, else "none" for a server on a loopback address, else "starttls".
	// TLS 1.2 is the least, and the certificate must be good for Server's host.
	TLS string
	// From is the address in the header From and in the envelope, its domain in
	// ASCII: what cannot be delivered comes back to it.
	From string
	// Name is the display name in From, such as "Hostward on panel.example.org";
	// empty for none, at most 100 characters.
	Name string
	// User and Password log in with AUTH PLAIN (RFC 4616); both or neither.
	// They are sent over TLS, or to a loopback address.
	User     string
	Password core.Secret
	// Hello is the name in EHLO, a domain or an address literal. Empty stands
	// for the machine's host name, or for its address when that is no domain.
	Hello string
	// Roots judge the server's certificate; nil stands for the system's.
	Roots *x509.CertPool
	// Timeout is for the whole exchange; 0 stands for 30 s. When it cuts off a
	// server that is slow to confirm, the mail may arrive twice, with the same
	// Message-ID (RFC 5321 4.5.3.2.6 allows ten minutes for that reason).
	Timeout time.Duration
}

const (
	usualTimeout = 30 * time.Second
	mostName     = 100 // characters
)

// Validate returns nil, or one core.Invalid with every fault. It asks nobody:
// whether the server exists is for Send to find out.
func (c Config) Validate() error {
	var f core.Faults
	c.checkRoute(&f)
	c.checkLogin(&f)
	if _, ok := parseAddress(c.From); !ok {
		f.Add("from", c.From, acceptedAddress)
	}
	if !isLine(c.Name) || utf8.RuneCountInString(c.Name) > mostName {
		f.Add("name", c.Name, "at most 100 characters in one line")
	}
	if c.Hello != "" && !isDomain(c.Hello) && !isLiteral(c.Hello) {
		f.Add("hello", c.Hello, "a host name such as panel.example.org, or an address such as [192.0.2.1]")
	}
	if c.Timeout < 0 {
		f.Add("timeout", c.Timeout.String(), "a positive duration, or 0 for 30 s")
	}
	return f.Err()
}

const acceptedAddress = "one mail address such as anna@example.org, its domain in ASCII (xn--...)"

func (c Config) checkRoute(f *core.Faults) {
	r := c.route()
	if port, err := strconv.ParseUint(r.port, 10, 16); err != nil || port == 0 || !isHost(r.host) {
		f.Add("server", c.Server, "a host name or IP address, and a port if it is not the usual one: mail.example.org:587")
	}
	switch {
	case r.tls != StartTLS && r.tls != Implicit && r.tls != None:
		f.Add("tls", c.TLS, "starttls, implicit, none or nothing")
	case r.tls == None && !isLoopback(r.host):
		f.Add("tls", c.TLS, "starttls or implicit: clear text is for a server on this machine")
	case r.tls == StartTLS && r.port == "465":
		f.Add("tls", c.TLS, "implicit: port 465 speaks TLS from the first byte (RFC 8314 3.3)")
	}
}

func (c Config) checkLogin(f *core.Faults) {
	if (c.User == "") != c.Password.Empty() {
		f.Add("password", "", "a user and a password, or neither")
	}
	if !isLine(c.User) {
		f.Add("user", c.User, "one line of text")
	}
	if secret := c.Password.Reveal(); strings.Contains(secret, "\x00") || !utf8.ValidString(secret) {
		f.Add("password", "", "text without NUL (RFC 4616 2)")
	}
}

// route is where the server is, with the defaults filled in.
type route struct{ host, port, tls string }

func (r route) String() string { return net.JoinHostPort(r.host, r.port) }

func (c Config) route() route {
	r := route{host: c.Server, tls: c.TLS}
	if host, port, err := net.SplitHostPort(c.Server); err == nil {
		r.host, r.port = host, port
	} else if inner, ok := strings.CutPrefix(c.Server, "["); ok {
		r.host = strings.TrimSuffix(inner, "]")
	}
	if r.tls == "" {
		r.tls = usualTLS(r)
	}
	if r.port == "" {
		r.port = c.usualPort(r.tls)
	}
	return r
}

func usualTLS(r route) string {
	switch {
	case r.port == "465":
		return Implicit
	case isLoopback(r.host):
		return None
	}
	return StartTLS
}

func (c Config) usualPort(tls string) string {
	switch {
	case tls == Implicit:
		return "465"
	case c.User != "":
		return "587"
	}
	return "25"
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || isDomain(s)
}

// isLoopback reports a name or address that means this machine (RFC 6761 6.3).
// What the name leads to is looked at again when connecting.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	name := "." + strings.ToLower(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.HasSuffix(name, ".localhost")
}

func (c Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return usualTimeout
	}
	return c.Timeout
}
