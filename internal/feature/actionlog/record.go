package actionlog

import (
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Record is one record as the faces show it.
type Record struct {
	Number  int64     `json:"number"` // in the log
	Time    time.Time `json:"time"`
	Action  string    `json:"action"`
	Outcome string    `json:"outcome"`
	Actor   Who       `json:"actor"`
	Door    string    `json:"door"`
	Address string    `json:"address,omitempty"`
	Object  core.Ref  `json:"object,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	State   string    `json:"state"` // committed, sealed or witnessed
	ID      string    `json:"id"`
	Class   string    `json:"class"`
	By      *Who      `json:"by,omitempty"` // who acted as the actor
	Agent   string    `json:"agent,omitempty"`
	Session string    `json:"session,omitempty"`
	Tenant  string    `json:"tenant,omitempty"`
	Code    core.Code `json:"code,omitempty"`
	Count   int       `json:"count,omitempty"` // attempts that this record stands for
	First   time.Time `json:"first,omitzero"`
	Erased  []string  `json:"erased,omitempty"` // personal values that were deleted by rule
	Events  []Event   `json:"events,omitempty"`
	Epoch   int       `json:"epoch"`
	Index   int64     `json:"index"` // leaf index in the epoch's tree
	Hash    string    `json:"hash"`
	Chains  []Chain   `json:"chains,omitempty"`
	Leaf    string    `json:"leaf,omitempty"` // the bytes in the tree
}

// Who is an identity; the name is gone once it was erased.
type Who struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Event is one fact about one object.
type Event struct {
	Name   string      `json:"name"`
	Object core.Ref    `json:"object"`
	Tenant string      `json:"tenant"`
	Fields []act.Field `json:"fields,omitempty"`
}

// Chain is where the record stands in the history of one object.
type Chain struct {
	Object core.Ref `json:"object"`
	N      uint64   `json:"n"`
	Prev   string   `json:"prev,omitempty"`
	State  string   `json:"state"`
}

func shown(records []ledger.Record, scope ledger.Scope) []Record {
	out := make([]Record, len(records))
	for i, r := range records {
		out[i] = show(r, scope)
	}
	return out
}

// discreet takes away from where somebody acted who does not belong to the
// reader: a customer sees who of the provider did what to his zone, and not
// the provider's addresses.
func (r *Record) discreet(scope ledger.Scope) {
	if !scope.All && !slices.Contains(scope.Tenants, r.Actor.ID) {
		r.Address, r.Agent, r.Session = "", "", ""
	}
}

func show(r ledger.Record, scope ledger.Scope) Record {
	e := r.Entry
	out := Record{Number: r.Seq, ID: e.ID, Time: e.Time, Action: e.Action, Class: e.Class, Outcome: string(e.Outcome), Door: e.Door,
		Actor: Who(e.Actor), Address: e.Address, Agent: e.Agent, Session: e.Session, Object: e.Object, Tenant: e.Tenant,
		Code: e.Code, Reason: e.Reason, Count: e.Count, First: e.First, State: string(r.State), Erased: r.Erased,
		Epoch: r.Epoch, Index: r.Index, Hash: r.Hash.String()}
	if e.By != (ledger.Identity{}) {
		by := Who(e.By)
		out.By = &by
	}
	for _, x := range e.Events {
		out.Events = append(out.Events, Event{Name: x.Name, Object: x.Object, Tenant: x.Tenant, Fields: x.Fields})
	}
	for _, c := range r.Objects {
		out.Chains = append(out.Chains, Chain{Object: c.Object, N: c.N, Prev: c.Prev, State: c.State})
	}
	out.discreet(scope)
	return out
}

// Who shows the actor as people read it.
func (r Record) Who() string {
	name := r.Actor.Name
	if name == "" {
		name = strings.TrimSpace(r.Actor.Kind + " " + r.Actor.ID)
	}
	if r.By != nil {
		by := r.By.Name
		if by == "" {
			by = r.By.ID
		}
		name += " (by " + by + ")"
	}
	return name
}
