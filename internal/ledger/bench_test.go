package ledger_test

import (
	"context"
	"testing"

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
