package house

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"hostward/internal/feature/login"
)

// failures writes the lines that ban filters read: fixed words, the address last,
// and nothing that the stranger could shape. A filter has enough after a few, so
// one network gets so many lines a minute, and all together so many more; what is
// held back is counted, and the next minute begins with the count. Every attempt
// is in the action log in any case.
type failures struct {
	to io.Writer

	mu    sync.Mutex
	began time.Time
	lines map[string]int // of a network, in this minute
	total int
	held  int
}

const (
	linesOfOne = 20
	linesOfAll = 1000
)

func (f *failures) write(x login.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(x.Time)
	from := customer(x.Address)
	if f.lines[from] >= linesOfOne || f.total >= linesOfAll {
		f.held++
		return
	}
	f.lines[from]++
	f.total++
	account := x.Account
	if account == "" {
		account = "unknown"
	}
	fmt.Fprintf(f.to, "%s hostward[panel]: failed login: account=%s reason=%s door=%s from %s\n",
		x.Time.UTC().Format(time.RFC3339), account, x.Why, x.Door, x.Address)
}

// turn begins another minute.
func (f *failures) turn(now time.Time) {
	if f.lines != nil && now.Sub(f.began).Abs() < time.Minute {
		return
	}
	if f.held > 0 {
		fmt.Fprintf(f.to, "%s hostward[panel]: %d more failed logins were not written here; the action log has them\n", now.UTC().Format(time.RFC3339), f.held)
	}
	f.began, f.lines, f.total, f.held = now, map[string]int{}, 0, 0
}

// customer is the network that one customer has at the least: an IPv4 address, or
// an IPv6 /64.
func customer(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
