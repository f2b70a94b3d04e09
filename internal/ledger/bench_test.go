package ledger_test

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// BenchmarkAppend measures one record in a transaction that many share.
func BenchmarkAppend(b *testing.B) {
	w := newWorld(b)
	entries := w.entries(0, b.N)
	ctx := b.Context()
	w.must(w.writer.Begin(ctx))
	b.ResetTimer()
	for i, e := range entries {
		if _, err := w.book.Append(ctx, w.writer, e); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 {
			b.StopTimer()
			w.must(w.writer.Commit(ctx))
			w.must(w.writer.Begin(ctx))
			b.StartTimer()
		}
	}
	b.StopTimer()
	w.must(w.writer.Commit(ctx))
}

// BenchmarkSeal measures batches of 256 from Append to the signed checkpoint.
func BenchmarkSeal(b *testing.B) {
	w := newWorld(b)
	entries := w.entries(0, b.N)
	b.ResetTimer()
	for len(entries) > 0 {
		n := min(256, len(entries))
		w.inTx(func(ctx context.Context) error {
			_, err := w.book.AppendBatch(ctx, w.writer, entries[:n])
			return err
		})
		entries = entries[n:]
	}
	w.seal()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkDecode measures one leaf.
func BenchmarkDecode(b *testing.B) {
	w := newWorld(b)
	w.append(w.entry(0))
	var leaf []byte
	w.read(func(r ledger.Reader) error {
		rec, err := w.browser().Get(b.Context(), r, ledger.Everything, 0)
		leaf = rec.Leaf
		return err
	})
	b.SetBytes(int64(len(leaf)))
	for b.Loop() {
		if _, err := ledger.DecodeLeaf(leaf); err != nil {
			b.Fatal(err)
		}
	}
}

// bigWorld is a sealed log of as many records as HOSTWARD_BENCH_RECORDS says.
func bigWorld(b *testing.B) *world {
	size, err := strconv.Atoi(cmp.Or(os.Getenv("HOSTWARD_BENCH_RECORDS"), "20000"))
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld(b)
	heads := ledger.NewHeads()
	for at := 0; at < size; at += 2000 {
		w.append(w.entries(at, at+2000)...)
		if at%20000 == 0 {
			w.heads(heads)
		}
	}
	w.seal()
	return w
}

func BenchmarkBig(b *testing.B) {
	w := bigWorld(b)
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			r := w.verify(func(o *ledger.VerifyOptions) { o.Thorough = false })
			if !r.OK() {
				b.Fatal(r.Findings[0])
			}
			b.ReportMetric(float64(r.Records)/r.Took.Seconds(), "records/s")
		}
	})
	for name, f := range map[string]ledger.Filter{
		"everything":   {},
		"class":        {Classes: []string{"authentication"}},
		"class-none":   {Classes: []string{"authentication"}, Outcomes: []ledger.Outcome{ledger.Done}},
		"action-rare":  {Actions: []string{ledger.HeadsAction}},
		"actor":        {Actor: "a_3"},
		"actor-none":   {Actor: "a_nobody"},
		"name":         {Name: "kund7"},
		"address":      {Address: "192.0.2.9"},
		"address-none": {Address: "192.0.2.99"},
		"object":       {Object: core.Ref{Kind: "zone", ID: "z_6"}},
		"refused":      {Outcomes: []ledger.Outcome{ledger.Refused}},
		"text":         {Text: "host17.example.org"},
		"text-none":    {Text: "nowhere to be found"},
		"first-minute": {From: began, To: began.Add(time.Minute)},
		"text-and-old": {Text: "host17", To: began.Add(time.Hour)},
		"all-together": {Classes: []string{"dns"}, Outcomes: []ledger.Outcome{ledger.Done}, Actor: "a_3", Doors: []string{"rest"}, Text: "host33"},
	} {
		b.Run("list/"+name, func(b *testing.B) {
			for b.Loop() {
				w.list(ledger.Everything, f)
			}
		})
	}
	b.Run("list/tenant", func(b *testing.B) {
		for b.Loop() {
			w.list(ledger.Scope{Tenants: []string{"a_3"}}, ledger.Filter{Outcomes: []ledger.Outcome{ledger.Refused}})
		}
	})
	b.Run("histogram", func(b *testing.B) {
		for b.Loop() {
			w.read(func(r ledger.Reader) error {
				_, err := w.browser().Histogram(b.Context(), r, ledger.Everything,
					ledger.Filter{From: began.Truncate(time.Hour), To: began.Truncate(time.Hour).Add(480 * time.Hour)}, 48)
				return err
			})
		}
	})
}

// BenchmarkHeads measures what a heads record costs the writer with 100 000
// objects of which 1000 have changed since the last, and how long the first
// look takes, which is made on a snapshot.
func BenchmarkHeads(b *testing.B) {
	w := newWorld(b)
	change := func(from, to int) {
		var list []*ledger.Entry
		for i := from; i < to; i++ {
			e := w.entry(0)
			e.ID, e.Object.ID = core.NewID("r"), "z_"+strconv.Itoa(i%100_000)
			e.Events[0].Object, e.Events[0].Fields = e.Object, nil
			list = append(list, e)
		}
		w.append(list...)
	}
	for i := 0; i < 100_000; i += 5000 {
		change(i, i+5000)
	}
	h := ledger.NewHeads()
	advance := func(r ledger.Reader) error { _, err := h.Advance(b.Context(), r); return err }
	first := time.Now()
	w.read(advance)
	b.Logf("first look at 100 000 objects: %v", time.Since(first))
	at := 0
	for b.Loop() {
		b.StopTimer()
		change(at, at+1000)
		at += 1000
		b.StartTimer()
		w.read(advance)
	}
}
