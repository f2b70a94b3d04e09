package factor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// app is the one-time codes of an account.
type app struct {
	account         string
	sealed, pending string
	confirmed       time.Time
	begun           time.Time
	last            int64
}

func (a app) ref() core.Ref { return core.Ref{Kind: "totp", ID: a.account} }

// ad is what a sealed seed is bound to.
func ad(account string) []byte { return []byte("totp/" + account) }

// pendingLife is how long an app can be confirmed after its seed was shown.
const pendingLife = 30 * time.Minute

// Passkey is one passkey as its owner sees it.
type Passkey struct {
	ID   string    `json:"id" log:"-"`
	Name string    `json:"name"`
	Made time.Time `json:"made" log:"-"`
	Used time.Time `json:"used,omitzero" log:"-"`

	account, handle, data string
	asked                 time.Time
}

func (p Passkey) ref() core.Ref { return core.Ref{Kind: "passkey", ID: p.ID} }

const mostPasskeys = 20 // of one account

// A recovery code is 80 random bits, in four groups of letters and digits. Being
// random it needs no slow hash (NIST SP 800-63B-4 3.1.2.2).
const recoveryCodes = 10

var recoveryAlphabet = base32.NewEncoding("abcdefghjkmnpqrstuvwxyz234567890").WithPadding(base32.NoPadding)

func newRecoveryCode() core.Secret {
	random := make([]byte, 10)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	s := recoveryAlphabet.EncodeToString(random)
	return core.NewSecret(s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:])
}

// squeezed is a typed code without what people put into it.
func squeezed(code core.Secret) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(code.Reveal()))
}

func hashOf(code core.Secret) string {
	sum := sha256.Sum256([]byte(squeezed(code)))
	return hex.EncodeToString(sum[:])
}

// proof is what Check found out, for Use to act upon. One of its parts is set.
type proof struct {
	app      app         // what the code was held against
	step     int64       // of the code
	code     core.Secret // the code itself, when it could not be held against anything yet
	recovery string      // hash of a recovery code
	passkey  Passkey
}

// The groups of roles that a policy tells apart.
var groups = []struct {
	Name  string
	roles act.Role
}{
	{"administrators", act.Admins}, {"auditors", act.Auditor}, {"resellers", act.Reseller}, {"customers", act.Customer},
}

func groupOf(r act.Role) string {
	for _, g := range groups {
		if g.roles&r != 0 {
			return g.Name
		}
	}
	return ""
}

// Rule says whether a group must have a second factor.
type Rule struct {
	Group    string    `json:"group"`
	Required bool      `json:"required"`
	Grace    int       `json:"grace"` // days from Since, or from when the account was made
	Since    time.Time `json:"since,omitzero"`
	Mode     bool      `json:"mode,omitempty"` // required by the NIS2 mode, without grace
}

// due is when an account that was made then must have a factor.
func (r Rule) due(made time.Time) time.Time {
	if r.Mode {
		return made
	}
	from := r.Since
	if made.After(from) {
		from = made
	}
	return from.AddDate(0, 0, r.Grace)
}

// The states that the log's digests cover.
type (
	totpState struct {
		Account   string `json:"account"`
		Sealed    string `json:"sealed"`
		Confirmed int64  `json:"confirmed"`
		Last      int64  `json:"last"`
		Pending   string `json:"pending"`
		Begun     int64  `json:"begun"`
	}
	passkeyState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		Name    string `json:"name"`
		Handle  string `json:"handle"`
		Data    string `json:"data"`
		Made    int64  `json:"made"`
		Used    int64  `json:"used"`
		Asked   int64  `json:"asked"`
	}
	recoveryState struct {
		Account string   `json:"account"`
		Hashes  []string `json:"hashes"`
		Made    int64    `json:"made"`
	}
	resetState struct {
		Account string `json:"account"`
		At      int64  `json:"at"`
	}
)

func value(s string) *string { return &s }
