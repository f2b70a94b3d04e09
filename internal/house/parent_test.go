//go:build linux

package house_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hostward/internal/feature/zone"
	"hostward/internal/house"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/transfer/transfertest"
)

// Addresses of a small Internet in a network namespace of its own, where port 53 is free.
const (
	rootServer    = "127.53.0.1"
	parentServerA = "127.53.1.1"
	parentServerB = "127.53.1.2"
	ourServer     = "127.53.2.1"
)

// family is a root and a parent of real nameservers, and our house below it, at a time
// that the test sets.
type family struct {
	*hosting
	ahead   atomic.Int64 // of the real time
	serial  int
	parents map[string]string // address -> folder
	ds      map[string][]string
	cached  []seenDS
}

// seenDS is a DS set that a resolver may still have.
type seenDS struct {
	ds    []string
	until time.Time
}

const parentTTL = time.Hour

// TestKeysFollowARealParent leads a zone from its first signature through a key
// rollover to the end of signing, at a parent that delays, publishes what is wrong,
// and loses what it had (SPEC D5). At every step the zone must be valid for whoever
// has any DS set that a server of the parent shows or showed within the TTL.
func TestKeysFollowARealParent(t *testing.T) {
	if !transfertest.Alone(t) {
		return
	}
	f := newFamily(t)
	f.must("zone.sign", map[string]any{"zone": "z.test"})
	first := f.until("its DS is wanted", 3*day, func(s zone.Signing) bool { return len(s.DS) == 1 })
	one := first.DS[0].DS[0].Data
	f.never("it is well without a DS", 3*day, isSigned)
	f.publish(parentServerA, one)
	f.never("it is well with the DS at one of two servers", 3*day, isSigned)
	f.publish(parentServerB, one)
	f.until("it is well", 5*day, isSigned)

	f.must("zone.key.roll", map[string]any{"zone": "z.test"})
	next := f.until("another DS is wanted", 9*day, func(s zone.Signing) bool { return len(s.DS) == 1 && s.DS[0].DS[0].Data != one })
	two := next.DS[0].DS[0].Data
	f.never("it went on before the parent did", 6*day, isSigned)
	tag := strings.Fields(two)[0]
	wrong := tag + " 13 2 " + strings.Repeat("AB", 32)
	f.both(one, wrong)
	f.never("it took a wrong DS for the right one", 3*day, isSigned)
	f.publish(parentServerA, two)
	f.publish(parentServerB, one)
	f.never("it went on while one server had the old DS", 3*day, isSigned)
	f.both(two)
	f.step(20 * time.Minute) // it is seen
	f.both(one)              // and lost, before caches have forgotten the old one
	f.never("it went on though the DS was lost", 3*day, isSigned)
	f.both(two)
	last := f.until("it is well with the new key", 9*day, isSigned)
	if len(last.Keys) != 1 || fmt.Sprint(last.Keys[0].Tag) != tag {
		t.Errorf("its keys are %+v, the parent has %s", last.Keys, two)
	}

	f.ahead.Add(int64(-2 * time.Hour)) // a clock that jumps
	f.step(0)
	f.ahead.Add(int64(4 * day))
	f.step(0)

	f.must("zone.unsign", map[string]any{"zone": "z.test"})
	f.never("it is unsigned while there is a DS", 6*day, isUnsigned)
	f.publish(parentServerA)
	f.never("it is unsigned while a server has the DS", 3*day, isUnsigned)
	f.publish(parentServerB)
	f.until("it is unsigned", 9*day, isUnsigned)
}

const day = 24 * time.Hour

func isSigned(s zone.Signing) bool   { return s.State == "signed" }
func isUnsigned(s zone.Signing) bool { return s.State == "unsigned" }

func newFamily(t *testing.T) *family {
	f := &family{hosting: &hosting{T: t, dir: t.TempDir()}, parents: map[string]string{}, ds: map[string][]string{}}
	f.serve(rootServer, ".", "$ORIGIN .\n$TTL 3600\n@ SOA root. h. 1 7200 900 1209600 300\n@ NS root.\nroot. A "+rootServer+
		"\ntest. NS ns1.test.\ntest. NS ns2.test.\nns1.test. A "+parentServerA+"\nns2.test. A "+parentServerB+"\n")
	for _, at := range []string{parentServerA, parentServerB} {
		f.parents[at] = f.serve(at, "test.", f.parentZone())
	}
	must(t, os.Mkdir(filepath.Join(f.dir, "etc"), 0o755))
	write(t, filepath.Join(f.dir, "etc", "panel.ini"), "[dns]\nrateLimit = 0\n") // days pass within a second
	var err error
	f.House, err = house.Open(t.Context(), house.Config{Data: f.dir, DNS: netip.MustParseAddrPort(ourServer + ":53"), Private: true, SigningEvery: -1,
		Roots: []netip.Addr{netip.MustParseAddr(rootServer)}, Clock: func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }})
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	f.hosting.zone = fields(f.must("zone.import", map[string]any{"file": "$ORIGIN z.test.\n$TTL 300\n@ SOA ns1 h 1 14400 3600 1209600 300\n@ NS ns1\nns1 A " + ourServer + "\nwww A 192.0.2.80\n"}))["id"].(string)
	return f
}

// serve has Knot serve one zone at an address, and returns its folder.
func (f *family) serve(at, zone, text string) string {
	dir := f.TempDir()
	write(f.T, filepath.Join(dir, "zone"), text)
	write(f.T, filepath.Join(dir, "conf"), fmt.Sprintf("server:\n  rundir: %[1]q\n  listen: %[2]s@53\ndatabase:\n  storage: %[1]q\nzone:\n  - domain: %[3]q\n    storage: %[1]q\n    file: zone\n    zonefile-sync: -1\n    semantic-checks: off\n", dir, at, zone))
	begin(f.T, tool(f.T, "knotd"), "-c", filepath.Join(dir, "conf"))
	f.hosting.until(at+" answers", func() bool { return strings.Contains(askAt(at, zone, "SOA"), " h.") })
	return dir
}

func askAt(at, name, typ string) string {
	out, _ := exec.Command("dig", "@"+at, "+norec", "+short", "+time=1", "+tries=1", name, typ).CombinedOutput()
	return string(out)
}

// parentZone is the zone of the parent, with a DS set for ours.
func (f *family) parentZone(ds ...string) string {
	f.serial++
	text := fmt.Sprintf("$ORIGIN test.\n$TTL %d\n@ SOA ns1 h %d 7200 900 1209600 300\n@ NS ns1\n@ NS ns2\nns1 A %s\nns2 A %s\nz NS ns1.z\nns1.z A %s\n",
		int(parentTTL.Seconds()), f.serial, parentServerA, parentServerB, ourServer)
	for _, d := range ds {
		text += "z DS " + d + "\n"
	}
	return text
}

// publish has one server of the parent show a DS set.
func (f *family) publish(at string, ds ...string) {
	f.Helper()
	dir := f.parents[at]
	write(f.T, filepath.Join(dir, "zone"), f.parentZone(ds...))
	out, err := exec.Command(tool(f.T, "knotc"), "-b", "-c", filepath.Join(dir, "conf"), "zone-reload", "test.").CombinedOutput()
	if err != nil {
		f.Fatalf("%v: %s", err, out)
	}
	f.hosting.until(at+" has what it is to have", func() bool {
		return strings.HasPrefix(askAt(at, "test.", "SOA"), fmt.Sprintf("ns1.test. h.test. %d ", f.serial))
	})
	f.cached = append(f.cached, seenDS{f.ds[at], f.Clock().Add(parentTTL)})
	f.ds[at] = ds
}

func (f *family) both(ds ...string) {
	f.Helper()
	f.publish(parentServerA, ds...)
	f.publish(parentServerB, ds...)
}

// step lets time pass, has the house look, and has others judge.
func (f *family) step(d time.Duration) zone.Signing {
	f.Helper()
	f.ahead.Add(int64(d))
	if err := house.LookAfterKeys(f.Context(), f.House); err != nil {
		f.Fatal(err)
	}
	f.judge()
	return f.must("zone.signing.show", map[string]any{"zone": "z.test"}).(zone.Signing)
}

func (f *family) until(what string, most time.Duration, ok func(zone.Signing) bool) zone.Signing {
	f.Helper()
	for end := f.Clock().Add(most); ; {
		s := f.step(time.Hour)
		if ok(s) {
			return s
		}
		if f.Clock().After(end) {
			f.Fatalf("%s: not within %s; it is %+v", what, most, s)
		}
	}
}

func (f *family) never(what string, within time.Duration, is func(zone.Signing) bool) {
	f.Helper()
	for end := f.Clock().Add(within); f.Clock().Before(end); {
		if s := f.step(3 * time.Hour); is(s) {
			f.Fatalf("%s: %+v", what, s)
		}
	}
}

// judge has ldns-verify-zone look at what is served, with each DS set that a resolver
// may have for its anchor. Who knows of no DS asks for nothing.
func (f *family) judge() {
	f.Helper()
	var sets []rr.RRset
	f.hosting.until("the newest version is served", func() bool {
		var have uint64
		var err error
		sets, have, err = f.Answers.Sets(f.Context(), "z.test.")
		return err == nil && fmt.Sprint(have) == fmt.Sprint(f.version())
	})
	var lines []string
	for _, s := range sign.Stored(sets) {
		for _, r := range s.Records() {
			lines = append(lines, r.String())
		}
	}
	now, dir := f.Clock(), f.TempDir()
	defer os.RemoveAll(dir)
	file, anchors := filepath.Join(dir, "zone"), filepath.Join(dir, "anchors")
	write(f.T, file, strings.Join(lines, "\n")+"\n")
	f.cached = slices.DeleteFunc(f.cached, func(s seenDS) bool { return now.After(s.until) })
	known := append(slices.Clone(f.cached), seenDS{ds: f.ds[parentServerA]}, seenDS{ds: f.ds[parentServerB]})
	judged := map[string]bool{}
	for _, k := range known {
		text := ""
		for _, d := range k.ds {
			text += "z.test. 3600 IN DS " + d + "\n"
		}
		if text == "" || judged[text] {
			continue
		}
		judged[text] = true
		write(f.T, anchors, text)
		out, err := exec.Command(tool(f.T, "ldns-verify-zone"), "-k", anchors, "-t", now.UTC().Format("20060102150405"), file).CombinedOutput()
		if err != nil {
			f.Fatalf("at %s, with the parent's\n%sthe zone is not valid: %v\n%s\n%s", now.UTC().Format(time.RFC3339), text, err, out, strings.Join(lines, "\n"))
		}
	}
}
