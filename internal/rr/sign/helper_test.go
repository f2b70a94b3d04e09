package sign_test

import (
	"bufio"
	"context"
	"crypto/sha512"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

// zones are the samples, with their origins.
var zones = map[string]rr.Name{
	"odd.example.zone":          "odd.example.",
	"apex.example.zone":         "apex.example.",
	"dname.example.zone":        "dname.example.",
	"2.0.192.in-addr.arpa.zone": "2.0.192.in-addr.arpa.",
	"root.zone":                 ".",
	"zero.example.zone":         "zero.example.",
	"signal.example.zone":       "signal.example.",
}

// sample reads a zone of testdata.
func sample(t testing.TB, file string) []rr.RRset {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := rr.ParseZone(f, rr.Options{Origin: zones[file]})
	if err != nil {
		t.Fatal(err)
	}
	return z.Sets
}

// parse reads RRsets from lines of a zone file below z.example.
func parse(t testing.TB, lines ...string) []rr.RRset {
	t.Helper()
	z, err := rr.ParseZone(strings.NewReader(strings.Join(lines, "\n")+"\n"), rr.Options{Origin: "z.example.", TTL: 300})
	if err != nil {
		t.Fatal(err)
	}
	return z.Sets
}

// head is the apex of a small zone.
const head = "@ SOA ns.other.test. h.other.test. 1 7200 900 604800 300\n@ NS ns.other.test."

// excused are programs that cannot judge a sample; the sample says why.
var excused = map[string][]string{"zero.example.zone": {"kzonecheck"}, "signal.example.zone": {"kzonecheck"}}

func split(a sign.Algorithm) []sign.Key {
	return []sign.Key{signtest.Key(a, 1, signtest.KSK), signtest.Key(a, 2, signtest.ZSK)}
}

func csk(a sign.Algorithm) []sign.Key { return []sign.Key{signtest.Key(a, 3, signtest.CSK)} }

// marks has keys sign with a digest: no signature, but another one for anything else.
func marks(keys []sign.Key) []sign.Key {
	for i := range keys {
		keys[i].Signer = mark(keys[i].Tag())
	}
	return keys
}

type mark uint16

func (m mark) Sign(_ context.Context, message []byte) ([]byte, error) {
	sum := sha512.Sum512(append([]byte{byte(m), byte(m >> 8)}, message...))
	return sum[:], nil
}

// now is when tests sign that need no validator with a clock of its own.
var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func signed(t testing.TB, c sign.Config, sets []rr.RRset, at time.Time) *sign.Zone {
	t.Helper()
	z, err := sign.New(context.Background(), c, sets, at)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// all returns the sets of a zone.
func all(z *sign.Zone) []sign.Signed { return slices.Collect(z.Sets()) }

// sets collects RRsets.
func sets(seq iter.Seq[rr.RRset]) []rr.RRset { return slices.Collect(seq) }

func fields(s string) []string { return strings.Fields(s) }

// file writes a zone as a master file and returns its path.
func file(t testing.TB, z *sign.Zone) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zone")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for s := range z.Sets() {
		for _, r := range s.Records() {
			w.WriteString(r.String() + "\n")
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// tool returns the path of a program, and skips the test where it is missing
// and need not be there.
func tool(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
		t.Fatalf("%s is missing: it is one of the Debian packages of the Makefile", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// validators are programs of others that check a signed zone file.
var validators = map[string]func(z *sign.Zone, file string) []string{
	"ldns-verify-zone": func(_ *sign.Zone, file string) []string { return []string{"-V", "2", file} },
	"kzonecheck":       func(z *sign.Zone, file string) []string { return []string{"-d", "on", "-o", string(z.Origin()), file} },
	"dnssec-verify": func(z *sign.Zone, file string) []string {
		keys, _ := z.Find(rr.Key{Name: z.Origin(), Type: "DNSKEY"})
		if slices.ContainsFunc(keys.Data, func(d string) bool { return strings.HasPrefix(d, "256 ") }) {
			return []string{"-o", string(z.Origin()), file}
		}
		return []string{"-z", "-o", string(z.Origin()), file} // no key but CSKs
	},
}

// validate has every program, but those excused, check a zone that was signed by
// the machine's clock.
func validate(t *testing.T, z *sign.Zone, excused ...string) {
	t.Helper()
	path := file(t, z)
	for name, args := range validators {
		if slices.Contains(excused, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if out, err := exec.Command(tool(t, name), args(z, path)...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
