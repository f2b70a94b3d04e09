// Package literal finds many words in a text at once, in one pass whose time does
// not depend on how many there are (Aho and Corasick, 1975).
package literal

import "encoding/binary"

// A Set finds words that stand for something numbered. It does not change and may be
// used by several goroutines.
type Set struct {
	always  Marks // that need no word
	class   [256]uint8
	classes int
	next    []uint32                    // by state and class; the state is multiplied already
	out     []Marks                     // by state
	gram    int                         // bytes that are looked at together: 1, 2 or 4
	stride  int                         // how far apart they are looked at
	grams   [1 << (gramBits - 6)]uint64 // by hash: they are in a word, as far as they must be
}

const gramBits = 13

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
	b.set.sample(words)
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

// Find returns what is possible in a text. It looks at a few bytes here and there,
// so that a word cannot slip through, and at the state only around those that are in
// a word too.
func (s *Set) Find(text []byte) Marks {
	found, done := s.always, 0
	for i := 0; i+s.gram <= len(text); {
		if at := s.hash(text[i:]); s.grams[at>>6]&(1<<(at&63)) == 0 {
			i += s.stride
			continue
		}
		state := uint32(0)
		at := max(done, i-s.stride+1)
		for ; at < len(text) && (state != 0 || at <= i); at++ {
			if state = s.next[state+uint32(s.class[text[at]])]; state&hit != 0 {
				state &^= hit
				found |= s.out[state/uint32(s.classes)]
			}
		}
		i, done = at, at
	}
	return found
}

// hash is a number below grams for the bytes that a text begins with.
func (s *Set) hash(text []byte) uint32 {
	switch s.gram {
	case 4:
		return binary.LittleEndian.Uint32(text) * 0x9e3779b1 >> (32 - gramBits)
	case 2:
		return uint32(binary.LittleEndian.Uint16(text)) * 0x9e3779b1 >> (32 - gramBits)
	}
	return uint32(text[0])
}

// sample chooses how many bytes are looked at, and how far apart: each word holds
// such a place.
func (s *Set) sample(words [][]string) {
	least := 8
	for _, list := range words {
		for _, word := range list {
			least = min(least, len(word))
		}
	}
	s.gram = 4
	if least < 5 {
		s.gram = min(2, least)
	}
	s.stride = least - s.gram + 1
	for _, list := range words {
		for _, word := range list {
			for i := range s.stride {
				at := s.hash([]byte(word[i:]))
				s.grams[at>>6] |= 1 << (at & 63)
			}
		}
	}
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
