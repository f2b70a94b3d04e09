package witness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Log is what the follower needs of the ledger: a Sealer.
type Log interface {
	// Subscribe returns a channel that holds something whenever the log was
	// sealed or witnessed, and a function that closes it.
	Subscribe() (<-chan ledger.Checkpoint, func())

	// Sealed returns the newest checkpoint; size 0 when there is none.
	Sealed() ledger.Checkpoint

	// ConsistencyPath proves that the epoch's tree of size newer begins with its
	// tree of size older (RFC 6962 2.1.2).
	ConsistencyPath(epoch int, older, newer int64) (tlog.TreeProof, error)

	// SetWitnessed keeps, durably, a checkpoint that witnesses have cosigned.
	// An older one than it has changes nothing.
	SetWitnessed(ledger.Checkpoint) error
}

var _ Log = (*ledger.Sealer)(nil)

// Witness is one witness to ask.
type Witness struct {
	URL string // submission prefix
	Key string // verifier key, type 4
}

// FollowerConfig is what a Follower is made of.
type FollowerConfig struct {
	Log       Log
	Witnesses []Witness

	// VerifierKey returns the log's verifier key in an epoch.
	VerifierKey func(epoch int) string

	// AllowPrivate lets witnesses have private and local addresses (SPEC A10).
	AllowPrivate bool

	// Interval is the least time between two checkpoints that one witness is
	// offered. Default: 2 s.
	Interval time.Duration

	// Retry is how long to wait after a failure, doubled with each further one
	// up to 64 times, give or take a fifth. Default: 2 s, so 2 minutes at most.
	Retry time.Duration

	// Last is the cosigned checkpoint on the disk, to which further cosignatures
	// of the same tree are added. Default: none.
	Last ledger.Checkpoint

	// Clock gives the times in State. Default: core.SystemClock.
	Clock core.Clock

	// Report is told when a witness begins to fail, with the error, and when it
	// works again, with nil. Default: nobody is.
	Report func(witness string, err error)
}

// Follower brings new checkpoints to each witness and keeps what they sign.
type Follower struct {
	cfg     FollowerConfig
	workers []*worker

	mu   sync.Mutex
	best ledger.Checkpoint // the newest cosigned one, with all its cosignatures
}

// State is how one witness stands.
type State struct {
	Name  string
	URL   string
	Tree  ledger.Tree // the last one it cosigned in this run; size 0: none yet
	At    time.Time   // when it did, by its own clock
	Error string      // why the last attempt failed; "" when it did not
	Since time.Time   // when Error began
	Tries int         // failed attempts since
}

// NewFollower checks the configuration.
func NewFollower(cfg FollowerConfig) (*Follower, error) {
	cfg.Interval = orElse(cfg.Interval, 2*time.Second)
	cfg.Retry = orElse(cfg.Retry, 2*time.Second)
	if cfg.Clock == nil {
		cfg.Clock = core.SystemClock
	}
	f := &Follower{cfg: cfg}
	if noteText(cfg.Last.Note) != "" {
		f.best = cfg.Last
	}
	for _, w := range cfg.Witnesses {
		c, err := NewClient(w.URL, w.Key, cfg.AllowPrivate)
		if err != nil {
			return nil, err
		}
		f.workers = append(f.workers, &worker{Follower: f, client: c, state: State{Name: c.Name(), URL: c.URL()}})
	}
	return f, nil
}

func orElse(d, other time.Duration) time.Duration {
	if d <= 0 {
		return other
	}
	return d
}

// States returns how each witness stands, in the order of the configuration.
func (f *Follower) States() []State {
	out := make([]State, len(f.workers))
	for i, w := range f.workers {
		out[i] = w.State()
	}
	return out
}

// Run follows the log until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, w := range f.workers {
		wg.Go(func() { w.run(ctx) })
	}
	wg.Wait()
}

// keep adds a cosignature to the note of its tree and hands it to the log.
func (f *Follower) keep(c ledger.Checkpoint, line string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case c.Tree == f.best.Tree:
		c.Note = f.best.Note
	case c.Tree.Epoch < f.best.Tree.Epoch || c.Tree.Epoch == f.best.Tree.Epoch && c.Tree.Size < f.best.Tree.Size:
		return nil // others have cosigned more; the State says what this one did
	}
	c.Note = addLine(c.Note, line)
	if err := f.cfg.Log.SetWitnessed(c); err != nil {
		return err
	}
	f.best = c
	return nil
}

// addLine adds a signature line, in place of an earlier one by the same key.
func addLine(signed []byte, line string) []byte {
	text := noteText(signed)
	lines := slices.Collect(strings.Lines(string(signed[len(text)+1:])))
	lines = slices.DeleteFunc(lines, func(l string) bool { return signer(l) == signer(line) })
	return []byte(text + "\n" + strings.Join(append(lines, line), ""))
}

// signer returns what names the key in a signature line: its name and the
// beginning of its id, which the first 5 characters of base64 hold 30 bits of.
func signer(line string) string {
	name, sig, _ := strings.Cut(strings.TrimPrefix(line, "— "), " ")
	return name + " " + sig[:min(5, len(sig))]
}

// worker follows the log for one witness.
type worker struct {
	*Follower
	client *Client

	// What the witness is believed to have. It is not kept on the disk: a wrong
	// belief costs one question, answered with the true size.
	epoch int
	size  int64

	mu    sync.Mutex
	state State
}

// State returns how the witness stands.
func (w *worker) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

func (w *worker) run(ctx context.Context) {
	defer w.client.Close()
	news, cancel := w.cfg.Log.Subscribe()
	defer cancel()
	for {
		c, ok := w.await(ctx, news)
		if !ok {
			return
		}
		err := w.offer(ctx, c)
		if ctx.Err() != nil {
			return
		}
		w.note(err)
		pause(ctx, w.wait())
	}
}

// await returns the newest checkpoint once the witness has not cosigned it.
// What comes over the channel may be an older, witnessed one: it only wakes.
func (w *worker) await(ctx context.Context, news <-chan ledger.Checkpoint) (c ledger.Checkpoint, ok bool) {
	for ctx.Err() == nil {
		c = w.cfg.Log.Sealed()
		if c.Tree.Size > 0 && c.Tree != w.State().Tree {
			return c, true
		}
		select {
		case _, open := <-news:
			if !open {
				return c, false
			}
		case <-ctx.Done():
		}
	}
	return c, false
}

// offer submits a checkpoint, from the size that the witness says it has.
func (w *worker) offer(ctx context.Context, c ledger.Checkpoint) error {
	if w.epoch != c.Tree.Epoch {
		w.epoch, w.size = c.Tree.Epoch, 0
	}
	cosigned, err := w.submit(ctx, c)
	// Twice, since the witness may be told of a tree by another of our requests
	// that was thought to be lost.
	for range 2 {
		behind, ok := errors.AsType[*SizeError](err)
		if !ok || behind.Ahead() || behind.Size == w.size {
			break
		}
		w.size = behind.Size
		cosigned, err = w.submit(ctx, c)
	}
	if err != nil {
		return err
	}
	w.size = c.Tree.Size
	if err := w.keep(c, cosigned.Line); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Tree, w.state.At = c.Tree, cosigned.Time
	return nil
}

func (w *worker) submit(ctx context.Context, c ledger.Checkpoint) (Cosignature, error) {
	var proof tlog.TreeProof
	if w.size > c.Tree.Size {
		w.size = 0 // never offered so; ask what the witness has
	}
	if w.size > 0 && w.size < c.Tree.Size {
		var err error
		if proof, err = w.cfg.Log.ConsistencyPath(c.Tree.Epoch, w.size, c.Tree.Size); err != nil {
			return Cosignature{}, fmt.Errorf("proving that the log grew from %d to %d: %w", w.size, c.Tree.Size, err)
		}
	}
	return w.client.Submit(ctx, w.size, proof, c.Note)
}

// note keeps the outcome of an attempt.
func (w *worker) note(err error) {
	if turned := w.mark(err); turned && w.cfg.Report != nil {
		w.cfg.Report(w.State().Name, err)
	}
}

// mark is note, and says whether the witness began to fail or works again.
func (w *worker) mark(err error) (turned bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	turned = (err == nil) != (w.state.Tries == 0)
	if err == nil {
		w.state.Error, w.state.Since, w.state.Tries = "", time.Time{}, 0
		return turned
	}
	if w.state.Tries == 0 {
		w.state.Since = w.cfg.Clock()
	}
	w.state.Error = err.Error()
	w.state.Tries++
	return turned
}

// wait returns how long to wait after the last attempt.
func (w *worker) wait() time.Duration {
	tries := w.State().Tries
	if tries == 0 {
		return w.cfg.Interval
	}
	d := w.cfg.Retry << min(tries-1, 6)
	return d*4/5 + rand.N(d*2/5+1)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
