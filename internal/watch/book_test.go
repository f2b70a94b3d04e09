package watch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/host"
	"hostward/internal/jail"
)

// desk is a book with what happened in it as text.
type desk struct {
	*book
	t      *testing.T
	spared map[netip.Prefix]string
	said   []string
}

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func newDesk(t *testing.T, r Rules) *desk {
	d := &desk{t: t, spared: map[netip.Prefix]string{}}
	d.book = newBook(func(_ string, p netip.Prefix) string {
		for q, why := range d.spared {
			if q.Overlaps(p) {
				return why
			}
		}
		return ""
	}, func(what, by string, ban host.Ban) {
		d.said = append(d.said, strings.TrimSpace(fmt.Sprintf("%s %s %s", what, ban.Prefix, by)))
	})
	d.now = noon
	d.jail("ssh", r)
	d.jail(Manual, Rules{MaxRetry: 1})
	return d
}

func (d *desk) fails(addr string, at time.Time) {
	a := netip.MustParseAddr(addr)
	d.fail("ssh", jail.Failure{Addr: netip.PrefixFrom(a, a.BitLen()), Time: at}, []byte("line about "+addr))
}

// after lets time go on and has an address fail so often at once.
func (d *desk) after(by time.Duration, addr string, times int) {
	d.tick(d.now.Add(by))
	for range times {
		d.fails(addr, d.now)
	}
}

func (d *desk) expect(want ...string) {
	d.t.Helper()
	if !slices.Equal(d.said, want) {
		d.t.Errorf("it happened\n  %s\nwant\n  %s", strings.Join(d.said, "\n  "), strings.Join(want, "\n  "))
	}
	d.said = nil
}

var three = Rules{MaxRetry: 3, FindTime: 10 * time.Minute, BanTime: time.Hour, MaxLines: 5}

func TestWhoFailsTooOftenIsBanned(t *testing.T) {
	d := newDesk(t, three)
	d.after(0, "192.0.2.7", 2)
	d.after(11*time.Minute, "192.0.2.7", 1) // the first two count no more
	d.after(time.Minute, "192.0.2.7", 1)
	d.expect()
	d.after(time.Minute, "192.0.2.7", 1)
	d.expect("banned 192.0.2.7/32")
	if h := d.held[netip.MustParsePrefix("192.0.2.7/32")]; len(h) != 1 || h[0].Failures != 3 || len(h[0].Lines) != 3 || !h[0].Until.Equal(d.now.Add(time.Hour)) || h[0].Times != 1 {
		t.Errorf("the ban is %+v", h[0].Ban)
	}
	d.after(time.Second, "192.0.2.7", 10) // was on its way
	d.after(time.Second, "::ffff:192.0.2.7", 10)
	d.expect()
	d.tick(d.now.Add(time.Hour))
	d.expect("unbanned 192.0.2.7/32 its time was over")
	if len(d.held) != 0 || len(d.ends) != 0 {
		t.Error("something is left of it")
	}
}

func TestLinesOfThePastAndTheFuture(t *testing.T) {
	d := newDesk(t, three)
	for range 5 {
		d.fails("192.0.2.1", noon.Add(-11*time.Minute)) // too old to count
		d.fails("192.0.2.2", time.Time{})               // of no time
	}
	d.expect()
	for i := range 3 {
		d.fails("192.0.2.3", noon.Add(time.Duration(i)*100*time.Hour)) // of a clock that is ahead
		d.fails("192.0.2.4", noon.Add(-time.Duration(i)*time.Minute))  // out of order
	}
	d.expect("banned 192.0.2.3/32", "banned 192.0.2.4/32")
	d.jail("ssh", Rules{MaxRetry: 1, FindTime: time.Hour, BanTime: time.Minute})
	d.fails("192.0.2.5", noon.Add(-30*time.Minute)) // the ban would be over by now
	d.expect()
}

func TestSomeAreNeverBanned(t *testing.T) {
	d := newDesk(t, three)
	d.spared[netip.MustParsePrefix("192.0.2.1/32")] = "192.0.2.1 is the gateway"
	d.spared[netip.MustParsePrefix("2001:db8:0:1::5/128")] = "an administrator works from 2001:db8:0:1::5"
	for _, a := range []string{"127.0.0.1", "::1", "192.0.2.1", "::ffff:127.0.0.1", "fe80::1", "2001:db8:0:1::5", "224.0.0.1", "0.0.0.0"} {
		d.after(0, a, 3)
	}
	for _, s := range d.said {
		if !strings.HasPrefix(s, "spared ") {
			t.Error(s)
		}
	}
	if len(d.said) != 8 || len(d.held) != 0 {
		t.Errorf("%d events, %d bans", len(d.said), len(d.held))
	}
	d.said = nil
	d.after(0, "2001:db8:0:1::bad", 3) // in the same /64 as somebody who is spared
	d.expect("banned 2001:db8:0:1::bad/128")
	for _, p := range []string{"192.0.2.0/24", "0.0.0.0/0", "127.0.0.1/32", "2001:db8::/32", "2000::/3"} {
		if err := d.manual(netip.MustParsePrefix(p), 0, ""); err == nil {
			t.Errorf("%s was banned by hand", p)
		}
	}
	d.expect()
}

func TestNetworksOfIPv6AreWidened(t *testing.T) {
	d := newDesk(t, three)
	for i := range widen56 {
		d.after(0, fmt.Sprintf("2001:db8:1:%x::%x", i, 1+i), 2) // another address each time
		d.after(0, fmt.Sprintf("2001:db8:1:%x::%x", i, 77+i), 1)
	}
	d.expect("banned 2001:db8:1::/64", "banned 2001:db8:1:1::/64", "banned 2001:db8:1:2::/64", "banned 2001:db8:1:3::/64",
		"widened 2001:db8:1::/56 4 or more of its networks were banned")
	if len(d.held) != 1 {
		t.Errorf("%d bans", len(d.held))
	}
	d.after(0, "2001:db8:1:42::1", 3) // covered
	for i := 1; i < 4; i++ {
		for k := range widen56 {
			d.after(0, fmt.Sprintf("2001:db8:1:%x::1", 256*i+k), 3)
		}
	}
	if last := d.said[len(d.said)-1]; last != "widened 2001:db8:1::/48 16 or more of its networks were banned" || len(d.held) != 1 || len(d.kin) != 0 {
		t.Errorf("%s; %d bans, kin %v", last, len(d.held), d.kin)
	}
	d.said = nil
	for i := range widen48 { // each in a /56 of its own
		d.after(0, fmt.Sprintf("2001:db8:2:%x::1", 256*i), 3)
	}
	if last := d.said[len(d.said)-1]; last != "widened 2001:db8:2::/48 16 or more of its networks were banned" {
		t.Error(last)
	}
	d.said = nil
	d.spared[netip.MustParsePrefix("2001:db8:3:ff::1/128")] = "is the nameserver"
	for i := range 6 {
		d.after(0, fmt.Sprintf("2001:db8:3:%x::1", i), 3)
	}
	if slices.ContainsFunc(d.said, func(s string) bool { return strings.HasPrefix(s, "widened") }) {
		t.Errorf("a nameserver was banned with its network: %v", d.said)
	}
}

func TestBansOfThoseWhoComeAgainGrow(t *testing.T) {
	r := three
	r.Increment = Increment{On: true, MaxTime: 5 * time.Hour}
	d := newDesk(t, r)
	for i, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 5 * time.Hour} {
		tries := max(1, 3-i) // one that came again has fewer: the first counts 2, then 3
		if i == 1 {
			tries = 2
		}
		d.after(time.Minute, "192.0.2.7", tries)
		h := d.held[netip.MustParsePrefix("192.0.2.7/32")]
		if len(h) != 1 || h[0].Until.Sub(d.now) != want || h[0].Times != i+1 {
			t.Fatalf("ban %d: %+v", i, h)
		}
		d.tick(h[0].Until)
	}
	d.tick(d.now.Add(remembered))
	d.after(0, "192.0.2.7", 2)
	if len(d.held) != 0 {
		t.Error("long ago is not forgotten")
	}
}

func TestRecidiveCountsBansOfOthers(t *testing.T) {
	d := newDesk(t, Rules{MaxRetry: 1, FindTime: time.Minute, BanTime: time.Minute})
	d.jail("recidive", Rules{MaxRetry: 3, FindTime: 24 * time.Hour, BanTime: 7 * 24 * time.Hour, MaxLines: 5, Recidive: true})
	for range 3 {
		d.after(2*time.Minute, "192.0.2.7", 1)
	}
	d.expect("banned 192.0.2.7/32", "unbanned 192.0.2.7/32 its time was over", "banned 192.0.2.7/32", "unbanned 192.0.2.7/32 its time was over",
		"banned 192.0.2.7/32", "banned 192.0.2.7/32")
	if until, ok := d.want(netip.MustParsePrefix("192.0.2.7/32")); !ok || until.Sub(d.now) != 7*24*time.Hour {
		t.Errorf("kept out until %s", until)
	}
	d.tick(d.now.Add(2 * time.Minute))
	if _, ok := d.want(netip.MustParsePrefix("192.0.2.7/32")); !ok {
		t.Error("the shorter ban ended both")
	}
}

func TestBansByHand(t *testing.T) {
	d := newDesk(t, three)
	if err := d.manual(netip.MustParsePrefix("203.0.113.9/20"), 0, "a nuisance"); err != nil {
		t.Fatal(err)
	}
	d.after(0, "203.0.113.9", 3)
	d.after(0, "192.0.2.7", 2)
	if n := d.lift(netip.MustParsePrefix("203.0.113.9/32"), "somebody lifted it"); n != 2 {
		t.Errorf("%d bans lifted", n)
	}
	d.lift(netip.MustParsePrefix("192.0.2.0/24"), "somebody lifted it")
	d.after(0, "192.0.2.7", 2) // what was counted is forgotten
	if len(d.held) != 0 {
		t.Errorf("%d bans", len(d.held))
	}
	for _, d := range []struct {
		p string
		d time.Duration
	}{{"192.0.2.7/32", -time.Second}} {
		if err := newDesk(t, three).manual(netip.MustParsePrefix(d.p), d.d, ""); err == nil {
			t.Errorf("%v was taken", d)
		}
	}
}

// What is kept is what was: through the JSON and back.
func TestABookSurvives(t *testing.T) {
	r := three
	r.Increment.On = true
	d := newDesk(t, r)
	d.after(0, "192.0.2.7", 3)
	d.after(time.Second, "192.0.2.8", 2)
	d.after(time.Second, "2001:db8::1", 1)
	var s state
	dir := t.TempDir()
	d.cells["ssh"].tracking.oldest.lines.add([]byte("a \"b\" \\ \x00 ä \xff"), mostShown)
	d.save(&s)
	kept := d.counts(nil)
	s.Version, s.Counts = 1, bytes.Count(kept, []byte("\n"))
	if err := writeState(dir, s, kept); err != nil {
		t.Fatal(err)
	}
	back, counts, aside, err := readState(dir)
	if err != nil || aside != "" || len(counts) != 2 {
		t.Fatal(counts, aside, err)
	}
	if l := counts[0].Lines; l[len(l)-1] != "a \"b\" \\ \x00 ä �" {
		t.Errorf("a line comes back as %q", l)
	}
	d.lines += len(counts[0].Lines[len(counts[0].Lines)-1])
	e := newDesk(t, r)
	e.now = d.now
	e.restore(back, counts)
	e.jail("ssh", r)
	if e.lines != d.lines || len(e.held) != 1 || e.cells["ssh"].failures != 6 {
		t.Errorf("%d octets of lines of %d, %d bans", e.lines, d.lines, len(e.held))
	}
	e.after(time.Minute, "192.0.2.8", 1)
	e.expect("banned 192.0.2.8/32")
	e.tick(e.now.Add(2 * time.Hour))
	e.said = nil
	e.after(0, "192.0.2.7", 2) // it counts double
	e.expect("banned 192.0.2.7/32")
}

func TestTheClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{-24 * time.Hour, 24 * time.Hour, 400 * 24 * time.Hour} {
		d := newDesk(t, three)
		d.after(0, "192.0.2.7", 3)
		d.after(0, "192.0.2.8", 2)
		d.shift(by)
		d.tick(d.now.Add(by + time.Minute))
		d.after(0, "192.0.2.8", 1)
		d.expect("banned 192.0.2.7/32", "banned 192.0.2.8/32")
		if until, _ := d.want(netip.MustParsePrefix("192.0.2.7/32")); until.Sub(d.now) != 59*time.Minute {
			t.Errorf("by %s: banned for %s more", by, until.Sub(d.now))
		}
	}
}

// 2^20 networks fail, and as many are banned: memory stays what it is.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("a million addresses")
	}
	before := inUse()
	d := newDesk(t, Rules{MaxRetry: 2, FindTime: time.Hour, BanTime: time.Hour, MaxLines: 10})
	d.event = func(string, string, host.Ban) {}
	line := []byte(strings.Repeat("x", 1000))
	for i := range 1 << 20 {
		a := netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 12), byte(i >> 4), byte(i << 4)}) // each a /48 of its own
		d.fail("ssh", jail.Failure{Addr: netip.PrefixFrom(a, 128), Time: d.now}, line)
	}
	if n := len(d.cells["ssh"].tracking.by); n != mostTracked {
		t.Errorf("%d are counted", n)
	}
	if used := inUse() - before; used > 64<<20 {
		t.Errorf("counting takes %d octets", used)
	}
	d.jail("ssh", Rules{MaxRetry: 1, FindTime: time.Hour, BanTime: time.Hour, MaxLines: 10})
	for i := range 1 << 18 {
		a := netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)})
		d.fail("ssh", jail.Failure{Addr: netip.PrefixFrom(a, 32), Time: d.now}, line)
		clear(d.dirty) // as who carries it out does
	}
	if len(d.held) != mostHeld || len(d.ends) != mostHeld {
		t.Errorf("%d are banned", len(d.held))
	}
	if used := inUse() - before; used > 256<<20 {
		t.Errorf("banning takes %d octets", used)
	}
	runtime.KeepAlive(d)
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestManyMomentsOfOneAddressAreBounded(t *testing.T) {
	var x tracker
	for i := range 10_000 {
		x.add(int64(i), 1)
		x.add(int64(i-3), 1)
	}
	if len(x.moments) > mostMoments {
		t.Errorf("%d moments", len(x.moments))
	}
	if n := x.count(9_990); n < 10 || n > 20 {
		t.Errorf("%d in the last ten seconds", n)
	}
	if !slices.IsSortedFunc(x.moments, func(a, b moment) int { return int(a.at - b.at) }) {
		t.Error("out of order")
	}
}

func TestFormulas(t *testing.T) {
	for text, want := range map[string]float64{
		"ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor":         600 * 8 * 2,
		"ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)": 600 * math.Exp(8) / math.Exp(2),
		"ban.Time*2**ban.Count": 600 * 8, "-2**2 + 10 // 3 - 7 % 4": -4 + 3 - 3, "min(ban.Time, max(1, 2))": 2, "int(7.9)": 7,
	} {
		f, err := ParseFormula(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.value(600, 3, 2); math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"", "ban.time", "__import__('os').system('id')", "1 +", "(1", "1 if 2", "math.exp(1, 2)", "1 2", "inf", "nan", strings.Repeat("(", 1000)} {
		if _, err := ParseFormula(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzFormula(f *testing.F) {
	f.Add("ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor")
	f.Fuzz(func(_ *testing.T, text string) {
		if g, err := ParseFormula(text); err == nil {
			Rules{BanTime: time.Hour, Increment: Increment{On: true, Formula: g}}.last(3)
		}
	})
}

// TestTheNewestLinesAreEvidence: as a plain list has them.
func TestTheNewestLinesAreEvidence(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var e evidence
		var want []string
		for range 100 {
			line, most := strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(50)), 3
			if random.IntN(10) == 0 {
				most = random.IntN(6)
			}
			e.add([]byte(line), most)
			want = append(want, line)
			want = want[max(0, len(want)-most):]
			var got []string
			for l := range e.all() {
				got = append(got, string(l))
			}
			if !slices.Equal(got, want) || e.size() != len(strings.Join(want, "")) {
				t.Fatalf("%q, %d octets; want %q", got, e.size(), want)
			}
		}
	}
}
