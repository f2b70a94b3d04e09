package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/rest"
	"hostward/internal/face/rest/resttest"
)

// panel is a REST face on the toy feature.
type panel struct {
	*resttest.Rig
	http.Handler
}

func newPanel(t testing.TB) panel {
	r := resttest.New(t)
	return panel{r, r.Handler(t, r.Config())}
}

// answer is a response that was read.
type answer struct {
	*httptest.ResponseRecorder
	t testing.TB
}

// send makes a request: headers are "Name: value"; the token is admin unless
// a header says otherwise ("Authorization:" sends none).
func (p panel) send(t testing.TB, method, target, body string, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Header.Set("Authorization", "Bearer admin")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if value = strings.TrimSpace(value); value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return answer{w, t}
}

// ok wants a success and returns its body.
func (a answer) ok() map[string]any {
	a.t.Helper()
	if a.Code != http.StatusOK || a.Header().Get("Content-Type") != "application/json" {
		a.t.Fatalf("status %d, type %q: %s", a.Code, a.Header().Get("Content-Type"), a.Body)
	}
	return a.json()
}

func (a answer) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.Body)
	}
	return v
}

// problem wants a problem document with that status and code.
func (a answer) problem(status int, code string) map[string]any {
	a.t.Helper()
	if a.Code != status || a.Header().Get("Content-Type") != "application/problem+json" {
		a.t.Fatalf("status %d, type %q, want %d: %s", a.Code, a.Header().Get("Content-Type"), status, a.Body)
	}
	v := a.json()
	if v["code"] != code || v["status"] != float64(status) || v["type"] != "/api/v1/docs#"+code || v["title"] == "" || v["detail"] == "" {
		a.t.Errorf("problem %v, want code %q", v, code)
	}
	return v
}

func (p panel) create(t testing.TB, id, text string) {
	t.Helper()
	p.send(t, "POST", "/api/v1/notes", fmt.Sprintf(`{"note":%q,"text":%q}`, id, text)).ok()
}

func TestResourceAndCanonicalRoutesDoTheSame(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "one")
	p.send(t, "POST", "/api/v1/note/create", `{"note":"b","text":"two"}`).ok()
	for _, target := range []string{"/api/v1/notes/b", "/api/v1/note/show?note=b"} {
		if out := p.send(t, "GET", target, "").ok()["output"].(map[string]any); out["text"] != "two" {
			t.Errorf("%s: %v", target, out)
		}
	}
	p.send(t, "PATCH", "/api/v1/notes/b", `{"text":"three"}`).ok()
	p.send(t, "POST", "/api/v1/notes/b/lines", `{"line":"x","data":"y"}`).ok()
	p.send(t, "POST", "/api/v1/notes/b/edit", `{"changes":[{"action":"append","text":"!"}]}`).ok()
	if out := p.send(t, "GET", "/api/v1/notes/b/text", "").ok(); out["output"] != "three\nx: y!" || out["record"] == nil {
		t.Errorf("%v: want the edited text and the record of a logged read", out)
	}
	p.send(t, "DELETE", "/api/v1/notes/b", "", "Confirm: true").ok()
	p.send(t, "GET", "/api/v1/notes/b", "").problem(404, "not-found")
}

func TestQueriesTakeFieldsFromTheURL(t *testing.T) {
	p := newPanel(t)
	out := p.send(t, "GET", "/api/v1/notes?search=a+b&tags=x&tags=y&limit=7&all=true", "").ok()["output"].(map[string]any)
	want := map[string]any{"search": "a b", "tags": []any{"x", "y"}, "limit": 7.0, "all": true}
	if asked := out["asked"]; fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if out["notes"] == nil {
		t.Error("an empty list must be [], not null")
	}
	for query, field := range map[string]string{
		"limit=many": "limit", "limit=007": "limit", "all=yes": "all", "search=a&search=b": "search",
		"nothing=1": "nothing", "limit=101": "limit", "preview=true": "preview", "tags=a&tags=b&tags=c&tags=d": "tags",
	} {
		faults := fmt.Sprint(p.send(t, "GET", "/api/v1/notes?"+query, "").problem(422, "invalid")["faults"])
		if !strings.Contains(faults, "field:"+field) {
			t.Errorf("%s: faults %s do not name %s", query, faults, field)
		}
		if leaf := p.Last(t); !strings.Contains(leaf, `"outcome":"refused"`) || !strings.Contains(leaf, `"note.list"`) {
			t.Errorf("%s: the refusal is not on record: %s", query, leaf)
		}
	}
}

func TestPathsKeepSlashesAndCannotNameAnotherField(t *testing.T) {
	p := newPanel(t)
	p.create(t, "0/25.2.0.192", "classless")
	out := p.send(t, "GET", "/api/v1/notes/0%2F25.2.0.192", "").ok()["output"].(map[string]any)
	if out["id"] != "0/25.2.0.192" {
		t.Error(out)
	}
	if v := p.send(t, "PATCH", "/api/v1/notes/a", `{"note":"b","text":"x"}`).problem(422, "invalid"); !strings.Contains(fmt.Sprint(v["faults"]), "once, not twice") {
		t.Errorf("a field in path and body: %v", v)
	}
	for _, target := range []string{"/api/v1/notes//text", "/api/v1/notes/", "/api/v1/note.show?note=a", "/api/v1/note/show/", "/api/v1/nothing", "/api/v1/notes/a/b/c", "/api/v1"} {
		v := p.send(t, "GET", target, "").problem(404, "not-found")
		if leaf := p.Last(t); v["record"] == nil || !strings.Contains(leaf, `"(unknown)"`) {
			t.Errorf("%s: not on record as unknown: %v, %s", target, v, leaf)
		}
	}
	p.send(t, "GET", "/api/v1/notes/%ff", "").problem(400, "unreadable")
}

func TestSecretsNeverStandInAddressesOrAnswers(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "one")
	p.send(t, "GET", "/api/v1/note/check?note=a&pin=tulipan", "").problem(405, "method")
	for _, target := range []string{"/api/v1/note/check?pin=tulipan", "/api/v1/notes/a/lock?pin=tulipan"} {
		if a := p.send(t, "POST", target, `{"note":"a"}`); strings.Contains(a.Body.String(), "tulipan") {
			t.Errorf("%s: the answer echoes the secret: %s", target, a.Body)
		} else {
			a.problem(422, "invalid")
		}
	}
	for _, body := range []string{`{"pin":"tul"}`, `{"pin":"tulipantulipantulipantulipan"}`, `{"pin":["tulipan"]}`, `{"pin":"tulipan","pin":"tulipan"}`} {
		if a := p.send(t, "POST", "/api/v1/notes/a/lock", body); a.Code != 422 || strings.Contains(a.Body.String(), "tul") {
			t.Errorf("%s: %s", body, a.Body)
		}
	}
	if v := p.send(t, "POST", "/api/v1/note/check", `{"note":"a","pin":"1234"}`).ok(); v["output"] != true {
		t.Error(v)
	}
	p.send(t, "POST", "/api/v1/notes/a/lock", `{"pin":"tulipan"}`).ok()
	for _, leaf := range p.Records(t) {
		if strings.Contains(leaf, "tul") {
			t.Errorf("a record holds the secret: %s", leaf)
		}
	}
}

func TestEnvelopeAndHeadersOfAChange(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "one")
	a := p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"two"}`, "Hostward-Reason: because of Überweisung")
	v, h := a.ok(), a.Header()
	if v["state"] != act.InForce || h.Get("Hostward-State") != act.InForce || h.Get("ETag") != `"2"` || v["version"] != 2.0 {
		t.Errorf("%v %v", v, h)
	}
	if v["record"] != h.Get("Hostward-Record") || v["index"] != 1.0 || fmt.Sprint(v["target"]) != "map[id:a kind:note]" {
		t.Errorf("%v %v", v, h)
	}
	if got := fmt.Sprint(v["changes"]); got != "[map[event:note.written fields:[map[name:text new:two old:one]] object:map[id:a kind:note]]]" {
		t.Errorf("changes %s", got)
	}
	if leaf := p.Last(t); !strings.Contains(leaf, "Überweisung") || !strings.Contains(leaf, `"door":"rest"`) {
		t.Errorf("the record lacks reason or door: %s", leaf)
	}
	a = p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"two"}`)
	if v := a.ok(); v["state"] != act.Unchanged || v["changes"] != nil {
		t.Errorf("%v", v)
	}
}

func TestPreviewChangesNothing(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "one")
	n := len(p.Records(t))
	v := p.send(t, "PATCH", "/api/v1/notes/a?preview=true", `{"text":"two"}`).ok()
	if v["state"] != act.Previewed || v["record"] != nil || v["index"] != nil || len(v["changes"].([]any)) != 1 {
		t.Errorf("%v", v)
	}
	if out := p.send(t, "GET", "/api/v1/notes/a", "").ok()["output"].(map[string]any); out["text"] != "one" || len(p.Records(t)) != n {
		t.Errorf("the preview changed or recorded something: %v", out)
	}
	p.send(t, "DELETE", "/api/v1/notes/a?preview=true", "").ok() // looking needs no confirmation
	p.send(t, "PATCH", "/api/v1/notes/a?preview=1", `{"text":"two"}`).problem(422, "invalid")
}

func TestConfirmationByHeaderOrParameter(t *testing.T) {
	p := newPanel(t)
	for _, id := range []string{"a", "b"} {
		p.create(t, id, "x")
		p.send(t, "DELETE", "/api/v1/notes/"+id, "").problem(428, "unconfirmed")
		p.send(t, "DELETE", "/api/v1/notes/"+id, "", "Confirm: false").problem(428, "unconfirmed")
		p.send(t, "DELETE", "/api/v1/notes/"+id, "", "Confirm: yes").problem(422, "invalid")
	}
	p.send(t, "DELETE", "/api/v1/notes/a", "", "Confirm: true").ok()
	p.send(t, "DELETE", "/api/v1/notes/b?confirm=true", "").ok()
}

func TestIfMatch(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "one")
	tag := p.send(t, "GET", "/api/v1/notes/a", "").Header().Get("ETag")
	p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"two"}`, "If-Match: "+tag).ok()
	p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"three"}`, "If-Match: "+tag).problem(412, "stale")
	p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"four"}`, "If-Match: *").ok()
	for _, bad := range []string{`7`, `"0"`, `W/"7"`, `"1", "2"`, `"07"`, `"x"`} {
		p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"five"}`, "If-Match: "+bad).problem(422, "invalid")
	}
}

func TestIdempotencyKey(t *testing.T) {
	p := newPanel(t)
	first := p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, `Idempotency-Key: "k 1"`)
	first.problem(422, "invalid") // a blank
	first = p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, `Idempotency-Key: "k-1"`)
	again := p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, `Idempotency-Key: k-1`)
	if first.ok()["record"] != again.ok()["record"] || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s\n%s", first.Body, again.Body)
	}
	p.send(t, "POST", "/api/v1/notes", `{"note":"b"}`, `Idempotency-Key: k-1`).problem(409, "conflict")
	p.send(t, "POST", "/api/v1/notes", `{"note":"b"}`, `Idempotency-Key: `+strings.Repeat("k", 256)).problem(422, "invalid")
	if n := len(p.Records(t)); n != 4 { // two refusals of form, one creation, one conflict
		t.Errorf("%d records", n)
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	p := newPanel(t)
	for code, status := range map[core.Code]int{
		core.Invalid: 422, core.Unauthenticated: 401, core.Denied: 403, core.NotFound: 404, core.Conflict: 409, core.Stale: 412,
		core.Unconfirmed: 428, core.Throttled: 429, core.Unavailable: 503, core.Internal: 500,
	} {
		a := p.send(t, "POST", "/api/v1/note/fail", `{"code":"`+string(code)+`"}`)
		v := a.problem(status, string(code))
		if strings.Contains(a.Body.String(), "secret of the operator") {
			t.Errorf("%s: the cause came out: %s", code, a.Body)
		}
		if v["record"] == nil || v["record"] != a.Header().Get("Hostward-Record") {
			// A failure inside Run is on record too, whether or not its id comes back.
			if !strings.Contains(p.Last(t), `"note.fail"`) {
				t.Errorf("%s: not on record", code)
			}
		}
		if retry := a.Header().Get("Retry-After"); (retry != "") != (status == 429 || status == 503) {
			t.Errorf("%s: Retry-After %q", code, retry)
		}
		if auth := a.Header().Get("WWW-Authenticate"); (auth != "") != (status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", code, auth)
		}
	}
	p.send(t, "POST", "/api/v1/note/fail", `{"code":"plain"}`).problem(500, "internal")
	p.send(t, "POST", "/api/v1/note/fail", `{"code":"made-up"}`).problem(500, "internal")
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	p := newPanel(t)
	for body, status := range map[string]int{
		`{`: 400, `nonsense`: 400, `[]`: 400, `"a"`: 400, `null`: 400, `7`: 400, "\xff": 400, "{\"note\":\"\xff\"}": 400,
		`{"note":"a"} {"note":"b"}`: 400, `{"note":"a"}}`: 400, `{"note":"a",}`: 400, strings.Repeat("[", 100000): 400,
		`{"note":7}`: 422, `{"note":"a","note":"b"}`: 422, `{"note":"a","nothing":1}`: 422, `{}`: 422, `{"note":"a","tags":"x"}`: 422,
		`{"note":"a","color":"blue"}`: 422, `{"note":"a","tags":{"x":1}}`: 422, `{"note":["a"]}`: 422,
	} {
		n := len(p.Records(t))
		a := p.send(t, "POST", "/api/v1/notes", body)
		if a.Code != status || a.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.40q: status %d, want %d: %s", body, a.Code, status, a.Body)
		}
		if leaves := p.Records(t); len(leaves) != n+1 || !strings.Contains(leaves[n], `"note.create"`) || !strings.Contains(leaves[n], `"refused"`) {
			t.Errorf("%.40q: %d new records, want one refusal", body, len(leaves)-n)
		}
	}
	p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, "Content-Type: text/xml").problem(415, "media-type")
	p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, "Content-Type: application/json; charset=latin1").problem(415, "media-type")
	p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, "Content-Type: text/plain").problem(415, "media-type")
	p.send(t, "GET", "/api/v1/notes", `{"search":"a"}`).problem(400, "unreadable")
	p.send(t, "POST", "/api/v1/notes?note=a", `{}`).problem(422, "invalid")
	p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, "Hostward-Reason: "+strings.Repeat("x", 1025)).problem(422, "invalid")
	p.send(t, "POST", "/api/v1/notes", `{"note":"a"}`, "Hostward-Reason: \xff").problem(422, "invalid")
	p.send(t, "POST", "/api/v1/notes?a=%zz", `{"note":"a"}`).problem(400, "unreadable")
	if list := p.send(t, "GET", "/api/v1/notes", "").ok()["output"].(map[string]any)["notes"].([]any); len(list) != 0 {
		t.Errorf("something was done: %v", list)
	}
}

// unknownLength hides how long a body is.
type unknownLength struct{ io.Reader }

func TestALargeBodyIsRefusedOnRecordAndNotRead(t *testing.T) {
	p := newPanel(t)
	body := `{"note":"a","text":"` + strings.Repeat("x", 10<<20) + `"}`
	for name, reader := range map[string]io.Reader{"declared": strings.NewReader(body), "chunked": unknownLength{strings.NewReader(body)}} {
		r := httptest.NewRequest("POST", "/api/v1/notes", reader)
		r.Header.Set("Authorization", "Bearer admin")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		v := answer{w, t}.problem(413, "too-large")
		if leaf := p.Last(t); v["record"] == nil || !strings.Contains(leaf, "too large") || !strings.Contains(leaf, `"note.create"`) {
			t.Errorf("%s: not on record: %v %s", name, v, leaf)
		}
	}
}

// TestWhoSendsTooMuchIsToldWhy sends all before it reads, as clients do; on
// HTTP/2 and on HTTP/1.1.
func TestWhoSendsTooMuchIsToldWhy(t *testing.T) {
	for name, second := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(newPanel(t))
			s.EnableHTTP2 = second
			s.StartTLS()
			defer s.Close()
			r, err := http.NewRequest("POST", s.URL+"/api/v1/notes", strings.NewReader(`{"note":"a","text":"`+strings.Repeat("x", 10<<20)+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer admin")
			r.Header.Set("Content-Type", "application/json")
			resp, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 413 || !strings.Contains(string(body), "at most 1 MB") {
				t.Errorf("%d %s, %v", resp.StatusCode, body, err)
			}
		})
	}
}

func TestFilesComeAsBodyOrAsUpload(t *testing.T) {
	p := newPanel(t)
	text := strings.Repeat("zone file ", 300_000) // 3 MB
	v := p.send(t, "POST", "/api/v1/notes/import?note=a&quiet=true", text, "Content-Type: text/plain; charset=utf-8").ok()
	if got := v["output"].(map[string]any)["bytes"]; got != float64(len(text)) {
		t.Errorf("%v bytes arrived", got)
	}
	up := p.send(t, "POST", "/api/v1/uploads", text, "Content-Type: application/octet-stream").ok()["output"].(map[string]any)["handle"]
	v = p.send(t, "POST", "/api/v1/note/import", fmt.Sprintf(`{"note":"b","file":%q}`, up)).ok()
	if got := v["output"].(map[string]any)["bytes"]; got != float64(len(text)) {
		t.Errorf("%v bytes arrived", got)
	}
	p.send(t, "POST", "/api/v1/note/import", fmt.Sprintf(`{"note":"c","file":%q}`, up), "Authorization: Bearer shop").problem(404, "not-found")
	p.send(t, "POST", "/api/v1/uploads", text, "Content-Type: text/plain", "Authorization:").problem(401, "unauthenticated")
	p.send(t, "POST", "/api/v1/uploads", `{}`).problem(415, "media-type")
	p.send(t, "GET", "/api/v1/uploads", "").problem(405, "method")
	p.send(t, "POST", "/api/v1/notes/import?note=c&file=x", "text", "Content-Type: text/plain").problem(422, "invalid")
}

// endless is a body that never ends; it counts what was taken of it.
type endless struct{ taken int64 }

func (e *endless) Read(b []byte) (int, error) {
	e.taken += int64(len(b))
	return len(b), nil
}

func TestAFileThatIsTooLargeOrNotYoursIsNotTaken(t *testing.T) {
	p := newPanel(t)
	send := func(token string, declared int64) (answer, int64) {
		body := &endless{}
		r := httptest.NewRequest("POST", "/api/v1/notes/import?note=a", body)
		r.ContentLength = declared
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return answer{w, t}, body.taken
	}
	a, taken := send("admin", 1<<40)
	if a.problem(413, "too-large"); taken > 0 {
		t.Errorf("%d bytes were read of a body whose length was refused", taken)
	}
	a, taken = send("auditor", -1)
	if a.problem(403, "denied"); taken > 0 {
		t.Errorf("%d bytes were read from someone who may not", taken)
	}
	if testing.Short() {
		return
	}
	a, taken = send("admin", -1)
	if a.problem(413, "too-large"); taken > 129<<20 {
		t.Errorf("%d bytes were read", taken)
	}
}

func TestWrongMethod(t *testing.T) {
	p := newPanel(t)
	for target, allow := range map[string]string{
		"/api/v1/notes": "GET, HEAD, POST", "/api/v1/notes/a": "DELETE, GET, HEAD, PATCH", "/api/v1/note/create": "POST",
		"/api/v1/note/check": "POST", "/api/v1/docs": "GET, HEAD", "/api/v1/openapi.json": "GET, HEAD",
	} {
		for _, method := range []string{"PUT", "OPTIONS", "TRACE"} {
			a := p.send(t, method, target, "")
			a.problem(405, "method")
			if got := a.Header().Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, target, got, allow)
			}
		}
	}
	p.create(t, "a", "x")
	if a := p.send(t, "HEAD", "/api/v1/notes/a", ""); a.Code != 200 || a.Header().Get("ETag") != `"1"` {
		t.Errorf("HEAD: %d %v", a.Code, a.Header())
	}
	p.send(t, "HEAD", "/api/v1/note/tail", "").problem(405, "method")
}

func TestWhoAsks(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "x")
	p.send(t, "GET", "/api/v1/notes/a", "", "Authorization: Bearer rival").problem(404, "not-found")
	if leaf := p.Last(t); !strings.Contains(leaf, "another tenant") {
		t.Errorf("the record does not say why: %s", leaf)
	}
	p.send(t, "POST", "/api/v1/note/sweep", "").problem(403, "denied")
	p.send(t, "PATCH", "/api/v1/notes/a", `{"text":"y"}`, "Authorization: Bearer auditor").problem(403, "denied")
	for _, header := range []string{"Authorization:", "Authorization: Bearer wrong"} {
		v := p.send(t, "GET", "/api/v1/notes/a", "", header, "User-Agent: a\tclient").problem(401, "unauthenticated")
		if leaf := p.Last(t); v["record"] == nil || !strings.Contains(leaf, `"note.show"`) || !strings.Contains(leaf, `"unauthenticated"`) {
			t.Errorf("%s: not on record: %v %s", header, v, leaf)
		}
	}
}

func TestPanelINIClosesTheAPI(t *testing.T) {
	r := resttest.New(t)
	c := r.Config()
	c.API = func(addr netip.Addr) error {
		if addr == netip.MustParseAddr("192.0.2.1") { // the address of httptest
			return core.Errorf(core.Denied, "the address %s is not in [api] allowedIPs in panel.ini", addr)
		}
		return nil
	}
	c.Authenticate = func(*http.Request) (act.Actor, error) {
		t.Error("who it is was asked although nobody may")
		return act.Actor{}, nil
	}
	p := panel{r, r.Handler(t, c)}
	for _, target := range []string{"/api/v1/notes", "/api/v1/docs", "/api/v1/openapi.json", "/api/v1/nothing"} {
		v := p.send(t, "GET", target, "").problem(403, "denied")
		if leaf := p.Last(t); v["record"] == nil || !strings.Contains(leaf, "allowedIPs") {
			t.Errorf("%s: not on record: %v %s", target, v, leaf)
		}
	}
}

func TestEveryAnswerIsHardened(t *testing.T) {
	p := newPanel(t)
	for _, target := range []string{"/api/v1/notes", "/api/v1/nothing", "/api/v1/docs", "/api/v1/docs/style.css", "/api/v1/openapi.json", "/api/v1/note/tail?count=1"} {
		h := p.send(t, "GET", target, "", "Origin: https://evil.example").Header()
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: CSP %q", target, csp)
		}
	}
}

func TestNewRefusesWhatIsAmbiguousOrMissing(t *testing.T) {
	type id struct {
		Thing string `json:"thing" doc:"id" rule:"required" cli:"arg"`
	}
	type clash struct {
		Preview string `json:"preview" doc:"hm"`
	}
	query := func(name string) act.Declaration {
		return act.Query[id, string]{Name: name, Doc: "Toy.", Class: "panel", Roles: act.Readers,
			Target: func(context.Context, *act.View, *id) (core.Ref, error) { return core.Ref{}, nil },
			Run:    func(context.Context, *act.View, id) (string, error) { return "", nil }}
	}
	change := act.Change[clash, string]{Name: "thing.move", Doc: "Toy.", Class: "panel", Roles: act.Hosted, May: []string{"thing.moved"},
		Target: func(context.Context, *act.View, *clash) (core.Ref, error) { return core.Ref{}, nil },
		Run:    func(context.Context, *act.Tx, clash) (string, error) { return "", nil }}
	kind := act.Kind{Name: "thing",
		Owner:  func(context.Context, *act.View, string) (string, error) { return "", nil },
		Digest: func(context.Context, *act.View, string) (string, error) { return "", nil },
		IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil }}
	for want, ops := range map[string][]act.Declaration{
		`both claim GET /api/v1/things/list`: {query("thing.show"), query("things.list")}, // a thing called list
		`name of a parameter`:                {change},
		`belongs to the REST face`:           {query("doc.show")},
	} {
		reg, err := act.NewRegistry(act.Feature{Name: "thing", Ops: ops, Kinds: []act.Kind{kind}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rest.Routes(reg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := rest.New(rest.Config{}); err == nil {
		t.Error("an empty Config was taken")
	}
}

func FuzzRequestsAreAnsweredWithJSON(f *testing.F) {
	p := newPanel(f)
	f.Add("POST", "/api/v1/notes", "preview=true", `{"note":"a"}`)
	f.Add("GET", "/api/v1/notes/a%2fb/text", "x=1&x=2", "")
	f.Add("PATCH", "/api/v1/notes/%00", ";", `{"text":"\ud800"}`)
	f.Add("DELETE", "/api/v1/notes/a", "confirm=true&confirm=false", "")
	f.Add("POST", "/api/v1/notes/a/edit", "", `{"changes":[{"action":"append","text":"x","x":[[[[{}]]]]}]}`)
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		r := httptest.NewRequest("POST", "/api/v1/x", strings.NewReader(body))
		u, err := r.URL.Parse(path)
		if err != nil || !strings.HasPrefix(path, "/") || method == "HEAD" || strings.Contains(path, "docs") || strings.Contains(path, "tail") || strings.Contains(path, "print") {
			return
		}
		r.Method, r.URL, r.URL.RawQuery = method, u, query
		r.Header.Set("Authorization", "Bearer admin")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code == 500 || !json.Valid(bytes.TrimSpace(w.Body.Bytes())) {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%d %q", w.Code, w.Header().Get("Content-Type"))
		}
	})
}
