package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Send hands m to the server and returns nil once the server has taken it:
// then it is the server that owes delivery or a notice of failure (RFC 5321
// 6.1). Any error is an *Error. One that came while waiting for the last
// answer says so: the server may have taken the mail, and a retry may deliver
// it twice under one Message-ID.
//
// It returns soon after ctx ends, whatever the server does.
func (c Config) Send(ctx context.Context, m Message) error {
	if err := c.Validate(); err != nil {
		return &Error{Doing: "sending mail", Cause: err}
	}
	if err := m.Validate(); err != nil {
		return &Error{Doing: "sending mail", Final: true, Cause: err}
	}
	limit := c.timeout()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v: %w", limit, context.DeadlineExceeded))
	defer cancel()
	x, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = x.socket.Close() })()
	x.hush = c.hushFor(m)
	err = c.converse(x, c.write(m))
	x.leave(err)
	return err
}

func (c Config) connect(ctx context.Context) (*exchange, error) {
	r := c.route()
	x := &exchange{ctx: ctx, server: r.String()}
	dialer := &net.Dialer{}
	if r.tls == None {
		dialer.ControlContext = onlyLoopback
	}
	conn, err := dialer.DialContext(ctx, "tcp", r.String())
	if err != nil {
		return nil, x.failed("connecting to", err)
	}
	x.socket = conn
	x.over(conn)
	return x, nil
}

var errOutside = errors.New("the name of this machine leads to another one, which gets nothing in clear text")

// onlyLoopback refuses connections to other machines, for each address that a
// name led to.
func onlyLoopback(_ context.Context, _, to string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(to)
	if err == nil && !at.Addr().Unmap().IsLoopback() {
		err = errOutside
	}
	return err
}

func (c Config) hushFor(m Message) hush {
	h := hush{says: plain(m.Subject + "\n" + m.Text), known: []string{m.To, c.From}}
	if secret := c.Password.Reveal(); secret != "" {
		h.secrets = []string{c.proof(), base64.StdEncoding.EncodeToString([]byte(secret)), secret}
	}
	return h
}

// proof is the message of AUTH PLAIN as it is sent (RFC 4616 2, RFC 4954 4).
func (c Config) proof() string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + c.User + "\x00" + c.Password.Reveal()))
}

// converse is the whole exchange but its end.
func (c Config) converse(x *exchange, l letter) error {
	if err := c.open(x); err != nil {
		return err
	}
	if err := c.login(x); err != nil {
		return err
	}
	x.about = true
	if err := x.envelope(l); err != nil {
		return err
	}
	return x.deliver(l.data)
}

// open brings the conversation to where mail can be spoken of.
func (c Config) open(x *exchange) error {
	r, name := c.route(), c.name(x.socket)
	config := &tls.Config{ServerName: r.host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
	if r.tls == Implicit {
		if err := x.secure(config); err != nil {
			return err
		}
	}
	if _, err := x.hear("waiting for the greeting of", 220); err != nil {
		return err
	}
	if err := x.hello(name); err != nil || r.tls != StartTLS {
		return err
	}
	if err := x.startTLS(config); err != nil {
		return err
	}
	return x.hello(name)
}

// name is what we call ourselves; a machine without a good name gives its
// address (RFC 5321 4.1.4).
func (c Config) name(socket net.Conn) string {
	if c.Hello != "" {
		return c.Hello
	}
	if name, err := os.Hostname(); err == nil && isDomain(name) {
		return name
	}
	at, _ := netip.ParseAddrPort(socket.LocalAddr().String())
	return literal(at.Addr())
}

var errNoPlain = errors.New("the server offers no AUTH PLAIN")

// login sends the password in a line of its own, which may be longer than a
// command (RFC 4954 4). Validate saw to it that nobody listens: it is TLS or
// this machine.
func (c Config) login(x *exchange) error {
	if c.User == "" {
		return nil
	}
	const doing = "logging in to"
	if !slices.Contains(strings.Fields(strings.ToUpper(x.offers["AUTH"])), "PLAIN") {
		return x.failed(doing, errNoPlain)
	}
	if _, err := x.ask(doing, 334, "AUTH PLAIN"); err != nil {
		return err
	}
	_, err := x.ask(doing, 235, c.proof())
	return err
}

// envelope names sender and recipient.
func (x *exchange) envelope(l letter) error {
	parameters, err := x.parameters(l)
	if err != nil {
		return err
	}
	if _, err := x.ask("naming the sender to", 250, "MAIL FROM:<"+l.from.String()+">"+parameters); err != nil {
		return err
	}
	_, err = x.ask("naming the recipient to", 25, "RCPT TO:<"+l.to.String()+">")
	return err
}

var errNoUTF8 = errors.New("the server does not take addresses with other than ASCII before the @ (SMTPUTF8)")

// parameters are what the server is told in advance, and where it would refuse
// anyway, so do we.
func (x *exchange) parameters(l letter) (string, error) {
	out := ""
	if limit, ok := x.offers["SIZE"]; ok {
		most, _ := strconv.ParseUint(limit, 10, 63) // RFC 1870 4: 0 or nothing for no limit
		if most > 0 && uint64(len(l.data)) > most {
			return "", x.unfit(fmt.Errorf("the server takes %d bytes, the mail has %d", most, len(l.data)))
		}
		out += " SIZE=" + strconv.Itoa(len(l.data))
	}
	if !l.international() {
		return out, nil
	}
	if _, ok := x.offers["SMTPUTF8"]; !ok {
		return "", x.unfit(errNoUTF8)
	}
	return out + " SMTPUTF8", nil
}

// unfit says that this server cannot take this mail.
func (x *exchange) unfit(why error) *Error {
	return &Error{Doing: "offering a mail to " + x.server, Final: true, Cause: why}
}

// deliver sends the mail itself. With the dot at its end the point of no return
// is passed: without an answer nobody knows whether the server has the mail.
func (x *exchange) deliver(data []byte) error {
	const doing = "sending the text to"
	if _, err := x.ask(doing, 354, "DATA"); err != nil {
		return err
	}
	w := x.text.DotWriter()
	if _, err := w.Write(data); err != nil {
		return x.failed(doing, err)
	}
	err := w.Close()
	if err != nil {
		err = x.failed(doing, err)
	} else {
		_, err = x.hear(doing, 250)
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code == 0 {
		e.Doing = "the mail may have arrived; waiting for the receipt of " + x.server
	}
	return err
}
