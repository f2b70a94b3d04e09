package nameserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
)

func fresh(t testing.TB) *Server {
	t.Helper()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func small(i int, version uint64, address string) ChangeSet {
	name := rr.Name(fmt.Sprintf("z%d.test.", i))
	return ChangeSet{Zone: name, Version: version, Full: true, Set: []rr.RRset{
		{Name: name, Type: "SOA", TTL: 60, Data: []string{"ns. h. 1 2 3 4 5"}},
		{Name: "www." + name, Type: "A", TTL: 60, Data: []string{address}},
	}}
}

func keep(t testing.TB, s *Server, changes ...ChangeSet) {
	t.Helper()
	if err := s.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

func reopen(t testing.TB, folder string) *Server {
	t.Helper()
	s, err := New(Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t testing.TB, s *Server) {
	t.Helper()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func dumpAll(s *Server) map[string]any {
	out := map[string]any{}
	for key, slot := range s.zones.Load().all {
		img := slot.image.Load()
		m := dump(img)
		m["version"] = img.version
		out[key] = m
	}
	return out
}

func compactNow(t testing.TB, s *Server) {
	t.Helper()
	s.feed.Lock()
	err := s.disk.compact(s, true)
	s.feed.Unlock()
	s.disk.compacted.Wait()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheDiskBringsBackWhatWasServed(t *testing.T) {
	folder := t.TempDir()
	s := reopen(t, folder)
	for i := range 20 {
		keep(t, s, small(i, 1, "192.0.2.1"))
		if i == 10 {
			compactNow(t, s)
		}
	}
	keep(t, s, ChangeSet{Zone: "z3.test.", Version: 2, Drop: true}, small(4, 9, "192.0.2.9"))
	want := dumpAll(s)
	shut(t, s)
	back := reopen(t, folder)
	if diff := cmp.Diff(want, dumpAll(back)); diff != "" || len(back.aside) > 0 {
		t.Fatal(back.aside, diff)
	}
	compactNow(t, back)
	shut(t, back)
	again := reopen(t, folder)
	defer shut(t, again)
	if diff := cmp.Diff(want, dumpAll(again)); diff != "" {
		t.Error(diff)
	}
	if names, _ := os.ReadDir(folder); len(names) != 3 { // image, journal, secrets of cookies
		t.Errorf("%d files are left", len(names))
	}
}

// TestATornTailIsCut: wherever the journal ends, the zones before are back and
// writing goes on.
func TestATornTailIsCut(t *testing.T) {
	folder := t.TempDir()
	s := reopen(t, folder)
	keep(t, s, small(1, 1, "192.0.2.1"))
	path := s.disk.path("journal.", s.disk.number)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, s, small(2, 1, "192.0.2.1"))
	shut(t, s)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for end := before.Size(); end < int64(len(whole)); end += 7 {
		if err := os.WriteFile(path, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		s := reopen(t, folder)
		if s.Version("z1.test.") != 1 || s.Version("z2.test.") != 0 || len(s.aside) > 0 {
			t.Fatalf("cut at %d: versions %v, set aside %v", end, s.Versions(), s.aside)
		}
		keep(t, s, small(3, 1, "192.0.2.1"))
		shut(t, s)
		s = reopen(t, folder)
		if len(s.Versions()) != 2 {
			t.Fatalf("cut at %d and written on: %v", end, s.Versions())
		}
		shut(t, s)
	}
}

func TestABrokenFileIsSetAside(t *testing.T) {
	for _, kind := range []string{"image.", "journal."} {
		folder := t.TempDir()
		s := reopen(t, folder)
		keep(t, s, small(1, 1, "192.0.2.1"))
		compactNow(t, s)
		keep(t, s, small(2, 1, "192.0.2.1"), small(3, 1, "192.0.2.1"))
		keep(t, s, small(4, 1, "192.0.2.1"))
		path := s.disk.path(kind, s.disk.number)
		shut(t, s)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[10] ^= 1 // in the head
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s = reopen(t, folder)
		if len(s.aside) != 1 || !strings.HasSuffix(s.aside[0], ".broken") {
			t.Errorf("%s set aside: %v", kind, s.aside)
		}
		if _, err := os.Stat(filepath.Join(folder, filepath.Base(path)+".broken")); err != nil {
			t.Error(err)
		}
		keep(t, s, small(7, 1, "192.0.2.1"))
		shut(t, s)
		s = reopen(t, folder)
		if s.Version("z7.test.") != 1 {
			t.Errorf("%s: what was written after is lost: %v", kind, s.Versions())
		}
		shut(t, s)
	}
}

// FuzzThawed: octets that are no image are refused, whatever their sum says,
// and those that are taken can be asked.
func FuzzThawed(f *testing.F) {
	r := loaded(f, "")
	add := func(img *image) {
		b, err := img.frozen()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(r.zones().get(rr.Name("university.example.").Wire()).image.Load())
	s := fresh(f)
	if err := s.Apply(f.Context(), []ChangeSet{small(1, 1, "192.0.2.1")}); err != nil {
		f.Fatal(err)
	}
	if err := s.Apply(f.Context(), []ChangeSet{small(1, 2, "192.0.2.2")}); err != nil {
		f.Fatal(err)
	}
	add(s.zones.Load().get(rr.Name("z1.test.").Wire()).image.Load())
	f.Fuzz(func(_ *testing.T, b []byte) {
		if img, err := thawed(b); err == nil {
			for e := range img.names.all() {
				_ = e.body.parts(nil)
			}
		}
	})
}

// FuzzBlock: a block that is read is one that was written.
func FuzzBlock(f *testing.F) {
	var b bytes.Buffer
	_ = writeBlock(&b, []byte("payload"))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, err := readBlock(bytes.NewReader(b))
		if errors.Is(err, io.EOF) != (len(b) == 0) {
			t.Fatal(err)
		}
		if err == nil {
			var back bytes.Buffer
			_ = writeBlock(&back, payload)
			if !bytes.HasPrefix(b, back.Bytes()) {
				t.Fatalf("%x", b)
			}
		}
	})
}

// BenchmarkRestart is the start from the disk with 10,000 zones.
func BenchmarkRestart(b *testing.B) {
	folder := b.TempDir()
	s := reopen(b, folder)
	for i := range 100 {
		var some []ChangeSet
		for k := range 100 {
			some = append(some, small(100*i+k, 1, "192.0.2.1"))
		}
		if err := s.Apply(b.Context(), some); err != nil {
			b.Fatal(err)
		}
	}
	compactNow(b, s)
	shut(b, s)
	for b.Loop() {
		shut(b, reopen(b, folder))
	}
}
