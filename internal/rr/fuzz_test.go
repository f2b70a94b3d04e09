package rr_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
)

func FuzzParseZone(f *testing.F) {
	files, err := filepath.Glob("testdata/*.zone")
	if err != nil || len(files) == 0 {
		f.Fatal("no samples", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range everyType() {
		f.Add([]byte(head + "a " + s + "\n"))
	}
	f.Add([]byte(head + "a.b A 192.0.2.1\n\\000.b A 192.0.2.1\n\\001.b A 192.0.2.1\nb A 192.0.2.1\na\\000.b A 192.0.2.1\na\\001.b A 192.0.2.1\na-.b A 192.0.2.1\nc.a.b A 192.0.2.1\n"))
	f.Add([]byte("$GENERATE 0-2147483647/99999 ${-1,2,n} A \\$"))
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := rr.ParseZone(bytes.NewReader(b), rr.Options{MaxRecords: 1000})
		if err != nil {
			return
		}
		if !slices.IsSortedFunc(z.Sets, func(a, b rr.RRset) int { return a.Key().Compare(b.Key()) }) {
			t.Fatal("not in canonical order", z.Sets)
		}
		z.Validate()
		var out bytes.Buffer
		if err := rr.WriteZone(&out, z); err != nil {
			t.Fatal(err)
		}
		again, err := rr.ParseZone(&out, rr.Options{Origin: z.Origin})
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if d := cmp.Diff(z.Sets, again.Sets); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range everyType() {
		f.Add("a " + s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := rr.ParseRecord(line, "z.example.", 300)
		if err != nil {
			return
		}
		if strings.ContainsAny(r.Data+string(r.Name), "\n\r\t") {
			t.Fatalf("not one line: %q", r)
		}
		again, err := rr.ParseRecord(r.String(), "", 0)
		if err != nil || again != r {
			t.Fatalf("%q\nreads back as\n%q, %v", r, again, err)
		}
		wire, err := rr.Pack(r.Type, r.Data)
		if err != nil {
			t.Fatalf("%q: %v", r, err)
		}
		if text, err := rr.Unpack(r.Type, wire); err != nil || text != r.Data {
			t.Fatalf("%q unpacks as %q, %v", r, text, err)
		}
	})
}

// What is read by hand is read as the library reads it, and nothing that it refuses.
func FuzzPlain(f *testing.F) {
	for _, s := range everyType() {
		typ, data, _ := strings.Cut(s, " ")
		if code, ok := rr.TypeCode(typ); ok {
			f.Add(code, data, []byte(data))
			if wire, ok := rr.LibraryWire(code, data, "z.example."); ok {
				f.Add(code, data+".", wire)
			}
		}
	}
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3)
	for _, s := range []string{"@", "*", "*.a", "A-_", ".", "a..b", ".a", "a.b.", long + strings.Repeat("b", 53), long + strings.Repeat("b", 61) + ".", long + strings.Repeat("b", 62) + ".", long[1:] + "a."} {
		f.Add(uint16(2), s, []byte(nil))
		f.Add(uint16(15), "065535 "+s, []byte(nil))
	}
	for _, s := range []string{`""`, `"a" "b;("`, `"a""b"`, `"a"  "b"`, `"a" `, `a`, `"` + strings.Repeat("x", 255) + `"`, `"` + strings.Repeat("x", 256) + `"`} {
		f.Add(uint16(16), s, []byte(nil))
	}
	for _, s := range []string{"::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.01", "1.2.3", "::", "0:0:0:0:0:0:0:1"} {
		f.Add(uint16(28), s, []byte(nil))
		f.Add(uint16(1), s, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, code uint16, text string, wire []byte) {
		for _, origin := range []rr.Name{"", ".", "z.example.", `\.z.example.`} {
			if got, ok := rr.PlainWire(code, text, origin); ok {
				if want, ok := rr.LibraryWire(code, text, origin); !ok || !bytes.Equal(got, want) {
					t.Fatalf("%d %q below %q: %x, the library has %x", code, text, origin, got, want)
				}
			}
			if got, ok := rr.PlainName(text, origin); ok {
				if want, err := rr.GeneralName(text, origin); err != nil || got != want {
					t.Fatalf("%q below %q: %q, not %q", text, origin, got, want)
				}
			}
		}
		if got, ok := rr.PlainText(code, wire); ok {
			if want, ok := rr.LibraryText(code, wire); !ok || got != want {
				t.Fatalf("%d %x: %q, the library has %q", code, wire, got, want)
			}
		}
	})
}

func TestPlainRecordsAreReadByHand(t *testing.T) {
	for _, s := range []string{"A 192.0.2.1", "AAAA 2001:db8::1", "NS Ns", "CNAME @", "PTR h.", "MX 10 mail", "SRV 1 2 3 h", `TXT "a b;" "c"`, "SOA ns h 1 2 3 4 5"} {
		typ, data, _ := strings.Cut(s, " ")
		code, _ := rr.TypeCode(typ)
		wire, ok := rr.PlainWire(code, data, "z.example.")
		if _, back := rr.PlainText(code, wire); !ok || !back {
			t.Error(s)
		}
	}
}

// everyType has a record of each current type (SPEC D1).
func everyType() []string {
	return []string{
		"A 192.0.2.1", "AAAA 2001:db8::1", "NS ns", "CNAME www", "DNAME x", "PTR h", "MX 10 mail", `TXT "a b" c "" "\"\\\200"`,
		"SOA ns h 1 2 3 4 5", "SRV 1 2 3 h", `CAA 0 issue "ca.example; policy=ev"`, "DS 31589 13 2 " + strings.Repeat("3490", 16),
		"CDS 0 0 0 00", "CDNSKEY 0 3 0 AA==", "DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
		"TLSA 3 1 1 8CB6E0", "SMIMEA 3 1 1 8CB6E0", "SSHFP 4 2 B5E1C9", `NAPTR 100 50 "s" "SIP+D2U" "" _sip._udp`, "LOC 48 12 30.000 N 16 22 20.000 E 171m 10m 100m 10m",
		`HTTPS 1 . alpn="h2,h3" ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 ech="AEX+DQ==" key65333=x`, `SVCB 16 foo.example.org. mandatory=alpn,port alpn=h2 port=53`,
		`HINFO "PC" "OS"`, `URI 10 1 "ftp://ftp.example/pub"`, "RP mbox txt", "AFSDB 1 h", "KX 1 h", "CERT PKIX 1 RSASHA256 AAAA", "APL 1:192.0.2.0/24 !2:2001:db8::/32",
		"DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", "IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
		"HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D rvs",
		"OPENPGPKEY AQIDBA==", "CSYNC 66 3 A NS AAAA", "ZONEMD 2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE",
		"EUI48 00-00-5e-00-53-2a", "EUI64 00-00-5e-ef-10-00-00-2a", "NID 10 0014:4fff:ff20:ee64", "L32 10 10.1.2.0", "L64 10 2001:0db8:1140:1000", "LP 10 l64-subnet1",
		"AMTRELAY 10 0 1 203.0.113.15", `RESINFO "qnamemin"`, `\# 0`, `TYPE65400 \# 4 0A000001`, `TYPE10 \# 1 00`, `NULL \# 0`, `X25 311061700956`, `ISDN "150862028003217" "004"`,
		"RT 10 h", "PX 10 a b", `GPOS -32.6882 116.8652 10.0`, "MINFO a b", "TALINK a b", `SPF "v=spf1 -all"`, `NINFO "x"`, `AVC "x"`, "TYPE128 x", "WALLET x",
	}
}

func TestEveryTypeIsReadAndReadsBack(t *testing.T) {
	for _, s := range everyType() {
		if strings.HasPrefix(s, `\#`) || strings.HasPrefix(s, "TYPE128") || strings.HasPrefix(s, "WALLET") {
			continue // seeds of what is refused
		}
		r, err := rr.ParseRecord("a "+s, "z.example.", 300)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if again, err := rr.ParseRecord(r.String(), "", 0); err != nil || again != r {
			t.Errorf("%q reads back as %q, %v", r, again, err)
		}
		if strings.HasPrefix(r.Data, `\#`) && !strings.Contains(s, `\#`) {
			t.Errorf("%s has no form of its own: %s", s, r.Data)
		}
	}
}

func BenchmarkParseZone(b *testing.B) {
	text := head + "$GENERATE 1-10000 host$ A 192.0.2.1\n"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rr.ParseZone(strings.NewReader(text), rr.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccumulatorAdd(b *testing.B) {
	var a rr.Accumulator
	s := rr.RRset{Name: "www.z.example.", Type: "A", TTL: 300, Data: []string{"192.0.2.1"}}
	for b.Loop() {
		a.Add(s)
	}
}
