package store_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
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
	onTmpfs(t, "TestChildFills", "HOSTWARD_TEST_FILLS", "filled with")
}

// onTmpfs runs a child test with a small file system of its own.
func onTmpfs(t *testing.T, test, variable, says string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for a small tmpfs")
	}
	dir := t.TempDir()
	cmd := child(t, test, variable+"="+dir)
	args := []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=8m none "$0" && exec "$@"`, dir}
	cmd.Args = append(args, cmd.Args...)
	var err error
	cmd.Path, err = osexec.LookPath("unshare")
	must(t, err)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), says) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// A backup that reads the file and closes it must not free our locks: the next
// client to leave would think itself the last and remove the log.
func TestALockOutlivesAForeignClose(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has locks that outlive a foreign close")
	}
	client, err := osexec.LookPath("sqlite3")
	if err != nil && os.Getenv("CI") != "true" && os.Getenv("HOSTWARD_TEST_FULL") != "1" {
		t.Skip("needs Debian's sqlite3")
	}
	must(t, err)
	url := storetest.SQLite(t)
	s := storetest.Open(t, url, zones())
	w := storetest.Acquire(t, s)
	addZone(t, w, "a")
	_, err = os.ReadFile(path(url))
	must(t, err)
	out, err := osexec.Command(client, path(url), "UPDATE zone SET serial = 7").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	addZone(t, w, "b")
	if n := count(t, storetest.Open(t, url, zones()), "zone"); n != 2 {
		t.Errorf("%d zones, 2 were acknowledged", n)
	}
}

// TestChildReads reads a copy on a file system that cannot be written.
func TestChildReads(t *testing.T) {
	dir := os.Getenv("HOSTWARD_TEST_READS")
	if dir == "" {
		t.Skip("only as a child of TestACopyOnAReadOnlyDiskCanBeRead")
	}
	url := "sqlite://" + filepath.ToSlash(filepath.Join(dir, "panel.db"))
	visit(t, url, zones(), func(s *store.Store, w *store.Writer) { addZone(t, w, "a") })
	must(t, osexec.Command("mount", "-o", "remount,ro", dir).Run())
	s, err := store.Open(t.Context(), store.Config{URL: url, ReadOnly: true})
	must(t, err)
	defer s.Close()
	fmt.Println("read", count(t, s, "zone"))
}

// A backup on a medium that cannot be written has no shared memory for the log.
func TestACopyOnAReadOnlyDiskCanBeRead(t *testing.T) {
	onTmpfs(t, "TestChildReads", "HOSTWARD_TEST_READS", "read 1")
}
