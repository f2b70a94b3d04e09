package sign_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

func TestTheParentIsAskedByCDSAndCDNSKEY(t *testing.T) {
	csk := signtest.Key(sign.ECDSAP256SHA256, 3, signtest.CSK)
	csk.Submit = true
	z := signed(t, sign.Config{Origin: "odd.example.", Keys: []sign.Key{csk}, Digests: []sign.DigestType{sign.SHA256, sign.SHA384}}, sample(t, "odd.example.zone"), time.Now())
	validate(t, z)
	cds, _ := z.Find(rr.Key{Name: "odd.example.", Type: "CDS"})
	if want := []string{csk.DS("odd.example.", sign.SHA256).String(), csk.DS("odd.example.", sign.SHA384).String()}; cmp.Diff(want, cds.Data) != "" {
		t.Errorf("CDS %s, want %s", cds.Data, want)
	}
	if key, _ := z.Find(rr.Key{Name: "odd.example.", Type: "CDNSKEY"}); cmp.Diff([]string{csk.Data()}, key.Data) != "" {
		t.Errorf("CDNSKEY %s", key.Data)
	}
}

func TestTheParentIsAskedToRemoveTheDS(t *testing.T) {
	z := signed(t, sign.Config{Origin: "odd.example.", Keys: split(sign.Ed25519), RemoveDS: true}, sample(t, "odd.example.zone"), time.Now())
	validate(t, z)
	for typ, want := range map[string]string{"CDS": "0 0 0 00", "CDNSKEY": "0 3 0 AA=="} { // RFC 8078 4
		if s, _ := z.Find(rr.Key{Name: "odd.example.", Type: typ}); len(s.Data) != 1 || s.Data[0] != want {
			t.Errorf("%s %s, want %s", typ, s.Data, want)
		}
	}
}

// The parent believes CDS only if a key it knows has signed them (RFC 7344 4.1).
func TestCDSIsSignedByTheKeyThatTheParentKnows(t *testing.T) {
	keys := split(sign.Ed25519)
	keys[0].Submit = true
	z := signed(t, sign.Config{Origin: "odd.example.", Keys: keys}, sample(t, "odd.example.zone"), now)
	for typ, want := range map[string]int{"CDS": 2, "CDNSKEY": 2, "DNSKEY": 1, "SOA": 1} {
		if s, _ := z.Find(rr.Key{Name: "odd.example.", Type: typ}); len(s.Sigs) != want {
			t.Errorf("%s has %d signatures, want %d", typ, len(s.Sigs), want)
		}
	}
}

func TestSignalingNamesAreWhereOneLooksForThem(t *testing.T) {
	long := rr.Name(strings.Repeat("a123456789.", 11)) + "example."
	for _, c := range []struct {
		zone, server, want rr.Name
	}{
		{"example.co.uk.", "ns1.example.net.", "_dsboot.example.co.uk._signal.ns1.example.net."}, // RFC 9615 3.2
		{"example.com.", "ns.example.com.", ""},                                                  // a zone cannot vouch for itself
		{"example.com.", "example.com.", ""},
		{"com.", "ns.example.com.", ""},
		{long, long, ""},
		{".", "ns.example.", ""},
	} {
		if got, ok := sign.SignalName(c.zone, c.server); got != c.want || ok != (c.want != "") {
			t.Errorf("%s at %s: %s, want %s", c.zone, c.server, got, c.want)
		}
	}
}

func TestEachNameserverConfirmsWhatTheZoneSays(t *testing.T) {
	key := signtest.Key(sign.Ed25519, 3, signtest.CSK)
	signals := sign.Signals("example.com.", []sign.Public{key.Public}, false, 3600, sign.SHA256)
	copies, left := sign.Bootstrap("example.com.", []rr.Name{"ns1.example.net.", "ns2.example.com."}, signals)
	if len(copies) != 2 || len(left) != 1 || left[0] != "ns2.example.com." {
		t.Fatalf("%v, left %v", copies, left)
	}
	for i, c := range copies {
		if c.Name != "_dsboot.example.com._signal.ns1.example.net." || cmp.Diff(signals[i].Data, c.Data) != "" {
			t.Errorf("%+v", c)
		}
	}
	if sign.Signals("example.com.", nil, false, 3600, sign.SHA256) != nil {
		t.Error("nothing is asked for, and there are records")
	}
}
