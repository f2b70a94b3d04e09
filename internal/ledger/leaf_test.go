package ledger

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"hostward/internal/core"
)

var (
	anyText = rapid.String()
	oneText = rapid.StringN(1, 40, -1)
	anyHash = rapid.StringMatching(`[0-9a-f]{64}`)
)

func maybe[T any](t *rapid.T, g *rapid.Generator[T]) (v T) {
	if rapid.Bool().Draw(t, "there") {
		v = g.Draw(t, "value")
	}
	return v
}

func anyTime(t *rapid.T) int64 {
	return rapid.Int64Range(0, time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()).Draw(t, "time")
}

func anyLeaf(t *rapid.T) *Leaf {
	party := func() Party {
		return Party{oneText.Draw(t, "kind"), maybe(t, oneText), maybe(t, anyHash)}
	}
	ref := func() core.Ref { return core.Ref{Kind: oneText.Draw(t, "kind"), ID: maybe(t, oneText)} }
	l := &Leaf{
		ID: oneText.Draw(t, "id"), Time: anyTime(t), Action: oneText.Draw(t, "action"), Class: oneText.Draw(t, "class"),
		Door: oneText.Draw(t, "door"), Actor: party(), Session: maybe(t, oneText), IP: maybe(t, anyHash), Agent: maybe(t, anyHash),
		Tenant: maybe(t, oneText), Outcome: Outcome(oneText.Draw(t, "outcome")), Code: core.Code(maybe(t, oneText)), Reason: maybe(t, oneText),
	}
	if rapid.Bool().Draw(t, "by") {
		l.By = party()
	}
	if rapid.Bool().Draw(t, "object") {
		l.Object = ref()
	}
	if l.Count = maybe(t, rapid.IntRange(2, 1<<30)); l.Count > 0 {
		l.First = anyTime(t)
	}
	if l.Part = maybe(t, rapid.IntRange(1, 9)); l.Part > 0 {
		l.Parts = rapid.IntRange(2, 9).Draw(t, "parts")
	}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		f := Fact{Name: oneText.Draw(t, "name"), Object: ref()}
		if rapid.Bool().Draw(t, "blob") {
			f.Blob = &BlobRef{anyHash.Draw(t, "digest"), rapid.IntRange(1, 99).Draw(t, "count"), rapid.IntRange(1, 1e6).Draw(t, "size")}
		} else {
			for range rapid.IntRange(0, 3).Draw(t, "fields") {
				f.Fields = append(f.Fields, anyField(t))
			}
		}
		l.Events = append(l.Events, f)
	}
	chain := func() (uint64, string) {
		if n := rapid.Uint64Range(1, 1<<62).Draw(t, "n"); n > 1 {
			return n, anyHash.Draw(t, "prev")
		}
		return 1, ""
	}
	for range rapid.IntRange(0, 3).Draw(t, "objects") {
		k := Link{Object: ref(), Tenant: maybe(t, oneText), State: rapid.OneOf(anyHash, rapid.Just(""), rapid.Just("-")).Draw(t, "state")}
		k.N, k.Prev = chain()
		l.Objects = append(l.Objects, k)
	}
	for range rapid.IntRange(0, 2).Draw(t, "tenants") {
		k := TenantLink{ID: oneText.Draw(t, "tenant")}
		k.N, k.Prev = chain()
		l.Tenants = append(l.Tenants, k)
	}
	return l
}

func anyField(t *rapid.T) Field {
	f := Field{Name: oneText.Draw(t, "field")}
	switch values := anyText; rapid.IntRange(0, 2).Draw(t, "sort") {
	case 0:
		f.Secret = true
	case 1:
		f.Personal = true
		values = anyHash
		fallthrough
	default:
		f.Old, f.New = maybe(t, rapid.Ptr(values, false)), maybe(t, rapid.Ptr(values, false))
	}
	return f
}

func TestEveryLeafComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLeaf(t)
		data := l.AppendJSON(nil)
		got, err := DecodeLeaf(data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if d := cmp.Diff(l, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzDecodeLeaf: what is accepted is canonical, so no two byte strings mean
// the same record.
func FuzzDecodeLeaf(f *testing.F) {
	const h = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	base := `{"v":1,"id":"r","time":"2026-11-22T17:04:05.000000Z","action":"a","class":"c","door":"web","actor":{"kind":"k"},"outcome":"done"}`
	full := strings.TrimSuffix(base, "}") + `,"code":"denied","reason":"a \"b\" \u0001\n","count":2,"first":"1970-01-01T00:00:00.000000Z",` +
		`"events":[{"name":"e","object":{"kind":"k","id":"i"},"fields":[{"name":"f","old":"","new":"x"},{"name":"s","secret":true},{"name":"p","personal":true,"new":"` + h + `"}]}],` +
		`"objects":[{"kind":"k","id":"i","tenant":"t","n":2,"prev":"` + h + `","state":"-"}],"tenants":[{"id":"t","n":1}]}`
	for _, s := range []string{base, full, strings.Replace(base, "v", " v", 1), strings.Replace(full, `\n`, `\u000a`, 1)} {
		f.Add([]byte(s))
	}
	if _, err := DecodeLeaf([]byte(full)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := DecodeLeaf(data)
		if err != nil {
			return
		}
		if again := l.AppendJSON(nil); !bytes.Equal(again, data) {
			t.Fatalf("accepted  %q\nencodes as %q", data, again)
		}
	})
}

func TestOnlyTheCanonicalEncodingIsAccepted(t *testing.T) {
	base := `{"v":1,"id":"r","time":"2026-11-22T17:04:05.000000Z","action":"a","class":"c","door":"web","actor":{"kind":"k"},"outcome":"done"}`
	if _, err := DecodeLeaf([]byte(base)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"white space":           {`"v":1`, `"v": 1`},
		"other version":         {`"v":1`, `"v":2`},
		"needless escape":       {`"a"`, `"\u0061"`},
		"long escape":           {`"a"`, `"\u000a"`},
		"upper case escape":     {`"a"`, `"\u001F"`},
		"raw control":           {`"a"`, "\"\n\""},
		"broken UTF-8":          {`"a"`, "\"\xff\""},
		"surrogate in UTF-8":    {`"a"`, "\"\xed\xa0\x80\""},
		"empty but present":     {`,"outcome"`, `,"session":"","outcome"`},
		"unknown field":         {`,"outcome"`, `,"new":"x","outcome"`},
		"other order":           {`"class":"c","door":"web"`, `"door":"web","class":"c"`},
		"month 13":              {`2026-11`, `2026-13`},
		"30 February":           {`2026-11-22`, `2026-02-30`},
		"hour 24":               {`T17`, `T24`},
		"leap second":           {`:05.`, `:60.`},
		"other zone":            {`000Z`, `000+00:00`},
		"five digits":           {`.000000Z`, `.00000Z`},
		"before 1970":           {`2026-11`, `1969-11`},
		"count of one":          {`"done"}`, `"done","count":1,"first":"2026-11-22T17:04:05.000000Z"}`},
		"leading zero":          {`"done"}`, `"done","count":02,"first":"2026-11-22T17:04:05.000000Z"}`},
		"first without count":   {`"done"}`, `"done","first":"2026-11-22T17:04:05.000000Z"}`},
		"empty list":            {`"done"}`, `"done","events":[]}`},
		"prev of the first":     {`"done"}`, `"done","tenants":[{"id":"t","n":1,"prev":"` + strings.Repeat("0", 64) + `"}]}`},
		"no prev of the second": {`"done"}`, `"done","tenants":[{"id":"t","n":2}]}`},
		"upper case hash":       {`"door"`, `"door"`},
		"trailing bytes":        {`"done"}`, `"done"} `},
		"cut":                   {`"done"}`, `"done"`},
	} {
		s := strings.Replace(base, c[0], c[1], 1)
		if name == "upper case hash" {
			s = strings.Replace(base, `,"outcome"`, `,"ip":"`+strings.Repeat("A", 64)+`","outcome"`, 1)
		}
		if _, err := DecodeLeaf([]byte(s)); err == nil {
			t.Errorf("%s: accepted %s", name, s)
		}
	}
}
