package transfer_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

var steady = transfer.Timing{LeastRefresh: time.Second, LeastRetry: time.Second, LeastExpire: time.Second, Jitter: 1e-12}

func soaData(serial uint32) rr.SOA {
	return rr.SOA{Primary: "ns.z.example.", Mailbox: "h.z.example.", Serial: serial, Refresh: 3600, Retry: 600, Expire: 86400, Minimum: 300}
}

// fresh is a secondary that has serial and was just checked.
func fresh(primaries int, serial uint32) transfer.Secondary {
	s := transfer.Secondary{Primaries: primaries}.Begun()
	return s.Fetched(moment, steady, soaData(serial), 0)
}

func wantDue(t testing.TB, s transfer.Secondary, now time.Time, task transfer.Task, when time.Time) {
	t.Helper()
	if got, at := s.Due(now); got != task || task == transfer.Wait && at.Sub(when).Abs() > time.Microsecond {
		t.Fatalf("%s until %v, want %s until %v", got, at, task, when)
	}
}

func TestASecondaryFetchesThenRefreshes(t *testing.T) {
	s := transfer.Secondary{Primaries: 1}
	wantDue(t, s, moment, transfer.Transfer, moment)
	s = s.Begun().Fetched(moment, steady, soaData(7), 0)
	wantDue(t, s, moment, transfer.Wait, at(time.Hour))
	wantDue(t, s, at(time.Hour), transfer.AskSOA, moment)
	s = s.Begun().Answered(at(time.Hour), steady, 7, 0)
	wantDue(t, s, at(time.Hour), transfer.Wait, at(2*time.Hour))
	s = s.Begun().Answered(at(2*time.Hour), steady, 8, 0)
	wantDue(t, s, at(2*time.Hour), transfer.Transfer, moment)
	s = s.Fetched(at(2*time.Hour), steady, soaData(8), 0)
	if s.SOA.Serial != 8 || s.Expired(at(25*time.Hour), steady) || !s.Expired(at(26*time.Hour), steady) {
		t.Errorf("%+v", s)
	}
}

func TestFailuresAreFurtherApartEachTime(t *testing.T) {
	s := fresh(1, 7)
	now := at(time.Hour)
	for _, want := range []time.Duration{10, 20, 40, 60, 60} {
		s = s.Begun().Failed(now, steady, 0)
		wantDue(t, s, now, transfer.Wait, now.Add(want*time.Minute))
		now = s.Next
	}
	s = s.Begun().Answered(now, steady, 7, 0)
	wantDue(t, s, now, transfer.Wait, now.Add(time.Hour))

	first := transfer.Secondary{Primaries: 1}
	now = moment
	for _, want := range []time.Duration{10, 20, 40, 80} {
		first = first.Begun().Failed(now, steady, 0)
		wantDue(t, first, now, transfer.Wait, now.Add(want*time.Second))
		now = first.Next
	}
}

func TestNotifyBringsTheRoundForward(t *testing.T) {
	s := fresh(3, 7)
	now := at(time.Minute)
	for name, c := range map[string]struct {
		serial uint32
		hint   bool
		due    bool
	}{"newer": {8, true, true}, "no hint": {0, false, true}, "known": {7, true, false}, "older": {6, true, false}} {
		got := s.Notified(now, steady, 2, c.serial, c.hint)
		task, _ := got.Due(now)
		if (task == transfer.AskSOA) != c.due {
			t.Errorf("%s: %s", name, task)
		}
		if c.due && got.Begun().Current != 2 {
			t.Errorf("%s: primary %d is asked first", name, got.Begun().Current)
		}
	}
	storm := s
	storm = storm.Notified(at(time.Millisecond), steady, 0, 8, true)
	wantDue(t, storm, at(time.Millisecond), transfer.Wait, at(time.Second))

	busy := s.Notified(now, steady, 0, 8, true).Begun()
	busy = busy.Answered(now, steady, 8, 0)
	busy = busy.Notified(now, steady, 0, 9, true) // while 8 is fetched
	busy = busy.Fetched(now, steady, soaData(8), 0)
	wantDue(t, busy, now, transfer.Wait, now.Add(time.Second))

	early := s.Notified(now, steady, 0, 8, true).Begun() // the primary tells before it has it
	for range 3 {
		early = early.Answered(now, steady, 7, 0)
	}
	wantDue(t, early, now, transfer.Wait, now.Add(10*time.Minute))
}

func TestAPrimaryThatIsBehindIsPassedOver(t *testing.T) {
	s := fresh(3, 7)
	now := at(time.Hour)
	s = s.Begun().Answered(now, steady, 6, 0)
	wantDue(t, s, now, transfer.AskSOA, now)
	s = s.Answered(now, steady, 7, 0)
	wantDue(t, s, now, transfer.AskSOA, now) // the third may have more
	s = s.Answered(now, steady, 9, 0)
	wantDue(t, s, now, transfer.Transfer, now)
	if s.Current != 2 {
		t.Errorf("primary %d", s.Current)
	}
	back := s.Fetched(now, steady, soaData(5), 0)
	if back.SOA.Serial != 7 || !back.Checked.Equal(now) {
		t.Errorf("an older zone is taken: %+v", back)
	}
	s = s.Fetched(now, steady, soaData(9), 0)
	if s.Begun().Current != 2 {
		t.Error("the primary that had the newest is not asked first")
	}
	all := fresh(2, 7).Begun().Answered(now, steady, 6, 0).Answered(now, steady, 5, 0)
	if all.Failures != 1 || !all.Checked.Equal(moment) {
		t.Errorf("primaries that are all behind count as a check: %+v", all)
	}
}

func TestSerialsGoRound(t *testing.T) {
	s := fresh(1, 4294967295).Begun().Answered(moment, steady, 1, 0)
	wantDue(t, s, moment, transfer.Transfer, moment)
}

// Whatever answers come, in whatever order: the serial never goes back, there
// is always a next thing to do, and no zone outlives its expire time.
func TestASecondaryNeverGoesBackNorStops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := transfer.Secondary{Primaries: rapid.IntRange(1, 4).Draw(t, "primaries")}
		now, good := moment, moment
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			random := rapid.Float64Range(0, 0.999).Draw(t, "random")
			serial := rapid.Uint32Range(1, 20).Draw(t, "serial")
			if rapid.IntRange(0, 4).Draw(t, "notify") == 0 {
				s = s.Notified(now, steady, rapid.IntRange(-1, 5).Draw(t, "from"), serial, rapid.Bool().Draw(t, "hint"))
			}
			before := s
			task, when := s.Due(now)
			if task == transfer.Wait {
				if !when.After(now) || when.After(now.Add(24*time.Hour)) {
					t.Fatalf("wait from %v until %v", now, when)
				}
				now = when
				continue
			}
			s = s.Begun()
			switch {
			case rapid.IntRange(0, 2).Draw(t, "fails") == 0:
				s = s.Failed(now, steady, random)
			case task == transfer.AskSOA:
				s = s.Answered(now, steady, serial, random)
			default:
				s = s.Fetched(now, steady, soaData(serial), random)
			}
			if s.Checked != before.Checked {
				good = now
			}
			if before.Have && rr.SerialAfter(before.SOA.Serial, s.SOA.Serial) {
				t.Fatalf("serial %d became %d", before.SOA.Serial, s.SOA.Serial)
			}
			if s.Have && s.Expired(now, steady) != !now.Before(good.Add(24*time.Hour)) {
				t.Fatalf("checked %v, now %v: expired %v", good, now, s.Expired(now, steady))
			}
		}
	})
}
