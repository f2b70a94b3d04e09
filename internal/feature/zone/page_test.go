package zone_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/web"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

// panel is the web face over a world; the session's token is the tenant.
type panel struct {
	*served
	server *httptest.Server
}

func newPanel(t *testing.T, changes ...func(*zone.Ports)) *panel {
	t.Helper()
	s := serve(t, storetest.SQLite(t), changes...)
	people := map[string]act.Actor{"admin": admin, "shop": customer, "rival": stranger, "auditor": auditor, "agency": reseller}
	face, err := web.New(web.Config{Registry: s.reg, Bus: s.Bus, Clock: core.SystemClock, Logger: slog.New(slog.NewTextHandler(testLog{t}, nil)),
		Login: "zone.login", Record: "/log/{id}", Browser: "/log",
		Session: func(_ context.Context, token core.Secret, _ bool) (act.Actor, error) {
			a, ok := people[token.Reveal()]
			if !ok {
				return a, core.Errorf(core.Unauthenticated, "nobody")
			}
			a.Session, a.Door = "s_"+token.Reveal(), "web"
			return a, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	p := &panel{served: s, server: httptest.NewTLSServer(face)}
	t.Cleanup(p.server.Close)
	return p
}

// as returns a browser that follows no redirect.
func (p *panel) as(who string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	at, err := url.Parse(p.server.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	jar.SetCookies(at, []*http.Cookie{{Name: "__Host-session", Value: who, Path: "/", Secure: true}})
	c := *p.server.Client()
	c.Jar, c.CheckRedirect = jar, func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{&c, p.t, p.server.URL}
}

type browser struct {
	*http.Client
	t   testing.TB
	url string
}

// get returns status and text of a page.
func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	r, err := b.Client.Get(b.url + path)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(r)
}

func (b *browser) read(r *http.Response) (int, string) {
	b.t.Helper()
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if to := r.Header.Get("Location"); to != "" {
		return r.StatusCode, to
	}
	return r.StatusCode, string(text)
}

var (
	formStart = regexp.MustCompile(`(?s)<form class="form" id="f-([a-z-]+)".*?</form>`)
	inputs    = regexp.MustCompile(`<input[^>]*>|<textarea[^>]*>|<select[^>]*>.*?</select>`)
	attribute = regexp.MustCompile(`(name|value|type)="([^"]*)"`)
	area      = regexp.MustCompile(`(?s)<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>`)
	inert     = regexp.MustCompile(`(?s)<template.*?</template>`)
	chosen    = regexp.MustCompile(`<option selected>([^<]*)`)
)

// form reads the one form of a page as a browser would send it.
func (b *browser) form(page string) url.Values {
	b.t.Helper()
	f := inert.ReplaceAllString(formStart.FindString(page), "")
	if f == "" {
		b.t.Fatalf("no form in %s", page)
	}
	values := url.Values{}
	for _, tag := range inputs.FindAllString(f, -1) {
		at := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(strings.SplitAfter(tag, ">")[0], -1) {
			at[m[1]] = html.UnescapeString(m[2])
		}
		if strings.HasPrefix(tag, "<select") {
			at["value"] = ""
			if m := chosen.FindStringSubmatch(tag); m != nil {
				at["value"] = m[1]
			}
		}
		if at["name"] != "" && at["type"] != "file" && at["type"] != "checkbox" {
			values.Set(at["name"], at["value"])
		}
	}
	for _, m := range area.FindAllStringSubmatch(f, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	return values
}

func (b *browser) send(op string, values url.Values) (int, string) {
	b.t.Helper()
	r, err := b.Client.PostForm(b.url+"/do/"+op, values)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(r)
}

func holdsAll(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	_, text, _ = strings.Cut(text, "<main")
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s does not hold %q:\n%s", what, p, text)
		}
	}
}

func TestAnEmptyListSaysWhatToDoNext(t *testing.T) {
	p := newPanel(t)
	_, text := p.as("shop").get("/zones")
	holdsAll(t, "the empty list", text, "No zones yet", `href="/zones/import"`, `href="/zones/new"`)
	if _, text = p.as("auditor").get("/zones"); strings.Contains(text, "/zones/import") {
		t.Error("an auditor is offered to import")
	}
}

func TestPagesShowWhatIsServed(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	must[zone.Changed](p.world, customer, "zone.record.add", fields{"zone": z.ID, "name": "new", "type": "A", "data": "192.0.2.1"})
	for _, who := range []string{"admin", "shop", "auditor", "agency"} {
		for path, want := range map[string][]string{
			"/zones":                                  {"kranewitt.example", "in force"},
			"/zones?q=krane":                          {"kranewitt.example"},
			"/zones?q=nothing":                        {"No zone matches"},
			"/zones/" + z.ID:                          {"_dmarc", "answers with this version", "192.0.2.25"},
			"/zones/kranewitt.example":                {"_dmarc"},
			"/zones/" + z.ID + "?q=192.0.2.25":        {"2\u00a0RRsets", ">mail<"},
			"/zones/" + z.ID + "?version=1":           {"These are the records of version 1"},
			"/zones/" + z.ID + "/history":             {"zone.record.add", "zone.import"},
			"/zones/" + z.ID + "/history?from=1&to=2": {"new.kranewitt.example. A", "3600 192.0.2.1"},
			"/zones/" + z.ID + "/file":                {"$ORIGIN kranewitt.example.", "/download/zone.export"},
		} {
			status, text := p.as(who).get(path)
			if status != http.StatusOK {
				t.Errorf("%s %s: %d", who, path, status)
			}
			holdsAll(t, who+" "+path, text, want...)
		}
		_, text := p.as(who).get("/zones/" + z.ID)
		if edits := strings.Contains(text, "Add records"); edits == (who == "auditor") {
			t.Errorf("%s is offered to edit: %v", who, edits)
		}
	}
	for _, path := range []string{"/zones/" + z.ID, "/zones/" + z.ID + "/history", "/zones/" + z.ID + "/edit", "/zones/z_nobody"} {
		if status, _ := p.as("rival").get(path); status != http.StatusNotFound {
			t.Errorf("a stranger gets %d for %s", status, path)
		}
	}
	if status, text := p.as("shop").get("/download/zone.export?zone=" + z.ID); status != http.StatusOK || !strings.HasPrefix(text, "$ORIGIN kranewitt.example.\n") {
		t.Errorf("the download: %d %s", status, text)
	}
}

// The way a person takes: choose records, change them, look at the difference,
// apply it, ask the nameserver.
func TestRecordsAreEditedInThePanelAfterLookingAtTheDifference(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	b := p.as("shop")
	_, text := b.get("/zones/" + z.ID + "/edit?set=" + url.QueryEscape("mail.kranewitt.example. A") + "&set=" + url.QueryEscape("kranewitt.example. TXT"))
	form := b.form(text)
	if form.Get("changes.2.parts.0") != "192.0.2.25" && form.Get("changes.0.parts.0") != "192.0.2.25" {
		var rows []string
		for i := range 4 {
			rows = append(rows, form.Get(fmt.Sprintf("changes.%d.action", i))+" "+form.Get(fmt.Sprintf("changes.%d.name", i))+" "+form.Get(fmt.Sprintf("changes.%d.parts.0", i)))
		}
		t.Fatalf("the form begins with %q", rows)
	}
	last := ""
	for i := range 3 {
		at := fmt.Sprintf("changes.%d.", i)
		if form.Get(at+"action") != "set" {
			t.Errorf("line %d does %q", i, form.Get(at+"action"))
		}
		switch form.Get(at + "parts.0") {
		case "192.0.2.25":
			form.Set(at+"parts.0", "192.0.2.99")
			form.Set(at+"ttl", "1h")
		case "site-verification=5f8a0c7de1b94b7fa9d1c1f0e62b3a44":
			form.Set(at+"action", "remove")
		}
		last = fmt.Sprintf("changes.%d.", i+1)
	}
	form.Set(last+"name", "fresh")
	form.Set(last+"type", "AAAA")
	form.Set(last+"data", "not an address")

	form.Set("_do", "preview")
	status, text := b.send("zone.edit", form)
	holdsAll(t, "the answer to bad input", text, "an IPv6 address")
	if status == http.StatusOK {
		t.Error("a fault was answered with 200")
	}
	form = b.form(text)
	form.Set(last+"data", "2001:db8::7")
	form.Set("_do", "preview")
	_, text = b.send("zone.edit", form)
	holdsAll(t, "the preview", text, "What would happen", "mail.kranewitt.example. A", "600 192.0.2.25", "3600 192.0.2.99",
		"fresh.kranewitt.example. AAAA", "3600 2001:db8::7", "site-verification")
	if got := p.records(z.ID, "mail.kranewitt.example. A"); got[0] != "600 192.0.2.25" {
		t.Errorf("the preview changed %q", got)
	}
	form = b.form(text)
	form.Set("_do", "run")
	status, to := b.send("zone.edit", form)
	if status != http.StatusSeeOther || to != "/zones/"+z.ID {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.records(z.ID, "kranewitt.example. TXT"); len(got) != 1 || !strings.Contains(got[0], "v=spf1") {
		t.Errorf("TXT is %q", got)
	}
	if got := p.ask("mail.kranewitt.example.", 1); got != "192.0.2.99" {
		t.Errorf("the nameserver says %s", got)
	}
	for i := range 3 { // what was removed cannot be removed again: that would be another fault
		if at := fmt.Sprintf("changes.%d.", i); form.Get(at+"action") == "remove" {
			form.Set(at+"action", "add")
		}
	}
	form.Set("_key", core.NewID("web"))
	if status, text = b.send("zone.edit", form); status == http.StatusSeeOther {
		t.Error("the old form was taken again after the zone had changed")
	}
	holdsAll(t, "the answer to an old form", text, "changed meanwhile")
}

// Who does not know how a record is written chooses what it is for and fills in
// fields; no JavaScript runs here.
func TestARecordIsFilledInPartByPart(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	b := p.as("shop")
	_, text := b.get("/zones/" + z.ID + "/edit?type=MX")
	holdsAll(t, "the page", text, "Where mail for this name is delivered.", "Preference", "Mail server", "Write data as text")
	form := b.form(text)
	if _, line := form["changes.0.data"]; line || form.Get("changes.0.type") != "MX" {
		t.Fatalf("the form begins with %v", form)
	}
	form.Set("changes.0.action", "set")
	form.Set("changes.0.parts.0", "many")
	form.Set("changes.0.parts.1", "mail")
	form.Set("_do", "run")
	_, text = b.send("zone.edit", form)
	holdsAll(t, "the answer", text, `name="changes.0.parts.0" value="many"`, `id="f-zone-edit-changes-0-parts-0-fault"`, "A whole number from 0 to 65535.")
	form = b.form(text)
	form.Set("changes.0.parts.0", "7")
	form.Set("_do", "as:text")
	_, text = b.send("zone.edit", form)
	if form = b.form(text); form.Get("changes.0.data") != "7 mail" || form.Get("_text") != "1" {
		t.Fatalf("as text: %v", form)
	}
	form.Set("changes.0.data", "8 mail")
	form.Set("_do", "as:parts")
	_, text = b.send("zone.edit", form)
	if form = b.form(text); form.Get("changes.0.parts.0") != "8" || form.Get("changes.0.parts.1") != "mail" || form.Has("changes.0.data") {
		t.Fatalf("in fields again: %v", form)
	}
	form.Set("changes.1.name", "_sip._tcp") // the empty row: its fields come with the next answer
	form.Set("changes.1.type", "SRV")
	form.Set("_do", "more:changes")
	_, text = b.send("zone.edit", form)
	holdsAll(t, "the page", text, "Weight", "_service._proto")
	form = b.form(text)
	for i, v := range []string{"0", "5", "5060", "mail"} {
		form.Set(fmt.Sprintf("changes.1.parts.%d", i), v)
	}
	form.Set("_do", "run")
	if status, to := b.send("zone.edit", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.records(z.ID, "kranewitt.example. MX"); len(got) != 1 || !strings.HasSuffix(got[0], " 8 mail.kranewitt.example.") {
		t.Errorf("MX is %q", got)
	}
	if got := p.records(z.ID, "_sip._tcp.kranewitt.example. SRV"); len(got) != 1 || !strings.HasSuffix(got[0], " 0 5 5060 mail.kranewitt.example.") {
		t.Errorf("SRV is %q", got)
	}
}

func TestAFileIsPastedOverAZone(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	b := p.as("shop")
	_, text := b.get("/zones/" + z.ID + "/file")
	form := b.form(text)
	form.Set("file", strings.Replace(form.Get("file"), "192.0.2.25\n", "192.0.2.26\n", 1))
	form.Set("_do", "preview")
	_, text = b.send("zone.import", form)
	holdsAll(t, "the preview", text, "mail.kranewitt.example. A", "600 192.0.2.26")
	form = b.form(text)
	form.Set("file", form.Get("file")+"\nbroken A nowhere\n")
	form.Set("_do", "run")
	_, text = b.send("zone.import", form)
	holdsAll(t, "the answer to a broken file", text, "line 3", "column")
	if !strings.Contains(b.form(text).Get("file"), "broken A nowhere") {
		t.Error("what was typed is lost")
	}
	form = b.form(text)
	form.Set("file", strings.Replace(form.Get("file"), "broken A nowhere", "", 1))
	form.Set("_do", "run")
	if status, to := b.send("zone.import", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.ask("mail.kranewitt.example.", 1); got != "192.0.2.26" {
		t.Errorf("the nameserver says %s", got)
	}
}
