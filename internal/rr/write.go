package rr

import (
	"bufio"
	"fmt"
	"io"
)

// WriteZone writes a master file that ParseZone, and any other server, reads
// back to the same RRsets: origin and commonest TTL at the top, one record a
// line, owners written once.
func WriteZone(w io.Writer, z *Zone) error {
	b := bufio.NewWriter(w)
	common := commonTTL(z.Sets)
	fmt.Fprintf(b, "$ORIGIN %s\n$TTL %d\n", z.Origin, common)
	wide := ownerWidth(z)
	var last Name
	for _, s := range z.Sets {
		for _, d := range s.Data {
			owner := ""
			if s.Name != last {
				owner, last = s.Name.Relative(z.Origin), s.Name
			}
			ttl := ""
			if s.TTL != common {
				ttl = fmt.Sprintf("%d ", s.TTL)
			}
			fmt.Fprintf(b, "%-*s %s%-5s %s\n", wide, owner, ttl, s.Type, d)
		}
	}
	return b.Flush()
}

// commonTTL returns the TTL most sets have, the lower of two.
func commonTTL(sets []RRset) uint32 {
	count := map[uint32]int{}
	var best uint32
	for _, s := range sets {
		count[s.TTL]++
		if n := count[s.TTL]; n > count[best] || n == count[best] && s.TTL < best {
			best = s.TTL
		}
	}
	return best
}

func ownerWidth(z *Zone) int {
	const most = 32
	n := 1
	for _, s := range z.Sets {
		if l := len(s.Name.Relative(z.Origin)); l > n && l <= most {
			n = l
		}
	}
	return n
}
