package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tree is one JSON value with the order of its members kept.
type tree struct {
	kind  byte // 'o' object, 'a' array, 's' text, 'n' number, 'b' truth, '0' null
	text  string
	keys  []string
	items []*tree
}

func parse(b []byte) (*tree, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	t, err := value(d)
	if err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("reading the server's answer: more than one value")
	}
	return t, nil
}

func value(d *json.Decoder) (*tree, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return composite(d, v)
	case string:
		return &tree{kind: 's', text: v}, nil
	case json.Number:
		return &tree{kind: 'n', text: v.String()}, nil
	case bool:
		return &tree{kind: 'b', text: fmt.Sprint(v)}, nil
	}
	return &tree{kind: '0'}, nil
}

func composite(d *json.Decoder, open json.Delim) (*tree, error) {
	t := &tree{kind: 'a'}
	if open == '{' {
		t.kind = 'o'
	}
	for d.More() {
		if t.kind == 'o' {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			t.keys = append(t.keys, fmt.Sprint(key))
		}
		item, err := value(d)
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, item)
	}
	_, err := d.Token()
	return t, err
}

// get returns a member; an absent one is null.
func (t *tree) get(key string) *tree {
	for i, k := range t.keys {
		if k == key {
			return t.items[i]
		}
	}
	return &tree{kind: '0'}
}

// rows reports whether t is a list of objects, which is shown as a table.
func (t *tree) rows() bool { return t.kind == 'a' && len(t.items) > 0 && t.items[0].kind == 'o' }

// cell is the value on one line, harmless for a terminal.
func (t *tree) cell() string {
	switch t.kind {
	case '0':
		return ""
	case 'a':
		return t.join(", ", func(i int) string { return t.items[i].cell() })
	case 'o':
		return t.join(" ", func(i int) string { return clean(t.keys[i]) + "=" + t.items[i].cell() })
	}
	return clean(t.text)
}

// brief is a cell of a table: of an object its name, or kind:id.
func (t *tree) brief() string {
	if t.kind != 'o' {
		return t.cell()
	}
	if name := t.get("name"); name.kind == 's' && name.text != "" {
		return name.cell()
	}
	if kind, id := t.get("kind"), t.get("id"); kind.kind == 's' && id.kind == 's' {
		return strings.Trim(kind.cell()+":"+id.cell(), ":")
	}
	return t.cell()
}

// line is one item of a stream: key=value of what is short, quoted where a
// blank would hide the end of a value.
func (t *tree) line() string {
	if t.kind != 'o' {
		return t.cell()
	}
	return t.join(" ", func(i int) string {
		if t.items[i].rows() {
			return ""
		}
		v := t.items[i].brief()
		if strings.ContainsAny(v, " =\"") {
			v = strconv.Quote(v)
		}
		return clean(t.keys[i]) + "=" + v
	})
}

func (t *tree) join(sep string, one func(int) string) string {
	var parts []string
	for i := range t.items {
		if s := one(i); s != "" && !strings.HasSuffix(s, "=") {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, sep)
}
