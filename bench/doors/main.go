// Command doors measures the doors: looking an address up among 100,000 networks,
// whether the time of a failed log-in tells anything about the name, and what a
// million attempts leave behind. Everything runs in this process, through the
// panel's own handler, on a house of its own in a temporary folder.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
)

var (
	networks = flag.Int("networks", 100_000, "networks to look an address up in")
	tries    = flag.Int("tries", 400, "failed log-ins of each kind whose time is compared")
	attempts = flag.Int("attempts", 1_000_000, "log-ins of the flood")
	sources  = flag.Int("sources", 100, "networks that the flood comes from")
	dir      = flag.String("dir", "", "folder on the disk to measure; default: a temporary one")
	only     = flag.String("only", "", "one part alone: access, timing or flood")
)

func main() {
	flag.Parse()
	for _, part := range []struct {
		name string
		run  func() error
	}{{"access", access}, {"timing", timing}, {"flood", flood}} {
		if *only != "" && *only != part.name {
			continue
		}
		fmt.Printf("-- %s\n", part.name)
		if err := part.run(); err != nil {
			log.Fatal(err)
		}
	}
}

// temporary runs f in a folder of its own.
func temporary(f func(dir string) error) error {
	base, err := os.MkdirTemp(*dir, "hostward-bench-")
	if err != nil {
		return err
	}
	return errors.Join(f(base), os.RemoveAll(base))
}
