package house_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// revealed returns a secret of an answer, as the faces that show it do.
func revealed(output any, field string) string {
	v := reflect.Indirect(reflect.ValueOf(output))
	f := v.FieldByName(field)
	if !f.IsValid() {
		return ""
	}
	if s, ok := f.Interface().(core.Secret); ok {
		return s.Reveal()
	}
	return fmt.Sprint(f.Interface())
}

func actorOf(output any) act.Actor {
	return reflect.Indirect(reflect.ValueOf(output)).FieldByName("Actor").Interface().(act.Actor)
}

// reply is what came back through a door.
type reply struct {
	status int
	record string
	body   string
}

// rest calls over the network with a token.
func (w *world) rest(p *person, method, path string, body []byte) reply {
	r := httptest.NewRequest(method, "https://panel.example"+path, bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	if p != nil {
		r.Header.Set("Authorization", "Bearer "+p.bearer)
	}
	return answer(w.web, r)
}

func answer(h http.Handler, r *http.Request) reply {
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Confirm", "true")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	b, _ := io.ReadAll(rec.Result().Body)
	record := rec.Header().Get("Hostward-Record")
	if record == "" {
		var a struct{ Record string }
		_ = json.Unmarshal(b, &a)
		record = a.Record
	}
	return reply{rec.Code, record, string(b)}
}

// canonical is the address that every operation has.
func canonical(op *act.Op) string { return "/api/v1/" + strings.ReplaceAll(op.Name, ".", "/") }

// byREST, byCLI and byWeb are the three faces.
func (w *world) byREST(op *act.Op, p *person, in json.RawMessage) reply {
	return w.rest(p, "POST", canonical(op), in)
}

func (w *world) byCLI(op *act.Op, _ *person, in json.RawMessage) reply {
	return answer(w.local, httptest.NewRequest("POST", "http://local"+canonical(op), bytes.NewReader(in)))
}

func (w *world) byWeb(op *act.Op, p *person, in json.RawMessage) reply {
	form := url.Values{"_confirmed": {"1"}}
	var values map[string]any
	_ = json.Unmarshal(in, &values)
	spread(form, "", values)
	r := httptest.NewRequest("POST", "https://panel.example/do/"+op.Name, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.RemoteAddr = "127.0.0.1:4711"
	if p != nil {
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: p.cookie})
	}
	return answer(w.web, r)
}

// spread writes values as the fields of a form.
func spread(form url.Values, at string, values map[string]any) {
	for name, v := range values {
		switch v := v.(type) {
		case map[string]any:
			spread(form, at+name+".", v)
		case []any:
			for i, x := range v {
				if m, ok := x.(map[string]any); ok {
					spread(form, fmt.Sprintf("%s%s.%d.", at, name, i), m)
				} else {
					form.Add(at+name, fmt.Sprint(x))
				}
			}
		case nil:
		case float64:
			form.Set(at+name, fmt.Sprintf("%.0f", v))
		default:
			form.Set(at+name, fmt.Sprint(v))
		}
	}
}

func must1[T any](x T, ok bool) T {
	if !ok {
		panic("it is not there")
	}
	return x
}

func actCall(a act.Actor) act.Call { return act.Call{Actor: a, Input: json.RawMessage("{}")} }
