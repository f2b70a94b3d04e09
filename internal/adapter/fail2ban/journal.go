package fail2ban

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"hostward/internal/file"
	"hostward/internal/host"
)

// line is one line of the journal: something that happened, or, at its head, what was
// so before the first of them.
type line struct {
	Event *host.BanEvent `json:"event,omitempty"`
	Row   int64          `json:"row,omitempty"` // of the server's table that it is known from
	Head  *head          `json:"head,omitempty"`
}

// head is what a journal begins with: the number of the last event before it, the bans
// that held, and the row that was read last.
type head struct {
	Seq  uint64     `json:"seq"`
	Row  int64      `json:"row,omitempty"`
	Held []host.Ban `json:"held,omitempty"`
}

// key tells bans apart: a jail bans a prefix once at a time.
type key struct {
	jail   string
	prefix netip.Prefix
}

func keyOf(b host.Ban) key { return key{b.Jail, b.Prefix} }

// seen tells the rows of the server's table apart, whatever their numbers.
type seen struct {
	key
	since int64 // Unix seconds
}

func seenOf(b host.Ban) seen { return seen{keyOf(b), b.Since.Unix()} }

// journal is what happened, the newest part of it, and what follows from that.
type journal struct {
	path   string
	events []host.BanEvent
	first  uint64 // number of the event before events[0]
	held   map[key]host.Ban
	known  map[seen]bool
	row    int64 // last row of the server's table that was read
	last   seen  // what that row held
}

// How many events are kept at the least; twice as many at the most.
const keep = 20_000

// openJournal reads the journal. A last line that a crash cut off goes: it was never
// handed to anybody.
func openJournal(path string) (*journal, error) {
	j := &journal{path: path, held: map[key]host.Ban{}, known: map[seen]bool{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal of bans: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	lines := bufio.NewScanner(bytes.NewReader(whole))
	lines.Buffer(nil, len(whole)+1)
	for n := 1; lines.Scan(); n++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w; move it away, and bans that are over will be missing", path, n, err)
		}
		j.take(l)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(whole) < len(data) {
		return j, os.Truncate(path, int64(len(whole)))
	}
	return j, nil
}

func (j *journal) seq() uint64 { return j.first + uint64(len(j.events)) }

// take makes a line part of what is known.
func (j *journal) take(l line) {
	if l.Head != nil {
		j.first, j.row = l.Head.Seq, l.Head.Row
		for _, b := range l.Head.Held {
			j.held[keyOf(b)], j.known[seenOf(b)] = b, true
		}
		return
	}
	if l.Event == nil {
		return
	}
	e := *l.Event
	j.events = append(j.events, e)
	if l.Row != 0 {
		j.row, j.last = l.Row, seenOf(e.Ban)
	}
	switch e.What {
	case "banned":
		j.held[keyOf(e.Ban)], j.known[seenOf(e.Ban)] = e.Ban, true
	case "unbanned", "spared":
		delete(j.held, keyOf(e.Ban))
	}
}

// add numbers events and makes them durable before anybody hears of them.
func (j *journal) add(lines []line) error {
	if len(lines) == 0 {
		return nil
	}
	if len(j.events)+len(lines) > 2*keep {
		if err := j.shorten(); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	for i := range lines {
		lines[i].Event.Seq = j.seq() + uint64(i) + 1
		b, err := json.Marshal(lines[i])
		if err != nil {
			return err
		}
		text.Write(append(b, '\n'))
	}
	if err := j.write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the journal of bans: %w", err)
	}
	for _, l := range lines {
		j.take(l)
	}
	return nil
}

// write appends. What a failed write left is taken away, so that the next line stands
// by itself.
func (j *journal) write(text []byte) error {
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	before, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(before.Size()), f.Close())
	}
	if err := f.Close(); err != nil || before.Size() > 0 {
		return err
	}
	return file.SyncDir(filepath.Dir(j.path))
}

// shorten lets go of all but the newest events.
func (j *journal) shorten() error {
	gone := max(len(j.events)-keep, 0)
	rest := j.events[gone:]
	then := head{Seq: j.first + uint64(gone), Row: j.row}
	known := map[seen]bool{j.last: true}
	for _, e := range rest {
		known[seenOf(e.Ban)] = true
	}
	for _, b := range j.held {
		if !known[seenOf(b)] {
			then.Held = append(then.Held, b)
		}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	err := enc.Encode(line{Head: &then})
	for _, e := range rest {
		err = errors.Join(err, enc.Encode(line{Event: &e}))
	}
	if err == nil {
		err = file.Replace(j.path, text.Bytes(), 0o600)
	}
	if err != nil {
		return fmt.Errorf("shortening the journal of bans: %w", err)
	}
	for _, b := range then.Held {
		known[seenOf(b)] = true
	}
	j.events, j.first, j.known = slices.Clone(rest), then.Seq, known
	return nil
}

// older reports a ban from before what the journal still has: one that it forgot.
func (j *journal) older(b host.Ban) bool {
	return j.first > 0 && len(j.events) > 0 && b.Since.Before(j.events[0].Time)
}

// after returns at most n events behind seq.
func (j *journal) after(seq uint64, n int) []host.BanEvent {
	from := max(seq, j.first) - j.first
	if from >= uint64(len(j.events)) {
		return nil
	}
	list := j.events[from:]
	return slices.Clone(list[:min(len(list), max(n, 0))])
}
