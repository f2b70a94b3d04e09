package nameserver

import (
	"bytes"
	"encoding/binary"
	"slices"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// image is one version of one zone. Nothing in it changes once it is served.
type image struct {
	apex    string // wire form
	labels  int    // of the apex
	object  string // whose versions they are
	version uint64
	serial  uint32
	names   tree // by key
	hashes  tree // NSEC3 records, by the octets of the hash that names them
	cuts    int  // delegations and DNAMEs: with none, nothing hides a name
	wilds   int  // wildcards: with none, none is looked for
	records int
	denial  denial
	salt    string // of the NSEC3 chain in use
	rounds  int    // its iterations
	soonest uint32 // when the first signature expires, noExpiry if there is none
	past    past   // what led here
}

// denial says how a zone proves that something is not there.
type denial uint8

const (
	provesNothing denial = iota
	provesNSEC
	provesNSEC3
)

// maxRounds is the most iterations of NSEC3 that are computed for a question.
// Validators take more than 100 for insecure or bogus (RFC 9276 3.2); a zone
// with more is served without proofs, so that it is not a lever against us.
const maxRounds = 500

// next returns the image after a change set.
func (img *image) next(c ChangeSet) (*image, error) {
	if img == nil || c.Full {
		img = &image{apex: string(c.Zone.Wire()), labels: c.Zone.Labels(), object: c.Object}
	}
	e := &imageEdit{image: *img, zone: c.Zone, apexWire: []byte(img.apex)}
	e.version = c.Version
	groups := byName(c.Set)
	e.putNames, e.putHashes = make([]entry, 0, len(groups)), nil
	for _, group := range groups {
		if err := e.put(group); err != nil {
			return nil, err
		}
	}
	return e.finish()
}

// byName groups sets of one name, so that each node is made once.
func byName(sets []rr.RRset) [][]rr.RRset {
	if grouped, ok := adjacent(sets); ok {
		return grouped
	}
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

// adjacent is byName for few sets, which stand together in sorted zones.
func adjacent(sets []rr.RRset) (out [][]rr.RRset, ok bool) {
	if len(sets) > 32 {
		return nil, false
	}
	for i := 0; i < len(sets); {
		n := 1
		for i+n < len(sets) && sets[i+n].Name == sets[i].Name {
			n++
		}
		for _, g := range out {
			if g[0].Name == sets[i].Name {
				return nil, false
			}
		}
		out = append(out, sets[i:i+n])
		i += n
	}
	return out, true
}

// imageEdit is an image in the making.
type imageEdit struct {
	image
	zone      rr.Name
	apexWire  []byte
	putNames  []entry
	putHashes []entry
	parts     []part // memory of write
}

// put brings in the sets of one name.
func (e *imageEdit) put(sets []rr.RRset) error {
	name := sets[0].Name
	owner := name.Wire()
	if !within(owner, e.apexWire) {
		return core.Errorf(core.Invalid, "%s is not in the zone %s", name, e.zone)
	}
	relative := owner[:len(owner)-len(e.apex)]
	if hash, ok := hashOf(relative); ok {
		proofs, rest := splitProofs(sets)
		if err := e.putHash(hash, owner, proofs); err != nil {
			return err
		}
		sets = rest
	}
	if len(sets) == 0 {
		return nil
	}
	return e.putName(appendKey(nil, relative), owner, sets)
}

func (e *imageEdit) putName(key, owner []byte, sets []rr.RRset) error {
	old, _ := e.names.get(key)
	made, err := e.write(old, owner, sets, key)
	if err != nil {
		return err
	}
	e.cuts += cuts(made) - cuts(old)
	if wild(key) {
		e.wilds += present(made) - present(old)
	}
	if made != nil || old != nil {
		e.putNames = append(e.putNames, entry{key, made})
	}
	return nil
}

func (e *imageEdit) putHash(hash, owner []byte, sets []rr.RRset) error {
	if len(sets) == 0 {
		return nil
	}
	old, _ := e.hashes.get(hash)
	made, err := e.write(old, owner, sets, nil)
	if err != nil {
		return err
	}
	if made != nil || old != nil {
		e.putHashes = append(e.putHashes, entry{hash, made})
	}
	return nil
}

// write returns a node after a change of some of its sets.
func (e *imageEdit) write(old node, owner []byte, sets []rr.RRset, key []byte) (node, error) {
	w := writer{apex: e.apexWire, owner: owner, parts: old.parts(e.parts[:0])}
	for _, p := range w.parts {
		e.records -= p.count + p.signed
	}
	for _, s := range sets {
		if err := w.put(s); err != nil {
			return nil, err
		}
	}
	for _, p := range w.parts {
		e.records += p.count + p.signed
	}
	e.parts = w.parts
	return nodeOf(w.parts, marksOf(w.parts, key), len(owner)-len(e.apex)), nil
}

// splitProofs takes what belongs to an NSEC3 record away from what belongs to
// a name of the zone that happens to look like one.
func splitProofs(sets []rr.RRset) (proofs, rest []rr.RRset) {
	for _, s := range sets {
		switch s.Type {
		case "NSEC3":
			proofs = append(proofs, s)
		case "RRSIG":
			of, others := s, s
			of.Data, others.Data = nil, nil
			for _, d := range s.Data {
				if len(d) > 6 && d[:6] == "NSEC3 " {
					of.Data = append(of.Data, d)
				} else {
					others.Data = append(others.Data, d)
				}
			}
			proofs, rest = append(proofs, of), append(rest, others)
		default:
			rest = append(rest, s)
		}
	}
	return proofs, rest
}

func cuts(n node) int {
	if n != nil && n.mark()&(marksCut|marksDNAME) != 0 {
		return 1
	}
	return 0
}

func present(n node) int {
	if n == nil {
		return 0
	}
	return 1
}

// finish seals the image. A zone without SOA cannot say no, so it is refused.
func (e *imageEdit) finish() (*image, error) {
	order := func(a, b entry) int { return bytes.Compare(a.key, b.key) }
	slices.SortFunc(e.putNames, order)
	slices.SortFunc(e.putHashes, order)
	e.names, e.hashes = e.names.edit(e.putNames), e.hashes.edit(e.putHashes)
	img := e.image
	if !img.survey() {
		return nil, core.Errorf(core.Invalid, "zone %s has no SOA record", e.zone)
	}
	return &img, nil
}

// survey notes what the apex says of the zone; false: it has no SOA.
func (img *image) survey() bool {
	top, _ := img.names.get(nil)
	if top == nil || !top.has(typeSOA) {
		return false
	}
	soa := first(top.find(typeSOA))
	img.serial = binary.BigEndian.Uint32(soa.rdata[len(soa.rdata)-20:])
	img.soonest = min(img.names.soonest(), img.hashes.soonest())
	img.denial = provesNothing
	if top.has(typeNSEC) {
		img.denial = provesNSEC
	}
	for r := range records(top.find(typeNSEC3PARAM).text) {
		img.hashed(r.rdata)
	}
	return true
}

// hashed takes an NSEC3PARAM whose chain is there.
func (img *image) hashed(parameters []byte) {
	const fixed = 5 // algorithm, flags, iterations, length of the salt
	if len(parameters) < fixed || len(img.hashes.pages) == 0 || img.denial == provesNSEC3 {
		return
	}
	was := *img
	img.rounds = int(binary.BigEndian.Uint16(parameters[2:]))
	img.salt = string(parameters[fixed:])
	img.denial = provesNSEC3
	var h hasher
	if img.rounds > maxRounds || img.proofAt(h.hash(img, []byte(img.apex))).body == nil {
		*img = was
	}
}

// first returns the first record of a set.
func first(s set) (out record) {
	for r := range records(s.text) {
		return r
	}
	return out
}
