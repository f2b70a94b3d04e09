package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// idle is how long one write to a browser may take before it counts as gone.
const idle = 30 * time.Second

// stream answers a stream operation as server-sent events, for live pages.
func (f *Face) stream(v *visit) {
	op, ok := f.openable(v)
	if !ok {
		return
	}
	v.w.Header().Set("Content-Type", "text/event-stream")
	out := &flusher{v: v, c: http.NewResponseController(v.w)}
	if err := out.write(": open\n\n"); err != nil {
		return
	}
	err := f.Bus.Stream(v.ctx(), f.streamCall(v, op), func(item any) error {
		b, err := json.Marshal(item)
		if err != nil {
			return err
		}
		return out.write("data: " + string(b) + "\n\n")
	})
	if err != nil && v.ctx().Err() == nil {
		_ = out.write("event: end\ndata: " + jsonText(core.AsError(err).Sentence()) + "\n\n")
	}
}

// download answers a stream operation as a file. Text and bytes go out as they
// are, anything else as JSON Lines.
func (f *Face) download(v *visit) {
	op, ok := f.openable(v)
	if !ok {
		return
	}
	out := &flusher{v: v, c: http.NewResponseController(v.w)}
	q := v.r.URL.Query()
	format := or(q.Get("_format"), q.Get("format"))
	err := f.Bus.Stream(v.ctx(), f.streamCall(v, op), func(item any) error {
		out.begin(op.Name, format, f.Clock())
		switch item := item.(type) {
		case string:
			return out.write(item)
		case []byte:
			return out.write(string(item))
		}
		b, err := json.Marshal(item)
		if err != nil {
			return err
		}
		return out.write(string(b) + "\n")
	})
	switch {
	case err == nil:
		out.begin(op.Name, format, f.Clock()) // an empty file is a file
	case !out.begun:
		f.fail(v, err)
	default: // half a file must not look whole
		f.Logger.Error("download cut", "op", op.Name, "error", err)
		panic(http.ErrAbortHandler)
	}
}

func (f *Face) openable(v *visit) (*act.Op, bool) {
	op, ok := f.Registry.Op(v.r.PathValue("op"))
	switch {
	case v.outside():
		f.toLogin(v)
	case !ok || op.Method != "stream":
		f.fail(v, core.Errorf(core.NotFound, "there is no stream of this name"))
	default:
		return op, true
	}
	return nil, false
}

func (f *Face) streamCall(v *visit, op *act.Op) act.Call {
	set := url.Values{}
	for name, values := range v.r.URL.Query() {
		set[name] = values
	}
	return act.Call{Op: op.Name, Actor: v.actor, Input: input(op, set, nil)}
}

// flusher writes and sends at once, and gives up on a browser that does not take it.
type flusher struct {
	v     *visit
	c     *http.ResponseController
	begun bool
}

var downloadKinds = map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "cef": "text/plain; charset=utf-8"}

func (o *flusher) begin(name, format string, now time.Time) {
	if o.begun {
		return
	}
	o.begun = true
	kind, ok := downloadKinds[format]
	if !ok {
		kind, format = "text/plain; charset=utf-8", "txt"
	}
	o.v.w.Header().Set("Content-Type", kind)
	o.v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, strings.ReplaceAll(name, ".", "-"), now.UTC().Format("20060102-150405"), format))
}

func (o *flusher) write(text string) error {
	_ = o.c.SetWriteDeadline(time.Now().Add(idle)) // a recorder in a test has none
	if _, err := o.v.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := o.c.Flush(); err != nil {
		return err
	}
	// It is for one write: where nothing happens for a while, nobody is gone
	// (HTTP/2 resets a stream as soon as its deadline passes).
	_ = o.c.SetWriteDeadline(time.Time{})
	return nil
}

func jsonText(s string) string {
	b, _ := json.Marshal(s) // text always marshals
	return string(b)
}
