package house_test

import (
	"net/http/httptest"
	"testing"

	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// TestEveryPageIsAccessibleInChromium crawls the real panel, as an
// administrator and as a customer, light, dark and on a phone: axe-core, the
// content security policy and layout shifts find nothing (SPEC Q1).
func TestEveryPageIsAccessibleInChromium(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.zone()
	server := httptest.NewTLSServer(w.web)
	defer server.Close()
	for who, least := range map[string]int{"administrator": 15, "customer": 8} {
		t.Run(who, func(t *testing.T) {
			b := webtest.Open(t, server.URL)
			b.Session(w.people[who].cookie)
			if seen := b.Crawl("/", 40); len(seen) < least {
				t.Errorf("only %d pages were found: %v", len(seen), seen)
			}
		})
	}
}
