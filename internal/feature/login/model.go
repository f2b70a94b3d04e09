package login

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Session is one session as its owner sees it.
type Session struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"`    // coarse: up to a quarter of the idle limit old
	Expires time.Time `json:"expires"` // whatever happens
	Address string    `json:"address"`
	Agent   string    `json:"agent"`
	Current bool      `json:"current"` // the one that asks

	hash string
	idle time.Duration
}

func (s Session) ref() core.Ref { return core.Ref{Kind: "session", ID: s.ID} }

// over reports whether the session has ended by itself.
func (s Session) over(now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Seen) >= s.idle
}

// due reports whether use of the session is to be noted.
func (s Session) due(now time.Time) bool { return now.Sub(s.Seen) >= s.idle/4 }

// limits are how long a session of a role may be unused, and how long it lasts
// in all. Auditors see what administrators see.
func limits(r act.Role) (idle, absolute time.Duration) {
	if r&(act.Admins|act.Auditor) != 0 {
		return 30 * time.Minute, 12 * time.Hour
	}
	return time.Hour, 24 * time.Hour
}

// mostSessions of one account; the oldest gives way.
const mostSessions = 50

// setup is a one-time link.
type setup struct {
	id, account, hash      string
	created, expires, used time.Time
}

func (s setup) ref() core.Ref { return core.Ref{Kind: "setup", ID: s.id} }

// setupLife is how long a link can be claimed (SPEC A10).
const setupLife = 30 * time.Minute

// credential is what checks the password of an account.
type credential struct {
	account, phc    string
	changed, failed int64
	failures        int
}

func credentialRef(account string) core.Ref { return core.Ref{Kind: "credential", ID: account} }

// The states that the log's digests cover.
type (
	sessionState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		Hash    string `json:"hash"`
		Started int64  `json:"started"`
		Seen    int64  `json:"seen"`
		Idle    int64  `json:"idle"`
		Expires int64  `json:"expires"`
	}
	setupState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		Hash    string `json:"hash"`
		Created int64  `json:"created"`
		Expires int64  `json:"expires"`
		Used    int64  `json:"used"`
	}
	credentialState struct {
		Account  string `json:"account"`
		PHC      string `json:"phc"`
		Changed  int64  `json:"changed"`
		Failures int    `json:"failures"`
		Failed   int64  `json:"failed"`
	}
)

// hashOf is what is kept of a token. It has 256 random bits, so a fast hash is
// enough, and looking it up by equality tells nothing about it.
func hashOf(token core.Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}

// formed reports whether text can be one of our tokens at all.
func formed(token core.Secret) bool {
	s := token.Reveal()
	return s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func value(s string) *string { return &s }
