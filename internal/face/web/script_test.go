package web_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func (b *tab) press(keys string) {
	b.t.Helper()
	b.must(chromedp.KeyEvent(keys))
}

// slash presses "/" as a keyboard does: the text comes with the key, so that
// a script that takes the key takes the text too.
func (b *tab) slash() {
	b.t.Helper()
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/", WindowsVirtualKeyCode: 191}
	if _, err := chromedp.Call(b.Context, input.DispatchKeyEvent, down); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.must(chromedp.Navigate(b.p.URL + path))
}

func (b *tab) at(path string) {
	b.t.Helper()
	b.until(`document.readyState === 'complete' && (location.pathname + location.search) === ` + jsString(path))
}

func jsString(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// calm checks what a script may have broken: the policy and the console.
func (b *tab) calm(axe string, where string) {
	b.t.Helper()
	b.shot(where)
	b.check(where, axe)
}

func TestThePanelIsUsedWithoutAMouse(t *testing.T) {
	axe, err := os.ReadFile(needed(t, "axe-core", axeFile()))
	if err != nil {
		t.Fatal(err)
	}
	p := newPanel(t)
	id := p.zone(t, admin, "example.org")
	p.zone(t, admin, "second.example")
	b := openTab(t, p, &admin)
	messages := chromedp.Console(b.Context)
	b.as(looks[0])
	b.open("/")
	b.press(kb.Tab)
	b.until(`document.activeElement.matches('.skip')`)
	b.press("?")
	b.until(`document.querySelector('dialog[open] .shortcuts')`)
	b.calm(string(axe), "keys")
	b.press(kb.Escape)
	b.until(`!document.querySelector('dialog')`)
	b.press("gz")
	b.at("/zones")
	b.press("j")
	b.until(`document.activeElement.textContent === 'example.org'`)
	b.press("jk" + kb.Enter)
	b.at("/zones/" + id)
	b.slash()
	b.until(`document.activeElement.matches('.palette input') && document.querySelector('.palette li')`)
	b.press("second.e")
	b.until(`document.querySelector('.palette li[aria-selected=true] b')?.textContent === 'second.example'`)
	b.calm(string(axe), "palette")
	b.press(kb.Enter)
	b.until(`document.title.startsWith('second.example') && document.readyState === 'complete'`)
	b.must(chromedp.KeyEvent("k", chromedp.KeyModifiers(2)))
	b.until(`document.querySelector('dialog.palette[open]')`)
	b.quiet(messages, func(chromedp.ConsoleMessage) bool { return false })
}

func TestSingleKeysCanBeSwitchedOff(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.open("/zones")
	eval[any](b, `document.querySelector('button[name=keys][value=off]').click(), 1`)
	b.until(`document.documentElement.dataset.keys === 'off' && document.readyState === 'complete'`)
	b.press("?/")
	b.must(chromedp.KeyEvent("k", chromedp.KeyModifiers(2)))
	b.until(`document.querySelector('dialog.palette[open]')`)
	if n := eval[int](b, `document.querySelectorAll('dialog').length`); n != 1 {
		t.Errorf("%d dialogs are open, want only the one of Ctrl-K", n)
	}
}

func TestTheThemeSwitchesAtOnceAndStays(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.as(looks[0])
	b.open("/zones")
	light := eval[string](b, `getComputedStyle(document.body).backgroundColor`)
	eval[any](b, `document.querySelector('form.theme [value=dark]').click(), 1`)
	b.until(`document.documentElement.dataset.theme === 'dark' && getComputedStyle(document.body).backgroundColor !== ` + jsString(light))
	b.until(`performance.getEntriesByName(location.origin + '/look').length`)
	b.open("/log")
	b.until(`document.documentElement.dataset.theme === 'dark'`)
}

func TestASetUpLinksTokenMovesIntoTheFormAndOutOfTheAddress(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, nil)
	b.open("/setup#token=one-time-token")
	b.until(`document.querySelector('[name=token]').value === 'one-time-token' && location.hash === '' && document.activeElement.name === 'login'`)
	b.shot("setup-filled")
}

func TestNewRecordsComeInOnTopAsText(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.as(looks[0])
	b.open("/log")
	before := eval[int](b, `document.querySelector('#rows').rows.length`)
	eval[any](b, `document.querySelector('[data-live]').click(), 1`)
	b.until(`document.querySelector('#rows').rows.length === ` + "3+" + strconv.Itoa(before))
	if got := eval[string](b, `document.querySelector('#rows a').getAttribute('href')`); got != "/log/r_0002" {
		t.Errorf("the newest row leads to %q", got)
	}
}

func TestAFormWarnsBeforeItIsLost(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.open("/zones/new")
	b.must(chromedp.Focus(chromedp.ID("f-zone-create-name")))
	b.press("x")
	if !eval[bool](b, `!dispatchEvent(new Event('beforeunload', {cancelable: true}))`) {
		t.Error("leaving a changed form asks nothing")
	}
}

func TestEverythingWorksWithoutAScript(t *testing.T) {
	axe, err := os.ReadFile(needed(t, "axe-core", axeFile()))
	if err != nil {
		t.Fatal(err)
	}
	p := newPanel(t)
	b := openTab(t, p, nil)
	b.blockScript()
	b.as(looks[2])
	b.open("/zones/new")
	b.fill("login", "margit")
	b.fill("password", "correct horse battery"+kb.Enter)
	b.until(`location.pathname === '/zones/new' && document.querySelector('[name=name]')`)
	b.fill("name", "nodots"+kb.Enter)
	b.until(`document.querySelector('.fault')`)
	b.calm(string(axe), "fault-phone")
	b.must(chromedp.Clear(chromedp.CSS(`[name=name]`)))
	b.fill("name", "no-script.example")
	if !eval[bool](b, `document.querySelector('[data-help]').hidden`) {
		t.Error("our script ran")
	}
	b.must(chromedp.Click(chromedp.CSS(`[value=preview]`)))
	b.until(`document.querySelector('.plan ins')`)
	b.calm(string(axe), "plan-phone")
	b.must(chromedp.Click(chromedp.CSS(`.foot [value=run]`)))
	b.until(`document.querySelector('.note.good')`)
	b.calm(string(axe), "flash-phone")
	b.must(chromedp.Click(chromedp.CSS(`[popovertarget=rail]`)))
	b.until(`document.querySelector('#rail').matches(':popover-open')`)
	b.calm(string(axe), "menu-phone")
	b.must(chromedp.Click(chromedp.CSS(`#rail a[href="/log"]`)))
	b.until(`location.pathname === '/log'`)
}

// blockScript keeps our script from loading. The engine stays on, since axe
// needs it; the test sees to it that nothing of ours ran.
func (b *tab) blockScript() {
	b.t.Helper()
	if _, err := chromedp.Call(b.Context, network.Enable, network.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	block := network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/asset/app.*.js", Block: true}}}
	if _, err := chromedp.Call(b.Context, network.SetBlockedURLs, block); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) fill(name, text string) {
	b.t.Helper()
	b.must(chromedp.SendKeys(chromedp.CSS(`[name=`+name+`]`), text))
}

func TestDangerIsAccessibleToo(t *testing.T) {
	axe, err := os.ReadFile(needed(t, "axe-core", axeFile()))
	if err != nil {
		t.Fatal(err)
	}
	p := newPanel(t)
	id := p.zone(t, admin, "example.org", record{"www", "A", 300, "192.0.2.80"})
	b := openTab(t, p, &admin)
	for _, l := range looks[:3] {
		b.as(l)
		b.open("/do/zone.delete?_fixed=zone&_next=/zones&zone=" + id)
		b.calm(string(axe), "danger-"+l.name)
		b.open("/do/token.mint")
		b.fill("label", "ci"+kb.Enter)
		b.until(`document.querySelector('.once')`)
		b.calm(string(axe), "once-"+l.name)
		b.open("/zones")
		b.must(chromedp.Click(chromedp.CSS(`[popovertarget=me]`)))
		b.until(`document.querySelector('#me').matches(':popover-open')`)
		b.calm(string(axe), "me-"+l.name)
	}
}
