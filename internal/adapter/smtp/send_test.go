package smtp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"
	"unicode"

	"hostward/internal/adapter/smtp"
	"hostward/internal/adapter/smtp/smtptest"
)

func TestAMailIsTakenAsItWasWritten(t *testing.T) {
	s := (&server{}).start(t)
	m := mail()
	m.Text = ".\n..\n.a\n" + m.Text + "."
	if err := s.config().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	want := "EHLO panel.example.org\nMAIL FROM:<hostward@panel.example.org>\nRCPT TO:<anna@example.org>\nDATA\nQUIT"
	if got := s.heard(); got != want {
		t.Errorf("the server heard\n%s\nwant\n%s", got, want)
	}
	got, err := netmail.ReadMessage(strings.NewReader(s.data))
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, got, s.config(), m)
}

func TestAMachineWithoutAGoodNameStillGreets(t *testing.T) {
	s := (&server{}).start(t)
	c := s.config()
	c.Hello = ""
	if err := c.Send(t.Context(), mail()); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(s.heard(), "\n")
	if name, ok := strings.CutPrefix(first, "EHLO "); !ok || !smtp.ParseAddress("a@"+name) {
		t.Errorf("the server heard %q, which is no domain and no address", first)
	}
}

func TestTLSComesBeforeMail(t *testing.T) {
	config, roots := good(t)
	for word, s := range map[string]*server{
		smtp.StartTLS: {tls: config, offers: []string{"STARTTLS", "AUTH PLAIN"}},
		smtp.Implicit: {tls: config, offers: []string{"AUTH PLAIN"}, wrapped: true},
	} {
		s.start(t)
		if err := withLogin(s.withTLS(word, roots)).Send(t.Context(), mail()); err != nil {
			t.Fatalf("%s: %v", word, err)
		}
		heard := s.heard()
		heard = strings.TrimPrefix(heard, "EHLO panel.example.org\nSTARTTLS\n")
		for line := range strings.SplitSeq(heard, "\n") {
			if !strings.HasPrefix(line, "TLS ") {
				t.Errorf("%s: %q came in clear text", word, line)
			}
		}
		if !s.mailed || !strings.Contains(heard, proof()) {
			t.Errorf("%s: mailed %v, heard\n%s", word, s.mailed, heard)
		}
	}
}

// proof is what AUTH PLAIN sends for the user of the tests.
func proof() string { return base64.StdEncoding.EncodeToString([]byte("\x00panel\x00" + password)) }

func TestWithoutTLSThereIsNoMail(t *testing.T) {
	config, roots := good(t)
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for name, s := range map[string]*server{
		"the server offers no STARTTLS": {tls: config, offers: []string{"AUTH PLAIN", "XXXXXXXX"}},
		"answers 454":                   {tls: config, offers: []string{"STARTTLS"}, replies: map[string]string{"STARTTLS": "454 TLS not available"}},
		"answers 502":                   {tls: config, offers: []string{"STARTTLS"}, replies: map[string]string{"STARTTLS": "502 never heard of it"}},
		"protocol version":              {tls: old, offers: []string{"STARTTLS"}},
		"said more before TLS":          {tls: config, offers: []string{"STARTTLS"}, replies: map[string]string{"STARTTLS": "220 go ahead\r\n250-mx\r\n250 AUTH PLAIN"}},
	} {
		s.start(t)
		err := withLogin(s.withTLS(smtp.StartTLS, roots)).Send(t.Context(), mail())
		wantError(t, err, true, name)
		if heard := s.heard(); strings.Contains(heard, "MAIL") || strings.Contains(heard, "AUTH") || strings.Contains(heard, "TLS EHLO") {
			t.Errorf("%s: the server heard\n%s", name, heard)
		}
	}
}

func TestCertificateErrorsAreErrors(t *testing.T) {
	now := time.Now()
	mine, _ := smtptest.Certificate(t, "127.0.0.1", now.Add(24*time.Hour))
	other, others := smtptest.Certificate(t, "mail.example.net", now.Add(24*time.Hour))
	old, olds := smtptest.Certificate(t, "127.0.0.1", now.Add(-time.Hour))
	for _, c := range []struct {
		own   tls.Certificate
		roots *x509.CertPool
		says  string
	}{
		{mine, others, "unknown authority"}, {mine, nil, "unknown authority"}, {other, others, "127.0.0.1"}, {old, olds, "expired"},
	} {
		for _, word := range []string{smtp.StartTLS, smtp.Implicit} {
			s := &server{tls: &tls.Config{Certificates: []tls.Certificate{c.own}}, offers: []string{"STARTTLS"}, wrapped: word == smtp.Implicit}
			s.start(t)
			err := s.withTLS(word, c.roots).Send(t.Context(), mail())
			wantError(t, err, true, c.says)
			if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
				t.Errorf("%s, %s: the cause is lost: %v", word, c.says, err)
			}
			if strings.Contains(s.heard(), "MAIL") {
				t.Errorf("%s, %s: mail was sent", word, c.says)
			}
		}
	}
}

func TestWhatWasOfferedBeforeTLSIsForgotten(t *testing.T) {
	config, roots := good(t)
	s := (&server{tls: config, offers: []string{"STARTTLS", "AUTH PLAIN"}, secure: []string{"AUTH LOGIN"}}).start(t)
	err := withLogin(s.withTLS(smtp.StartTLS, roots)).Send(t.Context(), mail())
	wantError(t, err, true, "the server offers no AUTH PLAIN")
	if strings.Contains(s.heard(), "MAIL") {
		t.Error("mail was sent without log-in")
	}
}

func TestAServerThatSpeaksClearTextOnAPortOfTLSIsRefused(t *testing.T) {
	s := (&server{}).start(t)
	wantError(t, s.withTLS(smtp.Implicit, nil).Send(t.Context(), mail()), true, "starting TLS with "+s.address)
}

func TestAWrongPasswordIsForTheOperatorToPutRight(t *testing.T) {
	for verb, reply := range map[string]string{
		"AUTH": "535 5.7.8 no", "PASSWORD": "535 5.7.8 " + password + " is wrong, so is " + proof(),
	} {
		s := (&server{offers: []string{"auth login plain"}, replies: map[string]string{verb: reply}}).start(t)
		err := withLogin(s.config()).Send(t.Context(), mail())
		e := wantError(t, err, true, "logging in to "+s.address+": the server answers 535 5.7.8")
		if e.Code != 535 || strings.Contains(err.Error(), "horse") || strings.Contains(err.Error(), proof()) {
			t.Errorf("code %d, %v", e.Code, err)
		}
		if strings.Contains(s.heard(), "MAIL") || !strings.HasSuffix(s.heard(), "QUIT") {
			t.Errorf("the server heard\n%s", s.heard())
		}
	}
}

func TestAServersRefusalIsFinalWhenItIsAboutTheMail(t *testing.T) {
	for _, c := range []struct {
		verb, reply string
		temporary   bool
		says        string
	}{
		{"220", "421 too busy", true, "waiting for the greeting of"},
		{"220", "554 no service here", true, "answers 554 no service here"},
		{"EHLO", "550 who are you?", true, "greeting"},
		{"EHLO", "451 later", true, "answers 451 later"},
		{"MAIL", "452 4.3.1 disk full", true, "naming the sender to"},
		{"MAIL", "550 5.7.1 not you", false, "answers 550 5.7.1 not you"},
		{"RCPT", "450 4.2.0 greylisted", true, "naming the recipient to"},
		{"RCPT", "550-5.1.1 no such user\r\n550 5.1.1 really", false, "answers 550 5.1.1 no such user"},
		{"RCPT", "354 go ahead", true, "answers 354"},
		{"DATA", "421 shutting down", true, "sending the text to"},
		{"DATA", "554 5.5.1 no valid recipients", false, "answers 554"},
		{".", "451 4.3.0 queue file write error", true, "sending the text to"},
		{".", "554 5.7.1 spam", false, "answers 554 5.7.1 spam"},
	} {
		s := (&server{replies: map[string]string{c.verb: c.reply}}).start(t)
		wantError(t, s.config().Send(t.Context(), mail()), c.temporary, c.says)
		if heard := s.heard(); !strings.HasSuffix(heard, "QUIT") {
			t.Errorf("%s %s: no goodbye: %q", c.verb, c.reply, heard)
		}
	}
}

func TestAForwardedRecipientIsTaken(t *testing.T) {
	s := (&server{replies: map[string]string{"RCPT": "251 will forward"}}).start(t)
	if err := s.config().Send(t.Context(), mail()); err != nil {
		t.Error(err)
	}
}

func TestAReplyThatRepeatsTheMailIsNotRepeated(t *testing.T) {
	token := link[strings.LastIndex(link, "/")+1:]
	for _, reply := range []string{
		"554 5.7.1 blocked link " + link, `554 5.7.1 blocked link "` + strings.ToUpper(link) + `"`, "554 5.7.1 blocked link " + token + "?",
		"554 5.7.1 blocked link <href=" + link + "&x=" + strings.Repeat("y", 300), "554 5.7.1 blocked link " + token[:20], "554 5.7.1 blocked link hello anna,  set a new one:",
	} {
		s := (&server{replies: map[string]string{".": reply}}).start(t)
		err := s.config().Send(t.Context(), mail())
		e := wantError(t, err, false, "554 5.7.1 blocked link (hidden)")
		if low := strings.ToLower(err.Error()); strings.Contains(low, token[:12]) || strings.Contains(low, "set a") || strings.Contains(low, "one") {
			t.Errorf("the mail is in the error: %v", e)
		}
	}
}

func TestAReplyMayNameTheRecipient(t *testing.T) {
	s := (&server{replies: map[string]string{"RCPT": "550 5.1.1 <anna@example.org>: unknown"}}).start(t)
	m := mail()
	m.Text = "This is for anna@example.org."
	wantError(t, s.config().Send(t.Context(), m), false, "550 5.1.1 <anna@example.org>: unknown")
}

func TestAReplyIsPrintableAndShort(t *testing.T) {
	s := (&server{replies: map[string]string{"RCPT": "550 \x1b[2J\x00\xff\u202e" + strings.Repeat("ö", 5000)}}).start(t)
	err := s.config().Send(t.Context(), mail())
	wantError(t, err, false, "550 ?[2J???ö")
	if n := len([]rune(err.Error())); n > 350 || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%d characters: %q", n, err.Error())
	}
}

func TestACauseIsPrintableAndShort(t *testing.T) {
	err := &smtp.Error{Doing: "connecting to mx", Cause: errors.New("a\nb\x1b" + strings.Repeat("ö", 500))}
	if got, want := err.Error(), "connecting to mx: a?b?"+strings.Repeat("ö", 196)+"…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSizeIsToldAndRespected(t *testing.T) {
	size := len(smtp.Compose((&server{}).config(), mail()))
	for offer, fits := range map[string]bool{"SIZE": true, "SIZE 0": true, "size 100000": true, "SIZE nonsense": true, "SIZE 100": false} {
		s := (&server{offers: []string{offer}}).start(t)
		err := s.config().Send(t.Context(), mail())
		if !fits {
			wantError(t, err, false, "the server takes 100 bytes")
			continue
		}
		if err != nil || !strings.Contains(s.heard(), "MAIL FROM:<hostward@panel.example.org> SIZE=") {
			t.Errorf("%s: %v, heard\n%s", offer, err, s.heard())
		}
	}
	s := (&server{offers: []string{"SIZE"}}).start(t)
	if err := s.config().Send(t.Context(), mail()); err != nil {
		t.Fatal(err)
	}
	if got := len(strings.ReplaceAll(s.data, "\n", "\r\n")); got != size {
		t.Errorf("%d bytes arrived, %d were announced", got, size)
	}
}

func TestAnAddressInAnotherScriptNeedsAServerThatKnowsIt(t *testing.T) {
	m := mail()
	m.To = "jörg@example.org"
	s := (&server{offers: []string{"8BITMIME", "SMTPUTF8"}}).start(t)
	if err := s.config().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if heard := s.heard(); !strings.Contains(heard, "> SMTPUTF8\nRCPT TO:<jörg@example.org>\n") {
		t.Errorf("the server heard\n%s", heard)
	}
	if err := s.config().Send(t.Context(), mail()); err != nil || strings.Count(s.heard(), " SMTPUTF8") != 1 {
		t.Errorf("SMTPUTF8 was asked for without need: %v\n%s", err, s.heard())
	}
	s = (&server{offers: []string{"8BITMIME"}}).start(t)
	wantError(t, s.config().Send(t.Context(), m), false, "SMTPUTF8")
}

func TestAServerThatIsNotThereIsTemporary(t *testing.T) {
	c := smtp.Config{Server: gone(t), From: "a@example.org"}
	wantError(t, c.Send(t.Context(), mail()), true, "connecting to "+c.Server+": ")
}

func TestNothingIsSentWhenTheCallerHasLeft(t *testing.T) {
	s := (&server{}).start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.config().Send(ctx, mail())
	wantError(t, err, true, "context canceled")
	if !errors.Is(err, context.Canceled) || s.heard() != "" {
		t.Errorf("%v; the server heard %q", err, s.heard())
	}
}

// hasty is a connection whose owner leaves when the first answer is here.
type hasty struct {
	net.Conn
	leave func()
}

func (h hasty) Read(b []byte) (int, error) {
	defer h.leave()
	return h.Conn.Read(b)
}

func TestAnAnswerThatCameIsNotLostToATimeout(t *testing.T) {
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, _ = io.WriteString(theirs, "554 no service\r\n"); _ = theirs.Close() }()
	err := smtp.Converse(ctx, (&server{}).config(), hasty{ours, cancel}, mail())
	_ = ours.Close()
	wantError(t, err, true, "the server answers 554 no service")
}

// stalls are the places where a server can leave us waiting.
func stalls() []string {
	return []string{"220", "EHLO", "STARTTLS", "TLS", "AUTH", "PASSWORD", "MAIL", "RCPT", "DATA", "."}
}

func TestACallerCanLeaveAtAnyPoint(t *testing.T) {
	config, roots := good(t)
	for _, verb := range stalls() {
		s := (&server{tls: config, offers: []string{"STARTTLS", "AUTH PLAIN"}, stall: verb}).start(t)
		c := withLogin(s.withTLS(smtp.StartTLS, roots))
		c.Timeout = time.Hour
		ctx, cancel := context.WithCancelCause(t.Context())
		left := errors.New("the panel stops")
		go func() { <-s.stalled; cancel(left) }()
		err := c.Send(ctx, mail())
		wantError(t, err, true, "the panel stops")
		if !errors.Is(err, left) {
			t.Errorf("%s: the cause is lost: %v", verb, err)
		}
		if verb != "." && s.mailed {
			t.Errorf("%s: the mail was completed", verb)
		}
	}
}

func TestAServerThatFallsSilentIsLeft(t *testing.T) {
	config, roots := good(t)
	for _, verb := range stalls() {
		s := (&server{tls: config, offers: []string{"STARTTLS", "AUTH PLAIN"}, stall: verb}).start(t)
		c := withLogin(s.withTLS(smtp.StartTLS, roots))
		c.Timeout = 100 * time.Millisecond
		err := c.Send(t.Context(), mail())
		wantError(t, err, true, "it took longer than 100ms")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the cause is lost: %v", verb, err)
		}
	}
}

func TestAMailOfUnknownFateIsToldSo(t *testing.T) {
	s := (&server{stall: "."}).start(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.stalled; cancel() }()
	wantError(t, s.config().Send(ctx, mail()), true, "the mail may have arrived; waiting for the receipt of "+s.address)
	if !s.mailed {
		t.Error("the server was to have it all")
	}
}

func TestATakenMailIsTakenWhateverComesAfter(t *testing.T) {
	for _, s := range []*server{{stall: "QUIT"}, {replies: map[string]string{"QUIT": "500 what?"}}, {replies: map[string]string{".": "250 taken\r\n421 and now go"}}} {
		s.start(t)
		began := time.Now()
		if err := s.config().Send(t.Context(), mail()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > generous/2 {
			t.Errorf("waited %v for a goodbye", took)
		}
	}
}
