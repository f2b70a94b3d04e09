package web_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/face/web"
)

func (a answer) status(t testing.TB, want int) {
	t.Helper()
	if a.StatusCode != want {
		t.Errorf("%s answered %d, want %d: %.600s", a.Request.URL, a.StatusCode, want, a.text)
	}
}

func (a answer) has(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("%s lacks %q", a.Request.URL, text)
		}
	}
}

func (a answer) hasNot(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text, text) {
			t.Errorf("%s has %q", a.Request.URL, text)
		}
	}
}

func (a answer) leadsTo(t testing.TB, want string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != want {
		t.Errorf("%s answered %d to %q, want 303 to %q: %.300s", a.Request.URL, a.StatusCode, got, want, a.text)
	}
}

func (a answer) cookie(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return &http.Cookie{}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	p := newPanel(t)
	b, s := p.browser(t, &admin), p.browser(t, nil)
	for name, a := range map[string]answer{"page": b.get("/zones"), "missing": b.get("/nowhere"), "login": s.get("/login"), "redirect": s.get("/zones"),
		"method": b.post("/zones"), "refused": b.post("/do/zone.create"), "json": b.get("/search.json?q="), "no asset": b.get("/asset/x.css")} {
		want := map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000"}
		for h, v := range want {
			if got := a.Header.Get(h); got != v {
				t.Errorf("%s: %s is %q, want %q", name, h, got, v)
			}
		}
		csp := a.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
			if !strings.Contains(csp, part) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: policy %q lacks %q", name, csp, part)
			}
		}
	}
}

func TestAssetsAreImmutableAndNamedByTheirContent(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	found := regexp.MustCompile(`/asset/[a-z.]+[0-9a-f]{12}\.(css|js|svg)`).FindAllString(b.get("/").text, -1)
	if len(found) < 3 {
		t.Fatalf("the shell names %q, want a style sheet, a script and an icon", found)
	}
	for _, url := range found {
		a := b.get(url)
		a.status(t, 200)
		if cc := a.Header.Get("Cache-Control"); cc != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control is %q", url, cc)
		}
	}
}

// inline finds markup that the policy would block.
var inline = regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+\s*=\s*["']|javascript:`)

func TestHostileValuesStayText(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	evil := `"><script>alert(1)</script><img src=x onerror="alert(1)">'{{.}}`
	id := p.zone(t, admin, "evil.example", record{evil, "TXT", 0, evil})
	update := b.post("/do/zone.update", "zone", id, "ttl", "600", "note", evil, "_next", "/zones/"+id)
	update.leadsTo(t, "/zones/"+id)
	paths := []string{"/zones/" + id, "/do/zone.show?zone=" + id, "/zones?q=" + urlText(evil), "/search?q=" + urlText(evil), "/log/" + urlText(evil), "/do/zone.create?name=" + urlText(evil), "/" + urlText(evil)}
	for _, path := range paths {
		a := b.get(path)
		if m := inline.FindString(a.text); m != "" {
			t.Errorf("%s: markup from a value: %q", path, m)
		}
	}
	back := b.post("/do/zone.create", "name", evil, "note", evil, "kind", evil, "records.0.name", evil, "defaultTTL", evil, evil, evil)
	back.status(t, 422)
	if m := inline.FindString(back.text); m != "" {
		t.Errorf("the form gives back markup: %q", m)
	}
}

func urlText(s string) string {
	return strings.NewReplacer(`"`, "%22", "<", "%3C", ">", "%3E", " ", "%20", "{", "%7B", "}", "%7D", "/", "%2F").Replace(s)
}

func TestAStrangerIsSentToTheLogInAndBack(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, nil)
	b.get("/zones?q=x").leadsTo(t, "/login?next=%2Fzones%3Fq%3Dx")
	b.get("/no/such/page").leadsTo(t, "/login?next=%2Fno%2Fsuch%2Fpage")
	b.get("/do/zone.create").leadsTo(t, "/login?next=%2Fdo%2Fzone.create")
	b.get("/stream/log.tail").leadsTo(t, "/login?next=%2Fstream%2Flog.tail")
	b.get("/login?next=/zones").has(t, `name="_next" value="/zones"`, "current-password")
	b.get("/login?next=//evil.example/").hasNot(t, `name="_next" value="//`)
	a := b.post("/do/session.open", "login", "margit", "password", "correct horse battery", "_next", "/zones", "_here", "/login")
	a.leadsTo(t, "/zones")
	c := a.cookie("__Host-session")
	if c.Value == "" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the session cookie is %v", c)
	}
	b.get("/zones").status(t, 200)
}

func TestAWrongPasswordIsToldInTheFormWithoutThePassword(t *testing.T) {
	p := newPanel(t)
	a := p.browser(t, nil).post("/do/session.open", "login", "margit", "password", "not-the-password", "_here", "/login")
	a.status(t, 401)
	a.has(t, "The name or the password is wrong", `value="margit"`, `role="alert"`)
	a.hasNot(t, "not-the-password")
	if a.cookie("__Host-session").Value != "" {
		t.Error("a session was opened")
	}
}

func TestLoggingOutTakesTheCookieAway(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	a := b.post("/do/session.close", "_next", "/login")
	a.leadsTo(t, "/login")
	if c := a.cookie("__Host-session"); c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("the cookie is %v", c)
	}
}

func TestUntilSetUpEveryPageLeadsThere(t *testing.T) {
	p := newPanel(t)
	p.ready = false
	b := p.browser(t, nil)
	b.get("/").leadsTo(t, "/setup")
	b.get("/login").leadsTo(t, "/setup")
	b.get("/setup").has(t, `data-fragment="token"`, "new-password")
	a := b.post("/do/account.setup", "token", "tok", "login", "x", "password", "long enough, surely", "_here", "/setup")
	a.status(t, 403)
	a.has(t, "This set-up link was used already")
}

func TestAFormFromAnotherSiteIsRefused(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	r, err := http.NewRequestWithContext(t.Context(), "POST", p.URL+"/do/token.mint", strings.NewReader("label=x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	a := b.do(r)
	a.status(t, 403)
	a.has(t, "another site")
	b.get("/do/token.mint").status(t, 200)
}

func TestAChangeRedirectsAndSaysItsState(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	a := b.post("/do/zone.create", "name", "example.org", "defaultTTL", "3600", "_do", "run", "_here", "/zones/new")
	if !strings.HasPrefix(a.Header.Get("Location"), "/zones/z_") || a.StatusCode != 303 {
		t.Fatalf("a success leads to %q (%d), want the new zone's page: %.300s", a.Header.Get("Location"), a.StatusCode, a.text)
	}
	page := b.get(a.Header.Get("Location"))
	page.has(t, "Create a zone: <strong>in force</strong>", `role="status"`, `href="/log/r_`)
	b.get(a.Header.Get("Location")).hasNot(t, "in force</strong>")
	id := strings.TrimPrefix(a.Header.Get("Location"), "/zones/")
	b.post("/do/zone.update", "zone", id, "ttl", "3600", "note", "", "_next", "/zones").leadsTo(t, "/zones")
	b.get("/zones").has(t, "<strong>unchanged</strong>", "It was so already")
}

func TestASuccessNeverLeadsToAnotherHost(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	for i, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"} {
		a := b.post("/do/zone.create", "name", strings.Repeat("a", i+1)+".example", "_next", next)
		if got := a.Header.Get("Location"); !strings.HasPrefix(got, "/zones/z_") {
			t.Errorf("_next %q led to %q", next, got)
		}
	}
}

func TestFaultsStandBesideTheirFieldsAndValuesAreKept(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	a := b.post("/do/zone.create", "name", "nodots", "defaultTTL", "3600", "note", "kept note", "masters", "192.0.2.1\n192.0.2.2", "notify", "mail",
		"dnssec", "true", "transferSecret", "hush-hush", "kind", "secondary", "_here", "/zones/new")
	a.status(t, 422)
	a.has(t, "<h1>New zone</h1>", `value="nodots"`, "Must have at least two labels", `aria-invalid="true"`, "f-zone-create-name-fault f-zone-create-name-hint",
		"kept note", "192.0.2.1\n192.0.2.2", `value="mail" checked`, `value="true" checked`, "<option selected>secondary</option>")
	a.hasNot(t, "hush-hush")
	b.post("/do/zone.create", "name", "x.example", "defaultTTL", "soon", "_here", "/zones/new").has(t, "Must be a whole number.", `value="soon"`)
	b.post("/do/zone.create", "name", "x.example", "colour", "red").has(t, "no such field")
	rows := b.post("/do/zone.create", "name", "x.example", "records.0.name", "www", "records.0.type", "NOPE", "records.0.rdata", "192.0.2.1")
	rows.has(t, "Must be one of A, AAAA", `value="www"`)
	b.get("/zones").hasNot(t, "x.example", "nodots")
}

func TestAPreviewShowsThePlanAndDoesNothing(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	id := p.zone(t, admin, "example.org")
	a := b.post("/do/zone.update", "zone", id, "ttl", "600", "note", "first of its kind", "_do", "preview", "_here", "/zones/"+id)
	a.status(t, 200)
	a.has(t, "What would happen", "Nothing has been done yet", `<del><span class="sr">was </span>3600</del>`, `<ins><span class="sr">now </span>600</ins>`, `value="600"`, "<h1>example.org</h1>")
	b.get("/do/zone.show?zone="+id).has(t, "3600")
	b.post("/do/zone.update", "zone", id, "ttl", "3600", "note", "first of its kind", "_do", "preview", "_here", "/zones/"+id).has(t, "Nothing would change")
}

func TestWhatMustBeConfirmedIsShownFirstAndAskedBack(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	id := p.zone(t, admin, "example.org")
	list := b.get("/zones")
	list.has(t, "/do/zone.delete?_fixed=zone&amp;_next=%2Fzones&amp;zone="+id)
	page := b.get("/do/zone.delete?_fixed=zone&_next=/zones&zone=" + id)
	page.has(t, "What would happen", "example.org", `name="_confirmed" value="1"`, "Yes, delete", `href="/zones"`)
	asked := b.post("/do/zone.delete", "zone", id, "_next", "/zones")
	asked.status(t, 200)
	asked.has(t, "What would happen", `name="_confirmed" value="1"`)
	b.get("/zones/"+id).status(t, 200)
	b.post("/do/zone.delete", "zone", id, "_confirmed", "1", "_next", "/zones").leadsTo(t, "/zones")
	b.get("/zones/"+id).status(t, 404)
}

func TestTwoClicksAreOneChange(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	key := regexp.MustCompile(`name="_key" value="([^"]+)"`).FindStringSubmatch(b.get("/zones/new").text)
	if key == nil {
		t.Fatal("the form has no key")
	}
	first := b.post("/do/zone.create", "name", "once.example", "_key", key[1])
	id := strings.TrimPrefix(first.Header.Get("Location"), "/zones/")
	again := b.post("/do/zone.create", "name", "once.example", "_key", key[1])
	again.status(t, 409) // the form has a secret field: its answer is not kept
	again.has(t, "This call was already done")
	for range 2 {
		b.post("/do/zone.update", "zone", id, "ttl", "700", "_key", "k-update", "_next", "/zones").leadsTo(t, "/zones")
		b.get("/zones").has(t, "<strong>in force</strong>") // the same answer, not "unchanged"
	}
}

func TestAChangeInBetweenIsNotOverwritten(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	id := p.zone(t, admin, "example.org")
	expect := regexp.MustCompile(`name="_expect" value="([^"]+)"`).FindStringSubmatch(b.get("/zones/" + id).text)
	if expect == nil {
		t.Fatal("the form names no version")
	}
	b.post("/do/zone.update", "zone", id, "ttl", "700", "_expect", expect[1], "_next", "/zones").leadsTo(t, "/zones")
	b.post("/do/zone.update", "zone", id, "ttl", "800", "_expect", expect[1], "_here", "/zones/"+id).status(t, 412)
}

func TestASecretIsShownOnceAndNeverRedirectedTo(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	a := b.post("/do/token.mint", "label", "ci", "_next", "/zones")
	a.status(t, 200)
	a.has(t, "shown-once-token", "Copy this now", `href="/zones"`)
	if a.cookie("__Host-flash").Value != "" {
		t.Error("a page that shows a secret leaves a flash")
	}
}

func TestAFileIsKeptWhileTheFormIsCorrected(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	send := func(name, upload string, file bool) answer {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		_ = w.WriteField("name", name)
		_ = w.WriteField("_here", "/zones/new")
		_ = w.WriteField("_upload.file", upload)
		if file {
			f, _ := w.CreateFormFile("file", "zone.txt")
			_, _ = io.WriteString(f, "text of the file")
		}
		_ = w.Close()
		r, err := http.NewRequestWithContext(t.Context(), "POST", p.URL+"/do/zone.create", &body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", w.FormDataContentType())
		return b.do(r)
	}
	a := send("nodots", "", true)
	a.status(t, 422)
	handle := regexp.MustCompile(`name="_upload.file" value="(up_[^"]+)"`).FindStringSubmatch(a.text)
	if handle == nil {
		t.Fatal("the file is not kept")
	}
	done := send("dots.example", handle[1], false)
	if done.StatusCode != 303 {
		t.Fatalf("answered %d: %.400s", done.StatusCode, done.text)
	}
}

func TestAnEmptyRowIsNotSentAndMoreRowsComeWithoutAScript(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	a := b.post("/do/zone.create", "name", "rows.example", "records.0.name", "www", "records.0.type", "A", "records.0.rdata", "192.0.2.1", "_do", "more:records", "_here", "/zones/new")
	a.status(t, 200)
	a.has(t, `name="records.3.name"`, `value="www"`)
	done := b.post("/do/zone.create", "name", "rows.example", "records.0.name", "www", "records.0.type", "A", "records.0.rdata", "192.0.2.1", "records.1.name", "", "records.1.type", "", "records.1.rdata", "")
	if done.StatusCode != 303 {
		t.Errorf("an empty row was sent: %d %.400s", done.StatusCode, done.text)
	}
}

func TestWhoMayNotIsNotShownTheWay(t *testing.T) {
	p := newPanel(t)
	id := p.zone(t, admin, "example.org")
	q := p.browser(t, &auditor)
	q.get("/zones").hasNot(t, "New zone</a>", "Delete")
	q.get("/tasks").hasNot(t, "zone.create")
	q.get("/do/zone.create").status(t, 403)
	q.post("/do/zone.create", "name", "x.example").status(t, 403)
	c := p.browser(t, &customer)
	c.get("/zones/"+id).status(t, 404)
	c.get("/do/zone.show?zone="+id).status(t, 404)
	c.get("/search?q=example").has(t, "Nothing found")
	c.get("/search.json?q=example").hasNot(t, "example.org")
}

func TestSearchFindsPagesObjectsAndTasks(t *testing.T) {
	p := newPanel(t)
	id := p.zone(t, admin, "example.org")
	b := p.browser(t, &admin)
	b.get("/search.json?q=exam").has(t, `"name":"example.org"`, `"url":"/zones/`+id+`"`)
	b.get("/search?q=exam").has(t, "example.org</a>")
	b.get("/search.json?q=action+log").has(t, `"url":"/log"`)
	b.get("/search.json?q=mint").has(t, `"url":"/do/token.mint"`)
	b.get("/search?q=zzzz").has(t, "Nothing found")
	p.browser(t, nil).get("/search.json?q=x").status(t, 401)
}

func TestOurOwnFaultIsCalmAndKeepsTheCause(t *testing.T) {
	p := newPanel(t)
	a := p.browser(t, &admin).get("/do/zone.break?zone=x")
	a.status(t, 500)
	a.has(t, "Something broke")
	a.hasNot(t, "cause-for-the-operator")
	if !strings.Contains(p.log.String(), "cause-for-the-operator") {
		t.Error("the operator is not told the cause")
	}
}

func TestAWrongMethodAndATooLargeFormAreClear(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	b.post("/zones").status(t, 405)
	b.post("/do/no.such").status(t, 404)
	a := b.post("/do/zone.create", "name", "x.example", "note", strings.Repeat("x", 3<<20))
	a.status(t, 422)
	a.has(t, "too large")
	a = b.post("/do/zone.create", "name", "\xff\xfe.example")
	a.status(t, 422)
}

func TestTheThemeIsKeptAndNothingElseIsTaken(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	b.post("/look", "theme", "dark", "_here", "/zones").leadsTo(t, "/zones")
	b.get("/zones").has(t, `data-theme="dark"`)
	b.post("/look", "theme", `"><script>`, "_here", "//evil.example").leadsTo(t, "/")
	b.get("/zones").has(t, `data-theme="dark"`)
	b.post("/look", "theme", "auto", "keys", "off", "_here", "/zones")
	b.get("/zones").hasNot(t, "data-theme")
	b.get("/zones").has(t, `data-keys="off"`)
}

func TestTheRailSaysHonestlyHowTheLogStands(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	b.get("/zones").has(t, "Log sealed", "root could still have rewritten it", "<span>9f3a</span>")
	p.ledger.Witnesses = 2
	b.get("/zones").has(t, "Log witnessed", "cosigned by 2\u00a0witnesses")
	p.ledger.Stopped = "the keeper does not answer"
	b.get("/zones").has(t, "Log not sealed", "the keeper does not answer")
}

func TestImpersonationIsAlwaysSeen(t *testing.T) {
	p := newPanel(t)
	as := customer
	as.By = &admin
	p.browser(t, &as).get("/zones").has(t, "margit is acting as <strong>baker</strong>. Both names are on record.")
}

func TestAStreamIsEventsAndADownload(t *testing.T) {
	p := newPanel(t)
	b := p.browser(t, &admin)
	a := b.get("/stream/log.tail")
	if got := a.Header.Get("Content-Type"); got != "text/event-stream" || strings.Count(a.text, "data: {") != 3 {
		t.Errorf("the stream is %q: %.200s", got, a.text)
	}
	d := b.get("/download/log.tail?format=jsonl")
	d.status(t, 422) // the stream itself does not know the field: on record
	d = b.get("/download/log.tail?_format=jsonl")
	if got := d.Header.Get("Content-Disposition"); got != `attachment; filename="log-tail-20261122-170644.jsonl"` || strings.Count(d.text, "\n") != 3 {
		t.Errorf("the download is %q: %.200s", got, d.text)
	}
	b.get("/stream/zone.list").status(t, 404)
}

func TestAPageThatDoesNotParseIsRefusedAtTheStart(t *testing.T) {
	bad := act.Page{Path: "/bad", Title: "Bad", Roles: act.Readers, Template: fstest.MapFS{"bad.html": {Data: []byte(`{{range}}`)}}, File: "bad.html"}
	reg, err := act.NewRegistry(act.Feature{Name: "toy", Pages: []act.Page{bad, {Path: "/gone", Title: "Gone", Roles: act.Readers, Template: pages, File: "no.html"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := newPanel(t)
	_, err = web.New(web.Config{Registry: reg, Bus: p.bus, Session: p.sessions.who, Clock: p.face.Clock, Logger: p.face.Logger})
	if err == nil || !strings.Contains(err.Error(), "/bad") || !strings.Contains(err.Error(), "/gone") {
		t.Errorf("New said %v, want both pages named", err)
	}
}

func TestTheFirstPageIsLight(t *testing.T) {
	p := newPanel(t)
	p.stops(t)
	b := p.browser(t, &admin)
	total := 0
	for _, path := range append([]string{"/zones"}, regexp.MustCompile(`/asset/[^"]+`).FindAllString(b.get("/zones").text, -1)...) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", p.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		wire, open := len(b.do(r).text), len(b.get(path).text)
		t.Logf("%-30s %6d bytes, %6d unpacked", path, wire, open)
		total += wire
	}
	if t.Logf("%-30s %6d bytes", "together", total); total > 100_000 {
		t.Errorf("the first page has %d bytes, at most 100 000 are promised", total)
	}
}

func TestTheFirstPageIsMadeInTime(t *testing.T) {
	p := newPanel(t)
	p.stops(t)
	b := p.browser(t, &admin)
	best := time.Hour
	for range 10 { // the best of ten: other tests share the machine
		began := time.Now()
		b.get("/zones").status(t, 200)
		best = min(best, time.Since(began))
	}
	if t.Logf("/zones with 50 rows: %v", best); best > 50*time.Millisecond {
		t.Errorf("the first page took %v, at most 50 ms are promised", best)
	}
}

func TestTheFootOfAListTakesTextAndNumbers(t *testing.T) {
	foot := act.Page{Path: "/foot", Title: "Foot", Roles: act.Readers, File: "foot.html",
		Template: fstest.MapFS{"foot.html": {Data: []byte(`<h1>Foot</h1>{{.Pager 17}}{{.Pager "abc"}}{{.Pager 0}}{{.Pager ""}}`)}}}
	p := newPanel(t, foot)
	a := p.browser(t, &admin).get("/foot")
	a.has(t, `href="/foot?after=17"`, `href="/foot?after=abc"`)
	if n := strings.Count(a.text, `rel="next"`); n != 2 {
		t.Errorf("%d links to a next page, want 2", n)
	}
}
