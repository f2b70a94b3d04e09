package agent

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"hostward/internal/file"
	"hostward/internal/host"
)

// maxJournal is when lines that the panel has taken are dropped, in octets.
const maxJournal = 8 << 20

// journal is a file of entries, one line of JSON each, in a chain of hashes.
type journal struct {
	path string

	mu   sync.Mutex
	f    *os.File
	last host.Entry
	hash string // of the last line
	size int64
}

// openJournal reads the journal, cuts off a line that a crash left half, and
// refuses one whose chain is broken.
func openJournal(dir string) (*journal, error) {
	j := &journal{path: filepath.Join(dir, "journal")}
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j.f = f
	if j.size, err = j.read(0, func(e host.Entry, hash string) { j.last, j.hash = e, hash }); err != nil {
		return nil, errors.Join(fmt.Errorf("the agent's journal %s: %w", j.path, err), f.Close())
	}
	if err := errors.Join(f.Truncate(j.size), seekTo(f, j.size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

func seekTo(f *os.File, at int64) error {
	_, err := f.Seek(at, io.SeekStart)
	return err
}

// read calls each for every whole line behind seq, and returns where they end.
func (j *journal) read(after uint64, each func(e host.Entry, hash string)) (size int64, err error) {
	if err := seekTo(j.f, 0); err != nil {
		return 0, err
	}
	in := bufio.NewReader(j.f)
	var last host.Entry
	hash := ""
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		var e host.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return size, fmt.Errorf("line after %d cannot be read: %w", last.Seq, err)
		}
		if last.Seq > 0 && (e.Seq != last.Seq+1 || e.Prev != hash) {
			return size, fmt.Errorf("line %d does not follow line %d: a line was altered or removed", e.Seq, last.Seq)
		}
		last, hash = e, HashLine(line)
		size += int64(len(line))
		if e.Seq > after {
			each(e, hash)
		}
	}
}

// HashLine is the hash by which the next entry names a line, with or without its LF.
func HashLine(line []byte) string {
	sum := sha256.Sum256(bytes.TrimSuffix(line, []byte("\n")))
	return hex.EncodeToString(sum[:])
}

// add makes an entry durable and returns it as it stands.
func (j *journal) add(e host.Entry) (host.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq, e.Prev = j.last.Seq+1, j.hash
	line, err := json.Marshal(e)
	if err != nil {
		return e, err
	}
	line = append(line, '\n')
	if _, err = j.f.Write(line); err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		// Half a line may stand there: it is cut off again, or the next start does it.
		return e, errors.Join(fmt.Errorf("writing the agent's journal: %w", err), j.f.Truncate(j.size), seekTo(j.f, j.size))
	}
	j.last, j.hash, j.size = e, HashLine(line), j.size+int64(len(line))
	return e, nil
}

// after returns at most n entries behind seq. What the panel has taken is dropped
// once the file is large: the caller says by seq what that is.
func (j *journal) after(seq uint64, n int) ([]host.Line, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if seq > j.last.Seq {
		seq = 0 // who asks knows another journal: it is to see that this one began anew
	}
	lines := []host.Line{}
	if seq == j.last.Seq && j.size <= maxJournal {
		return lines, nil // as nearly always: nothing is read for it
	}
	_, err := j.read(seq, func(e host.Entry, hash string) {
		if len(lines) < n {
			lines = append(lines, host.Line{Entry: e, Hash: hash})
		}
	})
	if err == nil && j.size > maxJournal && seq > 0 && seq <= j.last.Seq {
		err = j.drop(seq)
	}
	return lines, errors.Join(err, seekTo(j.f, j.size))
}

// drop writes the file anew from the entry with number seq on, which stays: the
// next one names its hash.
func (j *journal) drop(seq uint64) error {
	all, err := os.ReadFile(j.path) //nolint:gosec // root names the folder
	if err != nil {
		return err
	}
	at := 0
	if _, err := j.read(0, func(e host.Entry, _ string) {
		if e.Seq < seq {
			at += bytes.IndexByte(all[at:], '\n') + 1
		}
	}); err != nil {
		return err
	}
	if err := file.Replace(j.path, all[at:], 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_RDWR, 0o600) //nolint:gosec // root names the folder
	if err != nil {
		return err
	}
	old := j.f
	j.f, j.size = f, int64(len(all)-at)
	return old.Close()
}

func (j *journal) close() error { return j.f.Close() }
