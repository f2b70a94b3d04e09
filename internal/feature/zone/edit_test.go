package zone_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
)

// line is one line of a change set.
func line(action, name, typ, ttl, data string) fields {
	return fields{"action": action, "name": name, "type": typ, "ttl": ttl, "data": data}
}

func TestAChangeSetIsOneVersionAndOneRecord(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		before := w.count(`SELECT count(*) FROM ledger_entry`)
		out, r := must[zone.Changed](w, customer, "zone.edit", fields{"zone": "kranewitt.example", "changes": []fields{
			line("add", "@", "MX", "", "30 mail"),
			line("set", "www", "CNAME", "5m", "mail"),
			line("remove", "old-server", "A", "", ""),
			line("set", "two", "A", "", "192.0.2.1"),
			line("set", "two", "A", "", "192.0.2.2"),
		}})
		if out.Version != 2 || out.Serial <= z.Serial || r.State != act.Pending {
			t.Errorf("%+v, %s", out, r.State)
		}
		if n := w.count(`SELECT count(*) FROM ledger_entry`) - before; n != 1 {
			t.Errorf("%d records were written", n)
		}
		want := map[string]string{
			"zone.record.added":   "kranewitt.example. MX: - → 3600 30 mail.kranewitt.example.",
			"zone.record.removed": "old-server.kranewitt.example. A: 3600 198.51.100.7 → -",
			"zone.record.changed": "www.kranewitt.example. CNAME: 3600 kranewitt.example. → 300 mail.kranewitt.example.",
		}
		for _, e := range r.Changes {
			if text := told(e.Fields); !strings.Contains(text, want[e.Name]) || !strings.Contains(text, "serial: 2026101403 → ") {
				t.Errorf("%s says %s", e.Name, text)
			}
		}
		if len(r.Changes) != 3 {
			t.Errorf("%d events", len(r.Changes))
		}
		shown, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID, "search": "two"})
		if len(shown.RRsets) != 1 || !slices.Equal(shown.RRsets[0].Data, []string{"192.0.2.1", "192.0.2.2"}) || shown.RRsets[0].TTL != 3600 {
			t.Errorf("two is %+v", shown.RRsets)
		}
	})
}

// told is fields as text.
func told(fs []act.Field) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%s: %s → %s\n", f.Name, or(f.Old), or(f.New))
	}
	return b.String()
}

func or(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func TestOneFaultLeavesTheWholeChangeSetOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kranewitt()
		before := w.rows()
		for _, c := range []struct {
			bad  fields
			says string
		}{
			{line("add", "www", "A", "", "192.0.2.1"), "www.kranewitt.example. CNAME"},
			{line("add", "x", "A", "", "192.0.2.300"), "changes.1.data"},
			{line("add", "x", "A", "soon", "192.0.2.3"), "changes.1.ttl"},
			{line("add", "x..y", "A", "", "192.0.2.3"), "changes.1.name"},
			{line("add", "www.else.example.", "A", "", "192.0.2.3"), "a name in the zone kranewitt.example"},
			{line("add", "x", "NONSENSE", "", "1"), "changes.1.type"},
			{line("add", "x", "RRSIG", "", "1"), "signing makes this one"},
			{line("remove", "mail", "A", "", "192.0.2.26"), "mail.kranewitt.example. A has 192.0.2.25"},
			{line("remove", "nobody", "A", "", ""), "nobody.kranewitt.example. A has none"},
			{line("remove", "@", "SOA", "", ""), "SOA"},
			{line("remove", "@", "NS", "", ""), "NS"},
			{line("add", "x", "MX", "", "10 mail.kranewitt.example"), "ends with a dot"},
			{line("set", "x", "MX", "", "10 192.0.2.1."), "a host name, not the address"},
			{line("set", "@", "CNAME", "", "elsewhere.example."), "no CNAME at the zone's own name"},
			{line("add", "mail", "DNAME", "", "elsewhere.example."), "DNAME"},
			{line("add", "lonely", "DS", "", "31589 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90"), "DS"},
		} {
			s := w.fails(core.Invalid, customer, "zone.edit", fields{"zone": "kranewitt.example",
				"changes": []fields{line("add", "fine", "A", "", "192.0.2.1"), c.bad}})
			if !strings.Contains(s, c.says) {
				t.Errorf("%v: %q does not say %q", c.bad, s, c.says)
			}
		}
		if after := w.rows(); after != before {
			t.Errorf("rows %v became %v", before, after)
		}
	})
}

func TestTheWriterFindsTheFaultsThatTheSnapshotDidNotHave(t *testing.T) {
	// Prepare sees a snapshot; the same rules hold inside the transaction, where
	// only the RRsets around the change are read. Two calls that are each fine
	// and together are not: the second to run must be refused.
	each(t, func(t *testing.T, w *world) {
		w.kranewitt()
		for i := range 10 {
			name := fmt.Sprintf("race%d", i)
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for n, l := range []fields{line("add", name, "CNAME", "", "mail"), line("add", name, "A", "", "192.0.2.1")} {
				wg.Go(func() {
					_, errs[n] = w.do(customer, "zone.edit", fields{"zone": "kranewitt.example", "changes": []fields{l}})
				})
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("both, or none: %v", errs)
			}
		}
		z, err := rr.ParseZone(strings.NewReader(w.text("kranewitt.example", 0)), rr.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if faults, _ := z.Validate(); len(faults) > 0 {
			t.Errorf("the zone is not valid: %v", faults)
		}
	})
}

func TestAPreviewShowsTheDiffAndLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kranewitt()
		before, log := w.rows(), w.count(`SELECT count(*) FROM ledger_entry`)
		out, r := must[zone.Changed](w, customer, "zone.edit", fields{"zone": "kranewitt.example", "changes": []fields{
			line("set", "mail", "A", "", "192.0.2.77")}}, preview)
		want := []string{"- mail.kranewitt.example. 600 IN A 192.0.2.25", "+ mail.kranewitt.example. 600 IN A 192.0.2.77"}
		for _, l := range want {
			if !slices.Contains(out.Diff, l) {
				t.Errorf("%q does not hold %q", out.Diff, l)
			}
		}
		if r.State != act.Previewed || len(r.Changes) != 1 {
			t.Errorf("%s with %d events", r.State, len(r.Changes))
		}
		if after := w.rows(); after != before || w.count(`SELECT count(*) FROM ledger_entry`) != log {
			t.Errorf("rows %v became %v", before, after)
		}
		shown, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": "kranewitt.example", "search": "192.0.2.77"})
		if shown.Found != 0 || shown.Version != 1 {
			t.Errorf("the preview stayed: %+v", shown)
		}
	})
}

func TestOfTwoEditorsWithTheSameVersionOneWins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kranewitt()
		_, r := must[zone.Shown](w, customer, "zone.show", fields{"zone": "kranewitt.example"})
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = w.do(customer, "zone.edit", fields{"zone": "kranewitt.example", "changes": []fields{
					line("set", "mail", "A", "", fmt.Sprintf("192.0.2.%d", i+1))}}, expect(r.Version))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if core.CodeOf(err) != core.Stale {
				t.Error(err)
			}
		}
		if won != 1 || w.count(`SELECT count(*) FROM zone_version`) != 2 {
			t.Errorf("%d of %d editors won", won, len(errs))
		}
	})
}

func TestSingleRecordsAreAddedSetAndRemoved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		created, _ := must[zone.Changed](w, customer, "zone.create", fields{"name": "Example.ORG"})
		if created.Zone != "example.org" || len(created.Warnings) == 0 {
			t.Errorf("%+v", created)
		}
		steps := []struct {
			op   string
			in   fields
			want []string
		}{
			{"zone.record.add", fields{"name": "www", "type": "a", "data": "192.0.2.1"}, []string{"3600 192.0.2.1"}},
			{"zone.record.add", fields{"name": "www.example.org", "type": "A", "data": "192.0.2.2", "ttl": "5m"}, []string{"300 192.0.2.1", "300 192.0.2.2"}},
			{"zone.record.remove", fields{"name": "www.example.org.", "type": "A", "data": "192.0.2.1"}, []string{"300 192.0.2.2"}},
			{"zone.record.set", fields{"name": "www", "type": "A", "data": []string{"192.0.2.9", "192.0.2.8"}}, []string{"300 192.0.2.8", "300 192.0.2.9"}},
			{"zone.record.remove", fields{"name": "www", "type": "A"}, nil},
		}
		serial := created.Serial
		for _, s := range steps {
			s.in["zone"] = "example.org"
			out, _ := must[zone.Changed](w, customer, s.op, s.in)
			if !rr.SerialAfter(out.Serial, serial) {
				t.Errorf("%s: serial %d after %d", s.op, out.Serial, serial)
			}
			serial = out.Serial
			if got := w.records("example.org", "www.example.org. A"); !slices.Equal(got, s.want) {
				t.Errorf("%s %v: %q, want %q", s.op, s.in, got, s.want)
			}
		}
		again, r := must[zone.Changed](w, customer, "zone.record.set", fields{"zone": "example.org", "name": "@", "type": "NS", "data": []string{"ns1", "ns2"}})
		if r.State != act.Unchanged || again.Serial != serial {
			t.Errorf("setting what is there: %s, serial %d after %d", r.State, again.Serial, serial)
		}
	})
}

// records returns one RRset as "ttl data".
func (w *world) records(name, key string) []string {
	w.t.Helper()
	shown, _ := must[zone.Shown](w, admin, "zone.show", fields{"zone": name, "limit": 20000})
	for _, s := range shown.RRsets {
		if s.Key().String() == key {
			var out []string
			for _, d := range s.Data {
				out = append(out, fmt.Sprintf("%d %s", s.TTL, d))
			}
			return out
		}
	}
	return nil
}

func TestTheSerialMovesByItselfUnlessAGreaterOneIsSet(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kranewitt()
		soa := func(serial uint32) fields {
			return line("set", "@", "SOA", "", fmt.Sprintf("ns1.hosting.example. hostmaster.hosting.example. %d 14400 3600 1209600 900", serial))
		}
		edit := func(l fields) (zone.Changed, act.Result) {
			return must[zone.Changed](w, customer, "zone.edit", fields{"zone": "kranewitt.example", "changes": []fields{l}})
		}
		if out, _ := edit(soa(3000000000)); out.Serial != 3000000000 {
			t.Errorf("a greater serial became %d", out.Serial)
		}
		if out, r := edit(soa(2999999999)); r.State != act.Unchanged || out.Serial != 3000000000 {
			t.Errorf("a smaller serial alone: %s, %d", r.State, out.Serial)
		}
		if out, _ := edit(line("add", "x", "A", "", "192.0.2.1")); out.Serial != 3000000001 {
			t.Errorf("the next serial is %d", out.Serial)
		}
	})
}

func TestWarningsNameOnlyWhatTheChangeBrings(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must[zone.Changed](w, customer, "zone.create", fields{"name": "example.org"}) // its nameservers have no addresses
		out, _ := must[zone.Changed](w, customer, "zone.record.add", fields{"zone": "example.org", "name": "@", "type": "MX", "data": "10 mail"})
		if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "mail.example.org. has no address") {
			t.Errorf("warnings: %v", out.Warnings)
		}
	})
}
