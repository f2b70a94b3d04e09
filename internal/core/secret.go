package core

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Secret is a value that must not be seen: every way of printing it says
// "(secret)". Reveal is the one way to its content.
type Secret struct{ value string }

const hidden = "(secret)"

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the content. Call it only where the content is used up: to
// hash, to encrypt, or to show once.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no content.
func (s Secret) Empty() bool { return s.value == "" }

// String, GoString, Format, LogValue and MarshalJSON all hide the content.
func (s Secret) String() string               { return hidden }
func (s Secret) GoString() string             { return hidden }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(hidden)) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// UnmarshalJSON takes the content from a JSON string.
func (s *Secret) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.value) }

var (
	_ fmt.Formatter    = Secret{}
	_ slog.LogValuer   = Secret{}
	_ json.Marshaler   = Secret{}
	_ json.Unmarshaler = (*Secret)(nil)
)

// plainMark stands before a secret that somebody moved here from elsewhere, in any
// case, in the place of what checks or seals one (SPEC A4).
const plainMark = "{PLAIN}"

// CutPlain returns the secret behind the mark of plain text, and whether the mark
// is there. Nobody gets in with a marked one before it is enclosed.
func CutPlain(kept string) (s Secret, plain bool) {
	if len(kept) < len(plainMark) || !strings.EqualFold(kept[:len(plainMark)], plainMark) {
		return Secret{}, false
	}
	return NewSecret(kept[len(plainMark):]), true
}
