package core

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// Ref names one object: what kind of thing it is, and its id. Ids never
// change and are never used again; names may do both.
type Ref struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// String returns "kind:id", or "-" for no object.
func (r Ref) String() string {
	if r == (Ref{}) {
		return "-"
	}
	return r.Kind + ":" + r.ID
}

// Provider is the tenant at the root: the hosting company itself.
const Provider = "provider"

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns prefix_ and 26 characters of 128 random bits and 2 padding bits.
func NewID(prefix string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return prefix + "_" + idEncoding.EncodeToString(b)
}

// NewToken returns 256 random bits as text for links, sessions and API tokens.
func NewToken() Secret {
	return NewSecret(strings.ToLower(rand.Text() + rand.Text()))
}
