package ini_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/ini"
)

const sample = "\uFEFF; head\r\n" +
	"\r\n" +
	"foreign = \"x;y\"   ; kept\r\n" +
	"[api]   ; who gets in\r\n" +
	"\tenabled=on;yes\r\n" +
	"allowedIPs = 192.0.2.1,  192.0.2.2 ; office\r\n" +
	"\r\n" +
	"; about the log\r\n" +
	"[actionLog]\r\n" +
	"nis2compliant = \"on\""

func TestSetChangesOnlyTheValue(t *testing.T) {
	for _, c := range []struct{ section, key, text, old, new string }{
		{"api", "enabled", "off", "\tenabled=on;yes", "\tenabled=off;yes"},
		{"api", "allowedIPs", "2001:db8::/32", "= 192.0.2.1,  192.0.2.2 ; office", "= 2001:db8::/32 ; office"},
		{"api", "allowedIPs", "", "= 192.0.2.1,  192.0.2.2 ; office", `= "" ; office`},
		{"actionLog", "nis2compliant", "off", `= "on"`, `= off`},
		{"", "foreign", `say "hi" \o/ | ok`, `"x;y"   ; kept`, `"say \"hi\" \\o/ | ok"   ; kept`},
		{"", "foreign", "${HOME}", `"x;y"   ; kept`, `'${HOME}'   ; kept`},
		{"", "foreign", "E_ALL", `"x;y"   ; kept`, `"E_ALL"   ; kept`},
		{"api", "dnsUpdate", "on", "; office\r\n", "; office\r\ndnsUpdate = on\r\n"},
		{"", "other", "1", "; kept\r\n", "; kept\r\nother = 1\r\n"},
		{"actionLog", "syslog", "on", `= "on"`, "= \"on\"\r\nsyslog = on\r\n"},
		{"new", "a.b", "1", `= "on"`, "= \"on\"\r\n\r\n[new]\r\na.b = 1\r\n"},
	} {
		f := mustParse(t, sample)
		if err := f.Set(c.section, c.key, c.text); err != nil {
			t.Fatal(err)
		}
		if e, _ := f.Get(c.section, c.key); e.Text != c.text {
			t.Errorf("[%s] %s reads %q, want %q", c.section, c.key, e.Text, c.text)
		}
		if got, want := string(f.Bytes()), strings.Replace(sample, c.old, c.new, 1); got != want {
			t.Errorf("[%s] %s = %s gives\n%q, want\n%q", c.section, c.key, c.text, got, want)
		}
	}
}

func TestSetInAnEmptyFile(t *testing.T) {
	f := mustParse(t, "")
	for _, c := range [][3]string{{"api", "enabled", "off"}, {"", "top", "1"}, {"api", "dnsUpdate", "on"}} {
		if err := f.Set(c[0], c[1], c[2]); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(f.Bytes()), "top = 1\n[api]\nenabled = off\ndnsUpdate = on\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
}

func TestSetReplacesTheLineThatHolds(t *testing.T) {
	f := mustParse(t, "[s]\na = 1\na = 2\n")
	if err := f.Set("s", "a", "3"); err != nil {
		t.Fatal(err)
	}
	if got := string(f.Bytes()); got != "[s]\na = 1\na = 3\n" {
		t.Errorf("the file is %q", got)
	}
}

func TestUnsetRemovesEveryLineOfTheKey(t *testing.T) {
	f := mustParse(t, "[s]\na = 1\nb = 'x\ny' ; c\na = 2 ; d\n[t]\na = 3\n")
	for _, key := range []string{"a", "b", "absent"} {
		if err := f.Unset("s", key); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(f.Bytes()); got != "[s]\n[t]\na = 3\n" {
		t.Errorf("the file is %q", got)
	}
}

func TestSetRefusesWhatWouldNotReadBack(t *testing.T) {
	for _, c := range [][3]string{
		{"s", "", "1"}, {"s", "a=b", "1"}, {"s", "a[]", "1"}, {"s", "yes", "1"}, {"s", "a\nb", "1"}, {"s", ";a", "1"},
		{"s]", "a", "1"}, {"s\n", "a", "1"}, {" s", "a", "1"}, {"s", " a", "1"}, {"s", "#a", "1"},
		{"s", "a", "x\x00"}, {"s", "a", "'${"}, {"s", "list", "1"},
	} {
		f := mustParse(t, "[s]\nlist[] = 1\n")
		err := f.Set(c[0], c[1], c[2])
		if core.CodeOf(err) != core.Invalid {
			t.Errorf("[%s] %q = %q: %v, want invalid", c[0], c[1], c[2], err)
		}
		if got := string(f.Bytes()); got != "[s]\nlist[] = 1\n" {
			t.Errorf("a refused change left %q", got)
		}
	}
}

func TestEditWritesTheFileAndKeepsItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.ini")
	if err := os.WriteFile(path, []byte(sample), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := ini.Edit(path, func(f *ini.File) error { return f.Set("api", "enabled", "off") }); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	if want := strings.Replace(sample, "=on;yes", "=off;yes", 1); string(got) != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o604 {
		t.Errorf("the mode is %v, want 0604", info.Mode())
	}
}

func TestEditDoesNotOverwriteSomebodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.ini")
	err := ini.Edit(path, func(f *ini.File) error {
		if err := os.WriteFile(path, []byte("theirs = 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return f.Set("api", "enabled", "off")
	})
	if core.CodeOf(err) != core.Conflict {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "theirs = 1\n" {
		t.Errorf("the file is %q", got)
	}
}

func TestEditLeavesABrokenFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.ini")
	if err := os.WriteFile(path, []byte("# broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := ini.Edit(path, func(f *ini.File) error { return f.Set("api", "enabled", "off") })
	if core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "line 1, column 1") {
		t.Errorf("the error is %v, want a conflict with line and column", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{sample, "a[x]='\n'", "[\"q\"]\ra=\"\\\"\"", "a=$", "\uFEFF", "a=1|2", "[s] ;x\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, faults := ini.Parse(data)
		if (file == nil) != (len(faults) > 0) {
			t.Fatalf("file %v and faults %v", file, faults)
		}
		if file == nil {
			return
		}
		if got := file.Bytes(); string(got) != string(data) {
			t.Fatalf("%q is written back as %q", data, got)
		}
		ini.Decode(file)
	})
}

func FuzzSet(f *testing.F) {
	f.Add([]byte(sample), "api", "enabled", "off")
	f.Add([]byte("a=1\r[s]\rb='x'"), "s", "c", "x\ny")
	f.Add([]byte(""), "", "k", `\`)
	f.Add([]byte("[s]"), "s", "k", "\r")
	f.Fuzz(func(t *testing.T, data []byte, section, key, text string) {
		file, faults := ini.Parse(data)
		if len(faults) > 0 {
			return
		}
		old, had := file.Get(section, key)
		if err := file.Set(section, key, text); err != nil {
			if string(file.Bytes()) != string(data) {
				t.Fatalf("refused, but changed to %q", file.Bytes())
			}
			return
		}
		if e, ok := file.Get(section, key); !ok || e.Text != text {
			t.Fatalf("set %q, got %q, %v, in %q", text, e.Text, ok, file.Bytes())
		}
		wantRestKept(t, data, file.Bytes(), had, old)
	})
}

// wantRestKept fails when a byte outside the value, or the added lines, changed.
func wantRestKept(t *testing.T, before, after []byte, had bool, old ini.Entry) {
	t.Helper()
	head := 0
	for head < len(before) && head < len(after) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < len(before)-head && tail < len(after)-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	changed := string(before[head : len(before)-tail])
	if !had && changed != "" {
		t.Fatalf("adding a key took %q away", changed)
	}
	if limit := 2*len(old.Text) + 2; had && len(changed) > limit {
		t.Fatalf("setting a value of %d bytes took %q away", len(old.Text), changed)
	}
}
