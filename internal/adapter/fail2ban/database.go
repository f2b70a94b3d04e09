package fail2ban

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the server's database

	"hostward/internal/host"
)

// database is the server's own, open for one look.
type database struct{ *sql.DB }

// open opens the database that the server says it has; nil if it has none.
func (s *Server) open(ctx context.Context) (*database, error) {
	v, err := s.call(ctx, "get", "dbfile")
	if err != nil {
		return nil, err
	}
	path, ok := v.(string)
	if !ok || path == "" || path == ":memory:" {
		return nil, nil
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=trusted_schema(0)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("opening the server's database: %w", err)
	}
	return &database{db}, nil
}

// row is a ban as the server's tables have it.
type row struct {
	number int64
	ban    host.Ban
}

// most rows are read at once; what is left comes with the next look.
const most = 5000

// since returns the bans that were noted behind a row.
func (d *database) since(ctx context.Context, after int64) ([]row, error) {
	return d.rows(ctx, `SELECT rowid, jail, ip, timeofban, bantime, bancount, data FROM bans WHERE rowid > ? ORDER BY rowid LIMIT ?`, after, most)
}

// at returns one row of that table.
func (d *database) at(ctx context.Context, number int64) ([]row, error) {
	return d.rows(ctx, `SELECT rowid, jail, ip, timeofban, bantime, bancount, data FROM bans WHERE rowid = ?`, number)
}

// holds reports whether the server remembers a ban that would hold now. While it
// starts, that is before it holds them again.
func (d *database) holds(ctx context.Context, b host.Ban, now time.Time) (bool, error) {
	err := d.QueryRowContext(ctx, `SELECT 1 FROM bips WHERE jail = ? AND ip = ? AND (bantime < 0 OR timeofban + bantime > ?)`,
		b.Jail, wire(b.Prefix), now.Unix()).Scan(new(int))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (d *database) rows(ctx context.Context, query string, args ...any) (out []row, err error) {
	rows, err := d.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the server's database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var ip string
		var since, length int64
		var data []byte
		if err := rows.Scan(&r.number, &r.ban.Jail, &ip, &since, &length, &r.ban.Times, &data); err != nil {
			return nil, fmt.Errorf("reading the server's database: %w", err)
		}
		if r.ban.Prefix, err = prefix(ip); err == nil { // a jail can ban names of users, too
			r.ban.Since = time.Unix(since, 0).UTC()
			if length >= 0 {
				r.ban.Until = r.ban.Since.Add(time.Duration(length) * time.Second)
			}
			r.ban.Failures, r.ban.Lines = details(data)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// maxLine is how much of a log line is kept.
const maxLine = 1000

// details reads what led to a ban. Lines are texts, or lists of texts whose middle is
// the part that matched.
func details(data []byte) (failures int, lines []string) {
	var d struct {
		Failures int               `json:"failures"`
		Matches  []json.RawMessage `json:"matches"`
	}
	if json.Unmarshal(data, &d) != nil {
		return 0, nil
	}
	for _, m := range d.Matches {
		var parts []string
		var text string
		if json.Unmarshal(m, &text) != nil && json.Unmarshal(m, &parts) == nil {
			text = strings.Join(parts, "")
		}
		if text = strings.TrimSpace(strings.ToValidUTF8(text, "?")); text != "" {
			lines = append(lines, text[:min(len(text), maxLine)])
		}
	}
	return d.Failures, lines
}

// prefix reads an address or a network as the server writes it.
func prefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// wire writes a prefix as the server does.
func wire(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
