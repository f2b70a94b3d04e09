package transfer

import "time"

// Limits bound what a server may send. Whatever it sends, not more is held
// than Octets says, some tens of octets for each record on top.
type Limits struct {
	Records  int           // 0: 2,000,000
	Octets   int64         // of names and data, uncompressed; 0: 256 MiB
	Messages int           // 0: 2,000,000, as some servers send one record a message
	Idle     time.Duration // without any message; 0: 30 s
	Total    time.Duration // 0: 1 h
}

func (l Limits) orDefault() Limits {
	if l.Records <= 0 {
		l.Records = 2_000_000
	}
	if l.Octets <= 0 {
		l.Octets = 256 << 20
	}
	if l.Messages <= 0 {
		l.Messages = 2_000_000
	}
	if l.Idle <= 0 {
		l.Idle = 30 * time.Second
	}
	if l.Total <= 0 {
		l.Total = time.Hour
	}
	return l
}
