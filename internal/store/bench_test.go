package store_test

import (
	"strconv"
	"testing"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// eachBench runs f on every engine inside one open transaction.
func eachBench(b *testing.B, f func(b *testing.B, w *store.Writer)) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			frame := store.Migration{Name: "ledger", FS: zones()[0].FS}
			s := storetest.Open(b, url(b), []store.Migration{frame})
			w := storetest.Acquire(b, s)
			addZone(b, w, "a")
			must(b, w.Begin(b.Context()))
			b.ReportAllocs()
			b.ResetTimer()
			f(b, w)
			b.StopTimer()
			must(b, w.Rollback(b.Context()))
		})
	}
}

// BenchmarkExec is one cached single-row insert with its trigger.
func BenchmarkExec(b *testing.B) {
	blob := make([]byte, 200)
	eachBench(b, func(b *testing.B, w *store.Writer) {
		for n := range b.N {
			_, err := w.Exec(b.Context(), `INSERT INTO zone (id, serial, image) VALUES ($1, $2, $3)`, strconv.Itoa(n), n, blob)
			must(b, err)
		}
	})
}

// BenchmarkQueryRow is one cached select by primary key.
func BenchmarkQueryRow(b *testing.B) {
	eachBench(b, func(b *testing.B, w *store.Writer) {
		for range b.N {
			var serial int64
			must(b, w.QueryRow(b.Context(), `SELECT serial FROM zone WHERE id = $1`, "a").Scan(&serial))
		}
	})
}

// BenchmarkSavepoint is an empty savepoint, opened and released.
func BenchmarkSavepoint(b *testing.B) {
	eachBench(b, func(b *testing.B, w *store.Writer) {
		for range b.N {
			must(b, w.Savepoint(b.Context()))
			must(b, w.Release(b.Context()))
		}
	})
}

// BenchmarkOperation is what the bus does for one change: a savepoint, two
// reads, three writes, the touched objects; 64 of them share a commit.
func BenchmarkOperation(b *testing.B) {
	blob := make([]byte, 300)
	eachBench(b, func(b *testing.B, w *store.Writer) {
		ctx := b.Context()
		for n := range b.N {
			id := strconv.Itoa(n)
			must(b, w.Savepoint(ctx))
			var serial int64
			must(b, w.QueryRow(ctx, `SELECT serial FROM zone WHERE id = $1`, "a").Scan(&serial))
			must(b, w.QueryRow(ctx, `SELECT count(*) FROM zone_record WHERE zone_id = $1 AND name = $2`, "a", id).Scan(&serial))
			exec(b, w, `INSERT INTO zone_record (zone_id, name, value) VALUES ($1, $2, $3)`, "a", id, "192.0.2.1")
			exec(b, w, `UPDATE zone SET serial = serial + 1 WHERE id = $1`, "a")
			_, err := w.Touched(ctx)
			must(b, err)
			exec(b, w, `INSERT INTO zone (id, serial, image) VALUES ($1, $2, $3)`, id, n, blob)
			_, err = w.Touched(ctx)
			must(b, err)
			must(b, w.Release(ctx))
			if n%64 == 63 {
				must(b, w.Commit(ctx))
				must(b, w.Begin(ctx))
			}
		}
	})
}
