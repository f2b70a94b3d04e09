package smtp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"hostward/internal/adapter/smtp"
	"hostward/internal/core"
)

func TestTheUsualPortAndTLSFollowFromTheServer(t *testing.T) {
	for _, c := range []struct{ server, tls, user, address, word string }{
		{"mail.example.org", "", "", "mail.example.org:25", smtp.StartTLS},
		{"mail.example.org", "", "panel", "mail.example.org:587", smtp.StartTLS},
		{"mail.example.org", smtp.Implicit, "panel", "mail.example.org:465", smtp.Implicit},
		{"mail.example.org:465", "", "", "mail.example.org:465", smtp.Implicit},
		{"mail.example.org:2525", "", "panel", "mail.example.org:2525", smtp.StartTLS},
		{"localhost", "", "", "localhost:25", smtp.None},
		{"mx.LocalHost", "", "", "mx.LocalHost:25", smtp.None},
		{"localhost.example.org", "", "", "localhost.example.org:25", smtp.StartTLS},
		{"127.0.0.2:10025", "", "", "127.0.0.2:10025", smtp.None},
		{"127.0.0.1", smtp.StartTLS, "", "127.0.0.1:25", smtp.StartTLS},
		{"::1", "", "", "[::1]:25", smtp.None},
		{"[::1]", "", "panel", "[::1]:587", smtp.None},
		{"[2001:db8::25]:26", "", "", "[2001:db8::25]:26", smtp.StartTLS},
	} {
		config := smtp.Config{Server: c.server, TLS: c.tls, User: c.user, From: "a@example.org"}
		if c.user != "" {
			config.Password = core.NewSecret(password)
		}
		if address, word := smtp.Route(config); address != c.address || word != c.word {
			t.Errorf("%s, tls %q, user %q: got %s by %s, want %s by %s", c.server, c.tls, c.user, address, word, c.address, c.word)
		}
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", c.server, err)
		}
	}
}

func TestEveryFaultOfASettingIsNamedAtOnce(t *testing.T) {
	c := smtp.Config{Server: "mail example.org:0", TLS: "perhaps", From: "Anna <anna@example.org>", Name: "a\nb", User: "x\x00", Hello: "-", Timeout: -1}
	wantFaults(t, c.Validate(), "server", "tls", "password", "user", "from", "name", "hello", "timeout")
}

func TestASettingIsRefused(t *testing.T) {
	secret := core.NewSecret(password)
	for field, list := range map[string][]smtp.Config{
		"server":   {{Server: ""}, {Server: "mail.example.org:smtp"}, {Server: "mail.example.org:70000"}, {Server: "user@mail.example.org"}, {Server: "mail.example.org\r\n"}},
		"tls":      {{TLS: smtp.None}, {TLS: smtp.None, Server: "192.0.2.25"}, {TLS: "STARTTLS"}, {TLS: smtp.StartTLS, Server: "mail.example.org:465"}},
		"from":     {{From: "anna"}, {From: "a@example.org,b@example.org"}, {From: "a@example.org>\r\nRCPT TO:<b@example.org"}, {From: "a@exämple.org"}},
		"name":     {{Name: "Hostward\r\nBcc: all@example.org"}, {Name: strings.Repeat("ä", 101)}, {Name: "\xff"}},
		"password": {{User: "panel"}, {Password: secret}, {User: "panel", Password: core.NewSecret("a\x00b")}},
		"user":     {{User: "panel\x00root", Password: secret}},
		"hello":    {{Hello: "panel example"}, {Hello: "panel\r\nMAIL FROM:<>"}, {Hello: "[panel]"}, {Hello: "[::1]"}},
	} {
		for _, c := range list {
			if c.Server == "" && field != "server" {
				c.Server = "mail.example.org"
			}
			if c.From == "" {
				c.From = "hostward@example.org"
			}
			wantFaults(t, c.Validate(), field)
		}
	}
}

func TestAPasswordIsInNoFault(t *testing.T) {
	c := smtp.Config{Server: "mail.example.org", From: "a@example.org", User: "panel", Password: core.NewSecret(password + "\x00")}
	if err := c.Validate(); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("got %v", err)
	}
}

func TestAWrongSettingIsNoFaultOfTheMail(t *testing.T) {
	err := smtp.Config{Server: "mail.example.org", From: "anna"}.Send(t.Context(), mail())
	wantError(t, err, true, `from "anna"`)
	wantFaults(t, err, "from")
}

// TestClearTextStaysOnThisMachine lets a name server say that a name of this
// machine is another one.
func TestClearTextStaysOnThisMachine(t *testing.T) {
	resolve(t, map[string][4]byte{"here.localhost.": {127, 0, 0, 1}, "away.localhost.": {192, 0, 2, 25}})
	s := (&server{}).start(t)
	_, port, _ := net.SplitHostPort(s.address)
	c := s.config()
	c.Server = "here.localhost:" + port
	if err := c.Send(t.Context(), mail()); err != nil {
		t.Error(err)
	}
	c.Server, c.TLS = "away.localhost:"+port, ""
	wantError(t, c.Send(t.Context(), mail()), true, "nothing in clear text")
}

func TestLoopbackAddresses(t *testing.T) {
	for to, want := range map[string]bool{"127.0.0.1:25": true, "127.8.9.1:25": true, "[::1]:25": true, "[::ffff:127.0.0.1]:25": true,
		"192.0.2.25:25": false, "[2001:db8::1]:25": false, "0.0.0.0:25": false} {
		if err := smtp.OnlyLoopback(t.Context(), "tcp", to, nil); (err == nil) != want {
			t.Errorf("%s: got %v", to, err)
		}
	}
}

// resolve answers for names until the test ends.
func resolve(t *testing.T, names map[string][4]byte) {
	t.Helper()
	usual := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = usual })
	address := listen(t, func(conn net.Conn) {
		for answerName(conn, names) == nil {
		}
	})
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
}

// answerName answers one question over TCP (RFC 7766 8).
func answerName(conn net.Conn, names map[string][4]byte) error {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	packet := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, packet); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return err
	}
	q := m.Questions[0]
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if ip, ok := names[q.Name.String()]; ok && q.Type == dnsmessage.TypeA {
		answer.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: ip}}}
	}
	packet, err := answer.AppendPack(make([]byte, 2))
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(packet, uint16(len(packet)-2))
	_, err = conn.Write(packet)
	return err
}

// wantFaults fails unless err is invalid input with faults in these fields.
func wantFaults(t *testing.T, err error, fields ...string) {
	t.Helper()
	e, ok := errors.AsType[*core.Error](err)
	if !ok || e.Code != core.Invalid {
		t.Errorf("got %v, want faults in %v", err, fields)
		return
	}
	var got []string
	for _, f := range e.Faults {
		got = append(got, f.Field)
	}
	if !slices.Equal(got, fields) {
		t.Errorf("got faults in %v, want %v: %v", got, fields, err)
	}
}
