package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hostward/internal/file"
	"hostward/internal/host"
)

// What is kept in the engine's folder: counts and positions in one file that is
// replaced, and events in one that grows. They belong together: positions are
// those up to which lines were counted, so that after a crash the lines behind them
// are read and counted again, and nothing twice. An event is a fact: a ban that is in
// the events is in force, whatever the counts say.
const (
	stateFile  = "state.json"
	eventsFile = "events.jsonl"
	mostEvents = 10_000   // that are kept
	mostKept   = 32 << 20 // octets of events until the old ones are thrown away
)

// state is what stateFile holds.
type state struct {
	Version   int                  `json:"version"`
	Saved     time.Time            `json:"saved"`
	Seq       uint64               `json:"seq"` // of the last event that is in it
	Positions []Position           `json:"positions"`
	Readers   map[string][]string  `json:"readers"` // jails by path
	Cursors   map[string]string    `json:"cursors"` // of the journal, by matches
	Bans      []host.Ban           `json:"bans"`
	Counts    map[string][]count   `json:"counts"` // by jail, the longest silent first
	Past      map[string][]earlier `json:"past"`   // by jail
	Totals    map[string][2]uint64 `json:"totals"` // failures and bans by jail
	Working   []netip.Addr         `json:"working"`
	Told      time.Time            `json:"told,omitzero"` // when the panel said who works
}

type count struct {
	Prefix  netip.Prefix `json:"prefix"`
	Moments [][2]int64   `json:"moments"`
	Lines   []string     `json:"lines,omitempty"`
}

type earlier struct {
	Prefix netip.Prefix `json:"prefix"`
	Times  int          `json:"times"`
	Until  time.Time    `json:"until"`
}

// save copies what the book holds.
func (b *book) save(s *state) {
	s.Counts, s.Past, s.Totals = map[string][]count{}, map[string][]earlier{}, map[string][2]uint64{}
	for _, h := range b.ends {
		s.Bans = append(s.Bans, h.Ban)
	}
	for name, c := range b.cells {
		s.Totals[name] = [2]uint64{c.failures, c.bans}
		for t := c.tracking.oldest; t != nil; t = t.newer {
			k := count{Prefix: t.prefix, Lines: slices.Clone(t.lines)}
			for _, m := range t.moments {
				k.Moments = append(k.Moments, [2]int64{m.at, int64(m.count)})
			}
			s.Counts[name] = append(s.Counts[name], k)
		}
	}
	for name, times := range b.past {
		for p, x := range times.all() {
			s.Past[name] = append(s.Past[name], earlier{p, x.times, x.until})
		}
	}
}

// restore takes over what save copied.
func (b *book) restore(s state) {
	for _, name := range slices.Collect(maps.Keys(s.Totals)) {
		b.jail(name, Rules{})
		c := b.cells[name]
		c.failures, c.bans = s.Totals[name][0], s.Totals[name][1]
		for _, k := range s.Counts[name] {
			t, _ := c.tracking.of(k.Prefix)
			for _, m := range k.Moments {
				t.add(m[0], int(m[1]))
			}
			t.lines = k.Lines
			for _, l := range k.Lines {
				b.lines += len(l)
			}
		}
	}
	for name, all := range s.Past {
		b.past[name] = newGenerations[netip.Prefix, past](mostPast)
		for _, x := range all {
			b.past[name].put(x.Prefix, past{x.Times, x.Until})
		}
	}
	for _, ban := range s.Bans {
		b.hold(ban)
	}
}

// replay takes over an event that is newer than what save copied.
func (b *book) replay(e host.BanEvent) {
	switch e.What {
	case "banned", "widened":
		if e.What == "widened" {
			for p := range b.held {
				if e.Prefix.Overlaps(p) {
					b.release(p, func(*held) bool { return true })
				}
			}
		} else {
			b.note(e.Jail, e.Ban)
		}
		b.hold(e.Ban)
		if c := b.cells[e.Jail]; c != nil {
			if t := c.tracking.by[e.Prefix]; t != nil {
				b.forget(t)
				c.tracking.drop(t)
			}
		}
	case "unbanned":
		b.release(e.Prefix, func(h *held) bool { return h.Jail == e.Jail })
	}
}

// journal is the file of events.
type journal struct {
	path string
	f    *os.File
	size int64
}

// openJournal reads the events and opens the file to add more. A last line that a
// crash cut off is thrown away; others that cannot be read end what is believed.
func openJournal(path string) (j *journal, events []host.BanEvent, err error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	good := 0
	for rest := data; ; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		var e host.BanEvent
		if !whole || json.Unmarshal(line, &e) != nil || len(events) > 0 && e.Seq != events[len(events)-1].Seq+1 {
			break
		}
		events, rest = append(events, e), after
		good += len(line) + 1
	}
	if len(events) > mostEvents {
		events = events[len(events)-mostEvents:]
	}
	j = &journal{path: path}
	if good < len(data) || len(data) > mostKept {
		return j, events, j.rewrite(events)
	}
	return j, events, j.open()
}

func (j *journal) open() (err error) {
	if j.f, err = os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	info, err := j.f.Stat()
	if err == nil {
		j.size = info.Size()
		err = file.SyncDir(filepath.Dir(j.path))
	}
	return err
}

// rewrite makes these events all there are.
func (j *journal) rewrite(events []host.BanEvent) error {
	data, err := lines(events)
	if err != nil {
		return err
	}
	if j.f != nil {
		_ = j.f.Close()
	}
	return errors.Join(file.Replace(j.path, data, 0o600), j.open())
}

func lines(events []host.BanEvent) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for i := range events {
		if err := e.Encode(&events[i]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// add makes events durable.
func (j *journal) add(events []host.BanEvent) error {
	data, err := lines(events)
	if err != nil {
		return err
	}
	n, err := j.f.Write(data)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil { // half of a line would hide what follows
		return errors.Join(fmt.Errorf("keeping events: %w", err), j.f.Truncate(j.size))
	}
	j.size += int64(n)
	return nil
}

func (j *journal) close() error { return j.f.Close() }

// readState reads what was kept. A file that cannot be read is set aside: logs are
// then read as at the first start.
func readState(dir string) (s state, aside string, err error) {
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, "", nil
	}
	if err != nil {
		return s, "", err
	}
	if bad := json.Unmarshal(data, &s); bad != nil || s.Version != 1 {
		return state{}, path + ".broken", os.Rename(path, path+".broken")
	}
	return s, "", nil
}

func writeState(dir string, s state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return file.Replace(filepath.Join(dir, stateFile), data, 0o600)
}
