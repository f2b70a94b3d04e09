//go:build linux

package house_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/core"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/transfer"
	"hostward/internal/rr/transfer/transfertest"
)

// abroad is a machine of ours in a network of its own, its nameserver a process of
// its own, with a wire to each of the servers of others.
type abroad struct {
	*machine
	here   transfertest.Place
	feed   nameserver.Feed
	key    transfer.Key
	others []*other
}

// other is a server of others at the far end of a wire.
type other struct {
	transfertest.Server
	transfertest.Setting
	wire    transfertest.Wire
	place   transfertest.Place
	running *transfertest.Running
}

func newAbroad(t *testing.T, servers []transfertest.Server, zone func(transfertest.Server) string) *abroad {
	t.Helper()
	for _, name := range []string{"knotd", "nsd", "named", "nsupdate", "knsupdate", "pdns_server", "pdnsutil", "sqlite3", "dig"} {
		transfertest.Program(t, name)
	}
	a := &abroad{machine: newMachine(t), here: transfertest.NewPlace(t)}
	socket := filepath.Join(a.data, "ns.sock")
	a.within, a.extra, a.feed = a.here.Within, []string{"--nameserver", socket}, nameserver.Dial(socket)
	ns := a.spawn("nameserver", "--folder", filepath.Join(a.data, "served"), "--socket", socket)
	a.server = ns
	a.until("the nameserver answers", func() bool { return strings.Contains(ns.said.String(), "answering") })
	a.serve()
	var made struct{ Output struct{ Secret string } }
	if err := json.Unmarshal([]byte(a.does("tsig", "create", "transfer.example", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	a.key = tsig(made.Output.Secret)
	for i, v := range servers {
		o := &other{Server: v, place: transfertest.NewPlace(t)}
		o.wire = transfertest.NewWire(t, a.here, o.place, i+1)
		o.Setting = transfertest.Setting{Dir: t.TempDir(), Listen: netip.AddrPortFrom(o.wire.Far, 53), Ours: netip.AddrPortFrom(o.wire.Near, 53),
			Zone: zone(v), Key: &a.key, Within: o.place.Within}
		a.others = append(a.others, o)
	}
	return a
}

func (a *abroad) each(do func(o *other)) {
	for _, o := range a.others {
		do(o)
	}
}

// asked is what a nameserver says to dig, in a place: records.
func (a *abroad) asked(p transfertest.Place, at netip.Addr, args ...string) (lines []string) {
	a.Helper()
	args = append([]string{"@" + at.String(), "+noall", "+answer", "+onesoa", "+time=2", "+tries=1"}, args...)
	out, _ := p.Command(a.T, "dig", args...).Output() // one that does not answer has none
	for line := range strings.SplitSeq(string(out), "\n") {
		if line != "" && !strings.HasPrefix(line, ";") {
			lines = append(lines, line)
		}
	}
	return lines
}

// served reports whether our nameserver has a record of a zone.
func (a *abroad) served(zone, name, typ string) bool {
	a.Helper()
	sets, _, err := a.feed.Sets(a.Context(), rr.Name(zone+"."))
	return err == nil && slices.ContainsFunc(sets, func(s rr.RRset) bool { return string(s.Name) == name+"."+zone+"." && s.Type == typ })
}

// same waits until a server of others has what ours has.
func (a *abroad) same(o *other, theirs func() []string) {
	a.Helper()
	var diff string
	transfertest.Until(a.T, func() string { return fmt.Sprintf("%s has what ours has:\n%s\n%s", o.Name, diff, a.server.said) }, func() bool {
		sets, _, err := a.feed.Sets(a.Context(), rr.Name(o.Zone+"."))
		var ours []string
		for _, s := range sign.Stored(sets) {
			for _, r := range s.Records() {
				ours = append(ours, r.String())
			}
		}
		diff = cmp.Diff(plain(ours), plain(theirs()))
		return err == nil && diff == "" && len(ours) > 0
	})
}

// plain are records in an order, in a form that every program has for them.
func plain(lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, strings.ToLower(strings.Join(strings.Fields(l), "")))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (a *abroad) counted() nameserver.Stats {
	a.Helper()
	out, err := a.feed.Counted(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	return out
}

// TestSecondariesOfEveryMakeFollow has all four as secondaries of one zone that is
// signed here: they take it, follow, are cut off, and come back by themselves.
func TestSecondariesOfEveryMakeFollow(t *testing.T) {
	t.Parallel()
	a := newAbroad(t, transfertest.Secondaries(), func(transfertest.Server) string { return "followed.example" })
	whole := func(o *other) []string { return a.asked(o.place, o.wire.Far, o.Zone, "AXFR") }
	same := func() {
		t.Helper()
		a.each(func(o *other) { a.same(o, func() []string { return whole(o) }) })
	}
	a.each(func(o *other) {
		a.does("peer", "add", o.Name, "--key", "transfer.example", "--notify", o.wire.Far.String())
	})
	a.does("zone", "import", zoneOf(t, "followed.example", 60))
	a.does("zone", "sign", "followed.example")
	a.until("it is signed", func() bool { return a.served("followed.example", "ns1", "RRSIG") })
	a.each(func(o *other) { o.running = o.Start(t, o.Setting) })
	same()
	told := func(what string, ok func(nameserver.Telling) bool) {
		t.Helper()
		transfertest.Until(t, func() string { return what + "\n" + a.does("peer", "list", "-o", "yaml") }, func() bool {
			list, err := a.feed.Told(context.Background())
			return err == nil && len(list) == len(a.others) && !slices.ContainsFunc(list, func(l nameserver.Telling) bool { return !ok(l) })
		})
	}
	// followed wants the difference taken by whoever asks for differences.
	followed := func(what string, before nameserver.Stats) {
		t.Helper()
		same()
		told("all have acknowledged it", func(l nameserver.Telling) bool { return l.Known == l.Serial && l.Fault == "" })
		after := a.counted()
		asking := uint64(0)
		a.each(func(o *other) {
			if o.Differences {
				asking++
			}
		})
		if n, whole := after.Differences-before.Differences, after.Whole-before.Whole; n < asking || whole > uint64(len(a.others))-asking {
			t.Errorf("%s: %d differences and %d whole zones were sent; %d of %d take differences", what, n, whole, asking, len(a.others))
		}
	}
	before := a.counted()
	a.does("zone", "record", "add", "followed.example", "new", "A", "192.0.2.77")
	followed("told", before)

	before = a.counted()
	a.each(func(o *other) { o.wire.Cut(t) })
	a.does("zone", "record", "remove", "followed.example", "new", "A")
	a.does("zone", "record", "add", "followed.example", "second", "AAAA", "2001:db8::7")
	a.does("zone", "record", "set", "followed.example", "h7", "A", "192.0.2.7")
	told("they cannot be told", func(l nameserver.Telling) bool { return l.Fault != "" })
	a.each(func(o *other) {
		if got := a.asked(o.place, o.wire.Far, "new.followed.example", "A"); len(got) != 1 {
			t.Errorf("%s, cut off, has %q of before", o.Name, got)
		}
	})
	a.each(func(o *other) { o.wire.Mend(t) })
	followed("cut off and back", before)

	a.each(func(o *other) {
		file := filepath.Join(o.Dir, "followed")
		if err := os.WriteFile(file, []byte(strings.Join(whole(o), "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		transfertest.Run(t, exec.Command(transfertest.Program(t, "ldns-verify-zone"), "-V", "2", file))
	})
}

func tsig(secret string) transfer.Key {
	return transfer.Key{Name: "transfer.example.", Algorithm: transfer.SHA256, Secret: core.NewSecret(secret)}
}

// zoneOf writes a zone of some hosts.
func zoneOf(t *testing.T, name string, hosts int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(textOf(name, 1, hosts)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func textOf(name string, serial uint32, hosts int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s.\n$TTL 300\n@ SOA ns1 hostmaster %d 3600 1 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n", name, serial)
	for i := range hosts {
		fmt.Fprintf(&b, "h%d A 192.0.2.%d\nh%d TXT \"host %d\"\n", i, i%250+1, i, i)
	}
	return b.String()
}

func setsOf(t *testing.T, name string, serial uint32, hosts int) []rr.RRset {
	t.Helper()
	z, err := rr.ParseZone(strings.NewReader(textOf(name, serial, hosts)), rr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return z.Sets
}

// TestPrimariesOfEveryMakeAreFollowed has all four as primaries of zones here: they
// are followed, refused where their key is another, cut off, and followed again.
func TestPrimariesOfEveryMakeAreFollowed(t *testing.T) {
	t.Parallel()
	servers := slices.DeleteFunc(transfertest.Primaries(), func(v transfertest.Server) bool { return v.Signs })
	a := newAbroad(t, servers, func(v transfertest.Server) string { return strings.ToLower(v.Name) + ".example" })
	at := func(o *other) string { return o.Listen.Addr().String() }
	said := func(o *other, words ...string) func() bool {
		return func() bool {
			return slices.ContainsFunc(strings.Split(a.server.said.String(), "\n"), func(line string) bool {
				return strings.Contains(line, o.Zone) && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
			})
		}
	}
	soon := func(what string, ok func(o *other) func() bool, do func(o *other)) {
		t.Helper()
		var waits []func() bool
		a.each(func(o *other) { waits = append(waits, ok(o)) })
		a.each(do)
		for i, o := range a.others {
			a.until(what+": "+o.Name, waits[i])
		}
	}
	served := func(name string) func(o *other) func() bool {
		return func(o *other) func() bool { return func() bool { return a.served(o.Zone, name, "A") } }
	}
	// restart runs the servers anew, with a key and a version of the zone.
	restart := func(o *other, key *transfer.Key, serial uint32, hosts int) {
		if o.running != nil {
			o.running.Stop()
		}
		o.Dir, o.Key, o.Sets = t.TempDir(), key, setsOf(t, o.Zone, serial, hosts)
		o.running = o.Start(t, o.Setting)
	}
	a.each(func(o *other) { restart(o, &a.key, 1, 60) })
	a.each(func(o *other) {
		a.until(o.Name+" gives its zone", func() bool {
			_, code := a.tries("zone", "fetch", o.Zone, at(o), "--key", "transfer.example", "--follow")
			return code == 0
		})
	})
	soon("it is served", served("h59"), func(*other) {})

	soon("a change is told and fetched", func(o *other) func() bool {
		by := transfer.Whole
		if o.Differences {
			by = transfer.Difference
		}
		return said(o, "brought up to date", "by="+string(by))
	}, func(o *other) { o.Change(t, &o.Setting, o.running, "new", "h7") })
	same := func(o *other) {
		a.same(o, func() []string {
			return a.asked(o.place, o.wire.Far, "-y", a.key.Text(transfer.FormDig).Reveal(), o.Zone, "AXFR")
		})
	}
	a.each(same)

	wrong := tsig("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	a.each(func(o *other) { restart(o, &wrong, 50, 70) })
	a.each(func(o *other) {
		a.until(o.Name+" refuses another secret, and it is said", func() bool {
			out, code := a.tries("zone", "fetch", "other.example", at(o), "--key", "transfer.example")
			return code != 0 && strings.Contains(out, "BADSIG")
		})
	})
	a.stop()
	a.serve() // asks at once, and not when it is time to
	a.each(func(o *other) { a.until(o.Name+" refuses, and it is in the log", said(o, "BADSIG")) })
	a.each(func(o *other) {
		if !a.served(o.Zone, "new", "A") || a.served(o.Zone, "h69", "A") {
			t.Errorf("%s: what was there before is not served", o.Name)
		}
	})

	a.each(func(o *other) {
		o.wire.Cut(t)
		restart(o, &a.key, 100, 80)
	})
	a.stop()
	a.serve()
	a.each(func(o *other) { a.until(o.Name+" is not reached", said(o, "could not be brought up to date")) })
	soon("cut off and back", served("h79"), func(o *other) { o.wire.Mend(t) })
	a.each(same)
}
