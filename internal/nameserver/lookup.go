package nameserver

// kind says how a name relates to a zone (RFC 1034 4.3.2, RFC 4592 3.3.1).
type kind uint8

const (
	isMissing  kind = iota // nothing has the name and no wildcard covers it
	isExact                // a node has the name
	isWildcard             // the node is the wildcard at the closest encloser
	isCut                  // the name is at or below a delegation
	isDNAME                // the name is below a DNAME
)

// found is the result of a lookup. label says where in the name the node's
// own begins: 0 for an exact match.
type found struct {
	kind  kind
	label int
	node  *node
}

// lookup finds the node that answers for a name at or below the apex. From the
// apex down, the first delegation or DNAME hides everything below it.
func (img *image) lookup(v *view, scratch *[256]byte) found {
	k := v.n - img.labels
	end := v.offset(k)
	if img.cuts > 0 {
		for i := k; i > 0; i-- {
			n := img.nodes.get(v.name[v.offset(i):end])
			if n == nil {
				break
			}
			if f, hides := n.hides(i); hides {
				return f
			}
		}
	}
	if n := img.nodes.get(v.name[:end]); n != nil {
		if n.mark&marksCut != 0 {
			return found{isCut, 0, n}
		}
		return found{isExact, 0, n}
	}
	return img.wildcard(v, k, end, scratch)
}

func (n *node) hides(label int) (found, bool) {
	switch {
	case n.mark&marksCut != 0:
		return found{isCut, label, n}, true
	case n.mark&marksDNAME != 0:
		return found{isDNAME, label, n}, true
	}
	return found{}, false
}

// wildcard looks below the closest encloser, which always exists: at worst it
// is the apex (RFC 4592 3.3.1).
func (img *image) wildcard(v *view, k, end int, scratch *[256]byte) found {
	for i := 1; i <= k; i++ {
		encloser := v.name[v.offset(i):end]
		n := img.nodes.get(encloser)
		if n == nil {
			continue
		}
		if n.mark&marksWild == 0 {
			break
		}
		key := append(append(scratch[:0], "\x01*"...), encloser...)
		return found{isWildcard, i, img.nodes.get(key)}
	}
	return found{}
}

// hidden reports whether a relative name is at or below a delegation, or below
// a DNAME: its records are then not this zone's to give as an answer.
func (img *image) hidden(key string) bool {
	if img.cuts == 0 {
		return false
	}
	for at := key; at != ""; at = up(at) {
		n := img.nodes.getString(at)
		if n != nil && (n.mark&marksCut != 0 || n.mark&marksDNAME != 0 && at != key) {
			return true
		}
	}
	return img.top.mark&marksDNAME != 0 && key != ""
}
