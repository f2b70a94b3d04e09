// Package literal finds many words in a text at once, in one pass whose time does
// not depend on how many there are (Aho and Corasick, 1975).
package literal

// A Set finds words that stand for something numbered. It does not change and may be
// used by several goroutines.
type Set struct {
	always  Marks // that need no word
	class   [256]uint8
	classes int
	next    []uint32     // by state and class; the state is multiplied already
	out     []Marks      // by state
	pairs   [1024]uint64 // of bytes with which a word begins
}

// Marks are the numbers of what may match. Numbers that are the same modulo 64 are
// not told apart.
type Marks uint64

// Has reports whether a number is among the marks.
func (m Marks) Has(number int) bool { return m>>(number&63)&1 != 0 }

// New makes a set: words[i] are those of which a text must contain one for i to be
// possible. If there are none i is always possible.
func New(words [][]string) *Set {
	b := builder{set: &Set{}}
	b.countClasses(words)
	b.node()
	for number, list := range words {
		if len(list) == 0 {
			b.set.always |= 1 << (number & 63)
		}
		for _, word := range list {
			b.add(word, number)
		}
	}
	b.link()
	return b.set
}

// Find returns what is possible in a text. Where no word begins it looks at two
// bytes only, and not at the state.
func (s *Set) Find(text []byte) Marks {
	found := s.always
	for i := 0; i < len(text); {
		if i+1 < len(text) && !s.begins(text[i], text[i+1]) {
			i++
			continue
		}
		state := uint32(0)
		for ; i < len(text); i++ {
			if state = s.next[state+uint32(s.class[text[i]])]; state&hit != 0 {
				state &^= hit
				found |= s.out[state/uint32(s.classes)]
			}
			if state == 0 {
				i++
				break
			}
		}
	}
	return found
}

func (s *Set) begins(a, b byte) bool {
	pair := uint16(a)<<8 | uint16(b)
	return s.pairs[pair>>6]&(1<<(pair&63)) != 0
}

func (s *Set) pair(a, b byte) {
	pair := uint16(a)<<8 | uint16(b)
	s.pairs[pair>>6] |= 1 << (pair & 63)
}

// hit marks a state in which a word ends.
const hit = 1 << 31

type builder struct {
	set   *Set
	nodes []map[byte]int
	out   []Marks
}

func (b *builder) countClasses(words [][]string) {
	b.set.classes = 1 // 0 is for bytes that are in no word
	for _, list := range words {
		for _, word := range list {
			for i := range len(word) {
				if b.set.class[word[i]] == 0 && b.set.classes < 256 {
					b.set.class[word[i]] = uint8(b.set.classes)
					b.set.classes++
				}
			}
		}
	}
}

func (b *builder) node() int {
	b.nodes = append(b.nodes, map[byte]int{})
	b.out = append(b.out, 0)
	return len(b.nodes) - 1
}

func (b *builder) add(word string, number int) {
	if len(word) == 1 {
		for next := range 256 {
			b.set.pair(word[0], byte(next))
		}
	} else {
		b.set.pair(word[0], word[1])
	}
	at := 0
	for i := range len(word) {
		class := b.set.class[word[i]]
		next, ok := b.nodes[at][class]
		if !ok {
			next = b.node()
			b.nodes[at][class] = next
		}
		at = next
	}
	b.out[at] |= 1 << (number & 63)
}

// link makes the trie an automaton: where a word cannot go on, the state of the
// longest ending of what was read goes on.
func (b *builder) link() {
	s := b.set
	s.next = make([]uint32, len(b.nodes)*s.classes)
	fail := make([]int, len(b.nodes))
	order := []int{0}
	for i := 0; i < len(order); i++ {
		node := order[i]
		b.out[node] |= b.out[fail[node]]
		for class := range s.classes {
			through := int(s.next[fail[node]*s.classes+class]) / s.classes
			next, ok := b.nodes[node][uint8(class)]
			switch {
			case ok:
				order = append(order, next)
				if node != 0 {
					fail[next] = through
				}
			case node != 0:
				next = through
			}
			s.next[node*s.classes+class] = uint32(next * s.classes)
		}
	}
	s.out = b.out
	for i, target := range s.next {
		if b.out[int(target)/s.classes] != 0 {
			s.next[i] |= hit
		}
	}
}
