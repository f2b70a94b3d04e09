package breach_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hostward/internal/adapter/breach"
)

func sha1Hex(password string) string { return fmt.Sprintf("%X", sha1.Sum([]byte(password))) }

func ntlmHex(password string) string { return fmt.Sprintf("%X", breach.NTLM(password)) }

// list is a public list in the making: password number n was seen n times.
type list struct {
	lines []string
	end   string
}

// newList makes a list of "breached-1" to "breached-n", most frequent first.
func newList(n int, hash func(string) string) list {
	l := list{end: "\r\n"}
	for i := n; i > 0; i-- {
		l.lines = append(l.lines, fmt.Sprintf("%s:%d", hash(breached(i)), i))
	}
	return l
}

func breached(i int) string { return fmt.Sprintf("breached-%d", i) }

func (l list) byHash() list {
	l.lines = slices.Sorted(slices.Values(l.lines))
	return l
}

func (l list) shuffled() list {
	l.lines = slices.Clone(l.lines)
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(l.lines), func(i, j int) { l.lines[i], l.lines[j] = l.lines[j], l.lines[i] })
	return l
}

func (l list) text() string { return strings.Join(l.lines, l.end) + l.end }

// builder is Build or BuildSmall.
type builder = func(context.Context, *strings.Reader, string, breach.Options) (breach.Info, error)

func whole(ctx context.Context, r *strings.Reader, path string, o breach.Options) (breach.Info, error) {
	return breach.Build(ctx, r, path, o)
}

func small(ctx context.Context, r *strings.Reader, path string, o breach.Options) (breach.Info, error) {
	return breach.BuildSmall(ctx, r, path, o)
}

// built builds and opens a filter in a folder of its own.
func built(t testing.TB, build builder, text string, o breach.Options) (*breach.Filter, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filter")
	info, err := build(t.Context(), strings.NewReader(text), path, o)
	if err != nil {
		t.Fatal(err)
	}
	f := opened(t, path)
	if f.Info() != info {
		t.Errorf("built %+v, opened %+v", info, f.Info())
	}
	return f, path
}

func opened(t testing.TB, path string) *breach.Filter {
	t.Helper()
	f, err := breach.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func holds(t testing.TB, f *breach.Filter, password string) bool {
	t.Helper()
	found, err := f.Holds(password)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wantAll fails when one of "breached-from" to "breached-to" is not found.
func wantAll(t *testing.T, f *breach.Filter, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if !holds(t, f, breached(i)) {
			t.Fatalf("%q is not found", breached(i))
		}
	}
}

// alarms counts absent passwords that are found.
func alarms(t *testing.T, f *breach.Filter, absent int) (n int) {
	t.Helper()
	for i := range absent {
		if holds(t, f, fmt.Sprintf("absent-%d", i)) {
			n++
		}
	}
	return n
}

// wantOnly fails when the folder of path holds anything but path with data;
// with nil, when it holds anything.
func wantOnly(t *testing.T, path string, data []byte) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if data == nil && len(entries) == 0 {
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) || len(entries) != 1 {
		t.Errorf("the folder holds %v, %d bytes in %s, %v", entries, len(got), path, err)
	}
}
