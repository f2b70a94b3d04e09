package store_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// child is this test binary running one test in another process.
func child(t *testing.T, test string, env ...string) *osexec.Cmd {
	t.Helper()
	cmd := osexec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestChildWrites is what the crash tests kill: it commits rows for ever and
// says so after each commit.
func TestChildWrites(t *testing.T) {
	url := os.Getenv("HOSTWARD_TEST_WRITES")
	if url == "" {
		t.Skip("only as a child of TestKillLosesNothingAcknowledged")
	}
	s := storetest.Open(t, url, zones())
	w := storetest.Acquire(t, s)
	for n := count(t, s, "zone"); ; n++ {
		addZone(t, w, strconv.Itoa(n))
		fmt.Println("acknowledged", n)
	}
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		last := -1
		for round := range 3 {
			last = max(last, writeAndKill(t, url, 20+100*round))
			s := storetest.Open(t, url, zones())
			// The row after the last acknowledged one may be there: it was
			// committed, but its word did not get out.
			if n := count(t, s, "zone"); n != last+1 && n != last+2 {
				t.Fatalf("%d zones after %d was acknowledged", n, last)
			}
			w := storetest.Acquire(t, s)
			if ws := s.Warnings(); len(ws) > 0 {
				t.Errorf("a crash left warnings: %v", ws)
			}
			must(t, w.Close())
		}
	})
}

// writeAndKill returns the last acknowledged number.
func writeAndKill(t *testing.T, url string, after int) int {
	t.Helper()
	cmd := child(t, "TestChildWrites", "HOSTWARD_TEST_WRITES="+url)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	last, seen := -1, 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, n, _ := strings.Cut(lines.Text(), " ")
		if word != "acknowledged" {
			continue
		}
		last, err = strconv.Atoi(n)
		must(t, err)
		if seen++; seen == after {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || seen < after {
		t.Fatalf("the child ended by itself after %d rows: %v", seen, err)
	}
	return last
}

// TestChildFills fills a disk of its own, then makes room.
func TestChildFills(t *testing.T) {
	dir := os.Getenv("HOSTWARD_TEST_FILLS")
	if dir == "" {
		t.Skip("only as a child of TestAFullDiskLosesNothingAcknowledged")
	}
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600))
	url := "sqlite://" + filepath.ToSlash(filepath.Join(dir, "panel.db"))
	s := storetest.Open(t, url, zones())
	w := storetest.Acquire(t, s)
	done := 0
	for _, size := range []int{100_000, 1000, 10} {
		done = fill(t, w, done, size)
	}
	if n := count(t, s, "zone"); n != done {
		t.Errorf("%d zones on the full disk, %d were acknowledged", n, done)
	}
	must(t, os.Remove(ballast))
	addZone(t, w, "room")
	must(t, s.Close())
	again := storetest.Open(t, url, zones())
	if n := count(t, again, "zone"); n != done+1 {
		t.Errorf("%d zones after reopening, %d were acknowledged", n, done+1)
	}
	fmt.Println("filled with", done)
}

// fill writes pieces until the disk is full and returns how many were acknowledged.
func fill(t *testing.T, w *store.Writer, done, size int) int {
	t.Helper()
	ctx := t.Context()
	for {
		must(t, w.Begin(ctx))
		must(t, w.Savepoint(ctx))
		_, err := w.Exec(ctx, `INSERT INTO zone (id, image) VALUES ($1, $2)`, strconv.Itoa(done), bytes.Repeat([]byte{1}, size))
		if err == nil {
			_, err = w.Touched(ctx)
		}
		if err == nil {
			must(t, w.Release(ctx))
			err = w.Commit(ctx)
		}
		if err != nil {
			if !store.IsFull(err) {
				t.Fatalf("a full disk is taken for something else: %v", err)
			}
			if err := w.Commit(ctx); err == nil {
				t.Error("a transaction that met a full disk was committed")
			}
			must(t, w.Rollback(ctx))
			return done
		}
		done++
	}
}

func TestAFullDiskLosesNothingAcknowledged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a small tmpfs")
	}
	cmd := child(t, "TestChildFills", "HOSTWARD_TEST_FILLS="+t.TempDir())
	args := append([]string{"-m", "sh", "-c", `mount -t tmpfs -o size=8m none "$HOSTWARD_TEST_FILLS" && exec "$@"`, "sh"}, cmd.Args...)
	cmd.Args = append([]string{"unshare"}, args...)
	var err error
	cmd.Path, err = osexec.LookPath("unshare")
	must(t, err)
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "filled with") {
		t.Fatalf("%v\n%s", err, out)
	}
}
