package nameserver

import "sync/atomic"

// Stats is what the server has done since it started.
type Stats struct {
	Zones     int            `json:"zones"`
	Queries   uint64         `json:"queries"`          // answered, over UDP and TCP
	TCP       uint64         `json:"tcp"`              // of them over TCP
	Rcodes    map[int]uint64 `json:"rcodes,omitempty"` // answers by response code
	Truncated uint64         `json:"truncated"`
	Dropped   uint64         `json:"dropped"` // packets that are no question
	Panics    uint64         `json:"panics"`  // packets our own mistake left without answer; 0 is right
	Refused   uint64         `json:"refused"` // TCP connections over the limit
	Open      int64          `json:"open"`    // TCP connections now
}

const rcodes = 24 // up to BADCOOKIE, 23

// counters belong to one socket, so that sockets do not share cache lines.
type counters struct {
	rcode                           [rcodes]atomic.Uint64
	tcp, truncated, dropped, panics atomic.Uint64
	_                               [64]byte
}

func (c *counters) answered(rcode int, tc, tcp bool) {
	c.rcode[rcode%rcodes].Add(1)
	if tc {
		c.truncated.Add(1)
	}
	if tcp {
		c.tcp.Add(1)
	}
}

func (c *counters) addTo(s *Stats) {
	for i := range c.rcode {
		if n := c.rcode[i].Load(); n > 0 {
			s.Rcodes[i] += n
			s.Queries += n
		}
	}
	s.TCP += c.tcp.Load()
	s.Truncated += c.truncated.Load()
	s.Dropped += c.dropped.Load()
	s.Panics += c.panics.Load()
}
