package nameserver_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core/coretest"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

// delicate are names whose absence is hard to prove.
const delicate = `secure NS ns.secure
secure DS 1 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90
ns.secure A 192.0.2.98
insecure NS ns.insecure
ns.insecure A 192.0.2.97
a.insecure NS ns.insecure
zz.insecure TXT "below a delegation"
deep.er.insecurity NS ns.other.
deep.safe.security NS ns.other.
deep.safe.security DS 1 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90
*.w1 CNAME x.w2
*.w2 CNAME y.w3
*.w3 A 192.0.2.3
*.lost CNAME nothing.here
below.*.went TXT "the wildcard itself is empty"
\001.bytes TXT "one"
\000.bytes TXT "nought"
\200.bytes TXT "high"
*.bytes A 192.0.2.1
wd DNAME w3
dd DNAME nowhere
toinsecure CNAME www.insecure
0 A 192.0.2.1
zzzz A 192.0.2.2
`

// tool finds a program of others, and skips the test where it is missing.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
			t.Fatalf("%s is not installed: apt-get install nsd knot bind9 bind9-utils dnsutils ldnsutils unbound", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func command(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// signedZone is a zone file signed by BIND's tools, with the DS of its key.
type signedZone struct {
	file string
	zone *rr.Zone
	ds   string
}

// sign signs with a KSK and a ZSK.
func sign(t testing.TB, z *rr.Zone, options ...string) signedZone {
	t.Helper()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	f, err := os.Create(plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := rr.WriteZone(f, z); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	origin := string(z.Origin)
	ksk := strings.TrimSpace(command(t, dir, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", origin))
	command(t, dir, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", origin)
	out := filepath.Join(dir, "signed")
	args := append([]string{"-S", "-O", "full", "-o", origin, "-f", out}, options...)
	command(t, dir, "dnssec-signzone", append(args, plain)...)
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := rr.ParseZone(strings.NewReader(string(text)), rr.Options{Origin: z.Origin, KeepSigned: true})
	if err != nil {
		t.Fatal(err)
	}
	return signedZone{out, signed, command(t, dir, "dnssec-dsfromkey", "-2", ksk+".key")}
}

// ways to sign: NSEC, NSEC3, and NSEC3 with salt, iterations and opt-out.
func ways() map[string][]string {
	return map[string][]string{
		"NSEC":    nil,
		"NSEC3":   {"-3", "-", "-H", "0"},
		"opt-out": {"-3", "BEAD", "-H", "7", "-A"},
	}
}

func TestSignedAnswersAreThoseOfOtherServers(t *testing.T) {
	university, err := os.ReadFile("testdata/university.example.zone")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"university": string(university), "corners": corners + delicate} {
		for way, options := range ways() {
			signed := sign(t, zone(t, content), options...)
			s := run(t, nameserver.Config{})
			load(t, s, signed.zone)
			all := append(questions(zone(t, content)), hashNames(signed.zone)...)
			for _, p := range peers() {
				t.Run(fmt.Sprintf("%s/%s/%s", name, way, p.name), func(t *testing.T) {
					address := p.start(t, string(signed.zone.Origin), signed.file)
					compare(t, p, s.Addrs()[0].String(), address, all, "udp+do", "udp+edns", "tcp+do")
				})
			}
		}
	}
}

// hashNames asks for the names NSEC3 records stand under, which are no names
// of the zone (RFC 5155 7.2.8).
func hashNames(z *rr.Zone) (out []dns.Question) {
	for _, s := range z.Sets {
		if s.Type == "NSEC3" && len(out) < 18 {
			for _, typ := range []uint16{dns.TypeA, dns.TypeNSEC3, dns.TypeRRSIG} {
				out = append(out, dns.Question{Name: string(s.Name), Qtype: typ, Qclass: dns.ClassINET})
			}
		}
	}
	return out
}

// validate runs unbound with the key's DS as its trust anchor, to ask through.
func validate(t *testing.T, s *nameserver.Server, signed signedZone) string {
	t.Helper()
	dir, port := t.TempDir(), coretest.FreePort(t)
	config := filepath.Join(dir, "unbound.conf")
	origin := string(signed.zone.Origin)
	text := fmt.Sprintf(`server:
  directory: "%[1]s"
  chroot: ""
  username: ""
  pidfile: "%[1]s/pid"
  interface: 127.0.0.1
  port: %[2]d
  num-threads: 1
  use-syslog: no
  logfile: "%[1]s/log"
  do-not-query-localhost: no
  qname-minimisation: no
  aggressive-nsec: no
  harden-below-nxdomain: no
  local-zone: "test." nodefault
  module-config: "validator iterator"
  trust-anchor: "%[3]s"
remote-control:
  control-enable: no
stub-zone:
  name: "%[4]s"
  stub-addr: 127.0.0.1@%[5]d
`, dir, port, strings.TrimSpace(signed.ds), origin, s.Addrs()[0].Port())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "unbound"), "-d", "-c", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // ended by the signal
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // between two looks at another program
		m := new(dns.Msg)
		m.SetQuestion(origin, dns.TypeSOA)
		if got, err := dns.Exchange(m, address); err == nil && got.Rcode == dns.RcodeSuccess {
			return address
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("unbound does not answer:\n%s", log)
	return ""
}

// resolvable are questions whose answer is all in the zone: a validator has
// nobody else to ask.
func resolvable(t *testing.T, all []dns.Question, ours *conversation, origin string) (out []dns.Question, want []seen) {
	for _, q := range all {
		switch q.Qtype {
		case dns.TypeANY, dns.TypeRRSIG, dns.TypeNSEC3, dns.TypeNSEC: // no resolver passes them on as they are
			continue
		}
		m := ours.ask(t, q)
		answer := look(m)
		switch made := strings.Contains(answer.answer, " dname "); {
		case made && (q.Qtype == dns.TypeCNAME || q.Qtype == dns.TypeDNAME): // unbound asks for a signature of the CNAME that is made, whoever answers
			continue
		case q.Qtype == dns.TypeDS && strings.EqualFold(q.Name, origin): // the parent's to answer
			continue
		}
		if !m.Authoritative || answer.rcode == "REFUSED" || strings.Contains(answer.answer, "loop1") ||
			len(m.Answer) > 0 && (len(m.Ns) == 0 || m.Ns[0].Header().Rrtype != dns.TypeSOA) && leads(m, q.Qtype) {
			continue
		}
		out, want = append(out, q), append(want, answer)
	}
	return out, want
}

// leads reports whether the answer ends in an alias.
func leads(m *dns.Msg, typ uint16) bool {
	last := dns.TypeNone
	for _, r := range m.Answer {
		if r.Header().Rrtype != dns.TypeRRSIG {
			last = r.Header().Rrtype
		}
	}
	return last == dns.TypeCNAME && typ != dns.TypeCNAME
}

// TestAValidatorBelievesEveryAnswer asks all questions through unbound, which
// must find each answer secure: the data, and the proofs of what is not there.
// What opt-out covers cannot be secure, and must not be bogus either.
func TestAValidatorBelievesEveryAnswer(t *testing.T) {
	university, err := os.ReadFile("testdata/university.example.zone")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"university": string(university), "corners": corners + delicate} {
		for way, options := range ways() {
			t.Run(name+"/"+way, func(t *testing.T) {
				signed := sign(t, zone(t, content), options...)
				s := run(t, nameserver.Config{})
				load(t, s, signed.zone)
				believed(t, s, signed, questions(zone(t, content)), way == "opt-out")
			})
		}
	}
}

func believed(t *testing.T, s *nameserver.Server, signed signedZone, all []dns.Question, optOut bool) {
	all, want := resolvable(t, all, connect(t, s.Addrs()[0].String(), "tcp+do"), string(signed.zone.Origin))
	through := connect(t, validate(t, s, signed), "tcp+do")
	secure, bad := 0, 0
	for i, q := range all {
		m := through.ask(t, q)
		got := look(m)
		if m.AuthenticatedData {
			secure++
		} else if !optOut || m.Rcode == dns.RcodeServerFailure {
			if bad++; bad <= 10 {
				t.Errorf("%s %s is not secure: %+v\nours %+v", q.Name, dns.Type(q.Qtype), got, want[i])
			}
		}
		if got.rcode != want[i].rcode || strings.Count(got.answer, "\n") != strings.Count(want[i].answer, "\n") {
			t.Errorf("%s %s: through unbound %+v\nours %+v", q.Name, dns.Type(q.Qtype), got, want[i])
		}
	}
	t.Logf("%d of %d answers are secure", secure, len(all))
	if secure*5 < len(all) {
		t.Errorf("only %d of %d", secure, len(all))
	}
}

// tidy is a zone without a fault, whose nameserver is where the test's is.
const tidy = `$ORIGIN z.test.
$TTL 300
@ SOA ns1 hostmaster 7 7200 900 604800 60
@ NS ns1
@ MX 10 mail
ns1 A 127.0.0.1
mail A 192.0.2.25
www A 192.0.2.80
alias CNAME www
a.b.ent TXT "deep"
*.wild TXT "covered"
sub NS ns.sub
ns.sub A 192.0.2.54
`

// TestStrictReadersFindNoFault has dnsviz look at what is served as a stranger does,
// and named-checkzone read the zone as it is exported.
func TestStrictReadersFindNoFault(t *testing.T) {
	for way, options := range map[string][]string{"NSEC": nil, "NSEC3": ways()["NSEC3"], "expired": {"-P", "-s", "20200101000000", "-e", "20200201000000"}} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			signed := sign(t, zone(t, tidy), options...)
			s := run(t, nameserver.Config{})
			load(t, s, signed.zone)
			at := "z.test:ns1.z.test=" + s.Addrs()[0].String()
			_, ds, _ := strings.Cut(strings.TrimSpace(signed.ds), " DS ")
			command(t, dir, "dnsviz", "probe", "-A", "-4", "-o", "seen", "-x", strings.Replace(at, ":", "+:", 1), "-N", at, "-D", "z.test:"+ds,
				"z.test", "x.wild.z.test", "none.z.test")
			if all := command(t, dir, "dnsviz", "grok", "-l", "info", "-r", "seen"); !strings.Contains(all, `"VALID"`) && way != "expired" {
				t.Errorf("dnsviz has seen no signature:\n%s", all)
			}
			found := strings.TrimSpace(command(t, dir, "dnsviz", "grok", "-l", "warning", "-r", "seen"))
			if strings.Contains(found, "EXPIRATION_IN_PAST") != (way == "expired") || (found == "") != (way != "expired") {
				t.Errorf("dnsviz found:\n%s", found)
			}
			sets, _, err := s.Sets(t.Context(), "z.test.")
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(filepath.Join(dir, "exported"))
			if err != nil {
				t.Fatal(err)
			}
			if err := rr.WriteZone(f, &rr.Zone{Origin: "z.test.", Sets: sets}); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			command(t, dir, "named-checkzone", "-i", "full", "-k", "fail", "-m", "fail", "-M", "fail", "-n", "fail", "-r", "fail", "-S", "fail", "-W", "warn", "z.test", "exported")
		})
	}
}
