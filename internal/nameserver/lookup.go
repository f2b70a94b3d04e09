package nameserver

// kind says how a name relates to a zone (RFC 1034 4.3.2, RFC 4592 3.3.1).
type kind uint8

const (
	isMissing  kind = iota // nothing has the name and no wildcard covers it
	isExact                // a node has the name
	isEmpty                // names below it exist: an empty non-terminal (RFC 4592 2.2.2)
	isWildcard             // the node, which may be nil, is the wildcard at the closest encloser
	isCut                  // the name is at or below a delegation
	isDNAME                // the name is below a DNAME
)

// found is the result of a lookup.
type found struct {
	kind  kind
	depth int  // labels below the apex: of the node's name, or of the closest encloser
	entry      // the node, body nil if there is none
	spot  spot // where the name is or would be
}

// lookup finds what answers for a name at or below the apex. From the apex
// down, the first delegation or DNAME hides everything below it.
func (img *image) lookup(p *path) found {
	s, exact := img.names.search(p.whole())
	f := found{spot: s}
	if exact {
		f.kind, f.depth, f.entry = isExact, p.depth, img.names.at(s)
	} else {
		f.kind, f.depth = img.encloser(s, p)
	}
	if img.cuts > 0 {
		if img.hide(p, &f) {
			return f
		}
	}
	switch {
	case exact && f.body.mark()&marksCut != 0:
		f.kind = isCut
	case f.kind == isMissing && img.wilds > 0:
		img.wildcard(p, &f)
	}
	return f
}

// encloser returns how deep the closest encloser is, of which the names before
// and after a missing one show the most (RFC 4592 3.3.1).
func (img *image) encloser(s spot, p *path) (kind, int) {
	depth := 0
	if e, ok := img.names.from(s); ok {
		if depth = common(p.whole(), e.key); depth == p.depth {
			return isEmpty, depth
		}
	}
	if b, ok := img.names.before(s); ok {
		depth = max(depth, common(p.whole(), img.names.at(b).key))
	}
	return isMissing, depth
}

// hide looks for a delegation or a DNAME above the name.
func (img *image) hide(p *path, f *found) bool {
	for depth := range min(f.depth+1, p.depth) {
		s, ok := img.names.search(p.to(depth))
		if !ok {
			continue
		}
		e := img.names.at(s)
		switch m := e.body.mark(); {
		case m&marksCut != 0:
			*f = found{kind: isCut, depth: depth, entry: e, spot: s}
			return true
		case m&marksDNAME != 0:
			*f = found{kind: isDNAME, depth: depth, entry: e, spot: s}
			return true
		}
	}
	return false
}

// wildcard looks below the closest encloser.
func (img *image) wildcard(p *path, f *found) {
	var key [512 + len(wildcardLabel)]byte
	k := append(append(key[:0], p.to(f.depth)...), wildcardLabel...)
	s, ok := img.names.search(k)
	if ok {
		f.kind, f.entry = isWildcard, img.names.at(s)
	} else if e, there := img.names.from(s); there && len(e.key) > len(k) && string(e.key[:len(k)]) == string(k) {
		f.kind = isWildcard // itself an empty non-terminal
	}
}

// hidden reports whether a name is at or below a delegation, or below a DNAME:
// its records are then not this zone's to give as an answer.
func (img *image) hidden(p *path) bool {
	if img.cuts == 0 {
		return false
	}
	for depth := range p.depth + 1 {
		n, ok := img.names.get(p.to(depth))
		if ok && (n.mark()&marksCut != 0 || n.mark()&marksDNAME != 0 && depth < p.depth) {
			return true
		}
	}
	return false
}
