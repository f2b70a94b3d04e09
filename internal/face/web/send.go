package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hostward/internal/act"
	"hostward/internal/core"
)

const (
	maxForm   = 2 << 20   // all text of a form; more belongs into a file
	maxFiles  = 130 << 20 // a form with files: the bus bounds each one
	maxFields = 10_000    // of a form
)

// sent reads a form. Files go to the bus at once, which spools them; what is
// left of them is a handle. files may be nil: then none is taken.
func (f *Face) sent(v *visit, op *act.Op) (url.Values, map[string]string, error) {
	kind, params, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "multipart/form-data":
		most := int64(maxForm)
		if op != nil && f.Bus.May(v.actor, op) && slices.ContainsFunc(op.Input, func(p act.Param) bool { return p.Type == "file" }) {
			most = maxFiles
		}
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, most)
		values, uploads, err := f.parts(v, op, multipart.NewReader(v.r.Body, params["boundary"]))
		return values, uploads, sizeFault(err)
	case err == nil && kind == "application/x-www-form-urlencoded":
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
		err := v.r.ParseForm()
		return v.r.PostForm, map[string]string{}, sizeFault(err)
	}
	return url.Values{}, nil, core.Errorf(core.Invalid, "a form is sent as application/x-www-form-urlencoded or multipart/form-data")
}

func sizeFault(err error) error {
	if err == nil {
		return nil
	}
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return core.Errorf(core.Invalid, "what was sent is too large: at most %d MB are accepted", big.Limit>>20)
	}
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	return core.Wrap(core.Invalid, err, "the form cannot be read; send it again")
}

func (f *Face) parts(v *visit, op *act.Op, from *multipart.Reader) (url.Values, map[string]string, error) {
	values, uploads, room := url.Values{}, map[string]string{}, maxForm
	for range maxFields {
		part, err := from.NextPart()
		if errors.Is(err, io.EOF) {
			return values, uploads, nil
		}
		if err != nil {
			return values, uploads, err
		}
		if err := f.onePart(v, op, part, values, uploads, &room); err != nil {
			return values, uploads, err
		}
	}
	return values, uploads, core.Errorf(core.Invalid, "a form has at most %d fields", maxFields)
}

// onePart takes one field. room is how much text the form may still have.
func (f *Face) onePart(v *visit, op *act.Op, part *multipart.Part, values url.Values, uploads map[string]string, room *int) error {
	name := part.FormName()
	if part.FileName() != "" && op != nil && hasFile(op, name) {
		handle, err := f.Bus.Upload(v.ctx(), v.actor, part)
		uploads[name] = handle
		return err
	}
	text, err := io.ReadAll(io.LimitReader(part, int64(*room)+1))
	if *room -= len(text) + len(name); err == nil && *room < 0 {
		return core.Faults{{Field: name, Accepted: "is too long for a form; send it as a file"}}.Err()
	}
	if part.Header.Get("Content-Type") == "" { // not an empty file field
		values.Add(name, string(text))
	}
	return err
}

func hasFile(op *act.Op, name string) bool {
	for _, p := range op.Input {
		if p.Name == name {
			return p.Type == "file"
		}
	}
	return false
}

// input makes an operation's JSON from a form. It does not judge: a value of
// the wrong type goes through as text, so that the bus refuses it and the
// refusal is on record (SPEC L1).
func input(op *act.Op, values url.Values, uploads map[string]string) json.RawMessage {
	if !readable(values) {
		return json.RawMessage("\xff") // json.Marshal would mend it in silence
	}
	fields := object(op.Input, "", values, uploads)
	for name := range values {
		if !strings.HasPrefix(name, "_") && !declared(op.Input, name) {
			fields[name] = values.Get(name)
		}
	}
	b, err := json.Marshal(fields)
	if err != nil { // the values are text, numbers, and lists of them
		return json.RawMessage("null")
	}
	return b
}

// readable reports whether all of a form is UTF-8.
func readable(values url.Values) bool {
	for name, list := range values {
		for _, value := range list {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				return false
			}
		}
	}
	return true
}

func declared(ps []act.Param, name string) bool {
	top, _, _ := strings.Cut(name, ".")
	for _, p := range ps {
		if p.Name == name || p.Type == "objects" && p.Name == top {
			return true
		}
	}
	return false
}

func object(ps []act.Param, at string, values url.Values, uploads map[string]string) map[string]any {
	fields := map[string]any{}
	for _, p := range ps {
		if value := typed(p, at+p.Name, values, uploads); value != nil {
			fields[p.Name] = value
		}
	}
	return fields
}

// typed is the JSON value of one field, nil to leave it out.
func typed(p act.Param, name string, values url.Values, uploads map[string]string) any {
	text := values.Get(name)
	switch p.Type {
	case "boolean":
		return truth(text)
	case "integer":
		return number(text)
	case "file":
		if handle := uploads[name]; handle != "" {
			return handle
		}
	case "list":
		if isParts(p) {
			if parts := partsOf(values, name); parts != nil {
				return parts
			}
			return nil
		}
		if list := listed(values[name]); list != nil {
			return list
		}
		return nil
	case "objects":
		return objects(p, name, values, uploads)
	}
	if text == "" {
		return nil
	}
	if p.Form == "textarea" { // a browser sends CR LF (HTML, form submission)
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text
}

func truth(text string) any {
	switch text {
	case "":
		return nil
	case "true", "on", "1":
		return true
	case "false":
		return false
	}
	return text
}

func number(text string) any {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return json.Number(strings.TrimPrefix(text, "+"))
	}
	return text
}

// objects leaves out rows in which nothing was filled in.
func objects(p act.Param, name string, values url.Values, uploads map[string]string) any {
	var list []any
	for _, i := range indexes(values, name) {
		at := fmt.Sprintf("%s.%d.", name, i)
		if row := object(p.Fields, at, values, uploads); len(row) > 0 {
			list = append(list, row)
		}
	}
	if list == nil {
		return nil
	}
	return list
}
