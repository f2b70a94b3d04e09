package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tail follows what the journal has of some matches: journalctl runs as a child,
// from where it was left, and is run again when it ends.
type tail struct {
	key  string // its matches as one word
	args []string
	stop context.CancelFunc
	done chan struct{}

	names []string // of jails; guarded by the engine

	mu    sync.Mutex
	fault string
}

const (
	longestPause = 30 * time.Second // between two runs of journalctl
	mostMessage  = 1 << 20          // octets of one entry as JSON
)

// matchKey is what journalctl is to be told: any of the matches.
func matchKey(matches [][]string) string {
	all := make([]string, len(matches))
	for i, m := range matches {
		all[i] = strings.Join(m, " ")
	}
	return strings.Join(all, " + ")
}

func (t *tail) wrong() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fault
}

func (t *tail) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = ""
	if err != nil {
		t.fault = err.Error()
	}
}

// followJournal begins and ends tails, so that there is one for each set of matches.
func (e *Engine) followJournal(ctx context.Context, matches map[string][]string) {
	for key, t := range e.tails {
		if matches[key] == nil {
			t.stop()
			delete(e.tails, key)
		}
	}
	for key, names := range matches {
		slices.Sort(names)
		t := e.tails[key]
		if t == nil {
			t = &tail{key: key, args: strings.Fields(key), done: make(chan struct{})}
			var within context.Context
			within, t.stop = context.WithCancel(ctx)
			e.tails[key] = t
			go e.runTail(within, t)
		}
		t.names = names
	}
}

func (e *Engine) runTail(ctx context.Context, t *tail) {
	defer close(t.done)
	pause := time.Duration(0)
	for ctx.Err() == nil {
		read, err := e.followOnce(ctx, t)
		if ctx.Err() != nil {
			return
		}
		t.note(err)
		if read {
			pause = 0
		}
		if pause >= 4*time.Second { // again and again: as likely as not the cursor is gone with its file
			e.mu.Lock()
			delete(e.cursors, t.key)
			e.mu.Unlock()
		}
		pause = min(max(2*pause, 500*time.Millisecond), longestPause)
		e.Log.Warn("journalctl ended; it is run again", "matches", t.key, "error", err, "in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// followOnce runs journalctl until it ends, and says whether it told anything.
func (e *Engine) followOnce(ctx context.Context, t *tail) (read bool, err error) {
	args := slices.Concat(e.Journalctl[1:], []string{"--output=json", "--follow", "--no-tail", "--all", "--quiet",
		"--output-fields=MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,SYSLOG_PID,_PID,_SOURCE_REALTIME_TIMESTAMP"})
	e.mu.Lock()
	if cursor := e.cursors[t.key]; cursor != "" {
		args = append(args, "--after-cursor="+cursor)
	} else {
		args = append(args, fmt.Sprintf("--since=@%d", time.Now().Add(-e.longestFind(t.names)).Unix()))
	}
	e.mu.Unlock()
	cmd := exec.CommandContext(ctx, e.Journalctl[0], append(args, t.args...)...) //nolint:gosec // journalctl, with matches that were checked to be some
	var said bytes.Buffer
	cmd.Stderr = &limited{w: &said, left: 4096}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 64<<10), mostMessage)
	for lines.Scan() {
		if e.entry(t, lines.Bytes()) {
			if !read {
				t.note(nil)
			}
			read = true
		}
	}
	err = lines.Err()
	if err != nil { // an entry that is too long: go on behind it the hard way
		_ = cmd.Process.Kill()
	}
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if text := strings.TrimSpace(said.String()); text != "" {
		err = errors.Join(errors.New("journalctl: "+text), err)
	}
	return read, err
}

func (e *Engine) longestFind(names []string) (d time.Duration) {
	for _, name := range names {
		if j := e.jails[name]; j != nil {
			d = max(d, j.FindTime)
		}
	}
	return d
}

// limited takes what fits and drops the rest.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	_, err := l.w.Write(b[:n])
	return len(b), err
}

// entry is what we ask of an entry of the journal.
type entry struct {
	Cursor   string          `json:"__CURSOR"`
	Received string          `json:"__REALTIME_TIMESTAMP"` // microseconds
	Made     string          `json:"_SOURCE_REALTIME_TIMESTAMP"`
	Message  json.RawMessage `json:"MESSAGE"`
	Host     string          `json:"_HOSTNAME"`
	Name     string          `json:"SYSLOG_IDENTIFIER"`
	Command  string          `json:"_COMM"`
	LogPID   string          `json:"SYSLOG_PID"`
	PID      string          `json:"_PID"`
}

// entry takes one entry for all jails of a tail.
func (e *Engine) entry(t *tail, data []byte) bool {
	var x entry
	if json.Unmarshal(data, &x) != nil || x.Cursor == "" {
		return false
	}
	line, at := x.line(), x.time()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tick()
	for _, name := range t.names {
		if j := e.jails[name]; j != nil && len(line) > 0 {
			j.lines++
			if failure, ok := j.filter(t.key, false).MatchAt(line, at, e.book.now); ok {
				e.book.fail(j.Name, failure, line)
			}
		}
	}
	e.cursors[t.key], e.changed = x.Cursor, true
	e.tick()
	return true
}

// line is an entry as a line of a log, without its time.
func (x entry) line() []byte {
	name, pid := x.Name, x.LogPID
	if name == "" {
		name = x.Command
	}
	if pid == "" {
		pid = x.PID
	}
	message := text(x.Message)
	if len(message) == 0 || name == "" {
		return message
	}
	head := x.Host + " " + name
	if pid != "" {
		head += "[" + pid + "]"
	}
	return append([]byte(head+": "), message...)
}

// text is a field: a string, or numbers of octets if it is not UTF-8.
func text(raw json.RawMessage) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) != nil {
		return nil
	}
	b := make([]byte, len(numbers))
	for i, n := range numbers {
		b[i] = byte(n)
	}
	return b
}

func (x entry) time() time.Time {
	for _, text := range []string{x.Made, x.Received} {
		if us, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.UnixMicro(us)
		}
	}
	return time.Now()
}
