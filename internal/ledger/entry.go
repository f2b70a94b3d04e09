package ledger

import (
	"time"

	"hostward/internal/core"
)

// Outcome is how an operation ended.
type Outcome string

// The outcomes (SPEC L2).
const (
	Done      Outcome = "done"      // changed what it said
	Unchanged Outcome = "unchanged" // ran and found nothing to change
	Refused   Outcome = "refused"   // not allowed, not valid, or a wrong password
	Failed    Outcome = "failed"    // allowed and valid, but it did not work
	Read      Outcome = "read"      // a recorded read (SPEC L1)
)

// Entry is one record of the action log before it is sealed (SPEC L2). The
// bus fills it; Append gives it its index, its chains and its bytes.
type Entry struct {
	ID      string    // unique; core.NewID("r")
	Time    time.Time // UTC, microseconds: the instant of the transaction
	Action  string    // name of the operation: "zone.record.add"
	Class   string    // "dns", "authentication", "account", "log", "panel" ...
	Door    string    // web, rest, cli, dns, agent, job
	Actor   Identity
	By      Identity // who acts as Actor (impersonation); zero: nobody
	Address string   // source IP as text, personal; "" for none
	Agent   string   // user agent, personal
	Session string   // session or token id, never the token itself
	Object  core.Ref // what was aimed at
	Tenant  string   // the object's owner, "" where unknown (a stranger, an absent object)
	Outcome Outcome
	Code    core.Code // of a refusal or failure
	Reason  string    // sentence of a refusal or failure, or the reason a person gave
	Count   int       // how many alike attempts this one stands for; 0 and 1 mean one
	First   time.Time // with Count > 1: time of the first one
	Events  []Event
}

// Identity is who did it: Kind "account", "system", "os", "stranger"; ID stays
// in the leaf (a pseudonym), Name is personal and can be erased (SPEC L5).
type Identity struct {
	Kind string
	ID   string
	Name string
}

// Event is one fact that an operation recorded about one object.
type Event struct {
	Name   string   // past tense: "zone.record.added"
	Object core.Ref // what changed
	Tenant string   // who owns it
	State  string   // hex SHA-256 of the object's state afterwards; "" when it is gone, "-" for objects without state
	Fields []Field  // old and new values
}

// Field is one changed value. A Secret field says only that it changed; the
// values of a Personal field go to the side store, the leaf holds commitments.
type Field struct {
	Name     string  `json:"name"`
	Old      *string `json:"old,omitempty"` // nil: there was none
	New      *string `json:"new,omitempty"` // nil: there is none now
	Personal bool    `json:"personal,omitempty"`
	Secret   bool    `json:"secret,omitempty"`
}
