package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// mostHeard is how much a server may say in one exchange, in bytes, before and
// after STARTTLS each. Postfix says some 500.
const mostHeard = 64 << 10

// patience is for the server's answer to QUIT, when all is said.
const patience = time.Second

var (
	errTalkative = errors.New("the server talks without end")
	errNonsense  = errors.New("the server's answer is no SMTP reply")
	errEnded     = errors.New("the server ended the connection")
)

// exchange is one conversation with a server. Closing socket, which happens
// when ctx ends, ends every wait in it.
type exchange struct {
	ctx    context.Context
	server string
	socket net.Conn
	conn   net.Conn          // socket, or TLS over it
	heard  *io.LimitedReader // what the server may still say
	text   *textproto.Conn
	offers map[string]string // keyword of EHLO, in capitals -> its parameters
	hush   hush
	about  bool // the mail: from MAIL on a 5xx is final
}

// over continues the conversation on conn. What was read ahead and what the
// server offered before is forgotten (RFC 3207 4.2).
func (x *exchange) over(conn net.Conn) {
	x.conn, x.offers = conn, nil
	x.heard = &io.LimitedReader{R: conn, N: mostHeard}
	x.text = textproto.NewConn(struct {
		io.Reader
		io.WriteCloser
	}{x.heard, conn})
}

// ask sends one line and waits for a reply whose code begins with the digits
// of want.
func (x *exchange) ask(doing string, want int, line string) (string, error) {
	if err := x.text.PrintfLine("%s", line); err != nil {
		return "", x.failed(doing, err)
	}
	return x.hear(doing, want)
}

// hear waits for a reply and returns its lines.
func (x *exchange) hear(doing string, want int) (string, error) {
	_, lines, err := x.text.ReadResponse(want)
	if err != nil {
		return "", x.failed(doing, err)
	}
	return lines, nil
}

// failed says what went wrong: a reply that was not wanted, or why none came.
func (x *exchange) failed(doing string, err error) *Error {
	e := &Error{Doing: doing + " " + x.server, Cause: err}
	reply, strange := &textproto.Error{}, textproto.ProtocolError("")
	switch {
	case errors.As(err, &reply): // a late answer is an answer
		e.Code, e.Reply, e.Cause = reply.Code, x.hush.line(reply.Msg), nil
		e.Final = x.about && reply.Code/100 == 5
	case x.ctx.Err() != nil:
		e.Cause = context.Cause(x.ctx)
	case errors.As(err, &strange):
		e.Cause = errNonsense
	case x.heard != nil && x.heard.N <= 0:
		e.Cause = errTalkative
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		e.Cause = errEnded
	}
	return e
}

// hello introduces us and notes what the server offers (RFC 5321 4.1.1.1).
func (x *exchange) hello(name string) error {
	lines, err := x.ask("greeting", 250, "EHLO "+name)
	if err != nil {
		return err
	}
	x.offers = map[string]string{}
	for _, line := range strings.Split(lines, "\n")[1:] {
		keyword, parameters, _ := strings.Cut(line, " ")
		x.offers[strings.ToUpper(keyword)] = parameters
	}
	return nil
}

// secure begins TLS at once.
func (x *exchange) secure(config *tls.Config) error {
	conn := tls.Client(x.conn, config)
	if err := conn.HandshakeContext(x.ctx); err != nil {
		return x.failed("starting TLS with", err)
	}
	x.over(conn)
	return nil
}

var errNoTLS = errors.New("the server offers no STARTTLS, and in clear text nothing is sent: " +
	"another server answers, somebody between it and us interferes, or it wants tls \"implicit\" or \"none\"")

var errEarly = errors.New("the server, or somebody between it and us, said more before TLS than it may")

// startTLS changes to TLS within the conversation. What came in clear text
// behind the reply is no part of it (RFC 3207 6).
func (x *exchange) startTLS(config *tls.Config) error {
	const doing = "starting TLS with"
	if _, ok := x.offers["STARTTLS"]; !ok {
		return x.failed(doing, errNoTLS)
	}
	if _, err := x.ask(doing, 220, "STARTTLS"); err != nil {
		return err
	}
	if x.text.R.Buffered() > 0 {
		return x.failed(doing, errEarly)
	}
	return x.secure(config)
}

// leave ends the conversation; politely when the server has answered what was
// asked last (RFC 5321 4.1.1.10).
func (x *exchange) leave(err error) {
	e, refused := errors.AsType[*Error](err)
	if err == nil || refused && e.Code != 0 {
		_ = x.socket.SetDeadline(time.Now().Add(patience))
		_, _ = x.ask("leaving", 221, "QUIT")
	}
	_ = x.socket.Close()
}
