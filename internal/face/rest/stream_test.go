package rest_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAStreamIsLinesEventsOrText(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "first")
	p.send(t, "POST", "/api/v1/notes/a/lines", `{"line":"x","data":"<y>"}`).ok()
	for _, c := range []struct{ target, accept, contentType, body string }{
		{"/api/v1/note/tail?count=2", "", "application/jsonl", "{\"n\":0,\"text\":\"tick\"}\n{\"n\":1,\"text\":\"tick\"}\n"},
		{"/api/v1/note/tail?count=1", "application/json, text/event-stream;q=0.9", "text/event-stream", "data: {\"n\":0,\"text\":\"tick\"}\n\n"},
		{"/api/v1/notes/a/print", "", "application/jsonl", "\"first\"\n\"x: <y>\"\n"},
		{"/api/v1/notes/a/print", "text/plain", "text/plain; charset=utf-8", "first\nx: <y>\n"},
	} {
		a := p.send(t, "GET", c.target, "", "Accept: "+c.accept)
		if a.Code != 200 || a.Header().Get("Content-Type") != c.contentType || a.Body.String() != c.body {
			t.Errorf("%s as %q: %d %q %q", c.target, c.accept, a.Code, a.Header().Get("Content-Type"), a.Body)
		}
	}
	if leaves := p.Records(t); !strings.Contains(leaves[len(leaves)-1], "closed after 2 items") {
		t.Errorf("the end of the stream is not on record: %s", leaves[len(leaves)-1])
	}
}

func TestAStreamThatIsRefusedOrBreaks(t *testing.T) {
	p := newPanel(t)
	p.send(t, "GET", "/api/v1/note/tail?count=many", "").problem(422, "invalid")
	p.send(t, "GET", "/api/v1/notes/nothing/print", "").problem(404, "not-found")
	p.send(t, "GET", "/api/v1/note/tail?count=1", "", "Authorization:").problem(401, "unauthenticated")
	p.send(t, "GET", "/api/v1/note/tail?fail=unavailable&count=0", "").problem(503, "unavailable")
	a := p.send(t, "GET", "/api/v1/note/tail?count=1&fail=denied", "")
	lines := strings.Split(a.Body.String(), "\n")
	if a.Code != 200 || len(lines) != 3 || !strings.HasPrefix(lines[1], `{"problem":{"type":"/api/v1/docs#denied"`) || strings.Contains(a.Body.String(), "secret of the operator") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	a = p.send(t, "GET", "/api/v1/note/tail?count=1&fail=denied", "", "Accept: text/event-stream")
	if !strings.Contains(a.Body.String(), "\n\nevent: problem\ndata: {\"problem\"") {
		t.Errorf("%s", a.Body)
	}
}

func TestAQuietStreamIsSeenToBeOpenAndEndsWithItsReader(t *testing.T) {
	p := newPanel(t)
	server := httptest.NewServer(p)
	defer server.Close()
	ctx, leave := context.WithTimeout(t.Context(), 30*time.Second)
	defer leave()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/note/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer admin")
	res, err := http.DefaultClient.Do(r) // returns with the header, although no item ever comes
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/jsonl" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	leave()
	if bufio.NewScanner(res.Body).Scan() {
		t.Error("an item came from nowhere")
	}
	res.Body.Close()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.Last(t), "closed after 0 items"); {
		if time.Now().After(deadline) {
			t.Fatalf("the end is not on record: %s", p.Last(t))
		}
		time.Sleep(5 * time.Millisecond) // between looks at the condition
	}
}
