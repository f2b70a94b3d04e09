package house_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/secret"
	"hostward/internal/house"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// keyFiles are the files of keys with what is in them.
func (w *world) keyFiles() map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"keys/secret.key*", "keys/data/*", "keys/checkpoint.key", "keys/periods/*.key"} {
		for _, path := range must2(filepath.Glob(filepath.Join(w.data, filepath.FromSlash(pattern)))) {
			all[filepath.Base(path)] = string(must2(os.ReadFile(path)))
		}
	}
	return all
}

// job waits for the end of a job that was just started.
func (w *world) ended(r act.Result) string {
	w.Helper()
	id := r.Changes[0].Object.ID
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		f := fields(w.must(console, "job.show", map[string]any{"job": id}).Output)
		if fmt.Sprint(f["state"]) != "running" {
			return fmt.Sprint(f)
		}
		if time.Now().After(deadline) {
			w.Fatalf("the job does not end: %v", f)
		}
	}
}

// TestKeysAreReplacedWhilePeopleLogIn rotates everything while codes of apps are
// checked without a pause (SPEC A4).
func TestKeysAreReplacedWhilePeopleLogIn(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		before := w.keyFiles()
		old := w.must(console, "secret.status", nil).Output.(secret.Shown)
		var checked, failed atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				if _, err := w.Bus.Do(t.Context(), act.Call{Op: "session.prove", Actor: w.actor("customer"), Input: raw(map[string]any{"code": "000000"})}); core.CodeOf(err) == core.Internal {
					t.Logf("a check: %v", err)
					failed.Add(1)
				}
				checked.Add(1)
				w.pass(20 * time.Minute) // so that nobody waits for having guessed
			}
		}()
		said := w.ended(w.must(console, "secret.rotate", map[string]any{"values": true}))
		stop()
		<-done
		if !strings.Contains(said, "was replaced by") || !strings.Contains(said, "7 values for totp were sealed again") {
			t.Errorf("the job says %s", said)
		}
		if failed.Load() > 0 || checked.Load() == 0 {
			t.Errorf("%d of %d checks failed meanwhile", failed.Load(), checked.Load())
		}
		after := w.keyFiles()
		for name, content := range before {
			if after[name] == content {
				t.Errorf("%s is as it was", name)
			}
		}
		if after["totp_1.key"] != "" || after["totp_2.key"] == "" || after["secret.key.next"] != "" {
			t.Error("the old keys are still there, or the new ones are not")
		}
		now := w.must(console, "secret.status", nil).Output.(secret.Shown)
		if now.Secret == old.Secret || len(now.Holds) != 1 || now.Holds[0].Values != 7 {
			t.Errorf("the status says %+v, before %+v", now, old)
		}
		p := w.people["customer"]
		token, _ := w.session(p)
		w.must(w.inside(token), "login.factor", map[string]any{"code": accounttest.Code(p.seed, w.now())})
		w.sound()
	})
}

// TestPlainTextIsEnclosedForGood starts on a database into which a migration has
// written passwords and seeds as they are: they work, and are nowhere any more,
// not in old pages and not in the log of the database (SPEC A4).
func TestPlainTextIsEnclosedForGood(t *testing.T) {
	const phrase, seed = "canary-of-the-old-panel 4711", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	w := newWorld(t, storetest.SQLite(t))
	p := w.people["customer"]
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	smuggle(t, w.data, func(exec func(q string, args ...any)) {
		exec(`UPDATE login_credential SET phc = $1 WHERE account = $2`, "{PLAIN}"+phrase, p.ID)
		exec(`UPDATE factor_totp SET sealed = $1, last = 0 WHERE account = $2`, "{PLAIN}"+seed, p.ID)
	})
	if kept := w.filesWith(t, phrase); kept == nil {
		t.Fatal("the plain text is not there to begin with: the test looks at the wrong place")
	}
	w.reopen(t)
	for _, text := range []string{phrase, seed} {
		if where := w.filesWith(t, text); where != nil {
			t.Errorf("%q is still in %v", text, where)
		}
	}
	p.password = phrase
	token, _ := w.session(p)
	w.must(w.inside(token), "login.factor", map[string]any{"code": accounttest.Code(seed, w.now())})
	all := strings.Join(w.since(0), "\n")
	for _, want := range []string{`"credential.enclosed"`, `"totp.enclosed"`, `"log.tampering"`} {
		if !strings.Contains(all, want) {
			t.Errorf("the log does not say %s", want)
		}
	}
	if _, err := os.Stat(filepath.Join(w.data, "scrub.due")); !os.IsNotExist(err) {
		t.Errorf("the note that files are to be cleaned is still there: %v", err)
	}
}

// TestACutOffCleaningIsMadeGood finds the note of a cleaning that a crash cut off,
// and no plain text any more.
func TestACutOffCleaningIsMadeGood(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.data, "scrub.due"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	if _, err := os.Stat(filepath.Join(w.data, "scrub.due")); !os.IsNotExist(err) {
		t.Errorf("the files were not cleaned: %v", err)
	}
}

// TestASeedThatIsNoneStopsTheStart leaves plain text alone that it cannot enclose,
// and says where it is.
func TestASeedThatIsNoneStopsTheStart(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	p := w.people["customer"]
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	smuggle(t, w.data, func(exec func(q string, args ...any)) {
		exec(`UPDATE factor_totp SET sealed = '{PLAIN}not base32!' WHERE account = $1`, p.ID)
	})
	_, err := house.Open(t.Context(), house.Config{Data: w.data})
	if err == nil || !strings.Contains(err.Error(), p.ID) || strings.Contains(err.Error(), "not base32!") {
		t.Errorf("it starts, or says it badly: %v", err)
	}
}

// smuggle changes rows past the door.
func smuggle(t *testing.T, data string, f func(exec func(q string, args ...any))) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + filepath.Join(data, "panel.db"), Migrations: house.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	writer, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	f(func(q string, args ...any) {
		if _, err := writer.Exec(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := writer.Touched(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// filesWith are the files of the database that hold a text.
func (w *world) filesWith(t *testing.T, text string) (where []string) {
	t.Helper()
	for _, path := range must2(filepath.Glob(filepath.Join(w.data, "panel.db*"))) {
		if strings.Contains(string(must2(os.ReadFile(path))), text) {
			where = append(where, filepath.Base(path))
		}
	}
	return where
}

// reopen starts the house again on what it left.
func (w *world) reopen(t *testing.T) {
	t.Helper()
	var err error
	w.House, err = house.Open(t.Context(), house.Config{Data: w.data, PanelLog: w.logs, Clock: w.now, Log: slog.New(slog.NewTextHandler(w.logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
}
