// Package webtest looks at the panel with a real browser. It is used by the
// tests of the face, which have pages of their own, and by the tests of the
// house, which have every page of every feature.
//
// It needs Debian's chromium and axe-core from npm. Where one is missing a
// test is skipped; with CI=true or HOSTWARD_TEST_FULL=1 it fails.
package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// watcher notes every breach of the policy and every shift of the layout
// before a page's own scripts run.
const watcher = `window.__breaches = []; window.__shift = 0; window.__shifted = [];
addEventListener('securitypolicyviolation', e => __breaches.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) { __shift += e.value; e.sources.forEach(s => __shifted.push(s.node?.outerHTML?.slice(0, 120) ?? s.node?.nodeValue)); } })).observe({ type: 'layout-shift', buffered: true });`

// rules are what axe-core checks: WCAG 2.2 A and AA, and its good practices.
const rules = `{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}`

const axeVersion = "4.14.1"

// patience bounds each step: a browser that hangs fails its test, not the run.
const patience = 30 * time.Second

// mostShift is a tenth of what counts as good: on a busy machine a page is painted
// while it arrives, and the columns of a table settle with its rows.
const mostShift = 0.01

// Look is one way a page can be seen.
type Look struct {
	Name          string
	Width, Height int64
	Dark, Phone   bool
}

// Light, Dark and Phone are the looks that every page is tested in.
var (
	Light = Look{"light", 1440, 900, false, false}
	Dark  = Look{"dark", 1440, 900, true, false}
	Phone = Look{"phone", 390, 844, false, true}
)

// Looks returns all of them.
func Looks() []Look { return []Look{Light, Dark, Phone} }

// Tab is one page of a browser, with a clean profile. It is a chromedp context.
type Tab struct {
	context.Context
	T    testing.TB
	Base string // "https://127.0.0.1:1234"
	axe  string
}

// Open starts a browser that trusts any certificate and closes it with the test.
func Open(t testing.TB, base string) *Tab {
	t.Helper()
	exe := chromium(t)
	axe, err := os.ReadFile(axeFile(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.UserDataDir(t.TempDir()))...)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel(); stop() })
	if err := chromedp.Do(ctx); err != nil { // starts it, with a life as long as the test's
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watcher}); err != nil {
		t.Fatal(err)
	}
	return &Tab{ctx, t, base, string(axe)}
}

// Session logs the tab in with the token of a session.
func (b *Tab) Session(token string) {
	b.T.Helper()
	_, err := chromedp.Call(b.Context, network.SetCookie, network.SetCookieParams{Name: "__Host-session", Value: token,
		URL: b.Base, Path: "/", Secure: new(true), HTTPOnly: new(true), SameSite: network.CookieSameSiteStrict})
	if err != nil {
		b.T.Fatal(err)
	}
}

func chromium(t testing.TB) string {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "chromium")
	}
	return exe
}

// axeFile is what $AXE_CORE names, or what make test keeps in the project's cache.
func axeFile(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("AXE_CORE"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if p := filepath.Join(dir, ".cache", "axe-core-"+axeVersion, "axe.min.js"); exists(p) {
			return p
		}
		dir = filepath.Dir(dir)
	}
	missing(t, "axe-core "+axeVersion)
	return ""
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
		t.Fatalf("%s is missing (make deps fetches it)", what)
	}
	t.Skipf("%s is missing (make deps fetches it)", what)
}

// Must runs steps.
func (b *Tab) Must(steps ...chromedp.Action[chromedp.Void]) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Context, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.T.Fatal(err)
	}
}

// Open goes to a page of the panel.
func (b *Tab) Open(path string) {
	b.T.Helper()
	b.Must(chromedp.Navigate(b.Base + path))
}

// Press types keys into whatever has the focus.
func (b *Tab) Press(keys string) {
	b.T.Helper()
	b.Must(chromedp.KeyEvent(keys))
}

// Fill types into the field of that name.
func (b *Tab) Fill(name, text string) {
	b.T.Helper()
	b.Must(chromedp.SendKeys(chromedp.CSS(`[name="`+name+`"]`), text))
}

// Click clicks what the selector finds first.
func (b *Tab) Click(selector string) {
	b.T.Helper()
	b.Must(chromedp.Click(chromedp.CSS(selector)))
}

// Eval returns what a script answers in the page.
func Eval[T any](b *Tab, js string) T {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Context, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.T.Fatalf("%.200s: %v", js, err)
	}
	return v
}

// Until waits for a condition in the page, also across a navigation, in which
// every evaluation fails for a moment.
func (b *Tab) Until(js string) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Context, patience)
	defer cancel()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			here, _ := chromedp.Run(b.Context, chromedp.Evaluate[string]("location.href + ' ' + document.querySelector('main')?.innerText.slice(0, 300)"))
			b.T.Fatalf("waiting for %s at %s: %v", js, here, err)
		case <-tick.C:
		}
	}
}

// As sets window size and colour scheme.
func (b *Tab) As(l Look) {
	b.T.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[l.Dark]
	opts := []chromedp.EmulateViewportOption{chromedp.EmulateScale(1)}
	if l.Phone {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	b.Must(chromedp.EmulateViewport(l.Width, l.Height, opts...))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, media); err != nil {
		b.T.Fatal(err)
	}
}

// Shot keeps a picture when HOSTWARD_SHOTS names a folder.
func (b *Tab) Shot(name string) {
	b.T.Helper()
	dir := os.Getenv("HOSTWARD_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.Context, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.T.Error(err)
	}
}

// Visit opens a page in every look and checks it.
func (b *Tab) Visit(name, path string) {
	b.T.Helper()
	for _, l := range Looks() {
		b.As(l)
		b.Open(path)
		b.Check(name + "-" + l.Name)
	}
}

// Check takes a picture of the page as it is and fails on any finding of
// axe-core, breach of the policy, shift of the layout, or page wider than its
// window.
func (b *Tab) Check(where string) {
	b.T.Helper()
	b.Shot(where)
	if breaches := Eval[[]string](b, `__breaches`); len(breaches) > 0 {
		b.T.Errorf("%s: the policy was broken: %q", where, breaches)
	}
	if shift := Eval[float64](b, `__shift`); shift > mostShift {
		b.T.Errorf("%s: the layout shifted by %.3f: %q", where, shift, Eval[[]string](b, `__shifted`))
	}
	if wide := Eval[float64](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		b.T.Errorf("%s: the page is %g px wider than its window", where, wide)
	}
	for _, f := range b.findings() {
		b.T.Errorf("%s: axe: %s", where, f)
	}
}

func (b *Tab) findings() []string {
	b.T.Helper()
	raw := Eval[json.RawMessage](b, b.axe+`;axe.run(document, `+rules+`).then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' +
		v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + ([...n.any, ...n.all][0]?.message ?? '')).join(' | ')))`)
	var found []string
	if err := json.Unmarshal(raw, &found); err != nil {
		b.T.Fatal(err)
	}
	return found
}

// Console subscribes to the console; call it before the first page.
func (b *Tab) Console() iter.Seq2[chromedp.ConsoleMessage, error] { return chromedp.Console(b.Context) }

// Quiet fails on every warning and error of the console that holds none of
// the texts.
func (b *Tab) Quiet(messages iter.Seq2[chromedp.ConsoleMessage, error], but ...string) {
	b.T.Helper()
	const end = "hostward: end of the test"
	Eval[bool](b, fmt.Sprintf("console.log(%q), true", end))
	for m, err := range messages {
		switch {
		case err != nil:
			b.T.Fatal(err)
		case m.Text == end:
			return
		case m.Type != "log" && m.Type != "debug" && m.Type != "info" && !anyIn(m.Text, but):
			b.T.Errorf("console %s: %s %s", m.Type, m.Text, m.URL)
		}
	}
}

func anyIn(text string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// Crawl visits start and every page of the panel that is linked from it, each
// kind of object once, at most so many, in every look. It returns their paths.
func (b *Tab) Crawl(start string, most int) []string {
	b.T.Helper()
	var seen []string
	for queue := []string{start}; len(queue) > 0 && len(seen) < most; queue = queue[1:] {
		if path := queue[0]; !slices.ContainsFunc(seen, func(s string) bool { return kind(s) == kind(path) }) {
			seen = append(seen, path)
			b.Visit(strings.Trim(nameless.ReplaceAllString(kind(path), "-"), "-"), path)
			queue = append(queue, Eval[[]string](b, `[...document.querySelectorAll('a[href^="/"]')].map(a => a.getAttribute('href')).filter(h => !h.startsWith('/download'))`)...)
		}
	}
	return seen
}

var (
	ids      = regexp.MustCompile(`[a-z]+_[0-9a-z]{26}`)
	values   = regexp.MustCompile(`=[^&]*`)
	nameless = regexp.MustCompile(`[^a-z0-9.]+`)
)

// kind is a path without what makes it one of many.
func kind(path string) string {
	return values.ReplaceAllString(ids.ReplaceAllString(path, "id"), "")
}
