package zone

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"

	"hostward/internal/act"
	"hostward/internal/rr"
)

// newest is a version high enough for all of them.
const newest = 1<<63 - 1

// state is what the digest of a zone covers; doc.go is its contract.
func (r row) state(s sums, g keyring, f follows) string {
	lines := []string{"hostward-zone-v1", r.ID, string(r.Name), r.Owner,
		number(r.Serial), number(r.Version), number(r.Generation), number(r.Sets), number(r.Records),
		number(r.Created), number(r.Deleted), hexSum(s.Sets.Sum()), s.History}
	lines = append(lines, g.lines()...)
	return digestLines(append(lines, f.lines()...)...)
}

// after is the digest of a version that follows the one with digest before.
func (e version) after(before string) string {
	return digestLines("hostward-zone-version-v1", before, number(e.Version), number(e.Serial), number(e.At), e.Actor, e.Action, e.Change)
}

func digestLines(lines ...string) string {
	h := sha256.New()
	for _, l := range lines {
		_, _ = h.Write(append([]byte(l), '\n')) // a hash never fails
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func number[N uint32 | uint64 | int64](n N) string {
	if n < 0 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(uint64(n), 10)
}

func (z *Zones) owner(ctx context.Context, v *act.View, id string) (string, error) {
	r, found, err := byID(ctx, v, id)
	if err == nil && !found {
		err = absent(id)
	}
	return r.Owner, err
}

// digest trusts the running sums. A deleted zone still has one: its rows are
// kept, and nobody may change them meanwhile.
func (z *Zones) digest(ctx context.Context, v *act.View, id string) (string, error) {
	r, found, err := byID(ctx, v, id)
	if err != nil || !found {
		return "", err
	}
	s, err := readSums(ctx, v, id)
	if err != nil {
		return "", err
	}
	return z.stateOf(ctx, v, r, s)
}

// stateOf adds what stands beside the zone's rows.
func (z *Zones) stateOf(ctx context.Context, v *act.View, r row, s sums) (string, error) {
	g, err := keyringOf(ctx, v, r.ID)
	if err != nil {
		return "", err
	}
	f, err := primaryOf(ctx, v, r.ID)
	return r.state(s, g, f), err
}

// recompute reads every row and trusts no sum and no count.
func (z *Zones) recompute(ctx context.Context, v *act.View, id string) (string, error) {
	r, found, err := byID(ctx, v, id)
	if err != nil || !found {
		return "", err
	}
	all, err := unsorted(ctx, v, r)
	if err != nil {
		return "", err
	}
	var s sums
	r.Sets, r.Records = int64(len(all)), 0
	for _, set := range all {
		s.Sets.Add(set)
		r.Records += int64(len(set.Data))
	}
	err = versions(ctx, v, id, 0, newest, func(e version) error {
		s.History = e.after(s.History)
		return nil
	})
	if err != nil {
		return "", err
	}
	return z.stateOf(ctx, v, r, s)
}

func (z *Zones) ids(ctx context.Context, v *act.View) (ids []string, err error) {
	err = v.Each(ctx, `SELECT id FROM zone_zone ORDER BY id`, nil, func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// find looks for live zones by part of their name, for the search.
func (z *Zones) find(ctx context.Context, v *act.View, text string, most int) ([]act.Hit, error) {
	owners, err := z.scope(ctx, v, "")
	if err != nil {
		return nil, err
	}
	found, err := search(ctx, v, owners, page{like: pattern(text), limit: most})
	hits := make([]act.Hit, len(found))
	for i, r := range found {
		hits[i] = act.Hit{ID: r.ID, Name: shown(r.Name), Owner: r.Owner}
	}
	return hits, err
}

// apply adds changes to the running sum. Each RRset costs some 20 µs.
func (s *sums) apply(changes []rr.Change) {
	for _, c := range changes {
		s.Sets.Remove(c.Old)
		s.Sets.Add(c.New)
	}
}

// recount adds changes to the counts.
func (r *row) recount(changes []rr.Change) {
	for _, c := range changes {
		r.Sets += present(c.New) - present(c.Old)
		r.Records += int64(len(c.New.Data)) - int64(len(c.Old.Data))
	}
}

func present(s rr.RRset) int64 { return int64(min(len(s.Data), 1)) }
