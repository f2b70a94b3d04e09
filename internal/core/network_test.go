package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"hostward/internal/core"
)

func TestReadsEveryFormOfNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", " 192.0.2.7 ": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:DB8::1": "2001:db8::1",
		"192.0.2.0/24": "192.0.2.0/24", "192.0.2.7/32": "192.0.2.7", "2001:db8::/32": "2001:db8::/32", "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
		"192.0.2.0/255.255.255.0": "192.0.2.0/24", "192.0.2.7/255.255.255.255": "192.0.2.7", "0.0.0.0/0.0.0.0": "0.0.0.0/0",
		"192.0.2.*": "192.0.2.0/24", "192.0.*.*": "192.0.0.0/16", "10.*": "10.0.0.0/8", "10.*.*.*": "10.0.0.0/8", "2001:db8:1:2:*": "2001:db8:1:2::/64",
		"2001:db8:1:2:*:*:*:*":  "2001:db8:1:2::/64",
		"192.0.2.10-192.0.2.20": "192.0.2.10-192.0.2.20", "192.0.2.10 - 192.0.2.20": "192.0.2.10-192.0.2.20", "192.0.2.10-20": "192.0.2.10-192.0.2.20",
		"192.0.2.0-192.0.2.255": "192.0.2.0/24", "192.0.2.7-7": "192.0.2.7", "2001:db8::1-2001:db8::ff": "2001:db8::1-2001:db8::ff",
	} {
		n, err := core.ParseNetwork(text)
		if err != nil || n.String() != want {
			t.Errorf("%q is %s, %v; want %s", text, n, err, want)
			continue
		}
		if again, err := core.ParseNetwork(n.String()); err != nil || again != n {
			t.Errorf("%s reads back as %s, %v", n, again, err)
		}
	}
}

func TestRefusesWhatIsNoNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"": "an address", "example.org": "an address", "192.0.2": "an address", "192.0.2.256": "an address", "fe80::1%eth0": "an address",
		"192.0.2.1/24": "write 192.0.2.0/24 for the network or 192.0.2.1 for the one address",
		"192.0.2.0/33": "an address", "192.0.2.0/255.0.255.0": "an address", "192.0.2.0/": "an address", "/24": "an address", "1.2.3.4/24/24": "an address",
		"::ffff:10.0.0.0/104": "an IPv4 network in its own form",
		"*":                   "stars for whole parts", "192.*.2.1": "stars for whole parts", "192.0.2.1*": "stars for whole parts", "1.2.3.4.*": "stars for whole parts",
		"192.0.2.**": "stars for whole parts", "2001::*": "stars for whole parts", "192.0..*": "stars for whole parts", "300.*": "an address", "1.2.3.*.*": "stars for whole parts",
		"192.0.2.20-192.0.2.10": "192.0.2.10-192.0.2.20", "192.0.2.1-2001:db8::1": "within IPv4", "192.0.2.1-": "an address", "-1": "an address",
		"192.0.2.1-300": "an address", "192.0.2.0/24-192.0.3.0/24": "an address",
	} {
		if n, err := core.ParseNetwork(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %s, %v; want an error with %q", text, n, err, want)
		}
	}
}

func TestAListNamesEveryWrongItem(t *testing.T) {
	var f core.Faults
	list := core.ParseNetworks(&f, "networks", "192.0.2.7,198.51.100.0/24\n 2001:db8::/32 ; 10.0.0.1 - 10.0.0.9 192.0.2.1/24,example")
	if fmt.Sprint(list) != "[192.0.2.7 198.51.100.0/24 2001:db8::/32 10.0.0.1-10.0.0.9]" {
		t.Errorf("the list is %v", list)
	}
	if len(f) != 3 || f[0].Value != ";" || f[1].Value != "192.0.2.1/24" || f[2].Field != "networks" {
		t.Errorf("the faults are %v", f)
	}
}

func TestASetContainsWhatItsNetworksContain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var list []core.Network
		for range r.IntN(40) {
			a, b := netip.AddrFrom4([4]byte{10, 0, 0, byte(r.Uint32())}), netip.AddrFrom4([4]byte{10, 0, 0, byte(r.Uint32())})
			if r.IntN(3) == 0 {
				a, b = netip.AddrFrom16([16]byte{15: byte(r.Uint32())}), netip.AddrFrom16([16]byte{15: byte(r.Uint32())})
			}
			if b.Less(a) {
				a, b = b, a
			}
			list = append(list, core.Network{First: a, Last: b})
		}
		set := core.NewNetworks(append([]core.Network(nil), list...))
		for last := range 256 {
			for _, a := range []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(last)}), netip.AddrFrom16([16]byte{15: byte(last)})} {
				want := false
				for _, n := range list {
					want = want || n.Contains(a)
				}
				if got := set.Contains(a); got != want {
					t.Fatalf("%s in %v: %v, want %v", a, list, got, want)
				}
			}
		}
	}
}

func TestASetTakesMappedAndZonedAddressesForWhatTheyAre(t *testing.T) {
	all := []core.Network{}
	for _, text := range []string{"192.0.2.0/24", "fe80::/10"} {
		n, err := core.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	set := core.NewNetworks(all)
	for text, want := range map[string]bool{"192.0.2.200": true, "::ffff:192.0.2.200": true, "fe80::1%eth0": true, "192.0.3.1": false, "2001:db8::1": false} {
		a := netip.MustParseAddr(text)
		if got := set.Contains(a); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if set.Contains(netip.Addr{}) || new(core.Networks).Contains(netip.MustParseAddr("::1")) {
		t.Error("an empty set, or no address, is contained")
	}
}

func FuzzParseNetwork(f *testing.F) {
	for _, seed := range []string{"192.0.2.0/24", "10.*", "1.2.3.4-9", "2001:db8:*", "1.2.3.4/255.0.0.0", "::-::1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := core.ParseNetwork(text)
		if err != nil {
			return
		}
		again, err := core.ParseNetwork(n.String())
		if err != nil || again != n || !n.Contains(n.First) || !n.Contains(n.Last) || n.Last.Less(n.First) {
			t.Fatalf("%q is %s, which reads back as %s, %v", text, n, again, err)
		}
	})
}

// A look-up in 100 000 networks, half of them IPv6 (SPEC A1: below 1 µs).
func BenchmarkContains(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var list []core.Network
	var asked []netip.Addr
	for range 50_000 {
		v4 := netip.AddrFrom4([4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		v6 := netip.AddrFrom16([16]byte{0x20, 1, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		list = append(list, core.Network{First: v4, Last: v4}, core.Network{First: v6, Last: v6.Next()})
		asked = append(asked, v4, v6)
	}
	set := core.NewNetworks(list)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if !set.Contains(asked[i%len(asked)]) {
			b.Fatal("an address of the list was not found")
		}
	}
}
