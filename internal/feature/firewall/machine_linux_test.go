package firewall

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/rr/transfer/transfertest"
)

// TestEveryServiceOpensAndCloses probes each port of the catalogue from outside, over
// TCP and UDP, IPv4 and IPv6. That IPv6 answers at all proves that neighbours are found.
func TestEveryServiceOpensAndCloses(t *testing.T) {
	if !apart(t) {
		return
	}
	out := outside(t)
	ports := []string{"49200/tcp", "9/tcp", "9/udp"} // the passive range of FTP, and what is in no service
	for _, e := range Catalogue() {
		for _, p := range e.Ports {
			if !slices.Contains(ports, p) {
				ports = append(ports, p)
			}
		}
	}
	for _, p := range ports {
		must(t, echo(p))
	}
	out.expect("without a firewall", probes(nil, ports))
	base := stored{Services: map[string]Service{}, Sets: []Set{{Name: "near", Networks: []string{"10.77.0.0/24", "fd77::/64"}}}}
	with := func(to func(i int) []string) *Desired {
		s := base
		s.Services = map[string]Service{}
		for i, e := range Catalogue() {
			x := Service{Name: e.Name, To: to(i), Ports: e.Ports}
			if e.Name == "ftp" {
				x.Ports = append(x.Ports, "49152-49407/tcp")
			}
			s.Services[e.Name] = x
		}
		d := s.desired(0)
		return &d
	}
	for _, c := range []struct {
		name string
		to   func(i int) []string
	}{
		{"all closed", func(int) []string { return []string{Nobody} }},
		{"all open", func(int) []string { return []string{All} }},
		{"every second open", func(i int) []string { return [][]string{{All}, {Nobody}}[i%2] }},
		{"the others open", func(i int) []string { return [][]string{{Nobody}, {All}}[i%2] }},
		{"to networks", func(i int) []string { return [][]string{{"10.77.0.0/24", "fd77::/64"}, {"10.78.0.2", "fd78::2"}}[i%2] }},
		{"to a set, and to networks of one family", func(i int) []string { return [][]string{{"@near"}, {"10.78.0.2-10.78.0.9"}}[i%2] }},
	} {
		d := with(c.to)
		apply(t, d)
		out.expect(c.name, probes(d, ports))
	}
	_, o := look(t, with(func(int) []string { return []string{All} }))
	if len(o.Counters) == 0 || !slices.ContainsFunc(o.Exposure, func(x Exposed) bool { return x.Port == 443 && x.Proto == "udp" && x.Program != "" }) {
		t.Errorf("counters and listeners are not seen: %+v", o)
	}
}

// TestOwnRulesDecideFirst probes rules, which go before services, in their order.
func TestOwnRulesDecideFirst(t *testing.T) {
	if !apart(t) {
		return
	}
	out := outside(t)
	ports := []string{"80/tcp", "8080/tcp", "8081/tcp", "8082/tcp", "8083/tcp", "5000/udp", "5001/udp", "22/tcp"}
	for _, p := range ports {
		must(t, echo(p))
	}
	rule := func(action, proto, ports, peers string) Rule {
		return Rule{Direction: "input", Action: action, Protocol: proto, Ports: words(ports), Peers: words(peers), Comment: "it's a rule: { ; # }"}
	}
	s := stored{Services: map[string]Service{"web": {Name: "web", To: []string{All}, Ports: []string{"80/tcp"}}},
		Sets: []Set{{Name: "bad", Networks: []string{"10.78.0.2", "fd78::/64"}}, {Name: "empty"}},
		Rules: []Rule{
			rule("accept", "tcp", "8080 8081", "10.78.0.0/24"), rule("accept", "any", "8083", "@empty"), rule("drop", "any", "", "@bad"), rule("reject", "tcp", "8081", "10.77.0.2"),
			rule("accept", "tcp", "8080-8082", ""), rule("accept", "any", "5000", "fd77::2, 10.77.0.2"), rule("accept", "udp", "", "fd77::2"), rule("reject", "tcp", "22", ""),
		}}
	d := s.desired(0)
	apply(t, &d)
	out.expect("rules", probes(&d, ports))
	slices.Reverse(d.Rules)
	apply(t, &d)
	out.expect("in reverse", probes(&d, ports))
	d.Rules = nil
	apply(t, &d)
	out.expect("without them", probes(&d, ports))
	apply(t, nil)
	out.expect("let go", probes(nil, ports))
}

// TestConnectionsSurvive keeps one exchanging data while the table is replaced, and
// while its port is closed to others.
func TestConnectionsSurvive(t *testing.T) {
	if !apart(t) {
		return
	}
	out := outside(t)
	must(t, echo("2222/tcp"))
	s := stored{Rules: []Rule{{Direction: "input", Action: "accept", Protocol: "tcp", Ports: []string{"2222"}}}}
	open, shut := s.desired(0), stored{}.desired(0)
	for _, to := range []string{"10.77.0.1:2222", "[fd77::1]:2222"} {
		apply(t, &open)
		lines := out.lines(out.helper("hold", "HOSTWARD_TO="+to))
		answered := func(line string) bool {
			if strings.HasPrefix(line, "over") {
				t.Fatal(line)
			}
			return true
		}
		last := out.await(lines, answered)
		for i := range 20 {
			d := []*Desired{&open, &shut}[i%2]
			apply(t, d)
			for range 2 { // one line may have been on its way
				last = out.await(lines, func(line string) bool { return answered(line) && line != last })
			}
		}
	}
	apply(t, &shut)
	out.expect("to others it is closed", probes(&shut, []string{"2222/tcp"}))
}

// dockerlike are tables such as Docker and others make, and two that could be taken
// for ours.
const dockerlike = `
table ip nat {
	chain DOCKER {
		iifname "docker0" counter return
		iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80
		iifname != "docker0" udp dport 5353 counter dnat to 172.17.0.2:53
	}
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local counter jump DOCKER
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 172.17.0.0/16 oifname != "docker0" counter masquerade
	}
}
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		oifname "docker0" ct state related,established counter accept
		oifname "docker0" ip daddr 172.17.0.2 counter accept
		iifname "docker0" counter accept
	}
}
table ip hostward {
	set x { type ipv4_addr; elements = { 192.0.2.1 } }
	chain input { type filter hook input priority 10; policy accept; counter; }
}
table inet f2b-table {
	set addr-set-sshd { type ipv4_addr; flags timeout; }
	chain f2b-chain { type filter hook input priority -1; policy accept; tcp dport 22 ip saddr @addr-set-sshd reject; }
}
`

// TestTablesOfOthers: they are as they were, to the byte and to the handle; what they
// publish is said, and closed on wish, while containers reach the outside.
func TestTablesOfOthers(t *testing.T) {
	if !apart(t) {
		return
	}
	out := outside(t)
	inside := join(t, "docker0")
	sh(t, "ip address add 172.17.0.1/16 dev docker0 && echo 1 > /proc/sys/net/ipv4/ip_forward")
	inside.run("ip address add 172.17.0.2/16 dev eth0 && ip route add default via 172.17.0.1")
	for n, ports := range map[*nearby]string{&inside: "80/tcp 53/udp", &out: "7000/tcp 7000/udp"} {
		n.await(n.lines(n.helper("echo", "HOSTWARD_PORTS="+ports)), func(line string) bool { return line == "ready" })
	}
	must(t, echo("8000/tcp"))
	load := exec.Command("nft", "-f", "-")
	load.Stdin = strings.NewReader(dockerlike)
	transfertest.Run(t, load)
	others := func() string {
		return sh(t, "for t in 'ip nat' 'ip filter' 'ip hostward' 'inet f2b-table'; do nft -s -a list table $t; done")
	}
	was := others()
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("10.77.0.1"), port) }
	from := netip.MustParseAddr("10.77.0.2")
	check := func(name string, d *Desired, tcp, udp, outward bool) (f []string, o Observed) {
		t.Helper()
		finding, o := apply(t, d)
		out.expect(name, []probe{{Proto: "tcp", From: from, To: at(8080), Want: tcp}, {Proto: "udp", From: from, To: at(5353), Want: udp}, {Proto: "tcp", From: from, To: at(8000), Want: d == nil}})
		container := netip.MustParseAddr("172.17.0.2")
		inside.expect(name+", outward", []probe{{Proto: "tcp", From: container, To: netip.AddrPortFrom(from, 7000), Want: outward}, {Proto: "udp", From: container, To: netip.AddrPortFrom(from, 7000), Want: outward}})
		if others() != was {
			t.Errorf("%s: tables of others are\n%s\nand were\n%s", name, others(), was)
		}
		return finding.Alarms, o
	}
	d := stored{}.desired(0)
	alarms, o := check("open", &d, true, true, true)
	if len(alarms) != 2 || !strings.Contains(alarms[1], "8080/tcp is open past the firewall: table ip nat sends it to 172.17.0.2:80") {
		t.Errorf("alarms: %q", alarms)
	}
	if len(o.Foreign) != 4 || len(o.Published) != 2 {
		t.Errorf("of others is seen: %+v %+v", o.Foreign, o.Published)
	}
	d.Containers = closed
	if alarms, _ = check("closed", &d, false, false, true); len(alarms) != 0 {
		t.Errorf("alarms: %q", alarms)
	}
	d.Rules = []Rule{{Direction: "forward", Action: "accept", Protocol: "tcp", Ports: []string{"8080"}, Peers: []string{"10.77.0.0/24"}}}
	_, o = check("declared", &d, true, false, true)
	if o.Published[0].State != "declared by rule 1 for 10.77.0.0/24" || o.Published[1].State != "closed" {
		t.Errorf("said: %+v", o.Published)
	}
	d.Rules[0].Peers = []string{"10.78.0.0/24"}
	check("declared for others", &d, false, false, true)
	d.Containers, d.Rules = none, nil
	check("nothing is forwarded", &d, false, false, false)
	check("let go", nil, true, true, true)
}

// TestOutputIsClosedOnWish: what is declared leaves, and nothing else.
func TestOutputIsClosedOnWish(t *testing.T) {
	if !apart(t) {
		return
	}
	out := outside(t)
	out.await(out.lines(out.helper("echo", "HOSTWARD_PORTS=443/tcp 53/udp 25/tcp 6000/tcp 6001/udp")), func(line string) bool { return line == "ready" })
	try := func(d Desired, want map[string]bool) {
		t.Helper()
		apply(t, &d)
		for at, ok := range want {
			port, proto, _ := strings.Cut(at, "/")
			for _, w := range ways()[1:3] {
				p := probe{Proto: proto, From: w[1], To: netip.MustParseAddrPort(net.JoinHostPort(w[0].String(), port)), Want: ok}
				if p.try(); p.Got != ok {
					t.Errorf("output %s: %s to %s is answered: %v", d.Output, at, w[0], p.Got)
				}
			}
		}
	}
	d := stored{}.desired(0)
	try(d, map[string]bool{"443/tcp": true, "6000/tcp": true, "6001/udp": true})
	d.Rules = []Rule{{Direction: "output", Action: "drop", Protocol: "tcp", Ports: []string{"6000"}}}
	try(d, map[string]bool{"443/tcp": true, "6000/tcp": false, "6001/udp": true})
	d.Output = deny
	d.Rules[0] = Rule{Direction: "output", Action: "accept", Protocol: "udp", Ports: []string{"6001"}, Peers: []string{"fd77::/64", "10.78.0.2"}}
	s := stored{Services: map[string]Service{"deliver": {Name: "deliver", To: []string{Nobody}, Ports: []string{"25/tcp"}}}}
	d.Services = s.desired(0).Services
	try(d, map[string]bool{"443/tcp": true, "53/udp": true, "25/tcp": false, "6000/tcp": false, "6001/udp": true})
}

// TestPathMTU sends much through a router whose next link is narrow: that works only
// if its ICMP and ICMPv6 messages come through (RFC 1191, RFC 8201).
func TestPathMTU(t *testing.T) {
	if !apart(t) {
		return
	}
	router := outside(t)
	far := transfertest.NewPlace(t)
	end := nearby{far, t}
	_, rest, _ := strings.Cut(far.Within[1], "/proc/")
	pid, _, _ := strings.Cut(rest, "/")
	router.run("ip link add far0 type veth peer name eth0 netns " + pid + " && ip link set far0 mtu 1300 up && ip address add 10.79.0.1/24 dev far0 && ip -6 address add fd79::1/64 dev far0 nodad && echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
	end.run("ip link set eth0 up && ip address add 10.79.0.2/24 dev eth0 && ip -6 address add fd79::2/64 dev eth0 nodad && ip route add default via 10.79.0.1 && ip -6 route add default via fd79::1")
	sh(t, "ip route add 10.79.0.0/24 via 10.77.0.2 && ip -6 route add fd79::/64 via fd77::2")
	end.await(end.lines(end.helper("echo", "HOSTWARD_PORTS=7000/tcp")), func(line string) bool { return line == "ready" })
	d := stored{}.desired(0)
	d.Output = deny
	d.Rules = []Rule{{Direction: "output", Action: "accept", Protocol: "tcp", Ports: []string{"7000"}}}
	apply(t, &d)
	for _, to := range []string{"10.79.0.2:7000", "[fd79::2]:7000"} {
		c, err := net.DialTimeout("tcp", to, patience)
		must(t, err)
		must(t, c.SetDeadline(time.Now().Add(patience)))
		const much = 300_000
		go func() { _, _ = c.Write(make([]byte, much)) }()
		if n, err := io.CopyN(io.Discard, c, much); err != nil {
			t.Errorf("%s: %d octets came back: %v", to, n, err)
		}
		_ = c.Close()
	}
	if got := sh(t, "ip route get 10.79.0.2; ip -6 route get fd79::2"); strings.Count(got, "mtu 1300") != 2 {
		t.Errorf("the narrow link was not learnt, so that this test proves nothing:\n%s", got)
	}
}

// TestTheBootLoadsTheSame: the file that is loaded at boot makes the same table in a
// network that has none, and again where there is one.
func TestTheBootLoadsTheSame(t *testing.T) {
	if !apart(t) {
		return
	}
	d := wish()
	apply(t, &d)
	info, err := os.Stat(BootFile)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("it has the mode %o", info.Mode())
	}
	list := "nft -s list table inet hostward"
	place := nearby{transfertest.NewPlace(t), t}
	for range 2 {
		place.run("nft -f " + BootFile)
		if here, there := sh(t, list), place.run(list); here != there {
			t.Fatalf("here is\n%s\nand there\n%s", here, there)
		}
	}
	// What hands bring back is the same too.
	undo, err := hands.Machine{}.Undo(t.Context(), host.LoadTable{Family: "inet", Name: "hostward"})
	must(t, err)
	was := sh(t, list)
	apply(t, nil)
	if _, err := os.Stat(BootFile); !os.IsNotExist(err) || strings.Contains(sh(t, "nft list tables"), "hostward") {
		t.Errorf("letting go leaves the table or the file: %v", err)
	}
	must(t, hands.Machine{}.Do(t.Context(), undo))
	if now := sh(t, list); now != was {
		t.Errorf("brought back is\n%s\nand it was\n%s", now, was)
	}
}

// TestDriftIsSeen: each thing that somebody could do to the table shows, and is undone.
func TestDriftIsSeen(t *testing.T) {
	if !apart(t) {
		return
	}
	d := wish()
	for command, says := range map[string]string{
		"nft add rule inet hostward input tcp dport 23 accept":                        "− input: tcp dport 23 accept",
		"nft insert rule inet hostward input accept":                                  "− input: accept",
		"nft flush chain inet hostward forward":                                       "+ forward: ct state",
		"nft add element inet hostward set_office_4 { 203.0.113.77 }":                 "the elements of set_office_4 differ",
		"nft delete element inet hostward set_bad_6 { 2001:db8:bad::/48 }":            "the elements of set_bad_6 differ",
		"nft chain inet hostward input '{ policy accept; }'":                          "+ input: type filter hook input priority filter; policy drop;",
		"nft delete table inet hostward":                                              "+ input: type filter",
		"nft flush ruleset":                                                           "+ input: type filter",
		"nft add chain inet hostward early '{ type filter hook input priority -9; }'": "early",
		"echo '# mine' >> " + BootFile:                                                BootFile + " is written",
		"rm " + BootFile:                                                              BootFile + " is written",
	} {
		apply(t, &d)
		sh(t, command)
		f, _ := look(t, &d)
		if len(f.Steps) == 0 || !slices.ContainsFunc(f.Lines(), func(l string) bool { return strings.Contains(l, says) }) {
			t.Errorf("after %q it says\n%s", command, strings.Join(f.Lines(), "\n"))
		}
	}
	apply(t, &d)
}

// TestWithoutNft there is a fault that names it, and nothing is half done.
func TestWithoutNft(t *testing.T) {
	if !apart(t) {
		return
	}
	sh(t, "mount -t tmpfs none /usr/sbin")
	d := wish()
	raw := []byte(`{"panel":0,"output":"allow","containers":"open","bridges":[],"log":true,"lockout":false,"services":[],"rules":[],"sets":[]}`)
	if _, err := machine().Look(t.Context(), hands.Machine{}, raw); err == nil || !strings.Contains(err.Error(), "/usr/sbin/nft is not installed") {
		t.Errorf("it says: %v", err)
	}
	if err := (hands.Machine{}).Do(t.Context(), host.LoadTable{Family: "inet", Name: "hostward", Rules: d.Table(true)}); err == nil {
		t.Error("it was loaded")
	}
}

// TestALargeSet loads 100,000 networks and as many addresses in one transaction.
func TestALargeSet(t *testing.T) {
	if !apart(t) {
		return
	}
	out := outside(t)
	must(t, echo("80/tcp"))
	ranges := append(addresses(mostElements-2), "10.78.0.0/24", "fd78::/64")
	s := stored{Services: map[string]Service{"web": {Name: "web", To: []string{All}, Ports: []string{"80/tcp"}}},
		Rules: []Rule{{Direction: "input", Action: "drop", Protocol: "any", Peers: []string{"@networks", "@single"}}},
		Sets:  []Set{{Name: "networks", Networks: ranges}, {Name: "single", Networks: addresses(mostElements)}}}
	d := s.desired(0)
	for _, x := range d.Sets {
		if _, single := x.contents(true); single != (x.Name == "single") {
			t.Errorf("%s is a hash: %v", x.Name, single)
		}
	}
	begin := time.Now()
	apply(t, &d)
	t.Logf("100,000 networks and 100,000 addresses: looked at, loaded and looked at again in %s", time.Since(begin))
	out.expect("with large sets", probes(&d, []string{"80/tcp"}))
	begin = time.Now()
	if f, _ := look(t, &d); len(f.Steps) > 0 {
		t.Errorf("this is left: %s", f.Lines())
	}
	t.Logf("looked at in %s", time.Since(begin))
}
