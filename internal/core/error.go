package core

import (
	"errors"
	"fmt"
	"strings"
)

// Code says to a program what went wrong. Each face has one table from codes
// to its own words: HTTP status, exit code, form text.
type Code string

// The codes. There is no other; a face that meets an unknown one says Internal.
const (
	Invalid         Code = "invalid"         // the input breaks a rule; Faults say which
	Unauthenticated Code = "unauthenticated" // nobody is logged in, or the proof is wrong
	Unproved        Code = "unproved"        // known and allowed, but not freshly enough proved (RFC 9470)
	Denied          Code = "denied"          // known, but not allowed
	NotFound        Code = "not-found"       // absent, or not yours: the two look the same
	Conflict        Code = "conflict"        // the state forbids it: a name is taken, a key reused
	Stale           Code = "stale"           // If-Match names an older version (RFC 9110 13.1.1)
	Unconfirmed     Code = "unconfirmed"     // dangerous: the caller must confirm first
	Throttled       Code = "throttled"       // too many attempts; try later
	Unavailable     Code = "unavailable"     // cannot now: disk full, standby, shutting down
	Internal        Code = "internal"        // our fault; the cause goes to the operator only
)

// Fault is one broken rule of an input.
type Fault struct {
	Field    string `json:"field"`           // dotted path of the field, "" for the whole input
	Value    string `json:"value,omitempty"` // what was given; never of a secret field
	Accepted string `json:"accepted"`        // what would be accepted, as half a sentence
}

// Error has two readers: Code, Public and Faults are for the caller, Cause is
// for the operator and is never shown to anyone else.
type Error struct {
	Code   Code
	Public string
	Faults []Fault
	Cause  error
}

// Errorf makes an Error whose public sentence is formatted from args. A %w
// verb keeps its operand as the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Public: err.Error(), Cause: errors.Unwrap(err)}
}

// Wrap hides cause behind a public sentence.
func Wrap(code Code, cause error, public string) *Error {
	return &Error{Code: code, Public: public, Cause: cause}
}

// Error returns the text for the operator's log: code, sentence, faults, cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Sentence())
	if e.Cause != nil && !strings.Contains(e.Public, e.Cause.Error()) {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Sentence is the text for the caller: the public sentence and the faults.
func (e *Error) Sentence() string {
	var b strings.Builder
	b.WriteString(e.Public)
	for i, f := range e.Faults {
		if i == 0 && e.Public != "" {
			b.WriteString(": ")
		} else if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.String())
	}
	return b.String()
}

// String returns the fault as half a sentence.
func (f Fault) String() string {
	var b strings.Builder
	if f.Field != "" {
		b.WriteString(f.Field)
		if f.Value != "" {
			fmt.Fprintf(&b, " %q", f.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Accepted)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code of the first Error in err's chain, or Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// UnlessNotFound returns err, and nil when it says that something is not there.
func UnlessNotFound(err error) error {
	if CodeOf(err) == NotFound {
		return nil
	}
	return err
}

// AsError returns the first Error in err's chain. Any other error becomes
// Internal: its text stays with the operator.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Wrap(Internal, err, "something went wrong on the server; its log says what")
}

// Faults collects broken rules while an input is validated.
type Faults []Fault

// Add notes one fault.
func (f *Faults) Add(field, value, accepted string) {
	*f = append(*f, Fault{Field: field, Value: clip(value), Accepted: accepted})
}

// Err returns nil, or one Invalid error with every fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: Invalid, Public: "the input is not valid", Faults: f}
}

// clip keeps an echoed value short and printable.
func clip(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
