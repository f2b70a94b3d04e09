package transfer

import (
	"context"
	"fmt"
	"slices"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Condition is what must hold before an update is made (RFC 2136 2.4).
type Condition struct {
	Kind ConditionKind `json:"kind"`
	Name rr.Name       `json:"name"`
	Type string        `json:"type,omitempty"` // not for NameUsed and NameFree
	Data []string      `json:"data,omitempty"` // SetEquals: the whole set, in any order
}

// ConditionKind is one of the five.
type ConditionKind string

// The kinds of condition. A name is used if it has records of its own.
const (
	NameUsed  ConditionKind = "name-used"  // 2.4.4
	NameFree  ConditionKind = "name-free"  // 2.4.5
	SetExists ConditionKind = "set-exists" // 2.4.1
	SetEquals ConditionKind = "set-equals" // 2.4.2, TTLs aside
	SetAbsent ConditionKind = "set-absent" // 2.4.3
)

// Edit is one change of an update (RFC 2136 2.5).
type Edit struct {
	Kind EditKind `json:"kind"`
	Name rr.Name  `json:"name"`
	Type string   `json:"type,omitempty"` // not for RemoveName
	TTL  uint32   `json:"ttl,omitempty"`  // seconds; of Add
	Data string   `json:"data,omitempty"` // of Add and Remove
}

// EditKind is one of the four.
type EditKind string

// The kinds of edit.
const (
	Add        EditKind = "add"         // 2.5.1
	RemoveSet  EditKind = "remove-set"  // 2.5.2
	RemoveName EditKind = "remove-name" // 2.5.3
	Remove     EditKind = "remove"      // 2.5.4
)

// Edits is an update as plain data: if all of If holds, Then is made, in
// order, all or nothing.
type Edits struct {
	Zone rr.Name     `json:"zone"`
	If   []Condition `json:"if,omitempty"`
	Then []Edit      `json:"then,omitempty"`
}

// Edits reads an update. It holds at most most conditions and edits, which is
// bounded by the message too: 65,535 octets. Errors are a *Fault: FormErr where
// classes, TTLs, types and data are not as RFC 2136 3.2 and 3.4.1 want
// them, NotZone for a name elsewhere, Refused for what signing makes (3.2 of
// RFC 3007), and for more than most.
func (r *Request) Edits(most int) (Edits, error) {
	if r.Opcode != Update || r.Type != "SOA" {
		return Edits{}, malformed("an update names its zone with type SOA (RFC 2136 2.3)")
	}
	c, err := read(r.msg)
	if err != nil {
		return Edits{}, err
	}
	e := Edits{Zone: r.Zone}
	for {
		rec, section, ok, err := c.next()
		if err != nil {
			return Edits{}, err
		}
		if !ok || section == additional {
			return e, nil
		}
		if len(e.If)+len(e.Then) == most {
			return Edits{}, &Fault{Rcode: Refused, EDE: Prohibited, Why: fmt.Sprintf("an update of more than %d records", most)}
		}
		if err := e.take(section, rec); err != nil {
			return Edits{}, err
		}
	}
}

func (e *Edits) take(section int, r record) error {
	if !r.name.Under(e.Zone) {
		return &Fault{NotZone, 0, InvalidData, fmt.Sprintf("%s is not in the zone %s", r.name, e.Zone)}
	}
	if section == answer {
		return e.condition(r)
	}
	return e.edit(r)
}

// condition reads one of the five by its class (RFC 2136 3.2.4).
func (e *Edits) condition(r record) error {
	kinds := map[uint16][2]ConditionKind{classANY: {NameUsed, SetExists}, classNONE: {NameFree, SetAbsent}}
	k, bare := kinds[r.class]
	switch {
	case r.ttl != 0 || bare && len(r.data) > 0 || !bare && r.class != classIN:
		return malformed("a condition on %s with TTL %d, class %d and %d octets of data (RFC 2136 3.2.4)", r.name, r.ttl, r.class, len(r.data))
	case bare && r.typ == typeANY:
		e.If = append(e.If, Condition{Kind: k[0], Name: r.name})
		return nil
	case !plainType(r.typ):
		return malformed("a condition on %s %s (RFC 2136 3.2.4)", r.name, rr.TypeName(r.typ))
	case bare:
		e.If = append(e.If, Condition{Kind: k[1], Name: r.name, Type: rr.TypeName(r.typ)})
		return nil
	}
	t, err := r.text()
	if err != nil {
		return err
	}
	e.equals(t)
	return nil
}

// equals adds a record to the set that must be there.
func (e *Edits) equals(t rr.Record) {
	for i, c := range e.If {
		if c.Kind == SetEquals && c.Name == t.Name && c.Type == t.Type {
			if !slices.Contains(c.Data, t.Data) {
				e.If[i].Data = append(c.Data, t.Data)
			}
			return
		}
	}
	e.If = append(e.If, Condition{Kind: SetEquals, Name: t.Name, Type: t.Type, Data: []string{t.Data}})
}

// plainType reports whether records of the type can stand in a zone.
func plainType(typ uint16) bool {
	_, ok := rr.TypeCode(rr.TypeName(typ))
	return ok
}

// edit reads one change by its class (RFC 2136 3.4.1).
func (e *Edits) edit(r record) error {
	wrong := func() error {
		return malformed("a change of %s %s with TTL %d, class %d and %d octets of data (RFC 2136 3.4.1)", r.name, rr.TypeName(r.typ), r.ttl, r.class, len(r.data))
	}
	out := Edit{Name: r.name, Type: rr.TypeName(r.typ)}
	switch {
	case r.class == classANY && r.typ == typeANY && r.ttl == 0 && len(r.data) == 0:
		out.Kind, out.Type = RemoveName, ""
	case !plainType(r.typ):
		return wrong()
	case madeBySigning(out.Type):
		return &Fault{Refused, 0, Prohibited, fmt.Sprintf("%s records are made by signing and not by updates (RFC 3007 3)", out.Type)}
	case r.class == classANY && r.ttl == 0 && len(r.data) == 0:
		out.Kind = RemoveSet
	case r.class == classNONE && r.ttl == 0 || r.class == classIN && r.ttl <= rr.MaxTTL:
		t, err := r.text()
		if err != nil {
			return err
		}
		out.Kind, out.TTL, out.Data = Add, r.ttl, t.Data
		if r.class == classNONE {
			out.Kind = Remove
		}
	default:
		return wrong()
	}
	e.Then = append(e.Then, out)
	return nil
}

// madeBySigning names the types that only the signer writes.
func madeBySigning(typ string) bool {
	return slices.Contains([]string{"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM"}, typ)
}

// besideCNAME names the types that may stand with a CNAME (RFC 4035 2.5, RFC 3007 3).
func besideCNAME(typ string) bool { return madeBySigning(typ) || typ == "KEY" }

// Hold reports, as a *Fault, the first condition that does not hold. Those on
// the data of a set come after all others (RFC 2136 3.2.5).
func (e Edits) Hold(read View) error {
	for _, onData := range []bool{false, true} {
		for _, c := range e.If {
			if (c.Kind == SetEquals) != onData {
				continue
			}
			if code := c.failure(read); code != Success {
				return &Fault{Rcode: code, EDE: Other, Why: fmt.Sprintf("the condition %s %s %s does not hold", c.Kind, c.Name, c.Type)}
			}
		}
	}
	return nil
}

// failure is the code of a condition that does not hold.
func (c Condition) failure(read View) Rcode {
	sets := read(c.Name)
	used, data := false, []string{}
	for _, s := range sets {
		used = used || len(s.Data) > 0
		if s.Type == c.Type {
			data = append(data, s.Data...)
		}
	}
	switch {
	case c.Kind == NameUsed && !used:
		return NXDomain
	case c.Kind == NameFree && used:
		return YXDomain
	case c.Kind == SetExists && len(data) == 0, c.Kind == SetEquals && !sameData(data, c.Data):
		return NXRRset
	case c.Kind == SetAbsent && len(data) > 0:
		return YXRRset
	}
	return Success
}

func sameData(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Outcome is what an update comes to.
type Outcome struct {
	// Changes are sorted and may be none. The SOA is among them only if the
	// update sets it; if not, and there are any, the serial is to go up (RFC 2136 3.6).
	Changes []rr.Change
	Ignored []string // edits that RFC 2136 3.4.2 has passed over in silence, and why
}

// Make returns what the edits change, in a zone that Hold was asked about and
// that a Policy allows to be changed. Nothing is written. Whether the zone is
// then one that can be served, rr.Validate says.
func (e Edits) Make(read View) Outcome {
	d := &edited{draft: newDraft(read), zone: e.Zone}
	for _, one := range e.Then {
		if why := d.make(one); why != "" {
			d.ignored = append(d.ignored, fmt.Sprintf("%s %s %s %s: %s", one.Kind, one.Name, one.Type, one.Data, why))
		}
	}
	return Outcome{d.changes(), d.ignored}
}

// edited is a draft on which edits are made.
type edited struct {
	*draft
	zone    rr.Name
	ignored []string
}

// make makes one edit, or says why it is passed over.
func (d *edited) make(e Edit) string {
	n, apex := d.node(e.Name), e.Name == d.zone
	switch e.Kind {
	case Add:
		return d.add(n, apex, e)
	case RemoveName:
		for _, typ := range n.types() {
			if !madeBySigning(typ) && !(apex && (typ == "SOA" || typ == "NS")) {
				delete(n.sets, typ)
			}
		}
	case RemoveSet:
		if apex && (e.Type == "SOA" || e.Type == "NS") {
			return "the SOA and NS records of the zone stay (RFC 2136 3.4.2.3)"
		}
		delete(n.sets, e.Type)
	case Remove:
		return remove(n, apex, e)
	}
	return ""
}

func remove(n *node, apex bool, e Edit) string {
	_, there := n.sets[e.Type][e.Data]
	switch {
	case e.Type == "SOA":
		return "a SOA record is replaced and never removed (RFC 2136 3.4.2.4)"
	case apex && e.Type == "NS" && there && len(n.sets["NS"]) == 1:
		return "the last NS record of the zone stays (RFC 2136 3.4.2.4)"
	}
	n.drop(e.Type, e.Data)
	return ""
}

// add adds a record; all of its set take its TTL (RFC 2181 5.2).
func (d *edited) add(n *node, apex bool, e Edit) string {
	others := slices.DeleteFunc(n.types(), func(t string) bool { return t == "CNAME" || besideCNAME(t) })
	switch {
	case e.Type == "SOA":
		return addSOA(n, apex, e)
	case e.Type == "CNAME" && len(others) > 0:
		return "a CNAME stands alone, and there are other records (RFC 2136 3.4.2.2)"
	case e.Type != "CNAME" && len(n.sets["CNAME"]) > 0 && !besideCNAME(e.Type):
		return "a CNAME stands alone, and there is one (RFC 2136 3.4.2.2)"
	case e.Type == "CNAME" || e.Type == "DNAME": // one at a name: it replaces (RFC 6672 5.2)
		delete(n.sets, e.Type)
	}
	for data := range n.sets[e.Type] {
		n.sets[e.Type][data] = e.TTL
	}
	n.put(e.Type, e.Data, e.TTL)
	return ""
}

func addSOA(n *node, apex bool, e Edit) string {
	next, ok := rr.ParseSOA(e.Data)
	for data := range n.sets["SOA"] {
		now, _ := rr.ParseSOA(data)
		if apex && ok && rr.SerialAfter(next.Serial, now.Serial) {
			delete(n.sets, "SOA")
			n.put("SOA", e.Data, e.TTL)
			return ""
		}
	}
	return "a SOA record is taken at the zone's name and with a greater serial (RFC 2136 3.4.2.2)"
}

// Update sends an update over TCP or TLS, once: it may have been made even if
// the answer is lost. A *Fault is the server's refusal.
func (c Client) Update(ctx context.Context, to Peer, e Edits) error {
	a := asking{client: c, peer: to, asked: question{e.Zone, typeSOA, classIN}, opcode: opUpdate, in: answer}
	for _, cond := range e.If {
		records, err := cond.records()
		if err != nil {
			return err
		}
		a.extra = append(a.extra, records...)
	}
	for _, one := range e.Then {
		r, err := one.record()
		if err != nil {
			return err
		}
		a.edits = append(a.edits, r)
	}
	_, err := a.stream(ctx)
	return err
}

// records writes a condition.
func (c Condition) records() ([]record, error) {
	class := map[ConditionKind]uint16{NameUsed: classANY, SetExists: classANY, NameFree: classNONE, SetAbsent: classNONE}[c.Kind]
	if c.Kind == NameUsed || c.Kind == NameFree {
		return []record{{name: c.Name, typ: typeANY, class: class}}, nil
	}
	code, ok := rr.TypeCode(c.Type)
	if !ok {
		return nil, core.Errorf(core.Invalid, "writing an update: type %q is not known", clip(c.Type))
	}
	if c.Kind != SetEquals {
		return []record{{name: c.Name, typ: code, class: class}}, nil
	}
	var out []record
	for _, d := range c.Data {
		r, err := wireOf(rr.Record{Name: c.Name, Type: c.Type, Data: d})
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// record writes an edit.
func (e Edit) record() (record, error) {
	switch e.Kind {
	case RemoveName:
		return record{name: e.Name, typ: typeANY, class: classANY}, nil
	case RemoveSet:
		code, ok := rr.TypeCode(e.Type)
		if !ok {
			return record{}, core.Errorf(core.Invalid, "writing an update: type %q is not known", clip(e.Type))
		}
		return record{name: e.Name, typ: code, class: classANY}, nil
	}
	r, err := wireOf(rr.Record{Name: e.Name, TTL: e.TTL, Type: e.Type, Data: e.Data})
	if e.Kind == Remove {
		r.class, r.ttl = classNONE, 0
	}
	return r, err
}
