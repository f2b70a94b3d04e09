package smtp_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hostward/internal/adapter/smtp"
	"hostward/internal/adapter/smtp/smtptest"
	"hostward/internal/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// generous is a limit for a busy machine; no test waits for it to pass.
const generous = 30 * time.Second

const (
	password = "correct horse battery"
	link     = "https://panel.example.org/claim/k4h7zq2m5x3w6t7yabcd2345efgh"
)

// mail is a message like those that are sent.
func mail() smtp.Message {
	return smtp.Message{To: "anna@example.org", Subject: "Your new password", ID: "m_0123456789abcdefghjkmnpqrs",
		Text: "Hello Anna,\n\nset a new one:\n" + link + "\n", Date: time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)}
}

// server is a mail server that does what it is told to, also wrong. It notes
// what it hears.
type server struct {
	offers  []string          // lines of the answer to EHLO
	secure  []string          // the same after TLS; nil: offers without STARTTLS
	replies map[string]string // instead of the usual ones, by verb; "220" is the greeting, "." the end of the mail
	stall   string            // the verb that gets no answer; "TLS" is the handshake
	tls     *tls.Config
	wrapped bool // implicit TLS

	address  string
	stalled  chan struct{} // closed when it stalls
	mu       sync.Mutex
	commands []string // each with "TLS " in front when it came so
	data     string
	mailed   bool // the final dot was seen
	calls    int
}

// start serves until the test ends.
func (s *server) start(t *testing.T) *server {
	t.Helper()
	s.stalled = make(chan struct{})
	s.address = listen(t, func(conn net.Conn) { s.serve(conn) })
	return s
}

// listen handles connections until the test ends, and closes them then.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			all.Go(func() { handle(conn); _ = conn.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// talk is the server's side of one connection.
type talk struct {
	*server
	conn net.Conn
	in   *textproto.Reader
	over string // "TLS " when it is
}

func (s *server) serve(conn net.Conn) {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	k := &talk{server: s, conn: conn, in: textproto.NewReader(bufio.NewReader(conn))}
	if s.wrapped && !k.secureNow() {
		return
	}
	if !k.answer("220", "220 mx.example.org ESMTP") {
		return
	}
	for {
		line, err := k.in.ReadLine()
		if err != nil || !k.command(line) {
			return
		}
	}
}

func (k *talk) secureNow() bool {
	if k.stall == "TLS" {
		return k.hang()
	}
	conn := tls.Server(k.conn, k.tls)
	if conn.Handshake() != nil {
		return false
	}
	k.conn, k.in, k.over = conn, textproto.NewReader(bufio.NewReader(conn)), "TLS "
	return true
}

// hang answers nothing more and waits for the other side to go.
func (k *talk) hang() bool {
	close(k.stalled)
	_, _ = io.Copy(io.Discard, k.conn)
	return false
}

// answer says a reply, unless it was told another or none.
func (k *talk) answer(verb, usual string) bool {
	if k.stall == verb {
		return k.hang()
	}
	if own, ok := k.replies[verb]; ok {
		usual = own
	}
	_, err := io.WriteString(k.conn, usual+"\r\n")
	return err == nil
}

func (k *talk) command(line string) bool {
	k.mu.Lock()
	k.commands = append(k.commands, k.over+line)
	k.mu.Unlock()
	verb, _, _ := strings.Cut(line, " ")
	switch verb {
	case "EHLO":
		return k.answer(verb, k.greeting())
	case "STARTTLS":
		return k.answer(verb, "220 go ahead") && k.secureNow()
	case "AUTH":
		return k.auth()
	case "MAIL", "RCPT":
		return k.answer(verb, "250 ok")
	case "DATA":
		return k.answer(verb, "354 go ahead") && (k.replies[verb] != "" || k.receive())
	case "QUIT":
		return k.answer(verb, "221 bye") && false
	}
	return k.answer(verb, "500 what?")
}

func (k *talk) greeting() string {
	offers := k.offers
	if k.over != "" && k.secure != nil {
		offers = k.secure
	}
	lines := []string{"mx.example.org"}
	for _, offer := range offers {
		if k.over == "" || offer != "STARTTLS" {
			lines = append(lines, offer)
		}
	}
	last := len(lines) - 1
	for i := range lines[:last] {
		lines[i] = "250-" + lines[i]
	}
	lines[last] = "250 " + lines[last]
	return strings.Join(lines, "\r\n")
}

func (k *talk) auth() bool {
	if !k.answer("AUTH", "334 ") {
		return false
	}
	if k.replies["AUTH"] != "" {
		return true
	}
	line, err := k.in.ReadLine()
	k.mu.Lock()
	k.commands = append(k.commands, k.over+line)
	k.mu.Unlock()
	return err == nil && k.answer("PASSWORD", "235 welcome")
}

func (k *talk) receive() bool {
	data, err := io.ReadAll(k.in.DotReader())
	k.mu.Lock()
	k.data, k.mailed = string(data), err == nil
	k.mu.Unlock()
	return err == nil && k.answer(".", "250 taken")
}

// heard is what the server was told, line by line.
func (s *server) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.commands, "\n")
}

// config leads to the server in clear text.
func (s *server) config() smtp.Config {
	return smtp.Config{Server: s.address, TLS: smtp.None, From: "hostward@panel.example.org", Name: "Hostward", Hello: "panel.example.org", Timeout: generous}
}

// withTLS leads to the server by TLS and trusts its certificate.
func (s *server) withTLS(word string, roots *x509.CertPool) smtp.Config {
	c := s.config()
	c.TLS, c.Roots = word, roots
	return c
}

// withLogin adds a user.
func withLogin(c smtp.Config) smtp.Config {
	c.User, c.Password = "panel", core.NewSecret(password)
	return c
}

// good is a certificate of the address where servers of tests listen.
func good(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	own, roots := smtptest.Certificate(t, "127.0.0.1", time.Now().Add(24*time.Hour))
	return &tls.Config{Certificates: []tls.Certificate{own}}, roots
}

// wantError fails unless err is an *smtp.Error that reads and counts so.
func wantError(t *testing.T, err error, temporary bool, says string) *smtp.Error {
	t.Helper()
	e, ok := errors.AsType[*smtp.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *smtp.Error that says %q", err, says)
	}
	if e.Temporary() != temporary || !strings.Contains(err.Error(), says) {
		t.Errorf("got %q, temporary %v; want %v and %q", err, e.Temporary(), temporary, says)
	}
	return e
}
