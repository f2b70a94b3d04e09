package outside_test

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/adapter/outside"
	"hostward/internal/core/coretest"
	"hostward/internal/rr/sign"
)

// broken is one way to break the tree, and all that is found then.
type broken struct {
	name  string
	how   func(w *tree)
	found []outside.ID
}

const (
	ds      = "z DS "
	soa     = "@ 3600 SOA ns1 h 7 7200 900 1209600 300"
	oldAddr = "198.18.77.1"
)

func childDS(n uint64) string { return ds + key(n).DS(zone, sign.SHA256).String() }

// parents and children are the machines of each level.
func (w *tree) parents(change func(*machine))  { w.of(change, testA, testB) }
func (w *tree) children(change func(*machine)) { w.of(change, childA, childB) }

// without drops the lines of a signed zone that have a text in them.
func without(text string) func(*machine) {
	return func(m *machine) {
		m.after = func(lines []string) []string {
			return slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, text) })
		}
	}
}

// delegations are what can be wrong with a delegation and the servers.
func delegations() []broken {
	return []broken{
		{"nobody delegates the zone", func(w *tree) {
			w.parents(func(m *machine) {
				m.lines = slices.DeleteFunc(m.lines, func(l string) bool { return strings.Contains(l, "z ") })
			})
		}, []outside.ID{outside.NoDelegation}},
		{"one of the parent's servers is silent", func(w *tree) { w.cut["udp "+testB], w.cut["tcp "+testB] = true, true }, []outside.ID{outside.ParentSilent}},
		{"one of the parent's servers has an old delegation", func(w *tree) { w.of(swap("z NS ns2.z", ""), testB) }, []outside.ID{outside.ParentsDiffer}},
		{"the parent names fewer servers than the zone", func(w *tree) { w.parents(swap("z NS ns2.z", "")) }, []outside.ID{outside.NSDiffers}},
		{"one server has other NS", func(w *tree) { w.of(with("@ NS ns3.test."), childB) }, []outside.ID{outside.NSDiffers}},
		{"a nameserver has no address", func(w *tree) {
			w.parents(with("z NS gone.test."))
			w.children(with("@ NS gone.test."))
		}, []outside.ID{outside.NoAddress}},
		{"the parent has no glue", func(w *tree) {
			w.parents(swap("ns2.z A "+childB, ""))
			w.parents(swap("ns2.z AAAA "+childC, ""))
		}, []outside.ID{outside.GlueMissing}},
		{"the parent has old glue", func(w *tree) { w.parents(swap("ns1.z A "+childA, "ns1.z A "+oldAddr)) },
			[]outside.ID{outside.GlueWrong, outside.ServerSilent}},
		{"an address is private", func(w *tree) {
			w.cfg.Allow = func(a netip.Addr) bool { return a != netip.MustParseAddr(childB) }
		}, []outside.ID{outside.PrivateAddress}},
		{"there is one server only", func(w *tree) {
			w.parents(swap("z NS ns2.z", ""))
			w.children(swap("@ NS ns2", ""))
		}, []outside.ID{outside.NoIPv6, outside.OneServer}},
		{"all servers are neighbours", func(w *tree) {
			near := "198.18.2.9"
			w.machines[near] = w.machines[childB]
			w.parents(swap("ns2.z A "+childB, "ns2.z A "+near))
			w.parents(swap("ns2.z AAAA "+childC, ""))
			w.children(swap("ns2 A "+childB, "ns2 A "+near))
			w.children(swap("ns2 AAAA "+childC, ""))
		}, []outside.ID{outside.NoIPv6, outside.OneNetwork}},
		{"a server is down", func(w *tree) { w.cut["udp "+childB], w.cut["tcp "+childB] = true, true }, []outside.ID{outside.ServerSilent}},
		{"a server does not have the zone", func(w *tree) { w.machines[childA].origin, w.machines[childA].keys = "other.test.", nil }, []outside.ID{outside.ServerLame}},
		{"a firewall lets no TCP in", func(w *tree) { w.cut["tcp "+childA] = true }, []outside.ID{outside.NoTCP}},
		{"a server does not know EDNS", func(w *tree) { w.machines[childA].front = front(w.t, noEDNS) }, []outside.ID{outside.NoEDNS}},
		{"a secondary is behind", func(w *tree) { w.of(swap(soa, strings.Replace(soa, " 7 ", " 6 ", 1)), childB) }, []outside.ID{outside.SerialDiffers}},
		{"the timers are odd", func(w *tree) { w.children(swap(soa, "@ 3600 SOA ns1 h 7 7200 900 3600 300")) }, []outside.ID{outside.SOAOdd}},
		{"a TTL is odd", func(w *tree) { w.children(swap(soa, "@ 5 SOA ns1 h 7 7200 900 1209600 300")) }, []outside.ID{outside.TTLOdd}},
		{"a server is an open resolver", func(w *tree) { w.machines[childA].front = front(w.t, recursion) }, []outside.ID{outside.OpenRecursion}},
		{"a server hands out the zone", func(w *tree) { w.machines[childB].option = "provide-xfr: 0.0.0.0/0 NOKEY" }, []outside.ID{outside.OpenTransfer}},
		{"the check may not ask enough", func(w *tree) { w.cfg.Questions = 20 }, []outside.ID{outside.NotMeasured}},
	}
}

// chains are what can be wrong with DNSSEC.
func chains() []broken {
	return []broken{
		{"there is no DS", func(w *tree) { w.parents(swap(childDS(2), "")) }, []outside.ID{outside.CDSWaits, outside.DSMissing}},
		{"the DS is another key's", func(w *tree) { w.parents(swap(childDS(2), childDS(3))) }, []outside.ID{outside.CDSWaits, outside.DSBroken}},
		{"there is a DS too many", func(w *tree) { w.parents(with(childDS(3))) }, []outside.ID{outside.CDSWaits, outside.DSStray}},
		{"the zone was unsigned too early", func(w *tree) { w.children(func(m *machine) { m.keys = nil }) },
			[]outside.ID{outside.DenialBroken, outside.DSBroken, outside.SignatureMissing}},
		{"the parent's signatures have expired", func(w *tree) { w.of(func(m *machine) { m.at = w.now.Add(-60 * 24 * time.Hour) }, testB) }, []outside.ID{outside.DSUnproved}},
		{"the DS has SHA-1", func(w *tree) { w.parents(with(sha1DS())) }, []outside.ID{outside.CDSWaits, outside.DigestWeak}},
		{"a server has other keys", func(w *tree) { w.of(func(m *machine) { m.keys = []sign.Key{key(2), key(4)} }, childB) },
			[]outside.ID{outside.CDSOdd, outside.CDSWaits, outside.KeysDiffer}},
		{"signatures are missing", func(w *tree) { w.of(without(" RRSIG SOA "), childA) }, []outside.ID{outside.SignatureMissing}},
		{"signatures do not fit", func(w *tree) {
			w.of(func(m *machine) {
				m.after = func(lines []string) []string {
					for i := range lines {
						lines[i] = strings.Replace(lines[i], " SOA ns1.z.test. h.", " SOA ns1.z.test. g.", 1)
					}
					return lines
				}
			}, childA)
		}, []outside.ID{outside.SignatureBroken}},
		{"signatures have expired", func(w *tree) { w.of(func(m *machine) { m.at = w.now.Add(-60 * 24 * time.Hour) }, childB) },
			[]outside.ID{outside.DenialBroken, outside.DSBroken, outside.SignatureBroken}},
		{"signatures end soon", func(w *tree) { w.of(func(m *machine) { m.at = w.now.Add(-10 * 24 * time.Hour) }, childB) }, []outside.ID{outside.SignatureEnds}},
		{"the proof of what is not there is missing", func(w *tree) { w.machines[childA].front = front(w.t, noChain) }, []outside.ID{outside.DenialBroken}},
		{"CDS and CDNSKEY disagree", func(w *tree) { w.children(without(" CDNSKEY ")); w.children(otherCDS) }, []outside.ID{outside.CDSOdd, outside.CDSWaits, outside.SignatureBroken}},
		{"two keys have one tag", func(w *tree) {
			w.children(func(m *machine) {
				m.after = func(lines []string) []string { return append(lines, twin(w.t)) }
			})
		}, []outside.ID{outside.DSBroken, outside.SignatureBroken, outside.TagCollision}},
		{"a key is of an old algorithm", func(w *tree) {
			w.children(func(m *machine) {
				m.after = func(lines []string) []string { return append(lines, "z.test. 3600 IN DNSKEY 256 3 5 AwEAAQ==") }
			})
		}, []outside.ID{outside.AlgorithmWeak, outside.DSBroken, outside.SignatureBroken}},
		{"the resolver finds the zone broken", func(w *tree) {
			w.cfg.Resolver = w.resolver(key(3).DS("test.", sign.SHA256).String())
		}, []outside.ID{outside.ResolverRefuses}},
		{"the resolver does not validate", func(w *tree) { w.cfg.Resolver = w.resolver("") }, []outside.ID{outside.ResolverUnproved}},
		{"the resolver does not answer", func(w *tree) { w.cfg.Resolver = "127.0.0.1:" + strconv.Itoa(coretest.FreePort(w.t)) }, []outside.ID{outside.NotMeasured}},
		{"this machine has no IPv6", func(w *tree) { w.cut["udp "+childC], w.cut["tcp "+childC] = true, true }, []outside.ID{outside.NotMeasured}},
		{"the zone asks for another DS", func(w *tree) {
			w.children(func(m *machine) { m.keys = []sign.Key{key(2), key(4)}; m.keys[0].Submit = false })
		}, []outside.ID{outside.CDSWaits}},
	}
}

func TestEachFaultOfADelegationIsFound(t *testing.T) { findEach(t, delegations()) }

func TestEachFaultOfTheChainOfTrustIsFound(t *testing.T) { findEach(t, chains()) }

func findEach(t *testing.T, cases []broken) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newTree(t)
			w.cfg.Wait = 500 * time.Millisecond
			c.how(w)
			r := w.check()
			if got := ids(r); !slices.Equal(got, c.found) {
				t.Errorf("found %v, expected %v:\n%s", got, c.found, written(r))
			}
			for _, f := range r.Findings {
				if f.Severity == "" || f.Expected == "" || f.Do == "" || f.Measured == "" {
					t.Errorf("a finding that helps nobody: %+v", f)
				}
			}
		})
	}
}

// The list of kinds in the documentation, the tests and the code is the same.
func TestEveryFindingIsExplainedAndShown(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range outside.Kinds() {
		shown := func(b broken) bool { return slices.Contains(b.found, id) }
		if !slices.ContainsFunc(slices.Concat(delegations(), chains()), shown) {
			t.Errorf("no test shows how %s is found", id)
		}
		if !strings.Contains(string(doc), string(id)) {
			t.Errorf("%s is not in the documentation", id)
		}
	}
}

// twin is another key with the tag of the zone's: bytes that stand in even places may
// be exchanged without changing it (RFC 4034 appendix B).
func twin(t *testing.T) string {
	k := key(2).Public
	k.Key = slices.Clone(k.Key)
	for i := 2; i < len(k.Key); i += 2 {
		if k.Key[0], k.Key[i] = k.Key[i], k.Key[0]; k.ID() != key(2).ID() {
			break
		}
	}
	if k.Tag() != key(2).Tag() {
		t.Fatal("the twin has another tag")
	}
	return string(zone) + " 3600 IN DNSKEY " + k.Data()
}

// noEDNS answers as a server from before RFC 2671.
func noEDNS(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg) {
	if q.IsEdns0() != nil {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeFormatError)) // who asked is gone
		return
	}
	_ = w.WriteMsg(ask(q))
}

// recursion answers for names that it does not serve.
func recursion(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg) {
	if q.Question[0].Name != "." || !q.RecursionDesired {
		_ = w.WriteMsg(ask(q))
		return
	}
	r := new(dns.Msg).SetReply(q)
	r.RecursionAvailable = true
	r.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "a.root-servers.net."}}
	_ = w.WriteMsg(r)
}

// noChain leaves the proof out of negative answers, as servers do that know no DNSSEC.
func noChain(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg) {
	r := ask(q)
	if r.Rcode == dns.RcodeNameError {
		r.Ns = slices.DeleteFunc(r.Ns, func(record dns.RR) bool { return record.Header().Rrtype == dns.TypeNSEC })
	}
	_ = w.WriteMsg(r)
}

// otherCDS has the zone ask for the DS of a key that it does not have.
func otherCDS(m *machine) {
	m.after = func(lines []string) []string {
		for i := range lines {
			lines[i] = strings.Replace(lines[i], " IN CDS "+key(2).DS(zone, sign.SHA256).String(), " IN CDS "+key(3).DS(zone, sign.SHA256).String(), 1)
		}
		return lines
	}
}

// sha1DS is a DS of the zone's key with a digest of which nobody should think well.
func sha1DS() string {
	k, err := dns.NewRR(string(zone) + " DNSKEY " + key(2).Data())
	if err != nil {
		panic(err) // the key was made one line above
	}
	_, data, _ := strings.Cut(k.(*dns.DNSKEY).ToDS(dns.SHA1).String(), "DS\t")
	return ds + data
}
