package watch

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	lookBack  = 64 << 20        // octets that are read of a file that is new to us
	lingering = 5 * time.Minute // a rotated file is still read until it was quiet so long
	maxOld    = 8               // rotated files that are still read although they are quiet
	mostOld   = 100             // rotated files that are kept open
	slack     = time.Second     // by which times of files may be behind the clock
)

// Position is how far a file was read, as it is kept.
type Position struct {
	Path string   `json:"path"`
	ID   identity `json:"id"`
	At   int64    `json:"at"`
	Size int      `json:"size"` // of the mark
	Mark string   `json:"mark"` // digest of the last octets before At
	Cut  bool     `json:"cut,omitempty"`
	Old  bool     `json:"old,omitempty"` // it was rotated away
	Seen int64    `json:"seen"`          // Unix time in nanoseconds at which the path was looked at
}

// follower follows what is written under one path through rotations: by renaming,
// where the file under the path becomes another, and by copying and truncating.
type follower struct {
	path    string
	streams []*stream // in the order of writing; the last is the one under the path, if current
	current bool      // the last stream is the file under the path
	seen    time.Time // when the path was last looked at
	caught  time.Time // when everything was last read
	fault   error     // why the path cannot be read
	listed  time.Time // when its folder had last changed, as seen
}

// begin opens the file under a path for the first time. Back: it is one that was
// there before us, so that its end is read and not only what comes; otherwise
// all of it is.
func begin(path string, back int64) *follower {
	f := &follower{path: path, seen: time.Now()}
	s, err := open(path, 0)
	if err != nil {
		return f // looked at again
	}
	if info, err := s.f.Stat(); err == nil && back >= 0 && info.Size() > back {
		s.at, s.cut = info.Size()-back, true // within a line, as likely as not
		if back == 0 {
			s.cut = false
		}
	}
	f.streams, f.current = []*stream{s}, true
	return f
}

// resume goes on where a follower was: in the same file, in the one that it became,
// or in the copy that was made of it.
func resume(path string, kept []Position) *follower {
	f := &follower{path: path}
	for _, p := range kept {
		f.seen = time.Unix(0, p.Seen)
		if s := f.find(p); s != nil {
			f.streams, f.current = append(f.streams, s), false
		}
	}
	return f
}

// find opens the file that a position is of. Files that are renamed meanwhile may
// escape one look.
func (f *follower) find(p Position) (s *stream) {
	for range 3 {
		if s = f.findNow(p); s != nil {
			break
		}
	}
	return s
}

func (f *follower) findNow(p Position) *stream {
	var copies []*stream
	for _, path := range append([]string{f.path}, f.siblings()...) {
		s, err := open(path, 0)
		if err != nil {
			continue
		}
		switch s.cut = p.Cut; {
		case f.known(s.id) || p.Size == 0 && s.id != p.ID || !s.resume(p.At, p.Size, p.Mark):
			_ = s.f.Close()
		case s.id == p.ID:
			closeAll(copies)
			return s
		default:
			copies = append(copies, s)
		}
	}
	if len(copies) == 0 {
		return nil
	}
	closeAll(copies[1:])
	return copies[0]
}

func closeAll(streams []*stream) {
	for _, s := range streams {
		_ = s.f.Close()
	}
}

func (f *follower) known(id identity) bool {
	return slices.ContainsFunc(f.streams, func(s *stream) bool { return s.id == id })
}

// siblings are the files that the one under the path may have become, the newest
// first.
func (f *follower) siblings() []string {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return nil
	}
	type sibling struct {
		path string
		at   time.Time
	}
	var found []sibling
	for _, e := range entries {
		name := e.Name()
		if !rotated(filepath.Base(f.path), name) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			found = append(found, sibling{filepath.Join(filepath.Dir(f.path), name), info.ModTime()})
		}
	}
	slices.SortFunc(found, func(a, b sibling) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.path, b.path)) })
	paths := make([]string, len(found))
	for i, s := range found {
		paths[i] = s.path
	}
	return paths
}

// rotated says whether a name is one that rotating gives to a file, as in
// auth.log.1, auth.log-20261127 and auth-20261127.log.
func rotated(base, name string) bool {
	ext := filepath.Ext(base)
	if by, ok := strings.CutPrefix(name, base); ok && rotations.MatchString(by) {
		return true
	}
	by, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext))
	by, end := strings.CutSuffix(by, ext)
	return ok && end && rotations.MatchString(by)
}

var rotations = regexp.MustCompile(`^([-._]?[0-9][-._T:0-9]*|\.old|\.prev)$`)

// read hands on what was written since, at most about budget octets, and says
// whether there is more.
func (f *follower) read(buf []byte, budget int, line func([]byte)) (more bool) {
	if !f.drain(buf, &budget, line) { // first, so that little is left when it turns out to be rotated
		f.look()
		if !f.drain(buf, &budget, line) {
			f.caught = time.Now()
			f.retire(buf, line)
			return false
		}
	}
	return true
}

// drain reads all streams to their ends, and says whether the budget was too small.
func (f *follower) drain(buf []byte, budget *int, line func([]byte)) (more bool) {
	for i := 0; i < len(f.streams); i++ {
		s := f.streams[i]
		for {
			if *budget <= 0 {
				return true
			}
			before := s.at
			more, err := s.read(buf, line)
			*budget -= int(s.at - before)
			switch {
			case errors.Is(err, errOther):
				i = f.truncated(i)
			case err == nil && more:
				continue
			}
			break
		}
	}
	return false
}

// truncated takes a stream from its beginning, after what a copy of it still holds
// and what was written and truncated since, and returns the index behind which
// reading goes on.
func (f *follower) truncated(i int) int {
	s := f.streams[i]
	p := Position{At: s.at, Size: len(s.mark), Mark: s.digest(), Cut: s.cut}
	s.at, s.mark, s.cut = 0, nil, false
	var before []*stream
	if heir := f.find(p); heir != nil {
		before = append(before, heir)
	}
	f.streams = slices.Insert(f.streams, i, before...)
	if f.current {
		f.between(f.seen, s)
	}
	return i - 1
}

// look sees whether another file is under the path now.
func (f *follower) look() {
	before, now := f.seen, time.Now()
	info, err := os.Stat(f.path)
	f.fault = err
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			f.current, f.fault = false, nil
		}
		return
	}
	f.seen = now
	id := identify(info)
	if n := len(f.streams); n > 0 && f.streams[n-1].id == id {
		f.current = true
		if f.moved() {
			f.between(before, f.streams[n-1])
		}
		return
	}
	f.current = false
	if i := slices.IndexFunc(f.streams, func(s *stream) bool { return s.id == id }); i >= 0 { // moved back
		f.streams = append(slices.Delete(f.streams, i, i+1), f.streams[i])
		f.current = true
		return
	}
	s, err := open(f.path, 0)
	if f.fault = err; err == nil {
		f.streams, f.current = append(f.streams, s), true
		f.between(before, s)
	}
}

// moved says whether something came into the folder, or left it, since this was last
// asked. Its time is coarse: within a second of it more may have happened.
func (f *follower) moved() bool {
	info, err := os.Stat(filepath.Dir(f.path))
	if err != nil {
		return false
	}
	at := info.ModTime()
	moved := !at.Equal(f.listed) || time.Since(at) < slack
	f.listed = at
	return moved
}

// back reads once more the end of what was read, for somebody who is new to it.
func (f *follower) back(buf []byte, line func([]byte)) {
	now := f.streams[len(f.streams)-1]
	s := &stream{r: io.NewSectionReader(now.f, 0, now.at), at: max(0, now.at-lookBack)}
	s.cut = s.at > 0
	for more := true; more; {
		var err error
		if more, err = s.read(buf, line); err != nil {
			return // truncated just now
		}
	}
}

// between opens, in front of the last stream, the files that were written under the
// path since it was last looked at and that we never saw there: they were renamed, or
// copied and truncated. A copy of what is under the path now is none of them.
func (f *follower) between(since time.Time, now *stream) {
	var found []*stream
	head := now.head()
	for _, path := range f.siblings() {
		info, err := os.Stat(path)
		if err != nil || info.ModTime().Before(since.Add(-slack)) || f.known(identify(info)) {
			continue
		}
		s, err := open(path, 0)
		if err != nil {
			continue
		}
		if other := s.head(); len(other) == 0 || f.known(s.id) || len(head) > 0 && bytes.HasPrefix(other, head) || bytes.HasPrefix(head, other) {
			_ = s.f.Close()
			continue
		}
		found = append(found, s)
	}
	if !now.intact() { // its copy is among them, and was read: as soon as it is read again that is seen
		closeAll(found)
		return
	}
	slices.Reverse(found) // the oldest first
	last := len(f.streams) - 1
	f.streams = slices.Insert(f.streams, max(0, last), found...)
}

// retire closes rotated files that are quiet, and the oldest of too many.
func (f *follower) retire(buf []byte, line func([]byte)) {
	old := len(f.streams)
	if f.current {
		old--
	}
	for i := 0; i < old; {
		if s := f.streams[i]; old > mostOld || old > maxOld && time.Since(s.grew) > 2*slack || time.Since(s.grew) > lingering {
			s.last(buf, line)
			_ = s.f.Close()
			f.streams = slices.Delete(f.streams, i, i+1)
			old--
			continue
		}
		i++
	}
}

// positions are what resume takes.
func (f *follower) positions() []Position {
	var out []Position
	for i, s := range f.streams {
		out = append(out, Position{Path: f.path, ID: s.id, At: s.at, Size: len(s.mark), Mark: s.digest(), Cut: s.cut,
			Old: !f.current || i < len(f.streams)-1, Seen: f.seen.UnixNano()})
	}
	return out
}

func (f *follower) close() { closeAll(f.streams) }
