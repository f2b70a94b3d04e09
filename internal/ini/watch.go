package ini

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hostward/internal/core"
	"hostward/internal/file"
)

// Source says where the policy in force comes from.
type Source string

// The sources.
const (
	FromFile     Source = "file"      // panel.ini as it is now
	FromLastGood Source = "last-good" // panel.ini is broken or gone: as it was when it was last good
	FromDefault  Source = "default"   // there is no panel.ini and never was one
	FromNothing  Source = "locked"    // panel.ini is broken and was never good: the API is off
)

// LastGood is the name of the copy of the last good file in the data folder.
const LastGood = "policy.last-good.ini"

// Loaded is the policy in force and how it came to be.
type Loaded struct {
	Policy Policy
	Source Source
	Path   string
	Faults core.Faults // why panel.ini is not in force; empty with FromFile
	Notes  []Note
	Since  time.Time // when this came into force
}

// Watcher holds the policy in force and follows the file.
type Watcher struct {
	path, good string
	clock      core.Clock
	onChange   func(Loaded)

	turn sync.Mutex // one look at a time; held while onChange runs
	seen look       // what the current Loaded was made of

	mu     sync.Mutex
	loaded Loaded
}

// look is what one look at the file found.
type look struct {
	digest [sha256.Size]byte
	fault  string // "" when the file could be read
	data   []byte
}

func (l look) same(m look) bool { return l.digest == m.digest && l.fault == m.fault }

// Interval is how often Watch looks at the file; a change is adopted at the
// second look that finds it the same, so that a half-written file is not.
const Interval = time.Second

// Watch loads the policy at path, then follows the file until ctx ends.
// onChange is called, one call after another, each time Loaded changes, not
// for the first load: Current has that when Watch returns. dataDir keeps the
// last good file.
func Watch(ctx context.Context, path, dataDir string, clock core.Clock, onChange func(Loaded)) *Watcher {
	w := &Watcher{path: path, good: filepath.Join(dataDir, LastGood), clock: clock, onChange: onChange}
	w.adopt(w.look())
	go w.follow(ctx)
	return w
}

// Current returns the policy in force.
func (w *Watcher) Current() Loaded {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loaded
}

// Reload looks at the file now, adopts it, and returns what is in force then.
func (w *Watcher) Reload() Loaded {
	w.turn.Lock()
	defer w.turn.Unlock()
	if l := w.look(); !l.same(w.seen) {
		w.adopt(l)
		w.onChange(w.Current())
	}
	return w.Current()
}

func (w *Watcher) follow(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	var before *look
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			before = w.tick(before)
		}
	}
}

// tick takes one look. A changed file is given back, to be adopted when the
// next look finds it unchanged.
func (w *Watcher) tick(before *look) *look {
	w.turn.Lock()
	defer w.turn.Unlock()
	now := w.look()
	switch {
	case now.same(w.seen):
		return nil
	case before == nil || !now.same(*before):
		return &now
	}
	w.adopt(now)
	w.onChange(w.Current())
	return nil
}

// look reads the whole file each time. It is small, and size and times can lie
// (an editor may set them back); a digest cannot.
func (w *Watcher) look() look {
	data, err := read(w.path)
	if err != nil {
		return look{fault: reason(err)}
	}
	return look{digest: sha256.Sum256(data), data: data}
}

func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// adopt puts a look into force, or the last good file when it is no good.
func (w *Watcher) adopt(l look) {
	w.seen = look{digest: l.digest, fault: l.fault}
	next := w.judge(l)
	next.Path, next.Since = w.path, w.clock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded = next
}

func (w *Watcher) judge(l look) Loaded {
	if l.fault != "" {
		return w.fallBack(core.Faults{{Field: w.path, Value: l.fault, Accepted: "a file that can be read; an empty one stands for the defaults"}})
	}
	policy, notes, faults := Read(l.data)
	if len(faults) > 0 {
		return w.fallBack(faults)
	}
	if err := w.keep(l.data); err != nil {
		notes = append(notes, Note{Text: "the copy for emergencies could not be written: " + err.Error()})
	}
	return Loaded{Policy: policy, Source: FromFile, Notes: notes}
}

// fallBack returns the last good policy. A missing file is a fault once there
// was a good one: else deleting the file would open what it had closed.
func (w *Watcher) fallBack(faults core.Faults) Loaded {
	data, err := read(w.good)
	if err == nil {
		if policy, notes, bad := Read(data); len(bad) == 0 {
			return Loaded{Policy: policy, Source: FromLastGood, Faults: faults, Notes: notes}
		}
	}
	_, missing := os.Stat(w.path)
	if errors.Is(missing, fs.ErrNotExist) && errors.Is(err, fs.ErrNotExist) {
		return Loaded{Policy: Default(), Source: FromDefault}
	}
	return Loaded{Policy: Locked(), Source: FromNothing, Faults: faults}
}

// keep copies a good file into the data folder.
func (w *Watcher) keep(data []byte) error {
	if old, err := read(w.good); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return file.Replace(w.good, data, 0o600)
}

// Sentence says in one line what is in force, for the panel and the log.
func (l Loaded) Sentence() string {
	switch l.Source {
	case FromFile:
		return "the policy of " + l.Path + " is in force"
	case FromDefault:
		return "there is no " + l.Path + "; the defaults are in force"
	case FromLastGood:
		return fmt.Sprintf("%s has errors; the last good policy stays in force: %s", l.Path, l.faults())
	}
	return fmt.Sprintf("%s has errors and there is no earlier policy; the API is off: %s", l.Path, l.faults())
}

func (l Loaded) faults() string {
	return (&core.Error{Faults: l.Faults}).Sentence()
}
