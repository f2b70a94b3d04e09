//go:build linux

package watch

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hostward/bench/ban/authlog"
	"hostward/internal/host/hands"
)

// BenchmarkLines is what a line costs from the file to the book, nobody being
// banned.
func BenchmarkLines(b *testing.B) {
	dir := b.TempDir()
	var text bytes.Buffer
	if err := authlog.Write(&text, 200_000); err != nil {
		b.Fatal(err)
	}
	data, now := text.Bytes(), time.Now().Format(time.Stamp)
	for i := 0; i < len(data); i += bytes.IndexByte(data[i:], '\n') + 1 {
		copy(data[i:], now)
	}
	log := filepath.Join(dir, "auth.log")
	put := func(name, text string) {
		if os.MkdirAll(filepath.Dir(name), 0o700) != nil || os.WriteFile(name, []byte(text), 0o600) != nil {
			b.Fatal(name)
		}
	}
	put(log, string(data))
	put(filepath.Join(dir, "ban/jail.d/x.conf"), "[sshd]\nenabled = true\nmaxretry = 1000000\nbantime.increment = false\nfilter = sshd\nlogpath = "+log+"\n")
	e, err := Open(Config{Folder: filepath.Join(dir, "state"), Kernel: hands.NewBans(), Jails: NewReader(filepath.Join(dir, "ban"), "/etc/fail2ban").Jails})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	e.tick()
	jails, _, err := e.Config.Jails()
	if err != nil || len(jails) != 1 || jails[0].Fault != "" {
		b.Fatal(jails, err)
	}
	e.configure(jails)
	w := newWaker(b.Context())
	buf := make([]byte, chunk)
	for b.Loop() {
		e.followers = map[string]*follower{}
		e.sources(b.Context(), w)
		e.followers[log].caught = time.Now()
		for e.round(buf) {
			e.followers[log].caught = time.Now()
		}
	}
	lines := float64(e.jails["sshd"].lines)
	b.ReportMetric(lines/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(e.book.cells["sshd"].failures)/lines, "failures/line")
}
