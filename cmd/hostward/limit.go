package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// limited is a log that takes so many records a minute and counts the rest: what
// strangers do to a TLS listener must not fill the disk.
type limited struct {
	slog.Handler
	most  int
	state *minute
}

type minute struct {
	mu     sync.Mutex
	began  time.Time
	passed int
	held   int
}

func newLimited(h slog.Handler, most int) *limited { return &limited{h, most, &minute{}} }

// Handle passes a record on, unless the minute is full. The first record of the
// next minute says how many were held back.
func (l *limited) Handle(ctx context.Context, r slog.Record) error {
	held, ok := l.state.take(r.Time, l.most)
	if held > 0 {
		n := slog.NewRecord(r.Time, r.Level, "more of the same were not written", 0)
		n.AddAttrs(slog.Int("records", held))
		if err := l.Handler.Handle(ctx, n); err != nil {
			return err
		}
	}
	if !ok {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

func (m *minute) take(now time.Time, most int) (held int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.began) >= time.Minute {
		held, m.held, m.passed, m.began = m.held, 0, 0, now
	}
	if m.passed >= most {
		m.held++
		return held, false
	}
	m.passed++
	return held, true
}

// WithAttrs and WithGroup keep the count.
func (l *limited) WithAttrs(a []slog.Attr) slog.Handler {
	return &limited{l.Handler.WithAttrs(a), l.most, l.state}
}

// WithGroup implements slog.Handler.
func (l *limited) WithGroup(name string) slog.Handler {
	return &limited{l.Handler.WithGroup(name), l.most, l.state}
}
