package witness_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/witness"
)

// port is the ledger as the follower sees it, over a testLog.
type port struct {
	log *testLog

	mu        sync.Mutex
	latest    ledger.Checkpoint
	listeners []chan ledger.Checkpoint
	witnessed ledger.Checkpoint
	changed   chan struct{} // closed when witnessed changes
}

func newPort(l *testLog) *port { return &port{log: l, changed: make(chan struct{})} }

func (p *port) publish(c ledger.Checkpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = c
	p.tell(c)
}

// tell puts a checkpoint in place of one that was not taken, as the sealer does.
func (p *port) tell(c ledger.Checkpoint) {
	for _, ch := range p.listeners {
		select {
		case <-ch:
		default:
		}
		ch <- c
	}
}

func (p *port) Sealed() ledger.Checkpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest
}

func (p *port) Subscribe() (<-chan ledger.Checkpoint, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ch := make(chan ledger.Checkpoint, 1)
	if p.latest.Tree.Size > 0 {
		ch <- p.latest
	}
	p.listeners = append(p.listeners, ch)
	return ch, func() {}
}

func (p *port) ConsistencyPath(_ int, old, next int64) (tlog.TreeProof, error) {
	return p.log.proof(old, next), nil
}

func (p *port) SetWitnessed(c ledger.Checkpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.witnessed = c
	p.tell(c)
	close(p.changed)
	p.changed = make(chan struct{})
	return nil
}

// await returns when the cosigned checkpoint is as wished.
func (p *port) await(t *testing.T, what string, ok func(ledger.Checkpoint) bool) ledger.Checkpoint {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		c, changed := p.witnessed, p.changed
		p.mu.Unlock()
		if ok(c) {
			return c
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("no %s; witnessed is %v", what, c.Tree)
		}
	}
}

func follow(t *testing.T, p *port, witnesses ...*running) *witness.Follower {
	t.Helper()
	cfg := witness.FollowerConfig{Log: p, VerifierKey: p.log.key, AllowPrivate: true,
		Interval: time.Millisecond, Retry: 2 * time.Millisecond}
	for _, w := range witnesses {
		cfg.Witnesses = append(cfg.Witnesses, witness.Witness{URL: w.url, Key: w.key})
	}
	f, err := witness.NewFollower(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// cosigners opens a note with the keys of witnesses.
func cosigners(t *testing.T, c ledger.Checkpoint, witnesses ...*running) int {
	t.Helper()
	var keys []note.Verifier
	for _, w := range witnesses {
		keys = append(keys, byHand{t, w.key})
	}
	opened, err := note.Open(c.Note, note.VerifierList(keys...))
	if err != nil {
		return 0
	}
	return len(opened.Sigs)
}

func TestFollowsWithTwoWitnesses(t *testing.T) {
	l := newLog(300)
	w1, w2 := serve(t, l), serve(t, l)
	mustSubmit(t, w2.client(t), l, 0, 40) // knows the log already
	p := newPort(l)
	f := follow(t, p, w1, w2)
	for _, size := range []int64{50, 51, 300} {
		p.publish(l.checkpoint(1, size))
		c := p.await(t, "checkpoint with both", func(c ledger.Checkpoint) bool {
			return c.Tree.Size == size && cosigners(t, c, w1, w2) == 2
		})
		if want := string(l.sign(l.tree(1, size))); !strings.HasPrefix(string(c.Note), want) {
			t.Errorf("the note is\n%s, want it to begin with\n%s", c.Note, want)
		}
	}
	for _, s := range f.States() {
		if s.Error != "" || s.Tree != l.tree(1, 300) || s.At.IsZero() {
			t.Errorf("%+v", s)
		}
	}
}

func TestAWitnessThatIsDownIsAskedAgain(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	var mu sync.Mutex
	fails := 3
	flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if fails--; fails >= 0 {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		r.ServeHTTP(w, req)
	}))
	t.Cleanup(flaky.Close)
	p := newPort(l)
	f := follow(t, p, &running{url: flaky.URL, key: r.key})
	p.publish(l.checkpoint(1, 30))
	p.await(t, "checkpoint", func(c ledger.Checkpoint) bool { return c.Tree.Size == 30 })
	if n := fails; n >= 0 {
		t.Errorf("%d failures are left", n)
	}
	awaitState(t, f, func(s witness.State) bool { return s.Error == "" && s.Tries == 0 })
}

func TestAForkIsShownAndNotKept(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 20)
	fork := newLog(10)
	fork.grow(30, "altered %d")
	p := newPort(fork)
	f := follow(t, p, r)
	p.publish(fork.checkpoint(1, 30))
	s := awaitState(t, f, func(s witness.State) bool { return s.Tries > 1 })
	if !strings.Contains(s.Error, "another history") || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	if p.witnessed.Note != nil {
		t.Errorf("kept\n%s", p.witnessed.Note)
	}
}

func TestTheNextEpochIsCosignedFromItsBeginning(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	p := newPort(l)
	follow(t, p, r)
	p.publish(l.checkpoint(1, 30))
	p.await(t, "first epoch", func(c ledger.Checkpoint) bool { return c.Tree == l.tree(1, 30) })
	p.publish(l.checkpoint(2, 5))
	p.await(t, "second epoch", func(c ledger.Checkpoint) bool { return c.Tree == l.tree(2, 5) })
}

// awaitState returns when the first witness stands as wished. States change
// behind requests of some milliseconds; there is no event to wait for.
func awaitState(t *testing.T, f *witness.Follower, ok func(witness.State) bool) witness.State {
	t.Helper()
	limit, tick := time.After(20*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if s := f.States()[0]; ok(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%+v", f.States()[0])
		}
	}
}

// held is a database with the first size records of a log.
func held(l *testLog, epoch int, size int64) witness.Held {
	h := witness.Held{Epoch: epoch, Size: size, Root: func(_ context.Context, n int64) (tlog.Hash, error) {
		return l.tree(epoch, n).Root, nil
	}}
	if size > 0 {
		h.Signed = l.sign(l.tree(epoch, size))
	}
	return h
}

func startFollower(t *testing.T, l *testLog, witnesses ...witness.Witness) *witness.Follower {
	t.Helper()
	f, err := witness.NewFollower(witness.FollowerConfig{Log: newPort(l), VerifierKey: l.key, AllowPrivate: true, Witnesses: witnesses})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestStartIsRefusedBehindAWitness(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 20)
	fork := newLog(10)
	fork.grow(30, "altered %d")
	noGet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			http.NotFound(w, req)
			return
		}
		r.ServeHTTP(w, req)
	}))
	t.Cleanup(noGet.Close)
	later := serve(t, l)
	if _, err := later.client(t).Submit(t.Context(), 0, nil, l.sign(l.tree(2, 3))); err != nil {
		t.Fatal(err)
	}
	old := serve(t, l)
	mustSubmit(t, old.client(t), l, 0, 20)
	at := func(url string, of *running) witness.Witness { return witness.Witness{URL: url, Key: of.key} }
	for name, c := range map[string]struct {
		ask  witness.Witness
		held witness.Held
		want string
	}{
		"level":                       {at(r.url, r), held(l, 1, 20), ""},
		"further":                     {at(r.url, r), held(l, 1, 30), ""},
		"behind":                      {at(r.url, r), held(l, 1, 19), "20 records of epoch 1 were signed and cosigned by a witness"},
		"empty":                       {at(r.url, r), held(l, 1, 0), "`hostward log recover --reason …`"},
		"another history":             {at(r.url, r), held(fork, 1, 30), "a witness has cosigned other records"},
		"behind, no monitoring":       {at(noGet.URL, r), held(l, 1, 19), "20 records of epoch 1"},
		"level, no monitoring":        {at(noGet.URL, r), held(l, 1, 20), ""},
		"before the recovery":         {at(later.url, later), held(l, 1, 30), "3 records of epoch 2 were signed and cosigned"},
		"after the recovery":          {at(later.url, later), held(l, 2, 3), ""},
		"recovered, seen the old one": {at(old.url, old), held(l, 2, 3), ""},
	} {
		seen, err := startFollower(t, l, c.ask).CheckStart(t.Context(), c.held)
		if len(seen) != 1 || seen[0].Err != nil {
			t.Errorf("%s: %+v", name, seen)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err == nil {
			continue
		}
		behind, isBehind := errors.AsType[*ledger.BehindError](err)
		if isBehind == errors.Is(err, ledger.ErrNotAppendOnly) || isBehind && !behind.Witnessed || core.CodeOf(err) != core.Unavailable {
			t.Errorf("%s: the error is %#v", name, err)
		}
	}
}

func TestStartIsRefusedBehindTheCosignedCheckpointOnTheDisk(t *testing.T) {
	l := newLog(30)
	stranger := newLog(30)
	stranger.private = newLog(0).private
	f := startFollower(t, l)
	for name, c := range map[string]struct {
		size      int64
		witnessed []byte
		refused   bool
	}{
		"level":  {20, l.sign(l.tree(1, 20)), false},
		"behind": {19, l.sign(l.tree(1, 20)), true},
		"forged": {19, []byte(strings.Replace(string(l.sign(l.tree(1, 19))), "\n19\n", "\n20\n", 1)), false},
		"none":   {19, nil, false},
		"later":  {30, l.sign(l.tree(2, 1)), true},
	} {
		h := held(l, 1, c.size)
		h.Witnessed = c.witnessed
		_, err := f.CheckStart(t.Context(), h)
		if _, behind := errors.AsType[*ledger.BehindError](err); behind != c.refused {
			t.Errorf("%s: %v, want refused %v", name, err, c.refused)
		}
	}
}

func TestAWitnessThatCannotBeAskedDoesNotStopTheStart(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 30)
	liar := answering(t, 200, "", string(l.sign(l.tree(1, 30))))
	r.stop()
	for name, url := range map[string]string{"down": r.url, "unsigned": liar} {
		seen, err := startFollower(t, l, witness.Witness{URL: url, Key: r.key}).CheckStart(t.Context(), held(l, 1, 5))
		if err != nil || len(seen) != 1 || seen[0].Err == nil {
			t.Errorf("%s: %+v, %v", name, seen, err)
		}
	}
}
