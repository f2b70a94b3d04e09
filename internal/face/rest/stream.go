package rest

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// greet is how long a stream may take to be refused; then its header goes
	// out, so that a quiet tail is seen to be open.
	greet = 300 * time.Millisecond
	// patience is how long a reader may take for one item.
	patience = 30 * time.Second
	// pulse keeps an event stream alive through proxies.
	pulse = 20 * time.Second
)

// flow writes a stream. The pulse and the items come from two goroutines.
type flow struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	form    string // its content type
	begun   bool
}

func (x *exchange) stream() {
	f := &flow{w: x.w, control: http.NewResponseController(x.w), form: form(x.r.Header.Get("Accept"))}
	ctx, stop := context.WithCancel(x.r.Context())
	var pulses sync.WaitGroup
	pulses.Go(func() { f.keep(ctx) })
	err := x.h.Bus.Stream(ctx, x.call, f.send)
	stop()
	pulses.Wait()
	switch {
	case err != nil && !f.begun:
		x.fail(err, "")
	case err != nil && x.r.Context().Err() == nil:
		_ = f.emit("problem", map[string]any{"problem": problem(err, "")})
	default:
		f.head()
	}
}

// form is the first of the accepted types that streams have.
func form(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		t, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if t == events || t == plain {
			return t
		}
	}
	return "application/jsonl"
}

const (
	events = "text/event-stream"
	plain  = "text/plain"
)

// keep opens the stream when nobody refused it in time, then beats.
func (f *flow) keep(ctx context.Context) {
	after := time.NewTimer(greet)
	defer after.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-after.C:
			if f.beat() != nil {
				return
			}
			after.Reset(pulse)
		}
	}
}

func (f *flow) beat() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun && f.form == events {
		return f.write([]byte(": still here\n\n"))
	}
	f.begin()
	return f.control.Flush()
}

// head sends the header of a stream without items.
func (f *flow) head() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin()
	_ = f.control.Flush()
}

func (f *flow) begin() {
	if f.begun {
		return
	}
	f.begun = true
	f.w.Header().Set("Content-Type", strings.Replace(f.form, plain, plain+"; charset=utf-8", 1))
	f.w.Header().Set("X-Accel-Buffering", "no")
	f.w.WriteHeader(http.StatusOK)
}

func (f *flow) send(item any) error { return f.emit("", item) }

// emit writes one item and flushes it.
func (f *flow) emit(event string, item any) error {
	line, err := encode(item)
	if text, ok := item.(string); ok && f.form == plain {
		line = []byte(strings.TrimSuffix(text, "\n") + "\n")
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin()
	if f.form == events {
		line = append([]byte("data: "), append(line, '\n')...)
		if event != "" {
			line = append([]byte("event: "+event+"\n"), line...)
		}
	}
	return f.write(line)
}

// write gives each item its own deadline: the server's would end a tail, none
// would let a sleeping reader pin it.
func (f *flow) write(line []byte) error {
	_ = f.control.SetWriteDeadline(time.Now().Add(patience))
	if _, err := f.w.Write(line); err != nil {
		return err
	}
	err := f.control.Flush()
	_ = f.control.SetWriteDeadline(time.Time{})
	return err
}
