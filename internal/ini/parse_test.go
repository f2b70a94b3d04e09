package ini_test

import (
	"strings"
	"testing"

	"hostward/internal/ini"
)

// What PHP 8.2.36's parse_ini_string says of the same text, key a.
func TestReadsAsPHPDoes(t *testing.T) {
	for text, want := range map[string]string{
		"a = foo bar":                      "foo bar",
		"a=1":                              "1",
		"  a=1":                            "1",
		"a = 'x y'":                        "x y",
		"a='a;b' ; c":                      "a;b",
		"a=\"a;b\" ; c":                    "a;b",
		"a=\"x\";c":                        "x",
		"a = x;y":                          "x",
		`a = "a\"b\\c\'d\ne"`:              `a"b\c\'d\ne`,
		"a = \"line1\nline2\"\nb=1":        "line1\nline2",
		"a = 'l1\nl2'\nb=1":                "l1\nl2",
		"a=\"a\r\nb\"":                     "a\r\nb",
		"a = \"a\\\nb\"":                   "a\\\nb",
		"a=":                               "",
		"a= \nb=1":                         "",
		"a=''":                             "",
		`a=""`:                             "",
		"a=$x":                             "$x",
		"a=$$":                             "$$",
		`a="$x"`:                           "$x",
		`a="b=c"`:                          "b=c",
		"a=1\rb=2":                         "1",
		"a=1\r\nb=2":                       "1",
		"\uFEFFa=1":                        "1",
		"a=x{y}":                           "x{y}",
		"a=[x]":                            "[x]",
		"a=10.0.0.1, 10.0.0.2":             "10.0.0.1, 10.0.0.2",
		"a=10.0.0.0/8 ::1":                 "10.0.0.0/8 ::1",
		"a=-1":                             "-1",
		"a=0x10":                           "0x10",
		`a="on"`:                           "on",
		`a = C:\x`:                         `C:\x`,
		`a=\n`:                             `\n`,
		`a="C:\\"`:                         `C:\`,
		"a=php_version":                    "php_version",
		"a=on,off":                         "on,off",
		"a=nonex":                          "nonex",
		"a=x:y":                            "x:y",
		"a=x?y":                            "x?y",
		"a=%x @y <z> `q` * 1+1":            "%x @y <z> `q` * 1+1",
		"; c\n\n;d\na=1":                   "1",
		"a=1\na=2":                         "2",
		"a = ünï\n":                        "ünï",
		"a = 'it is ${HOME}'":              "it is ${HOME}",
		"a=1 ; \"not a quote\nb='x;' ; 'y": "1",
	} {
		if got := mustGet(t, text, "", "a"); got != want {
			t.Errorf("%q: a is %q, PHP says %q", text, got, want)
		}
	}
}

func TestReadsSectionsAndKeysAsPHPDoes(t *testing.T) {
	for text, at := range map[string][2]string{
		"[s]\na=1":             {"s", "a"},
		"[s] ; c\na=1":         {"s", "a"},
		"[s t]\na=1":           {"s t", "a"},
		"[\"s;t\"]\na=1":       {"s;t", "a"},
		"['s']\na=1":           {"s", "a"},
		"[a.b]\nc=1":           {"a.b", "c"},
		"\uFEFF[s]\na=1":       {"s", "a"},
		"a.b = 1":              {"", "a.b"},
		"a b = 1":              {"", "a b"},
		"a:b=1":                {"", "a:b"},
		"a-b=1":                {"", "a-b"},
		"[s]\nx=2\n[t]\n":      {"s", "x"},
		"x=3\n[s]\nx=2":        {"", "x"},
		"[s]\r\na.b.c = 1\r\n": {"s", "a.b.c"},
	} {
		mustGet(t, text, at[0], at[1])
	}
}

func TestReadsArrays(t *testing.T) {
	f := mustParse(t, "[s]\na[]=1\na[] = \"2\"\na[k]=3\na['l']=4\na=5\n")
	var got []string
	for _, e := range f.Array("s", "a") {
		got = append(got, e.Index+"="+e.Text)
	}
	if s := strings.Join(got, " "); s != "=1 =2 k=3 l=4" {
		t.Errorf("the array reads %s", s)
	}
	if e, _ := f.Get("s", "a"); e.Text != "5" {
		t.Errorf("the plain key reads %q", e.Text)
	}
}

func TestMergesASectionWrittenTwice(t *testing.T) {
	f := mustParse(t, "[s]\na=1\nb=1\n[t]\na=9\n[s]\nb=2\n")
	for key, want := range map[string]string{"a": "1", "b": "2"} {
		if e, _ := f.Get("s", key); e.Text != want {
			t.Errorf("%s is %q, want %q", key, e.Text, want)
		}
	}
}

func TestRefusesWithLineColumnAndWhatIsAccepted(t *testing.T) {
	for text, want := range map[string]string{
		"# c":                              `line 1, column 1 "# c": a comment begins with ";"`,
		"a=1\n  # c\n":                     `line 2, column 3 "# c"`,
		"a = ${HOME}":                      `line 1, column 5 "${HOME}": no ${…}`,
		`a = "x${HOME}"`:                   `line 1, column 7 "${": no ${…}`,
		"[s]\na = 1 | 2":                   `line 2, column 7 "| 2": no expressions`,
		"a = !1":                           "no expressions",
		"a = (1)":                          "no expressions",
		"a = ~1":                           "no expressions",
		"a = 1^2":                          "no expressions",
		"a = x & y":                        "no expressions",
		"a = E_ALL":                        `"E_ALL": no PHP constants`,
		"a = x PHP_VERSION y":              `"PHP_VERSION": no PHP constants`,
		"a = b = c":                        `one "=" a line`,
		"a = it's":                         "quotes stand around the whole value",
		`a = "x" y`:                        "one value a key",
		`a = "x""y"`:                       "one value a key",
		"a = 'x":                           `line 1, column 5 "'": a text that ends with the same quote`,
		"b=1\na = \"x\n\n\n":               `line 2, column 5`,
		`a = "C:\"`:                        "a text that ends with the same quote",
		"a = on on":                        `"on" stands alone`,
		"a = TRUE x":                       `"TRUE" stands alone`,
		"a = ; c":                          `a value stands between "=" and a comment`,
		"a":                                `"=" and a value stand behind the key "a"`,
		"a[]":                              `"=" and a value stand behind the key "a"`,
		"a[=1":                             `"]" closes the index`,
		"a]=1":                             `"=" and a value`,
		"a{=1":                             `"=" and a value`,
		"=1":                               "a key,",
		"yes = 1":                          "not one of PHP's words",
		"NULL = 1":                         "not one of PHP's words",
		"[s":                               `"]" closes the name of a section`,
		"[s;x]":                            `"]" closes the name of a section`,
		"[]":                               "the name of a section",
		"[\"\"]":                           "the name of a section is not empty",
		"[s] a = 1":                        `nothing but a comment stands behind "[section]"`,
		"[${HOME}]":                        "the name of a section",
		"a = x\x00y":                       "text without NUL bytes",
		"a\tb = 1":                         `"=" and a value`,
		strings.Repeat("x", ini.MaxSize+1): "at most 1048576 bytes",
	} {
		f, faults := ini.Parse([]byte(text))
		if f != nil || len(faults) == 0 {
			t.Errorf("%.40q was taken", text)
			continue
		}
		if got := faults.Err().Error(); !strings.Contains(got, want) {
			t.Errorf("%.40q: the fault is %s, want one with %s", text, got, want)
		}
	}
}

func TestNamesEveryFaultyLineOnce(t *testing.T) {
	_, faults := ini.Parse([]byte("# a\nok = 1\nx\n[s\nb = 'y'\n"))
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.Field)
	}
	if got := strings.Join(lines, "; "); got != "line 1, column 1; line 3, column 2; line 4, column 3" {
		t.Errorf("faults at %s", got)
	}
	if _, faults := ini.Parse([]byte(strings.Repeat("#\n", 100000))); len(faults) != 20 {
		t.Errorf("%d faults, want 20 at most", len(faults))
	}
}

func mustParse(t *testing.T, text string) *ini.File {
	t.Helper()
	f, faults := ini.Parse([]byte(text))
	if err := faults.Err(); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if got := string(f.Bytes()); got != text {
		t.Fatalf("%q is written back as %q", text, got)
	}
	return f
}

func mustGet(t *testing.T, text, section, key string) string {
	t.Helper()
	e, ok := mustParse(t, text).Get(section, key)
	if !ok {
		t.Fatalf("%q: no key %q in section %q", text, key, section)
	}
	return e.Text
}
