package web_test

import (
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hostward/internal/face/web/webtest"
)

// slash presses "/" as a keyboard does: the text comes with the key, so that
// a script that takes the key takes the text too.
func (b *tab) slash() {
	b.T.Helper()
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/", WindowsVirtualKeyCode: 191}
	if _, err := chromedp.Call(b.Context, input.DispatchKeyEvent, down); err != nil {
		b.T.Fatal(err)
	}
}

func TestThePanelIsUsedWithoutAMouse(t *testing.T) {
	p := newPanel(t)
	id := p.zone(t, admin, "example.org")
	p.zone(t, admin, "second.example")
	b := openTab(t, p, &admin)
	messages := b.Console()
	b.As(webtest.Light)
	b.Open("/")
	b.Press(kb.Tab)
	b.Until(`document.activeElement.matches('.skip')`)
	b.Press("?")
	b.Until(`document.querySelector('dialog[open] .shortcuts')`)
	b.Check("keys")
	b.Press(kb.Escape)
	b.Until(`!document.querySelector('dialog')`)
	b.Press("gz")
	b.at("/zones")
	b.Press("j")
	b.Until(`document.activeElement.textContent === 'example.org'`)
	b.Press("jk" + kb.Enter)
	b.at("/zones/" + id)
	b.slash()
	b.Until(`document.activeElement.matches('.palette input') && document.querySelector('.palette li')`)
	b.Press("second.e")
	b.Until(`document.querySelector('.palette li[aria-selected=true] b')?.textContent === 'second.example'`)
	b.Check("palette")
	b.Press(kb.Enter)
	b.Until(`document.title.startsWith('second.example') && document.readyState === 'complete'`)
	b.Must(chromedp.KeyEvent("k", chromedp.KeyModifiers(2)))
	b.Until(`document.querySelector('dialog.palette[open]')`)
	b.Quiet(messages)
}

func TestSingleKeysCanBeSwitchedOff(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.Open("/zones")
	webtest.Eval[any](b.Tab, `document.querySelector('button[name=keys][value=off]').click(), 1`)
	b.Until(`document.documentElement.dataset.keys === 'off' && document.readyState === 'complete'`)
	b.Press("?/")
	b.Must(chromedp.KeyEvent("k", chromedp.KeyModifiers(2)))
	b.Until(`document.querySelector('dialog.palette[open]')`)
	if n := webtest.Eval[int](b.Tab, `document.querySelectorAll('dialog').length`); n != 1 {
		t.Errorf("%d dialogs are open, want only the one of Ctrl-K", n)
	}
}

func TestTheThemeSwitchesAtOnceAndStays(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.As(webtest.Light)
	b.Open("/zones")
	light := webtest.Eval[string](b.Tab, `getComputedStyle(document.body).backgroundColor`)
	webtest.Eval[any](b.Tab, `document.querySelector('form.theme [value=dark]').click(), 1`)
	b.Until(`document.documentElement.dataset.theme === 'dark' && getComputedStyle(document.body).backgroundColor !== '` + light + `'`)
	b.Until(`performance.getEntriesByName(location.origin + '/look').length`)
	b.Open("/log")
	b.Until(`document.documentElement.dataset.theme === 'dark'`)
}

func TestASetUpLinksTokenMovesIntoTheFormAndOutOfTheAddress(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, nil)
	b.Open("/setup#token=one-time-token")
	b.Until(`document.querySelector('[name=token]').value === 'one-time-token' && location.hash === '' && document.activeElement.name === 'login'`)
	b.Shot("setup-filled")
}

func TestNewRecordsComeInOnTopAsText(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.As(webtest.Light)
	b.Open("/log")
	before := webtest.Eval[int](b.Tab, `document.querySelector('#rows').rows.length`)
	webtest.Eval[any](b.Tab, `document.querySelector('[data-live]').click(), 1`)
	b.Until(`document.querySelector('#rows').rows.length === ` + "3+" + strconv.Itoa(before))
	if got := webtest.Eval[string](b.Tab, `document.querySelector('#rows a').getAttribute('href')`); got != "/log/r_0002" {
		t.Errorf("the newest row leads to %q", got)
	}
}

func TestAFormWarnsBeforeItIsLost(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	b.Open("/zones/new")
	b.Must(chromedp.Focus(chromedp.ID("f-zone-create-name")))
	b.Press("x")
	if !webtest.Eval[bool](b.Tab, `!dispatchEvent(new Event('beforeunload', {cancelable: true}))`) {
		t.Error("leaving a changed form asks nothing")
	}
}

func TestEverythingWorksWithoutAScript(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, nil)
	b.blockScript()
	b.As(webtest.Phone)
	b.Open("/zones/new")
	b.Fill("login", "margit")
	b.Fill("password", "correct horse battery"+kb.Enter)
	b.Until(`location.pathname === '/zones/new' && document.querySelector('[name=name]')`)
	b.Fill("name", "nodots"+kb.Enter)
	b.Until(`document.querySelector('.fault')`)
	b.Check("fault-phone")
	b.Must(chromedp.Clear(chromedp.CSS(`[name=name]`)))
	b.Fill("name", "no-script.example")
	if !webtest.Eval[bool](b.Tab, `document.querySelector('[data-help]').hidden`) {
		t.Error("our script ran")
	}
	b.Click(`[value=preview]`)
	b.Until(`document.querySelector('.plan ins')`)
	b.Check("plan-phone")
	b.Click(`.foot [value=run]`)
	b.Until(`document.querySelector('.note.good')`)
	b.Check("flash-phone")
	b.Click(`[popovertarget=rail]`)
	b.Until(`document.querySelector('#rail').matches(':popover-open')`)
	b.Check("menu-phone")
	b.Click(`#rail a[href="/log"]`)
	b.Until(`location.pathname === '/log'`)
}

// blockScript keeps our script from loading. The engine stays on, since axe
// needs it; the test sees to it that nothing of ours ran.
func (b *tab) blockScript() {
	b.T.Helper()
	if _, err := chromedp.Call(b.Context, network.Enable, network.EnableParams{}); err != nil {
		b.T.Fatal(err)
	}
	block := network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/asset/app.*.js", Block: true}}}
	if _, err := chromedp.Call(b.Context, network.SetBlockedURLs, block); err != nil {
		b.T.Fatal(err)
	}
}

func TestDangerIsAccessibleToo(t *testing.T) {
	p := newPanel(t)
	id := p.zone(t, admin, "example.org", record{"www", "A", 300, "192.0.2.80"})
	b := openTab(t, p, &admin)
	for _, l := range webtest.Looks() {
		b.As(l)
		b.Open("/do/zone.delete?_fixed=zone&_next=/zones&zone=" + id)
		b.Check("danger-" + l.Name)
		b.Open("/do/token.mint")
		b.Fill("label", "ci"+kb.Enter)
		b.Until(`document.querySelector('.once')`)
		b.Check("once-" + l.Name)
		b.Open("/zones")
		b.Click(`[popovertarget=me]`)
		b.Until(`document.querySelector('#me').matches(':popover-open')`)
		b.Check("me-" + l.Name)
	}
}
