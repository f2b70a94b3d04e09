package token

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Token is one API token as its owner sees it.
type Token struct {
	ID       string    `json:"id" log:"-"`
	Account  string    `json:"account"`
	Name     string    `json:"name"`
	Scopes   []string  `json:"scopes"`             // "zone.* zone:z_…", "read"
	Networks []string  `json:"networks,omitempty"` // from where it works; none: from everywhere
	Created  time.Time `json:"created" log:"-"`
	Expires  time.Time `json:"expires" log:"-"`
	Unused   int       `json:"unused_days,omitempty"` // days without a use after which it ends
	Used     time.Time `json:"used,omitzero" log:"-"` // to the hour; zero: never
	Expired  bool      `json:"expired" log:"-"`

	hash   string
	warned bool
}

// state is what the log's digest of a token covers. What a field stands for when
// it is left out is how things were before the field came.
type state struct {
	ID       string   `json:"id"`
	Account  string   `json:"account"`
	Name     string   `json:"name"`
	Hash     string   `json:"hash"`
	Created  int64    `json:"created"`
	Expires  int64    `json:"expires"`
	Used     int64    `json:"used"`
	Scopes   []string `json:"scopes,omitempty"`
	Networks []string `json:"networks,omitempty"`
	Unused   int      `json:"unused,omitempty"`
	Warned   bool     `json:"warned,omitempty"`
}

func (t Token) ref() core.Ref { return core.Ref{Kind: "token", ID: t.ID} }

// ends is when the token ends by itself, if it is not used before.
func (t Token) ends() time.Time {
	if t.Unused == 0 {
		return t.Expires
	}
	last := t.Used
	if last.IsZero() {
		last = t.Created
	}
	if idle := last.AddDate(0, 0, t.Unused); idle.Before(t.Expires) {
		return idle
	}
	return t.Expires
}

func (t Token) over(now time.Time) bool { return !now.Before(t.ends()) }

// near reports whether the token ends so soon that its owner is told.
func (t Token) near(now time.Time) bool { return t.ends().Sub(now) <= warnDays*day }

// due reports whether a use now is to be noted.
func (t Token) due(now time.Time) bool { return now.Sub(t.Used) >= noteEach }

const (
	prefix   = "hw_"     // so that scanners for leaked secrets can find one
	noteEach = time.Hour // how exact the last use is
	mostEach = 100       // tokens of one account
	day      = 24 * time.Hour
	warnDays = 7 // before its end its owner is told
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

// scopes are what the token may. One from before there were any reads, and no more.
func (t Token) scopes() []string {
	if len(t.Scopes) == 0 {
		return []string{"read"}
	}
	return t.Scopes
}

// grants are the scopes as the bus holds a call against them.
func (t Token) grants() []act.Grant {
	list := []act.Grant{}
	for _, s := range t.scopes() {
		action, object, _ := strings.Cut(s, " ")
		list = append(list, act.Grant{Action: action, Object: object})
	}
	return list
}

// from reports whether the token works from an address.
func (t Token) from(address string) bool {
	if len(t.Networks) == 0 {
		return true
	}
	a, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(t.Networks, func(text string) bool {
		n, err := core.ParseNetwork(text)
		return err == nil && n.Contains(a)
	})
}

func encode(list []string) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

func decode(text string) (list []string, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &list)
	}
	return list, err
}
