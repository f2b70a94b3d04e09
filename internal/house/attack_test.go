package house_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
	"hostward/internal/store/storetest"
)

// visitor is a browser without a screen: cookies, an address, and headers that it
// sends whether or not anybody asked.
type visitor struct {
	w       *world
	from    string
	cookies map[string]string
	headers map[string]string
}

func (w *world) visitor(from string) *visitor {
	return &visitor{w, from, map[string]string{}, map[string]string{}}
}

func (v *visitor) send(method, path string, form url.Values) *httptest.ResponseRecorder {
	v.w.Helper()
	r := httptest.NewRequest(method, "https://panel.example"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = v.from + ":4711"
	if strings.Contains(v.from, ":") {
		r.RemoteAddr = "[" + v.from + "]:4711"
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range v.headers {
		r.Header.Set(name, value)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	v.w.web.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return rec
}

func (v *visitor) get(path string) *httptest.ResponseRecorder { return v.send("GET", path, nil) }

// post calls an operation with pairs of names and values.
func (v *visitor) post(op string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.send("POST", "/do/"+op, form)
}

func (v *visitor) session() string { return v.cookies["__Host-session"] }

// login logs in, with a second factor if the person has one.
func (v *visitor) login(p *person) {
	v.w.Helper()
	v.post("login.enter", "login", p.login, "password", p.password)
	if p.codes != nil {
		v.post("login.factor", "code", p.code())
	}
	if v.get("/security").Code != http.StatusOK {
		v.w.Fatalf("%s does not get in", p.login)
	}
}

// opens reports whether a session's token still opens anything.
func (w *world) opens(token string) bool {
	v := w.visitor("192.0.2.77")
	v.cookies["__Host-session"] = token
	return v.get("/security").Code == http.StatusOK
}

// TestASessionCannotBePlanted sends a token that the attacker knows before the
// log-in, and follows the token through every change of what it is worth.
func TestASessionCannotBePlanted(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	w.enter("guest", p)
	v := w.visitor("192.0.2.50")
	v.cookies["__Host-session"] = strings.Repeat("a", 52)
	planted := v.session()
	v.post("login.enter", "login", p.login, "password", p.password)
	before := v.session()
	if before == planted || before == "" || w.opens(planted) {
		t.Fatal("a planted token became a session")
	}
	for _, change := range []struct {
		op    string
		pairs []string
	}{
		{"login.factor", []string{"code", p.code()}},
		{"session.prove", []string{"code", p.code()}},
		{"password.change", []string{"old_password", p.password, "new_password", "nine brown hens under a ladder"}},
	} {
		old := v.session()
		v.post(change.op, change.pairs...)
		if v.session() == old || w.opens(old) || !w.opens(v.session()) {
			t.Errorf("after %s the token from before still opens, or the new one does not", change.op)
		}
	}
	last := v.session()
	v.post("session.end")
	if v.session() != "" || w.opens(last) {
		t.Error("after logging out the token still opens")
	}
}

// TestHalfALoginOpensNothing looks for pages, operations, streams and files that
// somebody reaches who has shown a password and no second factor.
func TestHalfALoginOpensNothing(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	w.enter("guest", p)
	v := w.visitor("192.0.2.51")
	v.post("login.enter", "login", p.login, "password", p.password)
	for _, path := range []string{"/", "/security", "/zones", "/log", "/do/zone.create", "/search?q=a", "/stream/log.tail", "/download/log.export", "/tasks", "/nothing"} {
		if rec := v.get(path); rec.Code != http.StatusSeeOther || !strings.HasPrefix(rec.Header().Get("Location"), "/step") {
			t.Errorf("GET %s: %d to %q, want the step that is left", path, rec.Code, rec.Header().Get("Location"))
		}
	}
	if rec := v.get("/search.json?q=a"); rec.Code != http.StatusUnauthorized {
		t.Errorf("searching: %d", rec.Code)
	}
	for _, op := range w.Registry.Ops() {
		if op.Roles&act.Readers == 0 || op.Roles&act.Entrant != 0 {
			continue
		}
		before := w.state()
		if rec := v.post(op.Name); rec.Code < 300 {
			t.Errorf("%s: %d", op.Name, rec.Code)
		}
		if diff := changed(before, w.state()); diff != nil {
			t.Errorf("%s changed %v", op.Name, diff)
		}
	}
	a := w.inside(v.session())
	for _, op := range []string{"totp.begin", "passkey.offer", "recovery.renew", "password.change", "login.link", "totp.remove"} {
		if _, err := w.Bus.Do(t.Context(), act.Call{Op: op, Actor: a, Input: must1(w.Registry.Op(op)).Sample(), Confirmed: true}); core.CodeOf(err) != core.Unauthenticated {
			t.Errorf("%s with the second factor still to show: %v", op, err)
		}
	}
}

// TestACodeCountsOnce replays codes of an app and recovery codes (RFC 6238 5.2).
func TestACodeCountsOnce(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	w.enter("guest", p)
	step := func(code string) int {
		v := w.visitor("192.0.2.52")
		v.post("login.enter", "login", p.login, "password", p.password)
		return v.post("login.factor", "code", code).Code
	}
	w.pass(time.Minute)
	code, older := accounttest.Code(p.seed, w.now()), accounttest.Code(p.seed, w.now().Add(-30*time.Second))
	recovery := p.code()
	for i, try := range []struct {
		name, code string
		want       int
	}{
		{"a code", code, http.StatusSeeOther}, {"the same code", code, http.StatusUnprocessableEntity}, {"the code before it", older, http.StatusUnprocessableEntity},
		{"a recovery code", recovery, http.StatusSeeOther}, {"the same recovery code", recovery, http.StatusUnprocessableEntity},
		{"a code of two minutes ago", accounttest.Code(p.seed, w.now().Add(-2*time.Minute)), http.StatusUnprocessableEntity},
		{"a code of the next minute", accounttest.Code(p.seed, w.now().Add(time.Minute)), http.StatusUnprocessableEntity},
	} {
		if got := step(try.code); got != try.want {
			t.Errorf("%d, %s: %d, want %d", i, try.name, got, try.want)
		}
	}
}

// TestManyCodesAtOnceLetOneIn sends one good code from many browsers at the same
// time, each with a session that waits for it.
func TestManyCodesAtOnceLetOneIn(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	w.enter("guest", p)
	w.pass(time.Minute)
	var waiting []act.Actor
	for range 12 {
		token, _ := w.session(p)
		waiting = append(waiting, w.inside(token))
	}
	code := accounttest.Code(p.seed, w.now())
	var in sync.Map
	var all sync.WaitGroup
	for i, a := range waiting {
		all.Go(func() {
			if _, err := w.Bus.Do(t.Context(), act.Call{Op: "login.factor", Actor: a, Input: raw(map[string]any{"code": code})}); err == nil {
				in.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	in.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("one code let %d in", n)
	}
}

// TestNobodyIsSentElsewhere tries to have the log-in lead to another site.
func TestNobodyIsSentElsewhere(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	for _, next := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/%0d%0aLocation:%20https://evil.example",
		"\thttps://evil.example", "///evil.example", "http:evil.example", "https:/evil.example", " //evil.example"} {
		v := w.visitor("192.0.2.53")
		to := v.post("login.enter", "login", p.login, "password", p.password, "_next", next).Header().Get("Location")
		u, err := url.Parse(to)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
			t.Errorf("next=%q leads to %q", next, to)
		}
		page := v.get("/step?next=" + url.QueryEscape(next))
		if to := page.Header().Get("Location"); strings.Contains(to, "evil") && !strings.HasPrefix(to, "/%0d") {
			t.Errorf("a step with next=%q leads to %q", next, to)
		}
	}
}

// TestFieldsThatNobodyOffersAreRefused sends what the object has and the form has
// not (mass assignment).
func TestFieldsThatNobodyOffersAreRefused(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.people["customer"]
	for _, field := range []string{"role", "tenant", "parent", "id", "disabled", "account.role", "Role", "proof", "strong", "judged"} {
		in := map[string]any{"account": p.ID, "name": "x", field: "administrator"}
		_, err := w.Bus.Do(t.Context(), act.Call{Op: "account.update", Actor: w.actor("customer"), Input: raw(in)})
		if core.CodeOf(err) != core.Invalid {
			t.Errorf("with %s: %v", field, err)
		}
	}
	r := w.must(console, "account.show", map[string]any{"account": p.ID})
	if role := fields(r.Output)["role"]; role != "customer" {
		t.Errorf("the customer is %v now", role)
	}
}

// TestNoHeaderSaysWhereSomebodyIs spoofs the address of the client in every way
// that proxies know.
func TestNoHeaderSaysWhereSomebodyIs(t *testing.T) {
	spoofs := map[string]string{"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9", "CF-Connecting-IP": "203.0.113.9",
		"True-Client-IP": "203.0.113.9", "X-Client-IP": "203.0.113.9", "X-Cluster-Client-IP": "203.0.113.9", "Via": "203.0.113.9", "X-Forwarded-Host": "evil.example"}
	for name, c := range map[string]struct {
		ini             []string
		from, header, v string
		want            string
	}{
		"no proxy":                  {nil, "192.0.2.60", "X-Forwarded-For", "203.0.113.9", "192.0.2.60"},
		"not from the proxy":        {proxied("X-Forwarded-For"), "192.0.2.60", "X-Forwarded-For", "203.0.113.9", "192.0.2.60"},
		"from the proxy":            {proxied("X-Forwarded-For"), "10.0.0.1", "X-Forwarded-For", "198.51.100.7", "198.51.100.7"},
		"a stranger wrote the rest": {proxied("X-Forwarded-For"), "10.0.0.1", "X-Forwarded-For", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
		"two proxies":               {proxied("X-Forwarded-For"), "10.0.0.1", "X-Forwarded-For", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"},
		"with a port":               {proxied("X-Forwarded-For"), "10.0.0.1", "X-Forwarded-For", "198.51.100.7:5555", "198.51.100.7"},
		"another header":            {proxied("Forwarded"), "10.0.0.1", "X-Forwarded-For", "203.0.113.9", ""},
		"RFC 7239":                  {proxied("Forwarded"), "10.0.0.1", "Forwarded", `for=203.0.113.9, For="[2001:db8::7]:443";proto=https;by=10.0.0.1`, "2001:db8::7"},
		"X-Real-IP":                 {proxied("X-Real-IP"), "10.0.0.1", "X-Real-IP", "198.51.100.7", "198.51.100.7"},
		"nonsense":                  {proxied("X-Forwarded-For"), "10.0.0.1", "X-Forwarded-For", "198.51.100.7, not an address", ""},
		"only proxies":              {proxied("X-Forwarded-For"), "10.0.0.1", "X-Forwarded-For", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		"mapped":                    {proxied("X-Forwarded-For"), "::ffff:10.0.0.1", "X-Forwarded-For", "::ffff:198.51.100.7", "198.51.100.7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := emptyWorld(t, storetest.SQLite(t), c.ini...)
			w.must(console, "admin.init", map[string]any{"login": "first", "password": password + "first"})
			v := w.visitor(c.from)
			for k, x := range spoofs {
				v.headers[k] = x
			}
			v.headers[c.header] = c.v
			if c.header != "Forwarded" && slices.Contains(c.ini, "header = Forwarded") {
				delete(v.headers, "Forwarded") // the proxy would have taken it away
			}
			v.post("login.enter", "login", "first", "password", "not the password at all")
			if want := "door=web from " + c.want + "\n"; !strings.Contains(w.logs.String(), want) {
				t.Errorf("the line of the failure does not end in %q: %s", want, lastFailure(w.logs.String()))
			}
		})
	}
}

func proxied(header string) []string {
	return []string{"[proxy]", `trusted = "10.0.0.0/24"`, "header = " + header}
}

func lastFailure(log string) string {
	lines := slices.DeleteFunc(strings.Split(log, "\n"), func(l string) bool { return !strings.Contains(l, "failed login") })
	return strings.Join(lines, "\n")
}

// TestAnApiBehindAProxyObeysTheClientsAddress has the restriction hold for who
// comes through a proxy, and for the proxy itself (SPEC A2).
func TestAnApiBehindAProxyObeysTheClientsAddress(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t), append(proxied("X-Forwarded-For"), "[api]", "allowedIPs = 198.51.100.0/24, 127.0.0.1")...)
	w.populate()
	call := func(from, forwarded string) int {
		r := httptest.NewRequest("GET", "https://panel.example/api/v1/log/status", nil)
		r.RemoteAddr = from + ":1"
		r.Header.Set("Authorization", "Bearer "+w.people["administrator"].bearer)
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return answer(w.web, r).status
	}
	for _, c := range []struct {
		from, forwarded string
		want            int
	}{
		{"10.0.0.1", "198.51.100.7", 200}, {"10.0.0.1", "203.0.113.9", 403}, {"10.0.0.1", "", 403},
		{"203.0.113.9", "198.51.100.7", 403}, {"198.51.100.7", "203.0.113.9", 200}, {"10.0.0.1", "junk", 403},
	} {
		if got := call(c.from, c.forwarded); got != c.want {
			t.Errorf("from %s with %q: %d, want %d", c.from, c.forwarded, got, c.want)
		}
	}
}

// TestAccessHoldsWithinASession takes an administrator's address away while he is
// logged in, at each door, and leaves everybody else alone (SPEC A1).
func TestAccessHoldsWithinASession(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	admin, customer := w.people["administrator"], w.people["customer"]
	v, c := w.visitor("192.0.2.70"), w.visitor("192.0.2.70")
	v.login(admin)
	c.login(customer)
	auditor := w.visitor("192.0.2.70")
	auditor.login(w.people["auditor"])
	if rec := v.post("access.mode", "mode", "only-listed"); rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), "192.0.2.70") {
		t.Fatalf("shutting oneself out: %d %.200s", rec.Code, rec.Body)
	}
	if rec := v.post("access.mode", "mode", "only-listed", "add_me", "true"); rec.Code != http.StatusSeeOther {
		t.Fatalf("with one's own address: %d %.300s", rec.Code, rec.Body)
	}
	if v.get("/zones").Code != http.StatusOK || auditor.get("/log").Code != http.StatusOK {
		t.Error("who is listed is refused")
	}
	v.from, c.from, auditor.from = "192.0.2.71", "192.0.2.71", "192.0.2.71"
	if got := v.get("/zones").Code; got != http.StatusForbidden {
		t.Errorf("an administrator's session from elsewhere: %d", got)
	}
	if rec := auditor.get("/log"); rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "/do/session.end") {
		t.Errorf("an auditor's session from elsewhere: %d %.300s", rec.Code, rec.Body)
	}
	if rec := auditor.post("session.end"); rec.Code != http.StatusSeeOther {
		t.Errorf("logging out from elsewhere: %d", rec.Code)
	}
	if rec := auditor.get("/log"); rec.Code != http.StatusSeeOther {
		t.Errorf("after it: %d", rec.Code)
	}
	if got := c.get("/zones").Code; got != http.StatusOK {
		t.Errorf("a customer from elsewhere: %d", got)
	}
	if got := w.rest(admin, "GET", "/api/v1/log/status", nil).status; got != http.StatusForbidden {
		t.Errorf("an administrator's token from elsewhere: %d", got)
	}
	other := w.visitor("192.0.2.71")
	rec := other.post("login.enter", "login", admin.login, "password", admin.password)
	wrong := other.post("login.enter", "login", admin.login, "password", "not the password at all")
	if rec.Code != http.StatusUnauthorized || stripped(rec.Body.String()) != stripped(wrong.Body.String()) {
		t.Errorf("a right password from elsewhere is told from a wrong one: %d", rec.Code)
	}
	w.must(console, "access.reset", nil)
	v.from = "192.0.2.71"
	if got := v.get("/zones").Code; got != http.StatusOK {
		t.Errorf("after the reset at the server: %d", got)
	}
}

// stripped is a page without what differs from one to the next.
func stripped(page string) string {
	var lines []string
	for line := range strings.SplitSeq(page, "\n") {
		if !strings.Contains(line, "_key") && !strings.Contains(line, "data-now") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// TestGuessingLocksThePasswordAlone locks a name from many networks, and lets its
// owner in by what stays open (SPEC A8).
func TestGuessingLocksThePasswordAlone(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	known := w.visitor("192.0.2.80")
	known.login(p)
	known.post("session.end")
	if known.cookies["__Host-device"] == "" {
		t.Fatal("the browser is not known after a log-in")
	}
	locked := map[string]string{}
	for _, name := range []string{p.login, "nobody-has-this-name"} {
		for i := range 12 {
			stranger := w.visitor(fmt.Sprintf("198.51.100.%d", i+1))
			rec := stranger.post("login.enter", "login", name, "password", "not the password at all")
			locked[name] = fmt.Sprint(rec.Code)
		}
		other := w.visitor("203.0.113.7")
		rec := other.post("login.enter", "login", name, "password", p.password)
		locked[name] += fmt.Sprint(" then ", rec.Code, " ", strings.ReplaceAll(stripped(rec.Body.String()), name, "NAME"))
	}
	if locked[p.login] != locked["nobody-has-this-name"] || !strings.HasPrefix(locked[p.login], "429 then 429") {
		t.Errorf("a name that exists and one that does not are told apart, or not locked:\n%.300s\n%.300s", locked[p.login], locked["nobody-has-this-name"])
	}
	if rec := known.post("login.enter", "login", p.login, "password", p.password); rec.Code != http.StatusSeeOther {
		t.Errorf("from the known browser: %d", rec.Code)
	}
	thief := w.visitor("203.0.113.8")
	thief.cookies["__Host-device"] = known.cookies["__Host-device"]
	for range 6 {
		thief.post("login.enter", "login", p.login, "password", "not the password at all")
	}
	if n := len(w.must(console, "device.list", map[string]any{"account": p.ID}).Output.(login.Devices).Devices); n != 0 {
		t.Errorf("a stolen device token guesses on")
	}
	w.must(nobody, "login.claim", map[string]any{"token": w.link(p.ID), "password": "ten brown hens under a ladder"})
	if rec := w.visitor("203.0.113.9").post("login.enter", "login", p.login, "password", "ten brown hens under a ladder"); rec.Code != http.StatusSeeOther {
		t.Errorf("after a reset by link: %d", rec.Code)
	}
}

// TestAFloodOfLoginsIsBounded sends more at once than can be hashed: most are
// turned away at once, pages go on, and what is kept of it is bounded.
func TestAFloodOfLoginsIsBounded(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	known := w.visitor("192.0.2.90")
	known.login(p)
	var flood sync.WaitGroup
	codes := make([]int, 600)
	for i := range codes {
		flood.Go(func() {
			v := w.visitor(fmt.Sprintf("2001:db8:%x:%x::1", i>>8, i))
			codes[i] = v.post("login.enter", "login", fmt.Sprint("name", i), "password", "not the password at all").Code
		})
	}
	if rec := known.get("/security"); rec.Code != http.StatusOK {
		t.Errorf("a page during the flood: %d", rec.Code)
	}
	flood.Wait()
	turned := 0
	for _, c := range codes {
		if c == http.StatusTooManyRequests {
			turned++
		} else if c != http.StatusUnauthorized {
			t.Errorf("a log-in in the flood: %d", c)
		}
	}
	if turned < 300 {
		t.Errorf("of 600 at once %d were turned away: the line is not bounded", turned)
	}
	// From one network: a few are exact, the rest is counted.
	before := w.records()
	v := w.visitor("203.0.113.20")
	for i := range 1000 {
		v.post("login.enter", "login", fmt.Sprint("name", i), "password", "not the password at all")
	}
	if n := w.records() - before; n > 100 {
		t.Errorf("1000 attempts of one network left %d records", n)
	}
	if n := strings.Count(w.logs.String(), "from 203.0.113.20\n"); n > 40 {
		t.Errorf("1000 attempts of one network left %d lines for the ban filter", n)
	}
}

// TestEverybodyLogsInAgain ends all sessions but that of who asks.
func TestEverybodyLogsInAgain(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	v := w.visitor("192.0.2.91")
	v.login(w.people["administrator"])
	others := []*visitor{w.visitor("192.0.2.92"), w.visitor("192.0.2.93")}
	others[0].login(w.people["customer"])
	others[1].login(w.people["reseller"])
	v.post("session.purge", "_confirmed", "1")
	if v.get("/security").Code != http.StatusOK {
		t.Error("who ended everybody's sessions lost his own")
	}
	for _, o := range others {
		if o.get("/security").Code == http.StatusOK {
			t.Error("a session outlived the purge")
		}
	}
}

// TestActingIsBounded has a reseller act as his customer: what asks for the person
// himself stays shut, both names are on record, and both see it in their log.
func TestActingIsBounded(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.acting()
	customer := p.ID
	for _, op := range []string{"token.create", "totp.begin", "recovery.renew", "session.prove", "password.change", "account.update", "session.act"} {
		o := must1(w.Registry.Op(op))
		if _, err := w.Bus.Do(t.Context(), act.Call{Op: op, Actor: p.Actor, Input: w.fitFor(o, customer), Confirmed: true}); core.CodeOf(err) != core.Denied && core.CodeOf(err) != core.NotFound {
			t.Errorf("%s by who acts as somebody: %v", op, err)
		}
	}
	before := w.records()
	w.must(p.Actor, "zone.create", map[string]any{"name": w.unique("zone") + ".example"})
	leaf := w.since(before)[0]
	if !strings.Contains(leaf, `"actor":{"kind":"account","id":"`+customer) || !strings.Contains(leaf, `"by":{"kind":"account","id":"`+p.By.ID) {
		t.Errorf("the record does not name both: %s", leaf)
	}
	// He may not reach another tenant's objects through it.
	foreign := w.zone()
	if _, err := w.Bus.Do(t.Context(), act.Call{Op: "zone.show", Actor: p.Actor, Input: raw(map[string]any{"zone": foreign})}); core.CodeOf(err) != core.NotFound {
		t.Errorf("another customer's zone: %v", err)
	}
	w.must(console, "account.disable", map[string]any{"account": customer})
	if a := w.inside(p.cookie); a.By != nil || a.Role != act.Reseller {
		t.Errorf("after the customer was closed the session is %+v", a)
	}
}

// fitFor is the operation's sample, aimed at an account.
func (w *world) fitFor(op *act.Op, account string) []byte {
	s := w.fit(op)
	if _, ok := s.in["account"]; ok {
		s.in["account"] = account
	}
	return raw(s.in)
}

// TestTheDeviceOfAnotherIsNobodys shows that a known browser is known for one account.
func TestTheDeviceOfAnotherIsNobodys(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	one, other := w.customer(), w.customer()
	v := w.visitor("192.0.2.94")
	v.login(one)
	v.post("session.end")
	for i := range 12 {
		w.visitor(fmt.Sprintf("198.51.101.%d", i+1)).post("login.enter", "login", other.login, "password", "not the password at all")
	}
	if rec := v.post("login.enter", "login", other.login, "password", other.password); rec.Code != http.StatusTooManyRequests {
		t.Errorf("one's device opens another's locked name: %d", rec.Code)
	}
	devices := w.must(console, "device.list", map[string]any{"account": one.ID}).Output.(login.Devices).Devices
	if len(devices) != 1 {
		t.Errorf("%d devices are known", len(devices))
	}
}

// TestMetricsAskTheDoors has /metrics obey what every other door obeys.
func TestMetricsAskTheDoors(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	get := func(from, bearer string) int {
		r := httptest.NewRequest("GET", "https://panel.example/metrics", nil)
		r.RemoteAddr = from + ":1"
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		return answer(w.web, r).status
	}
	before := w.records()
	for _, c := range []struct {
		from, bearer string
		want         int
	}{
		{"127.0.0.1", "", 200}, {"192.0.2.1", "", 403}, {"192.0.2.1", w.people["administrator"].bearer, 200},
		{"192.0.2.1", w.people["customer"].bearer, 403}, {"192.0.2.1", "hw_nonsense", 403},
	} {
		if got := get(c.from, c.bearer); got != c.want {
			t.Errorf("from %s: %d, want %d", c.from, got, c.want)
		}
	}
	if leaves := w.since(before); len(leaves) < 3 {
		t.Errorf("%d records of refusals", len(leaves))
	}
	if err := os.WriteFile(filepath.Join(w.data, "etc", "panel.ini"), []byte("[api]\nenabled = off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); get("192.0.2.1", w.people["administrator"].bearer) != 403; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("with the API off a token still measures")
		}
	}
}
