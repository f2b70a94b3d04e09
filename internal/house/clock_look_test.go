package house_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"hostward/internal/face/web/webtest"
	"hostward/internal/feature/clock"
	"hostward/internal/host"
	"hostward/internal/house"
	"hostward/internal/store/storetest"
)

// TestTheClockInChromium sees a day of a clock, first well, then without one of its
// sources, and changes what it goes by.
func TestTheClockInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	b := w.openPanel(t)
	b.Session(w.people["administrator"].cookie)
	b.As(webtest.Light)
	b.Open("/clock")
	says(b, "Nothing was measured in this time")
	says(b, "The clock is not under control")

	var desired clock.Desired
	raw, err := json.Marshal(fields(w.must(console, "clock.show", nil).Output)["desired"])
	if err == nil {
		err = json.Unmarshal(raw, &desired)
	}
	if err != nil {
		t.Fatal(err)
	}
	now := w.now().UTC().Truncate(time.Microsecond)
	for i := range 280 {
		ago := time.Duration(280-i) * 5 * time.Minute
		offset := 40e-6 * math.Sin(float64(i)/9)
		if i == 200 {
			offset = 0.12
		}
		o := clock.Observed{Running: true, Following: true, Settled: true, Proofs: true, Zone: "Europe/Berlin", Wall: now.Add(-ago), Up: (1000*time.Hour - ago).Microseconds(), Boot: "one", Ordered: &desired,
			Tracking: clock.Tracking{Reference: "192.0.2.1", Stratum: 2, Updated: now.Add(-ago), Offset: offset, RMS: 2e-5, Frequency: -12.407, Skew: 0.031, Delay: 0.0121, Dispersion: 0.0004, Leap: "Normal"},
			Sources: []clock.Peer{
				{Name: "time.cloudflare.com", Address: "192.0.2.1", From: clock.SourcesPath + ":2", State: "*", Stratum: 3, Poll: 8, Reach: 0o377, Last: 31, Offset: 1.2e-5, Error: 0.006, Auth: clock.Auth{Mode: "NTS", Bits: 256, Cookies: 8}},
				{Name: "nts.netnod.se", Address: "192.0.2.2", From: clock.SourcesPath + ":3", State: "+", Stratum: 1, Poll: 8, Reach: 0o377, Last: 12, Offset: -2.1e-4, Error: 0.011, Auth: clock.Auth{Mode: "NTS", Bits: 256, Cookies: 8}},
				{Name: "ptbtime1.ptb.de", Address: "192.0.2.3", From: clock.SourcesPath + ":4", State: "?", Poll: 8, Last: -1, Auth: clock.Auth{Mode: "NTS", Attempts: 7}},
				{Name: "2.debian.pool.ntp.org", Address: "192.0.2.9", From: "/etc/chrony/chrony.conf:8", State: "-", Stratum: 2, Poll: 9, Reach: 0o17, Last: 180, Offset: 0.0013, Error: 0.04}}}
		if i > 250 {
			o.Alarms = []clock.Alarm{{Code: "unauthenticated", About: "ptbtime1.ptb.de", Text: "ptbtime1.ptb.de has not proved itself by NTS after 7 attempts"}}
		}
		observed, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		house.SeeClock(t.Context(), w.House, host.Status{Control: "clock", State: host.InForce, Order: 1, Seen: o.Wall, Since: now.Add(-48 * time.Hour), Observed: observed})
	}
	b.Visit("clock", "/clock")
	b.As(webtest.Light)
	b.Open("/clock")
	says(b, "thing is wrong with the clock")
	says(b, "by line 8 of /etc/chrony/chrony.conf")
	if n := webtest.Eval[int](b, `document.querySelectorAll("figure.plot rect.bad").length`); n != 1 {
		t.Errorf("%d stretches stand out", n)
	}
	b.Visit("clock-week", "/clock?hours=168")
	b.As(webtest.Light)
	b.Visit("clock-source", "/clock/source")
	b.As(webtest.Light)
	b.Open("/clock/source")
	b.Fill("name", "time.example.net")
	b.Click(".foot button")
	at(b, "/clock")
	says(b, "time.example.net")
	says(b, "What is set here is not what was applied")
	b.Open("/clock/source?name=time.example.net")
	refill(b, "minpoll", "5")
	b.Click(".foot button")
	at(b, "/clock")
	b.Visit("clock-settings", "/clock/settings")
	b.As(webtest.Light)
	b.Open("/clock/settings")
	refill(b, "bound", "70")
	b.Click(".foot button")
	at(b, "/clock")
	says(b, "above 70 ms")
	if got := w.must(console, "clock.show", nil).Output.(clock.Standing).Desired; got.Bound != 70 || !strings.HasSuffix(got.Sources[4].Name, "example.net") || got.Sources[4].MinPoll != 5 || !got.Sources[4].NTS {
		t.Errorf("then it should be %+v", got)
	}
}

// refill puts text into a field that holds some.
func refill(b *webtest.Tab, name, text string) {
	webtest.Eval[string](b, `document.querySelector("[name=`+name+`]").value = ""`)
	b.Fill(name, text)
}
