package smtp_test

import (
	"bytes"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hostward/internal/adapter/smtp"
)

var sender = smtp.Config{Server: "localhost", From: "hostward@panel.example.org", Name: "Hostward auf panel.example.org"}

func TestAMailReadsSo(t *testing.T) {
	m := mail()
	m.Subject, m.Text = "Ihr Zugang läuft ab", "Grüß Gott!\n.\nEin Satz, der länger ist als sechsundsiebzig Zeichen, wird in zwei Zeilen geteilt. \n\n"+link+"?a=b"
	m.Date = m.Date.In(time.FixedZone("", 3600))
	want := strings.ReplaceAll(`Date: Fri, 27 Nov 2026 09:30:00 +0000
From: "Hostward auf panel.example.org"
 <hostward@panel.example.org>
To: anna@example.org
Subject: =?utf-8?b?SWhyIFp1Z2FuZyBsw6R1ZnQgYWI=?=
Message-ID: <m_0123456789abcdefghjkmnpqrs@panel.example.org>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9F Gott!
.
Ein Satz, der l=C3=A4nger ist als sechsundsiebzig Zeichen, wird in zwei Zei=
len geteilt.=20

https://panel.example.org/claim/k4h7zq2m5x3w6t7yabcd2345efgh?a=3Db
`, "\n", "\r\n")
	if got := string(smtp.Compose(sender, m)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestALongNameIsFolded(t *testing.T) {
	c := sender
	c.Name = strings.TrimSpace(strings.Repeat(`The "panel" \ `, 7))
	data := smtp.Compose(c, mail())
	for line := range bytes.SplitSeq(data, []byte("\r\n")) {
		if len(line) > 76 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
	wantReads(t, data, c, mail())
}

func TestEveryLineEndIsAnEndOfLine(t *testing.T) {
	for text, want := range map[string]string{"": "\r\n", "a": "a\r\n", "a\n": "a\r\n", "a\r\nb\rc\nd\n\ne\r": "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n", "\r=\n": "\r\n=3D\r\n"} {
		m := mail()
		m.Text = text
		if _, got, _ := strings.Cut(string(smtp.Compose(sender, m)), "\r\n\r\n"); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestARetryIsTheSameMail(t *testing.T) {
	if a, b := smtp.Compose(sender, mail()), smtp.Compose(sender, mail()); !bytes.Equal(a, b) {
		t.Errorf("got\n%s\nand\n%s", a, b)
	}
}

func TestWhatCouldBeginAHeaderIsRefused(t *testing.T) {
	for _, evil := range []string{"\r\nBcc: all@example.org", "\nBcc: all@example.org", "\rBcc:", "\x00", "\x1b[2J", "\u0085"} {
		for field, spoil := range map[string]func(*smtp.Message){
			"to":      func(m *smtp.Message) { m.To += evil },
			"subject": func(m *smtp.Message) { m.Subject += evil },
			"id":      func(m *smtp.Message) { m.ID += evil },
		} {
			m := mail()
			spoil(&m)
			wantFaults(t, m.Validate(), field)
			wantError(t, sender.Send(t.Context(), m), false, field)
		}
	}
}

func TestEveryFaultOfAMailIsNamedAndNothingOfItShown(t *testing.T) {
	m := smtp.Message{To: "a@example.org, b@example.org", Subject: link + "\n", Text: link + "\x00", ID: "a..b"}
	err := m.Validate()
	wantFaults(t, err, "to", "subject", "text", "id", "date")
	if strings.Contains(err.Error(), link) {
		t.Errorf("the error shows the link: %v", err)
	}
}

func TestAnIDIsWhatAMessageIDTakes(t *testing.T) {
	for _, id := range []string{"", "a b", "ä", "a@b", "<a>", ".a", "a.", strings.Repeat("a", 101), "a\xff"} {
		m := mail()
		m.ID = id
		wantFaults(t, m.Validate(), "id")
	}
}

func TestAMailTooLargeIsRefused(t *testing.T) {
	m := mail()
	m.Text = strings.Repeat("a", 1<<20)
	if err := m.Validate(); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	m.Text += "a"
	wantFaults(t, m.Validate(), "text")
}

func TestAddresses(t *testing.T) {
	for _, s := range []string{"a@b", "anna@example.org", "o'neil+x@sub.example.org", `"anna b"@example.org`, `"a\"b"@example.org`, `"@"@example.org`,
		"anna@[192.0.2.1]", "anna@[IPv6:2001:db8::1]", "jörg@example.org", "用户@xn--fsqu00a.example", strings.Repeat("a", 64) + "@example.org",
		long(254)} {
		if !smtp.ParseAddress(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", "@", "a@", "@b", "anna", "a b@example.org", "a@b@example.org", "a@example..org", "a@example.org.", ".a@example.org", "a..b@example.org",
		"a@-b", "a@b_c", "<a@example.org>", "Anna <a@example.org>", "a@example.org (Anna)", "a@example.org,b@example.org", "a@example.org\r\n", "a\x00@example.org",
		`"a@example.org`, `"a\"@example.org`, `"a"b"@example.org`, `""@example.org`, "\"a\r\n\"@example.org", "a@[192.0.2.1", "a@[2001:db8::1]", "a@[IPv6:192.0.2.1]",
		"a@exämple.org", "a\u00a0b@example.org", "a\u202eb@example.org", "\xff@example.org", "a@example.org>", "a\\@example.org",
		long(255), strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("b.", 127) + "org"} {
		if smtp.ParseAddress(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

// long is an address of n bytes whose parts are as long as they may be.
func long(n int) string {
	return (strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 127))[:n-1] + "c"
}

// FuzzAddress holds our addresses against net/mail: what we take is one address
// to it too, without a name, and fits between angle brackets.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"anna@example.org", `"a \" b"@example.org`, "jörg@example.org", "a@[IPv6:::1]", "a@[192.0.2.1]", "a@b>", "a@b,c@d", "a@b (c)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !smtp.ParseAddress(s) {
			return
		}
		if local, _, ok := strings.Cut(s, "@[IPv6:"); ok { // which net/mail does not know
			s = local + "@example.org"
		}
		got, err := netmail.ParseAddress(s)
		if err != nil || got.Name != "" {
			t.Fatalf("%q: net/mail reads %v, %v", s, got, err)
		}
		again, err := netmail.ParseAddress("Anna <" + s + ">")
		if err != nil || again.Address != got.Address || again.Name != "Anna" {
			t.Fatalf("%q in brackets: net/mail reads %v, %v", s, again, err)
		}
	})
}

// FuzzSubject reads the header back as a mail program would.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{"", "Hello", " two  spaces ", "Grüße", "=?utf-8?q?a?=", "a =?b", strings.Repeat("x", 200), strings.Repeat("word ", 39) + "word", strings.Repeat("🚀", 99), "日本語 and English"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := mail()
		m.Subject = s
		if m.Validate() != nil {
			return
		}
		field := smtp.Unstructured("Subject: ", s)
		for line := range strings.SplitSeq(field, "\r\n") {
			if len(line) > 76 || strings.ContainsAny(line, "\r\n\x00") || strings.Trim(line, " ") == "" {
				t.Errorf("%q: line %q", s, line)
			}
			if whole := decoded(t, strings.TrimPrefix(line, "Subject: ")); !utf8.ValidString(whole) { // RFC 2047 5
				t.Errorf("%q: line %q cuts a character", s, line)
			}
		}
		got, err := netmail.ReadMessage(strings.NewReader(field + "\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if read := decoded(t, got.Header.Get("Subject")); read != s {
			t.Errorf("%q is read as %q", s, read)
		}
	})
}

func decoded(t *testing.T, header string) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzMail composes whole mails: the headers are ours, no more and no fewer,
// and everything reads back.
func FuzzMail(f *testing.F) {
	f.Add("Hostward", "a@example.org", "anna@example.org", "Hello", "text\n", "m1")
	f.Add("Jörg, \"der\" <x@y>", "a@example.org", `"anna b"@example.org`, "Grüße", ".\n..\r\n\rFrom x\n", "m.2")
	f.Add(`a\`, "ä@example.org", "ö@example.org", "=?", "\t \r", "=")
	f.Fuzz(func(t *testing.T, name, from, to, subject, text, id string) {
		c := smtp.Config{Server: "localhost", From: from, Name: name}
		m := smtp.Message{To: to, Subject: subject, Text: text, ID: id, Date: mail().Date}
		if c.Validate() != nil || m.Validate() != nil {
			return
		}
		wantReads(t, smtp.Compose(c, m), c, m)
	})
}

func wantReads(t *testing.T, data []byte, c smtp.Config, m smtp.Message) {
	t.Helper()
	if rest := bytes.ReplaceAll(data, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n\x00") || !bytes.HasSuffix(data, []byte("\r\n")) {
		t.Errorf("a line does not end in CRLF: %q", data)
	}
	for line := range bytes.SplitSeq(data, []byte("\r\n")) {
		if len(line) > 998 { // RFC 5322 2.1.1
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	got, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(got.Header))
	if want := []string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}; !slices.Equal(names, want) {
		t.Errorf("headers %v, want %v", names, want)
	}
	wantContent(t, got, c, m)
}

// wantContent compares what arrived with what was sent.
func wantContent(t *testing.T, got *netmail.Message, c smtp.Config, m smtp.Message) {
	t.Helper()
	wantMailbox(t, got.Header.Get("From"), c.Name, c.From)
	wantMailbox(t, got.Header.Get("To"), "", m.To)
	if subject := decoded(t, got.Header.Get("Subject")); subject != m.Subject {
		t.Errorf("subject %q, want %q", subject, m.Subject)
	}
	if id := got.Header.Get("Message-ID"); !strings.HasPrefix(id, "<"+m.ID+"@") {
		t.Errorf("Message-ID %q, want it to begin with %q", id, m.ID)
	}
	if date, err := got.Header.Date(); err != nil || !date.Equal(m.Date) {
		t.Errorf("date %v, %v; want %v", date, err, m.Date)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.ReplaceAll(string(body), "\r\n", "\n"); text != ended(m.Text) {
		t.Errorf("text %q, want %q", text, ended(m.Text))
	}
}

func wantMailbox(t *testing.T, header, name, text string) {
	t.Helper()
	got, err := netmail.ParseAddress(header)
	want, werr := netmail.ParseAddress(text)
	if err != nil || werr != nil || got.Name != name || got.Address != want.Address {
		t.Errorf("%q is read as %v, %v; want %q %v, %v", header, got, err, name, want, werr)
	}
}

// ended is a text whose lines all end in LF.
func ended(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.TrimSuffix(s, "\n") + "\n"
}
