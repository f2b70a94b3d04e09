package house_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"hostward/internal/face/web/webtest"
	"hostward/internal/host"
	"hostward/internal/house"
	"hostward/internal/store/storetest"
)

// engine is a ban engine with a past: for how pages look and what the house takes over.
type engine struct {
	mu     sync.Mutex
	bans   []host.Ban
	events []host.BanEvent
}

func (e *engine) happened(what string, at time.Time, b host.Ban) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, host.BanEvent{Seq: uint64(len(e.events) + 1), Time: at, What: what, By: b.Jail, Ban: b})
	e.bans = slices.DeleteFunc(e.bans, func(x host.Ban) bool { return x.Prefix == b.Prefix && x.Jail == b.Jail })
	if what == "banned" {
		e.bans = append(e.bans, b)
	}
}

func (e *engine) Jails(context.Context) ([]host.Jail, error) {
	return []host.Jail{
		{Name: "ssh", On: true, Sources: []string{"/var/log/auth.log"}, MaxRetry: 5, FindTime: 10 * time.Minute, BanTime: time.Hour, Failures: 4711, Bans: 90, Banned: 40},
		{Name: "panel", On: true, Sources: []string{"/var/lib/hostward/log/panel.log"}, MaxRetry: 10, FindTime: 10 * time.Minute, BanTime: time.Hour},
		{Name: "smtp", On: true, MaxRetry: 5, FindTime: 10 * time.Minute, BanTime: time.Hour, Fault: "it reads nothing: the log it was told of is not there"},
		{Name: "manual", On: true, BanTime: -1, Banned: 1},
	}, nil
}

func (e *engine) Bans(context.Context) ([]host.Ban, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.bans), nil
}

func (e *engine) Ban(_ context.Context, p netip.Prefix, d time.Duration, reason string) error {
	b := host.Ban{Prefix: p, Jail: "manual", Since: time.Now(), Times: 1, Lines: []string{reason}}
	if d > 0 {
		b.Until = b.Since.Add(d)
	}
	e.happened("banned", b.Since, b)
	return nil
}

func (e *engine) Unban(_ context.Context, p netip.Prefix) error {
	all, _ := e.Bans(context.Background())
	for _, b := range all {
		if b.Prefix.Overlaps(p) {
			e.happened("unbanned", time.Now(), b)
		}
	}
	return nil
}

func (e *engine) Events(_ context.Context, after uint64, n int) ([]host.BanEvent, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if after >= uint64(len(e.events)) {
		return nil, nil
	}
	list := e.events[after:]
	return slices.Clone(list[:min(n, len(list))]), nil
}

func (e *engine) Test(context.Context) error { return nil }

// attacked is an engine behind which a day of attacks lies.
func attacked(now time.Time) *engine {
	e := &engine{}
	for i := range 60 {
		b := host.Ban{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 32), Jail: "ssh", Since: now.Add(-time.Duration(60-i) * 20 * time.Minute), Times: 1 + i%3/2, Failures: 5 + i%7}
		b.Until = b.Since.Add(time.Hour)
		for k := range 5 {
			b.Lines = append(b.Lines, fmt.Sprintf("%s host sshd[%d]: Failed password for invalid user admin from 198.51.100.%d port 4%d ssh2", b.Since.Format("Jan _2 15:04:05"), 700+i, i, 7000+k))
		}
		e.happened("banned", b.Since, b)
		if i < 40 {
			e.happened("unbanned", b.Until, b)
		}
	}
	six := host.Ban{Prefix: netip.MustParsePrefix("2001:db8:1:2::/64"), Jail: "panel", Since: now.Add(-5 * time.Minute), Until: now.Add(time.Hour), Times: 4, Failures: 10}
	e.happened("banned", six.Since, six)
	return e
}

// TestBansInChromium looks at a day of attacks, finds out why somebody is banned, lets
// him in, and bans somebody else.
func TestBansInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	e := attacked(w.now())
	house.JoinGuard(w.House, func(string) host.Guard { return e })
	if err := house.LookAfterBans(t.Context(), w.House); err != nil {
		t.Fatal(err)
	}
	b := w.openPanel(t)
	b.Session(w.people["administrator"].cookie)
	b.As(webtest.Light)
	b.Open("/bans")
	says(b, "198.51.100.59")
	says(b, "2001:db8:1:2::/64")
	b.Visit("bans", "/bans")
	b.As(webtest.Light)
	b.Open("/bans/why?address=198.51.100.59")
	says(b, "Failed password for invalid user admin from 198.51.100.59")
	b.Visit("ban-why", "/bans/why?address=198.51.100.59")
	b.As(webtest.Light)
	b.Open("/bans/why?address=198.51.100.59")
	b.Click("main .acts button")
	at(b, "/bans")
	b.Open("/bans/why?address=198.51.100.59")
	says(b, "is not kept out")
	b.Open("/bans/new")
	b.Fill("address", "203.0.113.0/28")
	b.Fill("reason", "scans us")
	b.Check("ban-new")
	b.Click(".foot button")
	at(b, "/bans")
	says(b, "203.0.113.0/28")
	b.Open("/bans/jails/ssh")
	b.Fill("failures", "3") // before the 5 that is there
	b.Check("ban-jail")
	b.Click(".foot button")
	at(b, "/bans")
	says(b, "35\u00a0failures in 10m")
	b.Open("/bans/trust")
	b.Fill("networks", "192.0.2.0/24")
	b.Click(".foot button")
	at(b, "/bans/trust")
	says(b, "192.0.2.0/24")
	b.Visit("ban-trust", "/bans/trust")
	b.As(webtest.Light)
	b.Visit("ban-events", "/bans/events?jail=ssh&what=banned")
}

// TestAnEngineThatBeganAnewIsNotedFromItsBeginning loses the engine's memory.
func TestAnEngineThatBeganAnewIsNotedFromItsBeginning(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	e := attacked(w.now())
	house.JoinGuard(w.House, func(string) host.Guard { return e })
	count := func() int {
		t.Helper()
		if err := house.LookAfterBans(t.Context(), w.House); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, bar := range fields(w.must(console, "ban.histogram", map[string]any{"hours": 48}).Output)["bars"].([]any) {
			bar := bar.(map[string]any)
			n += int(bar["banned"].(float64)) + int(bar["again"].(float64))
		}
		return n
	}
	if n := count(); n != 61 {
		t.Fatalf("%d bans are noted", n)
	}
	if n := count(); n != 61 {
		t.Errorf("looked again, and %d bans are noted", n)
	}
	fresh := &engine{}
	fresh.happened("banned", w.now(), host.Ban{Prefix: netip.MustParsePrefix("203.0.113.77/32"), Jail: "ssh", Since: w.now(), Times: 1})
	house.JoinGuard(w.House, func(string) host.Guard { return fresh })
	w.must(console, "ban.add", map[string]any{"address": "203.0.113.78"}) // it is noted at once
	if n := count(); n != 63 {
		t.Errorf("the engine began anew, and %d bans are noted", n)
	}
}
