package zone_test

import (
	"fmt"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

// How long people wait with a zone of 10 000 records: the whole call, through
// the bus, with the log record, to a durable COMMIT.

func BenchmarkImport10000(b *testing.B) {
	eachEngine(b, func(b *testing.B, w *world) {
		i := 0
		for b.Loop() {
			i++
			must[zone.Changed](w, admin, "zone.import", fields{"file": large(fmt.Sprintf("n%d.example", i), 10_000)})
		}
	})
}

func BenchmarkEditOneOf10000(b *testing.B) {
	eachEngine(b, func(b *testing.B, w *world) {
		must[zone.Changed](w, admin, "zone.import", fields{"file": large("large.example", 10_000)})
		i := 0
		for b.Loop() {
			i++
			must[zone.Changed](w, admin, "zone.record.set", fields{"zone": "large.example", "name": "host77", "type": "A",
				"data": []string{fmt.Sprintf("192.0.%d.%d", i>>8&255, i&255)}})
		}
	})
}

func BenchmarkEditSmallZone(b *testing.B) {
	eachEngine(b, func(b *testing.B, w *world) {
		must[zone.Changed](w, admin, "zone.import", fields{"file": sample(b, "kranewitt.example.zone")})
		i := 0
		for b.Loop() {
			i++
			must[zone.Changed](w, admin, "zone.record.set", fields{"zone": "kranewitt.example", "name": "mail", "type": "A",
				"data": []string{fmt.Sprintf("192.0.%d.%d", i>>8&255, i&255)}})
		}
	})
}

func BenchmarkShow10000(b *testing.B) {
	eachEngine(b, func(b *testing.B, w *world) {
		must[zone.Changed](w, admin, "zone.import", fields{"file": large("large.example", 10_000)})
		for b.Loop() {
			must[zone.Shown](w, admin, "zone.show", fields{"zone": "large.example"})
		}
	})
}

func eachEngine(b *testing.B, f func(b *testing.B, w *world)) {
	b.Run("sqlite", func(b *testing.B) { f(b, newWorld(b, storetest.SQLite(b), nil)) })
	b.Run("postgres", func(b *testing.B) { f(b, newWorld(b, storetest.Postgres(b), nil)) })
}

// From the call to the new answer of the nameserver (SPEC D3: within 100 ms of
// the commit).
func BenchmarkEditUntilAnswered(b *testing.B) {
	for _, hosts := range []int{10, 10_000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			s := serve(b, storetest.SQLite(b))
			must[zone.Changed](s.world, admin, "zone.import", fields{"file": large("large.example", hosts)})
			i := 0
			for b.Loop() {
				i++
				want := fmt.Sprintf("192.0.%d.%d", i>>8&255, i&255)
				must[zone.Changed](s.world, admin, "zone.record.set", fields{"zone": "large.example", "name": "host7", "type": "A", "data": []string{want}})
				if got := s.ask("host7.large.example.", dnsmessage.TypeA); got != want {
					b.Fatalf("answer %s, want %s", got, want)
				}
			}
		})
	}
}
