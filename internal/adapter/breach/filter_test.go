package breach_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"hostward/internal/adapter/breach"
)

// wantHash looks up the hash that a line begins with.
func wantHash(t *testing.T, f *breach.Filter, line []byte) {
	t.Helper()
	digits, _, _ := bytes.Cut(line, []byte(":"))
	hash, err := hex.DecodeString(string(digits))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := f.HoldsHash(hash); err != nil || !found {
		t.Fatalf("%s is not found: %v", digits, err)
	}
}

// The hashes were made with sha1sum, and with iconv and openssl md4.
func TestPasswordsAreHashedAsTheListsAre(t *testing.T) {
	for text, kind := range map[string]string{
		"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9\n39726414CBB541D559ABC64540D37B663BCC75DE:2\n": "SHA-1",
		"8846F7EAEE8FB117AD06BDD830B7586C:9\nA395E2E215E896A8EC4B1657B229F081:2\n":                 "NTLM",
	} {
		f, _ := built(t, whole, text, breach.Options{})
		if f.Info().Kind != kind || !holds(t, f, "password") || !holds(t, f, "pässwörd😀") || holds(t, f, "Password") {
			t.Errorf("%+v does not know the passwords of its list", f.Info())
		}
		if _, err := f.Holds("no \xff UTF-8 \xed\xa0\x80"); err != nil {
			t.Error(err)
		}
		if holds(t, f, "") {
			t.Error("the empty password is found")
		}
	}
}

func TestFalseAlarmsAreRare(t *testing.T) {
	const n = 1_000_000
	f, _ := built(t, whole, newList(n, sha1Hex).text(), breach.Options{})
	if found := alarms(t, f, n); found >= n/10_000 || found == 0 { // 15 expected; none would be a look-up that finds nothing
		t.Errorf("%d of %d absent passwords are found", found, n)
	}
	if i := f.Info(); i.Bytes > 2_400_000 {
		t.Errorf("%d bytes for %d hashes", i.Bytes, n)
	}
}

func TestAFilterReadAtEachLookUpAnswersTheSame(t *testing.T) {
	const n = 5000
	f, path := built(t, small, newList(n, sha1Hex).text(), breach.Options{})
	if f.Mapped() != (runtime.GOOS != "windows") {
		t.Errorf("mapped: %v", f.Mapped())
	}
	u, err := breach.OpenUnmapped(path)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	wantAll(t, u, 1, n)
	for i := range 100_000 {
		if p := fmt.Sprint("absent-", i); holds(t, u, p) != holds(t, f, p) {
			t.Fatalf("%q is in one of them only", p)
		}
	}
}

func TestHashesOfAnotherKindAreRefused(t *testing.T) {
	f, _ := built(t, whole, sha1Hex("one"), breach.Options{})
	for _, size := range []int{0, 8, 16, 19, 21} {
		if found, err := f.HoldsHash(make([]byte, size)); err == nil || found {
			t.Errorf("a hash of %d bytes: %v, %v", size, found, err)
		}
	}
}

func TestInfoNamesTheListAndTheFile(t *testing.T) {
	text := newList(1000, sha1Hex).text()
	f, path := built(t, small, text, breach.Options{Least: 3})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := f.HeadSize()
	want := breach.Info{Kind: "SHA-1", Entries: 998, Least: 3, Bytes: int64(len(data)),
		Digest: fmt.Sprintf("%x", sha256.Sum256(data[:head-32])), Source: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
	if f.Info() != want {
		t.Errorf("%+v, want %+v", f.Info(), want)
	}
	if err := f.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnyAlteredByteIsFound(t *testing.T) {
	f, path := built(t, small, newList(800, sha1Hex).text(), breach.Options{})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad, head := filepath.Join(t.TempDir(), "bad"), int(f.HeadSize())
	for i := range data {
		data[i] ^= 0x10
		err := openAndVerify(t, bad, data)
		data[i] ^= 0x10
		switch {
		case err == nil:
			t.Fatalf("byte %d was altered and nobody noticed", i)
		case (i < head) != strings.Contains(err.Error(), "opening"):
			t.Fatalf("byte %d, with a head of %d: %v", i, head, err)
		}
	}
}

func TestFilesOfAnotherLengthAreNotOpened(t *testing.T) {
	_, path := built(t, small, newList(200, sha1Hex).text(), breach.Options{})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad")
	for n := range data {
		if err := openAndVerify(t, bad, data[:n]); err == nil || !strings.Contains(err.Error(), "opening") {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
	if err := openAndVerify(t, bad, append(data, 0)); err == nil {
		t.Error("one byte more was taken")
	}
}

func openAndVerify(t *testing.T, path string, data []byte) error {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := breach.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Verify(t.Context())
}

func TestWhatIsNoFilterSaysSo(t *testing.T) {
	dir := t.TempDir()
	if _, err := breach.Open(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := breach.Open(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	_, good := built(t, small, newList(10, sha1Hex).text(), breach.Options{})
	miscounted, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	miscounted[16]++ // entries
	if err := openAndVerify(t, filepath.Join(dir, "f"), breach.Completed(miscounted)); err == nil || !strings.Contains(err.Error(), "its numbers are impossible") {
		t.Errorf("a wrong number of entries: %v", err)
	}
	later := []byte("hwbreach\x02" + strings.Repeat("\x00", 500))
	for says, data := range map[string][]byte{
		"it is no filter":                  []byte(newList(50, sha1Hex).text()),
		"it ends after 0 bytes":            nil,
		"version 2, this program knows":    later,
		"kind 9, this program knows kinds": breach.Completed(append([]byte(strings.Repeat("\x00", 12)+"\x09"), make([]byte, 500)...)),
		"its numbers are impossible":       breach.Completed(append([]byte(strings.Repeat("\x00", 12)+"\x01"), make([]byte, 500)...)),
		"its table is impossible":          breach.Completed(append(make([]byte, 104+8), append(bytes.Repeat([]byte{7}, 12), make([]byte, 500)...)...)),
	} {
		if err := openAndVerify(t, filepath.Join(dir, "f"), data); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestVerifySeesWhatChangedAfterOpening(t *testing.T) {
	_, path := built(t, small, newList(200, sha1Hex).text(), breach.Options{})
	_, other := built(t, small, newList(200, ntlmHex).text(), breach.Options{})
	f := opened(t, path)
	data, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, data)
	if err := f.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "not the one that was opened") {
		t.Errorf("another filter was written over the open one: %v", err)
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	f, _ := built(t, small, newList(200, sha1Hex).text(), breach.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// overwrite writes into the file itself, as cp does.
func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAShortenedFileIsAnErrorAndNoCrash(t *testing.T) {
	for name, open := range map[string]func(string) (*breach.Filter, error){"mapped": breach.Open, "unmapped": breach.OpenUnmapped} {
		_, path := built(t, whole, newList(20_000, sha1Hex).text(), breach.Options{})
		f, err := open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		overwrite(t, path, nil)
		if found, err := f.Holds(breached(1)); err == nil || found {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		if err := f.Verify(t.Context()); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func TestAnOpenFilterOutlivesItsReplacement(t *testing.T) {
	f, path := built(t, small, newList(1000, sha1Hex).text(), breach.Options{})
	if runtime.GOOS == "windows" {
		return // does not rename over an open file
	}
	if _, err := breach.Build(t.Context(), strings.NewReader(ntlmHex("new")), path, breach.Options{}); err != nil {
		t.Fatal(err)
	}
	wantAll(t, f, 1, 1000)
	if n := opened(t, path); n.Info().Kind != "NTLM" || !holds(t, n, "new") {
		t.Errorf("%+v", n.Info())
	}
}

func TestLookUpsAfterCloseAreErrors(t *testing.T) {
	f, path := built(t, whole, sha1Hex("one"), breach.Options{})
	info := f.Info()
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := f.Holds("one"); found || !errors.Is(err, breach.ErrClosed) {
		t.Errorf("%v, %v", found, err)
	}
	if err := f.Verify(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if f.Info() != info || opened(t, path).Info() != info {
		t.Error("the info changed")
	}
}

func TestManyLookUpTogetherWhileOneCloses(t *testing.T) {
	const n = 2000
	_, path := built(t, small, newList(n, sha1Hex).text(), breach.Options{})
	for range 50 {
		lookUpTogether(t, opened(t, path), n)
	}
}

// lookUpTogether looks up n passwords by several callers, of whom one closes
// the filter halfway; it returns when all have been told.
func lookUpTogether(t *testing.T, f *breach.Filter, n int) {
	const callers = 8
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for i := 1; ; i = i%n + 1 {
				found, err := f.Holds(breached(i))
				if errors.Is(err, breach.ErrClosed) {
					return
				}
				if err != nil || !found {
					t.Errorf("%q: %v, %v", breached(i), found, err)
					return
				}
				if i == n/2 {
					_ = f.Close()
				}
			}
		})
	}
	wait.Wait()
}

// The reader in testdata was written from doc.go; if it agrees, the text says enough.
func TestAReaderWrittenFromTheDocumentAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: doc.go was not tried from outside")
	}
	const n = 3000
	for _, build := range []builder{whole, small} {
		f, path := built(t, build, newList(n, sha1Hex).text(), breach.Options{})
		var ask, want strings.Builder
		for i := range 50_000 {
			p := breached(i)
			fmt.Fprintln(&ask, p)
			fmt.Fprintln(&want, map[bool]string{true: "yes", false: "no"}[holds(t, f, p)])
		}
		run := exec.Command(python, "testdata/holds.py", path)
		run.Stdin = strings.NewReader(ask.String())
		if got, err := run.CombinedOutput(); err != nil || string(got) != want.String() {
			t.Errorf("%d shards: %v, %.500s", f.Shards(), err, got)
		}
	}
}

// FuzzOpen gives arbitrary files the digests that let them get further.
func FuzzOpen(f *testing.F) {
	for _, n := range []int{1, 2, 50, 400} {
		_, path := built(f, small, newList(n, sha1Hex).text(), breach.Options{})
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
		f.Add(data[:len(data)-1], false)
	}
	f.Add([]byte("hwbreach"), false)
	f.Add(make([]byte, 1000), true)
	path := filepath.Join(f.TempDir(), "filter")
	f.Fuzz(func(t *testing.T, data []byte, complete bool) {
		if complete {
			data = breach.Completed(data)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(string) (*breach.Filter, error){breach.Open, breach.OpenUnmapped} {
			filter, err := open(path)
			if err != nil {
				continue
			}
			defer filter.Close()
			for i := range 300 {
				holds(t, filter, breached(i))
			}
			_ = filter.Verify(t.Context()) // either answer is right
		}
	})
}

func BenchmarkHolds(b *testing.B) {
	for kind, hash := range map[string]func(string) string{"SHA-1": sha1Hex, "NTLM": ntlmHex} {
		f, _ := built(b, whole, newList(1_000_000, hash).text(), breach.Options{})
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				holds(b, f, "a password of ordinary length")
			}
		})
	}
}
