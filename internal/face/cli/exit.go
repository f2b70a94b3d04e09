package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"hostward/internal/core"
)

// Exit codes (SPEC 0).
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitUnconfirmed = 4
)

// exits is the one table from codes to exit codes; others failed.
var exits = map[core.Code]int{
	core.Invalid:         exitUsage,
	core.Unauthenticated: exitRefused,
	core.Denied:          exitRefused,
	core.Unproved:        exitRefused,
	core.Unconfirmed:     exitUnconfirmed,
	"unreadable":         exitUsage,
	"too-large":          exitUsage,
}

// usage is an error of who typed the command; nothing was sent.
type usage struct{ text string }

func (u *usage) Error() string { return u.text }

// Usage makes an error that ends the program with exit code 2.
func Usage(format string, args ...any) error { return &usage{fmt.Sprintf(format, args...)} }

// problem is a refusal as the server told it (RFC 9457).
type problem struct {
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   core.Code    `json:"code"`
	Faults []core.Fault `json:"faults"`
	Record string       `json:"record"`

	body []byte
}

func (p *problem) Error() string { return p.Detail }

// readProblem makes an error of an answer that is none of success.
func readProblem(status int, body []byte) error {
	p := &problem{body: body}
	if json.Unmarshal(body, p) != nil || p.Detail == "" {
		p.Detail, p.Code = fmt.Sprintf("the server answered with status %d and no reason: is it Hostward?", status), core.Internal
	}
	return p
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*usage](err); ok {
		return exitUsage
	}
	code := core.CodeOf(err)
	if p, ok := errors.AsType[*problem](err); ok {
		code = p.Code
	}
	if exit, ok := exits[code]; ok {
		return exit
	}
	return exitFailed
}

// tell writes an error for people: the sentence, then one fault a line.
func tell(w io.Writer, err error) {
	sentence, faults, hint := err.Error(), []core.Fault(nil), ""
	if e, ok := errors.AsType[*core.Error](err); ok {
		sentence, faults = e.Public, e.Faults
	}
	if p, ok := errors.AsType[*problem](err); ok {
		faults, hint = p.Faults, hints[p.Code]
	}
	fmt.Fprintln(w, clean(sentence))
	for _, f := range faults {
		fmt.Fprintln(w, "  "+clean(f.String()))
	}
	if hint != "" {
		fmt.Fprintln(w, hint)
	}
}

var hints = map[core.Code]string{
	core.Unconfirmed: "look with --dry-run, then say --yes",
	core.Stale:       "look at it again, then give its version with --if-match",
}

// clean makes text harmless for a terminal: what comes from outside may hold
// escape sequences, which could rewrite what stands on the screen.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
