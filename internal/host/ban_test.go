package host_test

import (
	"net/netip"
	"testing"

	"hostward/internal/host"
)

func TestWhatMayBeBanned(t *testing.T) {
	for text, ok := range map[string]bool{
		"192.0.2.7/32": true, "192.0.2.0/24": true, "10.0.0.0/8": true, "2001:db8::/64": true, "2001:db8::1/128": true, "::ffff:192.0.2.7/128": true,
		"0.0.0.0/0": false, "::/0": false, "8.0.0.0/7": false, "2000::/3": false, "127.0.0.1/32": false, "126.0.0.0/7": false, "::1/128": false,
		"::ffff:127.0.0.1/128": false, "169.254.3.4/32": false, "fe80::1/128": false, "224.0.0.251/32": false, "255.255.255.255/32": false, "ff02::1/128": false,
		"::ffff:0:0/96": false, "0.0.0.0/32": false,
	} {
		if err := host.Bannable(host.Plain(netip.MustParsePrefix(text))); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := host.Bannable(netip.Prefix{}); err == nil {
		t.Error("no prefix at all may be banned")
	}
	if got := host.Plain(netip.MustParsePrefix("::ffff:192.0.2.7/120")).String(); got != "192.0.2.0/24" {
		t.Errorf("mapped: %s", got)
	}
}
