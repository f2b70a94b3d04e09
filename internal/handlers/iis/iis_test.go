package iis_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hostward/internal/handlers"
	"hostward/internal/handlers/iis"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestLockChangesNothingElse locks files as IIS has them and names every line that
// differs.
func TestLockChangesNothingElse(t *testing.T) {
	for name, want := range map[string]struct {
		changes  []string
		encoding string
		mark     string
	}{
		"applicationHost.config":       {[]string{"line 92", "line 102"}, "UTF-8", "<?xml"},
		"applicationHost.utf16.config": {[]string{"line 25", "line 92", "line 102"}, "UTF-16, little-endian", "\xff\xfe<\x00"},
	} {
		data := file(t, name)
		l, err := iis.Lock(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var lines []string
		for _, c := range l.Changes {
			where, _, _ := strings.Cut(c, ":")
			lines = append(lines, where)
		}
		if !slices.Equal(lines, want.changes) || l.Encoding != want.encoding || !bytes.HasPrefix(l.File, []byte(want.mark)) {
			t.Errorf("%s, %s: %q, want %q", name, l.Encoding, l.Changes, want.changes)
		}
		if strings.Count(l.After, "\n") != strings.Count(l.After, "\r\n") {
			t.Errorf("%s: an end of line is another", name)
		}
		checkMoved(t, name, l)
		again, err := iis.Lock(l.File)
		if err != nil || len(again.Changes) > 0 || !bytes.Equal(again.File, l.File) {
			t.Errorf("%s: a second time: %v %q", name, err, again.Changes)
		}
	}
}

// checkMoved wants the lines of handlers in another place, and no other line gone.
func checkMoved(t *testing.T, name string, l iis.Locked) {
	t.Helper()
	var gone, came []string
	for _, d := range handlers.Diff(l.Before, l.After) {
		if d[0] == '-' {
			gone = append(gone, d[1:])
		} else {
			came = append(came, d[1:])
		}
	}
	for _, g := range gone {
		switch {
		case slices.Contains(came, g):
		case strings.Contains(g, `<section name="handlers" overrideModeDefault="Allow" />`) && slices.Contains(came, strings.Replace(g, "Allow", "Deny", 1)):
		case strings.Contains(g, `overrideMode='Allow' >`) && slices.Contains(came, strings.Replace(g, "Allow", "Deny", 1)):
		default:
			t.Errorf("%s: the line %q is gone", name, g)
		}
	}
	if !slices.Contains(came, `    <location path="" overrideMode="Deny">`) {
		t.Errorf("%s: handlers were not moved:\n%s", name, strings.Join(came, "\n"))
	}
}

// TestLockDoesWithOddWriting keeps quotes, missing attributes and lines without
// breaks.
func TestLockDoesWithOddWriting(t *testing.T) {
	const sections = `<configuration><configSections><sectionGroup name="system.webServer">%</sectionGroup></configSections>`
	for was, want := range map[string]string{
		`<section name="handlers"/>`:  `<section name="handlers" overrideModeDefault="Deny"/>`,
		`<section name="handlers" />`: `<section name="handlers" overrideModeDefault="Deny" />`,
		"<section\n\toverrideModeDefault = 'Allow'\n\tname='handlers' ></section>":                  "<section\n\toverrideModeDefault = 'Deny'\n\tname='handlers' ></section>",
		`<section name="handlers" note="overrideModeDefault='x' >" overrideModeDefault="Inherit"/>`: `<section name="handlers" note="overrideModeDefault='x' >" overrideModeDefault="Deny"/>`,
	} {
		for tail, after := range map[string]string{
			"</configuration>": "</configuration>",
			`<location path='a"b' allowOverride="true"><system.webServer><handlers/><x/></system.webServer></location></configuration>`: "<location path='a\"b' allowOverride=\"true\"><system.webServer><x/></system.webServer></location>\n\n" +
				"<location path='a\"b' overrideMode=\"Deny\">\n<system.webServer>\n<handlers/>\n</system.webServer>\n</location></configuration>",
			`<location overrideMode="Allow"><system.webServer><modules/></system.webServer></location></configuration>`: `<location overrideMode="Allow"><system.webServer><modules/></system.webServer></location></configuration>`,
		} {
			head := strings.Replace(sections, "%", was, 1)
			l, err := iis.Lock([]byte(head + tail))
			if err != nil || string(l.File) != strings.Replace(sections, "%", want, 1)+after {
				t.Errorf("%s\nbecame\n%s\nwant\n%s%s\n%v", head+tail, l.File, want, after, err)
			}
		}
	}
}

// TestWhatIsRefused names what is wrong, with its line.
func TestWhatIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "not a configuration",
		"# AllowOverride All":                    "not XML",
		"<configuration>\n<a>\n</configuration>": "line 3",
		"<configuration>\n<a b='1' b='2'/></configuration>":                                                                     "line 2: <a> has the attribute b twice",
		"<?xml version=\"1.0\"?>\n<!DOCTYPE c [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<configuration>&x;</configuration>": "line 2: a document type",
		"<configuration>&x;</configuration>":                                                                                    "not XML",
		"<configuration/><configuration/>":                                                                                      "one element",
		"<configuration>":                                                                                                       "line 1: <configuration> is not closed",
		"<html></html>":                                                                                                         "<configuration>",
		"<configuration/>":                                                                                                      "declares no section",
		"<?xml version=\"1.0\" encoding=\"windows-1252\"?><configuration/>":                                                     "windows-1252",
		"\xff\xfe<\x00c":                                                                                                        "cut off",
		"\xff\xfe\x00\xd8":                                                                                                      "halves",
		"<configuration>\xe4</configuration>":                                                                                   "not text",
		"<\x00c\x00>\x00":                                                                                                       "not text",
		"<configuration>" + strings.Repeat("<a>", 200):                                                                          "100 deep",
	} {
		l, err := iis.Lock([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || l.File != nil {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// TestUses finds what a locked section breaks, and takes no comment for it.
func TestUses(t *testing.T) {
	got, err := iis.Uses(file(t, "web.config"))
	want := []iis.Use{{6, "", "<handlers>"}, {7, "", `<remove name="WebDAV" />`},
		{8, "", `<add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />`}, {16, "uploads", "<handlers>"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n%v\nwant\n%v", err, got, want)
	}
}

// FuzzLock wants no file to stop the reader, and each that it locks to be locked
// with nothing lost.
func FuzzLock(f *testing.F) {
	f.Add(file(f, "applicationHost.config"))
	f.Add(file(f, "applicationHost.utf16.config"))
	f.Add([]byte(`<configuration><configSections><sectionGroup name="system.webServer"><section name="handlers"/></sectionGroup></configSections><location path="" overrideMode="Allow"><system.webServer><handlers/><x/></system.webServer></location></configuration>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := iis.Lock(data)
		if err != nil {
			if l.File != nil {
				t.Error("a file that is refused comes back changed")
			}
			return
		}
		again, err := iis.Lock(l.File)
		if err != nil || len(again.Changes) > 0 {
			t.Errorf("%q became %q, which is not locked: %v %v", data, l.File, again.Changes, err)
		}
		if len(l.Changes) == 0 && !bytes.Equal(l.File, data) {
			t.Errorf("%q was locked, and came back as %q", data, l.File)
		}
	})
}
