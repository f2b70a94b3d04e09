package house_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/act"
	"hostward/internal/core/coretest"
	"hostward/internal/house"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// hosting is a house with a nameserver and one zone.
type hosting struct {
	*testing.T
	*house.House
	dir  string
	dns  netip.AddrPort
	zone string
}

const hosted = "$ORIGIN signed.example.\n$TTL 300\n@ SOA ns1 hostmaster 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.80\n" +
	"*.wild TXT \"any\"\na.b.c.empty A 192.0.2.7\nsub NS ns.sub\nns.sub A 192.0.2.9\nold DNAME other.example.\n"

func newHosting(t *testing.T) *hosting {
	h := &hosting{T: t, dir: t.TempDir(), dns: coretest.Free(t)}
	h.open()
	h.zone = fields(h.must("zone.import", map[string]any{"file": hosted}))["id"].(string)
	return h
}

func (h *hosting) open() {
	h.Helper()
	var err error
	h.House, err = house.Open(h.Context(), house.Config{Data: h.dir, DNS: h.dns, Private: true, SigningEvery: 100 * time.Millisecond})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = h.Close() })
}

func (h *hosting) must(op string, in map[string]any) any {
	h.Helper()
	r, err := h.Bus.Do(h.Context(), act.Call{Op: op, Actor: console, Input: raw(in), Confirmed: true})
	if err != nil {
		h.Fatalf("%s: %v", op, err)
	}
	return r.Output
}

// served is what the nameserver answers with, once it has a version.
func (h *hosting) served(version any) []rr.RRset {
	h.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // between two looks
		sets, have, err := h.Answers.Sets(h.Context(), "signed.example.")
		if err == nil && fmt.Sprint(have) == fmt.Sprint(version) {
			return sets
		}
		if time.Now().After(deadline) {
			h.Fatalf("version %v is not served; it is %d, %v", version, have, err)
		}
	}
}

func (h *hosting) version() any {
	return fields(h.must("zone.show", map[string]any{"zone": h.zone}))["version"]
}

// validates has others judge what is served: the whole zone, and answers.
func (h *hosting) validates() {
	h.Helper()
	sets := h.served(h.version())
	file := filepath.Join(h.TempDir(), "zone")
	f, err := os.Create(file)
	if err != nil {
		h.Fatal(err)
	}
	w := bufio.NewWriter(f)
	var anchor string
	for _, s := range sign.Stored(sets) {
		for _, r := range s.Records() {
			fmt.Fprintln(w, r)
		}
		if s.Type == "DNSKEY" {
			anchor = keyOf(s.Data)
		}
	}
	if err := w.Flush(); err != nil {
		h.Fatal(err)
	}
	if err := f.Close(); err != nil {
		h.Fatal(err)
	}
	for _, check := range [][]string{{"ldns-verify-zone", "-V", "2", file}, {"kzonecheck", "-d", "on", "-o", "signed.example.", file}} {
		if out, err := exec.Command(tool(h.T, check[0]), check[1:]...).CombinedOutput(); err != nil {
			h.Errorf("%s: %v\n%s", check[0], err, out)
		}
	}
	h.asks(anchor)
}

// keyOf is the key with the flags of an entry point.
func keyOf(keys []string) string {
	for _, k := range keys {
		if flags, rest, _ := strings.Cut(k, " "); flags == "257" {
			part := strings.Fields(rest)
			return fmt.Sprintf("257 %s %s %q", part[0], part[1], strings.Join(part[2:], ""))
		}
	}
	return ""
}

func (h *hosting) asks(anchor string) {
	h.Helper()
	file := filepath.Join(h.TempDir(), "anchor")
	if err := os.WriteFile(file, []byte(`trust-anchors { "signed.example." static-key `+anchor+"; };\n"), 0o600); err != nil {
		h.Fatal(err)
	}
	at := h.DNSHere.Addrs()[0]
	for question, want := range map[string]string{
		"www A": "fully validated", "www AAAA": "negative response, fully validated", "nothing A": "negative response, fully validated",
		"x.wild TXT": "fully validated", "empty A": "negative response, fully validated", "@ SOA": "fully validated", "a.sub A": "",
	} {
		name, typ, _ := strings.Cut(question, " ")
		name = strings.TrimPrefix(name+".signed.example.", "@.")
		out, err := exec.Command(tool(h.T, "delv"), "@"+at.Addr().String(), "-p", fmt.Sprint(at.Port()), "-a", file, "+root=signed.example.", name, typ).CombinedOutput()
		if want != "" && (err != nil || !strings.Contains(string(out), "; "+want)) {
			h.Errorf("%s: %v, want %q\n%s", question, err, want, out)
		}
	}
}

func TestOthersBelieveAZoneThatIsSignedByOneClick(t *testing.T) {
	for name, how := range map[string]map[string]any{
		"usual": {}, "split": {"keys": "split", "denial": "nsec3", "algorithm": "ed25519"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHosting(t)
			how["zone"] = h.zone
			h.must("zone.sign", how)
			h.validates()
			h.must("zone.record.add", map[string]any{"zone": h.zone, "name": "new", "type": "A", "data": "192.0.2.81"})
			h.must("zone.record.remove", map[string]any{"zone": h.zone, "name": "a.b.c.empty", "type": "A"})
			h.must("zone.record.add", map[string]any{"zone": h.zone, "name": "empty", "type": "TXT", "data": "now"})
			h.must("zone.record.remove", map[string]any{"zone": h.zone, "name": "empty", "type": "TXT"})
			h.must("zone.record.add", map[string]any{"zone": h.zone, "name": "a.empty", "type": "TXT", "data": "again"})
			h.validates()
			h.must("zone.sign", map[string]any{"zone": h.zone, "denial": "nsec"})
			h.validates()
			before := h.served(h.version())
			h.must("zone.resign", map[string]any{"zone": h.zone})
			h.validates()
			if d := beyondTheSOA(before, h.served(h.version())); d != "" {
				t.Errorf("signatures that hold long were made anew (-before +after):\n%s", d)
			}
			h.must("zone.unsign", map[string]any{"zone": h.zone, "now": true})
			if left := h.served(h.version()); slices.ContainsFunc(left, func(s rr.RRset) bool { return sign.Makes("signed.example.", s.Key()) }) {
				t.Errorf("unsigned, and there is still %v", left)
			}
		})
	}
}

// beyondTheSOA is what differs besides the SOA and its signature.
func beyondTheSOA(a, b []rr.RRset) string {
	lines := func(sets []rr.RRset) (out []string) {
		for _, s := range sign.Stored(sets) {
			if s.Type != "SOA" {
				for _, r := range s.Records() {
					out = append(out, r.String())
				}
			}
		}
		slices.Sort(out)
		return out
	}
	return cmp.Diff(lines(a), lines(b))
}

func TestARestartSignsNothingAnew(t *testing.T) {
	h := newHosting(t)
	h.must("zone.sign", map[string]any{"zone": h.zone})
	before := h.served(h.version())
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.open()
	if after := h.served(h.version()); !reflect.DeepEqual(before, after) {
		t.Errorf("after a restart something else is served (-before +after):\n%s", cmp.Diff(before, after))
	}
	h.must("zone.record.add", map[string]any{"zone": h.zone, "name": "new", "type": "A", "data": "192.0.2.81"})
	h.validates()
	if err := os.RemoveAll(filepath.Join(h.dir, "dns")); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.validates()
}

func TestAFailingKeeperLeavesServedWhatWasServed(t *testing.T) {
	h := newHosting(t)
	h.must("zone.sign", map[string]any{"zone": h.zone})
	before := h.served(h.version())
	if err := h.Keeper.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := h.Bus.Do(t.Context(), act.Call{Op: "zone.record.add", Actor: console, Input: raw(map[string]any{"zone": h.zone, "name": "new", "type": "A", "data": "192.0.2.81"})})
	after, _, _ := h.Answers.Sets(t.Context(), "signed.example.")
	if d := beyondTheSOA(before, after); d != "" {
		t.Errorf("without keys something else is served (%v; -before +after):\n%s", err, d)
	}
}
