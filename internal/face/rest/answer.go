package rest

import (
	"net/http"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Answer is the one envelope of every success.
type Answer struct {
	// Output is what the operation returns; null when it returns nothing.
	Output any `json:"output"`
	// State of a change: in force, pending, drift, unchanged, preview.
	State string `json:"state,omitempty"`
	// Record is the id of the log record, absent where none was written.
	Record string `json:"record,omitempty"`
	// Index is the record's leaf index in the log.
	Index *uint64 `json:"index,omitempty"`
	// Version of the target, for If-Match.
	Version uint64 `json:"version,omitempty"`
	// Target is the object that was aimed at.
	Target *core.Ref `json:"target,omitempty"`
	// Changes are what changed, or in a preview what would.
	Changes []Change `json:"changes,omitempty"`
}

// Change is one event about one object.
type Change struct {
	Event  string   `json:"event"`
	Object core.Ref `json:"object"`
	Fields []Value  `json:"fields,omitempty"`
}

// Value is one field's old and new value; of a secret only that it changed.
type Value struct {
	Name   string  `json:"name"`
	Old    *string `json:"old,omitempty"`
	New    *string `json:"new,omitempty"`
	Secret bool    `json:"secret,omitempty"`
}

// answer is what a caller gets. Who is not in yet gets the output alone: what
// changed, and how many records that made, would tell him of others.
func answer(op *act.Op, r act.Result, outside bool) Answer {
	if outside {
		return Answer{Output: r.Output, State: r.State, Record: r.Record, Changes: []Change{}}
	}
	a := Answer{Output: r.Output, State: r.State, Record: r.Record, Version: r.Version, Changes: changes(r)}
	if acts(op) && r.Record != "" {
		a.Index = &r.Index
	}
	if r.Target != (core.Ref{}) {
		a.Target = &r.Target
	}
	return a
}

func changes(r act.Result) []Change {
	list := make([]Change, len(r.Changes))
	for i, e := range r.Changes {
		list[i] = Change{Event: e.Name, Object: e.Object}
		for _, f := range e.Fields {
			v := Value{Name: f.Name, Old: f.Old, New: f.New, Secret: f.Secret}
			if f.Secret {
				v.Old, v.New = nil, nil
			}
			list[i].Fields = append(list[i].Fields, v)
		}
	}
	return list
}

func (x *exchange) succeed(r act.Result) {
	h := x.w.Header()
	if r.Version > 0 {
		h.Set("ETag", etag(r.Version))
	}
	if r.State != "" {
		h.Set("Hostward-State", r.State)
	}
	if r.Record != "" {
		h.Set("Hostward-Record", r.Record)
	}
	if r.Replay {
		h.Set("Idempotent-Replayed", "true")
	}
	x.write(http.StatusOK, "application/json", answer(x.route.Op, r, x.call.Actor.Role&(act.Stranger|act.Entrant) != 0))
}
