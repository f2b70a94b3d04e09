package nameserver_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"hostward/internal/core/coretest"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

var key = nameserver.Key{Name: "transfer.example.", Algorithm: "hmac-sha256", Secret: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}

const digKey = "hmac-sha256:transfer.example:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// version is a zone of some names, with a serial, and signatures that look like some.
func version(serial uint32, names ...string) []rr.RRset {
	var b strings.Builder
	fmt.Fprintf(&b, "$TTL 300\n@ SOA ns.other.test. h.other.test. %d 3600 900 604800 300\n@ NS ns.other.test.\n@ RRSIG SOA 13 2 300 20370101000000 20260101000000 %d @ AAAA\n", serial, serial%60000)
	for i := range 30 { // a difference that is longer than the zone would not be sent
		names = append(names, fmt.Sprintf("h%d", i))
	}
	for _, n := range names {
		fmt.Fprintf(&b, "%s A 192.0.2.1\n%s RRSIG A 13 3 300 20370101000000 20260101000000 1 @ BBBB\n%s NSEC @ A RRSIG NSEC\n%s RRSIG NSEC 13 3 300 20370101000000 20260101000000 1 @ CCCC\n", n, n, n, n)
	}
	z, err := rr.ParseZone(strings.NewReader(b.String()), rr.Options{Origin: "t.test.", KeepSigned: true})
	if err != nil {
		panic(err)
	}
	return z.Sets
}

// between is the change set from one version to another.
func between(from, to uint64, old, now []rr.RRset) nameserver.ChangeSet {
	c := nameserver.ChangeSet{Zone: "t.test.", From: from, Version: to}
	have := map[rr.Key]rr.RRset{}
	for _, s := range old {
		have[s.Key()] = s
	}
	for _, s := range now {
		if !s.Equal(have[s.Key()]) {
			c.Set = append(c.Set, s)
		}
		delete(have, s.Key())
	}
	for k := range have {
		c.Set = append(c.Set, rr.RRset{Name: k.Name, Type: k.Type})
	}
	return c
}

func feedAll(t *testing.T, s *nameserver.Server, changes ...nameserver.ChangeSet) {
	t.Helper()
	for _, c := range changes {
		if err := s.Apply(t.Context(), []nameserver.ChangeSet{c}); err != nil {
			t.Fatal(err)
		}
	}
}

// dig asks a server and returns the records of the answer, or what else it says.
func dig(t *testing.T, at netip.AddrPort, args ...string) []string {
	t.Helper()
	base := []string{"@" + at.Addr().String(), "-p", fmt.Sprint(at.Port()), "+time=5", "+tries=2", "+noall", "+answer", "+comments", "+onesoa", "+nocmd"}
	out, err := exec.Command(tool(t, "dig"), append(base, args...)...).CombinedOutput()
	if err != nil {
		return []string{"; " + err.Error(), string(out)}
	}
	var lines []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if line != "" && (!strings.HasPrefix(line, ";") || strings.Contains(line, "TSIG") || strings.Contains(line, "failed") || strings.Contains(line, "status")) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return lines
}

// said are sets as lines, sorted, the SOA once.
func said(sets []rr.RRset) (out []string) {
	for _, s := range sets {
		for _, r := range s.Records() {
			out = append(out, strings.Join(strings.Fields(r.String()), " "))
		}
	}
	slices.Sort(out)
	return out
}

func records(lines []string) (out []string) {
	for _, l := range lines {
		if !strings.HasPrefix(l, ";") {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestZonesAreSentToWhoMayHaveThem(t *testing.T) {
	s := run(t, nameserver.Config{})
	at := s.Addrs()[0]
	one := version(10, "a", "b")
	feedAll(t, s, nameserver.ChangeSet{Zone: "t.test.", Version: 1, Full: true, Set: one})
	if got := dig(t, at, "t.test.", "AXFR"); len(records(got)) > 0 || !strings.Contains(got[0], "REFUSED") {
		t.Errorf("nobody may have it, and somebody got %q", got)
	}
	for _, bad := range []nameserver.Settings{
		{Peers: []nameserver.Peer{{Name: "anybody", Takes: true}}},
		{Peers: []nameserver.Peer{{Name: "no such key", Takes: true, Key: "x."}}},
		{Keys: []nameserver.Key{{Name: "short.", Algorithm: "hmac-sha256", Secret: "AAAA"}}},
	} {
		if err := s.Configure(t.Context(), bad); err == nil {
			t.Errorf("accepted: %+v", bad)
		}
	}
	keyed := nameserver.Settings{Keys: []nameserver.Key{key}, Peers: []nameserver.Peer{{Name: "secondary", Key: key.Name, Takes: true, Zones: []rr.Name{"t.test."}}}}
	if err := s.Configure(t.Context(), keyed); err != nil {
		t.Fatal(err)
	}
	if got := dig(t, at, "t.test.", "AXFR"); len(records(got)) > 0 || !strings.Contains(got[0], "REFUSED") {
		t.Errorf("without the key somebody got %q", got)
	}
	if got := dig(t, at, "-y", strings.Replace(digKey, "MDEy", "AAAA", 1), "t.test.", "AXFR"); len(records(got)) > 0 {
		t.Errorf("with a wrong secret somebody got %q", got)
	}
	if d := cmp.Diff(said(one), records(dig(t, at, "-y", digKey, "t.test.", "AXFR"))); d != "" {
		t.Errorf("AXFR (-want +got)\n%s", d)
	}
	for _, transport := range []string{"+notcp", "+tcp"} {
		got := dig(t, at, "-y", digKey, transport, "t.test.", "SOA")
		if len(records(got)) != 1 || strings.Contains(fmt.Sprint(got), "could not be validated") {
			t.Errorf("a signed question %s: %q", transport, got)
		}
	}
	if got := dig(t, at, "-y", digKey, "other.test.", "AXFR"); len(records(got)) > 0 {
		t.Errorf("another zone: %q", got)
	}
}

func TestDifferencesAreSentAlsoAfterARestart(t *testing.T) {
	folder := t.TempDir()
	s := run(t, nameserver.Config{Folder: folder, KeepSettings: true})
	one, two, three := version(10, "a", "b"), version(11, "a", "c"), version(12, "a", "c", "d")
	if err := s.Configure(t.Context(), nameserver.Settings{Keys: []nameserver.Key{key}, Peers: []nameserver.Peer{{Name: "secondary", Key: key.Name, Takes: true}}}); err != nil {
		t.Fatal(err)
	}
	feedAll(t, s, nameserver.ChangeSet{Zone: "t.test.", Version: 1, Full: true, Set: one}, between(1, 2, one, two), between(2, 3, two, three))
	want := func(s *nameserver.Server, from uint32, removed, added []rr.RRset) {
		t.Helper()
		got := records(dig(t, s.Addrs()[0], "-y", digKey, "t.test.", fmt.Sprintf("IXFR=%d", from)))
		lines := slices.Concat(said(removed), said(added))
		slices.Sort(lines)
		if d := cmp.Diff(slices.Compact(lines), got); d != "" {
			t.Errorf("IXFR from %d (-want +got)\n%s", from, d)
		}
	}
	differs := func(a, b []rr.RRset) (out []rr.RRset) {
		for _, s := range a {
			if !slices.ContainsFunc(b, s.Equal) {
				out = append(out, s)
			}
		}
		return out
	}
	check := func(s *nameserver.Server) {
		t.Helper()
		want(s, 11, differs(two, three), differs(three, two))
		want(s, 10, differs(one, three), differs(three, one))
		want(s, 9, nil, three)      // too long ago: the whole zone
		want(s, 12, nil, three[:1]) // nothing is newer: the SOA
	}
	for range 3 { // as made, from the journal, from an image
		check(s)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		s = run(t, nameserver.Config{Folder: folder, KeepSettings: true})
		nameserver.Compact(t, s)
	}
}

// TestWhoWasNotToldIsToldAfterARestart ends the server before a secondary is there, and
// starts it again from its disk alone.
func TestWhoWasNotToldIsToldAfterARestart(t *testing.T) {
	folder, to := t.TempDir(), coretest.Free(t)
	s := run(t, nameserver.Config{Folder: folder, KeepSettings: true})
	if err := s.Configure(t.Context(), nameserver.Settings{Peers: []nameserver.Peer{{Name: "later", Told: []netip.AddrPort{to}}}}); err != nil {
		t.Fatal(err)
	}
	feedAll(t, s, nameserver.ChangeSet{Zone: "t.test.", Version: 1, Full: true, Set: version(10, "a")})
	nameserver.Compact(t, s)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenPacket("udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run(t, nameserver.Config{Folder: folder, KeepSettings: true})
	if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	n, _, err := l.ReadFrom(b)
	if err != nil || n < 12 || b[2]>>3&15 != 4 {
		t.Errorf("no NOTIFY after the restart: % x, %v", b[:n], err)
	}
}

func TestASecondaryIsToldAndFollows(t *testing.T) {
	knotd := tool(t, "knotd")
	s := run(t, nameserver.Config{})
	to := coretest.Free(t)
	one := version(10, "a", "b")
	settings := nameserver.Settings{Keys: []nameserver.Key{key}, Peers: []nameserver.Peer{{Name: "knot", Key: key.Name, Takes: true, Told: []netip.AddrPort{to}}}}
	if err := s.Configure(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	feedAll(t, s, nameserver.ChangeSet{Zone: "t.test.", Version: 1, Full: true, Set: one})
	dir := t.TempDir()
	config := fmt.Sprintf("server:\n  rundir: %q\n  listen: 127.0.0.1@%d\ndatabase:\n  storage: %q\nkey:\n  - id: transfer.example\n    algorithm: hmac-sha256\n    secret: %s\n"+
		"remote:\n  - id: ours\n    address: 127.0.0.1@%d\n    key: transfer.example\nacl:\n  - id: told\n    address: 127.0.0.1\n    action: notify\n    key: transfer.example\n"+
		"zone:\n  - domain: t.test\n    storage: %q\n    master: ours\n    acl: told\n", dir, to.Port(), dir, key.Secret, s.Addrs()[0].Port(), dir)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(knotd, "-c", filepath.Join(dir, "conf"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	follows := func(serial string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two looks
			if got := records(dig(t, to, "t.test.", "SOA")); len(got) == 1 && strings.Contains(got[0], " "+serial+" ") {
				return
			}
			if time.Now().After(deadline) {
				told, _ := s.Told(t.Context())
				t.Fatalf("the secondary does not have serial %s; told: %+v", serial, told)
			}
		}
	}
	follows("10")
	now := one
	for i := range uint64(5) {
		next := version(11+uint32(i), "a", fmt.Sprintf("n%d", i))
		feedAll(t, s, between(i+1, i+2, now, next))
		now = next
		follows(fmt.Sprint(11 + i))
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two looks
		told, _ := s.Told(t.Context())
		if len(told) == 1 && told[0].Known == 15 && told[0].Fault == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("told: %+v", told)
		}
	}
}

func TestASignedDatagramIsAnsweredFromTheAddressThatWasAsked(t *testing.T) {
	s := run(t, nameserver.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("[::]:0")}})
	if err := s.Configure(t.Context(), nameserver.Settings{Keys: []nameserver.Key{key}}); err != nil {
		t.Fatal(err)
	}
	feedAll(t, s, nameserver.ChangeSet{Zone: "t.test.", Version: 1, Full: true, Set: version(10, "a")})
	for _, at := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		got := dig(t, netip.AddrPortFrom(netip.MustParseAddr(at), s.Addrs()[0].Port()), "-y", digKey, "+notcp", "t.test.", "SOA")
		if len(records(got)) != 1 {
			t.Errorf("%s: %q", at, got)
		}
	}
}

func TestSettingsCountFromTheNextPacketOn(t *testing.T) {
	s := run(t, nameserver.Config{})
	at := s.Addrs()[0]
	load(t, s, zone(t, corners))
	nsid := func() string {
		out, _ := exec.Command(tool(t, "dig"), "@"+at.Addr().String(), "-p", fmt.Sprint(at.Port()), "+nsid", "+norec", "z.test", "SOA").CombinedOutput()
		return string(out)
	}
	if out := nsid(); strings.Contains(out, "NSID") {
		t.Errorf("it says who it is without being told: %s", out)
	}
	if err := s.Configure(t.Context(), nameserver.Settings{NSID: "ns1.example.net", Version: "9", Limit: nameserver.Limit{Rate: 5, Slip: 1}}); err != nil {
		t.Fatal(err)
	}
	if out := nsid(); !strings.Contains(out, "ns1.example.net") {
		t.Errorf("it does not say who it is: %s", out)
	}
	m := new(dns.Msg)
	m.SetQuestion("z.test.", dns.TypeSOA)
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(time.Minute); s.Stats().Slipped == 0; { // a packet may be lost
		for range 200 {
			if _, err := conn.Write(packet); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("many like questions at once, and none was slowed down: %+v", s.Stats())
		}
	}
	if err := s.Configure(t.Context(), nameserver.Settings{Limit: nameserver.Limit{Rate: 5000}}); err == nil {
		t.Error("a limit that cannot be was taken")
	}
}

// TestBrokenSettingsAreSetAside holds a nameserver to starting, and to telling.
func TestBrokenSettingsAreSetAside(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "settings.json")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := run(t, nameserver.Config{Folder: folder, KeepSettings: true})
	if !slices.Contains(s.Aside(), path+".broken") {
		t.Errorf("set aside: %q", s.Aside())
	}
	if err := s.Configure(t.Context(), nameserver.Settings{NSID: "one"}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "one") {
		t.Errorf("the new settings: %s %v", b, err)
	}
}
