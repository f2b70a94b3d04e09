package handler_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/act/acttest"
	"hostward/internal/core"
	"hostward/internal/feature/handler"
	"hostward/internal/handlers/apache"
	"hostward/internal/host"
	"hostward/internal/store/storetest"
)

var admin = act.Actor{Kind: "account", ID: core.Provider, Name: "ann", Role: act.Primary, Tenant: core.Provider, Door: "rest"}

// world is a bus with the feature, and what an agent would see.
type world struct {
	*act.Bus
	t        *testing.T
	handlers *handler.Handlers
	seen     handler.Observed
	status   host.Status
	fault    error
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := &world{t: t}
		w.handlers = handler.New(handler.Ports{Look: func(context.Context, string) (host.Status, error) {
			s := w.status
			raw, err := json.Marshal(w.seen)
			s.Observed = raw
			return s, errors.Join(err, w.fault)
		}})
		w.Bus = acttest.Open(t, url, core.SystemClock, acttest.Accounts(), w.handlers.Feature())
		f(t, w)
	})
}

func (w *world) do(op string, in any) (act.Result, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Do(context.Background(), act.Call{Op: op, Actor: admin, Input: raw})
}

func (w *world) must(op string, in any) any {
	w.t.Helper()
	r, err := w.do(op, in)
	if err != nil {
		w.t.Fatalf("%s: %v", op, err)
	}
	return r.Output
}

type fields map[string]any

// TestRowsBecomeTheOrder edits rows and reads what an order would say.
func TestRowsBecomeTheOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		order := func(want string) {
			t.Helper()
			err := w.Look(context.Background(), "test", func(v *act.View) error {
				raw, err := w.handlers.Control().Desired(context.Background(), v)
				if string(raw) != want {
					t.Errorf("the order says %s, want %s", raw, want)
				}
				return errors.Join(err, w.handlers.Control().Check(raw))
			})
			if err != nil {
				t.Error(err)
			}
		}
		order(`{"apache":false,"rewrite":true}`)
		w.must("handler.set", fields{"handlers": "forbidden", "rewriting": "forbidden"})
		w.must("handler.exception.add", fields{"folder": "/var/www/b"})
		w.must("handler.exception.add", fields{"folder": "/var/www/a"})
		if r, err := w.do("handler.exception.add", fields{"folder": "/var/www/a"}); err != nil || r.State != act.Unchanged {
			t.Errorf("a second time: %v %v", r.State, err)
		}
		order(`{"apache":true,"rewrite":false,"exceptions":["/var/www/a","/var/www/b"]}`)
		w.must("handler.exception.remove", fields{"folder": "/var/www/b"})
		order(`{"apache":true,"rewrite":false,"exceptions":["/var/www/a"]}`)
		if _, err := w.do("handler.exception.remove", fields{"folder": "/var/www/b"}); core.CodeOf(err) != core.NotFound {
			t.Errorf("one that is none: %v", err)
		}
		for _, bad := range []string{"/", "relative", "/a/", "/a/../b", "/a/*", "/a\"b", "/a\n</Directory>", "/${X}", "/a//b"} {
			if _, err := w.do("handler.exception.add", fields{"folder": bad}); core.CodeOf(err) != core.Invalid || !strings.Contains(err.Error(), "folder") {
				t.Errorf("%q: %v", bad, err)
			}
			raw, err := json.Marshal(handler.Desired{Apache: true, Exceptions: []string{bad}})
			if err != nil || w.handlers.Control().Check(raw) == nil {
				t.Errorf("the agent takes %q: %v", bad, err)
			}
		}
	})
}

// TestWhatIsSaidOfTheServer never says more than was seen.
func TestWhatIsSaidOfTheServer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		runs := handler.Observed{Installed: true, Running: true, Loaded: true}
		now := time.Now()
		for name, c := range map[string]struct {
			change func(o *handler.Observed, s *host.Status)
			fault  error
			want   string
		}{
			"holds":     {func(*handler.Observed, *host.Status) {}, nil, "No site can"},
			"loose":     {func(o *handler.Observed, _ *host.Status) { o.Grants = []apache.Grant{{Path: "/a"}} }, nil, "Sites can choose"},
			"excepted":  {func(o *handler.Observed, _ *host.Status) { o.Grants = []apache.Grant{{Path: "/a", Except: true}} }, nil, "No site can"},
			"unloaded":  {func(o *handler.Observed, _ *host.Status) { o.Loaded = false }, nil, "not loaded"},
			"stopped":   {func(o *handler.Observed, _ *host.Status) { o.Running = false }, nil, "does not run"},
			"missing":   {func(o *handler.Observed, _ *host.Status) { o.Installed = false }, nil, "not installed"},
			"blind":     {func(o *handler.Observed, _ *host.Status) { o.Blind = []string{"a macro"} }, nil, "could not be ruled out"},
			"alarmed":   {func(_ *handler.Observed, s *host.Status) { s.Alarms = []string{"a flag"} }, nil, "could not be ruled out"},
			"fault":     {func(_ *handler.Observed, s *host.Status) { s.Fault = "it is broken" }, nil, "not known"},
			"not seen":  {func(_ *handler.Observed, s *host.Status) { s.Seen = time.Time{} }, nil, "not known"},
			"no answer": {func(*handler.Observed, *host.Status) {}, errors.New("no agent"), "not known"},
		} {
			w.seen, w.status, w.fault = runs, host.Status{State: host.InForce, Seen: now}, c.fault
			c.change(&w.seen, &w.status)
			s := w.must("handler.show", nil).(handler.Standing)
			if holds := slices.Contains([]string{"holds", "excepted", "missing", "stopped"}, name); !strings.Contains(s.Sentence, c.want) || c.fault != nil && s.Fault == "" || s.Holds != holds {
				t.Errorf("%s: %q, holds: %v; want %q", name, s.Sentence, s.Holds, c.want)
			}
		}
	})
}

// TestImpactFollowsTheRows tells what the rows as they are now would break.
func TestImpactFollowsTheRows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		use := func(file, kind string) apache.Use {
			return apache.Use{File: file, Line: 3, Text: "x", Kind: kind, Site: "a.example"}
		}
		w.status.Seen = time.Now()
		w.seen = handler.Observed{Installed: true, Files: 2, Uses: []apache.Use{use("/a/.htaccess", apache.Handler), use("/a/.htaccess", apache.Rewrite),
			use("/b/.htaccess", apache.Flag), use("/b/.htaccess", apache.Programs)}}
		want := func(breaks, remains, sites int) {
			t.Helper()
			if i := w.must("handler.impact", nil).(handler.Impact); !i.Known || len(i.Breaks) != breaks || len(i.Remains) != remains || i.Sites != sites {
				t.Errorf("%+v, want %d, %d, %d", i, breaks, remains, sites)
			}
		}
		want(2, 1, 1)
		w.must("handler.set", fields{"handlers": "forbidden", "rewriting": "forbidden"})
		want(4, 0, 1)
		w.must("handler.exception.add", fields{"folder": "/b"})
		want(2, 0, 1)
		w.fault = errors.New("no agent")
		if i := w.must("handler.impact", nil).(handler.Impact); i.Known || i.Fault == "" {
			t.Errorf("nobody has looked: %+v", i)
		}
	})
}

// TestFilesOfIISComeBack hands in files of IIS, and others.
func TestFilesOfIISComeBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const file = "<configuration><configSections><sectionGroup name=\"system.webServer\">\r\n<section name=\"handlers\"/></sectionGroup></configSections></configuration>"
		out := w.must("handler.iis.lock", fields{"file": file}).(handler.LockOut)
		data, err := base64.StdEncoding.DecodeString(out.File)
		if err != nil || string(data) != strings.Replace(file, `"handlers"`, `"handlers" overrideModeDefault="Deny"`, 1) || len(out.Diff) != 2 || !strings.Contains(out.Note, "Not tested") {
			t.Errorf("%+v %s %v", out, data, err)
		}
		site := w.must("handler.iis.impact", fields{"file": "<configuration><system.webServer>\n<handlers/></system.webServer></configuration>"}).(handler.SiteOut)
		if len(site.Breaks) != 1 || site.Breaks[0].Line != 2 || !strings.Contains(site.Note, "Not tested") {
			t.Errorf("%+v", site)
		}
		for _, op := range []string{"handler.iis.lock", "handler.iis.impact"} {
			_, err := w.do(op, fields{"file": "no XML"})
			if core.CodeOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Sentence(), "not XML") {
				t.Errorf("%s: %v", op, err)
			}
		}
	})
}
