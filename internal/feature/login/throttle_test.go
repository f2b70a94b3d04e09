package login

import (
	"testing"
	"time"
)

func TestNetworkIsWhatOneCustomerHas(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "unknown", "@": "unknown",
	} {
		if got := network(address); got != want {
			t.Errorf("%q is in %q, want %q", address, got, want)
		}
	}
}

// TestWaitsDoubleUpToAQuarterOfAnHour fails at once whenever it may.
func TestWaitsDoubleUpToAQuarterOfAnHour(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var b burden
	for i, want := range []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15} {
		b = networkKey("192.0.2.7").with(5).more(b, now)
		if got := b.until.Sub(now); got != want*time.Minute || b.kept.Sub(b.until) != window {
			t.Errorf("after failure %d it waits %s, and counts %s longer", i+1, got, b.kept.Sub(b.until))
		}
		now = b.until
	}
	if b = networkKey("192.0.2.7").with(5).more(b, b.kept); b.failures != 1 || b.until.After(b.last) {
		t.Errorf("once it counts no more: %+v", b)
	}
	for range 10_000 { // no number of failures makes the wait wrap around
		b = networkKey("192.0.2.7").with(5).more(b, now)
	}
	if got := b.until.Sub(now); got != window {
		t.Errorf("after ten thousand it waits %s", got)
	}
}

func (k key) with(free int) key { k.free = free; return k }

// TestNamesFillAllBucketsWhateverTheSalt: what is kept of names is bounded, and a
// stranger cannot say which of them share a row.
func TestNamesFillAllBucketsWhateverTheSalt(t *testing.T) {
	together := map[int]bool{}
	for salt := range 64 {
		seen := map[string]bool{}
		for i := range 500 {
			k := bucketOf(salt, "name"+time.Duration(i).String(), 10)
			if len(k.text) != len("name 00000") || k.lock == "" || k.free != 10 {
				t.Fatalf("a key is %+v", k)
			}
			seen[k.text] = true
		}
		if len(seen) < 490 {
			t.Errorf("500 names are in %d buckets", len(seen))
		}
		together[salt] = bucketOf(salt, "root", 10) == bucketOf(salt, "shop332377", 10)
	}
	n := 0
	for _, same := range together {
		if same {
			n++
		}
	}
	if n > 1 {
		t.Errorf("two names share a bucket under %d salts of 64", n)
	}
	if bucketOf(1, " ROOT ", 10) != bucketOf(1, "root", 10) {
		t.Error("one name in two spellings is two")
	}
}
