package nameserver

import (
	"net/netip"
	"time"
)

// asker is who sent a question, and how.
type asker struct {
	addr   netip.Addr
	stream bool // TCP or TLS
	tls    bool
}

// moment is the time as the packet path needs it: read once a batch.
type moment struct {
	unix uint32 // seconds
	ms   uint32 // of a clock that wraps
}

func momentOf(t time.Time) moment {
	return moment{uint32(t.Unix()), uint32(t.UnixMilli())}
}
