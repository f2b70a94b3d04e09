package ledger_test

import (
	"testing"

	"hostward/internal/ledger"
)

func TestRecordsAreListedNewestFirstWithTheirPersonalValues(t *testing.T) {
	w := newWorld(t)
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
}
