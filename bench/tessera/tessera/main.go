// Command tessera measures github.com/transparency-dev/tessera with its POSIX
// driver: how fast entries are sequenced, and what a caller knows after kill -9.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"hostward/bench/tessera/load"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "victim" {
		victim(os.Args[2])
	}
	load.Rounds("20,000 entries, 1024 callers, batches of 256", batched(256, 100*time.Millisecond, 1024))
	load.Rounds("20,000 entries, 2048 callers, batches of 1024", batched(1024, 100*time.Millisecond, 2048))
	load.Rounds("20,000 entries, 64 callers, batches of 64", batched(64, 20*time.Millisecond, 64))
	load.Rounds("one caller that waits for each", alone)
	for range 5 {
		kill()
	}
}

// logAt is a running Tessera log.
type logAt struct {
	*tessera.Appender
	reader tessera.LogReader
	close  func()
}

func open(dir string, batch uint, age time.Duration) *logAt {
	ctx, cancel := context.WithCancel(context.Background())
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	load.Check(err)
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer(dir)).
		WithBatching(batch, age).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	load.Check(err)
	return &logAt{appender, reader, func() { load.Check(shutdown(context.Background())); cancel() }}
}

// signer keeps its key beside the log, so that a killed log can be opened again.
func signer(dir string) note.Signer {
	path := filepath.Join(filepath.Dir(dir), filepath.Base(dir)+".key")
	key, err := os.ReadFile(path)
	if err != nil {
		secret, _, err := note.GenerateKey(rand.Reader, "bench.example/log")
		load.Check(err)
		key = []byte(secret)
		load.Check(os.WriteFile(path, key, 0o600))
	}
	s, err := note.NewSigner(string(key))
	load.Check(err)
	return s
}

func batched(batch uint, age time.Duration, callers int) func(dir string) load.Result {
	return func(dir string) load.Result {
		l := open(dir, batch, age)
		begin := time.Now()
		work := make(chan int)
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for n := range work {
					_, err := l.Add(context.Background(), tessera.NewEntry([]byte(load.Text(n))))()
					load.Check(err)
				}
			})
		}
		for n := range load.Entries {
			work <- n
		}
		close(work)
		wg.Wait()
		return l.finish(begin, load.Entries)
	}
}

func alone(dir string) load.Result {
	l := open(dir, 1, 10*time.Millisecond)
	begin, n := time.Now(), 0
	for ; time.Since(begin) < load.Alone; n++ {
		_, err := l.Add(context.Background(), tessera.NewEntry([]byte(load.Text(n))))()
		load.Check(err)
	}
	return l.finish(begin, n)
}

func (l *logAt) finish(begin time.Time, count int) load.Result {
	r := load.Result{Count: count, Acknowledged: time.Since(begin)}
	published := time.Now()
	for size(l) < uint64(count) {
		time.Sleep(time.Millisecond)
	}
	r.Sealed = time.Since(published)
	l.close()
	return r
}

// size reads the size in the published checkpoint.
func size(l *logAt) uint64 {
	text, err := l.reader.ReadCheckpoint(context.Background())
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.Split(string(text), "\n")[1], 10, 64)
	return n
}

// victim adds entries with 64 callers until it is killed, and prints each that
// was acknowledged.
func victim(dir string) {
	l := open(dir, 64, 20*time.Millisecond)
	var mu sync.Mutex
	next := 0
	for range 64 {
		go func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				_, err := l.Add(context.Background(), tessera.NewEntry([]byte(load.Text(n))))()
				load.Check(err)
				mu.Lock()
				fmt.Println(n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// kill tells what a caller knows after kill -9 of the log, and what is there.
func kill() {
	top, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "tessera-kill-")
	load.Check(err)
	defer os.RemoveAll(top)
	dir := filepath.Join(top, "log")
	cmd := exec.Command(os.Args[0], "victim", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	load.Check(err)
	load.Check(cmd.Start())
	acknowledged := map[string]bool{}
	for scan := bufio.NewScanner(out); scan.Scan(); {
		acknowledged[scan.Text()] = true
		if len(acknowledged) == 3000 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	l := open(dir, 64, 20*time.Millisecond)
	present := entries(l)
	lost, unknown := 0, 0
	for n := range acknowledged {
		if present[n] == 0 {
			lost++
		}
	}
	for n := range present {
		if !acknowledged[n] {
			unknown++
		}
	}
	fmt.Printf("kill -9: %d acknowledged, %d of them lost, %d in the log that nobody was told of\n", len(acknowledged), lost, unknown)
	l.close()
}

// entries reads the whole log as it stands on the disk.
func entries(l *logAt) map[string]int {
	ctx := context.Background()
	total, err := l.reader.IntegratedSize(ctx)
	load.Check(err)
	out := map[string]int{}
	for i := uint64(0); i*layout.EntryBundleWidth < total; i++ {
		raw, err := l.reader.ReadEntryBundle(ctx, i, layout.PartialTileSize(0, i, total))
		load.Check(err)
		var bundle api.EntryBundle
		load.Check(bundle.UnmarshalText(raw))
		for _, e := range bundle.Entries {
			out[strings.TrimSpace(string(e))]++
		}
	}
	return out
}
