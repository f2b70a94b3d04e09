package ini_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hostward/internal/ini"
)

// scene is a watched file in a bubble: time passes only when all wait.
type scene struct {
	*testing.T
	path, data string
	watcher    *ini.Watcher
	stop       context.CancelFunc
	heard      []ini.Loaded
}

func watch(t *testing.T, file string, play func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, path: filepath.Join(t.TempDir(), "panel.ini"), data: t.TempDir()}
		if file != "" {
			s.write(file)
		}
		s.start()
		play(s)
	})
}

// start starts the watcher, again if there was one.
func (s *scene) start() {
	if s.stop != nil {
		s.stop()
		synctest.Wait()
	}
	ctx, stop := context.WithCancel(s.Context())
	s.stop = stop
	s.watcher = ini.Watch(ctx, s.path, s.data, time.Now, func(l ini.Loaded) { s.heard = append(s.heard, l) })
}

func (s *scene) write(text string) {
	s.Helper()
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) want(source ini.Source, apiOn bool, heard int) {
	s.Helper()
	l := s.watcher.Current()
	if l.Source != source || l.Policy.APIEnabled != apiOn || len(s.heard) != heard {
		s.Fatalf("source %s, API on %v, heard %d times; want %s, %v, %d (%s)",
			l.Source, l.Policy.APIEnabled, len(s.heard), source, apiOn, heard, l.Sentence())
	}
	if (len(l.Faults) > 0) != (source == ini.FromLastGood || source == ini.FromNothing) {
		s.Fatalf("source %s with the faults %v", source, l.Faults)
	}
}

const off, on, broken = "[api]\nenabled = off\n", "[api]\nenabled = on\n", "[api\n"

func settle() {
	time.Sleep(2*ini.Interval + ini.Interval/2) // of the bubble's own clock
	synctest.Wait()
}

func TestFollowsTheFile(t *testing.T) {
	watch(t, on, func(s *scene) {
		s.want(ini.FromFile, true, 0)
		began := s.watcher.Current().Since
		s.write(off)
		settle()
		s.want(ini.FromFile, false, 1)
		if now := s.watcher.Current().Since; !now.After(began) {
			s.Errorf("in force since %v, was %v", now, began)
		}
		settle()
		s.want(ini.FromFile, false, 1)
	})
}

func TestABrokenFileKeepsTheLastGoodPolicy(t *testing.T) {
	watch(t, off, func(s *scene) {
		s.write(broken)
		settle()
		s.want(ini.FromLastGood, false, 1)
		if text := s.watcher.Current().Sentence(); !strings.Contains(text, "line 1, column 5") {
			s.Errorf("the sentence is %s", text)
		}
		s.start() // the next start finds the file still broken
		s.want(ini.FromLastGood, false, 1)
		s.write(on)
		settle()
		s.want(ini.FromFile, true, 2)
	})
}

func TestADeletedFileOpensNothing(t *testing.T) {
	watch(t, off, func(s *scene) {
		if err := os.Remove(s.path); err != nil {
			s.Fatal(err)
		}
		settle()
		s.want(ini.FromLastGood, false, 1)
		s.write("")
		settle()
		s.want(ini.FromFile, true, 2)
	})
}

func TestWithoutAnyFileTheDefaultsHold(t *testing.T) {
	watch(t, "", func(s *scene) {
		s.want(ini.FromDefault, true, 0)
		s.write(off)
		settle()
		s.want(ini.FromFile, false, 1)
	})
}

func TestABrokenFileThatWasNeverGoodTurnsTheAPIOff(t *testing.T) {
	watch(t, broken, func(s *scene) {
		s.want(ini.FromNothing, false, 0)
		s.write(on)
		settle()
		s.want(ini.FromFile, true, 1)
	})
}

func TestAHalfWrittenFileIsNotAdopted(t *testing.T) {
	watch(t, off, func(s *scene) {
		time.Sleep(ini.Interval / 2) // between two looks
		for range 5 {
			s.write("") // as an editor truncates before it writes
			time.Sleep(ini.Interval)
			s.write(off)
			time.Sleep(ini.Interval)
		}
		synctest.Wait()
		s.want(ini.FromFile, false, 0)
	})
}

func TestReloadAdoptsAtOnce(t *testing.T) {
	watch(t, on, func(s *scene) {
		s.write(off)
		if l := s.watcher.Reload(); l.Policy.APIEnabled {
			s.Error("the old policy is still in force")
		}
		s.want(ini.FromFile, false, 1)
		s.watcher.Reload()
		s.want(ini.FromFile, false, 1)
	})
}

func TestWhatIsNoFileKeepsTheLastGoodPolicy(t *testing.T) {
	for name, target := range map[string]string{"folder": ".", "device": os.DevNull} {
		t.Run(name, func(t *testing.T) {
			watch(t, off, func(s *scene) {
				if err := errors.Join(os.Remove(s.path), os.Symlink(target, s.path)); err != nil {
					t.Skip(err)
				}
				settle()
				s.want(ini.FromLastGood, false, 1)
				if what := s.watcher.Current().Sentence(); !strings.Contains(what, "not a regular file") {
					t.Error(what)
				}
				if err := os.Remove(s.path); err != nil {
					t.Fatal(err)
				}
				s.write(on)
				settle()
				s.want(ini.FromFile, true, 2)
			})
		})
	}
}
