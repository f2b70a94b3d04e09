package strength

import (
	"math"
	"strings"
)

// point is the place of a character on a keyboard or in the alphabet.
type point struct{ x, y int }

// near reports whether p is one step, as keys lie: each row half a key to the right
// of the one above.
func (p point) near() bool {
	switch p {
	case point{1, 0}, point{-1, 0}, point{0, 1}, point{0, -1}, point{1, -1}, point{-1, 1}:
		return true
	}
	return false
}

// layout gives characters their places.
type layout struct {
	kind kind
	at   map[rune]point // nil: the place is the character's number
}

func (l layout) place(r rune) (point, bool) {
	if l.at == nil {
		return point{int(r), 0}, true
	}
	p, ok := l.at[r]
	return p, ok
}

// keyboards are rows of keys, one above the other, and behind the bar what shift
// makes of the first: English, German, French, Dvorak, Russian, and a block of digits.
const keyboards = "" +
	"1234567890-= qwertyuiop[] asdfghjkl;' zxcvbnm,./|!@#$%^&*()_+\n" +
	"1234567890ß´ qwertzuiopü+ asdfghjklöä# yxcvbnm,.-|!\"§$%&/()=?\n" +
	"1234567890°+ azertyuiop^$ qsdfghjklmù* wxcvbn,;:!|&é\"'(-è_çà)=\n" +
	"1234567890[] ',.pyfgcrl/= aoeuidhtns- ;qjkxbmwvz|!@#$%^&*(){}\n" +
	"1234567890-= йцукенгшщзхъ фывапролджэ ячсмитьбю.|!\"№;%:?*()_+\n" +
	"789 456 123 0|"

// layouts are the alphabet and the keyboards.
func layouts() []layout {
	all := []layout{{kind: row}}
	for _, line := range strings.Split(keyboards, "\n") {
		keys, shifted, _ := strings.Cut(line, "|")
		l := layout{keyboard, map[rune]point{}}
		for y, keysOfRow := range append(strings.Fields(keys), shifted) {
			l.add(keysOfRow, y%4)
		}
		all = append(all, l)
	}
	return all
}

func (l layout) add(keys string, y int) {
	for x, r := range []rune(keys) {
		if _, taken := l.at[plain(r)]; !taken {
			l.at[plain(r)] = point{x, y}
		}
	}
}

// copies finds what comes again, moved by as much at every character: by nothing
// ("abcabc"), along the alphabet ("abcd", "a1b2c3") or along the keys ("qwer",
// "1qaz2wsx"). What it is copied from is paid by the piece before.
func (t text) copies(l layout) (found []piece) {
	for lag := 1; lag < len(t.runes); lag++ {
		begin, moved, on := 0, point{}, false
		for i := lag; i < len(t.runes); i++ {
			move, ok := t.move(l, i-lag, i)
			if !ok || !on || move != moved {
				begin, moved, on = i, move, ok
			}
			if p, ok := l.copied(i+1-begin, lag, moved); ok && on {
				p.from, p.to = begin, i+1
				found = append(found, p)
			}
		}
	}
	return found
}

func (t text) move(l layout, from, to int) (point, bool) {
	a, ok := l.place(t.runes[from])
	b, okay := l.place(t.runes[to])
	return point{b.x - a.x, b.y - a.y}, ok && okay
}

// Costs of a copy, in guesses for each time it comes again.
const (
	sameCost  = 10
	rowCost   = 5   // along the alphabet
	keyCost   = 10  // from key to key
	shiftCost = 40  // what is several keys long, beside where it was
	farCost   = 400 // farther than one step
	lateCost  = 100 // what comes again, but not at once

	longestMoved = 8 // characters that are moved together
)

// copied prices a copy of so many characters that began lag before, and reports
// whether it is one. What is the same is found in the alphabet, and may come late;
// what is moved follows at once, in full.
func (l layout) copied(size, lag int, moved point) (piece, bool) {
	same, full := moved == point{}, size >= lag && size > 1
	each, k, ok := 0.0, l.kind, false
	switch {
	case same && full:
		each, k, ok = sameCost, repeat, l.kind == row
	case same:
		each, k, ok = lateCost, repeat, l.kind == row && size > 2
	default:
		each, ok = l.step(lag, moved), full && lag <= longestMoved
	}
	times := float64(size) / float64(min(size, lag))
	return piece{kind: k, cost: math.Log10(each * times)}, ok
}

func (l layout) step(lag int, moved point) float64 {
	switch {
	case !moved.near():
		return farCost
	case l.kind == row:
		return rowCost
	case lag == 1:
		return keyCost
	}
	return shiftCost
}
