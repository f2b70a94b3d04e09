package smtp

import (
	"bytes"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hostward/internal/core"
)

// Message is one mail.
type Message struct {
	To      string    // one address (RFC 5322 3.4.1), its domain in ASCII (A-labels)
	Subject string    // one line, at most 200 characters, any language
	Text    string    // the body, any line ends, at most 1 MiB
	ID      string    // stays the same in a retry, becomes the Message-ID: letters, digits, "_", "-", "." inside
	Date    time.Time // when the mail was written
}

const (
	mostSubject = 200     // characters
	mostText    = 1 << 20 // bytes
	mostID      = 100
)

// Validate returns nil, or one core.Invalid with every fault. Send calls it.
// No fault repeats what the mail says.
func (m Message) Validate() error {
	var f core.Faults
	if _, ok := parseAddress(m.To); !ok {
		f.Add("to", m.To, acceptedAddress)
	}
	if !isLine(m.Subject) || utf8.RuneCountInString(m.Subject) > mostSubject {
		f.Add("subject", "", "at most 200 characters in one line")
	}
	if !utf8.ValidString(m.Text) || strings.Contains(m.Text, "\x00") || len(m.Text) > mostText {
		f.Add("text", "", "at most 1 MiB of UTF-8 without NUL")
	}
	if !isDotAtom(m.ID) || !isASCII(m.ID) || len(m.ID) > mostID {
		f.Add("id", m.ID, "at most 100 letters, digits, _, - and inner dots")
	}
	if m.Date.IsZero() || m.Date.UTC().Year() < 1900 || m.Date.UTC().Year() > 9999 {
		f.Add("date", "", "when the mail was written")
	}
	return f.Err()
}

// isLine reports text that cannot begin a new header or hide in a terminal.
func isLine(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// letter is a mail ready to be sent.
type letter struct {
	from, to address
	data     []byte // with CRLF, dots not yet stuffed
}

// international reports that an address needs SMTPUTF8 (RFC 6531 3.4).
func (l letter) international() bool { return !isASCII(l.from.local + l.to.local) }

// write composes a valid message. Nothing in it tells about the panel, its
// version or its machine.
func (c Config) write(m Message) letter {
	from, _ := parseAddress(c.From)
	to, _ := parseAddress(m.To)
	var b bytes.Buffer
	for _, field := range []string{
		"Date: " + m.Date.UTC().Format(time.RFC1123Z), // RFC 5322 3.3
		mailbox("From: ", c.Name, from),
		"To: " + to.String(),
		unstructured("Subject: ", m.Subject),
		"Message-ID: <" + m.ID + "@" + from.domain + ">", // RFC 5322 3.6.4
		"Auto-Submitted: auto-generated",                 // RFC 3834 5: no vacation replies
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
		"Content-Transfer-Encoding: quoted-printable",
		"",
	} {
		fmt.Fprintf(&b, "%s\r\n", field)
	}
	writeText(&b, m.Text)
	return letter{from, to, b.Bytes()}
}

// writeText encodes the body. Every line then ends in CRLF, whatever it ended
// in: a bare CR or LF would be read differently by different servers. The
// writer is given LF only, since after a bare CR it drops the next LF, however
// far behind (Go 1.26).
func writeText(b *bytes.Buffer, text string) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	w := quotedprintable.NewWriter(b)
	_, _ = w.Write([]byte(strings.TrimSuffix(text, "\n") + "\n")) // to a buffer
	_ = w.Close()
}
