package actionlog

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/ledger"
)

const (
	piece = 500                    // records read at a time, so that no snapshot is pinned
	look  = 500 * time.Millisecond // how often a tail looks for more
)

func (l *Log) tail() act.Declaration {
	return act.Stream[Selection]{
		Name: "log.tail", Doc: "Follow the action log as it grows.", Class: class, Roles: act.Readers,
		Serves: serves(), Sample: Selection{Class: []string{"authentication"}}, Target: nothing[Selection],
		Run: func(ctx context.Context, s *act.Flow, in Selection) error {
			f, err := in.filter()
			if err != nil {
				return err
			}
			after, err := l.newest(ctx, s)
			if err != nil {
				return err
			}
			tick := time.NewTicker(look)
			defer tick.Stop()
			for {
				if after, err = l.sendAfter(ctx, s, f, after, sendRecord(s)); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
			}
		},
	}
}

func sendRecord(s *act.Flow) func(Record) error {
	return func(r Record) error { return s.Send(r) }
}

// newest returns the number of the newest record, -1 for none.
func (l *Log) newest(ctx context.Context, s *act.Flow) (int64, error) {
	after := int64(-1)
	err := s.View(ctx, func(v *act.View) error {
		p, err := l.ports.Browser.List(ctx, v.Ledger(), ledger.Scope{All: true}, ledger.Filter{Limit: 1})
		if len(p.Records) > 0 {
			after = p.Records[0].Seq
		}
		return err
	})
	return after, err
}

// sendAfter sends what came after a record, as far as it goes now.
func (l *Log) sendAfter(ctx context.Context, s *act.Flow, f ledger.Filter, after int64, send func(Record) error) (int64, error) {
	for {
		var records []ledger.Record
		var scope ledger.Scope
		before := after
		err := s.View(ctx, func(v *act.View) (err error) {
			if scope, err = l.scope(ctx, v); err != nil {
				return err
			}
			records, after, err = l.ports.Browser.Tail(ctx, v.Ledger(), scope, after, piece)
			return err
		})
		if err != nil || after == before {
			return after, err
		}
		for _, r := range records {
			if !matches(f, r) {
				continue
			}
			if err := send(show(r, scope)); err != nil {
				return after, err
			}
		}
	}
}

// Export is a Selection and the form it is wanted in.
type Export struct {
	Selection
	Format string `json:"format" doc:"jsonl, csv or cef" rule:"enum=jsonl|csv|cef"`
}

func (l *Log) export() act.Declaration {
	return act.Stream[Export]{
		Name: "log.export", Doc: "Export records, oldest first, as JSON Lines, CSV or CEF.", Class: class, Roles: act.Readers,
		Serves: serves(), Sample: Export{Format: "csv"}, Target: nothing[Export],
		Run: func(ctx context.Context, s *act.Flow, in Export) error {
			f, err := in.filter()
			if err != nil {
				return err
			}
			write := sendRecord(s)
			switch in.Format {
			case "csv":
				if err := s.Send(csvLine(columns)); err != nil {
					return err
				}
				write = func(r Record) error { return s.Send(csvLine(row(r))) }
			case "cef":
				write = func(r Record) error { return s.Send(cef(r)) }
			}
			_, err = l.sendAfter(ctx, s, f, -1, write)
			return err
		},
	}
}

var columns = []string{"number", "id", "time", "action", "class", "outcome", "door", "actor_kind", "actor_id", "actor", "acting_for",
	"address", "session", "object_kind", "object_id", "tenant", "reason", "count", "state", "changes"}

func row(r Record) []string {
	by := ""
	if r.By != nil {
		by = r.By.ID
	}
	changes, _ := json.Marshal(r.Events)
	return []string{fmt.Sprint(r.Number), r.ID, r.Time.Format(core.TimeFormat), r.Action, r.Class, r.Outcome, r.Door, r.Actor.Kind, r.Actor.ID,
		r.Actor.Name, by, r.Address, r.Session, r.Object.Kind, r.Object.ID, r.Tenant, r.Reason, fmt.Sprint(max(r.Count, 1)), r.State, string(changes)}
}

// csvLine is one line of RFC 4180. A cell that a spreadsheet would run as a
// formula gets an apostrophe in front.
func csvLine(cells []string) string {
	safe := make([]string, len(cells))
	for i, c := range cells {
		if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			c = "'" + c
		}
		safe[i] = c
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	_ = w.Write(safe) // a strings.Builder takes everything
	w.Flush()
	return b.String()
}

// cef is one line of the ArcSight Common Event Format, version 0.
func cef(r Record) string {
	severity := "3"
	if r.Outcome == string(ledger.Refused) || r.Outcome == string(ledger.Failed) {
		severity = "6"
	}
	head := strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	body := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	ext := []string{"rt=" + fmt.Sprint(r.Time.UnixMilli()), "externalId=" + body.Replace(r.ID), "outcome=" + r.Outcome,
		"suid=" + body.Replace(r.Actor.ID), "suser=" + body.Replace(r.Actor.Name), "src=" + body.Replace(r.Address),
		"cs1Label=object", "cs1=" + body.Replace(r.Object.String()), "cs2Label=tenant", "cs2=" + body.Replace(r.Tenant),
		"cs3Label=leaf", "cs3=" + r.Hash, "cn1Label=index", fmt.Sprintf("cn1=%d", r.Index), "reason=" + body.Replace(r.Reason)}
	return fmt.Sprintf("CEF:0|Hostward|hostward|1|%s|%s|%s|%s\n", head.Replace(r.Action), head.Replace(r.Action), severity, strings.Join(ext, " "))
}
