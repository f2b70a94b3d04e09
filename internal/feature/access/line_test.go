package access

import (
	"testing"
	"time"
)

// FuzzALineReadsBack writes what was read of a line as the record has it, and reads
// that again.
func FuzzALineReadsBack(f *testing.F) {
	for _, seed := range []string{"192.0.2.0/24 # office", "192.0.2.*#a # b", " 2001:db8::1-2001:db8::9\t", "# nothing", "", "10.0.0.1 - 9 #\t", "1.2.3.4 # \u009b", "::ffff:1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, found, err := parseLine(line, time.Time{})
		if !found || err != nil || !fits(e.Note) {
			return
		}
		again, found, err := parseLine(*text([]Entry{e}), time.Time{})
		if !found || err != nil || again != e {
			t.Fatalf("%q is %+v, which reads back as %+v, %v", line, e, again, err)
		}
		kept, err := encode([]Entry{e})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := decode(kept); err != nil || len(list) != 1 || list[0] != e {
			t.Fatalf("%+v is kept as %s and read as %+v, %v", e, kept, list, err)
		}
	})
}
