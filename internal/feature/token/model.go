package token

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"hostward/internal/core"
)

// Token is one API token as its owner sees it.
type Token struct {
	ID      string    `json:"id" log:"-"`
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Created time.Time `json:"created" log:"-"`
	Expires time.Time `json:"expires" log:"-"`
	Used    time.Time `json:"used,omitzero" log:"-"` // to the hour; zero: never
	Expired bool      `json:"expired" log:"-"`

	hash string
}

// state is what the log's digest of a token covers.
type state struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Name    string `json:"name"`
	Hash    string `json:"hash"`
	Created int64  `json:"created"`
	Expires int64  `json:"expires"`
	Used    int64  `json:"used"`
}

func (t Token) ref() core.Ref { return core.Ref{Kind: "token", ID: t.ID} }

func (t Token) over(now time.Time) bool { return !now.Before(t.Expires) }

// due reports whether a use now is to be noted.
func (t Token) due(now time.Time) bool { return now.Sub(t.Used) >= noteEach }

const (
	prefix   = "hw_"     // so that scanners for leaked secrets can find one
	noteEach = time.Hour // how exact the last use is
	mostEach = 100       // tokens of one account
	day      = 24 * time.Hour
)

// hashOf is what is kept of a token. It has 256 random bits, so a fast hash is
// enough, and looking it up by equality tells nothing about it.
func hashOf(token core.Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}

// formed reports whether text can be one of our tokens at all.
func formed(token core.Secret) bool {
	s, ours := strings.CutPrefix(token.Reveal(), prefix)
	return ours && s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
