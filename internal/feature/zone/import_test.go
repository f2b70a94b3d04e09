package zone_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
)

func TestAnImportedFileComesOutAgainAsTheSameZone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for file, want := range map[string]struct {
			name    string
			records int64
		}{
			"kranewitt.example.zone":     {"kranewitt.example", 28},
			"university.example.zone":    {"university.example", 184},
			"2.0.192.in-addr.arpa.zone":  {"2.0.192.in-addr.arpa", 68},
			"xn--bcher-kva.example.zone": {"bücher.example", 6},
		} {
			text := sample(t, file)
			in := fields{"file": text}
			if file == "2.0.192.in-addr.arpa.zone" {
				in["name"] = "2.0.192.in-addr.arpa" // its SOA stands before any $ORIGIN
			}
			out, r := must[zone.Changed](w, admin, "zone.import", in)
			if out.Zone != want.name || out.Added != want.records || r.State != act.Pending {
				t.Errorf("%s: imported %s with %d records, %s; want %s with %d, pending", file, out.Zone, out.Added, r.State, want.name, want.records)
			}
			same(t, file, text, w.text(out.ID, 0), in["name"])
			if running, rows := w.digests(out.ID); running != rows || len(running) != 64 {
				t.Errorf("%s: digest %q while running, %q from the rows", file, running, rows)
			}
		}
	})
}

// same compares two zone files by what they mean.
func same(t *testing.T, file, a, b string, name any) {
	t.Helper()
	origin := rr.Name("")
	if s, ok := name.(string); ok {
		origin, _ = rr.ParseName(s, ".")
	}
	za, err := rr.ParseZone(strings.NewReader(a), rr.Options{Origin: origin})
	if err != nil {
		t.Fatal(err)
	}
	zb, err := rr.ParseZone(strings.NewReader(b), rr.Options{})
	if err != nil {
		t.Fatalf("%s: the export cannot be read: %v\n%s", file, err, b)
	}
	if d := rr.Diff(za.Sets, zb.Sets); len(d) > 0 || za.Origin != zb.Origin {
		t.Errorf("%s: the export differs: %v", file, d)
	}
}

func TestABrokenFileIsRefusedWithItsPlaceAndNothingIsDone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		before := w.rows()
		for file, want := range map[string][]string{
			"broken-syntax.zone": {"line 5, column 9", "ten"},
			"broken-cname.zone":  {"line 6", "www.broken.example. CNAME", "A"},
		} {
			sentence := w.fails(core.Invalid, customer, "zone.import", fields{"file": sample(t, file)})
			for _, s := range want {
				if !strings.Contains(sentence, s) {
					t.Errorf("%s: %q does not say %q", file, sentence, s)
				}
			}
			leaf := w.last()
			for _, s := range []string{`"action":"zone.import"`, `"outcome":"refused"`, `"code":"invalid"`, `"tenant":"a_shop"`} {
				if !strings.Contains(leaf, s) {
					t.Errorf("%s: the record does not hold %s: %s", file, s, leaf)
				}
			}
		}
		if after := w.rows(); after != before {
			t.Errorf("rows %v became %v", before, after)
		}
	})
}

func TestAnImportReplacesAZoneAsOneDiff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.kranewitt()
		text := sample(t, "kranewitt.example.zone")
		if s := w.fails(core.Conflict, customer, "zone.import", fields{"file": text}); !strings.Contains(s, "replace") {
			t.Errorf("%q does not say what to do", s)
		}
		same, r := must[zone.Changed](w, customer, "zone.import", fields{"file": text, "replace": true})
		if r.State != act.Unchanged || same.Version != 1 || len(same.Diff) != 0 {
			t.Errorf("the same file again: %s, %+v", r.State, same)
		}
		text = strings.Replace(text, "192.0.2.10", "192.0.2.99", 1)
		text = strings.Replace(text, "printer.office IN A 203.0.113.77\n", "", 1)
		out, _ := must[zone.Changed](w, customer, "zone.import", fields{"file": text, "replace": true})
		if out.ID != first.ID || out.Version != 2 || !rr.SerialAfter(out.Serial, first.Serial) {
			t.Errorf("after the replacement %+v, before %+v", out, first)
		}
		want := []string{"- kranewitt.example. 3600 IN A 192.0.2.10", "+ kranewitt.example. 3600 IN A 192.0.2.99",
			"- printer.office.kranewitt.example. 3600 IN A 203.0.113.77"}
		for _, line := range want {
			if !slices.Contains(out.Diff, line) {
				t.Errorf("the diff %q does not hold %q", out.Diff, line)
			}
		}
		if len(out.Diff) != 5 { // and the serial
			t.Errorf("the diff has %d lines: %q", len(out.Diff), out.Diff)
		}
	})
}

func TestAnUploadedFileIsImported(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		handle, err := w.Upload(context.Background(), customer, strings.NewReader(sample(t, "kranewitt.example.zone")))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := must[zone.Changed](w, customer, "zone.import", fields{"file": handle})
		if out.Zone != "kranewitt.example" {
			t.Errorf("imported %+v", out)
		}
		w.fails(core.NotFound, stranger, "zone.import", fields{"file": handle})
	})
}

func TestAZoneThatIsTooLargeIsRefusedWithTheLimit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for hosts, limit := range map[int]string{100_001: "at most 100000 are accepted", 1_000_000: "at most 250000 records"} {
			handle, err := w.Upload(context.Background(), customer, strings.NewReader(large("large.example", hosts)))
			if err != nil {
				t.Fatal(err)
			}
			if sentence := w.fails(core.Invalid, customer, "zone.import", fields{"file": handle}); !strings.Contains(sentence, limit) {
				t.Errorf("%q does not name the limit", sentence)
			}
		}
		if w.rows()[0] != 0 {
			t.Error("a zone was made")
		}
	})
}

// large is a zone file with so many hosts.
func large(name string, hosts int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s.\n$TTL 3600\n@ SOA ns1.hosting.example. hostmaster 1 3600 900 604800 300\n NS ns1.hosting.example.\n NS ns2.hosting.example.\n", name)
	for i := range hosts {
		fmt.Fprintf(&b, "host%d A 10.%d.%d.%d\n", i, i>>16, i>>8&255, i&255)
	}
	return b.String()
}
