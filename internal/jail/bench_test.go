package jail_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"hostward/bench/ban/authlog"
	"hostward/internal/jail"
)

// BenchmarkMatch has the filter for sshd that Debian ships read a generated log.
// An operation is one line.
func BenchmarkMatch(b *testing.B) {
	if _, err := os.Stat(shipped + "/filter.d/sshd.conf"); err != nil {
		b.Skip(err)
	}
	def, err := jail.ReadFilter(os.DirFS(shipped), "sshd")
	if err != nil {
		b.Fatal(err)
	}
	f, err := jail.NewFilter(def)
	if err != nil {
		b.Fatal(err)
	}
	f.SetMode(jail.Offline)
	var log bytes.Buffer
	if err := authlog.Write(&log, 100_000); err != nil {
		b.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(log.Bytes(), []byte("\n")), []byte("\n"))
	now := time.Now()
	b.SetBytes(int64(log.Len() / len(lines)))
	b.ReportAllocs()
	failures := 0
	for i := 0; b.Loop(); i++ {
		if _, ok := f.Match(lines[i%len(lines)], now); ok {
			failures++
		}
	}
	b.ReportMetric(float64(failures)/float64(b.N), "failures/op")
}
