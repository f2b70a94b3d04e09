package access_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/access"
	"hostward/internal/ledger"
)

func TestAListIsOrderedAndHoldsEachNetworkOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		out := h.Must(boss, "access.add", input{"networks": "203.0.113.1, 198.51.100.0/24\n2001:db8::/32 198.51.100.0-198.51.100.255\n203.0.113.1", "note": "office"}).Output.(access.Changed)
		if out.Added != 3 || out.Listed != 3 || out.Mode != access.AllBut {
			t.Errorf("added %+v", out)
		}
		if got := listed(h, access.AllBut); got != "198.51.100.0/24 203.0.113.1 2001:db8::/32" {
			t.Errorf("the list is %s", got)
		}
		e := h.Last().Events[0]
		if f := e.Fields; len(f) != 1 || f[0].Name != access.AllBut || f[0].Old != nil || *f[0].New != "203.0.113.1 # office\n198.51.100.0/24 # office\n2001:db8::/32 # office" {
			t.Errorf("recorded %+v", e)
		}
		if r := h.Must(boss, "access.add", input{"networks": "198.51.100.*"}); r.State != act.Unchanged {
			t.Errorf("what is there already is %s", r.State)
		}
		entry := shown(h).Lists[0].Entries[0]
		if entry.Note != "office" || h.Clock().Sub(entry.Since) > 1e9 {
			t.Errorf("it is kept as %+v", entry)
		}
	})
}

func TestAListThatIsWrongIsRefusedWithEveryWrongItem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		for _, op := range []string{"access.add", "access.remove"} {
			said := h.Refused(core.Invalid, boss, op, input{"networks": "198.51.100.1, 198.51.100.1/24 example.org"})
			if !strings.Contains(said, `"198.51.100.1/24"`) || !strings.Contains(said, `"example.org"`) {
				t.Errorf("%s says %q", op, said)
			}
		}
		h.Refused(core.Invalid, boss, "access.add", input{"networks": "198.51.100.1", "note": "a # b"})
		h.Refused(core.Invalid, boss, "access.add", input{"networks": "198.51.100.1", "list": "both"})
		h.Refused(core.Invalid, boss, "access.mode", input{"mode": "none"})
		if h.Count("access_policy") != 0 {
			t.Error("something was changed")
		}
	})
}

func TestOnlyWhatStandsInTheListIsTakenOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		h.Refused(core.NotFound, boss, "access.remove", input{"networks": "198.51.100.1"})
		h.Must(boss, "access.add", input{"networks": "198.51.100.0/24 203.0.113.1"})
		for _, absent := range []string{"198.51.100.1", "198.51.0.0/16", "203.0.113.2", ","} {
			h.Refused(core.NotFound, boss, "access.remove", input{"networks": absent})
		}
		h.Refused(core.NotFound, boss, "access.remove", input{"networks": "203.0.113.1", "list": access.Only})
		out := h.Must(boss, "access.remove", input{"networks": "198.51.100.0-198.51.100.255, 198.51.100.7"}).Output.(access.Changed)
		if out.Removed != 1 || out.Listed != 1 || listed(h, access.AllBut) != "203.0.113.1" {
			t.Errorf("removed %+v, the list is %s", out, listed(h, access.AllBut))
		}
		if e := h.Last().Events[0]; len(e.Fields) != 1 || *e.Fields[0].Old != "198.51.100.0/24" {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestAFileIsTakenInWithItsNotes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		file := "# offices\r\n\r\n198.51.100.0/24 # Graz # ground floor\r\n  203.0.113.*\r\n2001:db8::/32#labour\r\n203.0.113.0/24 # twice"
		handle, err := h.Upload(t.Context(), boss, strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{file, handle} {
			out := h.Must(boss, "access.load", input{"file": file, "list": access.Only, "replace": true}).Output.(access.Changed)
			if out.Added != 3 || out.Listed != 3 {
				t.Errorf("taken in %+v", out)
			}
		}
		notes := map[string]string{}
		for _, e := range shown(h).Lists[1].Entries {
			notes[e.Network.String()] = e.Note
		}
		if len(notes) != 3 || notes["198.51.100.0/24"] != "Graz # ground floor" || notes["203.0.113.0/24"] != "" || notes["2001:db8::/32"] != "labour" {
			t.Errorf("the notes are %v", notes)
		}
		out := h.Must(boss, "access.load", input{"file": "198.51.100.7\n203.0.113.*\n", "list": access.Only}).Output.(access.Changed)
		if out.Added != 1 || out.Removed != 0 || out.Listed != 4 {
			t.Errorf("more was taken in: %+v", out)
		}
		out = h.Must(boss, "access.load", input{"file": "198.51.100.9", "list": access.Only, "replace": true}).Output.(access.Changed)
		if out.Added != 1 || out.Removed != 4 || listed(h, access.Only) != "198.51.100.9" {
			t.Errorf("replaced: %+v, the list is %s", out, listed(h, access.Only))
		}
		if e := h.Last().Events[0]; len(e.Fields) != 1 || strings.Count(*e.Fields[0].Old, "\n") != 3 || *e.Fields[0].New != "198.51.100.9" {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestAFileWithWrongLinesIsRefusedWithTheirNumbers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		h.Must(boss, "access.add", input{"networks": "203.0.113.1"})
		said := h.Refused(core.Invalid, boss, "access.load", input{"file": "198.51.100.1\nexample.org\n198.51.100.2 # fine\n198.51.100.3/8\n198.51.100.4 # " + strings.Repeat("x", 201), "replace": true})
		for _, want := range []string{`file, line 2 "example.org"`, "file, line 4", "write 198.0.0.0/8", "file, line 5", "200 bytes"} {
			if !strings.Contains(said, want) {
				t.Errorf("it says %q, without %q", said, want)
			}
		}
		many := h.Refused(core.Invalid, boss, "access.load", input{"file": strings.Repeat("wrong\n", 1000)})
		if n := strings.Count(many, "file, line"); n != 20 {
			t.Errorf("%d wrong lines are named", n)
		}
		for _, file := range []string{strings.Repeat("x", 70_000), "\x00", "198.51.100.1\x00"} {
			h.Refused(core.Invalid, boss, "access.load", input{"file": file})
		}
		h.Refused(core.Invalid, boss, "access.load", nil)
		h.Refused(core.NotFound, boss, "access.load", input{"file": "up_0123456789abcdefghjkmnpqrs"})
		if got := listed(h, access.AllBut); got != "203.0.113.1" {
			t.Errorf("the list is %s", got)
		}
	})
}

// TestANoteHoldsNothingThatAScreenWouldObey: it ends up in the record and in
// terminals.
func TestANoteHoldsNothingThatAScreenWouldObey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		for _, note := range []string{"\x1b[2J", "a\x07b", "a\rb", "\xff\xfe", "\x00", "\u009b2J"} {
			handle, err := h.Upload(t.Context(), boss, strings.NewReader("198.51.100.1 # "+note+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if said := h.Refused(core.Invalid, boss, "access.load", input{"file": handle}); !strings.Contains(said, "line 1") {
				t.Errorf("%q: %s", note, said)
			}
		}
		h.Refused(core.Invalid, boss, "access.add", input{"networks": "198.51.100.1", "note": "\x1b[2J"})
		h.Must(boss, "access.load", input{"file": "198.51.100.1 # Büro\tGraz"})
	})
}

func TestAListHoldsAtMost200000Networks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		var file strings.Builder
		for i := range 200_000 {
			fmt.Fprintf(&file, "10.%d.%d.%d\n", i>>16, i>>8&255, i&255)
		}
		h.Refused(core.Invalid, boss, "access.load", input{"file": file.String() + "192.168.0.1"})
		if out := h.Must(boss, "access.load", input{"file": file.String()}).Output.(access.Changed); out.Listed != 200_000 {
			t.Fatalf("taken in %+v", out)
		}
		h.Refused(core.Conflict, boss, "access.add", input{"networks": "192.168.0.1"})
		h.Must(boss, "access.add", input{"networks": "192.168.0.1", "list": access.Only})
		if acts(h, at(boss, "10.3.13.63")) || !acts(h, at(boss, "10.3.13.64")) {
			t.Error("the last network of the list is not refused, or that behind it is")
		}
		list := shown(h).Lists[0]
		if list.Total != 200_000 || len(list.Entries) != 500 {
			t.Errorf("of %d networks %d are shown", list.Total, len(list.Entries))
		}
		h.Must(boss, "access.remove", input{"networks": "10.3.13.63"})
		h.Must(boss, "access.add", input{"networks": "192.168.0.1"})
	})
}

func TestAListIsSearchedByNetworkAndNote(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		h.Must(boss, "access.load", input{"file": "198.51.100.0/24 # Graz\n203.0.113.1 # Wien\n2001:db8::/32"})
		for text, want := range map[string]int{"graz": 1, "203.0": 1, "2001:DB8": 1, "": 3, "nothing": 0} {
			out := h.Must(boss, "access.show", input{"text": text}).Output.(access.Shown)
			if n := len(out.Lists[0].Entries); n != want || out.Lists[0].Total != 3 || !out.Lists[0].Force || out.Lists[1].Force {
				t.Errorf("%q finds %d of %d", text, n, out.Lists[0].Total)
			}
		}
		b, err := json.Marshal(h.Must(at(boss, here), "access.show", nil).Output)
		if err != nil || strings.Contains(string(b), "null") || !strings.Contains(string(b), `"you":"`+here+`"`) {
			t.Errorf("as JSON it is %s, %v", b, err)
		}
	})
}

func TestEveryChangeOfTheListsIsOnRecord(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		for _, c := range []struct {
			op string
			in input
		}{
			{"access.add", input{"networks": here, "list": access.Only}}, {"access.mode", input{"mode": access.Only}},
			{"access.load", input{"file": "203.0.113.1"}}, {"access.remove", input{"networks": "203.0.113.1"}}, {"access.mode", input{"mode": access.AllBut}},
		} {
			h.Must(boss, c.op, c.in)
			l := h.Last()
			if l.Action != c.op || l.Outcome != ledger.Done || l.Class != "authentication" || len(l.Events) != 1 || l.Events[0].Name != "access.changed" || l.Events[0].Object.ID != "administrators" {
				t.Errorf("%s is recorded as %+v", c.op, l)
			}
		}
	})
}
