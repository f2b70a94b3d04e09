package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestYAMLSaysTheSameAsJSON(t *testing.T) {
	for _, in := range []string{
		`{"b":"yes","a":"1:30","c":["on","null","~","2026-01-01","0o7","1e3","- x","#","a: b"," x ","a\nb\n","\u0000\u001b\u007f\u2028","\ud83d\ude00",""]}`,
		`{"n":12345678901234567890,"f":1.5,"e":1e30,"t":true,"z":null,"empty":[],"none":{}}`, `[]`, `"x"`, `null`, `[[1],[{"a":{"b":[]}}]]`,
	} {
		tree, err := parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := writeYAML(&out, tree); err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		again, _ := json.Marshal(got)
		var back any
		_ = json.Unmarshal(again, &back)
		if !reflect.DeepEqual(want, back) {
			t.Errorf("%s became\n%s", in, &out)
		}
	}
}

func TestTablesCannotWriteOnTheTerminal(t *testing.T) {
	tree, err := parse([]byte(`{"rows":[{"a":"x\u001b[31m\r\nroot\tok\u202e","b":"\u009b2J"}],"text":"line\u0007"}`))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := &printer{w: &out}
	p.show("", tree, nil)
	p.text("zone\x1b[0m\tIN\nnext")
	if strings.ContainsAny(out.String(), "\x1b\r\a\u009b\u202e") {
		t.Errorf("%q", out.String())
	}
	if !strings.Contains(out.String(), "zone\uFFFD[0m\tIN\nnext\n") {
		t.Errorf("%q", out.String())
	}
}

func TestATableKeepsWithinTheTerminal(t *testing.T) {
	tree, err := parse([]byte(`[{"id":"a","who":{"kind":"os","id":"uid:0","name":"root"},"none":"","list":[{"x":1}],"note":"rather long"},
		{"id":"b","who":{"kind":"zone","id":"z"},"list":[{"x":2}],"note":"ü"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for width, want := range map[int]string{
		0:  "ID  WHO     NOTE\na   root    rather long\nb   zone:z  ü\n",
		23: "ID  WHO     NOTE\na   root    rather long\nb   zone:z  ü\n",
		22: "ID  WHO\na   root\nb   zone:z\nleft out for want of room: note\n",
		1:  "ID\na\nb\nleft out for want of room: who, note\n",
	} {
		var out bytes.Buffer
		p := &printer{w: &out, width: width}
		p.show("", tree, nil)
		if out.String() != want {
			t.Errorf("width %d:\n%swant\n%s", width, &out, want)
		}
	}
}

func FuzzAnswersArePrintable(f *testing.F) {
	f.Add(`{"output":{"a":[{"b":1},{"c":[{}]}]}}`)
	f.Add(`{"output":[1,[2,{"x":"y\n"}]],"state":"preview","changes":[{"fields":[{"old":"a\nb"}]}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		tree, err := parse([]byte(in))
		if err != nil {
			return
		}
		var out bytes.Buffer
		p := &printer{w: &out}
		p.show("", tree, nil)
		if strings.ContainsAny(out.String(), "\x1b\r\x00\u009b") {
			t.Errorf("%q", out.String())
		}
		s := &session{out: &out}
		if err := s.diff(&out, []byte(in)); err != nil {
			t.Error(err)
		}
		if err := writeYAML(&out, tree); err != nil {
			t.Error(err)
		}
	})
}
