package notice

import (
	"time"

	"hostward/internal/core"
)

// Notice is one notice as its owner sees it.
type Notice struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	Made    time.Time `json:"made"`
	Seen    time.Time `json:"seen,omitzero"`
}

func (n Notice) ref() core.Ref { return core.Ref{Kind: "notice", ID: n.ID} }

// Letter is a mail that waits to be sent.
type Letter struct {
	ID      string
	Account string // "": to nobody
	About   string // id of a notice, or the kind of a letter that a feature writes
	Address string // where it goes; "": to the account's own address
	Made    time.Time
	Tries   int

	Notice *Notice // what it says, for a letter about a notice
}

func (l Letter) ref() core.Ref { return core.Ref{Kind: "letter", ID: l.ID} }

// The states that the log's digests cover.
type (
	noticeState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		Subject string `json:"subject"`
		Text    string `json:"text"`
		Made    int64  `json:"made"`
		Seen    int64  `json:"seen"`
	}
	letterState struct {
		ID      string `json:"id"`
		Account string `json:"account"`
		About   string `json:"about"`
		Address string `json:"address"`
		Made    int64  `json:"made"`
		Tries   int    `json:"tries"`
		Due     int64  `json:"due"`
	}
)

const (
	mostKept = 100            // notices of one account; the oldest gives way
	lifetime = 24 * time.Hour // a letter that could not be sent for so long is dropped
	mostDue  = 50             // letters that are taken at once

	mostPosted = 5 // notices of one account and subject that go out by mail in a day
)

// pause is how long a letter waits after a failure: a minute, doubled each
// time, at most an hour.
func pause(tries int) time.Duration { return min(time.Minute<<min(tries, 10), time.Hour) }
