// Package load is the work that both programs do: the same number of entries
// of the same size, with the same number of callers.
package load

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// Entries is how many are batched.
	Entries = 20_000
	// Size is how many bytes one has.
	Size = 600
	// Alone is how long one caller adds one entry after another.
	Alone = 4 * time.Second
)

// Text returns the n-th entry.
func Text(n int) string {
	return fmt.Sprintf("%-*d", Size, n)
}

// Rounds runs a measurement three times, each in a new folder on the disk
// named by BENCH_DIR (default: the temporary folder), and prints the median.
func Rounds(what string, measure func(dir string) Result) {
	var all []Result
	for range 3 {
		dir, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "tessera-bench-")
		Check(err)
		all = append(all, measure(dir))
		Check(os.RemoveAll(dir))
	}
	slices.SortFunc(all, func(a, b Result) int { return int(b.rate() - a.rate()) })
	hi, mid, lo := all[0], all[1], all[2]
	fmt.Printf("%-44s %7.0f/s (%.0f to %.0f)  checkpoint +%v\n", what, mid.rate(), lo.rate(), hi.rate(), mid.Sealed.Round(time.Millisecond))
}

// Result is one measurement.
type Result struct {
	Count        int
	Acknowledged time.Duration // until the last was acknowledged
	Sealed       time.Duration // from then until a checkpoint covers all
}

func (r Result) rate() float64 { return float64(r.Count) / r.Acknowledged.Seconds() }

// Check ends the program.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, strings.TrimSpace(err.Error()))
		os.Exit(1)
	}
}
