package sign_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

func TestValidatorsAcceptEverySample(t *testing.T) {
	for file, origin := range zones {
		for _, a := range []sign.Algorithm{sign.ECDSAP256SHA256, sign.Ed25519} {
			for kind, keys := range map[string][]sign.Key{"CSK": csk(a), "KSK+ZSK": split(a)} {
				for _, nsec3 := range []bool{false, true} {
					name := strings.Join([]string{file, a.String(), kind, map[bool]string{false: "NSEC", true: "NSEC3"}[nsec3]}, "/")
					t.Run(name, func(t *testing.T) {
						z := signed(t, sign.Config{Origin: origin, Keys: keys, NSEC3: nsec3}, sample(t, file), time.Now())
						validate(t, z, excused[file]...)
					})
				}
			}
		}
	}
}

func TestEverythingMadeIsInCanonicalForm(t *testing.T) {
	for file, origin := range zones {
		for _, nsec3 := range []bool{false, true} {
			z := signed(t, sign.Config{Origin: origin, Keys: split(sign.Ed25519), NSEC3: nsec3}, sample(t, file), now)
			for s := range z.Sets() {
				for _, r := range s.Records() {
					back, err := rr.ParseRecord(r.String(), ".", 0)
					if err != nil || back != r {
						t.Errorf("%s reads back as %s, %v", r, back, err)
					}
				}
			}
		}
	}
}

func TestWhatIsNoZoneIsRefused(t *testing.T) {
	for name, lines := range map[string]string{
		"no SOA":         "@ NS ns.other.test.",
		"nothing":        "; nothing",
		"SOA elsewhere":  "a SOA ns.other.test. h.other.test. 1 7200 900 604800 300",
		"DNSKEY at apex": head + "\n@ DNSKEY 257 3 15 " + strings.Repeat("A", 43) + "=",
		"CDS at apex":    head + "\n@ CDS 0 0 0 00",
	} {
		_, err := sign.New(context.Background(), sign.Config{Origin: "z.example.", Keys: csk(sign.Ed25519)}, parse(t, lines), now)
		if err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}
