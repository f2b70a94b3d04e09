// Command breach measures the filter of breached passwords: a list in the
// format of the public one is generated, built and asked. Memory and time of
// the build are those of this process, which generates the list beforehand.
package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hostward/internal/adapter/breach"
)

var (
	hashes  = flag.Int("n", 10_000_000, "hashes of the list")
	absent  = flag.Int("absent", 2_000_000, "absent passwords to ask for")
	lookups = flag.Int("lookups", 2_000_000, "look-ups of each measurement")
	dir     = flag.String("dir", "", "folder on the disk to measure; default: a temporary one")
)

func main() {
	flag.Parse()
	base, err := os.MkdirTemp(*dir, "hostward-bench-")
	check(err)
	err = run(base)
	check(errors.Join(err, os.RemoveAll(base)))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func run(base string) error {
	list, path := filepath.Join(base, "list.txt"), filepath.Join(base, "filter")
	size, err := generate(list)
	if err != nil {
		return err
	}
	fmt.Printf("list: %d hashes, %.1f MB; peak memory so far %s\n", *hashes, mega(size), status("VmHWM"))
	if err := build(list, path, size); err != nil {
		return err
	}
	f, err := breach.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(verify(f), present(f), fast(f), alarms(f))
}

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }

// generate writes a list whose order is that of counts: hashes at random.
func generate(path string) (size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range *hashes {
		n, _ := fmt.Fprintf(w, "%X:%d\r\n", sha1.Sum([]byte(breached(i))), 1+*hashes/(i+1))
		size += int64(n)
	}
	return size, errors.Join(w.Flush(), f.Sync(), f.Close())
}

func breached(i int) string { return fmt.Sprintf("breached-%d", i) }

func build(list, path string, size int64) error {
	f, err := os.Open(list)
	if err != nil {
		return err
	}
	defer f.Close()
	began, half := time.Now(), time.Duration(0)
	info, err := breach.Build(context.Background(), f, path, breach.Options{Size: size, Progress: func(done, total int64) {
		if done <= total/2 {
			half = time.Since(began)
		}
	}})
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("built: %.1f s (%.1f s of it reading), %.2f million hashes/s; peak memory %s\n",
		took.Seconds(), half.Seconds(), float64(*hashes)/1e6/took.Seconds(), status("VmHWM"))
	fmt.Printf("filter: %s, %d entries, %.1f MB (wanted for 10 million: 25), %.3f bytes a hash\n",
		info.Kind, info.Entries, mega(info.Bytes), float64(info.Bytes)/float64(info.Entries))
	return nil
}

func verify(f *breach.Filter) error {
	began := time.Now()
	err := f.Verify(context.Background())
	fmt.Printf("verified: %.0f ms\n", float64(time.Since(began).Microseconds())/1e3)
	return err
}

// present asks for passwords of the list, spread over it.
func present(f *breach.Filter) error {
	step := max(1, *hashes / *lookups)
	asked := 0
	for i := 0; i < *hashes; i += step {
		found, err := f.Holds(breached(i))
		if err != nil || !found {
			return fmt.Errorf("%q is not found: %w", breached(i), err)
		}
		asked++
	}
	fmt.Printf("passwords of the list: %d asked, all found\n", asked)
	return nil
}

// fast measures look-ups, with the hashes made beforehand and with hashing.
func fast(f *breach.Filter) error {
	passwords, sums := make([]string, *lookups), make([][sha1.Size]byte, *lookups)
	for i := range passwords {
		passwords[i] = fmt.Sprintf("a longer password, number %d", i)
		sums[i] = sha1.Sum([]byte(passwords[i]))
	}
	alone, err := each(func(i int) (bool, error) { return f.HoldsHash(sums[i][:]) })
	if err != nil {
		return err
	}
	hashing, err := each(func(i int) (bool, error) { return f.Holds(passwords[i]) })
	fmt.Printf("look-up: %.0f ns the filter alone, %.0f ns with hashing (wanted: 1000); fastest of %d rounds\n", alone, hashing, rounds)
	return err
}

// rounds of look-ups are made, since others use the machine too.
const rounds = 5

// each returns nanoseconds a call, of the fastest round.
func each(ask func(i int) (bool, error)) (float64, error) {
	fastest := time.Duration(math.MaxInt64)
	for range rounds {
		began := time.Now()
		for i := range *lookups {
			if _, err := ask(i); err != nil {
				return 0, err
			}
		}
		fastest = min(fastest, time.Since(began))
	}
	return float64(fastest.Nanoseconds()) / float64(*lookups), nil
}

func alarms(f *breach.Filter) error {
	found := 0
	for i := range *absent {
		held, err := f.Holds(fmt.Sprintf("absent-%d", i))
		if err != nil {
			return err
		}
		if held {
			found++
		}
	}
	fmt.Printf("false alarms: %d of %d absent passwords, %.5f %% (wanted: below 0.01)\n", found, *absent, 100*float64(found)/float64(*absent))
	return nil
}

// status returns one value of this process's own (Linux only).
func status(name string) string {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	text, _ := io.ReadAll(f)
	_, after, _ := strings.Cut(string(text), name+":")
	value, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(value)
}
