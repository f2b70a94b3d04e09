package outside

import (
	"bufio"
	"io"
	"net/netip"
	"strings"
)

// SystemResolver reads the text of resolv.conf(5) and returns its first nameserver as
// Config.Resolver wants it, "" if there is none. What cannot be read is passed over, as
// the resolvers of the system do.
func SystemResolver(text io.Reader) string {
	lines := bufio.NewScanner(io.LimitReader(text, 1<<16))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			return netip.AddrPortFrom(a, 53).String()
		}
	}
	return ""
}
