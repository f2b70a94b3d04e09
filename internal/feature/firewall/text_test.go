package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/host"
)

// wish is a firewall with something of everything.
func wish() Desired {
	s := stored{
		Settings: map[string]string{"output": deny, "containers": closed},
		Services: map[string]Service{
			"web":  {Name: "web", To: []string{All}, Ports: []string{"80/tcp", "443/tcp"}},
			"imap": {Name: "imap", To: []string{"192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "@office"}, Ports: []string{"143/tcp", "993/tcp"}},
			"ftp":  {Name: "ftp", To: []string{All}, Ports: []string{"21/tcp", "49152-49407/tcp"}},
		},
		Rules: []Rule{
			{ID: "fr_1", Direction: "input", Protocol: "tcp", Ports: []string{"9000-9010", "9005", "9100"}, Peers: []string{"@office"}, Action: "accept", Comment: "monitoring"},
			{ID: "fr_2", Direction: "input", Protocol: "any", Peers: []string{"@bad"}, Action: "drop"},
			{ID: "fr_3", Direction: "forward", Protocol: "tcp", Ports: []string{"8080"}, Action: "accept", Comment: "the shop's container"},
			{ID: "fr_4", Direction: "output", Protocol: "udp", Ports: []string{"514"}, Peers: []string{"192.0.2.1"}, Action: "reject"},
			{ID: "fr_5", Direction: "input", Protocol: "any", Ports: []string{"7"}, Action: "reject"},
		},
		Sets: []Set{
			{Name: "bad", Networks: []string{"198.51.100.0/25", "198.51.100.128/25", "203.0.113.1-203.0.113.9", "2001:db8:bad::/48"}},
			{Name: "office", Networks: []string{"192.0.2.1", "192.0.2.2", "192.0.2.9"}},
		},
	}
	return s.desired(9443)
}

func TestWhatShouldBeIsValidated(t *testing.T) {
	if err := wish().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(d *Desired)
		says   string
	}{
		"a comment that ends its quotes": {func(d *Desired) { d.Rules[0].Comment = `x" accept; add rule inet hostward input accept comment "` }, "without quotes"},
		"a line break in a comment":      {func(d *Desired) { d.Rules[0].Comment = "x\naccept" }, "without quotes"},
		"a name of a set":                {func(d *Desired) { d.Sets[0].Name = "a }" }, "small letters"},
		"two sets of one name":           {func(d *Desired) { d.Sets[0].Name = "office" }, "once"},
		"a network of a set":             {func(d *Desired) { d.Sets[0].Networks[0] = "192.0.2.0/24 }; flush ruleset" }, "an address or a network"},
		"a network of a service":         {func(d *Desired) { d.Services[0].To = []string{"0.0.0.0/0", "all"} }, "an address or a network"},
		"a set that is not there":        {func(d *Desired) { d.Rules[0].Peers = []string{"@nobody"} }, "a set that there is"},
		"an interface":                   {func(d *Desired) { d.Bridges = []string{`docker0" accept`} }, "interface"},
		"a port of a service":            {func(d *Desired) { d.Services[0].Ports = []string{"80/sctp"} }, "8080/tcp"},
		"a port of a rule":               {func(d *Desired) { d.Rules[0].Ports = []string{"0"} }, "8080"},
		"a range the wrong way":          {func(d *Desired) { d.Rules[0].Ports = []string{"90-80"} }, "8080"},
		"a service that is not there":    {func(d *Desired) { d.Services[0].Name = "telnet" }, "catalogue"},
		"a direction":                    {func(d *Desired) { d.Rules[0].Direction = "prerouting" }, "input, output, forward"},
		"an action":                      {func(d *Desired) { d.Rules[0].Action = "queue" }, "accept, drop, reject"},
		"output":                         {func(d *Desired) { d.Output = "maybe" }, "allow, deny"},
		"too large a set":                {func(d *Desired) { d.Sets[0].Networks = addresses(mostElements + 1) }, "at most 100000"},
		"a panel that nobody reaches":    {func(d *Desired) { d.Services[0].To = []string{Nobody} }, "shut out everybody"},
		"a rule that shuts the panel": {func(d *Desired) {
			d.Rules[0] = Rule{Direction: "input", Protocol: "tcp", Ports: []string{"9443"}, Action: "drop"}
		}, "shut out everybody"},
	} {
		d := wish()
		c.change(&d)
		if err := d.Validate(); err == nil || !strings.Contains(core.AsError(err).Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if d.Lockout = true; strings.Contains(c.says, "everybody") && d.Validate() != nil {
			t.Errorf("%s is refused although it was said explicitly", name)
		}
	}
}

// addresses are n of them, no two of which touch.
func addresses(n int) (out []string) {
	for i := range n {
		a := uint32(0x0a000000) + uint32(i)*2
		out = append(out, netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}).String())
	}
	return out
}

func TestWhoReachesAPort(t *testing.T) {
	d := wish()
	for at, want := range map[string]string{
		"tcp 443": "all, but not @bad", "tcp 143": "192.0.2.0/24, 198.51.100.7, 2001:db8::/32, @office, but not @bad", "tcp 9005": "@office, but not @bad",
		"tcp 49200": "all, but not @bad", "udp 443": Nobody, "tcp 3306": Nobody, "tcp 7": Nobody, "tcp 9443": "all, but not @bad",
	} {
		var proto string
		var port uint16
		if _, err := fmt.Sscan(at, &proto, &port); err != nil {
			t.Fatal(err)
		}
		if got := d.reach(proto, port).String(); got != want {
			t.Errorf("%s is reached by %q, not %q", at, got, want)
		}
	}
	for _, c := range []struct {
		from string
		port uint16
		want bool
	}{
		{"127.0.0.1", 3306, true}, {"::1", 3306, true}, {"192.0.2.200", 143, true}, {"::ffff:192.0.2.200", 143, true}, {"198.51.100.8", 143, false}, {"198.51.100.7", 143, false},
		{"203.0.113.9", 443, false}, {"203.0.113.10", 443, true}, {"192.0.2.9", 9100, true}, {"192.0.2.8", 9100, false}, {"2001:db8:bad::1", 9443, false},
	} {
		if got := d.admits(netip.MustParseAddr(c.from), "tcp", c.port); got != c.want {
			t.Errorf("from %s to %d: %v", c.from, c.port, got)
		}
	}
}

func TestNetworksAreJoined(t *testing.T) {
	var list []core.Network
	for _, s := range strings.Fields("10.0.0.128/25 10.0.0.0/25 10.0.1.0-10.0.1.7 10.0.1.5 255.255.255.255 255.255.255.0/24 ::/0 2001:db8::1 192.0.2.1 192.0.2.3") {
		n, err := core.ParseNetwork(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	if got := joined(merge(list), " "); got != "10.0.0.0-10.0.1.7 192.0.2.1 192.0.2.3 255.255.255.0/24 ::/0" {
		t.Error(got)
	}
}

func TestListenersAreRead(t *testing.T) {
	got := parseListeners(`udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=1))
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=9,fd=3))
tcp LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=9,fd=4))
tcp LISTEN 0 128 *:8443 *:*
tcp LISTEN 0 1 [fe80::1%eth0]:80 [::]:*
nonsense
`)
	want := []Listener{{"udp", "127.0.0.53", 53, "systemd-resolve"}, {"tcp", "0.0.0.0", 22, "sshd"}, {"tcp", "::", 22, "sshd"}, {"tcp", "*", 8443, ""}, {"tcp", "fe80::1", 80, ""}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got[0].outside() || !got[1].outside() || !got[3].outside() {
		t.Error("who is outside")
	}
}

func TestWhatIsPublishedIsRead(t *testing.T) {
	const table = `table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local counter jump DOCKER
	}
	chain DOCKER {
		iifname "docker0" counter return
		iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80
		iifname != "docker0" ip daddr 127.0.0.1 tcp dport 9090 counter dnat to 172.17.0.2:90
		udp dport { 5000-5010, 6000 } dnat to 172.17.0.3
		meta l4proto tcp counter xt match "tcp" xt target "DNAT"
		tcp dport != 22 dnat ip to 172.17.0.9
		tcp dport 81 redirect to :80
	}
}
`
	f, list := parseForeign("ip nat", table)
	if f.Rules != 8 || strings.Join(f.Hooks, " ") != "prerouting" {
		t.Errorf("%+v", f)
	}
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprintf("%s [%s] %s %v", p.Port(), p.Address, p.To, p.local()))
	}
	want := []string{"8080/tcp [] 172.17.0.2:80 false", "9090/tcp [127.0.0.1] 172.17.0.2:90 true", "5000-5010/udp [] 172.17.0.3 false", "6000/udp [] 172.17.0.3 false",
		"every port [] a place that nft cannot read false", "every port [] 172.17.0.9 false"}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	d := wish()
	if s := d.past(list[0]); s != "declared by rule 3 for all" {
		t.Error(s)
	}
	if s := d.past(list[2]); s != "closed" {
		t.Error(s)
	}
	if d.Containers = open; d.past(list[2]) != openPast || d.past(list[4]) != openPast {
		t.Error("what passes is not said")
	}
}

// TestThePlanIsPure: the machine is text, and so is what would be done.
func TestThePlanIsPure(t *testing.T) {
	d := wish()
	lines := func(steps []host.Step) string {
		var out []string
		for _, s := range steps {
			text, _, _ := strings.Cut(s.String(), ":")
			out = append(out, text)
		}
		return strings.Join(out, "; ")
	}
	for _, c := range []struct {
		name string
		want *Desired
		have Observed
		plan string
	}{
		{"nothing is there", &d, Observed{wanted: "t"}, "load nftables table inet hostward; write " + BootFile},
		{"all is there", &d, Observed{Loaded: true, table: "t", wanted: "t", Boot: true, file: true}, ""},
		{"elements differ", &d, Observed{Loaded: true, table: "t", wanted: "t", Boot: true, file: true, Sets: []string{"set_bad_4"}}, "load nftables table inet hostward"},
		{"the file was edited", &d, Observed{Loaded: true, table: "t", wanted: "t", file: true}, "write " + BootFile},
		{"let go", nil, Observed{Loaded: true, table: "t", file: true}, "remove nftables table inet hostward; remove " + BootFile},
		{"nothing to let go", nil, Observed{}, ""},
	} {
		if got := lines(plan(c.want, c.have)); got != c.plan {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	got := diff(&d, Observed{table: "chain input {\n\ttcp dport 22 accept\n\tdrop\n}\n", wanted: "chain input {\n\ttcp dport 23 accept\n\tdrop\n}\n", Boot: true})
	if strings.Join(got, "|") != "− input: tcp dport 22 accept|+ input: tcp dport 23 accept" {
		t.Error(got)
	}
}

func FuzzTables(f *testing.F) {
	f.Add(wish().Table(true))
	f.Add("set x {\n elements = { 1.2.3.4, }\n")
	f.Add("chain x {\n tcp dport { dnat to\n dport dnat\n dnat\n")
	f.Fuzz(func(_ *testing.T, text string) {
		withoutElements(text)
		parseForeign("ip nat", text)
		parseListeners(text)
	})
}
