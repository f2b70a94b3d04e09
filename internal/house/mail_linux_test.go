package house_test

import (
	"io"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/adapter/smtp/smtptest"
	"hostward/internal/store/storetest"
)

func mailing(server string) []string {
	return []string{"[panel]", "url = https://panel.example.org:8443", "[mail]", "server = " + server, "tls = none", "from = hostward@example.org"}
}

func body(t *testing.T, m *mail.Message) string {
	t.Helper()
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var linkForm = regexp.MustCompile(`https://panel\.example\.org:8443/setup#token=([a-z2-7]+)`)

// TestRecoveryByMail asks for a new password as a stranger does, and follows the
// letter from a real mail server. The link is nowhere but in the letter, and works
// once (SPEC A4).
func TestRecoveryByMail(t *testing.T) {
	p := smtptest.Start(t, "")
	w := emptyWorld(t, storetest.SQLite(t), mailing(p.Plain)...)
	w.populate()
	anna := w.customer()
	w.must(console, "account.update", map[string]any{"account": anna.ID, "email": "anna@example.org"})
	if m := p.Arrived("anna"); !strings.Contains(m.Header.Get("Subject"), "e-mail address was changed") {
		t.Errorf("the first letter is about %q", m.Header.Get("Subject"))
	}
	v := w.visitor("192.0.2.40")
	if page := v.get("/login").Body.String(); !strings.Contains(page, `href="/forgot"`) {
		t.Error("the log-in page does not say that a link can be had by mail")
	}
	answers := map[string]string{}
	for _, name := range []string{anna.login, "nobody-has-this-name"} {
		rec := v.post("login.forgot", "login", name, "_next", "/forgot?sent=yes")
		answers[name] = rec.Header().Get("Location") + stripped(rec.Body.String())
	}
	if answers[anna.login] != answers["nobody-has-this-name"] {
		t.Error("a name that exists is told from one that does not")
	}
	m := p.Arrived("anna")
	text := body(t, m)
	found := linkForm.FindStringSubmatch(text)
	if found == nil || m.Header.Get("Auto-Submitted") != "auto-generated" || strings.Contains(text, anna.login) {
		t.Fatalf("the letter says %s", text)
	}
	if where := holds(w.kept(), found[1]); where != nil {
		t.Errorf("the token of the letter is in %v", where)
	}
	if rec := v.post("login.claim", "token", found[1], "password", "eleven brown hens under a ladder"); rec.Code != 303 {
		t.Fatalf("claiming: %d %.300s", rec.Code, rec.Body)
	}
	if rec := v.post("login.claim", "token", found[1], "password", "twelve brown hens under a ladder"); rec.Code < 400 {
		t.Errorf("claiming twice: %d", rec.Code)
	}
	if m := p.Arrived("anna"); !strings.Contains(m.Header.Get("Subject"), "password was set") {
		t.Errorf("after claiming the letter is about %q", m.Header.Get("Subject"))
	}
	w.outbox(t, 0)
}

// outbox waits until so many letters wait.
func (w *world) outbox(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := len(w.ids(t, "letter"))
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d letters wait, want %d", n, want)
		}
	}
}

// ids are the objects of a kind that there are.
func (w *world) ids(t *testing.T, kind string) (all []string) {
	t.Helper()
	err := w.Bus.Look(t.Context(), "test", func(v *act.View) (err error) {
		all, err = must1(w.Registry.Kind(kind)).IDs(t.Context(), v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestALetterWaitsForItsServer has the mail server away at first, then refuse for a
// while, and a letter that nobody will ever take.
func TestALetterWaitsForItsServer(t *testing.T) {
	p := smtptest.Start(t, "")
	w := emptyWorld(t, storetest.SQLite(t), mailing("127.0.0.1:1")...)
	w.populate()
	anna := w.customer()
	before := w.records()
	w.must(console, "account.update", map[string]any{"account": anna.ID, "email": "anna@example.org"})
	w.until(t, func() bool { return strings.Contains(strings.Join(w.since(before), ""), `"letter.failed"`) })
	path := filepath.Join(w.data, "etc", "panel.ini")
	if err := os.WriteFile(path, []byte(strings.Join(mailing(p.Plain), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	w.until(t, func() bool { // another letter wakes the worker, which then takes the first along
		w.pass(10 * time.Minute)
		w.must(console, "account.update", map[string]any{"account": w.customer().ID, "email": "nobody@example.org"})
		return len(must2(filepath.Glob(filepath.Join(p.Dir, "mail", "anna", "new", "*")))) > 0
	})
	w.until(t, func() bool { return strings.Contains(strings.Join(w.since(before), ""), `"letter.dropped"`) })
	if all := strings.Join(w.since(before), ""); !strings.Contains(all, `"letter.sent"`) || !strings.Contains(all, "550 5.1.1") {
		t.Error("the log does not say how it went")
	}
}

func must2[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func (w *world) until(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			var letters []string
			for _, l := range w.since(0) {
				if strings.Contains(l, "letter.") {
					letters = append(letters, l)
				}
			}
			t.Fatalf("waited in vain; of letters the log says: %s", strings.Join(letters, "\n"))
		}
	}
}
