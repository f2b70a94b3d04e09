package nameserver

import (
	"iter"
	"sync/atomic"
	"time"

	"hostward/internal/rr"
)

// Stats is what the server has done since it started.
type Stats struct {
	Zones     int            `json:"zones"`
	Queries   uint64         `json:"queries"`          // answered, over UDP and TCP
	TCP       uint64         `json:"tcp"`              // of them over TCP, TLS included
	TLS       uint64         `json:"tls"`              // of them over TLS
	Rcodes    map[int]uint64 `json:"rcodes,omitempty"` // answers by response code
	Truncated uint64         `json:"truncated"`
	Dropped   uint64         `json:"dropped"` // packets that are no question
	Panics    uint64         `json:"panics"`  // packets our own mistake left without answer; 0 is right
	Limited   uint64         `json:"limited"` // answers that were not sent, by the limit of their rate
	Slipped   uint64         `json:"slipped"` // answers that were sent truncated by it
	Known     uint64         `json:"known"`   // questions with a valid server cookie
	Strange   uint64         `json:"strange"` // questions with a server cookie that is not valid
	Expired   uint64         `json:"expired"` // answers for DO from a zone with expired signatures
	Refused   uint64         `json:"refused"` // TCP connections over a limit
	Open      int64          `json:"open"`    // TCP connections now

	Whole       uint64 `json:"whole"`       // zones that were sent to secondaries (AXFR, or IXFR where the history is too short)
	Differences uint64 `json:"differences"` // that were sent instead (IXFR)

	// ExpiredZones are zones with a signature that has expired. They are
	// served: whether to believe them is a validator's to say.
	ExpiredZones int `json:"expired_zones"`
}

// ZoneStatus says what is served of one zone.
type ZoneStatus struct {
	Zone    rr.Name `json:"zone"`
	Object  string  `json:"object,omitempty"`
	Version uint64  `json:"version"`
	Serial  uint32  `json:"serial"`
	Records int     `json:"records"` // signatures included
	Octets  int     `json:"octets"`  // in memory
	// Expires is when the first signature does; zero for a zone without.
	Expires time.Time `json:"expires,omitzero"`
}

// Status yields the status of each zone, in no order.
func (s *Server) Status() iter.Seq[ZoneStatus] {
	return func(yield func(ZoneStatus) bool) {
		for key, slot := range s.zones.Load().all {
			name, _, err := rr.NameFromWire([]byte(key))
			if err == nil && !yield(slot.image.Load().status(name)) {
				return
			}
		}
	}
}

func (img *image) status(name rr.Name) ZoneStatus {
	out := ZoneStatus{Zone: name, Object: img.object, Version: img.version, Serial: img.serial, Records: img.records, Octets: img.names.octets() + img.hashes.octets()}
	if img.soonest != noExpiry {
		out.Expires = time.Unix(int64(img.soonest), 0).UTC()
	}
	return out
}

const rcodes = 24 // up to BADCOOKIE, 23

// counters belong to one socket, so that sockets do not share cache lines.
type counters struct {
	rcode                           [rcodes]atomic.Uint64
	tcp, truncated, dropped, panics atomic.Uint64
	tls, limited, slipped           atomic.Uint64
	known, strange, expired         atomic.Uint64
	_                               [64]byte
}

func (c *counters) answered(rcode int, tc bool, from asker) {
	c.rcode[rcode%rcodes].Add(1)
	if tc {
		c.truncated.Add(1)
	}
	if from.stream {
		c.tcp.Add(1)
	}
	if from.tls {
		c.tls.Add(1)
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
	s.TLS += c.tls.Load()
	s.Limited += c.limited.Load()
	s.Slipped += c.slipped.Load()
	s.Known += c.known.Load()
	s.Strange += c.strange.Load()
	s.Expired += c.expired.Load()
}
