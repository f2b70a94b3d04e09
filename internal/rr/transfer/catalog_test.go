package transfer_test

import (
	"reflect"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

func TestACatalogIsReadWholeOrNotAtAll(t *testing.T) {
	const head = "$ORIGIN cat.example.\n@ 0 SOA invalid. invalid. 1 60 60 60 0\n@ 0 NS invalid.\n"
	const version = "version 0 TXT \"2\"\n"
	for _, c := range []struct {
		text string
		want []transfer.Member
		says string
	}{
		{version, nil, ""},
		{version + "b.zones 0 PTR Z.example.\na.zones 0 PTR x.example.\n", []transfer.Member{{Zone: "x.example.", Label: "a"}, {Zone: "z.example.", Label: "b"}}, ""},
		{version + "a.zones 0 PTR x.example.\ncoo.a.zones 0 PTR old.example.\ngroup.a.zones 0 TXT \"two\"\nzones 0 TXT \"?\"\nfoo.ext 0 PTR y.example.\n", []transfer.Member{{Zone: "x.example.", Label: "a"}}, ""},
		{"a.zones 0 PTR x.example.\n", nil, "says no version"},
		{"version 0 TXT \"1\"\na.zones 0 PTR x.example.\n", nil, "another version"},
		{version + "version 0 TXT \"1\"\n", nil, "another version"},
		{version + "a.zones 0 PTR x.example.\na.zones 0 PTR y.example.\n", nil, "lists 2 zones at a.zones.cat.example."},
		{version + "a.zones 0 PTR x.example.\nb.zones 0 PTR X.example.\n", nil, "lists x.example. twice"},
		{version + "a.zones 0 PTR cat.example.\n", nil, "cannot be a zone of it"},
	} {
		z, err := rr.ParseZone(strings.NewReader(head+c.text), rr.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := transfer.Members("cat.example.", z.Sets)
		if c.says == "" && (err != nil || !reflect.DeepEqual(got, c.want)) {
			t.Errorf("%s\nis %v, %v", c.text, got, err)
		}
		if c.says != "" && (core.CodeOf(err) != core.Invalid || !strings.Contains(err.Error(), c.says) || got != nil) {
			t.Errorf("%s\nis %v, %v", c.text, got, err)
		}
	}
}
