package account

import (
	"regexp"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Account is one account as readers see it.
type Account struct {
	ID       string    `json:"id" log:"-"`
	Login    string    `json:"login" log:"personal"`
	Name     string    `json:"name" log:"personal"`
	Email    string    `json:"email,omitempty" log:"personal"`
	Role     string    `json:"role"`
	Parent   string    `json:"parent"`                         // "provider" or a reseller
	Above    string    `json:"parent_login,omitempty" log:"-"` // what that reseller is called
	Disabled bool      `json:"disabled"`
	Since    time.Time `json:"disabled_since,omitzero" log:"-"`
	Created  time.Time `json:"created" log:"-"`
	Managed  bool      `json:"managed" log:"-"` // whether the reader may change it
	Barred   string    `json:"-" log:"-"`       // tenant whose people disabled it
}

// state is what the log's digest of an account covers.
type state struct {
	ID       string `json:"id"`
	Login    string `json:"login"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Role     string `json:"role"`
	Parent   string `json:"parent"`
	Disabled int64  `json:"disabled"` // since when, microseconds; 0: open
	Barred   string `json:"barred"`
	Created  int64  `json:"created"`
}

func (a Account) ref() core.Ref { return core.Ref{Kind: "account", ID: a.ID} }

// owner is the tenant that the account belongs to.
func (a Account) owner() string {
	if r := a.role(); r == act.Reseller || r == act.Customer {
		return a.ID
	}
	return core.Provider
}

func (a Account) actor() act.Actor {
	return act.Actor{Kind: "account", ID: a.ID, Name: a.Login, Role: a.role(), Tenant: a.owner()}
}

func (a Account) role() act.Role {
	r, _ := act.ParseRole(a.Role)
	return r
}

// visible reports whether actor may see the account at all. The tenant tree has
// been looked at before; this is the rule among the provider's own people.
func visible(actor act.Actor, a Account) bool {
	return !actor.Peer(a.ID, a.role())
}

// manages reports whether actor may change the account, let somebody in as it,
// or end its sessions. Nobody manages himself through this.
func manages(actor act.Actor, a Account) bool {
	switch actor.Role {
	case act.System, act.Primary:
		return true
	case act.Additional:
		return a.role()&(act.Reseller|act.Customer) != 0
	case act.Reseller:
		return a.role() == act.Customer && a.Parent == actor.Tenant
	}
	return false
}

// A log-in name is a short word or an e-mail address, in ASCII, so that no two
// names look alike.
var (
	loginForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$`)
	emailForm = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}$`)
)

const (
	maxLogin      = 254 // RFC 5321 4.5.3.1.3, less the angle brackets
	loginAccepted = "must be an e-mail address, or at most 63 letters, digits, dots, dashes and underscores that begin and end with a letter or digit"
	emailAccepted = "must be an e-mail address such as anna@example.org"
)

// Fold returns the one spelling of a log-in name: names differ in more than
// upper and lower case.
func Fold(login string) string { return strings.ToLower(login) }

// checkLogin and checkEmail keep the value to themselves: faults end up in the
// record, and both are personal.
func checkLogin(f *core.Faults, field, login string) {
	folded := Fold(login)
	if len(login) > maxLogin || !loginForm.MatchString(folded) && !emailForm.MatchString(folded) {
		f.Add(field, "", loginAccepted)
	}
}

func checkEmail(f *core.Faults, field, email string) {
	if email != "" && !emailForm.MatchString(email) {
		f.Add(field, "", emailAccepted)
	}
}
