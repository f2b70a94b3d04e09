package store_test

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"hostward/internal/store/storetest"
)

// canary is long enough that no page cuts it by chance.
const canary = "canary-7f3a-quiet-harbour"

func TestScrubLeavesNothingOfWhatWasReplaced(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, address string) {
		s := storetest.Open(t, address, zones())
		w := storetest.Acquire(t, s)
		for _, id := range []string{"a", "b", "c"} {
			addZone(t, w, id)
			write(t, w, func() {
				exec(t, w, `INSERT INTO zone_record (zone_id, name, value) VALUES ($1, 'www', $2)`, id, canary)
			})
		}
		write(t, w, func() {
			exec(t, w, `UPDATE zone_record SET value = 'sealed' WHERE zone_id = 'a'`)
			exec(t, w, `DELETE FROM zone WHERE id IN ('b', 'c')`)
		})
		must(t, s.Scrub(t.Context()))
		if s.Engine() == "sqlite" {
			nowhereIn(t, address)
		}
		if n := count(t, s, "zone_record"); n != 1 {
			t.Errorf("%d rows are left, want 1", n)
		}
		addZone(t, w, "d") // and it can be written as before
	})
}

// nowhereIn looks for the canary in every file beside the database.
func nowhereIn(t *testing.T, address string) {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	files, err := os.ReadDir(filepath.Dir(u.Path))
	must(t, err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(u.Path), f.Name()))
		must(t, err)
		if bytes.Contains(b, []byte(canary)) {
			t.Errorf("%s still holds what was replaced", f.Name())
		}
	}
}
