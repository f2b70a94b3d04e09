package smtp_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"hostward/internal/adapter/smtp"
	"hostward/internal/adapter/smtp/smtptest"
)

// postfix is the real one, in a part of the test.
type postfix struct{ *smtptest.Postfix }

// checkPassword is the other side of Postfix's SASL: Dovecot's authentication
// protocol, version 1.1, with one user.
func checkPassword(conn net.Conn) {
	fmt.Fprint(conn, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00112233445566778899aabbccddeeff\nDONE\n")
	for in := bufio.NewScanner(conn); in.Scan(); {
		word := strings.Split(in.Text(), "\t")
		switch {
		case word[0] == "AUTH":
			fmt.Fprintf(conn, "CONT\t%s\t\n", word[1])
		case word[0] == "CONT" && word[2] == proof():
			fmt.Fprintf(conn, "OK\t%s\tuser=panel\n", word[1])
		case word[0] == "CONT":
			fmt.Fprintf(conn, "FAIL\t%s\tuser=panel\n", word[1])
		}
	}
}

// config leads to one of its ports.
func (p *postfix) config(address, word string) smtp.Config {
	return smtp.Config{Server: address, TLS: word, Roots: p.Roots, From: "hostward@panel.example.org",
		Name: "Hostwärter auf panel.example.org", Hello: "panel.example.org", Timeout: 2 * generous}
}

func umlauts() smtp.Message {
	m := mail()
	m.Subject = "Ihr Zugang zu »panel.example.org« läuft in wenigen Tagen ab, bitte wählen Sie ein neues Kennwort"
	m.Text = "Grüß Gott!\n\n.\n..Zeilen mit Punkten\n.\nFrom here to there, ein langer Satz: " + strings.Repeat("schön und gut, ", 40) + "\n\n" + link + "?a=b\n-- \nHostwärter ✉\n"
	return m
}

func TestPostfix(t *testing.T) {
	p := &postfix{smtptest.Start(t, listen(t, checkPassword))}
	t.Run("delivers what was written", func(t *testing.T) { p.with(t).delivers() })
	t.Run("takes addresses in another script", func(t *testing.T) { p.with(t).takesUTF8() })
	t.Run("takes many at once", func(t *testing.T) { p.with(t).takesMany() })
	t.Run("says what it refuses", func(t *testing.T) { p.with(t).refuses() })
}

// with is the same Postfix in a part of the test.
func (p *postfix) with(t *testing.T) *postfix {
	part := *p.Postfix
	part.T = t
	return &postfix{&part}
}

func (p *postfix) delivers() {
	for name, c := range map[string]smtp.Config{
		"none":     p.config(p.Plain, smtp.None),
		"starttls": p.config(p.Plain, smtp.StartTLS),
		"implicit": p.config(p.Wrapped, smtp.Implicit),
		"user":     withLogin(p.config(p.Submission, smtp.StartTLS)),
	} {
		m := umlauts()
		m.ID += "." + name
		if err := c.Send(p.Context(), m); err != nil {
			p.Fatalf("%s: %v", name, err)
		}
		got := p.Arrived("anna")
		wantContent(p.T, got, c, m)
		if sender := got.Header.Get("Return-Path"); sender != "<hostward@panel.example.org>" {
			p.Errorf("%s: the envelope names %s", name, sender)
		}
		p.wantCame(name, got.Header.Get("Received"))
	}
}

// wantCame compares how a mail came with how it was to come (RFC 3848).
func (p *postfix) wantCame(name, received string) {
	p.Helper()
	with := map[string]string{"none": " with ESMTP ", "starttls": " with ESMTPS ", "implicit": " with ESMTPS ", "user": " with ESMTPSA "}[name]
	if !strings.Contains(received, with) {
		p.Errorf("%s: it came %s", name, received)
	}
}

// refuses: what Postfix says to our mistakes and to its own troubles.
func (p *postfix) refuses() {
	p.Helper()
	plain := p.config(p.Plain, smtp.StartTLS)
	to := func(address string) smtp.Message { m := mail(); m.To = address; return m }
	wantError(p.T, plain.Send(p.Context(), to("nobody@example.org")), false, "550 5.1.1 <nobody@example.org>: Recipient address rejected")
	wantError(p.T, plain.Send(p.Context(), to("anna@example.net")), false, "554 5.7.1 <anna@example.net>: Relay access denied")
	wantError(p.T, plain.Send(p.Context(), to("later@example.org")), true, "450 4.2.0 <later@example.org>: Recipient address rejected: come back later")
	large := mail()
	large.Text = strings.Repeat("a line of text\n", 10000)
	wantError(p.T, plain.Send(p.Context(), large), false, "the server takes 100000 bytes")
	other := withLogin(p.config(p.Submission, smtp.StartTLS))
	other.User = "somebody"
	wantError(p.T, other.Send(p.Context(), mail()), true, "logging in to "+p.Submission+": the server answers 535 5.7.8")
	wantError(p.T, p.config(p.Submission, smtp.None).Send(p.Context(), mail()), false, "530 5.7.0 Must issue a STARTTLS command first")
	untrusting := p.config(p.Plain, smtp.StartTLS)
	untrusting.Roots = nil
	wantError(p.T, untrusting.Send(p.Context(), mail()), true, "unknown authority")
}

func (p *postfix) takesUTF8() {
	p.Helper()
	c, m := p.config(p.Plain, smtp.StartTLS), umlauts()
	m.To = "jörg@example.org"
	if err := c.Send(p.Context(), m); err != nil {
		p.Fatal(err)
	}
	wantContent(p.T, p.Arrived("joerg"), c, m)
}

// takesMany sends from several goroutines with one Config.
func (p *postfix) takesMany() {
	c := p.config(p.Plain, smtp.StartTLS)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			m := mail()
			m.ID += fmt.Sprint(".", i)
			if err := c.Send(p.Context(), m); err != nil {
				p.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for range 8 {
		seen[p.Arrived("anna").Header.Get("Message-ID")] = true
	}
	if len(seen) != 8 {
		p.Errorf("%d mails arrived: %v", len(seen), seen)
	}
}
