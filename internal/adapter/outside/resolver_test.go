package outside_test

import (
	"strings"
	"testing"

	"hostward/internal/adapter/outside"
)

func TestTheSystemsResolverIsItsFirstNameserver(t *testing.T) {
	for text, want := range map[string]string{
		"# x\nsearch example\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n": "192.0.2.53:53",
		"nameserver\nnameserver resolver.example\nnameserver 2001:db8::53":    "[2001:db8::53]:53",
		"nameserver fe80::1%eth0\n":                                           "[fe80::1%eth0]:53",
		"options edns0\n":                                                     "",
		"":                                                                    "",
	} {
		if got := outside.SystemResolver(strings.NewReader(text)); got != want {
			t.Errorf("%q: %q, expected %q", text, got, want)
		}
	}
}
