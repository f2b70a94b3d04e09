package nameserver_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// TestOneKeyDoesNotTakeEveryPlace has one key send many updates while nobody answers
// them: all but its share are turned down at once, and another key is still heard.
func TestOneKeyDoesNotTakeEveryPlace(t *testing.T) {
	s := run(t, nameserver.Config{})
	other := key
	other.Name = "other.example."
	if err := s.Configure(t.Context(), nameserver.Settings{Keys: []nameserver.Key{key, other}, Updates: true}); err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	client := transfer.Client{Dial: d.DialContext, Clock: time.Now, Random: rand.Reader, Patience: transfer.Patience{Tries: 1}}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	said := make(chan error, 100)
	update := func(k nameserver.Key) {
		work.Go(func() {
			peer := transfer.Peer{Address: s.Addrs()[0].String(), Key: &transfer.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: core.NewSecret(k.Secret)}}
			said <- client.Update(ctx, peer, transfer.Edits{Zone: "t.test."})
		})
	}
	for range 20 {
		update(key)
	}
	for range 12 {
		if f, ok := errors.AsType[*transfer.Fault](<-said); !ok || f.Rcode != transfer.ServFail {
			t.Fatalf("an update beyond the share: %v", f)
		}
	}
	update(other)
	heard := map[rr.Name]int{}
	for range 9 {
		a, err := s.Asked(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		req, err := transfer.Read(a.Message, func(n rr.Name) (transfer.Key, bool) {
			return transfer.Key{Name: n, Algorithm: key.Algorithm, Secret: core.NewSecret(key.Secret)}, true
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		heard[req.Key]++
	}
	if heard[key.Name] != 8 || heard[other.Name] != 1 {
		t.Errorf("heard were %v", heard)
	}
}
