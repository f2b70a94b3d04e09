package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

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

// state is what stateFile holds in its first line. Each line behind it is a count.
type state struct {
	Version   int                  `json:"version"`
	Saved     time.Time            `json:"saved"`
	Seq       uint64               `json:"seq"` // of the last event that is in it
	Positions []Position           `json:"positions"`
	Readers   map[string][]string  `json:"readers"` // jails by path
	Cursors   map[string]string    `json:"cursors"` // of the journal, by matches
	Bans      []host.Ban           `json:"bans"`
	Counts    int                  `json:"counts"` // lines that follow
	Past      map[string][]earlier `json:"past"`   // by jail
	Totals    map[string][2]uint64 `json:"totals"` // failures and bans by jail
	Working   []netip.Addr         `json:"working"`
	Told      time.Time            `json:"told,omitzero"` // when the panel said who works
}

// count is a tracker. Those of a jail stand with the one in front that was silent
// for longest.
type count struct {
	Jail    string       `json:"jail"`
	Prefix  netip.Prefix `json:"prefix"`
	Moments [][2]int64   `json:"moments"`
	Lines   []string     `json:"lines,omitempty"`
}

type earlier struct {
	Prefix netip.Prefix `json:"prefix"`
	Times  int          `json:"times"`
	Until  time.Time    `json:"until"`
}

// save copies what the book holds, except its counts.
func (b *book) save(s *state) {
	s.Past, s.Totals = map[string][]earlier{}, map[string][2]uint64{}
	for _, h := range b.ends {
		s.Bans = append(s.Bans, h.Ban)
	}
	for name, c := range b.cells {
		s.Totals[name] = [2]uint64{c.failures, c.bans}
	}
	for name, times := range b.past {
		for p, x := range times.all() {
			s.Past[name] = append(s.Past[name], earlier{p, x.times, x.until})
		}
	}
}

// counts appends the trackers as lines of JSON. There may be very many, and who
// counts waits meanwhile: this is written by hand.
func (b *book) counts(out []byte) []byte {
	size := b.lines + b.lines/16
	for name, c := range b.cells {
		size += len(c.tracking.by) * (len(name) + 120)
	}
	out = slices.Grow(out, size)
	for name, c := range b.cells {
		for t := c.tracking.oldest; t != nil; t = t.newer {
			out = append(appendText(append(out, `{"jail":`...), []byte(name)), `,"prefix":"`...)
			out = append(t.prefix.AppendTo(out), `","moments":[`...)
			for i, m := range t.moments {
				if i > 0 {
					out = append(out, ',')
				}
				out = strconv.AppendInt(append(out, '['), m.at, 10)
				out = append(strconv.AppendInt(append(out, ','), int64(m.count), 10), ']')
			}
			out = append(out, `],"lines":[`...)
			first := true
			for l := range t.lines.all() {
				if !first {
					out = append(out, ',')
				}
				first = false
				out = appendText(out, l)
			}
			out = append(out, "]}\n"...)
		}
	}
	return out
}

// appendText appends a JSON string (RFC 8259 7). What is no UTF-8 is replaced.
func appendText(out, text []byte) []byte {
	out = append(out, '"')
	for len(text) > 0 {
		plain := 0
		for plain < len(text) && text[plain] >= ' ' && text[plain] < utf8.RuneSelf && text[plain] != '"' && text[plain] != '\\' {
			plain++
		}
		out, text = append(out, text[:plain]...), text[plain:]
		if len(text) == 0 {
			break
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, "\ufffd"...)
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ':
			out = fmt.Appendf(out, "\\u%04x", r)
		default:
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	return append(out, '"')
}

// restore takes over what save and counts wrote.
func (b *book) restore(s state, counts []count) {
	for name, total := range s.Totals {
		b.jail(name, Rules{})
		c := b.cells[name]
		c.failures, c.bans = total[0], total[1]
	}
	for _, k := range counts {
		if b.cells[k.Jail] == nil {
			continue
		}
		t, _ := b.cells[k.Jail].tracking.of(k.Prefix)
		for _, m := range k.Moments {
			t.add(m[0], int(m[1]))
		}
		for _, l := range k.Lines {
			l = l[:min(len(l), 3*mostLine)] // what was no UTF-8 has grown
			t.lines.add([]byte(l), mostShown)
			b.lines += len(l)
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
	if j.f, err = os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil { //nolint:gosec // in our own folder
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
func readState(dir string) (s state, counts []count, aside string, err error) {
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil, "", nil
	}
	if err != nil {
		return s, nil, "", err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	bad := d.Decode(&s)
	for bad == nil && d.More() {
		var k count
		bad = d.Decode(&k)
		counts = append(counts, k)
	}
	if bad != nil || s.Version != 1 || len(counts) != s.Counts {
		return state{}, nil, path + ".broken", os.Rename(path, path+".broken")
	}
	return s, counts, "", nil
}

// writeState keeps what was counted.
func writeState(dir string, s state, counts []byte) error {
	head, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return file.ReplaceWith(filepath.Join(dir, stateFile), 0o600, func(f *os.File) error {
		if _, err := f.Write(append(head, '\n')); err != nil {
			return err
		}
		_, err := f.Write(counts)
		return err
	})
}
