package watch

import (
	"math"
	"math/rand/v2"
	"time"
)

// Rules are what a jail bans by.
type Rules struct {
	MaxRetry  int           // failures within FindTime that lead to a ban
	FindTime  time.Duration // how long a failure counts
	BanTime   time.Duration // negative: for ever
	MaxLines  int           // lines that are kept for "why"
	Recidive  bool          // what counts is a ban by another jail, not a line
	Increment Increment
}

// Increment lengthens the bans of those who come again (fail2ban's
// bantime.increment and what belongs to it).
type Increment struct {
	On          bool
	Factor      float64       // 0: 1
	Multipliers []float64     // by how often it was banned before; the last goes on
	Formula     Formula       // instead of Multipliers; the zero value: doubled each time
	MaxTime     time.Duration // 0: no limit
	RandomTime  time.Duration // up to so much is added
	AllJails    bool          // bans by other jails count too
}

// longest is how long a ban that is not for ever may last: as good as for ever, and
// well within what clocks and the kernel can count.
const longest = 60 * 365 * 24 * time.Hour

// last returns how long a ban lasts for somebody who was banned so often before;
// negative: for ever.
func (r Rules) last(before int) time.Duration {
	i := r.Increment
	if r.BanTime < 0 || !i.On {
		return min(r.BanTime, longest)
	}
	seconds := r.BanTime.Seconds()
	if before > 0 {
		seconds = i.seconds(seconds, before)
	}
	if i.MaxTime > 0 {
		seconds = min(seconds, i.MaxTime.Seconds())
	}
	if i.RandomTime > 0 {
		seconds += rand.Float64() * i.RandomTime.Seconds() //nolint:gosec // so that an end is hard to foresee, no secret
	}
	if math.IsNaN(seconds) || seconds >= longest.Seconds() {
		return longest
	}
	return max(time.Second, time.Duration(seconds*float64(time.Second)))
}

func (i Increment) seconds(ban float64, before int) float64 {
	factor := i.Factor
	if factor == 0 {
		factor = 1
	}
	switch {
	case len(i.Multipliers) > 0:
		return ban * factor * i.Multipliers[min(before, len(i.Multipliers)-1)]
	case i.Formula.set():
		return i.Formula.value(ban, float64(before), factor)
	}
	return ban * float64(uint64(1)<<min(before, 20)) * factor
}

// weight is how much one failure counts of somebody who was banned so often before:
// who comes again has fewer tries.
func (r Rules) weight(before int) int {
	if !r.Increment.On || before == 0 {
		return 1
	}
	return min(1<<min(before, 20)/2+1, max(1, r.MaxRetry))
}
