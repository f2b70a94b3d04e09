package hands_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/rr/transfer/transfertest"
)

func nft(t *testing.T, args ...string) string {
	t.Helper()
	return transfertest.Run(t, exec.CommandContext(t.Context(), transfertest.Program(t, "nft"), args...))
}

func banned(t *testing.T, b *hands.Bans) map[netip.Prefix]host.Ban {
	t.Helper()
	bans, err := b.Banned(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[netip.Prefix]host.Ban{}
	for _, ban := range bans {
		out[ban.Prefix] = ban
	}
	return out
}

func pfx(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func TestBansAreInTheKernel(t *testing.T) {
	if !transfertest.Alone(t) {
		return
	}
	b, hour := hands.NewBans(), time.Now().Add(time.Hour)
	if err := b.Ban(t.Context(), []host.Ban{{Prefix: pfx("192.0.2.7/32"), Until: hour}, {Prefix: pfx("2001:db8:1::/64"), Until: hour},
		{Prefix: pfx("::ffff:203.0.113.9/128"), Until: hour}, {Prefix: pfx("198.18.4.0/22")}}); err != nil {
		t.Fatal(err)
	}
	have := banned(t, b)
	for text, ends := range map[string]bool{"192.0.2.7/32": true, "2001:db8:1::/64": true, "203.0.113.9/32": true, "198.18.4.0/22": false} {
		ban, ok := have[pfx(text)]
		if !ok || ban.Until.IsZero() == ends || ends && ban.Until.Sub(hour).Abs() > 5*time.Second {
			t.Errorf("%s: %+v, %v", text, ban, ok)
		}
	}
	if len(have) != 4 {
		t.Errorf("%d bans", len(have))
	}
	if err := b.Ban(t.Context(), []host.Ban{{Prefix: pfx("192.0.2.7/32"), Until: hour.Add(time.Hour)}}); err != nil { // another end
		t.Fatal(err)
	}
	if until := banned(t, b)[pfx("192.0.2.7/32")].Until; until.Sub(hour) < 50*time.Minute {
		t.Errorf("a longer ban ends at %s", until)
	}
	if err := b.Unban(t.Context(), []netip.Prefix{pfx("192.0.2.7/32"), pfx("192.0.2.8/32"), pfx("198.18.4.0/22")}); err != nil {
		t.Fatal(err)
	}
	if have := banned(t, b); len(have) != 2 {
		t.Errorf("after two were let in: %v", have)
	}
}

func TestWhatMustNotBeBannedIsNot(t *testing.T) {
	if !transfertest.Alone(t) {
		return
	}
	transfertest.Run(t, exec.CommandContext(t.Context(), "ip", "address", "add", "192.0.2.1/24", "dev", "lo"))
	b := hands.NewBans()
	bad := []string{"0.0.0.0/0", "127.0.0.1/32", "192.0.2.1/32", "192.0.2.0/24", "::1/128", "fe80::1/128", "::ffff:127.0.0.1/128", "224.0.0.1/32"}
	bans := []host.Ban{{Prefix: pfx("203.0.113.5/32")}}
	for _, text := range bad {
		bans = append(bans, host.Ban{Prefix: pfx(text)})
	}
	err := b.Ban(t.Context(), bans)
	for _, text := range bad {
		if err == nil || !strings.Contains(err.Error(), host.Plain(pfx(text)).String()) {
			t.Errorf("%s is not in the error: %v", text, err)
		}
	}
	if have := banned(t, b); len(have) != 1 {
		t.Errorf("in force: %v", have)
	}
}

// Whatever somebody does to the table, the next look makes it whole; what was in its
// sets stays.
func TestATableThatWasChangedIsMadeWhole(t *testing.T) {
	for name, change := range map[string]string{
		"flushed":           "flush ruleset",
		"a set emptied":     "flush set inet hostward_ban v4_32",
		"no rules":          "flush chain inet hostward_ban gate",
		"one rule more":     "insert rule inet hostward_ban gate accept",
		"moved":             "delete chain inet hostward_ban gate; add chain inet hostward_ban gate { type filter hook input priority 300; }",
		"an element away":   "delete element inet hostward_ban v4_32 { 192.0.2.7 }",
		"an element added":  "add element inet hostward_ban v4_32 { 192.0.2.9 timeout 1h }",
		"the table is gone": "delete table inet hostward_ban",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			if !transfertest.Alone(t) {
				return
			}
			b := hands.NewBans()
			both := []host.Ban{{Prefix: pfx("192.0.2.7/32"), Until: time.Now().Add(time.Hour)}, {Prefix: pfx("2001:db8::/48")}}
			if err := b.Ban(t.Context(), both); err != nil {
				t.Fatal(err)
			}
			nft(t, change)
			have := banned(t, b)
			if err := b.Ban(t.Context(), both); err != nil { // as the engine's comparison does
				t.Fatal(err)
			}
			if name == "no rules" || name == "one rule more" {
				if len(have) != 2 {
					t.Errorf("the sets were not put back: %v", have)
				}
			}
			if have := banned(t, b); have[both[0].Prefix].Prefix != both[0].Prefix || have[both[1].Prefix].Prefix != both[1].Prefix {
				t.Errorf("in force: %v", have)
			}
			if list := nft(t, "list", "chain", "inet", "hostward_ban", "gate"); strings.Count(list, "drop") != 6 || strings.Contains(list, "accept\n\t\t}") || !strings.Contains(list, "hook prerouting priority raw") {
				t.Errorf("the chain is\n%s", list)
			}
			if err := b.Test(t.Context()); err != nil {
				t.Errorf("the test says %v", err)
			}
		})
	}
}

// The kernel ends a ban by itself.
func TestABanEnds(t *testing.T) {
	if !transfertest.Alone(t) {
		return
	}
	b := hands.NewBans()
	if err := b.Ban(t.Context(), []host.Ban{{Prefix: pfx("192.0.2.7/32"), Until: time.Now().Add(1200 * time.Millisecond)}}); err != nil {
		t.Fatal(err)
	}
	transfertest.Until(t, func() string { return "the ban ends" }, func() bool { return len(banned(t, b)) == 0 })
	if err := b.Ban(t.Context(), []host.Ban{{Prefix: pfx("192.0.2.7/32")}}); err != nil {
		t.Fatal(err)
	}
	if have := banned(t, b); len(have) != 1 {
		t.Errorf("banned again: %v", have)
	}
}

// No element of a large batch is lost, of any width.
func TestLargeBatchesAreWhole(t *testing.T) {
	if !transfertest.Alone(t) {
		return
	}
	const each = 20_000
	var bans []host.Ban
	for i := range each {
		v4 := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		v6 := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i >> 16), byte(i >> 8), byte(i)})
		bans = append(bans, host.Ban{Prefix: netip.PrefixFrom(v4, 32), Until: time.Now().Add(time.Hour)}, host.Ban{Prefix: netip.PrefixFrom(v6, 64)})
	}
	b := hands.NewBans()
	begin := time.Now()
	if err := b.Ban(t.Context(), bans); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bans: %s", len(bans), time.Since(begin))
	begin = time.Now()
	if err := b.Ban(t.Context(), bans); err != nil { // all again, with another end
		t.Fatal(err)
	}
	t.Logf("again: %s", time.Since(begin))
	for _, set := range []string{"v4_32", "v6_64"} {
		if n := strings.Count(nft(t, "list", "set", "inet", "hostward_ban", set), "counter packets"); n != each {
			t.Errorf("%s has %d elements of %d", set, n, each)
		}
	}
	begin = time.Now()
	if have := banned(t, b); len(have) != len(bans) {
		t.Errorf("read back: %d", len(have))
	}
	t.Logf("read back: %s", time.Since(begin))
	if err := b.Clear(t.Context()); err != nil || strings.Contains(nft(t, "list", "ruleset"), "hostward_ban") {
		t.Errorf("not cleared: %v", err)
	}
}

// The hands' own proof, with packets; and it notices a ban that does nothing.
func TestTheTestOfBansIsOne(t *testing.T) {
	if !transfertest.Alone(t) {
		return
	}
	b := hands.NewBans()
	if err := b.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	if have := banned(t, b); len(have) != 0 {
		t.Errorf("left behind: %v", have)
	}
	nft(t, "add table inet other; add chain inet other early { type filter hook prerouting priority -400; }; add rule inet other early ip saddr 198.51.100.0/24 drop")
	if err := b.Test(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing is proved") {
		t.Errorf("with another drop in front: %v", err)
	}
}

// A connection that is established is cut off by a ban and goes on after it, in both
// families.
func TestABannedNeighbourIsCutOff(t *testing.T) {
	near, far := transfertest.NewPlace(t), transfertest.NewPlace(t)
	w := transfertest.NewWire(t, near, far, 1)
	for i, place := range []transfertest.Place{near, far} {
		transfertest.Run(t, place.Command(t, "ip", "-6", "address", "add", fmt.Sprintf("2001:db8:53::%d/64", i+1), "dev", "wire1", "nodad"))
	}
	transfertest.Begin(t, helper(t, near, "LISTEN=:7007"))
	for near6, ban := range map[string]string{w.Near.String() + ":7007": w.Far.String() + "/32", "[2001:db8:53::1]:7007": "2001:db8:53::2/128"} {
		talk := transfertest.Begin(t, helper(t, far, "TALK="+near6))
		more := func() string { return "the neighbours hear each other; they said " + talk.Said() }
		heard := func() bool {
			before := len(talk.Said())
			for end := time.Now().Add(time.Second); time.Now().Before(end) && len(talk.Said()) == before; {
				time.Sleep(5 * time.Millisecond)
			}
			return len(talk.Said()) > before
		}
		transfertest.Until(t, more, heard)
		transfertest.Run(t, helper(t, near, "BAN="+ban))
		heard() // what was on its way
		if heard() {
			t.Errorf("%s is banned and heard", ban)
		}
		transfertest.Run(t, helper(t, near, "UNBAN="+ban))
		transfertest.Until(t, more, heard)
	}
}

// helper is TestHelper in a place.
func helper(t *testing.T, p transfertest.Place, do string) *exec.Cmd {
	t.Helper()
	args := append(p.Within[1:len(p.Within):len(p.Within)], os.Args[0], "-test.run=^TestHelper$")
	cmd := exec.CommandContext(t.Context(), p.Within[0], args...)
	cmd.Env = append(os.Environ(), "HOSTWARD_DO="+do)
	return cmd
}

// TestHelper is no test: it does where it is what another test asks for.
func TestHelper(t *testing.T) {
	verb, what, _ := strings.Cut(os.Getenv("HOSTWARD_DO"), "=")
	b := hands.NewBans()
	switch verb {
	case "BAN":
		if err := b.Ban(t.Context(), []host.Ban{{Prefix: pfx(what), Until: time.Now().Add(time.Hour)}}); err != nil || len(banned(t, b)) != 1 {
			t.Fatal(err)
		}
	case "UNBAN":
		if err := b.Unban(t.Context(), []netip.Prefix{pfx(what)}); err != nil || len(banned(t, b)) != 0 {
			t.Fatal(err)
		}
	case "LISTEN":
		l, err := net.Listen("tcp", what)
		for err == nil {
			var c net.Conn
			if c, err = l.Accept(); err == nil {
				go io.Copy(c, c)
			}
		}
		t.Fatal(err)
	case "TALK":
		var c net.Conn
		err := errors.New("never tried")
		for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			c, err = net.DialTimeout("tcp", what, time.Second)
		}
		for b := []byte("."); err == nil; time.Sleep(20 * time.Millisecond) {
			if _, err = c.Write(b); err == nil {
				_, err = c.Read(b)
				fmt.Print(string(b))
			}
		}
		t.Fatal(err)
	default:
		t.Skip("run by other tests")
	}
}
