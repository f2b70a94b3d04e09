package strength

import (
	"context"
	"sync"

	"hostward/internal/core"
)

// Guess is what an estimate comes to.
type Guess struct {
	Score   int     // 0 very weak … 4 very strong; Level names it
	Guesses float64 // log10 of the guesses it takes
	// Common says that the password must not be taken at any level: as a whole, a
	// trivial ending, capitals and signs for letters aside, it is one that many
	// people choose, one of the user's own words, or one short piece over and over.
	Common bool
	Why    []string // what makes it guessable, half sentences, most important first, at most 3
	Advice []string // what would help, half sentences, at most 2
}

// Estimator estimates. It is safe for many goroutines, and runs at most as many
// estimates at once as New was told: one takes up to some 5 ms of a core,
// the first some 50 more.
type Estimator struct {
	slots chan struct{}
	load  func() (tables, error)
}

// New returns an estimator for at most so many estimates at once, at least one.
// It does nothing yet: the first estimate unpacks the lists of words.
func New(most int) *Estimator {
	return &Estimator{slots: make(chan struct{}, max(most, 1)), load: sync.OnceValues(loadTables)}
}

// Estimate says how guessable password is. words are the user's own: log-in name,
// name, mail address, host name; the first 40 of them and their parts together
// count. Of a password of more than 72 characters the first 72 or the last 72 count,
// whichever are better, and never more than the first 1024. The error is
// core.Unavailable when ctx ends before its turn.
func (e *Estimator) Estimate(ctx context.Context, password string, words []string) (Guess, error) {
	leave, err := e.enter(ctx)
	if err != nil {
		return Guess{}, err
	}
	defer leave()
	t, err := e.load()
	if err != nil {
		return Guess{}, err
	}
	return t.estimate(ownLexicon(words), read(password)), nil
}

func (e *Estimator) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, late(err)
	}
	select {
	case e.slots <- struct{}{}:
		return func() { <-e.slots }, nil
	case <-ctx.Done():
		return nil, late(ctx.Err())
	}
}

func late(err error) error {
	return core.Wrap(core.Unavailable, err, "too many passwords are being estimated; try again")
}

// estimate takes the better of both ends of what is too long.
func (t tables) estimate(users *lexicon, x text) Guess {
	n, over := len(x.runes), x.repeats()
	begin := t.cheapest(users, x.slice(0, min(span, n)))
	if n <= span {
		return begin.guess(over)
	}
	end := t.cheapest(users, x.slice(n-span, n))
	if end.cost > begin.cost {
		return end.guess(over)
	}
	return begin.guess(over)
}
