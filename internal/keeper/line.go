package keeper

import (
	"context"
	"runtime"
	"sync"
	"time"

	"hostward/internal/core"
)

// line is where passwords wait to be hashed. argon2id takes 19 MiB and a core
// for some 30 ms each, so it is a lever: only as many are hashed at once as there
// are cores, few may wait for one caller, and strangers all together fill the
// line only so far, and so fast. Who is turned away costs nothing. What strangers
// may have hashed in a day also bounds what their failures leave in the log.
type line struct {
	slots chan struct{}

	mu      sync.Mutex
	lanes   map[string]int // who waits or is being served, by lane
	waiting int
	spent   time.Time // strangers have used up their allowance until here
}

const (
	mostOfLane = 4  // of one network, or of one account
	mostInLine = 64 // a second's worth on two cores

	strangersEvery = 100 * time.Millisecond // one password of strangers, on average
	strangersAhead = 300                    // how many may come at once after a quiet time
)

func newLine(hashers int) *line {
	if hashers <= 0 {
		hashers = runtime.GOMAXPROCS(0)
	}
	return &line{slots: make(chan struct{}, hashers), lanes: map[string]int{}}
}

var errBusy = core.Errorf(core.Throttled, "too many passwords are being checked right now; try again in a moment")

// enter waits for a free hasher; the turn ends with the function it returns.
func (l *line) enter(ctx context.Context, lane string, known bool) (leave func(), err error) {
	if !l.join(lane, known) {
		return nil, errBusy
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; l.part(lane) }, nil
	case <-ctx.Done():
		l.part(lane)
		return nil, core.Wrap(core.Unavailable, ctx.Err(), "the call was given up before the password was checked")
	}
}

func (l *line) join(lane string, known bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lanes[lane] >= mostOfLane || !known && (l.waiting >= mostInLine || !l.allowed(time.Now())) {
		return false
	}
	l.lanes[lane]++
	l.waiting++
	return true
}

// allowed takes one from the strangers' allowance. The caller holds the lock.
func (l *line) allowed(now time.Time) bool {
	if full := now.Add(-strangersAhead * strangersEvery); l.spent.Before(full) {
		l.spent = full
	}
	if !l.spent.Before(now) {
		return false
	}
	l.spent = l.spent.Add(strangersEvery)
	return true
}

func (l *line) part(lane string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.lanes[lane]--; l.lanes[lane] == 0 {
		delete(l.lanes, lane)
	}
}
