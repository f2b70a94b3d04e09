package pattern

import "strings"

// A need is what is known of the texts of a node: all they can be, if that is
// few, and otherwise strings of which each text contains at least one.
type need struct {
	exact bool
	words []string
}

const (
	mostWords = 16 // of one need
	mostBytes = 24 // of one word
)

// required returns the strings of which one is in every text that matches.
func required(root *node) []string {
	words := needOf(root).solid().words
	for i, w := range words {
		words[i] = strings.Clone(w)
	}
	return words
}

func needOf(n *node) need {
	switch n.kind {
	case isText:
		return need{true, []string{n.text}}.without('\n')
	case isSet:
		return needOfSet(n.set)
	case isCat:
		return needOfAll(n.subs)
	case isAlt:
		return needOfAny(n.subs)
	case isGroup, isAtomic:
		return needOf(n.subs[0])
	case isRepeat:
		return needOfRepeat(n)
	case isCond:
		return needOfAny(n.subs)
	case isPlace, isLook:
		return need{true, []string{""}}
	}
	return need{}
}

// without gives up a text with such a character, since lines are joined by it.
func (n need) without(c byte) need {
	for _, w := range n.words {
		if strings.IndexByte(w, c) >= 0 {
			return need{}
		}
	}
	return n
}

// needOfSet writes out a set of few characters, such as [aA].
func needOfSet(s *set) need {
	var words []string
	for b := range 256 {
		switch {
		case s.table[b] == no:
		case b >= 0x80 || len(words) == 4:
			return need{}
		default:
			words = append(words, string(rune(b)))
		}
	}
	return need{true, words}.without('\n')
}

func needOfRepeat(n *node) need {
	sub := needOf(n.subs[0])
	switch {
	case n.min == 0 && n.max == 1 && sub.exact:
		return oneOf(need{true, []string{""}}, sub)
	case n.min == 0:
		return need{}
	case n.min == 1 && n.max == 1:
		return sub
	}
	return need{words: sub.words}.solid()
}

// solid is a need that holds for containing; an empty word says nothing.
func (n need) solid() need {
	n.exact = false
	for _, w := range n.words {
		if w == "" {
			return need{}
		}
	}
	return n
}

func needOfAny(subs []*node) need {
	all := needOf(subs[0])
	for _, sub := range subs[1:] {
		all = oneOf(all, needOf(sub))
	}
	return all
}

// oneOf is the need of one or else the other.
func oneOf(a, b need) need {
	if len(a.words) == 0 || len(b.words) == 0 {
		return need{}
	}
	n := need{a.exact && b.exact, append(append([]string{}, a.words...), b.words...)}
	if len(n.words) > 4*mostWords {
		return need{}
	}
	if !n.exact {
		return n.solid()
	}
	return n
}

// needOfAll goes through a sequence: texts that are known exactly are joined, and
// of what is found so the best is kept.
func needOfAll(subs []*node) need {
	best, run, exact := need{}, need{true, []string{""}}, true
	for _, sub := range subs {
		next := needOf(sub)
		if joined, ok := joinedNeed(run, next); ok {
			run = joined
			continue
		}
		exact = false
		best = better(best, run.solid())
		if run = next; !next.exact {
			best = better(best, next.solid())
			run = need{true, []string{""}}
		}
	}
	if exact {
		return run
	}
	return better(best, run.solid())
}

func joinedNeed(a, b need) (need, bool) {
	if !a.exact || !b.exact || len(a.words)*len(b.words) > mostWords {
		return need{}, false
	}
	n := need{exact: true}
	for _, x := range a.words {
		for _, y := range b.words {
			if len(x)+len(y) > mostBytes {
				return need{}, false
			}
			n.words = append(n.words, x+y)
		}
	}
	return n, true
}

// better prefers the need whose shortest word is longer, and of those the one
// with fewer words.
func better(a, b need) need {
	short, other := a.shortest(), b.shortest()
	if other > short || other == short && len(b.words) < len(a.words) {
		return b
	}
	return a
}

func (n need) shortest() int {
	if len(n.words) == 0 {
		return 0
	}
	least := len(n.words[0])
	for _, w := range n.words {
		least = min(least, len(w))
	}
	return least
}
