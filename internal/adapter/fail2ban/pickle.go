package fail2ban

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// encode pickles a list of words, in protocol 2 (PEP 307).
func encode(words []string) []byte {
	out := []byte{0x80, 2, ']', '('}
	for _, w := range words {
		out = append(out, 'X')
		out = binary.LittleEndian.AppendUint32(out, uint32(len(w)))
		out = append(out, w...)
	}
	return append(out, 'e', '.')
}

// object is an instance of a Python class: an exception, as a rule.
type object struct {
	class string
	args  any
}

// class is the name of one.
type class string

// mark is where a list of items begins on the stack.
type mark struct{}

var errPickle = errors.New("not an answer of fail2ban-server")

// decode reads a pickled value: nil, bool, int64, float64, string, []any for lists,
// tuples and sets, or object. Everything else that pickle can say is refused.
func decode(data []byte) (v any, err error) {
	defer func() {
		if recover() != nil { // an answer that ends early, or takes what is not there
			v, err = nil, errPickle
		}
	}()
	r := reader{data: data}
	for {
		code := r.take(1)[0]
		if code == '.' {
			break
		}
		op, ok := codes[code]
		if !ok {
			return nil, fmt.Errorf("%w: code 0x%02x", errPickle, code)
		}
		op(&r)
	}
	if len(r.data) != 0 || len(r.stack) != 1 {
		return nil, errPickle
	}
	return plain(r.stack[0], 0), nil
}

// list is a list while it is being filled: the memo and the stack hold the same one.
type list struct{ items []any }

// reader is the machine that a pickle is a program of. It panics where the program is
// wrong; decode catches that.
type reader struct {
	data  []byte
	stack []any
	memo  []any
}

// plain turns lists into slices. A list may be in itself only by a trick.
func plain(v any, deep int) any {
	if deep > 20 {
		panic(errPickle)
	}
	switch v := v.(type) {
	case *list:
		out := make([]any, len(v.items))
		for i, x := range v.items {
			out[i] = plain(x, deep+1)
		}
		return out
	case object:
		v.args = plain(v.args, deep+1)
		return v
	case mark, class:
		panic(errPickle)
	}
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		panic(errPickle)
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

// number reads a little-endian number of so many octets.
func (r *reader) number(octets uint64) uint64 {
	var b [8]byte
	copy(b[:], r.take(octets))
	return binary.LittleEndian.Uint64(b[:])
}

func (r *reader) push(v any) { r.stack = append(r.stack, v) }

func (r *reader) pop() any {
	v := r.stack[len(r.stack)-1]
	r.stack = r.stack[:len(r.stack)-1]
	return v
}

// items pops what stands above the newest mark.
func (r *reader) items() []any {
	for i, v := range slices.Backward(r.stack) {
		if _, ok := v.(mark); ok {
			items := slices.Clone(r.stack[i+1:])
			r.stack = r.stack[:i]
			return items
		}
	}
	panic(errPickle)
}

func (r *reader) tuple(n int) {
	items := slices.Clone(r.stack[len(r.stack)-n:])
	r.stack = r.stack[:len(r.stack)-n]
	r.push(&list{items})
}

func (r *reader) text(octets uint64) {
	b := r.take(r.number(octets))
	if !utf8.Valid(b) && !surrogates(b) {
		panic(errPickle)
	}
	r.push(string(b))
}

// surrogates reports text as Python writes it when a log held octets that are no UTF-8.
func surrogates(b []byte) bool { return slices.Contains(b, 0xed) }

func (r *reader) extend(items ...any) {
	l := r.stack[len(r.stack)-1].(*list)
	l.items = append(l.items, items...)
}

func (r *reader) recall(octets uint64) { r.push(r.memo[r.number(octets)]) }

// call makes an instance of a class. A str is its argument: that is how the server
// writes an address.
func (r *reader) call() {
	args := r.pop()
	c := r.pop().(class)
	if l, ok := args.(*list); ok && c == "builtins.str" && len(l.items) == 1 {
		r.push(l.items[0].(string))
		return
	}
	r.push(object{string(c), args})
}

// codes are those of PEP 307 and PEP 3154 that answers consist of.
var codes = map[byte]func(r *reader){
	0x80: func(r *reader) { r.take(1) },                                        // PROTO
	0x95: func(r *reader) { r.take(8) },                                        // FRAME
	0x94: func(r *reader) { r.memo = append(r.memo, r.stack[len(r.stack)-1]) }, // MEMOIZE
	'N':  func(r *reader) { r.push(nil) },
	0x88: func(r *reader) { r.push(true) },
	0x89: func(r *reader) { r.push(false) },
	'K':  func(r *reader) { r.push(int64(r.number(1))) },
	'M':  func(r *reader) { r.push(int64(r.number(2))) },
	'J':  func(r *reader) { r.push(int64(int32(r.number(4)))) },
	0x8a: func(r *reader) { // LONG1
		n := r.number(1)
		if n > 8 {
			panic(errPickle)
		}
		shift := 64 - 8*n
		if n == 0 {
			r.push(int64(0))
			return
		}
		r.push(int64(r.number(n)<<shift) >> shift)
	},
	'G':  func(r *reader) { r.push(math.Float64frombits(binary.BigEndian.Uint64(r.take(8)))) },
	0x8c: func(r *reader) { r.text(1) },
	'X':  func(r *reader) { r.text(4) },
	0x8d: func(r *reader) { r.text(8) },
	']':  func(r *reader) { r.push(&list{}) },
	')':  func(r *reader) { r.push(&list{}) },
	0x8f: func(r *reader) { r.push(&list{}) }, // EMPTY_SET
	'(':  func(r *reader) { r.push(mark{}) },
	'a':  func(r *reader) { v := r.pop(); r.extend(v) },
	'e':  func(r *reader) { items := r.items(); r.extend(items...) },
	0x90: func(r *reader) { items := r.items(); r.extend(items...) }, // ADDITEMS
	't':  func(r *reader) { items := r.items(); r.push(&list{items}) },
	0x85: func(r *reader) { r.tuple(1) },
	0x86: func(r *reader) { r.tuple(2) },
	0x87: func(r *reader) { r.tuple(3) },
	'h':  func(r *reader) { r.recall(1) },
	'j':  func(r *reader) { r.recall(4) },
	0x93: func(r *reader) {
		name, module := r.pop(), r.pop()
		r.push(class(module.(string) + "." + name.(string)))
	}, // STACK_GLOBAL
	'R':  func(r *reader) { r.call() },
	0x81: func(r *reader) { r.call() }, // NEWOBJ
}
