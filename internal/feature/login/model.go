package login

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"hostward/internal/core"
)

// Session is one session as its owner sees it.
type Session struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Method  string    `json:"method"` // "password", "passkey", and with a second factor "password and factor"
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"`    // coarse: up to a quarter of the idle limit old
	Expires time.Time `json:"expires"` // whatever happens
	Address string    `json:"address"`
	Agent   string    `json:"agent"`
	Acting  string    `json:"acting,omitempty"` // account that its owner acts as
	Current bool      `json:"current"`          // the one that asks

	hash   string
	idle   time.Duration
	proved time.Time // when its owner last showed who he is
	strong bool      // with a second factor or a passkey
	linked bool      // the link that goes with a reset was shown
}

func (s Session) ref() core.Ref { return core.Ref{Kind: "session", ID: s.ID} }

// over reports whether the session has ended by itself.
func (s Session) over(now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Seen) >= s.idle
}

// due reports whether use of the session is to be noted.
func (s Session) due(now time.Time) bool { return now.Sub(s.Seen) >= s.idle/4 }

// half reports whether the session had a step left when it began, and still has.
func (s Session) half() bool { return s.Expires.Sub(s.Started) <= halfLife }

const (
	mostSessions = 50 // of one account; the oldest gives way
	mostHalf     = 10 // of one account with a step left
	halfLife     = 20 * time.Minute
)

// setup is a one-time link.
type setup struct {
	id, account, hash      string
	purpose                string
	created, expires, used time.Time
}

func (s setup) ref() core.Ref { return core.Ref{Kind: "setup", ID: s.id} }

// setupLife is how long a link can be claimed (SPEC A10).
const setupLife = 30 * time.Minute

// What a link is for.
const (
	forPassword = ""
	byMail      = "mail" // for a password too, and sent: anybody may have asked for it
	forFactor   = "factor"
)

// credential is what checks the password of an account.
type credential struct {
	account, phc    string
	changed, failed int64
	failures        int
	judged          string // what was asked of passwords when this one was found good
	weak            string // why it must be changed; "" when it need not
}

func credentialRef(account string) core.Ref { return core.Ref{Kind: "credential", ID: account} }

// Device is a browser from which its owner got in before.
type Device struct {
	ID      string    `json:"id"`
	Agent   string    `json:"agent"`
	Address string    `json:"address"` // at the last log-in
	Made    time.Time `json:"made"`
	Seen    time.Time `json:"seen"` // at the last log-in

	account, hash string
	failures      int
}

func (d Device) ref() core.Ref { return core.Ref{Kind: "device", ID: d.ID} }

const (
	deviceLife   = 365 * 24 * time.Hour // without a log-in from it
	deviceTrials = 5                    // failures that end what is known about it
	mostDevices  = 20                   // of one account; the one longest unseen gives way
)

// The states that the log's digests cover. What a field stands for when it is
// left out is how things were before the field came.
type (
	sessionState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		Hash    string `json:"hash"`
		Started int64  `json:"started"`
		Seen    int64  `json:"seen"`
		Idle    int64  `json:"idle"`
		Expires int64  `json:"expires"`
		Method  string `json:"method,omitempty"` // left out: password
		Proved  int64  `json:"proved,omitempty"`
		Strong  bool   `json:"strong,omitempty"`
		Linked  bool   `json:"linked,omitempty"`
		Acting  string `json:"acting,omitempty"`
	}
	setupState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		Hash    string `json:"hash"`
		Created int64  `json:"created"`
		Expires int64  `json:"expires"`
		Used    int64  `json:"used"`
		Purpose string `json:"purpose,omitempty"`
	}
	credentialState struct {
		Account  string `json:"account"`
		PHC      string `json:"phc"`
		Changed  int64  `json:"changed"`
		Failures int    `json:"failures"`
		Failed   int64  `json:"failed"`
		Judged   string `json:"judged,omitempty"`
		Weak     string `json:"weak,omitempty"`
	}
	deviceState struct {
		ID       string `json:"id"`
		Account  string `json:"account"`
		Hash     string `json:"hash"`
		Made     int64  `json:"made"`
		Seen     int64  `json:"seen"`
		Failures int    `json:"failures"`
	}
)

// The methods of a session.
const (
	byPassword = "password"
	byFactor   = "password and factor"
	byPasskey  = "passkey"
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
