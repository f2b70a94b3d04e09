package house

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// TestAPartThatPanicsBeginsAnew has a part of the server fail once: it is told,
// begins again, and ends with its context.
func TestAPartThatPanicsBeginsAnew(t *testing.T) {
	var b bytes.Buffer
	h := &House{Config: Config{Log: slog.New(slog.NewTextHandler(&b, nil))}}
	ctx, stop := context.WithCancel(t.Context())
	turns := 0
	var once sync.Once
	h.always(ctx, "a part", func(ctx context.Context) {
		turns++
		once.Do(func() { panic("the roof") })
		stop()
		<-ctx.Done()
	})
	h.running.Wait()
	if said := b.String(); turns != 2 || !strings.Contains(said, "the roof") || !strings.Contains(said, "TestAPartThatPanics") {
		t.Errorf("%d turns, and the log says %s", turns, said)
	}
}

// TestWhyTheLogStandsStillIsForTheServersLog keeps paths and system errors out of
// what every page shows.
func TestWhyTheLogStandsStillIsForTheServersLog(t *testing.T) {
	var b bytes.Buffer
	h := &House{Config: Config{Log: slog.New(slog.NewTextHandler(&b, nil))}}
	h.sealing(errors.New("open /var/lib/hostward/log/tlog/checkpoint: no space left on device"))
	if why := h.stalled(); why == "" || strings.Contains(why, "/var") || !strings.Contains(b.String(), "no space left") {
		t.Errorf("the page says %q, the log %q", why, b.String())
	}
	if h.sealing(nil); h.stalled() != "" {
		t.Error("it still stands still")
	}
}
