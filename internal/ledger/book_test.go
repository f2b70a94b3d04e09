package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

func TestRecordsAreListedNewestFirstWithTheirPersonalValues(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.append(w.entries(0, 700)...)
		w.seal()
		page := w.list(ledger.Everything, ledger.Filter{Limit: 10})
		if len(page.Records) != 10 || page.Records[0].Seq != 699 || page.Next != 690 {
			t.Fatalf("got %d records, first %d, next %d", len(page.Records), page.Records[0].Seq, page.Next)
		}
		r := page.Records[2]
		if r.Entry.Actor.Name != "Kund7" || r.Entry.Address != "2001:db8::7" || *r.Entry.Events[0].Fields[2].New != "new@example.org" {
			t.Errorf("the personal values are not back: %+v", r.Entry)
		}
		if len(r.Erased) != 0 || r.State != ledger.Sealed {
			t.Errorf("erased %v, state %s", r.Erased, r.State)
		}
	})
}

func TestNothingPersonalOrSecretIsInClear(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 20)...)
	w.seal()
	w.read(func(r ledger.Reader) error {
		rows, err := r.Query(t.Context(), `SELECT leaf FROM ledger_entry UNION ALL SELECT sealed FROM ledger_personal UNION ALL SELECT blind FROM ledger_personal`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var data []byte
			if err := rows.Scan(&data); err != nil {
				return err
			}
			for _, clear := range []string{"Kund", "192.0.2", "2001:db8", "Mozilla", "old@example.org", "hidden"} {
				if bytes.Contains(data, []byte(clear)) {
					t.Fatalf("%q is in clear in %q", clear, data)
				}
			}
		}
		return rows.Err()
	})
}

// Every filter, and filters together, page by page, give what going through
// all records one by one gives.
func TestFiltersSelectWhatLookingAtEachRecordSelects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const count = 1100
		entries := w.entries(0, count)
		w.append(entries...)
		type test struct {
			scope  ledger.Scope
			filter ledger.Filter
			want   func(e *ledger.Entry) bool
		}
		for name, c := range map[string]test{
			"class":                    {ledger.Everything, ledger.Filter{Classes: []string{"authentication"}}, func(e *ledger.Entry) bool { return e.Class == "authentication" }},
			"actor":                    {ledger.Everything, ledger.Filter{Actor: "a_3"}, func(e *ledger.Entry) bool { return e.Actor.ID == "a_3" }},
			"name":                     {ledger.Everything, ledger.Filter{Name: "KUND3"}, func(e *ledger.Entry) bool { return e.Actor.Name == "Kund3" }},
			"address":                  {ledger.Everything, ledger.Filter{Address: "192.0.2.9"}, func(e *ledger.Entry) bool { return e.Address == "192.0.2.9" }},
			"same address, other text": {ledger.Everything, ledger.Filter{Address: "2001:0db8:0::7"}, func(e *ledger.Entry) bool { return e.Address == "2001:db8::7" }},
			"object":                   {ledger.Everything, ledger.Filter{Object: core.Ref{Kind: "zone", ID: "z_6"}}, func(e *ledger.Entry) bool { return e.Object.ID == "z_6" }},
			"kind":                     {ledger.Everything, ledger.Filter{Object: core.Ref{Kind: "zone"}}, func(e *ledger.Entry) bool { return e.Object.Kind == "zone" }},
			"outcomes":                 {ledger.Everything, ledger.Filter{Outcomes: []ledger.Outcome{ledger.Refused, ledger.Failed}}, func(e *ledger.Entry) bool { return e.Outcome == ledger.Refused }},
			"tenant":                   {ledger.Scope{Tenants: []string{"a_3", "a_8"}}, ledger.Filter{}, func(e *ledger.Entry) bool { return e.Tenant == "a_3" || e.Tenant == "a_8" }},
			"foreign":                  {ledger.Scope{Tenants: []string{"a_77"}}, ledger.Filter{}, func(*ledger.Entry) bool { return false }},
			"nobody":                   {ledger.Scope{}, ledger.Filter{}, func(*ledger.Entry) bool { return false }},
			"text":                     {ledger.Everything, ledger.Filter{Text: "HOST17.example"}, func(e *ledger.Entry) bool { return e.ID == "r_17" }},
			"no part of a word":        {ledger.Everything, ledger.Filter{Text: "host1"}, func(e *ledger.Entry) bool { return e.ID == "r_1" }},
			"time": {ledger.Everything, ledger.Filter{From: began.Add(100 * time.Second), To: began.Add(200 * time.Second)},
				func(e *ledger.Entry) bool {
					return !e.Time.Before(began.Add(100*time.Second)) && e.Time.Before(began.Add(200*time.Second))
				}},
			"together": {ledger.Scope{Tenants: []string{"a_3"}}, ledger.Filter{Classes: []string{"dns"}, Doors: []string{"rest", "cli"}, Text: "ttl", From: began.Add(300 * time.Second)},
				func(e *ledger.Entry) bool { return e.Tenant == "a_3" && !e.Time.Before(began.Add(300*time.Second)) }},
		} {
			var want, got []string
			for _, e := range slices.Backward(entries) {
				if c.want(e) {
					want = append(want, e.ID)
				}
			}
			f := c.filter
			f.Limit = 7
			for pages := 0; pages == 0 || f.Before > 0; pages++ {
				p := w.list(c.scope, f)
				for _, r := range p.Records {
					got = append(got, r.Entry.ID)
				}
				f.Before = p.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d records %.60s…, want %d %.60s…", name, len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
			}
		}
	})
}

func TestHistogramsCountEveryRecordOnce(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 7000)...)
	from := began.Truncate(time.Hour)
	for name, f := range map[string]ledger.Filter{"by sums": {}, "one by one": {Doors: []string{"web", "rest"}}} {
		f.From, f.To = from, from.Add(4*time.Hour)
		w.read(func(r ledger.Reader) error {
			h, err := w.browser().Histogram(t.Context(), r, ledger.Everything, f, 4)
			if err != nil {
				return err
			}
			var done, refused int64
			for _, b := range h.Bars {
				done += b.Counts[ledger.Done]
				refused += b.Counts[ledger.Refused]
			}
			// The first hour is short: records begin at 17:04:06.
			if !h.Searched || done != 5600 || refused != 1400 || h.Bars[0].Counts[ledger.Done] < 2600 {
				t.Errorf("%s: %d done, %d refused, %+v", name, done, refused, h)
			}
			return nil
		})
	}
}

func TestAScopeSeesOnlyItsPartOfARecord(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0)
	mine, theirs := core.Ref{Kind: "zone", ID: "z_mine"}, core.Ref{Kind: "zone", ID: "z_theirs"}
	e.Tenant, e.Object = "", core.Ref{}
	e.Events = []ledger.Event{
		{Name: "zone.deleted", Object: theirs, Tenant: "a_theirs", State: "", Fields: []ledger.Field{{Name: "name", Personal: true, Old: text("theirs")}}},
		{Name: "zone.deleted", Object: mine, Tenant: "a_mine", State: "", Fields: []ledger.Field{{Name: "name", Personal: true, Old: text("mine")}}},
	}
	w.append(e)
	r := w.list(ledger.Scope{Tenants: []string{"a_mine"}}, ledger.Filter{}).Records[0]
	if s := fmt.Sprintf("%+v %s", r, r.Leaf); strings.Contains(s, "theirs") || r.Leaf != nil {
		t.Errorf("the record shows what is another's: %s", s)
	}
	if len(r.Entry.Events) != 1 || *r.Entry.Events[0].Fields[0].Old != "mine" {
		t.Errorf("the own event is not there: %+v", r.Entry.Events)
	}
}

func TestAnOperationOnManyObjectsTakesSeveralLeaves(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0)
	e.Events = nil
	for i := range 1000 {
		e.Events = append(e.Events, ledger.Event{Name: "zone.deleted", Object: core.Ref{Kind: "zone", ID: fmt.Sprintf("z_%d", i)}, Tenant: fmt.Sprintf("a_%d", i),
			Fields: []ledger.Field{{Name: "mail", Personal: true, Old: text("somebody@example.org")}}})
	}
	r := w.append(e)[0]
	if r.Leaves < 2 || len(r.Versions) != 1000 {
		t.Fatalf("%d leaves, %d versions", r.Leaves, len(r.Versions))
	}
	w.seal()
	if report := w.verify(nil); !report.OK() || report.Objects != 1000 {
		t.Error(report.Findings)
	}
}

// What strangers send is never a reason for a record not to be written.
func TestHostileTextIsWrittenDown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.entry(4)
		junk := "\x00\xff\"\\\n\u2028\u202e" + strings.Repeat("\x01ä", 90000)
		e.Reason, e.Agent, e.Actor.Name, e.Address, e.Session, e.Object = junk, junk, junk, junk, junk, core.Ref{Kind: junk, ID: junk}
		e.Actor.ID, e.Tenant, e.Code = junk, junk, core.Code(junk)
		e.Events = []ledger.Event{{Name: "x", Object: core.Ref{Kind: "zone", ID: "z"}, State: "-", Fields: []ledger.Field{
			{Name: junk, Old: &junk, New: &junk}, {Name: "p", Personal: true, New: &junk}}}}
		w.append(e)
		w.seal()
		if r := w.verify(nil); !r.OK() {
			t.Error(r.Findings)
		}
		if p := w.list(ledger.Everything, ledger.Filter{}); len(p.Records) != 1 || len(p.Records[0].Entry.Reason) > 1024 {
			t.Errorf("got %d records", len(p.Records))
		}
	})
}

func TestVersionsCountPerObjectAndSurviveARollback(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		zone := core.Ref{Kind: "zone", ID: "z_0"}
		one := func(i int) *ledger.Entry { e := w.entry(30 * i); e.ID = core.NewID("r"); return e }
		if v := w.append(one(1))[0].Versions[zone]; v != 1 {
			t.Errorf("the first change makes version %d", v)
		}
		ctx := t.Context()
		w.must(w.writer.Begin(ctx))
		if _, err := w.book.Append(ctx, w.writer, one(2)); err != nil {
			t.Fatal(err)
		}
		w.must(w.writer.Savepoint(ctx))
		if _, err := w.book.Append(ctx, w.writer, one(3)); err != nil {
			t.Fatal(err)
		}
		w.must(w.writer.RollbackTo(ctx))
		w.book.Forget()
		r, err := w.book.Append(ctx, w.writer, one(4))
		w.must(err)
		if r.Versions[zone] != 3 || r.Seq != 2 {
			t.Errorf("after a rolled back savepoint: version %d, record %d", r.Versions[zone], r.Seq)
		}
		w.must(w.writer.Rollback(ctx))
		w.book.Forget()
		if r := w.append(one(5))[0]; r.Versions[zone] != 2 || r.Seq != 1 {
			t.Errorf("after a rolled back transaction: version %d, record %d", r.Versions[zone], r.Seq)
		}
		w.read(func(r ledger.Reader) error {
			v, found, err := w.book.Version(ctx, r, zone)
			if v != 2 || !found {
				t.Errorf("the database says version %d, %v", v, found)
			}
			return err
		})
		w.seal()
		if r := w.verify(nil); !r.OK() {
			t.Error(r.Findings)
		}
	})
}

// Without the Forget that belongs to a rollback the next record fails; it
// never goes wrong silently.
func TestAForgottenForgetFailsLoudly(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.append(w.entry(0))
	w.must(w.writer.Begin(ctx))
	_, err := w.book.Append(ctx, w.writer, w.entry(30))
	w.must(err)
	w.must(w.writer.Rollback(ctx))
	w.inTx(func(ctx context.Context) error {
		_, err := w.book.Append(ctx, w.writer, w.entry(60))
		return err
	})
	err = w.sealer.Seal(ctx)
	if r := w.verify(nil); err == nil && r.OK() {
		t.Error("a record was written after one that does not exist, and nobody said so")
	}
}

func TestAHeadProofShowsWhereAChainEnds(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 500)...)
	h := ledger.NewHeads()
	w.heads(h)
	var root ledger.HeadsRoot
	w.read(func(r ledger.Reader) error {
		rec, err := w.browser().Get(t.Context(), r, ledger.Everything, 500)
		if err != nil {
			return err
		}
		want := *rec.Entry.Events[0].Fields[0].New
		fresh := ledger.NewHeads()
		p, err := fresh.ProveObject(t.Context(), r, core.Ref{Kind: "zone", ID: "z_6"})
		if err != nil {
			return err
		}
		if p.Check(p.Covers.Root) != nil {
			t.Error("the proof does not lead to its own root")
		}
		tenant, err := fresh.ProveTenant(t.Context(), r, "a_3")
		if err != nil {
			return err
		}
		if tenant.Line.N != 50 || tenant.Check(tenant.Covers.Root) != nil {
			t.Errorf("tenant a_3: %+v", tenant.Line)
		}
		p.Line.N++
		if p.Check(p.Covers.Root) == nil {
			t.Error("a proof for another counter holds")
		}
		root = p.Covers
		if hex := fmt.Sprintf("%x", root.Root[:]); hex == want {
			t.Error("the map of after the heads record is that of before: it does not contain the record itself")
		}
		return nil
	})
}
