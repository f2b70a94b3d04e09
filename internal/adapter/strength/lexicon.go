package strength

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/data"
)

// entry is one word of a list, as text has it, without joints.
type entry struct {
	word string
	mark mark
}

// mark says of a word its rank, 1 tried first, its kind, and whether people have
// it as their password, in one number that sorts by rank.
type mark uint32

func newMark(rank int, k kind, common bool) mark {
	m := mark(rank)<<8 | mark(k)<<1
	if common {
		m++
	}
	return m
}

func (m mark) rank() int    { return int(m >> 8) }
func (m mark) kind() kind   { return kind(m >> 1 & 0x7F) }
func (m mark) common() bool { return m&1 == 1 }

// with is the better rank of a word that comes twice. It is called a word where
// one list has it as one.
func (m mark) with(other mark) mark {
	k := m.kind()
	if other.kind() == word {
		k = word
	}
	return newMark(min(m.rank(), other.rank()), k, m.common() || other.common())
}

// lexicon is a sorted list of words in little memory, walked letter by letter.
// It is not changed once it is made. No word has a joint: where a walk could both
// read one and pass it by, its ways would multiply.
type lexicon struct {
	letters string
	ends    []uint32 // of each word in letters
	marks   []mark
}

func newLexicon(all []entry) *lexicon {
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.word, b.word) })
	l := &lexicon{ends: make([]uint32, 0, len(all)), marks: make([]mark, 0, len(all))}
	var letters strings.Builder
	for i, e := range all {
		if i > 0 && all[i-1].word == e.word {
			last := len(l.marks) - 1
			l.marks[last] = l.marks[last].with(e.mark)
			continue
		}
		letters.WriteString(e.word)
		l.ends = append(l.ends, uint32(letters.Len()))
		l.marks = append(l.marks, e.mark)
	}
	l.letters = strings.Clone(letters.String())
	l.ends, l.marks = slices.Clone(l.ends), slices.Clone(l.marks)
	return l
}

func (l *lexicon) word(i int) string {
	if i == 0 {
		return l.letters[:l.ends[0]]
	}
	return l.letters[l.ends[i-1]:l.ends[i]]
}

// node is the words from lo to before hi, which begin with the same bytes.
type node struct{ lo, hi, depth int }

func (l *lexicon) root() node { return node{0, len(l.ends), 0} }

// next narrows a node to the words that go on with r.
func (l *lexicon) next(n node, r rune) (node, bool) {
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		lo := n.lo + sort.Search(n.hi-n.lo, func(i int) bool { return l.at(n.lo+i, n.depth) >= int(c) })
		hi := lo + sort.Search(n.hi-lo, func(i int) bool { return l.at(lo+i, n.depth) > int(c) })
		n = node{lo, hi, n.depth + 1}
		if lo == hi {
			return n, false
		}
	}
	return n, true
}

// at is a byte of a word, -1 behind its end: the shortest sorts first.
func (l *lexicon) at(i, depth int) int {
	if w := l.word(i); depth < len(w) {
		return int(w[depth])
	}
	return -1
}

// end reports whether a word ends at n.
func (l *lexicon) end(n node) (mark, bool) {
	return l.marks[n.lo], len(l.word(n.lo)) == n.depth
}

// loadTables unpacks the library's lists, and adds ours.
func loadTables() (tables, error) {
	all := slices.Grow(house(), 1<<17)
	for _, list := range []struct {
		name string
		kind kind
	}{{"Passwords", known}, {"English", word}, {"MaleNames", word}, {"FemaleNames", word}, {"Surnames", word}} {
		words, err := unpack(list.name)
		if err != nil {
			return tables{}, fmt.Errorf("reading the list %s of the password estimator: %w", list.name, err)
		}
		for i, w := range words {
			if w = strings.ToLower(w); worth(w, i+1) {
				all = append(all, entry{w, newMark(i+1, list.kind, list.kind == known)})
			}
		}
	}
	return tables{newLexicon(all), layouts()}, nil
}

// worth reports whether a word is cheaper than its letters one by one, and has no joint.
func worth(w string, rank int) bool {
	return float64(rank) < math.Pow10(len(w)) && !strings.ContainsAny(w, joints)
}

// unpack reads a list. All are ASCII, best known first.
func unpack(list string) ([]string, error) {
	raw, err := data.Asset("data/" + list + ".json")
	if err != nil {
		return nil, err
	}
	var content struct{ List []string }
	err = json.Unmarshal(raw, &content)
	return content.List, err
}
