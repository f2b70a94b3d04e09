package sign_test

import (
	"crypto/sha1"
	"encoding/base32"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// model makes a chain the slow way: each rule is asked of each name.
type model struct{ content }

// hidden reports whether a delegation or a DNAME stands above a name.
func (m model) hidden(name rr.Name) bool {
	for name != "z.example." {
		name = name.Parent()
		if len(m.content[rr.Key{Name: name, Type: "DNAME"}].Data) > 0 || name != "z.example." && m.cut(name) {
			return true
		}
	}
	return false
}

func (m model) cut(name rr.Name) bool {
	return name != "z.example." && len(m.content[rr.Key{Name: name, Type: "NS"}].Data) > 0
}

// names returns the names with records that are not hidden, in order.
func (m model) names() (out []rr.Name) {
	for k := range m.content {
		if !m.hidden(k.Name) && !slices.Contains(out, k.Name) {
			out = append(out, k.Name)
		}
	}
	slices.SortFunc(out, rr.Name.Compare)
	return out
}

// types returns what a name has, with what signing adds, in the order of numbers.
func (m model) types(name rr.Name, nsec3 bool) string {
	var out []string
	for k := range m.content {
		if k.Name == name && (!m.cut(name) || k.Type == "NS" || k.Type == "DS") {
			out = append(out, k.Type)
		}
	}
	if len(out) > 0 && (!nsec3 || !m.cut(name) || slices.Contains(out, "DS")) {
		out = append(out, "RRSIG")
	}
	if !nsec3 {
		out = append(out, "NSEC")
	}
	if name == "z.example." {
		out = append(out, "DNSKEY")
		if nsec3 {
			out = append(out, "NSEC3PARAM")
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		x, _ := rr.TypeCode(a)
		y, _ := rr.TypeCode(b)
		return int(x) - int(y)
	})
	return strings.Join(append([]string{""}, out...), " ")
}

// nsec returns the data of the NSEC chain by name.
func (m model) nsec(t *testing.T) map[rr.Name]string {
	out := map[rr.Name]string{}
	names := m.names()
	for i, n := range names {
		data, err := rr.ParseData("NSEC", string(names[(i+1)%len(names)])+m.types(n, false), ".")
		if err != nil {
			t.Fatal(err)
		}
		out[n] = data
	}
	return out
}

// nsec3 returns the data of the NSEC3 chain by name.
func (m model) nsec3() map[rr.Name]string {
	types := map[string]string{}
	for _, n := range m.names() {
		for up := n; !strings.HasPrefix(string(up), "example."); up = up.Parent() {
			sum := sha1.Sum(up.Wire())
			types[base32.HexEncoding.EncodeToString(sum[:])] = m.types(up, true)
		}
	}
	var hashes []string
	for h := range types {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	out := map[rr.Name]string{}
	for i, h := range hashes {
		out[rr.Name(strings.ToLower(h)+".z.example.")] = "1 0 0 - " + hashes[(i+1)%len(hashes)] + types[h]
	}
	return out
}

// chain returns the data of a zone's chain by name.
func chain(z *sign.Zone) map[rr.Name]string {
	out := map[rr.Name]string{}
	for s := range z.Sets() {
		if s.Type == "NSEC" || s.Type == "NSEC3" {
			out[s.Name] = s.Data[0]
		}
	}
	return out
}

func TestChainsAreThoseOfASlowModel(t *testing.T) {
	for seed := range uint64(300) {
		checkChain(t, randomTape(seed, 400))
	}
}

func FuzzChain(f *testing.F) {
	fuzzTape(f, checkChain)
}

func checkChain(t *testing.T, tape *tape) {
	t.Helper()
	c := tape.zone(1 + tape.below(30))
	z := signed(t, sign.Config{Origin: "z.example.", Keys: marks(csk(sign.Ed25519))}, c.sets(), now)
	if d := cmp.Diff(model{c}.nsec(t), chain(z)); d != "" {
		t.Fatalf("NSEC of\n%s%s", c, d)
	}
	z = signed(t, sign.Config{Origin: "z.example.", Keys: marks(csk(sign.Ed25519)), NSEC3: true}, c.sets(), now)
	if d := cmp.Diff(model{c}.nsec3(), chain(z)); d != "" {
		t.Fatalf("NSEC3 of\n%s%s", c, d)
	}
}
