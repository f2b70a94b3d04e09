package house_test

import (
	"context"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/house"
	"hostward/internal/ledger"
)

// TestAStandbyKnowsWhatWasSignedMeanwhile lets one server wait for the data
// folder of another, which goes on signing. Who reads the keys before he has
// the lease would take the folder for one that was rolled back.
func TestAStandbyKnowsWhatWasSignedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	first, err := house.Open(t.Context(), house.Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan string, 1)
	type opened struct {
		*house.House
		err error
	}
	second := make(chan opened, 1)
	go func() {
		h, err := house.Open(t.Context(), house.Config{Data: dir, Waiting: func(holder string) { waits <- holder }})
		second <- opened{h, err}
	}()
	<-waits
	before := first.Sealer.Sealed().Tree.Size
	for range 5 {
		e := &ledger.Entry{Action: "log.test", Class: "log", Object: ledger.LogObject, Tenant: core.Provider, Outcome: ledger.Done}
		if err := first.Bus.Report(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Sealer.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := first.Sealer.Sealed().Tree.Size; after < before+5 {
		t.Fatalf("%d records sealed, then %d", before, after)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case h := <-second:
		if h.err != nil {
			t.Fatalf("taking over: %v", h.err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Fatal("the standby did not take over")
	}
}
