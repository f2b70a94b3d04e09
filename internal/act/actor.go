package act

import (
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Role is what an actor is, and, as a set, who may call an operation on the
// objects within his scope (SPEC 1).
type Role uint8

// The roles. An actor has exactly one.
const (
	Stranger   Role = 1 << iota // nobody has logged in
	Customer                    // sees his own
	Reseller                    // sees his own and his customers'
	Auditor                     // reads everything an auditor needs, writes nothing
	Additional                  // administrator who may not weaken the log nor see his peers
	Primary                     // the one administrator; also root at the local CLI
	System                      // jobs, the feeder, adopted files
	Entrant                     // has shown a password and has a step to go: a second factor, a new password
)

// Sets of roles that operations commonly ask for.
const (
	Admins  = Additional | Primary
	Staff   = Admins | Reseller
	Hosted  = Staff | Customer
	Readers = Hosted | Auditor
)

// outside are those who are not in yet.
const outside = Stranger | Entrant

var roleNames = []struct {
	role Role
	name string
}{
	{Stranger, "stranger"}, {Customer, "customer"}, {Reseller, "reseller"}, {Auditor, "auditor"},
	{Additional, "additional administrator"}, {Primary, "administrator"}, {System, "system"},
	{Entrant, "entrant"},
}

// String names the roles of the set, comma separated.
func (r Role) String() string {
	var names []string
	for _, n := range roleNames {
		if r&n.role != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// ParseRole returns the single role of that name.
func ParseRole(name string) (Role, bool) {
	for _, n := range roleNames {
		if n.name == name {
			return n.role, true
		}
	}
	return 0, false
}

// Actor is who asks: an argument, never a context value.
type Actor struct {
	Kind    string // "account", "os", "system", "stranger"
	ID      string // account id, "uid:0", name of the job
	Name    string // log-in name; personal
	Role    Role
	Tenant  string    // root of what it may see: core.Provider or an account id
	Door    string    // web, rest, cli, dns, agent, job
	Address string    // source IP
	Agent   string    // user agent
	Host    string    // host and port by which a browser called us
	Session string    // session or token id
	Proof   time.Time // last proof of who he is: a second factor, or the password where he has none
	Strong  bool      // the proof was a second factor or a passkey
	Step    string    // of an Entrant: what is left to do
	Grants  []Grant   // of a token; nil: whatever the role may
	By      *Actor    // who acts as this actor; nil: himself

	Connected time.Time // when the connection began that he calls over; zero: not known

	Unattended bool // a step of a job that he began: his session may have ended since
}

// Grant lets a token call some operations on some objects (SPEC A6).
type Grant struct {
	Action string `json:"action"`           // "zone.record.add", "zone.*", "read" for all that only reads, "*"
	Object string `json:"object,omitempty"` // "zone:z_…"; "": any
}

// covers reports whether the grant is for the operation on the target.
func (g Grant) covers(op *Op, target core.Ref) bool {
	prefix, wild := strings.CutSuffix(g.Action, "*")
	reads := op.Method == "query" || op.Method == "stream"
	action := g.Action == op.Name || wild && strings.HasPrefix(op.Name, prefix) || g.Action == "read" && reads
	return action && (g.Object == "" || g.Object == target.String())
}

// SystemActor is the actor of a job: it may do everything that is declared.
func SystemActor(job string) Actor {
	return Actor{Kind: "system", ID: job, Name: job, Role: System, Tenant: core.Provider, Door: "job"}
}

// Proved reports whether he proved who he is within the last while.
func (a Actor) Proved(now time.Time, within time.Duration) bool { return now.Sub(a.Proof) <= within }

// Peer reports whether an account is one that an additional administrator does not
// see: another administrator (SPEC 1).
func (a Actor) Peer(id string, role Role) bool {
	return a.Role == Additional && role&Admins != 0 && a.ID != id
}

func (a Actor) identity() ledger.Identity {
	return ledger.Identity{Kind: a.Kind, ID: a.ID, Name: a.Name}
}
