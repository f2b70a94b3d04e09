package host

import (
	"encoding/json"
	"time"
)

// The states of a control on the machine.
const (
	Idle     = "not under control" // no order holds
	InForce  = "in force"
	Awaiting = "awaiting confirmation"
	Drift    = "drift"
	Failed   = "failed"
)

// Status is how one control stands, as the agent saw it.
type Status struct {
	Control  string          `json:"control"`
	State    string          `json:"state"`
	Since    time.Time       `json:"since"`              // in this state
	Order    uint64          `json:"order"`              // number of the order that holds; 0: none
	Digest   string          `json:"digest,omitempty"`   // of that order
	Highest  uint64          `json:"highest"`            // number of the newest order that was taken
	Mend     bool            `json:"mend"`               // drift is mended without asking
	Waiting  uint64          `json:"waiting,omitempty"`  // number of the order that waits for its confirmation
	Until    time.Time       `json:"until,omitzero"`     // then it is undone
	Plan     []string        `json:"plan,omitempty"`     // what differs, as steps
	Alarms   []string        `json:"alarms,omitempty"`   // what is wrong although nothing differs
	Undone   string          `json:"undone,omitempty"`   // why the last order was undone
	Fault    string          `json:"fault,omitempty"`    // why it could not be looked at, or brought into force
	Observed json.RawMessage `json:"observed,omitempty"` // the control's own words for what it saw
	Seen     time.Time       `json:"seen,omitzero"`      // when it looked
}

// Entry is one line of the agent's journal. Each names the hash of the one
// before, so that a line which is missing or altered shows.
type Entry struct {
	Seq     uint64    `json:"seq"` // from 1, without gaps
	Time    time.Time `json:"time"`
	Prev    string    `json:"prev"` // hash of the line before, hex; empty for the first
	Control string    `json:"control,omitempty"`
	What    string    `json:"what"` // one of the words below
	Order   uint64    `json:"order,omitempty"`
	Digest  string    `json:"digest,omitempty"` // of the order
	Leaf    string    `json:"leaf,omitempty"`   // the record that proves the order
	Lines   []string  `json:"lines,omitempty"`  // steps, or what differs
	Reason  string    `json:"reason,omitempty"`
}

// Line is an entry as the panel takes it: with its own hash, to compare.
type Line struct {
	Entry
	Hash string `json:"hash"`
}

// Planned is what would be done to bring a desired state about.
type Planned struct {
	Lines  []string `json:"lines"`            // what differs, for people
	Steps  []string `json:"steps"`            // what would be done
	Alarms []string `json:"alarms,omitempty"` // what is wrong besides
}

// What the journal tells.
const (
	Started   = "started"   // the agent
	Intends   = "intends"   // to carry out the steps
	Done      = "done"      // and looking again found nothing left to do
	Waits     = "waits"     // done, and undone again unless it is confirmed
	Confirmed = "confirmed" // in time
	Reverted  = "reverted"  // and what was before is there again
	Broken    = "broken"    // neither done nor undone; it is tried again
	Drifted   = "drifted"   // somebody else changed it
	Mended    = "mended"    // drift was
	Vanished  = "vanished"  // drift ended without us
	Refused   = "refused"   // an order, and why
	Blind     = "blind"     // it cannot be looked at
	Alarmed   = "alarmed"   // something is wrong although nothing differs
	Eased     = "eased"     // and is no more
	Pinned    = "pinned"    // the key of the log
)
