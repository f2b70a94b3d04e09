package ini_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hostward/internal/core"
	"hostward/internal/ini"
)

func read(t *testing.T, text string) ini.Policy {
	t.Helper()
	p, _, faults := ini.Read([]byte(text))
	if err := faults.Err(); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return p
}

func TestAnEmptyFileMeansTheDefaults(t *testing.T) {
	if d := ini.Diff(ini.Default(), read(t, "")); len(d) != 0 {
		t.Errorf("differs in %v", d)
	}
}

func TestDecodesEveryKey(t *testing.T) {
	got := read(t, `
[actionLog]
nis2compliant = true
api.includeImmutable = Yes
syslog = on
syslogFacility = "LOCAL3"
[api]
enabled = 0
allowedIPs = 192.0.2.7,198.51.100.0/24  2001:db8::/32 ::ffff:203.0.113.9
dnsUpdate = on
[panel]
url = "https://panel.example.org:8443"
[proxy]
trusted = 127.0.0.1 10.0.0.0/8
header = forwarded
[mail]
server = mail.example.org:587
tls = implicit
from = panel@example.org
user = panel
passwordFile = /etc/hostward/mail.password
[dns]
rateLimit = 50
rateLimitSlip = 3
rateLimitExempt = 192.0.2.0/24
catalog = catalog.example.net
nsid = ns1.example.net
version = "ask the panel"
`)
	want := ini.Policy{
		NIS2: true, IncludeReads: true, Syslog: true, SyslogFacility: "local3", DNSUpdate: ini.On,
		APIAllowed: ini.Allowed{Networks: networks(t, "192.0.2.7", "198.51.100.0/24", "2001:db8::/32", "203.0.113.9")},
		URL:        "https://panel.example.org:8443", Proxies: networks(t, "127.0.0.1", "10.0.0.0/8"), ProxyHeader: "Forwarded",
		Mail: ini.Mail{Server: "mail.example.org:587", TLS: "implicit", From: "panel@example.org", User: "panel", PasswordFile: "/etc/hostward/mail.password"},
		DNS:  ini.DNS{Rate: 50, Slip: 3, Exempt: networks(t, "192.0.2.0/24"), Catalog: "catalog.example.net", NSID: "ns1.example.net", Version: "ask the panel"},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
}

func TestNumbersHaveLimits(t *testing.T) {
	for _, line := range []string{"rateLimit = 4001", "rateLimit = -1", "rateLimit = many", "rateLimit =", "rateLimitSlip = 0", "rateLimitSlip = 11"} {
		if _, _, faults := ini.Read([]byte("[dns]\n" + line + "\n")); len(faults) != 1 || !strings.Contains(faults[0].String(), "a number from") {
			t.Errorf("%s: %v", line, faults)
		}
	}
}

func networks(t *testing.T, texts ...string) (list []core.Network) {
	t.Helper()
	for _, text := range texts {
		n, err := core.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func TestEveryWordForOff(t *testing.T) {
	for _, word := range []string{"off", "false", "0", "no", "OFF", `"off"`, "None"} {
		if err := read(t, "[api]\nenabled = "+word).API(netip.MustParseAddr("192.0.2.1")); core.CodeOf(err) != core.Denied {
			t.Errorf("%s: %v, want denied", word, err)
		}
	}
}

func TestWhoMayCallTheAPI(t *testing.T) {
	for _, c := range []struct {
		file, addr string
		api, dns   bool
	}{
		{"", "203.0.113.5", true, true},
		{"[api]\nallowedIPs =", "192.0.2.1", false, false},
		{"[api]\nallowedIPs = \"\"", "::1", false, false},
		{"[api]\nallowedIPs = 192.0.2.0/24", "192.0.2.200", true, true},
		{"[api]\nallowedIPs = 192.0.2.0/24", "::ffff:192.0.2.200", true, true},
		{"[api]\nallowedIPs = 192.0.2.0/24", "192.0.3.1", false, false},
		{"[api]\nallowedIPs = 0.0.0.0/0", "2001:db8::1", false, false},
		{"[api]\nallowedIPs = fe80::/10", "fe80::1%eth0", true, true},
		{"[api]\nenabled = off", "192.0.2.1", false, false},
		{"[api]\nenabled = off\ndnsUpdate = on", "192.0.2.1", false, true},
		{"[api]\nenabled = off\ndnsUpdate = on\nallowedIPs = 192.0.2.2", "192.0.2.1", false, false},
		{"[api]\ndnsUpdate = off", "192.0.2.1", true, false},
	} {
		p, addr := read(t, c.file), netip.MustParseAddr(c.addr)
		for name, got := range map[string]error{"API": p.API(addr), "UPDATE": p.Update(addr)} {
			want := c.api
			if name == "UPDATE" {
				want = c.dns
			}
			if (got == nil) != want || got != nil && core.CodeOf(got) != core.Denied {
				t.Errorf("%q: %s from %s: %v, want allowed %v", c.file, name, c.addr, got, want)
			}
		}
	}
}

func TestTheZeroPolicyRefuses(t *testing.T) {
	if err := (ini.Policy{}).API(netip.MustParseAddr("192.0.2.1")); core.CodeOf(err) != core.Denied {
		t.Errorf("%v, want denied", err)
	}
}

func TestWrongValuesAreFaults(t *testing.T) {
	for text, want := range map[string]string{
		"[api]\nenabled = maybe":                  `line 2, column 11, [api] enabled "maybe": on, yes`,
		"[api]\nenabled =":                        "on, yes, true or 1",
		"[api]\nenabled[] = on":                   "one value, without []",
		"[api]\nenabled = off # now":              `a comment begins with ";"`,
		"[API]\nenabled = off":                    "written [api] enabled, in just these letters",
		"[api]\nAllowedIps = 192.0.2.1":           "written [api] allowedIPs, in just these letters",
		"[api]\nallowedIPs = 192.0.2.1/24":        "write 192.0.2.0/24 for the network or 192.0.2.1 for the one address",
		"[api]\nallowedIPs = 192.0.2":             `"192.0.2": an address or a network`,
		"[api]\nallowedIPs = 192.*.2.1":           "stars for whole parts",
		"[api]\nallowedIPs = example.org, ::1":    `"example.org": an address`,
		"[api]\nallowedIPs = fe80::1%eth0":        "an address or a network",
		"[api]\nallowedIPs = ::ffff:10.0.0.0/104": "an IPv4 network in its own form",
		"[actionLog]\nsyslogFacility = local8":    "local0 to local7, auth",
		"[api]\nenabled = wrong\nenabled = on":    `"wrong"`,
	} {
		if _, _, faults := ini.Read([]byte(text)); !strings.Contains((&core.Error{Faults: faults}).Sentence(), want) {
			t.Errorf("%q: the faults are %v, want one with %s", text, faults, want)
		}
	}
}

func TestUnknownKeysAreNotes(t *testing.T) {
	_, notes, faults := ini.Read([]byte("[api]\nother = 1\nenabled = off\nenabled = on\nallowedIPs = 192.168.0.0\n[cli]\ngate = x\n"))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	want := []ini.Note{
		{2, "the key [api] other is unknown; it is kept and does nothing"},
		{3, "[api] enabled stands again on line 4, which holds"},
		{5, "192.168.0.0 is one address; its network is written 192.168.0.0/24"},
		{7, "the key [cli] gate is unknown; it is kept and does nothing"},
	}
	if d := cmp.Diff(want, notes); d != "" {
		t.Error(d)
	}
}

func TestDiffNamesOldAndNewTexts(t *testing.T) {
	got := ini.Diff(read(t, "[api]\nallowedIPs ="), read(t, "[api]\ndnsUpdate=on\n[actionLog]\nnis2compliant=on"))
	want := []ini.Change{
		{"[actionLog] nis2compliant", "off", "on"},
		{"[api] allowedIPs", "nobody", "everyone"},
		{"[api] dnsUpdate", "as [api] enabled", "on"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTextReadsBackAsTheSamePolicy(t *testing.T) {
	for _, file := range []string{
		"", "[panel]\nurl=https://panel.example.org\n[proxy]\ntrusted=::1\nheader=X-Real-IP\n[mail]\nserver=localhost\nfrom=a@b.example\ntls=none", "[api]\nallowedIPs =", "[api]\nallowedIPs = ::/0, 10.1.2.3 10.0.0.0/8\ndnsUpdate = off",
		"[actionLog]\nnis2compliant=1\nsyslog=1\nsyslogFacility=mail\n[api]\nenabled=off",
	} {
		p := read(t, file)
		if d := ini.Diff(p, read(t, string(p.Text()))); len(d) != 0 {
			t.Errorf("%q: %s reads back with %v", file, p.Text(), d)
		}
	}
}
