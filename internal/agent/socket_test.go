package agent_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hostward/internal/agent"
	"hostward/internal/host"
	"hostward/internal/socket"
)

// overSocket serves an agent on a socket and returns a client of it.
func overSocket(t *testing.T, v agent.Verbs) *agent.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "agent.sock")
	l, err := socket.Listen(t.Context(), path, "agent")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- socket.Serve(ctx, l, agent.Handler(v)) }()
	c := agent.Dial(path)
	t.Cleanup(func() {
		_ = c.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

// crowd counts who plans at once.
type crowd struct {
	agent.Verbs
	now, most atomic.Int32
	leave     chan struct{}
}

func (c *crowd) Plan(context.Context, string, []byte) (host.Planned, error) {
	n := c.now.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	<-c.leave
	c.now.Add(-1)
	return host.Planned{}, nil
}

func (c *crowd) Confirm(context.Context, string, uint64) (host.Status, error) {
	return host.Status{}, nil
}

// Each plan has programs run as root: many at once would be a way to bring the machine
// down. Who confirms must not wait behind them.
func TestACrowdIsLetInByAndBy(t *testing.T) {
	v := &crowd{leave: make(chan struct{})}
	c := overSocket(t, v)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Plan(t.Context(), "thing", nil); err != nil {
				t.Error(err)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); v.now.Load() < 4 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	time.Sleep(50 * time.Millisecond)
	if _, err := c.Confirm(t.Context(), "thing", 1); err != nil {
		t.Error(err)
	}
	close(v.leave)
	all.Wait()
	if n := v.most.Load(); n != 4 {
		t.Errorf("%d at once", n)
	}
}
