package web

import (
	"encoding/json"
	"net/url"
	"slices"

	"hostward/internal/act"
	"hostward/internal/core"
)

// asked is what the fields of a proof are called in the form of another operation.
const asked = "_prove."

// stale reports whether the operation asks for a newer proof of who somebody is
// than he has given.
func (f *Face) stale(v *visit, a act.Actor, op *act.Op) bool {
	return f.Prove != "" && op.Proof != 0 && a.Kind == "account" && a.By == nil && !a.Proved(v.now, op.Proof)
}

// may is Bus.May, and leaves out what is for the person himself while somebody
// acts as him.
func (s *Sheet) may(op *act.Op) bool {
	return s.face.Bus.May(s.Actor, op) && (op.Proof == 0 || s.Actor.By == nil)
}

// proof are the fields with which somebody proves once more who he is, within the
// form of the operation that asks for it: nothing that he typed is lost.
func (s *Sheet) proof(form string, try *attempt) []Field {
	op, ok := s.face.Registry.Op(s.face.Prove)
	if !ok {
		return nil
	}
	var fields []Field
	for _, p := range op.Input {
		if s.face.Ways == nil || slices.Contains(s.face.Ways(s.visit.ctx(), s.Actor), p.Name) {
			fields = append(fields, s.field(p, asked+p.Name, form, url.Values{}, try))
		}
	}
	if len(fields) == 1 {
		fields[0].Required = true
	}
	return fields
}

// proved calls the operation Prove when the form has something for it. The visit
// then is that of the session's new token.
func (f *Face) proved(v *visit, values url.Values) *core.Error {
	op, ok := f.Registry.Op(f.Prove)
	if !ok {
		return nil
	}
	fields := object(op.Input, asked, values, nil)
	if len(fields) == 0 {
		return nil
	}
	in, err := json.Marshal(fields)
	if err != nil {
		return core.AsError(err)
	}
	r, err := f.Bus.Do(v.ctx(), act.Call{Op: op.Name, Actor: v.actor, Input: in})
	if err != nil {
		return renamed(core.AsError(err))
	}
	f.keep(v, r.Output)
	return nil
}

// renamed puts the faults of a proof beside its fields.
func renamed(err *core.Error) *core.Error {
	faults := core.Faults(slices.Clone(err.Faults))
	for i := range faults {
		faults[i].Field = asked + faults[i].Field
	}
	if len(faults) == 0 {
		return err
	}
	return core.AsError(faults.Err())
}
