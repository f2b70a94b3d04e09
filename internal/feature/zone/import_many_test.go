package zone_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

type entry struct {
	name, text string
	kind       byte // of tar; 0: a file
}

func tarred(t testing.TB, all ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range all {
		h := &tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.text)), Typeflag: e.kind}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		} else {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		err := w.WriteHeader(h)
		if err == nil && h.Size > 0 {
			_, err = io.WriteString(w, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, all ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range all {
		f, err := w.Create(e.name)
		if err == nil {
			_, err = io.WriteString(f, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// whole is a zone file that says its name; without one it is for a file to say.
func whole(name string) string {
	head := ""
	if name != "" {
		head = "$ORIGIN " + name + ".\n"
	}
	return head + "$TTL 1h\n@ IN SOA ns1.hosting.example. hostmaster.hosting.example. 7 4h 1h 2w 15m\n@ NS ns1.hosting.example.\nwww A 192.0.2.44\n"
}

// send uploads an archive, as its size and its octets want.
func (w *world) send(who act.Actor, data []byte) string {
	w.t.Helper()
	handle, err := w.Upload(context.Background(), who, bytes.NewReader(data))
	if err != nil {
		w.t.Fatal(err)
	}
	return handle
}

func folder() []entry {
	return []entry{
		{name: "zones/", kind: tar.TypeDir},
		{name: "zones/a.example.zone", text: whole("")},
		{name: "zones/db.b.example", text: whole("")},
		{name: "zones/whatever.txt", text: whole("c.example")},
		{name: "zones/192.0.2.rev", text: whole("2.0.192.in-addr.arpa")},
		{name: "zones/bad.example.db", text: whole("") + "mail A nowhere\nmx MX ten mail\n"},
		{name: "zones/nameless", text: whole("")},
		{name: "zones/again", text: whole("c.example")},
		{name: "../../etc/d.example.zone", text: whole("")},
		{name: "zones/link.example.zone", kind: tar.TypeSymlink},
		{name: "zones/.hidden", text: "x"},
		{name: "zones/a.example.zone.jnl", text: "\x00\xff"},
		{name: "zones/there.example.zone", text: whole("")},
		{name: "zones/theirs.example.zone", text: whole("")},
		{name: "zones/octets.example.zone", text: "\xff\xfe"},
	}
}

func TestManyZonesAreImportedAndOneBadFileStopsNoOther(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there, _ := must[zone.Changed](w, customer, "zone.create", fields{"name": "there.example", "nameservers": []string{"ns1.hosting.example"}})
		must[zone.Changed](w, stranger, "zone.create", fields{"name": "theirs.example", "nameservers": []string{"ns1.hosting.example"}})
		in := fields{"file": w.send(customer, gzipped(t, tarred(t, folder()...)))}

		m, _ := must[zone.Many](w, customer, "zone.bulk.import", in, preview)
		if m.New != 5 || m.There != 1 || m.Faulty != 6 || m.Replace != 0 || len(m.Files) != 14 {
			t.Errorf("the preview says %+v", m)
		}
		want := map[string]string{
			"zones/a.example.zone": "new a.example", "zones/db.b.example": "new b.example", "zones/whatever.txt": "new c.example", "zones/192.0.2.rev": "new 2.0.192.in-addr.arpa",
			"zones/bad.example.db": "faulty ", "zones/nameless": "faulty ", "zones/again": "faulty c.example", "etc/d.example.zone": "new d.example", "zones/link.example.zone": "faulty ",
			"zones/.hidden": "left out ", "zones/a.example.zone.jnl": "left out ", "zones/there.example.zone": "there there.example", "zones/theirs.example.zone": "faulty theirs.example",
			"zones/octets.example.zone": "faulty ",
		}
		for _, f := range m.Files {
			if got := f.State + " " + f.Zone; got != want[f.File] {
				t.Errorf("%s: %q, want %q: %v", f.File, got, want[f.File], f.Says)
			}
			if says := strings.Join(f.Says, "; "); f.File == "zones/bad.example.db" && (!strings.Contains(says, "line 5") || !strings.Contains(says, "line 6")) {
				t.Errorf("the faults are %s", says)
			}
		}
		if n := w.count(`SELECT count(*) FROM zone_zone`); n != 2 {
			t.Errorf("the preview left %d zones", n)
		}

		in["whole"] = true
		if _, err := w.do(customer, "zone.bulk.import", in, confirmed); err != nil {
			t.Fatal(err)
		}
		if got := w.ended(); !strings.Contains(got, "nothing was imported") || w.count(`SELECT count(*) FROM zone_zone`) != 2 {
			t.Errorf("all or nothing ended with %s", got)
		}
		in["whole"] = false
		w.fails(core.Unconfirmed, customer, "zone.bulk.import", in)
		if _, err := w.do(customer, "zone.bulk.import", in, confirmed); err != nil {
			t.Fatal(err)
		}
		if got := w.ended(); !strings.HasPrefix(got, "imported 5 new zones; not imported: ") || !strings.Contains(got, "bad.example.db: line 5") || !strings.Contains(got, "there.example is there already") {
			t.Errorf("the job ended with %s", got)
		}
		for _, name := range []string{"a.example", "b.example", "c.example", "d.example", "2.0.192.in-addr.arpa"} {
			s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": name})
			if s.Records != 3 || s.Serial != 7 {
				t.Errorf("%s has %d records, serial %d", name, s.Records, s.Serial)
			}
		}

		in["replace"] = true
		if _, err := w.do(customer, "zone.bulk.import", in, confirmed); err != nil {
			t.Fatal(err)
		}
		if got := w.ended(); !strings.HasPrefix(got, "imported 0 new zones, replaced 6;") {
			t.Errorf("replacing ended with %s", got)
		}
		s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": there.ID, "type": "A"})
		if len(s.RRsets) != 1 || s.RRsets[0].Data[0] != "192.0.2.44" {
			t.Errorf("there.example has %+v", s.RRsets)
		}
		if running, rows := w.digests(there.ID); running != rows {
			t.Errorf("the digest is %s, of the rows %s", running, rows)
		}
		w.fails(core.NotFound, stranger, "zone.bulk.import", in, preview) // it is another's upload
	})
}

func TestArchivesAreReadInEveryForm(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	all := []entry{{name: "a.example.zone", text: whole("")}, {name: "../../../root/b.example.zone", text: whole("")}, {name: `C:\zones\c.example.dns`, text: whole("")}}
	for form, data := range map[string][]byte{"tar": tarred(t, all...), "tar.gz": gzipped(t, tarred(t, all...)), "zip": zipped(t, all...)} {
		m, _ := must[zone.Many](w, customer, "zone.bulk.import", fields{"file": w.send(customer, data)}, preview)
		names := make([]string, len(m.Files))
		for i, f := range m.Files {
			names[i] = f.File + " " + f.Zone
		}
		if !slices.Equal(names, []string{"a.example.zone a.example", "root/b.example.zone b.example", "zones/c.example.dns c.example"}) {
			t.Errorf("%s holds %q", form, names)
		}
	}
}

func TestHostileArchivesAreRefusedWhole(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	good := gzipped(t, tarred(t, entry{name: "a.example.zone", text: whole("")}, entry{name: "noise.example.zone", text: strings.Repeat(whole(""), 500)}))
	crowd := make([]entry, 100_000)
	for i := range crowd {
		crowd[i] = entry{name: fmt.Sprintf("%d.zone", i)}
	}
	zeros := strings.Repeat("\x00", 24<<20)
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"a zip bomb":           {zipped(t, entry{name: "z.example.zone", text: zeros}), "unpacks to more"},
		"a gzip bomb":          {gzipped(t, tarred(t, entry{name: "z.example.zone", text: zeros})), "unpacks to more"},
		"100 000 entries, tar": {gzipped(t, tarred(t, crowd...)), ""},
		"100 000 entries, zip": {zipped(t, crowd...), "too many entries"},
		"cut off":              {good[:len(good)/2], "cut off"},
		"a tar cut off":        {tarred(t, entry{name: "a.example.zone", text: strings.Repeat(whole(""), 20)})[:1500], "cut off"},
		"a zip cut off":        {zipped(t, entry{name: "a.example.zone", text: whole("")})[:90], "cut off"},
		"a zone file":          {[]byte(whole("a.example")), "a tar, tar.gz or zip"},
		"nothing":              {tarred(t), ""},
	} {
		if got := w.fails(core.Invalid, customer, "zone.bulk.import", fields{"file": w.send(customer, c.data)}, preview); !strings.Contains(got, c.says) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n := w.count(`SELECT count(*) FROM zone_zone`); n != 0 {
		t.Errorf("there are %d zones", n)
	}
}

func FuzzArchive(f *testing.F) {
	for _, data := range [][]byte{tarred(f, folder()...), gzipped(f, tarred(f, folder()...)), zipped(f, entry{name: "a.example.zone", text: whole("")})} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		zone.Unpacked(data, func(name string) {
			if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
				t.Errorf("the label %q", name)
			}
		})
	})
}
