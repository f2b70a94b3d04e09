package smtp

import (
	"fmt"
	"strings"
	"unicode"
)

// Error says why a mail was not sent, in words for the operator: they hold
// addresses and what the server said, never what the mail says nor the password.
type Error struct {
	Doing string // what was attempted: "naming the recipient to mail.example.org:587"
	Code  int    // of the server's reply (RFC 5321 4.2), 0 when it was not about a reply
	Reply string // its first line, printable, some 200 characters
	Final bool   // this mail will not be taken, however often it is sent
	Cause error  // without a reply: what went wrong; *core.Error for a wrong input
}

// Temporary reports that a later attempt may succeed. That is so for 4xx,
// networks and time, and for all that the operator can put right: certificates,
// the password, the settings. It is not for a 5xx to MAIL, RCPT, DATA or the
// mail itself, and for a mail that cannot be sent to this server at all.
func (e *Error) Temporary() bool { return !e.Final }

// Error returns one printable line.
func (e *Error) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("%s: the server answers %d %s", e.Doing, e.Code, e.Reply)
	}
	return e.Doing + ": " + shorten(printable(e.Cause.Error()))
}

// Unwrap returns the cause: context.Canceled, context.DeadlineExceeded, errors
// of net, crypto/tls and crypto/x509.
func (e *Error) Unwrap() error { return e.Cause }

// mostShown characters of what others say are repeated.
const mostShown = 200

func shorten(s string) string {
	if r := []rune(s); len(r) > mostShown {
		return string(r[:mostShown]) + "…"
	}
	return s
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
