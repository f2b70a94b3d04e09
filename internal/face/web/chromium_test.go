package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"hostward/internal/act"
)

// watcher notes every breach of the policy and every shift of the layout
// before a page's own scripts run.
const watcher = `window.__breaches = []; window.__shift = 0;
addEventListener('securitypolicyviolation', e => __breaches.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) __shift += e.value; })).observe({ type: 'layout-shift', buffered: true });`

// needed returns what the test cannot do without. In CI its absence is a failure.
func needed(t *testing.T, what, path string) string {
	t.Helper()
	if path != "" {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
		t.Fatalf("%s is missing (make test fetches it)", what)
	}
	t.Skipf("%s is missing (make test fetches it)", what)
	return ""
}

// axeFile is where axe-core 4.14.1 from npm is kept: $HOSTWARD_AXE, or the
// project's cache folder that make test fills.
func axeFile() string {
	if p := os.Getenv("HOSTWARD_AXE"); p != "" {
		return p
	}
	return filepath.Join("..", "..", "..", ".cache", "axe-core", "package", "axe.min.js")
}

// tab is one page of a real browser, logged in.
type tab struct {
	context.Context
	t *testing.T
	p *panel
}

func openTab(t *testing.T, p *panel, who *act.Actor) *tab {
	t.Helper()
	exe := needed(t, "chromium", "chromium")
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("font-render-hinting", "none"), chromedp.UserDataDir(t.TempDir()))...)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel(); stop() })
	b := &tab{ctx, t, p}
	if err := chromedp.Do(ctx); err != nil { // starts it, with a life as long as the test's
		t.Fatal(err)
	}
	b.must(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watcher})
		return err
	}))
	if who != nil {
		b.logIn(who)
	}
	return b
}

func (b *tab) logIn(who *act.Actor) {
	b.t.Helper()
	_, err := chromedp.Call(b.Context, network.SetCookie, network.SetCookieParams{Name: "__Host-session", Value: b.p.sessions.open(*who).Reveal(),
		URL: b.p.URL, Path: "/", Secure: new(true), HTTPOnly: new(true), SameSite: network.CookieSameSiteStrict})
	if err != nil {
		b.t.Fatal(err)
	}
}

// patience bounds each step: a browser that hangs fails its test, not the run.
const patience = 30 * time.Second

func (b *tab) must(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func eval[T any](b *tab, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for a condition in the page, also across a navigation, in which
// every evaluation fails for a moment.
func (b *tab) until(js string) {
	b.t.Helper()
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
			b.t.Fatalf("waiting for %s at %s: %v", js, here, err)
		case <-tick.C:
		}
	}
}

// look is one way a page can be seen.
type look struct {
	name          string
	width, height int64
	dark, phone   bool
}

var looks = []look{{"light", 1440, 900, false, false}, {"dark", 1440, 900, true, false}, {"phone", 390, 844, false, true}}

func (b *tab) as(l look) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[l.dark]
	opts := []chromedp.EmulateViewportOption{chromedp.EmulateScale(1)}
	if l.phone {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	b.must(chromedp.EmulateViewport(l.width, l.height, opts...))
	if _, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.t.Fatal(err)
	}
}

// shot keeps a picture when HOSTWARD_SHOTS names a folder.
func (b *tab) shot(name string) {
	dir := os.Getenv("HOSTWARD_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.Context, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

type stop struct{ name, path string }

// stops are the pages that every look is tested on.
func (p *panel) stops(t *testing.T) []stop {
	id := p.zone(t, admin, "example.org", record{"@", "MX", 0, "10 mail.example.org."}, record{"www", "A", 300, "192.0.2.80"},
		record{"_dmarc", "TXT", 0, strings.Repeat("v=DMARC1; p=reject; ", 12)}, record{"<script>alert(1)</script>", "TXT", 0, `"><img src=x onerror=alert(1)>`})
	for i := range 70 {
		p.zone(t, admin, fmt.Sprintf("%s%d.example", []string{"bakery", "north-sea-charters", "kita", "atelier", "xn--mnchen-3ya"}[i%5], i), make([]record, 0)...)
	}
	return []stop{{"overview", "/"}, {"zones", "/zones"}, {"zone", "/zones/" + id}, {"new", "/zones/new"}, {"log", "/log"}, {"record", "/log/r_1"}, {"empty", "/empty"},
		{"tasks", "/tasks"}, {"do", "/do/zone.create"}, {"delete", "/do/zone.delete?zone=" + id + "&_next=/zones"}, {"query", "/do/zone.list?most=10"}, {"search", "/search?q=exam"}, {"nothing", "/search?q=zzz"}, {"missing", "/nowhere"}}
}

func TestEveryPageIsAccessibleAndKeepsThePolicyInEveryLook(t *testing.T) {
	axe, err := os.ReadFile(needed(t, "axe-core", axeFile()))
	if err != nil {
		t.Fatal(err)
	}
	p := newPanel(t)
	b := openTab(t, p, &admin)
	messages := chromedp.Console(b.Context)
	stops := p.stops(t)
	for _, l := range looks {
		b.as(l)
		for _, s := range stops {
			b.visit(s, l, string(axe))
		}
	}
	b.quiet(messages, func(m chromedp.ConsoleMessage) bool { return strings.Contains(m.Text, "404") }) // the page that is missing
}

func TestThePagesOfTheWayInAreAccessible(t *testing.T) {
	axe, err := os.ReadFile(needed(t, "axe-core", axeFile()))
	if err != nil {
		t.Fatal(err)
	}
	p := newPanel(t)
	b := openTab(t, p, nil)
	for _, l := range looks {
		b.as(l)
		b.visit(stop{"login", "/login"}, l, string(axe))
		b.visit(stop{"setup", "/setup"}, l, string(axe))
	}
}

func (b *tab) visit(s stop, l look, axe string) {
	b.t.Helper()
	b.must(chromedp.Navigate(b.p.URL + s.path))
	b.shot(s.name + "-" + l.name)
	b.check(s.name+" "+l.name, axe)
}

// check fails on any finding of axe-core, breach of the policy, shift of the
// layout, or page that is wider than its window.
func (b *tab) check(where, axe string) {
	b.t.Helper()
	if breaches := eval[[]string](b, `__breaches`); len(breaches) > 0 {
		b.t.Errorf("%s: the policy was broken: %q", where, breaches)
	}
	if shift := eval[float64](b, `__shift`); shift > 0.001 {
		b.t.Errorf("%s: the layout shifted by %.3f", where, shift)
	}
	if wide := eval[float64](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		b.t.Errorf("%s: the page is %g px wider than its window", where, wide)
	}
	for _, f := range b.axe(axe) {
		b.t.Errorf("%s: axe: %s", where, f)
	}
}

func (b *tab) axe(script string) []string {
	b.t.Helper()
	raw := eval[json.RawMessage](b, script+`;axe.run(document, {resultTypes:['violations'], runOnly:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}).then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? '')).join(' | ')))`)
	var found []string
	if err := json.Unmarshal(raw, &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}

// quiet fails on warnings and errors of the console.
func (b *tab) quiet(messages func(func(chromedp.ConsoleMessage, error) bool), but func(chromedp.ConsoleMessage) bool) {
	b.t.Helper()
	const end = "hostward: end of the test"
	eval[any](b, `console.log(`+fmt.Sprintf("%q", end)+`), 1`)
	for m, err := range messages {
		if err != nil {
			b.t.Fatal(err)
		}
		if m.Text == end {
			return
		}
		if m.Type != "log" && m.Type != "debug" && m.Type != "info" && !but(m) {
			b.t.Errorf("console %s: %s %s", m.Type, m.Text, m.URL)
		}
	}
}
