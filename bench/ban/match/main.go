// Match has the filter for sshd that Debian ships read a generated auth.log, by our
// package jail and, beside it in the same run, by fail2ban-regex:
//
//	go run ./bench/ban/match
//
// Both run on one processor, in turn. Time is that of the process on the processor,
// so that what else the machine does counts less; wall time is shown too.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"hostward/bench/ban/authlog"
	"hostward/internal/jail"
)

func main() {
	lines := flag.Int("n", 1_000_000, "lines that we read")
	theirs := flag.Int("theirs", 100_000, "lines that fail2ban-regex reads, the first of them; 0: do not ask it")
	rounds := flag.Int("rounds", 5, "how often we read them")
	config := flag.String("config", "/etc/fail2ban", "folder with the filter")
	filter := flag.String("filter", "sshd", "filter, perhaps with options: sshd[mode=aggressive]")
	flag.Parse()
	if err := run(*lines, *theirs, *rounds, *config, *filter); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(count, theirs, rounds int, config, spec string) error {
	runtime.GOMAXPROCS(1)
	var log bytes.Buffer
	if err := authlog.Write(&log, count); err != nil {
		return err
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(log.Bytes(), []byte("\n")), []byte("\n"))
	def, err := jail.ReadFilter(os.DirFS(config), spec)
	if err != nil {
		return err
	}
	fmt.Printf("%d lines, %.1f bytes each, filter %s with %d expressions\n", len(lines), float64(log.Len())/float64(len(lines)), spec, len(def.Fail))
	var rates []float64
	for range rounds {
		rate, err := read(def, lines)
		if err != nil {
			return err
		}
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	fmt.Printf("ours: median %.0f lines/s on one core (%.0f to %.0f)\n", rates[len(rates)/2], rates[0], rates[len(rates)-1])
	if theirs == 0 {
		return nil
	}
	rate, err := ask(config, spec, bytes.Join(lines[:min(theirs, len(lines))], nil), min(theirs, len(lines)))
	if err != nil {
		return err
	}
	fmt.Printf("ratio: %.0f times\n", rates[len(rates)/2]/rate)
	return nil
}

// read matches all lines and returns how many it does in a second.
func read(def jail.Definition, lines [][]byte) (rate float64, err error) {
	f, err := jail.NewFilter(def)
	if err != nil {
		return 0, err
	}
	f.SetMode(jail.Offline)
	now, failures := time.Now(), 0
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	wall, busy := time.Now(), spent()
	for _, line := range lines {
		if _, ok := f.Match(line, now); ok {
			failures++
		}
	}
	took, onCore := time.Since(wall), spent()-busy
	runtime.ReadMemStats(&after)
	rate = float64(len(lines)) / onCore.Seconds()
	fmt.Printf("ours: %d failures, %.0f lines/s (%.0f by the clock on the wall), %.0f ns a line, %.2f allocations a line, gave up %d times\n",
		failures, rate, float64(len(lines))/took.Seconds(), float64(onCore.Nanoseconds())/float64(len(lines)), float64(after.Mallocs-before.Mallocs)/float64(len(lines)), f.GaveUp())
	return rate, nil
}

// ask has fail2ban-regex read the lines.
func ask(config, spec string, log []byte, count int) (rate float64, err error) {
	folder, err := os.MkdirTemp("", "match")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "auth.log")
	if err := os.WriteFile(path, log, 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(context.Background(), "fail2ban-regex", "--config", config, "--print-no-missed", "--print-no-ignored", "--usedns", "raw", path, spec) //nolint:gosec // what the caller named
	wall := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("fail2ban-regex: %w\n%s", err, out)
	}
	took := time.Since(wall)
	onCore := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	last := bytes.TrimSpace(out)
	if i := bytes.LastIndex(last, []byte("Lines: ")); i >= 0 {
		last, _, _ = bytes.Cut(last[i:], []byte("\n"))
	}
	rate = float64(count) / onCore.Seconds()
	fmt.Printf("fail2ban-regex: %s: %.0f lines/s (%.0f by the clock on the wall), its start included\n", last, rate, float64(count)/took.Seconds())
	return rate, nil
}
