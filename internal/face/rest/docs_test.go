package rest_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestDocsHaveAnAnchorForEveryOperationAndProblem(t *testing.T) {
	p := newPanel(t)
	a := p.send(t, "GET", "/api/v1/docs", "", "Authorization:")
	page := a.Body.String()
	if a.Code != 200 || a.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatal(a.Code, a.Header())
	}
	for _, op := range p.Registry.Ops() {
		if has := strings.Contains(page, `id="`+op.Name+`"`); has == (op.Name == "note.sweep") {
			t.Errorf("%s: anchor %v", op.Name, has)
		}
	}
	for _, code := range []string{"invalid", "stale", "too-large", "unconfirmed"} {
		if !strings.Contains(page, `<tr id="`+code+`">`) {
			t.Errorf("problem %s has no anchor", code)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("nothing is at #%s", m[1])
		}
	}
}

func TestDocsNeedNoScriptAndNothingFromElsewhere(t *testing.T) {
	page := newPanel(t).send(t, "GET", "/api/v1/docs", "").Body.String()
	for _, forbidden := range []string{"<script", " style=", "<style", " src=", "onclick"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	for _, m := range regexp.MustCompile(`<link[^>]*href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "/api/v1/") {
			t.Errorf("the page loads %s", m[1])
		}
	}
}

func TestDocsShowCallsWithCurlAndShell(t *testing.T) {
	page := newPanel(t).send(t, "GET", "/api/v1/docs", "").Body.String()
	for _, want := range []string{
		"curl -X POST",
		"https://panel.example:8443/api/v1/notes/milk/lines",
		"hostward note line add milk second --line-data &#39;and bread&#39;",
		"hostward note delete milk --yes",
		"hostward note edit milk --changes @changes.json",
		"hostward note list --search milk --tags a --tags b",
		"&#39;https://panel.example:8443/api/v1/notes?search=milk&amp;tags=a&amp;tags=b&#39;",
	} {
		if !strings.Contains(strings.ReplaceAll(page, " \\\n  ", " "), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
