package nameserver

// A key is a name relative to its zone in a form whose octets compare in
// canonical order (RFC 4034 6.1): the labels from the apex outwards, each
// ended by 0, with 0 and 1 inside a label written as 1 1 and 1 2. The apex has
// the empty key, and a name's key begins with the keys of all its ancestors.

// wildcardLabel is the label "*" of a key.
const wildcardLabel = "*\x00"

func appendLabel(key, label []byte) []byte {
	for _, c := range label {
		if c <= 1 {
			key = append(key, 1)
			c++
		}
		key = append(key, c)
	}
	return append(key, 0)
}

// appendKey appends the key of a wire name relative to its zone, without root.
func appendKey(key, relative []byte) []byte {
	var starts [128]uint8
	n := 0
	for i := 0; i < len(relative); i += 1 + int(relative[i]) {
		starts[n] = uint8(i)
		n++
	}
	for n--; n >= 0; n-- {
		i := int(starts[n])
		key = appendLabel(key, relative[i+1:i+1+int(relative[i])])
	}
	return key
}

// appendRelative appends the wire name that a key stands for, without root.
func appendRelative(wire, key []byte) []byte {
	for end := len(key); end > 0; {
		start := end - 1
		for start > 0 && key[start-1] != 0 {
			start--
		}
		at := len(wire)
		wire = append(wire, 0)
		for i := start; i < end-1; i++ {
			c := key[i]
			if c == 1 {
				i++
				c = key[i] - 1
			}
			wire = append(wire, c)
		}
		wire[at] = byte(len(wire) - at - 1)
		end = start
	}
	return wire
}

// common returns how many labels from the apex two keys share.
func common(a, b []byte) (labels int) {
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == 0 {
			labels++
		}
	}
	return labels
}

// wild reports whether the name's first label is "*".
func wild(key []byte) bool {
	n := len(key)
	return n >= 2 && key[n-1] == 0 && key[n-2] == '*' && (n == 2 || key[n-3] == 0)
}

// path is the key of a question's name and where its labels end.
type path struct {
	key   [512]byte // each octet of a name may take two
	ends  [128]uint16
	depth int // labels below the apex
}

// set takes the name's labels down to the apex, which has that many.
func (p *path) set(v *view, apexLabels int) {
	p.depth = v.n - apexLabels
	k := p.key[:0]
	for i := range p.depth {
		at := v.labels[p.depth-1-i]
		k = appendLabel(k, v.name[int(at)+1:int(at)+1+int(v.name[at])])
		p.ends[i+1] = uint16(len(k))
	}
}

// to returns the key of the ancestor so many labels below the apex.
func (p *path) to(depth int) []byte { return p.key[:p.ends[depth]] }

func (p *path) whole() []byte { return p.to(p.depth) }
