package zone_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

// edits draws change sets that mostly work and sometimes do not.
func edits() *rapid.Generator[[]fields] {
	one := rapid.Custom(func(t *rapid.T) fields {
		data := map[string][]string{
			"A": {"192.0.2.1", "192.0.2.2", "192.0.2.3"}, "TXT": {`"a"`, `"b c"`}, "MX": {"10 mail", "20 mail"},
			"CNAME": {"mail", "www"}, "NS": {"ns1.hosting.example.", "ns3.hosting.example."}, "DNAME": {"elsewhere.example."},
		}
		typ := rapid.SampledFrom([]string{"A", "A", "A", "TXT", "MX", "CNAME", "NS", "DNAME"}).Draw(t, "type")
		l := line(rapid.SampledFrom([]string{"add", "set", "remove"}).Draw(t, "action"),
			rapid.SampledFrom([]string{"@", "www", "mail", "a", "b.a", "c.b.a"}).Draw(t, "name"), typ,
			rapid.SampledFrom([]string{"", "", "60", "2h"}).Draw(t, "ttl"), rapid.SampledFrom(data[typ]).Draw(t, "data"))
		if l["action"] == "remove" && rapid.Bool().Draw(t, "whole") {
			l["data"] = ""
		}
		return l
	})
	return rapid.SliceOfN(one, 1, 3)
}

// Whatever happens, the digest that is kept while running is the one that the
// rows have, the zone obeys all rules, and every version can be seen again.
func TestTheDigestIsThatOfTheRowsAfterAnySequence(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			name := fmt.Sprintf("z%d.example", n)
			z, _ := must[zone.Changed](w, customer, "zone.create", fields{"name": name, "nameservers": []string{"ns1.hosting.example"}})
			texts := []string{w.text(name, 0)}
			first, _ := w.digests(z.ID)
			digests := map[string]bool{first: true}
			for range rapid.IntRange(1, 6).Draw(rt, "steps") {
				r, err := w.do(customer, "zone.edit", fields{"zone": name, "changes": edits().Draw(rt, "edits")})
				if err == nil && r.State != act.Unchanged {
					texts = append(texts, w.text(name, 0))
				}
				if err != nil && core.CodeOf(err) != core.Invalid {
					rt.Fatal(err)
				}
				running, rows := w.digests(z.ID)
				if digests[running] = true; running != rows || len(digests) != len(texts) {
					rt.Fatalf("digest %s while running, %s from the rows; %d digests of %d versions", running, rows, len(digests), len(texts))
				}
			}
			for i, text := range texts {
				if got := w.text(name, i+1); got != text {
					rt.Fatalf("version %d was\n%s\nand is now\n%s", i+1, text, got)
				}
			}
			w.whole(rt, name)
		})
	})
}

// text exports a version.
func (w *world) text(name string, version int) string {
	w.t.Helper()
	var b strings.Builder
	if err := w.export(admin, name, version, &b); err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

func (w *world) export(who act.Actor, name string, version int, to *strings.Builder) error {
	in, err := json.Marshal(fields{"zone": name, "version": version})
	if err != nil {
		return err
	}
	return w.Stream(context.Background(), act.Call{Op: "zone.export", Actor: who, Input: in}, func(item any) error {
		to.WriteString(item.(string))
		return nil
	})
}

// whole imports the export over the zone: it must be accepted and change nothing.
func (w *world) whole(rt *rapid.T, name string) {
	r, err := w.do(customer, "zone.import", fields{"file": w.text(name, 0), "replace": true})
	if err != nil || r.State != act.Unchanged {
		rt.Fatalf("the export is not the zone: %s, %v", r.State, err)
	}
}

// Whoever edits a row with a tool changes what Recompute finds, and does not
// change what was recorded.
func TestARowEditedByHandIsFound(t *testing.T) {
	url := storetest.SQLite(t)
	w := newWorld(t, url, nil)
	z := w.kranewitt()
	must[zone.Changed](w, customer, "zone.record.add", fields{"zone": z.ID, "name": "x", "type": "A", "data": "192.0.2.1"})
	good, rows := w.digests(z.ID)
	if good != rows {
		t.Fatal("the digests differ before anything was done")
	}
	db, err := sql.Open("sqlite", filepath.FromSlash(strings.TrimPrefix(url, "sqlite://")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct{ do, undo string }{
		{`UPDATE zone_rrset SET data = '192.0.2.66' WHERE name = 'x.kranewitt.example.'`, `UPDATE zone_rrset SET data = '192.0.2.1' WHERE name = 'x.kranewitt.example.'`},
		{`UPDATE zone_rrset SET ttl = 1 WHERE name = 'x.kranewitt.example.'`, `UPDATE zone_rrset SET ttl = 3600 WHERE name = 'x.kranewitt.example.'`},
		{`DELETE FROM zone_rrset WHERE name = 'x.kranewitt.example.'`, `INSERT INTO zone_rrset SELECT id, 1, 'x.kranewitt.example.', 'A', 3600, '192.0.2.1' FROM zone_zone`},
		{`INSERT INTO zone_rrset SELECT id, 1, 'evil.kranewitt.example.', 'A', 60, '192.0.2.66' FROM zone_zone`, `DELETE FROM zone_rrset WHERE name LIKE 'evil%'`},
		{`UPDATE zone_zone SET owner = 'a_rival'`, `UPDATE zone_zone SET owner = 'a_shop'`},
		{`UPDATE zone_zone SET serial = serial + 1`, `UPDATE zone_zone SET serial = serial - 1`},
		{`UPDATE zone_zone SET deleted = 1`, `UPDATE zone_zone SET deleted = 0`},
		{`UPDATE zone_zone SET generation = 2`, `UPDATE zone_zone SET generation = 1`},
		{`UPDATE zone_zone SET version = version - 1`, `UPDATE zone_zone SET version = version + 1`},
		{`UPDATE zone_version SET actor = 'u_rival' WHERE version = 1`, `UPDATE zone_version SET actor = 'u_shop' WHERE version = 1`},
		{`UPDATE zone_version SET change = replace(change, '192.0.2.1"', '192.0.2.7"') WHERE version = 2`, `UPDATE zone_version SET change = replace(change, '192.0.2.7"', '192.0.2.1"') WHERE version = 2`},
	} {
		if _, err := db.Exec(c.do); err != nil {
			t.Fatal(err)
		}
		if _, rows := w.digests(z.ID); rows == good {
			t.Errorf("not found: %s", c.do)
		}
		if _, err := db.Exec(c.undo); err != nil {
			t.Fatal(err)
		}
		if _, rows := w.digests(z.ID); rows != good {
			t.Fatalf("the test did not take back: %s", c.do)
		}
	}
	// A change on top of a forged row does not heal it.
	if _, err := db.Exec(`UPDATE zone_rrset SET data = '192.0.2.66' WHERE name = 'x.kranewitt.example.'`); err != nil {
		t.Fatal(err)
	}
	must[zone.Changed](w, customer, "zone.record.set", fields{"zone": z.ID, "name": "x", "type": "A", "data": []string{"192.0.2.3"}})
	if running, rows := w.digests(z.ID); running == rows {
		t.Error("a later change hid the forged row")
	}
}

func TestHistoryHasEveryVersionAndDiffComparesAnyTwo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		for i := range 4 {
			must[zone.Changed](w, customer, "zone.record.set", fields{"zone": z.ID, "name": "x", "type": "A", "data": []string{fmt.Sprintf("192.0.2.%d", i+1)}})
		}
		must[zone.Changed](w, reseller, "zone.record.remove", fields{"zone": z.ID, "name": "x", "type": "A"})
		var got []string
		before := int64(0)
		for range 10 {
			h, _ := must[zone.History](w, auditor, "zone.history", fields{"zone": z.ID, "limit": 4, "before": before})
			for _, v := range h.Versions {
				got = append(got, fmt.Sprintf("%d %s %s +%d -%d", v.Version, v.Action, v.Actor, v.Added, v.Removed))
			}
			if before = h.Next; before == 0 {
				break
			}
		}
		want := []string{"6 zone.record.remove u_agency +1 -2", "5 zone.record.set u_shop +2 -2", "4 zone.record.set u_shop +2 -2",
			"3 zone.record.set u_shop +2 -2", "2 zone.record.set u_shop +2 -1", "1 zone.import u_shop +28 -0"}
		if !slices.Equal(got, want) {
			t.Errorf("history %q\nwant %q", got, want)
		}
		for _, c := range []struct {
			from, to int
			want     string
		}{
			{2, 4, "- x.kranewitt.example. 3600 IN A 192.0.2.1 + x.kranewitt.example. 3600 IN A 192.0.2.3"},
			{4, 0, "- x.kranewitt.example. 3600 IN A 192.0.2.3"},
			{1, 6, ""}, {3, 3, ""}, {6, 1, ""},
			{4, 2, "- x.kranewitt.example. 3600 IN A 192.0.2.3 + x.kranewitt.example. 3600 IN A 192.0.2.1"},
		} {
			d, _ := must[zone.Diff](w, customer, "zone.diff", fields{"zone": z.ID, "from": c.from, "to": c.to})
			lines := slices.DeleteFunc(d.Lines, func(l string) bool { return strings.Contains(l, " SOA ") })
			if got := strings.Join(lines, " "); got != c.want {
				t.Errorf("%d to %d: %q, want %q", c.from, c.to, got, c.want)
			}
		}
		if d, _ := must[zone.Diff](w, customer, "zone.diff", fields{"zone": z.ID}); d.From != 5 || d.To != 6 {
			t.Errorf("%d to %d", d.From, d.To)
		}
		all, _ := must[zone.Diff](w, customer, "zone.diff", fields{"zone": z.ID, "to": 1})
		if len(all.Lines) != 28 {
			t.Errorf("version 1 has %d records", len(all.Lines))
		}
		w.fails(core.Invalid, customer, "zone.diff", fields{"zone": z.ID, "from": 7, "to": 4})
		w.fails(core.Invalid, customer, "zone.diff", fields{"zone": z.ID, "from": 1, "to": 7})
		w.fails(core.Invalid, customer, "zone.show", fields{"zone": z.ID, "version": 7})
		if s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID, "version": 3, "search": "x.kran"}); s.At != 3 || s.RRsets[0].Data[0] != "192.0.2.2" {
			t.Errorf("%+v", s)
		}
	})
}

// docs/log-format.md refers to this digest: it must not move.
func TestTheStateDigestIsWhatTheDocumentSays(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	z := w.kranewitt()
	var lines []string
	var id, name, owner, actor, action, change string
	var serial, version, generation, sets, records, created, deleted, at int64
	w.row(`SELECT id, name, owner, serial, version, generation, sets, records, created, deleted FROM zone_zone`, &id, &name, &owner, &serial, &version, &generation, &sets, &records, &created, &deleted)
	w.row(`SELECT at, actor, action, change FROM zone_version`, &at, &actor, &action, &change)
	lines = []string{"hostward-zone-version-v1", "", fmt.Sprint(version), fmt.Sprint(serial), fmt.Sprint(at), actor, action, change}
	history := sum(lines)
	var acc []byte
	w.row(`SELECT sets FROM zone_digest`, &acc)
	lines = []string{"hostward-zone-v1", id, name, owner, fmt.Sprint(serial), fmt.Sprint(version), fmt.Sprint(generation),
		fmt.Sprint(sets), fmt.Sprint(records), fmt.Sprint(created), fmt.Sprint(deleted), hexOf(acc), history}
	if running, _ := w.digests(z.ID); running != sum(lines) {
		t.Errorf("the digest is %s, by the document %s", running, sum(lines))
	}
	var ds []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(change), &ds); err != nil || len(ds) != int(sets) {
		t.Errorf("the change holds %d RRsets, %v", len(ds), err)
	}
	leaf := w.last()
	running, _ := w.digests(z.ID)
	if !strings.Contains(leaf, `"state":"`+running+`"`) {
		t.Errorf("the leaf does not carry the digest %s: %s", running, leaf)
	}
}

func sum(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return hexOf([]byte(b.String()))
}

// hexOf is the hex SHA-256.
func hexOf(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// row reads one row by a constant text.
func (w *world) row(q string, dest ...any) {
	w.t.Helper()
	s, err := w.store.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	if err := s.QueryRow(context.Background(), q).Scan(dest...); err != nil {
		w.t.Fatal(err)
	}
}
