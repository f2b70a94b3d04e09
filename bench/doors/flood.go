package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"hostward/internal/store"
)

// flood tries to log in, many at once, from some networks under many names, and
// says what that took and what it left. Its end is known: so many attempts.
func flood() error {
	return temporary(func(dir string) error {
		p, err := open(dir)
		if err != nil {
			return err
		}
		defer p.Close()
		before, records := resident(), p.records()
		began := time.Now()
		var next, answered [3]atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for n := next[0].Add(1); n <= int64(*attempts); n = next[0].Add(1) {
					answered[class(p.try(elsewhere(int(n)%*sources), fmt.Sprint("name", n%5000), "not the password at all"))].Add(1)
				}
			})
		}
		all.Wait()
		took := time.Since(began)
		fmt.Printf("%d attempts from %d networks under 5000 names, 64 at once: %v, %.0f a second\n", *attempts, *sources, took.Round(time.Second), float64(*attempts)/took.Seconds())
		fmt.Printf("told that they are wrong %d, told to wait %d, anything else %d\n", answered[0].Load(), answered[1].Load(), answered[2].Load())
		fmt.Printf("records %d, lines for ban filters %d, memory %+.1f MB, database %.1f MB\n", p.records()-records, p.lines.lines, resident()-before, size(dir))
		return nil
	})
}

func class(status int) int {
	switch status {
	case http.StatusUnauthorized:
		return 0
	case http.StatusTooManyRequests:
		return 1
	}
	return 2
}

// resident is the heap after a collection, in MB.
func resident() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

func (p *panel) records() (n int) {
	s, err := p.Store.Snapshot(context.Background())
	if err != nil {
		return -1
	}
	defer func(s *store.Snapshot) { _ = s.Close() }(s)
	if err := s.QueryRow(context.Background(), `SELECT count(*) FROM ledger_entry`).Scan(&n); err != nil {
		return -1
	}
	return n
}

// size is that of the database's files, in MB.
func size(dir string) (mb float64) {
	files, _ := filepath.Glob(filepath.Join(dir, "panel.db*"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			mb += float64(info.Size()) / 1e6
		}
	}
	return mb
}
