package watch

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pen writes numbered lines under one path, as a log daemon does.
type pen struct {
	t    testing.TB
	path string
	f    *os.File
	n    int
}

func newPen(t testing.TB, path string) *pen {
	p := &pen{t: t, path: path}
	p.reopen()
	t.Cleanup(func() { p.f.Close() })
	return p
}

func (p *pen) reopen() {
	p.t.Helper()
	if p.f != nil {
		p.f.Close()
	}
	var err error
	if p.f, err = os.OpenFile(p.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pen) write(lines int) {
	p.t.Helper()
	var b bytes.Buffer
	for range lines {
		fmt.Fprintf(&b, "line %d\n", p.n)
		p.n++
	}
	if _, err := p.f.Write(b.Bytes()); err != nil {
		p.t.Fatal(err)
	}
}

// rename rotates: base.1 becomes base.2 and so on; the pen goes on in the old file
// until it reopens.
func (p *pen) rename() {
	for i := 30; i > 0; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", p.path, i), fmt.Sprintf("%s.%d", p.path, i+1))
	}
	if err := os.Rename(p.path, p.path+".1"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pen) copyTruncate() {
	for i := 30; i > 0; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", p.path, i), fmt.Sprintf("%s.%d", p.path, i+1))
	}
	b, err := os.ReadFile(p.path)
	if err == nil {
		err = os.WriteFile(p.path+".1", b, 0o600)
	}
	if err == nil {
		err = os.Truncate(p.path, 0)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// reader collects what a follower hands on.
type reader struct {
	f     *follower
	lines []string
}

func (r *reader) read() {
	buf := make([]byte, chunk)
	for r.f.read(buf, 1<<20, func(l []byte) { r.lines = append(r.lines, string(l)) }) {
	}
}

// again is a reader of another process.
func (r *reader) again() {
	kept := r.f.positions()
	r.f.close()
	r.f = resume(r.f.path, kept)
}

// numbered fails unless the lines are those from 0 to n-1, each once, in order.
func numbered(t *testing.T, lines []string, n int) {
	t.Helper()
	for i, l := range lines {
		if i >= n || l != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d of %d (%d wanted) is %.60q", i, len(lines), n, l)
		}
	}
	if len(lines) != n {
		t.Fatalf("%d lines of %d", len(lines), n)
	}
}

func TestRotationsLoseNothing(t *testing.T) {
	for name, story := range map[string]func(p *pen, r *reader){
		"written on":       func(p *pen, r *reader) { p.write(3); r.read(); p.write(2) },
		"renamed, created": func(p *pen, r *reader) { p.write(3); r.read(); p.rename(); p.reopen(); p.write(2) },
		"renamed, and still written": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.rename()
			p.write(4)
			r.read()
			p.reopen()
			p.write(2)
		},
		"renamed twice between two looks": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			for range 2 {
				p.write(2)
				p.rename()
				p.reopen()
				p.write(5)
			}
		},
		"copied and truncated": func(p *pen, r *reader) { p.write(3); r.read(); p.copyTruncate(); p.write(2) },
		"copied and truncated with something unread": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.write(4)
			p.copyTruncate()
			p.write(2)
		},
		"truncated, and longer than before": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.write(1)
			p.copyTruncate()
			p.write(400)
		},
		"copied and truncated twice": func(p *pen, r *reader) {
			for range 2 {
				p.write(3)
				r.read()
				p.write(4)
				p.copyTruncate()
				p.write(2)
				r.read()
			}
		},
		"copied and truncated twice between two looks": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			for range 2 {
				p.write(2)
				p.copyTruncate()
				p.write(5)
			}
		},
		"copied and truncated before anything was read": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.copyTruncate()
			r.read()
			p.write(4)
			p.copyTruncate()
			p.write(2)
		},
		"a copy that stays one": func(p *pen, r *reader) {
			p.write(30)
			r.read()
			b, _ := os.ReadFile(p.path)
			os.WriteFile(p.path+".1", b[:50], 0o600)
			r.read()
			os.WriteFile(p.path+".1", b, 0o600)
			r.read()
			p.write(2)
			r.read()
			r.again()
			r.read()
		},
		"restarted": func(p *pen, r *reader) { p.write(3); r.read(); r.again(); p.write(2) },
		"restarted, renamed meanwhile": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.write(7)
			p.rename()
			p.reopen()
			p.write(2)
			r.again()
		},
		"restarted, renamed twice meanwhile": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			for range 2 {
				p.write(7)
				p.rename()
				p.reopen()
				p.write(2)
			}
			r.again()
		},
		"restarted, truncated meanwhile": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.write(7)
			p.copyTruncate()
			p.write(90)
			r.again()
		},
		"restarted while the old one was still written": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.rename()
			p.write(2)
			r.read()
			r.again()
			p.write(2)
			r.read()
			p.reopen()
			p.write(3)
		},
		"gone for a while": func(p *pen, r *reader) {
			p.write(3)
			r.read()
			p.rename()
			r.read()
			r.read()
			p.reopen()
			p.write(3)
		},
		"written in pieces": func(p *pen, r *reader) {
			for _, piece := range []string{"li", "ne 0", "\nline", " 1\nline 2\r", "\n"} {
				p.f.WriteString(piece)
				r.read()
			}
			p.n = 3
			p.write(2)
		},
		"a piece before a restart": func(p *pen, r *reader) {
			p.write(2)
			p.f.WriteString("line ")
			r.read()
			r.again()
			p.f.WriteString("2\n")
			p.n = 3
			p.write(1)
		},
		"a hole": func(p *pen, r *reader) {
			p.write(2)
			r.read()
			p.f.Write(make([]byte, 700_000))
			r.read()
			p.f.Write(make([]byte, 10))
			p.write(2)
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "auth.log")
			p := newPen(t, path)
			r := &reader{f: begin(path, lookBack)}
			story(p, r)
			r.read()
			r.read()
			if name == "copied and truncated before anything was read" { // the copy is found when the new lines were read
				sortLines(r.lines)
			}
			numbered(t, r.lines, p.n)
			r.f.close()
		})
	}
}

// A writer that does not append writes on where it was, behind a hole.
func TestAHoleThatTruncatingLeftIsSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.log")
	p := newPen(t, path)
	p.f.Close()
	var err error
	if p.f, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	r := &reader{f: begin(path, lookBack)}
	p.write(5000)
	r.read()
	p.copyTruncate()
	p.write(10)
	r.read()
	numbered(t, r.lines, p.n)
}

func TestLongLinesAreCutAndNothingElseIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.log")
	p := newPen(t, path)
	r := &reader{f: begin(path, lookBack)}
	var want []string
	for _, n := range []int{10, maxLine - 1, maxLine, maxLine + 1, chunk - 70, chunk, 3*chunk + 17, 1 << 20, 5} {
		l := strings.Repeat("x", n)
		io.WriteString(p.f, l[:n/2])
		r.read()
		io.WriteString(p.f, l[n/2:]+"\nshort\n")
		r.read()
		want = append(want, l[:min(n, maxLine)], "short")
	}
	if !slices.Equal(r.lines, want) {
		for i, l := range r.lines {
			t.Logf("%d: %d octets", i, len(l))
		}
		t.Errorf("%d lines, want %d", len(r.lines), len(want))
	}
}

func TestAtFirstTheEndOfAFileIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.log")
	p := newPen(t, path)
	p.write(1000)
	r := &reader{f: begin(path, 45)} // of lines with nine octets, the first is cut
	r.read()
	if want := []string{"line 996", "line 997", "line 998", "line 999"}; !slices.Equal(r.lines, want) {
		t.Errorf("read %q", r.lines)
	}
}

func TestNamesOfRotatedFiles(t *testing.T) {
	for name, want := range map[string]bool{"auth.log.1": true, "auth.log-20261127": true, "auth-20261127.log": true, "auth.log.old": true, "auth.1.log": true,
		"auth.log.1.gz": false, "auth.log_ssl": false, "auth.log.d": false, "auth.log": false, "other.log.1": false, "auth.log-20261127.xz": false} {
		if got := rotated("auth.log", name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// 200,000 lines are written while the file is rotated in both ways and the reader
// is ended and begun again: each is read once. The race of copytruncate itself is
// not the reader's: nothing is written between copy and truncation here.
func TestNothingIsLostUnderLoad(t *testing.T) {
	const total = 200_000
	path := filepath.Join(t.TempDir(), "auth.log")
	p := newPen(t, path)
	r := &reader{f: begin(path, lookBack)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		dice := rand.New(rand.NewPCG(1, 2))
		for p.n < total {
			p.write(min(1+dice.IntN(400), total-p.n))
			switch dice.IntN(25) {
			case 0:
				p.rename()
				p.write(min(dice.IntN(50), total-p.n))
				p.reopen()
			case 1:
				p.copyTruncate()
			}
			time.Sleep(time.Duration(dice.IntN(2000)) * time.Microsecond) // a load, not a condition
		}
	}()
	dice := rand.New(rand.NewPCG(3, 4))
	for end := time.Now().Add(time.Minute); len(r.lines) < total && time.Now().Before(end); {
		r.read()
		if dice.IntN(30) == 0 {
			r.again()
		}
		time.Sleep(time.Millisecond)
	}
	<-over
	r.read()
	sortLines(r.lines)
	numbered(t, r.lines, total)
}

func sortLines(lines []string) {
	slices.SortFunc(lines, func(a, b string) int { return number(a) - number(b) })
}

func number(line string) (n int) {
	_, _ = fmt.Sscanf(line, "line %d", &n)
	return n
}
