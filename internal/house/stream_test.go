package house_test

import (
	"context"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/store/storetest"
)

// TestAStreamEndsWithTheRightOfWhoOpenedIt follows the log with a token and in
// a session, and takes the right away while it is open (SPEC A7). The doors have
// said long ago who it is; only the stream itself can look again.
func TestAStreamEndsWithTheRightOfWhoOpenedIt(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for name, ends := range map[string]func(p *person, a act.Actor){
		"token revoked":    func(_ *person, a act.Actor) { w.must(console, "token.revoke", map[string]any{"token": a.Session}) },
		"session ended":    func(p *person, _ act.Actor) { w.must(p.Actor, "session.end", nil) },
		"account disabled": func(p *person, _ act.Actor) { w.must(console, "account.disable", map[string]any{"account": p.ID}) },
		"account deleted":  func(p *person, _ act.Actor) { w.must(console, "account.delete", map[string]any{"account": p.ID}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := w.guest()
			a := p.Actor
			if name == "token revoked" {
				made := w.must(console, "token.create", map[string]any{"name": "tail", "account": p.ID, "expires_in": 1, "scope": []string{"read"}})
				a.Session, a.Door, a.Grants = fields(made.Output)["id"].(string), "rest", []act.Grant{{Action: "read"}}
			}
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			open, over := make(chan bool, 1), make(chan error, 1)
			go func() {
				over <- w.Bus.Stream(ctx, act.Call{Op: "log.tail", Actor: a}, func(any) error {
					select {
					case open <- true:
					default:
					}
					return nil
				})
			}()
			for sent := false; !sent; {
				_, _ = w.Bus.Do(ctx, act.Call{Op: "log.list", Actor: p.Actor}) // leaves a record to follow
				select {
				case sent = <-open:
				case err := <-over:
					t.Fatalf("the stream ended at once: %v", err)
				default:
				}
			}
			ends(p, a)
			if err := <-over; core.CodeOf(err) != core.Unauthenticated || err == nil {
				t.Errorf("the stream ended with %v, want one that says that the session or token is over", err)
			}
		})
	}
}
