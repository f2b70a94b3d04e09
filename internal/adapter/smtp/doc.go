// Package smtp hands one plain-text mail to a mail server (SPEC A4: recovery
// mail, notices to users). It keeps no queue and tries once: whoever calls
// decides by Error.Temporary whether to try again, with the same Message.ID.
//
// What it never does: send in clear text to another machine; go on without TLS
// because the server does not seem to offer it (RFC 3207 6); repeat in an error
// what the mail says, or the password; wait or read without limit, whatever the
// server does.
//
// The conversation is written here, over net/textproto, since net/smtp reads
// replies without limit, knows neither SIZE nor when to ask for SMTPUTF8, and
// takes keywords in lower case for unknown ones.
//
// Sources: RFC 5321 (SMTP), RFC 5322 (message), RFC 2045 6.7 (quoted-printable),
// RFC 2047 (words in headers), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS),
// RFC 4954 and 4616 (AUTH PLAIN), RFC 1870 (SIZE), RFC 6531 (SMTPUTF8),
// RFC 3834 5 (Auto-Submitted).
package smtp
