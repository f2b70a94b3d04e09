package access_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/access"
)

// memory is a Sets that forgets nothing, and finds fault with a version that has
// two sets.
type memory struct {
	mu     sync.Mutex
	sets   map[string]*core.Networks
	made   int
	faults []string
}

func newMemory() *memory { return &memory{sets: map[string]*core.Networks{}} }

func (m *memory) Get(version string) (*core.Networks, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sets[version]
	return s, ok
}

func (m *memory) Put(version string, set *core.Networks) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.sets[version]; version == "" || old != nil && fmt.Sprint(*old) != fmt.Sprint(*set) {
		m.faults = append(m.faults, fmt.Sprintf("version %q is %v and %v", version, old, set))
	}
	m.sets[version] = set
	m.made++
}

func TestEveryChangeIsAnotherVersion(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := newMemory()
		h.Sets = m
		boss := h.Primary()
		steps := []struct {
			op    string
			in    input
			there bool // 198.51.100.1 may act afterwards
		}{
			{"access.add", input{"networks": "198.51.100.1"}, false}, {"access.remove", input{"networks": "198.51.100.1"}, true},
			{"access.add", input{"networks": "198.51.100.1"}, false}, {"access.add", input{"networks": here, "list": access.Only}, false},
			{"access.mode", input{"mode": access.Only}, false}, {"access.add", input{"networks": "198.51.100.0/24"}, true},
			{"access.mode", input{"mode": access.AllBut}, false}, {"access.reset", nil, true},
		}
		for i, s := range steps {
			a := root
			if s.op != "access.reset" {
				a = boss
			}
			h.Must(a, s.op, s.in)
			for range 3 {
				if acts(h, at(boss, "198.51.100.1")) != s.there {
					t.Errorf("after step %d, %s, it may act: %v", i, s.op, !s.there)
				}
			}
			if len(m.sets) != i+1 || m.made != i+1 {
				t.Errorf("after %d changes there are %d versions, made %d times", i+1, len(m.sets), m.made)
			}
		}
		if m.faults != nil {
			t.Error(m.faults)
		}
	})
}

// TestTwoVersionsOfAListNeverMix changes the list between two states, in each of
// which one of two addresses is let in, and looks at both within one view.
func TestTwoVersionsOfAListNeverMix(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := newMemory()
		h.Sets = m
		boss := h.Primary()
		set(h, access.Only, "198.51.100.0")
		done := make(chan struct{})
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for looks := 0; ; looks++ {
					select {
					case <-done:
						if looks == 0 {
							t.Error("nobody looked")
						}
						return
					default:
					}
					var in [2]bool
					if err := h.Look(t.Context(), "test", func(v *act.View) error {
						for i := range in {
							in[i] = h.Access.Admit(t.Context(), v, at(boss, fmt.Sprintf("198.51.100.%d", i))) == nil
						}
						return nil
					}); err != nil || in[0] == in[1] {
						t.Errorf("the two are let in: %v, %v", in, err)
						return
					}
				}
			})
		}
		for i := range 40 {
			set(h, access.Only, fmt.Sprintf("198.51.100.%d", (i+1)%2))
		}
		close(done)
		wait.Wait()
		if m.faults != nil {
			t.Error(m.faults)
		}
	})
}

// rule is one network as somebody may write it, and what it means, by other means
// than those that are tested.
type rule struct {
	text  string
	holds func(a netip.Addr) bool
}

func four(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func number(a netip.Addr) (n uint32) {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// Addresses lie close together, so that lists and addresses meet.
var (
	low  = rapid.Uint32Range(0xc6336400, 0xc63367ff) // 198.51.100.0 to 198.51.103.255
	six  = rapid.Custom(func(t *rapid.T) netip.Addr { return lab(rapid.Uint16().Draw(t, "group"), rapid.Byte().Draw(t, "last")) })
	near = rapid.Custom(func(t *rapid.T) netip.Addr {
		switch rapid.IntRange(0, 3).Draw(t, "family") {
		case 0:
			return six.Draw(t, "six")
		case 1:
			return netip.AddrFrom16(four(low.Draw(t, "mapped")).As16())
		}
		return four(low.Draw(t, "four"))
	})
	rules = rapid.Custom(func(t *rapid.T) rule {
		return forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")](t)
	})
)

// lab is an address in 2001:db8::/32.
func lab(group uint16, last byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 4: byte(group >> 8), 5: byte(group), 15: last})
}

var forms = []func(t *rapid.T) rule{
	func(t *rapid.T) rule {
		one := near.Draw(t, "one")
		return rule{one.String(), func(a netip.Addr) bool { return a.Unmap() == one.Unmap() }}
	},
	func(t *rapid.T) rule {
		bits := rapid.IntRange(16, 32).Draw(t, "bits")
		n := low.Draw(t, "network") >> (32 - bits)
		return rule{fmt.Sprintf("%s/%d", four(n<<(32-bits)), bits), func(a netip.Addr) bool {
			return a.Unmap().Is4() && number(a.Unmap())>>(32-bits) == n
		}}
	},
	func(t *rapid.T) rule {
		first := low.Draw(t, "first")
		last := first + rapid.Uint32Range(0, 700).Draw(t, "more")
		return rule{fmt.Sprintf("%s - %s", four(first), four(last)), func(a netip.Addr) bool {
			return a.Unmap().Is4() && number(a.Unmap()) >= first && number(a.Unmap()) <= last
		}}
	},
	func(t *rapid.T) rule {
		head := strings.TrimRight(four(low.Draw(t, "wild")).String(), "0123456789")
		return rule{head + "*", func(a netip.Addr) bool { return strings.HasPrefix(a.Unmap().String(), head) }}
	},
	func(t *rapid.T) rule {
		group := rapid.Uint16().Draw(t, "group")
		return rule{lab(group, 0).String() + "/48", func(a netip.Addr) bool {
			return strings.HasPrefix(a.StringExpanded(), lab(group, 0).StringExpanded()[:14])
		}}
	},
	func(t *rapid.T) rule {
		first := six.Draw(t, "first")
		last := six.Draw(t, "last")
		if last.Less(first) {
			first, last = last, first
		}
		return rule{first.String() + "-" + last.String(), func(a netip.Addr) bool {
			text := a.StringExpanded()
			return !a.Unmap().Is4() && text >= first.StringExpanded() && text <= last.StringExpanded()
		}}
	},
}

// TestAdmissionIsWhatTheListsSay holds Admit against a model that looks at each
// network by itself, for lists that are built up and taken down step by step.
func TestAdmissionIsWhatTheListsSay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Sets = newMemory()
		boss := h.Primary()
		rapid.Check(t, func(t *rapid.T) {
			lists := map[string][]rule{}
			for _, mode := range []string{access.AllBut, access.Only} {
				lists[mode] = rapid.SliceOfN(rules, 0, 12).Draw(t, mode)
				file := "# nothing"
				for _, r := range lists[mode] {
					file += "\n" + r.text
				}
				call(t, h, "access.load", input{"file": file, "list": mode, "replace": true, "force": true})
			}
			mode := rapid.SampledFrom([]string{access.AllBut, access.Only}).Draw(t, "mode")
			call(t, h, "access.mode", input{"mode": mode, "force": true})
			if n := len(lists[mode]); n > 0 {
				gone := lists[mode][rapid.IntRange(0, n-1).Draw(t, "gone")]
				call(t, h, "access.remove", input{"networks": gone.text, "force": true})
				lists[mode] = without(lists[mode], gone)
			}
			addresses := rapid.SliceOfN(near, 1, 20).Draw(t, "addresses")
			err := h.Look(t.Context(), "test", func(v *act.View) error {
				for _, a := range addresses {
					err := h.Access.Admit(t.Context(), v, at(boss, a.String()))
					if want := holds(lists[mode], a) == (mode == access.Only); (err == nil) != want {
						return fmt.Errorf("%s with %v: %s is answered %w, want that it may act: %v", mode, texts(lists[mode]), a, err, want)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	})
}

func call(t *rapid.T, h *house, op string, in input) {
	if _, err := h.Call(root, op, in); err != nil {
		t.Fatalf("%s %v: %v", op, in, err)
	}
}

func holds(list []rule, a netip.Addr) bool {
	for _, r := range list {
		if r.holds(a) {
			return true
		}
	}
	return false
}

// without takes out a network however it was written.
func without(list []rule, gone rule) (rest []rule) {
	want, _ := core.ParseNetwork(gone.text)
	for _, r := range list {
		if n, _ := core.ParseNetwork(r.text); n != want {
			rest = append(rest, r)
		}
	}
	return rest
}

func texts(list []rule) (all []string) {
	for _, r := range list {
		all = append(all, r.text)
	}
	return all
}
