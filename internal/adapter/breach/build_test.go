package breach_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"hostward/internal/adapter/breach"
	"hostward/internal/core"
)

func TestAFilterKnowsEveryPasswordOfItsList(t *testing.T) {
	const n = 20_000
	kinds := map[string]func(string) string{"SHA-1": sha1Hex, "NTLM": ntlmHex}
	for kind, hash := range kinds {
		byCount := newList(n, hash)
		for order, l := range map[string]list{"by count": byCount, "by hash": byCount.byHash(), "in no order": byCount.shuffled()} {
			for size, build := range map[string]builder{"one shard": whole, "many shards": small} {
				t.Run(kind+" "+order+", "+size, func(t *testing.T) {
					f, _ := built(t, build, l.text(), breach.Options{})
					if i := f.Info(); i.Kind != kind || i.Entries != n || f.Shards() > 1 != (size == "many shards") {
						t.Errorf("%+v, %d shards", i, f.Shards())
					}
					wantAll(t, f, 1, n)
				})
			}
		}
	}
}

// The library chooses its segments by size, and small sizes are its hardest.
func TestListsOfAllSmallSizesAreFoundWhole(t *testing.T) {
	lines := newList(150, sha1Hex).lines
	for n := 1; n <= len(lines); n++ {
		f, _ := built(t, whole, strings.Join(lines[len(lines)-n:], "\n"), breach.Options{})
		wantAll(t, f, 1, n)
		if f.Info().Entries != int64(n) {
			t.Errorf("%d entries, want %d", f.Info().Entries, n)
		}
	}
}

func TestFormsOfLinesMeanTheSame(t *testing.T) {
	want, _ := built(t, whole, sha1Hex("one")+":1\r\n"+sha1Hex("two")+":2\r\n", breach.Options{})
	for name, text := range map[string]string{
		"LF":                  sha1Hex("one") + ":1\n" + sha1Hex("two") + ":2\n",
		"no end":              sha1Hex("one") + ":1\n" + sha1Hex("two") + ":2",
		"no counts":           sha1Hex("one") + "\r\n" + sha1Hex("two"),
		"counts here or not":  sha1Hex("one") + "\n" + sha1Hex("two") + ":0007\n",
		"lower case":          strings.ToLower(sha1Hex("one")) + ":1\n" + sha1Hex("two") + ":2",
		"empty lines":         "\r\n\n" + sha1Hex("one") + ":1\n\n" + sha1Hex("two") + ":2\n\r\n\n",
		"the largest count":   sha1Hex("one") + ":9223372036854775807\n" + sha1Hex("two") + ":0",
		"one hash many times": strings.Repeat(sha1Hex("one")+":1\n", 5000) + strings.Repeat(sha1Hex("two")+"\n", 3),
	} {
		f, _ := built(t, whole, text, breach.Options{})
		if !holds(t, f, "one") || !holds(t, f, "two") || holds(t, f, "three") || f.Info().Entries != 2 || f.Info().Bytes != want.Info().Bytes {
			t.Errorf("%s: %+v", name, f.Info())
		}
	}
}

func TestHashesThatComeAgainCountOnce(t *testing.T) {
	const n = 3000
	l := newList(n, sha1Hex)
	f, _ := built(t, small, l.text()+l.shuffled().text()+l.byHash().text(), breach.Options{})
	once, _ := built(t, small, l.text(), breach.Options{})
	wantAll(t, f, 1, n)
	if i := f.Info(); i.Entries != n || i.Bytes > 2*once.Info().Bytes {
		t.Errorf("%+v, and once: %+v", i, once.Info())
	}
}

// A list with hashes in one corner only makes shards without any key.
func TestShardsWithoutKeysHoldNothing(t *testing.T) {
	var lines []string
	for i := 0; len(lines) < 150; i++ {
		if hash := sha1Hex(breached(i)); strings.HasPrefix(hash, "7F") {
			lines = append(lines, hash)
		}
	}
	f, _ := built(t, small, strings.Join(lines, "\n"), breach.Options{})
	if f.Shards() != 256 || f.Info().Entries != 150 {
		t.Errorf("%d shards, %+v", f.Shards(), f.Info())
	}
	for _, line := range lines {
		wantHash(t, f, []byte(line))
	}
	if found := alarms(t, f, 10_000); found > 1 { // 39 of them come to the shard with keys
		t.Errorf("%d absent passwords are found", found)
	}
}

func TestRareHashesAreLeftOut(t *testing.T) {
	const n, least = 20_000, 15_000
	f, _ := built(t, small, newList(n, sha1Hex).shuffled().text(), breach.Options{Least: least})
	wantAll(t, f, least, n)
	if i := f.Info(); i.Entries != n-least+1 || i.Least != least {
		t.Errorf("%+v", i)
	}
	found := 0
	for i := 1; i < least; i++ {
		if holds(t, f, breached(i)) {
			found++
		}
	}
	if found > 5 { // expected: 0.23
		t.Errorf("%d passwords that were seen too seldom are found", found)
	}
	one, _ := built(t, whole, sha1Hex("uncounted")+"\n"+sha1Hex("counted")+":2", breach.Options{Least: 2})
	if holds(t, one, "uncounted") || !holds(t, one, "counted") {
		t.Error("a hash without a count does not count as seen once")
	}
}

func TestFilesFollowFromTheListAlone(t *testing.T) {
	l := newList(5000, sha1Hex)
	read := func(l list) (breach.Info, string) {
		f, path := built(t, small, l.text(), breach.Options{})
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return f.Info(), string(data[f.HeadSize():])
	}
	once, prints := read(l)
	again, _ := read(l)
	sorted, same := read(l.byHash())
	if once != again {
		t.Errorf("%+v and %+v of one list", once, again)
	}
	if prints != same || once.Source == sorted.Source || once.Digest == sorted.Digest {
		t.Errorf("another order of the same hashes: same fingerprints %v; %+v and %+v", prints == same, once, sorted)
	}
}

func TestWrongListsAreRefusedByLine(t *testing.T) {
	good := sha1Hex("one") + ":1\r\n"
	for name, c := range map[string]struct{ text, says string }{
		"empty":                   {"", "is empty"},
		"only ends of lines":      {"\r\n\n\r\n", "is empty"},
		"no hex":                  {good + "G" + sha1Hex("secret")[1:] + ":1\n", "line 2 of the list: it has a character that is no hex digit"},
		"too short":               {good + good + "ABCDEF12:5\n", "line 3 of the list: it begins with 8 characters"},
		"odd":                     {sha1Hex("secret") + "A:5\n", "line 1 of the list: it begins with 41 characters"},
		"one digit missing":       {good + sha1Hex("secret")[1:] + ":5\n", "line 2 of the list: it begins with 39 characters"},
		"another kind":            {good + ntlmHex("secret") + ":1\n", "line 2 of the list: it has a hash of the kind NTLM, and the list began with SHA-1"},
		"the other way":           {ntlmHex("secret") + ":1\n" + good, "line 2 of the list: it has a hash of the kind SHA-1"},
		"a negative count":        {good + sha1Hex("secret") + ":-1\n", "line 2 of the list: its count is no whole number"},
		"a count with a sign":     {sha1Hex("secret") + ":+1\n", "its count is no whole number"},
		"no count after a colon":  {sha1Hex("secret") + ":\n", "its count is no whole number"},
		"a count that is a word":  {sha1Hex("secret") + ":many\n", "its count is no whole number"},
		"too large a count":       {sha1Hex("secret") + ":9223372036854775808\n", "its count is no whole number"},
		"blanks":                  {sha1Hex("secret") + ": 1\n", "its count is no whole number"},
		"more after the count":    {sha1Hex("secret") + ":1:2\n", "its count is no whole number"},
		"a NUL byte":              {good + "\x00" + good, "line 2 of the list: it has a NUL byte"},
		"UTF-16":                  {"\xff\xfeA\x00B\x00\r\x00\n\x00", "line 1 of the list: it has a NUL byte"},
		"a long line":             {good + "\n" + strings.Repeat("A", 81), "line 3 of the list: it has more than 80 characters"},
		"a very long line":        {good + strings.Repeat("A", 3<<20), "line 2 of the list: it has more than 80 characters"},
		"passwords":               {"secret-hunter2\n", "line 1 of the list: it begins with 14 characters"},
		"ends of lines by CR":     {strings.ReplaceAll(good+good, "\n", ""), "more than 80 characters"},
		"nothing seen so often":   {good, "no hash that was seen at least 5 times, in 1 lines"},
		"hashes all in one place": {strings.Repeat(good, 1001), "is too large or too uneven"},
	} {
		path := filepath.Join(t.TempDir(), "filter")
		_, err := small(t.Context(), strings.NewReader(c.text), path, breach.Options{Least: map[string]int64{"nothing seen so often": 5}[name]})
		if core.CodeOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Sentence(), c.says) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
			continue
		}
		if strings.Contains(err.Error(), " of the list: ") && (!strings.Contains(err.Error(), "40 (SHA-1) or 32 (NTLM) hex digits") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", name, err)
		}
		wantOnly(t, path, nil)
	}
	if _, err := breach.Build(t.Context(), strings.NewReader(good), filepath.Join(t.TempDir(), "f"), breach.Options{Least: -1}); core.CodeOf(err) != core.Invalid {
		t.Errorf("-1 as the least: %v", err)
	}
}

func TestErrorsShowNothingOfTheLine(t *testing.T) {
	for _, line := range []string{"correct horse battery staple", "hunter2", sha1Hex("x") + ":hunter2", strings.Repeat("hunter2", 100), "hunter2\x00"} {
		_, err := breach.Build(t.Context(), strings.NewReader(line), filepath.Join(t.TempDir(), "f"), breach.Options{})
		if err == nil || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "correct") || strings.Contains(err.Error(), sha1Hex("x")[:8]) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// broken gives its text and then an error, or ends a context.
type broken struct {
	text io.Reader
	then func() error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.then()
	}
	return n, err
}

func TestAFailedBuildLeavesTheOldFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filter")
	if _, err := breach.Build(t.Context(), strings.NewReader(sha1Hex("old")), path, breach.Options{}); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := newList(5000, sha1Hex).text()
	lost := errors.New("the line is down")
	_, err = breach.BuildSmall(t.Context(), broken{strings.NewReader(text), func() error { return lost }}, path, breach.Options{})
	if !errors.Is(err, lost) {
		t.Errorf("%v, want %v", err, lost)
	}
	wantOnly(t, path, old)
	if _, err = small(t.Context(), strings.NewReader(text+"x"), path, breach.Options{}); err == nil {
		t.Error("a wrong last line was taken")
	}
	wantOnly(t, path, old)
}

func TestACancelledBuildLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filter")
	l := newList(20_000, sha1Hex)
	before, cancel := context.WithCancel(t.Context())
	cancel()
	reading, cancelReading := context.WithCancel(t.Context())
	building, cancelBuilding := context.WithCancel(t.Context())
	last, cancelLast := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx  context.Context
		list io.Reader
		told func(done, total int64)
	}{
		"before": {before, strings.NewReader(l.text()), nil},
		"while reading": {reading, broken{strings.NewReader(l.text()), func() error {
			cancelReading()
			return nil
		}}, nil},
		"while building": {building, strings.NewReader(l.text()), func(done, total int64) {
			if done == total {
				t.Error("went on to the end")
			} else if total > 0 && done > total*3/4 {
				cancelBuilding()
			}
		}},
		"at the end": {last, strings.NewReader(l.text()), func(done, total int64) {
			if done == total {
				cancelLast()
			}
		}},
	} {
		_, err := breach.BuildSmall(c.ctx, c.list, path, breach.Options{Progress: c.told})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		wantOnly(t, path, nil)
	}
}

func TestBuildsThatCannotBeWrittenFail(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{full, filepath.Join(dir, "absent", "filter")} {
		if _, err := breach.Build(t.Context(), strings.NewReader(sha1Hex("one")), path, breach.Options{}); err == nil {
			t.Errorf("%s was built", path)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestProgressGoesFromTheFirstByteToTheLast(t *testing.T) {
	text := newList(100_000, sha1Hex).text() // more than 4 MB
	for _, size := range []int64{0, int64(len(text)), 1} {
		var seen []int64
		last, total := int64(0), int64(0)
		told := func(done, of int64) {
			if done < last || of > 0 && done > of {
				t.Fatalf("%d of %d after %d", done, of, last)
			}
			seen, last, total = append(seen, done), done, of
		}
		if _, err := breach.BuildSmall(t.Context(), strings.NewReader(text), filepath.Join(t.TempDir(), "f"), breach.Options{Size: size, Progress: told}); err != nil {
			t.Fatal(err)
		}
		if last != int64(len(text)) || total != last || len(seen) < 4+256 {
			t.Errorf("size %d: %d calls, the last %d of %d", size, len(seen), last, total)
		}
	}
}

func TestTheFileIsForAllToRead(t *testing.T) {
	_, path := built(t, whole, sha1Hex("one"), breach.Options{})
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", stat.Mode(), err)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, s := range []string{sha1Hex("one") + ":1", ntlmHex("one"), sha1Hex("x") + ":-1", "", ":", "\x00", strings.Repeat("A", 80), sha1Hex("x") + ":99999999999999999999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kind, key, count, fault := breach.ParseLine(text)
		if fault != "" {
			return
		}
		digits, given, counted := bytes.Cut(bytes.ToUpper(text), []byte(":"))
		if len(digits) != map[string]int{"SHA-1": 40, "NTLM": 32}[kind] || fmt.Sprintf("%016X", key) != string(digits[:16]) {
			t.Fatalf("%q gave %s, %016X", text, kind, key)
		}
		if want := string(bytes.TrimLeft(given, "0")); counted && fmt.Sprint(count) != want && (count != 0 || want != "") || !counted && count != 1 {
			t.Fatalf("%q gave the count %d", text, count)
		}
	})
}

// FuzzBuild wants every hash of a list that is taken to be found.
func FuzzBuild(f *testing.F) {
	l := newList(40, sha1Hex)
	f.Add([]byte(l.text()), int64(0))
	f.Add([]byte(l.byHash().text()), int64(20))
	f.Add([]byte(newList(3, ntlmHex).text()), int64(1))
	f.Add([]byte("\n"+sha1Hex("one")+"\n\n"+sha1Hex("one")), int64(1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, least int64) {
		path := filepath.Join(dir, "filter")
		info, err := breach.BuildSmall(t.Context(), bytes.NewReader(text), path, breach.Options{Least: least})
		if err != nil {
			return
		}
		filter := opened(t, path)
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			line = bytes.TrimSuffix(line, []byte("\r"))
			kind, _, count, fault := breach.ParseLine(line)
			if len(line) == 0 || count < least {
				continue
			}
			if fault != "" || kind != info.Kind {
				t.Fatalf("%q was taken", line)
			}
			wantHash(t, filter, line)
		}
	})
}
