package zone

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"hostward/internal/act"
	"hostward/internal/rr"
)

// columns of zone_zone in the order of scanRow.
const columns = `id, name, owner, serial, version, generation, sets, records, created, changed, deleted`

func scanRow(r *row, scan func(dest ...any) error) error {
	return scan(&r.ID, &r.Name, &r.Owner, &r.Serial, &r.Version, &r.Generation, &r.Sets, &r.Records, &r.Created, &r.Changed, &r.Deleted)
}

// byID returns the zone of that id, deleted or not.
func byID(ctx context.Context, v *act.View, id string) (r row, found bool, err error) {
	const q = `SELECT ` + columns + ` FROM zone_zone WHERE id = $1`
	err = scanRow(&r, func(dest ...any) (err error) {
		found, err = v.Get(ctx, q, []any{id}, dest...)
		return err
	})
	return r, found, err
}

// byName returns the live zone of that name.
func byName(ctx context.Context, v *act.View, name rr.Name) (r row, found bool, err error) {
	const q = `SELECT ` + columns + ` FROM zone_zone WHERE name = $1 AND deleted = 0`
	err = scanRow(&r, func(dest ...any) (err error) {
		found, err = v.Get(ctx, q, []any{string(name)}, dest...)
		return err
	})
	return r, found, err
}

// live returns the zone that text names, by id or by name.
func live(ctx context.Context, v *act.View, text string) (row, error) {
	if strings.HasPrefix(text, "z_") {
		r, found, err := byID(ctx, v, text)
		if err != nil || found && r.Deleted == 0 {
			return r, err
		}
	}
	name, err := zoneName(text)
	if err != nil {
		return row{}, absent(text)
	}
	r, found, err := byName(ctx, v, name)
	if err == nil && !found {
		err = absent(text)
	}
	return r, err
}

// Resolve returns the id of the live zone that text names, by id or by name. It
// looks at no right.
func (z *Zones) Resolve(ctx context.Context, v *act.View, text string) (string, error) {
	r, err := live(ctx, v, text)
	return r.ID, err
}

// Named returns the live zone that text names, by id or by name. It looks at no right.
func (z *Zones) Named(ctx context.Context, v *act.View, text string) (id string, name rr.Name, owner string, err error) {
	r, err := live(ctx, v, text)
	return r.ID, r.Name, r.Owner, err
}

// Reaches reports whether the caller's scope holds a tenant.
func (z *Zones) Reaches(ctx context.Context, v *act.View, tenant string) (bool, error) {
	return z.actsFor(ctx, v, tenant)
}

// sets returns all RRsets of the zone's live generation, in order.
func sets(ctx context.Context, v *act.View, r row) ([]rr.RRset, error) {
	all, err := unsorted(ctx, v, r)
	rr.SortRRsets(all)
	return all, err
}

func unsorted(ctx context.Context, v *act.View, r row) ([]rr.RRset, error) {
	all := make([]rr.RRset, 0, r.Sets)
	const q = `SELECT name, type, ttl, data FROM zone_rrset WHERE zone_id = $1 AND generation = $2`
	err := v.Each(ctx, q, []any{r.ID, r.Generation}, func(scan func(dest ...any) error) error {
		s, err := scanSet(scan)
		all = append(all, s)
		return err
	})
	return all, err
}

// setsAt adds the RRsets of one name to into.
func setsAt(ctx context.Context, v *act.View, r row, name rr.Name, into map[rr.Key]rr.RRset) error {
	const q = `SELECT name, type, ttl, data FROM zone_rrset WHERE zone_id = $1 AND generation = $2 AND name = $3`
	return v.Each(ctx, q, []any{r.ID, r.Generation, string(name)}, func(scan func(dest ...any) error) error {
		s, err := scanSet(scan)
		into[s.Key()] = s
		return err
	})
}

func scanSet(scan func(dest ...any) error) (rr.RRset, error) {
	var s rr.RRset
	var data string
	err := scan(&s.Name, &s.Type, &s.TTL, &data)
	s.Data = strings.Split(data, "\n")
	return s, err
}

// sums are what zone_digest keeps.
type sums struct {
	Sets    rr.Accumulator
	History string
}

func readSums(ctx context.Context, v *act.View, id string) (s sums, err error) {
	var b []byte
	found, err := v.Get(ctx, `SELECT sets, history FROM zone_digest WHERE zone_id = $1`, []any{id}, &b, &s.History)
	if err == nil && (!found || copy(s.Sets[:], b) != len(s.Sets)) {
		err = fmt.Errorf("zone %s: its running sums are not there or not whole", id)
	}
	return s, err
}

// insertZone writes a zone that is new: its row and its sums.
func insertZone(ctx context.Context, tx *act.Tx, r row, s sums) error {
	_, err := tx.Exec(ctx, `INSERT INTO zone_zone (id, name, shown, place, owner, serial, version, generation, sets, records, created, changed, deleted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.ID, string(r.Name), shown(r.Name), place(r.Name), r.Owner, int64(r.Serial), int64(r.Version), r.Generation, r.Sets, r.Records, r.Created, r.Changed, r.Deleted)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO zone_digest (zone_id, sets, history) VALUES ($1, $2, $3)`, r.ID, s.Sets[:], s.History)
	return err
}

// updateZone writes what a change moves.
func updateZone(ctx context.Context, tx *act.Tx, r row, s sums) error {
	_, err := tx.Exec(ctx, `UPDATE zone_zone SET serial = $2, version = $3, generation = $4, sets = $5, records = $6, changed = $7, deleted = $8 WHERE id = $1`,
		r.ID, int64(r.Serial), int64(r.Version), r.Generation, r.Sets, r.Records, r.Changed, r.Deleted)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE zone_digest SET sets = $2, history = $3 WHERE zone_id = $1`, r.ID, s.Sets[:], s.History)
	return err
}

// writeChange makes the rows of one RRset what the change leaves.
func writeChange(ctx context.Context, tx *act.Tx, r row, c rr.Change) (err error) {
	k, data := c.Key(), strings.Join(c.New.Data, "\n")
	switch {
	case len(c.New.Data) == 0:
		_, err = tx.Exec(ctx, `DELETE FROM zone_rrset WHERE zone_id = $1 AND generation = $2 AND name = $3 AND type = $4`,
			r.ID, r.Generation, string(k.Name), k.Type)
	case len(c.Old.Data) == 0:
		_, err = tx.Exec(ctx, `INSERT INTO zone_rrset (zone_id, generation, name, type, ttl, data) VALUES ($1, $2, $3, $4, $5, $6)`,
			r.ID, r.Generation, string(k.Name), k.Type, int64(c.New.TTL), data)
	default:
		_, err = tx.Exec(ctx, `UPDATE zone_rrset SET ttl = $5, data = $6 WHERE zone_id = $1 AND generation = $2 AND name = $3 AND type = $4`,
			r.ID, r.Generation, string(k.Name), k.Type, int64(c.New.TTL), data)
	}
	return err
}

// insertMany writes new RRsets eight at a time: a statement costs as much as
// the rows it carries, and on PostgreSQL a round trip. It returns the rest.
func insertMany(ctx context.Context, tx *act.Tx, r row, changes []rr.Change) ([]rr.Change, error) {
	const each = 8
	for len(changes) >= each {
		args := make([]any, 0, 2+4*each)
		args = append(args, r.ID, r.Generation)
		for _, c := range changes[:each] {
			args = append(args, string(c.New.Name), c.New.Type, int64(c.New.TTL), strings.Join(c.New.Data, "\n"))
		}
		_, err := tx.Exec(ctx, `INSERT INTO zone_rrset (zone_id, generation, name, type, ttl, data) VALUES
			($1, $2, $3, $4, $5, $6), ($1, $2, $7, $8, $9, $10), ($1, $2, $11, $12, $13, $14), ($1, $2, $15, $16, $17, $18),
			($1, $2, $19, $20, $21, $22), ($1, $2, $23, $24, $25, $26), ($1, $2, $27, $28, $29, $30), ($1, $2, $31, $32, $33, $34)`, args...)
		if err != nil {
			return changes, err
		}
		changes = changes[each:]
	}
	return changes, nil
}

// version is one row of zone_version.
type version struct {
	Version        uint64
	Serial         uint32
	At             int64
	Actor, Action  string
	Added, Removed int64
	Change         string // JSON of []delta
}

const versionColumns = `version, serial, at, actor, action, added, removed, change`

func scanVersion(e *version, scan func(dest ...any) error) error {
	return scan(&e.Version, &e.Serial, &e.At, &e.Actor, &e.Action, &e.Added, &e.Removed, &e.Change)
}

func insertVersion(ctx context.Context, tx *act.Tx, id string, e version) error {
	_, err := tx.Exec(ctx, `INSERT INTO zone_version (zone_id, version, serial, at, actor, action, added, removed, change)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, int64(e.Version), int64(e.Serial), e.At, e.Actor, e.Action, e.Added, e.Removed, e.Change)
	return err
}

// versions calls f for the versions after and up to, ascending.
func versions(ctx context.Context, v *act.View, id string, after, upTo uint64, f func(version) error) error {
	const q = `SELECT ` + versionColumns + ` FROM zone_version WHERE zone_id = $1 AND version > $2 AND version <= $3 ORDER BY version`
	return v.Each(ctx, q, []any{id, int64(after), int64(upTo)}, func(scan func(dest ...any) error) error {
		var e version
		if err := scanVersion(&e, scan); err != nil {
			return err
		}
		return f(e)
	})
}

func hexSum(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
