package agent_test

import (
	"context"
	"path/filepath"
	"testing"

	"hostward/internal/agent"
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
