package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"hostward/internal/act"
	"hostward/internal/core"
)

const (
	maxJSON = 1 << 20
	maxFile = 128 << 20
	// maxHeard is how much of a body too large is still listened to.
	maxHeard = 16 << 20
)

// fields is an input as it is put together from path, query and body. What is
// given twice stays there twice: the bus refuses it, and the refusal is on
// record.
type fields struct {
	json bytes.Buffer // members, comma separated, without braces
}

func (f *fields) add(name string, value []byte) {
	if f.json.Len() > 0 {
		f.json.WriteByte(',')
	}
	quoted, _ := json.Marshal(name)
	f.json.Write(quoted)
	f.json.WriteByte(':')
	f.json.Write(value)
}

// text adds the values a URL gave for one field. A number or a truth that is
// none goes on as text, for the bus to refuse.
func (f *fields) text(p act.Param, values []string) error {
	for _, v := range values {
		if !utf8.ValidString(v) {
			return core.Errorf(core.Invalid, "the field %s in the URL is not valid UTF-8", p.Name)
		}
	}
	if p.Type == "list" {
		list, err := json.Marshal(values)
		f.add(p.Name, list)
		return err
	}
	for _, v := range values {
		f.add(p.Name, scalar(p.Type, v))
	}
	return nil
}

var integer = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,18})$`)

func scalar(kind, v string) []byte {
	if kind == "boolean" && (v == "true" || v == "false") || kind == "integer" && integer.MatchString(v) {
		return []byte(v)
	}
	b, _ := json.Marshal(v)
	return b
}

// body adds the members of one JSON object. Anything else than an object goes
// to the bus as it came, which refuses it.
func (f *fields) body(raw []byte) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return f.object(), nil
	}
	if !utf8.Valid(raw) {
		return nil, core.Errorf(core.Invalid, "the body is not valid UTF-8")
	}
	if err := readable(raw); err != nil {
		return nil, err
	}
	if raw[0] != '{' {
		return nil, core.Errorf(core.Invalid, "the body is not one JSON object")
	}
	if inner := bytes.TrimSpace(raw[1 : len(raw)-1]); len(inner) > 0 {
		if f.json.Len() > 0 {
			f.json.WriteByte(',')
		}
		f.json.Write(inner)
	}
	return f.object(), nil
}

// readable wants exactly one JSON value, and names the place where it ends to be one.
func readable(raw []byte) error {
	var v json.RawMessage
	err := json.Unmarshal(raw, &v)
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return core.Errorf(core.Invalid, "the body is not JSON: byte %d: %s", s.Offset, s.Error())
	}
	return err
}

func (f *fields) object() json.RawMessage {
	return slices.Concat([]byte("{"), f.json.Bytes(), []byte("}"))
}

// input reads the call's input from path, query and body.
func (x *exchange) input() error {
	var f fields
	for i, name := range x.route.Places {
		if err := f.text(x.param(name), x.route.values[i:i+1]); err != nil {
			return err
		}
	}
	if err := x.query(&f); err != nil {
		return err
	}
	raw, err := x.body(&f)
	if err != nil {
		return err
	}
	x.call.Input, err = f.body(raw)
	return err
}

func (x *exchange) param(name string) act.Param {
	for _, p := range x.route.Op.Input {
		if p.Name == name {
			return p
		}
	}
	return act.Param{Name: name, Type: "string"}
}

// query reads the query string: all fields of a GET, the scalar ones beside a
// file, of a change also the parameters of the call.
func (x *exchange) query(f *fields) error {
	values, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return core.Errorf(core.Invalid, "the query string cannot be read: it has a broken %% sequence or a semicolon")
	}
	var faults core.Faults
	if acts(x.route.Op) {
		x.call.Preview = truth(&faults, previewKey, take(values, previewKey))
		x.call.Confirmed = truth(&faults, confirmKey, take(values, confirmKey)) || x.call.Confirmed
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !x.inQuery(name) {
			faults.Add(printable(name), "", x.accepted())
			continue
		}
		if err := f.text(x.param(name), values[name]); err != nil {
			return err
		}
	}
	return faults.Err()
}

func take(values url.Values, name string) []string {
	v := values[name]
	delete(values, name)
	return v
}

// inQuery reports whether a field may stand in this request's query string.
func (x *exchange) inQuery(name string) bool {
	i := slices.IndexFunc(x.route.Op.Input, func(p act.Param) bool { return p.Name == name })
	if i < 0 || !urlable(x.route.Op.Input[i:i+1]) {
		return false
	}
	return x.r.Method == http.MethodGet || x.r.Method == http.MethodHead || x.r.Method == http.MethodDelete || x.isFile()
}

// accepted says what the query string takes. Values are not echoed: someone
// may have put a secret there.
func (x *exchange) accepted() string {
	var names []string
	for _, p := range x.route.Op.Input {
		if x.inQuery(p.Name) && !slices.Contains(x.route.Places, p.Name) {
			names = append(names, p.Name)
		}
	}
	if acts(x.route.Op) {
		names = append(names, previewKey, confirmKey)
	}
	if names == nil {
		return "no such parameter; there are none"
	}
	return "no such parameter; there are " + strings.Join(names, ", ") + "; other fields belong into the body"
}

// body reads the request's body: JSON, or the operation's one file.
func (x *exchange) body(f *fields) ([]byte, error) {
	switch {
	case x.r.Body == nil || x.r.Body == http.NoBody || x.r.ContentLength == 0:
		return nil, nil
	case x.r.Method == http.MethodGet || x.r.Method == http.MethodHead || x.r.Method == http.MethodDelete:
		return nil, core.Errorf(core.Invalid, "%s takes no body: put the fields into the query string", x.r.Method)
	case x.isFile():
		return nil, x.file(f)
	case x.mediaType() != "application/json":
		return nil, refuse(mediaType, "the content type must be %s", x.types())
	}
	return x.limited()
}

func (x *exchange) limited() ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(x.r.Body, maxJSON+1))
	if len(raw) > maxJSON {
		// Most clients send all before they read: who is cut off in the middle
		// is not told why.
		_, _ = io.CopyN(io.Discard, x.r.Body, maxHeard)
		return nil, errLarge
	}
	if err != nil {
		return nil, core.Wrap(core.Invalid, err, "the body ended before its end")
	}
	return raw, nil
}

var errLarge = refuse(tooLarge, "the body is too large: JSON has at most 1 MB; send a file as text/plain, or to %s/uploads first", Base)

// mediaType is the content type without parameters; "" when it is none, or
// names another character set than UTF-8.
func (x *exchange) mediaType() string {
	t, params, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return ""
	}
	return t
}

func (x *exchange) types() string {
	if x.oneFile() == "" {
		return "application/json"
	}
	return "application/json, or text/plain or application/octet-stream with the file alone"
}

// isFile reports whether the body is the operation's one file.
func (x *exchange) isFile() bool {
	return x.oneFile() != "" && fileType(x.mediaType())
}

func fileType(t string) bool { return t == "text/plain" || t == "application/octet-stream" }

// oneFile is the name of the only file among the fields; "" when there are
// none, or several, or a field beside it that must not stand in a URL.
func (x *exchange) oneFile() string {
	name := ""
	for _, p := range x.route.Op.Input {
		switch {
		case p.Type == "file" && name == "":
			name = p.Name
		case !urlable([]act.Param{p}) && p.Required, p.Type == "file":
			return ""
		}
	}
	return name
}

// file spools the body and puts its handle into the input. Nobody sends
// 128 MB for an operation that is not his: the bus refuses it without them.
func (x *exchange) file(f *fields) error {
	handle := "-"
	if x.h.Bus.May(x.call.Actor, x.route.Op) {
		var err error
		if handle, err = x.spool(); err != nil {
			return err
		}
	}
	quoted, err := json.Marshal(handle)
	f.add(x.oneFile(), quoted)
	return err
}

func (x *exchange) spool() (string, error) {
	if x.r.ContentLength > maxFile {
		return "", errFile
	}
	handle, err := x.h.Bus.Upload(x.r.Context(), x.call.Actor, http.MaxBytesReader(x.w, x.r.Body, maxFile))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", errFile
	}
	return handle, err
}

var errFile = refuse(tooLarge, "the file is too large: at most 128 MB are accepted")
