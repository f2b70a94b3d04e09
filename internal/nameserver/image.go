package nameserver

import (
	"slices"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// image is one version of one zone. Nothing in it changes once it is served.
type image struct {
	apex    string // wire form
	labels  int    // of the apex
	version uint64
	nodes   *table[*node] // by wire name relative to the apex, without the root
	top     *node
	cuts    int // delegations and DNAMEs: with none, nothing hides a name
	denial  denial
}

// node is a name: one with records, or an empty non-terminal (RFC 4592 2.2.2).
type node struct {
	sets     []set // by type
	children int   // names one label below
	mark     mark
}

// mark says what a query has to know of a name at once.
type mark uint8

const (
	marksCut   mark = 1 << iota // NS below the apex: a delegation
	marksDNAME                  // hides what is below (RFC 6672)
	marksCNAME
	marksWild // has a child "*"
)

func (n *node) find(typ uint16) *set {
	for i := range n.sets {
		if n.sets[i].typ == typ {
			return &n.sets[i]
		}
	}
	return nil
}

// smallest is what ANY gets: one RRset, the shortest, so that the answer is of
// no use for amplification (RFC 8482 4.1); nil if there is none.
func (n *node) smallest() (out *set) {
	for i := range n.sets {
		if out == nil || len(n.sets[i].ready) < len(out.ready) {
			out = &n.sets[i]
		}
	}
	return out
}

// denial is the SOA record of negative answers (RFC 2308 3), compiled for a
// question of the apex itself; for a name below, every pointer moves by as
// much as the question is longer.
type denial struct {
	text    string
	patches []int // offsets of the pointers in text
}

// next returns the image after a change set.
func (img *image) next(c ChangeSet) (*image, error) {
	if img == nil || c.Full {
		img = emptyImage(c.Zone)
	}
	e := &imageEdit{image: *img, edit: img.nodes.edit(), fresh: map[*node]bool{}, zone: c.Zone}
	e.version = c.Version
	for _, group := range byName(c.Set) {
		if err := e.put(group); err != nil {
			return nil, err
		}
	}
	return e.finish()
}

func emptyImage(zone rr.Name) *image {
	nodes := newTable[*node]().edit()
	top := &node{}
	nodes.set("", top)
	return &image{apex: string(zone.Wire()), labels: zone.Labels(), nodes: nodes.done(), top: top}
}

// byName groups sets of one name, so that each node is made once.
func byName(sets []rr.RRset) [][]rr.RRset {
	index := map[rr.Name]int{}
	var out [][]rr.RRset
	for _, s := range sets {
		i, ok := index[s.Name]
		if !ok {
			i = len(out)
			index[s.Name] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], s)
	}
	return out
}

// imageEdit is an image in the making.
type imageEdit struct {
	image
	edit  *edit[*node]
	fresh map[*node]bool // nodes made here, which may still be changed
	zone  rr.Name
}

// put brings in the sets of one name.
func (e *imageEdit) put(sets []rr.RRset) error {
	name := sets[0].Name
	owner := name.Wire()
	if !within(owner, []byte(e.apex)) {
		return core.Errorf(core.Invalid, "%s is not in the zone %s", name, e.zone)
	}
	key := string(owner[:len(owner)-len(e.apex)])
	n := e.own(key)
	before := n.mark
	for _, s := range sets {
		if err := n.put(s, owner, []byte(e.apex)); err != nil {
			return err
		}
	}
	n.remark(key)
	e.cuts += cuts(n.mark) - cuts(before)
	e.prune(key, n)
	return nil
}

func cuts(m mark) int {
	if m&(marksCut|marksDNAME) != 0 {
		return 1
	}
	return 0
}

// own returns the node of a key, made with its ancestors if it is missing,
// copied if a served image has it.
func (e *imageEdit) own(key string) *node {
	n := e.edit.getString(key)
	if n != nil && e.fresh[n] {
		return n
	}
	made := &node{}
	if n != nil {
		*made = *n
		made.sets = slices.Clone(n.sets)
	} else {
		parent := e.own(up(key))
		parent.children++
		if wild(key) {
			parent.mark |= marksWild
		}
	}
	e.fresh[made] = true
	e.edit.set(key, made)
	return made
}

// prune removes a node that holds nothing, and its ancestors if they then do.
func (e *imageEdit) prune(key string, n *node) {
	for key != "" && len(n.sets) == 0 && n.children == 0 {
		e.edit.remove(key)
		parent := e.own(up(key))
		parent.children--
		if wild(key) {
			parent.mark &^= marksWild
		}
		key, n = up(key), parent
	}
}

func up(key string) string { return key[1+int(key[0]):] }
func wild(key string) bool { return len(key) > 1 && key[:2] == "\x01*" }

// put replaces, adds or removes one set.
func (n *node) put(s rr.RRset, owner, apex []byte) error {
	code, ok := rr.TypeCode(s.Type)
	if !ok {
		return core.Errorf(core.Invalid, "type %q is not known", s.Type)
	}
	i, found := slices.BinarySearchFunc(n.sets, code, func(a set, b uint16) int { return int(a.typ) - int(b) })
	if len(s.Data) == 0 {
		if found {
			n.sets = slices.Delete(n.sets, i, i+1)
		}
		return nil
	}
	made, err := compile(s, owner, apex)
	if err != nil {
		return err
	}
	if found {
		n.sets[i] = made
	} else {
		n.sets = slices.Insert(n.sets, i, made)
	}
	return nil
}

// remark sets the marks that follow from the node's own sets. A delegation at
// a wildcard is not defined (RFC 4592 4.2): it is answered as data.
func (n *node) remark(key string) {
	n.mark &= marksWild
	if key != "" && !wild(key) && n.find(typeNS) != nil {
		n.mark |= marksCut
	}
	if n.find(typeDNAME) != nil && !wild(key) {
		n.mark |= marksDNAME
	}
	if n.find(typeCNAME) != nil {
		n.mark |= marksCNAME
	}
}

// finish seals the image. A zone without SOA cannot say no, so it is refused.
func (e *imageEdit) finish() (*image, error) {
	e.nodes = e.edit.done()
	e.top = e.nodes.getString("")
	soa := e.top.find(typeSOA)
	if soa == nil {
		return nil, core.Errorf(core.Invalid, "zone %s has no SOA record", e.zone)
	}
	e.denial = compileDenial(soa, e.apex)
	img := e.image
	return &img, nil
}

// compileDenial takes the lower of the SOA's TTL and its minimum (RFC 2308 5).
func compileDenial(soa *set, apex string) denial {
	r := first(soa)
	ttl := min(r.ttl, beString(r.rdata[len(r.rdata)-4:]))
	var b builder
	b.reset(question([]byte(apex)), starts([]byte(apex)))
	from := len(b.msg)
	b.record(ownerPtr, typeSOA, ttl, rr.LayoutOf(typeSOA), []byte(r.rdata))
	d := denial{text: string(b.msg[from:]), patches: []int{0}}
	at := from + 2 + recordLen
	for range 2 { // the two names of a SOA
		for b.msg[at]&0xC0 == 0 && b.msg[at] != 0 {
			at += 1 + int(b.msg[at])
		}
		if b.msg[at] != 0 {
			d.patches = append(d.patches, at-from)
			at++
		}
		at++
	}
	return d
}

// first returns the first record of a set.
func first(s *set) (out record) {
	for r := range s.records() {
		return r
	}
	return out
}
