package sign_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

// The examples of RFC 6605 6.1 and RFC 8080 6.1.
func TestKeysOfTheRFCsHaveTheirTagsAndDigests(t *testing.T) {
	for _, c := range []struct {
		owner   rr.Name
		key, ds string
	}{
		{"example.net.", "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
			"55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17"},
		{"example.com.", "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
			"3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b"},
	} {
		p, err := sign.ParsePublic(c.key)
		if err != nil {
			t.Fatal(err)
		}
		ds, err := sign.ParseDS(c.ds)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.DS(c.owner, sign.SHA256); got != ds || !ds.Of(c.owner, p) {
			t.Errorf("DS %s, want %s", got, ds)
		}
		if p.Data() != c.key {
			t.Errorf("written as %s", p.Data())
		}
	}
}

func TestOthersComputeTheSameDS(t *testing.T) {
	bind, ldns := tool(t, "dnssec-dsfromkey"), tool(t, "ldns-key2ds")
	for _, owner := range []rr.Name{"example.", `a.b\.c.example.`} {
		for _, a := range []sign.Algorithm{sign.ECDSAP256SHA256, sign.Ed25519} {
			key := signtest.Key(a, 7, signtest.CSK)
			forms := key.Forms(owner, 3600)
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(forms.KeyLine+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for i, option := range []string{"2", "4"} {
				theirs := words(t, bind, "-a", map[string]string{"2": "SHA-256", "4": "SHA-384"}[option], "-f", path, string(owner))
				if d := cmp.Diff(strings.Fields(forms.DS[i].Data), theirs[3:]); d != "" {
					t.Error(d)
				}
			}
			theirs := words(t, ldns, "-n", "-2", path)
			if ours := strings.ToLower(forms.DS[0].Digest); ours != theirs[len(theirs)-1] {
				t.Errorf("%s, ldns says %s", ours, theirs)
			}
		}
	}
}

func words(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.Fields(string(out))
}

func TestADSIsShownInEveryForm(t *testing.T) {
	key, err := sign.ParsePublic("257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=")
	if err != nil {
		t.Fatal(err)
	}
	const digest = "3AA5AB37EFCE57F737FC1627013FEE07BDF241BD10F3B1964AB55C78E79A304B"
	f := key.Forms("example.com.", 3600)
	for _, c := range []struct{ name, got, want string }{
		{"data", f.DS[0].Data, "3613 15 2 " + digest},
		{"line", f.DS[0].Line, "example.com. 3600 IN DS 3613 15 2 " + digest},
		{"EPP", f.DS[0].EPP, "<secDNS:dsData><secDNS:keyTag>3613</secDNS:keyTag><secDNS:alg>15</secDNS:alg><secDNS:digestType>2</secDNS:digestType><secDNS:digest>" + digest + "</secDNS:digest></secDNS:dsData>"},
		{"key line", f.KeyLine, "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="},
		{"key EPP", f.KeyEPP, "<secDNS:keyData><secDNS:flags>257</secDNS:flags><secDNS:protocol>3</secDNS:protocol><secDNS:alg>15</secDNS:alg><secDNS:pubKey>l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=</secDNS:pubKey></secDNS:keyData>"},
		{"algorithm", f.Mnemonic, "ED25519"},
		{"digest", f.DS[1].DigestName, "SHA-384"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
	if len(f.DS) != 2 || f.Tag != 3613 || f.Flags != 257 || f.Protocol != 3 {
		t.Errorf("%+v", f)
	}
}

func TestKeysThatCannotSignHereAreRefused(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, data := range map[string]string{
		"no key":           "",
		"RSA":              "257 3 8 " + key,
		"revoked":          "385 3 15 " + key,
		"no zone key":      "1 3 15 " + key,
		"too short":        "257 3 13 " + key,
		"another protocol": "257 2 15 " + key,
	} {
		if p, err := sign.ParsePublic(data); err == nil {
			t.Errorf("%s: accepted as %+v", name, p)
		}
	}
}

func TestAKeysNameSurvivesJSON(t *testing.T) {
	id := signtest.Key(sign.Ed25519, 1, signtest.CSK).ID()
	text, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	var back sign.KeyID
	if err := json.Unmarshal(text, &back); err != nil || back != id {
		t.Errorf("%s came back as %s, %v", text, back, err)
	}
	if json.Unmarshal([]byte(`"123"`), &back) == nil {
		t.Error("a short name was accepted")
	}
}

func TestKeysThatValidatorsMixUpCollide(t *testing.T) {
	keys := collision()
	a, b := keys[0].Public, keys[1].Public
	if !a.Collides(b) || a.Collides(a) || a.Collides(signtest.Key(sign.Ed25519, 1, signtest.CSK).Public) {
		t.Error("the same tag collides, the same key and another tag do not")
	}
	b.Algorithm = sign.ECDSAP256SHA256
	if a.Collides(b) {
		t.Error("keys of two algorithms collide")
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add("257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=")
	f.Fuzz(func(t *testing.T, data string) {
		p, err := sign.ParsePublic(data)
		if err != nil {
			return
		}
		if back, err := sign.ParsePublic(p.Data()); err != nil || back.ID() != p.ID() {
			t.Errorf("%+v came back as %+v, %v", p, back, err)
		}
	})
}
