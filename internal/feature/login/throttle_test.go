package login

import "testing"

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
