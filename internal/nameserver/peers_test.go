package nameserver_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core/coretest"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

// peer is another authoritative server, serving the same zone: the file
// itself, or what rr.WriteZone makes of it where $GENERATE is not known.
type peer struct {
	name, binary string
	exported     bool
	config       string // %[1]d port, %[2]s folder, %[3]s zone, %[4]s file
	args         []string
}

func peers() []peer {
	return []peer{
		{"NSD", "nsd", true, `server:
  ip-address: 127.0.0.1@%[1]d
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "%[2]s"
  database: ""
  pidfile: "%[2]s/pid"
  xfrdfile: "%[2]s/xfrd.state"
  zonelistfile: "%[2]s/zone.list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: %[3]s
  zonefile: %[4]s
`, []string{"-d", "-c"}},
		{"Knot", "knotd", true, `server:
  rundir: "%[2]s"
  listen: 127.0.0.1@%[1]d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "%[2]s"
log:
  - target: stderr
    any: error
zone:
  - domain: %[3]s
    file: "%[4]s"
    storage: "%[2]s"
    zonefile-sync: -1
    journal-content: none
`, []string{"-c"}},
		{"BIND", "named", false, `options {
  directory "%[2]s"; pid-file "%[2]s/pid"; session-keyfile "%[2]s/key"; lock-file none;
  listen-on port %[1]d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no; allow-transfer { none; };
  check-integrity no;
};
controls { };
zone "%[3]s" { type primary; file "%[4]s"; };
`, []string{"-f", "-c"}},
	}
}

// start runs the peer until the test ends and returns its address.
func (p peer) start(t *testing.T, zone, file string) string {
	t.Helper()
	binary, err := exec.LookPath(p.binary)
	if err != nil {
		binary = "/usr/sbin/" + p.binary
	}
	if _, err := os.Stat(binary); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
			t.Fatalf("%s is not installed: apt-get install nsd knot bind9", p.name)
		}
		t.Skipf("%s is not installed", p.name)
	}
	dir := t.TempDir()
	port := coretest.FreePort(t)
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, p.config, port, dir, strings.TrimSuffix(zone, "."), file), 0o600); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	cmd := exec.Command(binary, append(p.args, config)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // ended by the signal
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(20 * time.Second); ; {
		m := new(dns.Msg)
		m.SetQuestion(zone, dns.TypeSOA)
		if got, err := dns.Exchange(m, address); err == nil && got.Rcode == dns.RcodeSuccess && len(got.Answer) == 1 {
			return address
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer:\n%s", p.name, output.String())
		}
		time.Sleep(20 * time.Millisecond) // between two looks at another program
	}
}

// questions are all names with their parents, children and wildcards, times
// the types that matter.
func questions(z *rr.Zone) []dns.Question {
	names := map[string]bool{".": true, "example.": true, "www.elsewhere.example.": true}
	for _, s := range z.Sets {
		n := s.Name
		if strings.HasPrefix(string(n), "lab-") && !strings.HasPrefix(string(n), "lab-7.") {
			continue // 120 of a kind
		}
		for _, d := range []string{"", "nx.", "a.nx.", "*.", "known.", "_."} {
			names[d+string(n)] = true
		}
		names[strings.ToUpper(string(n))] = true
		for up := n; up.Under(z.Origin); up = up.Parent() {
			names[string(up)] = true
			names["zz."+string(up)] = true
		}
	}
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeSOA, dns.TypeMX, dns.TypeTXT, dns.TypeCNAME, dns.TypeDNAME,
		dns.TypeDS, dns.TypeSRV, dns.TypeNAPTR, dns.TypeSSHFP, dns.TypeLOC, dns.TypeANY, dns.TypeRRSIG, dns.TypeDNSKEY, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, 65400, 65401}
	var out []dns.Question
	for name := range names {
		for _, typ := range types {
			out = append(out, dns.Question{Name: name, Qtype: typ, Qclass: dns.ClassINET})
		}
	}
	slices.SortFunc(out, func(a, b dns.Question) int {
		return strings.Compare(fmt.Sprint(a.Name, a.Qtype), fmt.Sprint(b.Name, b.Qtype))
	})
	return out
}

// seen is an answer as far as it is compared: order and the case of letters
// count for nothing.
type seen struct {
	rcode                        string
	aa, tc                       bool
	answer, authority, addresses string
}

func look(m *dns.Msg) seen {
	return seen{dns.RcodeToString[m.Rcode], m.Authoritative, m.Truncated, lines(m.Answer), lines(m.Ns), lines(m.Extra)}
}

func lines(records []dns.RR) string {
	var out []string
	for _, r := range records {
		if r.Header().Rrtype != dns.TypeOPT {
			out = append(out, strings.ToLower(strings.Join(strings.Fields(r.String()), " ")))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// difference is one way in which a peer answers otherwise, and why that is
// no mistake of ours.
type difference struct {
	peers string // "" all
	why   string
	is    func(q dns.Question, ours, theirs seen) bool
}

func TestAnswersAreThoseOfOtherServers(t *testing.T) {
	university, err := os.ReadFile("testdata/university.example.zone")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"university": string(university), "corners": corners} {
		z := zone(t, content)
		s := run(t, nameserver.Config{})
		load(t, s, z)
		all := questions(z)
		for _, p := range peers() {
			t.Run(name+"/"+p.name, func(t *testing.T) {
				address := p.start(t, string(z.Origin), p.file(t, z, content))
				compare(t, p, s.Addrs()[0].String(), address, all, "udp", "udp+edns", "tcp")
			})
		}
	}
}

// file writes what the peer is to read.
func (p peer) file(t *testing.T, z *rr.Zone, content string) string {
	t.Helper()
	if p.exported {
		return export(t, z)
	}
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func export(t *testing.T, z *rr.Zone) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "exported.zone")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rr.WriteZone(f, z), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// compare asks both in several ways: network and what of EDNS is sent along.
func compare(t *testing.T, p peer, ours, theirs string, all []dns.Question, ways ...string) {
	counts := map[string]int{}
	unexplained := 0
	shown := map[string]bool{}
	for _, way := range ways {
		a, b := connect(t, ours, way), connect(t, theirs, way)
		for _, q := range all {
			we, they := look(a.ask(t, q)), look(b.ask(t, q))
			if why := explain(p.name, q, we, they); why != "" {
				counts[why]++
			} else if !agree(we, they) {
				unexplained++
				if kind := dns.Type(q.Qtype).String() + differing(we, they); !shown[kind] && len(shown) < 12 {
					shown[kind] = true
					t.Errorf("%s %s over %s:\nours   %+v\ntheirs %+v", q.Name, dns.Type(q.Qtype), way, we, they)
				}
			}
		}
	}
	t.Logf("%d questions in three ways; %d differences not explained", len(all), unexplained)
	for why, n := range counts {
		t.Logf("%5d: %s", n, why)
	}
}

// differing names what is not the same, so that one of each kind is shown.
func differing(a, b seen) (out string) {
	for what, is := range map[string]bool{" rcode": a.rcode != b.rcode, " flags": a.aa != b.aa || a.tc != b.tc, " answer": a.answer != b.answer,
		" authority": a.authority != b.authority, " addresses": a.addresses != b.addresses} {
		if is {
			out += what
		}
	}
	return out
}

// agree compares what must be the same. Addresses beside an answer and the NS
// records beside a positive one are a courtesy; a referral's are not.
func agree(a, b seen) bool {
	if a.tc && b.tc { // what is in it then counts for nobody
		return a.rcode == b.rcode
	}
	if a.answer != "" && !strings.Contains(a.authority+b.authority, " soa ") && a.aa == b.aa && a.aa {
		a.authority, b.authority, a.addresses, b.addresses = "", "", "", ""
	}
	return a == b
}

func explain(peer string, q dns.Question, ours, theirs seen) string {
	if agree(ours, theirs) {
		return ""
	}
	for _, d := range differences() {
		if (d.peers == "" || strings.Contains(d.peers, peer)) && d.is(q, ours, theirs) {
			return d.why
		}
	}
	return ""
}

// conversation asks one server, over one socket.
type conversation struct {
	conn     *dns.Conn
	edns, do bool
}

func connect(t *testing.T, address, way string) *conversation {
	t.Helper()
	network, with, _ := strings.Cut(way, "+")
	c, err := dns.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.UDPSize = 4096
	return &conversation{c, with != "", with == "do"}
}

func (c *conversation) ask(t *testing.T, q dns.Question) *dns.Msg {
	t.Helper()
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: dns.Id(), RecursionDesired: true}, Question: []dns.Question{q}}
	if c.edns {
		m.SetEdns0(1232, c.do || q.Qtype%2 == 0)
	}
	_ = c.conn.SetDeadline(time.Now().Add(5 * time.Second))
	if err := c.conn.WriteMsg(m); err != nil {
		t.Fatal(err)
	}
	got, err := c.conn.ReadMsg()
	if err != nil {
		t.Fatalf("%s %s: %v", q.Name, dns.Type(q.Qtype), err)
	}
	if got.Id != m.Id || got.Question[0].Name != q.Name {
		t.Fatalf("the answer is to another question: %v", got.Question)
	}
	return got
}

// differences is the table of what is known to differ.
func differences() []difference {
	return []difference{
		{"BIND", "SOA asked for and absent: BIND sends TTL 0, so that caches ask again (zero-no-soa-ttl); RFC 2308 5 has the minimum",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeSOA && zeroed(theirs.authority) == zeroed(ours.authority) && ours.answer == theirs.answer
			}},
		{"BIND", "aliases in a circle: BIND says SERVFAIL; ours, as NSD's and Knot's, is what the zone says, once",
			func(q dns.Question, ours, theirs seen) bool {
				return theirs.rcode == "SERVFAIL" && ours.rcode == "NOERROR" && within(ours.answer, theirs.answer) && strings.Count(ours.answer, " in cname ") == 2
			}},
		{"NSD", "RRSIG asked for at an alias: NSD follows the alias; RFC 4035 2.5 lets an RRSIG stand beside a CNAME, so that there is nothing to follow",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeRRSIG && ours.answer == "" && ours.rcode == "NOERROR" && strings.Contains(theirs.answer, " cname ")
			}},
		{"BIND", "NSEC asked for at a delegation: BIND gives the parent's; ours refers, as NSD and Knot do, and the same NSEC is in the referral or DS is",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeNSEC && !ours.aa && ours.answer == "" && strings.Contains(theirs.answer, " nsec ")
			}},
		{"NSD", "NSEC3 asked for at an alias: NSD does not follow it; RFC 4035 2.5 lets RRSIG and NSEC stand beside a CNAME, NSEC3 is not one of them",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeNSEC3 && theirs.answer == "" && strings.Contains(ours.answer, " cname ")
			}},
		{"NSD", "NSD proves more than is asked: with NODATA it shows that the wildcard is not there, with a wildcard's NODATA its neighbour",
			func(_ dns.Question, ours, theirs seen) bool { return moreProof(ours, theirs) }},
		{"NSD", "NSEC asked for at an alias of a zone with NSEC3: NSD follows the alias, as it does for RRSIG",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeNSEC && ours.answer == "" && ours.rcode == "NOERROR" && strings.Contains(theirs.answer, " cname ")
			}},
		{"NSD", "NXDOMAIN for what a DNAME led to: NSD leaves out the NSEC that covers that name; Knot and BIND have it",
			func(_ dns.Question, ours, theirs seen) bool {
				return strings.Contains(ours.answer, " dname ") && ours.rcode == "NXDOMAIN" && moreProof(theirs, ours)
			}},
		{"NSD", "below an empty non-terminal that opt-out left out NSD does not prove from the closest name that has an NSEC3 (RFC 5155 7.2.4); Knot and BIND do",
			func(q dns.Question, ours, theirs seen) bool {
				return strings.HasSuffix(strings.ToLower(q.Name), "insecurity.z.test.") && ours.rcode == theirs.rcode && ours.answer+theirs.answer == ""
			}},
		{"Knot BIND", "NODATA of a wildcard that is an empty non-terminal: ours proves both, that nothing closer is there and that the wildcard is empty (RFC 4035 3.1.3.4)",
			func(_ dns.Question, ours, theirs seen) bool {
				ours.authority, theirs.authority = zeroed(ours.authority), zeroed(theirs.authority)
				return ours.rcode == "NOERROR" && ours.answer == "" && moreProof(theirs, ours)
			}},
		{"Knot", "RRSIG asked for: Knot sends the first, ours are all, as NSD's and BIND's",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeRRSIG && within(theirs.answer, ours.answer)
			}},
		{"NSD Knot", "ANY below a DNAME: the CNAME that is made is an answer to ANY already (RFC 1034 3.6.2), as in BIND; NSD and Knot follow it",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeANY && strings.Contains(ours.answer, " dname ") && within(ours.answer, theirs.answer)
			}},
		{"BIND", "ANY: BIND sends all RRsets, ours is the smallest of them (RFC 8482 4.1)",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeANY && ours.rcode == theirs.rcode && ours.answer != "" && (theirs.tc || within(ours.answer, theirs.answer))
			}},
		{"NSD Knot", "ANY: RFC 8482 4.1 leaves the choice of the RRset; they take the first or the SOA, ours is the smallest; BIND's answer shows that it is one",
			func(q dns.Question, ours, theirs seen) bool {
				return q.Qtype == dns.TypeANY && ours.rcode == theirs.rcode && ours.answer != "" && theirs.answer != ""
			}},
	}
}

// within reports whether each line of a is one of b.
func within(a, b string) bool {
	for l := range strings.SplitSeq(a, "\n") {
		if !slices.Contains(strings.Split(b, "\n"), l) {
			return false
		}
	}
	return true
}

// zeroed takes away the TTL of the SOA and of its signature.
func zeroed(authority string) string {
	out := strings.Split(regexp.MustCompile(`(?m) \d+ in (soa|rrsig soa) `).ReplaceAllString(authority, " 0 in $1 "), "\n")
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// moreProof reports whether a and b are the same but for NSEC and NSEC3
// records and their signatures, of which b has more.
func moreProof(a, b seen) bool {
	if !within(a.authority, b.authority) {
		return false
	}
	for l := range strings.SplitSeq(b.authority, "\n") {
		if !within(l, a.authority) && !regexp.MustCompile(` in (rrsig )?nsec3? `).MatchString(l) {
			return false
		}
	}
	a.authority, b.authority = "", ""
	return a == b
}
