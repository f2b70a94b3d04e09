package fail2ban

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hostward/internal/file"
	"hostward/internal/host"
)

// Manual is the jail of bans by hand.
const Manual = "manual"

// Config says where things are.
type Config struct {
	Socket string           // left out: /run/fail2ban/fail2ban.sock
	Dir    string           // folder of the journal, made if it is not there
	Clock  func() time.Time // left out: the system's
}

// Server is a fail2ban-server as a ban engine.
type Server struct {
	config Config

	mu      sync.Mutex
	journal *journal
	working []netip.Addr
}

var _ host.Guard = (*Server)(nil)

// Open reads the journal. The server need not run.
func Open(c Config) (*Server, error) {
	if c.Socket == "" {
		c.Socket = "/run/fail2ban/fail2ban.sock"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if err := file.Folder(c.Dir); err != nil {
		return nil, err
	}
	j, err := openJournal(filepath.Join(c.Dir, "fail2ban.journal"))
	if err != nil {
		return nil, err
	}
	return &Server{config: c, journal: j}, nil
}

// Jails returns the jails that run.
func (s *Server) Jails(ctx context.Context) ([]host.Jail, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []host.Jail
	for _, name := range names {
		j, err := s.jail(ctx, name)
		if isRefusal(err) {
			continue // it has gone since
		}
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, nil
}

func (s *Server) names(ctx context.Context) ([]string, error) {
	v, err := s.call(ctx, "status")
	if err != nil {
		return nil, err
	}
	status, err := pairs(v)
	if err != nil {
		return nil, err
	}
	list, ok := status["Jail list"].(string)
	if !ok {
		return nil, errPickle
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }), nil
}

func (s *Server) jail(ctx context.Context, name string) (host.Jail, error) {
	j := host.Jail{Name: name, On: true}
	v, err := s.call(ctx, "status", name)
	if err != nil {
		return j, err
	}
	parts, err := pairs(v)
	if err != nil {
		return j, err
	}
	filter, ferr := pairs(parts["Filter"])
	actions, aerr := pairs(parts["Actions"])
	if err := errors.Join(ferr, aerr); err != nil {
		return j, err
	}
	count := func(from map[string]any, at string) uint64 {
		n, ok := from[at].(int64)
		if !ok || n < 0 {
			err = errPickle
		}
		return uint64(max(n, 0))
	}
	j.Failures, j.Bans, j.Banned = count(filter, "Total failed"), count(actions, "Total banned"), int(count(actions, "Currently banned"))
	if err != nil {
		return j, err
	}
	for _, at := range []string{"File list", "Journal matches"} {
		if list, err := texts(filter[at]); err == nil {
			j.Sources = append(j.Sources, list...)
		}
	}
	if len(j.Sources) == 0 && name != Manual {
		j.Fault = "it reads nothing: the log it was told of is not there"
	}
	return j, s.settings(ctx, &j)
}

func (s *Server) settings(ctx context.Context, j *host.Jail) error {
	retry, err := s.number(ctx, "get", j.Name, "maxretry")
	if err != nil {
		return err
	}
	find, err := s.number(ctx, "get", j.Name, "findtime")
	if err != nil {
		return err
	}
	length, err := s.number(ctx, "get", j.Name, "bantime")
	j.MaxRetry, j.FindTime, j.BanTime = int(retry), time.Duration(find)*time.Second, time.Duration(length)*time.Second
	return err
}

// Bans returns who is banned now, in every jail.
func (s *Server) Bans(ctx context.Context) ([]host.Ban, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look(ctx)
}

// Events returns at most n events behind seq.
func (s *Server) Events(ctx context.Context, after uint64, n int) ([]host.BanEvent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.look(ctx)
	if list := s.journal.after(after, n); len(list) > 0 {
		return list, nil
	}
	return nil, err
}

// Working says from which addresses administrators work now. A jail that bans one of
// them is corrected at the next look, and the event says so; a ban by hand stays.
func (s *Server) Working(_ context.Context, list []netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working = slices.Clone(list)
	return nil
}

// look asks who is banned, notes what happened since the last look, and lifts what is
// over. It returns the bans that hold now.
func (s *Server) look(ctx context.Context) ([]host.Ban, error) {
	db, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	if db != nil {
		defer db.Close()
	}
	// The table before the list: a ban that is in it is in the list already, or is over.
	if db != nil {
		if err := s.catchUp(ctx, db); err != nil {
			return nil, err
		}
	}
	current, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.compare(ctx, db, current); err != nil {
		return nil, err
	}
	return s.correct(ctx, current)
}

// catchUp notes the bans that the server's table has and the journal has not.
func (s *Server) catchUp(ctx context.Context, db *database) error {
	j := s.journal
	if at, err := db.at(ctx, j.row); err != nil {
		return err
	} else if len(at) == 0 || seenOf(at[0].ban) != j.last {
		j.row = 0 // rows were deleted, and their numbers are used again
	}
	for {
		rows, err := db.since(ctx, j.row)
		if err != nil {
			return err
		}
		var lines []line
		for _, r := range rows {
			if !r.ban.Prefix.IsValid() || j.known[seenOf(r.ban)] || j.older(r.ban) || r.ban.Jail == Manual && s.holds(r.ban) {
				continue
			}
			if was, ok := j.held[keyOf(r.ban)]; ok {
				lines = append(lines, over(was, was.Until, "its time"))
			}
			lines = append(lines, line{Event: &host.BanEvent{Time: r.ban.Since, What: "banned", By: r.ban.Jail, Ban: r.ban}, Row: r.number})
		}
		if err := j.add(lines); err != nil {
			return err
		}
		if len(rows) > 0 {
			last := rows[len(rows)-1]
			j.row, j.last = last.number, seenOf(last.ban)
		}
		if len(rows) < most {
			return nil
		}
	}
}

// holds reports a ban that the journal has.
func (s *Server) holds(b host.Ban) bool {
	_, ok := s.journal.held[keyOf(b)]
	return ok
}

func over(b host.Ban, when time.Time, by string) line {
	return line{Event: &host.BanEvent{Time: when, What: "unbanned", By: by, Ban: b}}
}

// current asks every jail whom it bans.
func (s *Server) current(ctx context.Context) (map[key]host.Ban, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	out := map[key]host.Ban{}
	for _, name := range names {
		v, err := s.call(ctx, "get", name, "banip", "--with-time")
		if isRefusal(err) {
			continue // it has gone since
		}
		if err != nil {
			return nil, err
		}
		list, err := texts(v)
		if err != nil {
			return nil, err
		}
		for _, text := range list {
			b, ok, err := listed(text)
			if err != nil {
				return nil, err
			}
			if b.Jail = name; ok {
				out[keyOf(b)] = b
			}
		}
	}
	return out, nil
}

// listed reads "192.0.2.7 \t2026-11-27 06:30:00 + 600 = 2026-11-27 06:40:00", which is
// in the server's local time. It reports false for what is no address.
func listed(text string) (b host.Ban, ok bool, err error) {
	who, rest, found := strings.Cut(text, "\t")
	when, rest, also := strings.Cut(rest, " + ")
	length, _, too := strings.Cut(rest, " = ")
	if !found || !also || !too {
		return b, false, fmt.Errorf("%w: the ban %q", errPickle, clip(text))
	}
	since, err := time.ParseInLocation(time.DateTime, when, time.Local)
	if err != nil {
		return b, false, fmt.Errorf("%w: the ban %q", errPickle, clip(text))
	}
	seconds, err := strconv.ParseInt(length, 10, 64)
	if err != nil {
		return b, false, fmt.Errorf("%w: the ban %q", errPickle, clip(text))
	}
	b.Since, b.Times = since.UTC(), 1
	if seconds >= 0 {
		b.Until = b.Since.Add(time.Duration(seconds) * time.Second)
	}
	b.Prefix, err = prefix(strings.TrimSpace(who))
	return b, err == nil, nil
}

// compare notes bans that are over, and, where the server keeps no database, new ones.
// It fills in what the list does not tell.
func (s *Server) compare(ctx context.Context, db *database, current map[key]host.Ban) error {
	now := s.config.Clock()
	var lines []line
	for k, b := range s.journal.held {
		if _, ok := current[k]; ok {
			continue
		}
		if db != nil {
			if still, err := db.holds(ctx, b, now); err != nil {
				return err
			} else if still {
				continue
			}
		}
		if !b.Until.IsZero() && !now.Before(b.Until) {
			lines = append(lines, over(b, b.Until, "its time"))
		} else {
			lines = append(lines, over(b, now, "somebody"))
		}
	}
	for k, b := range current {
		if held, ok := s.journal.held[k]; ok {
			// It can be prolonged, and is never shortened: the list cuts off the parts of a
			// second that the database rounds.
			if held.Jail != Manual && (b.Until.IsZero() || b.Until.After(held.Until)) && !held.Until.IsZero() {
				held.Until = b.Until
			}
			current[k] = held
		} else if db == nil {
			lines = append(lines, line{Event: &host.BanEvent{Time: b.Since, What: "banned", By: b.Jail, Ban: b}})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.Event.Time.Compare(b.Event.Time) })
	return s.journal.add(lines)
}

// correct lifts bans by hand whose time is over, and those of addresses at work.
func (s *Server) correct(ctx context.Context, current map[key]host.Ban) ([]host.Ban, error) {
	now := s.config.Clock()
	out := []host.Ban{}
	for k, b := range current {
		l := over(b, b.Until, "its time")
		switch {
		case b.Jail == Manual && !b.Until.IsZero() && !now.Before(b.Until):
		case b.Jail != Manual && slices.ContainsFunc(s.working, b.Prefix.Contains):
			l.Event.Time, l.Event.What, l.Event.By = now, "spared", "an administrator works from there"
		default:
			out = append(out, b)
			continue
		}
		if _, err := s.call(ctx, "set", k.jail, "unbanip", wire(k.prefix)); err != nil {
			return nil, err
		}
		if err := s.journal.add([]line{l}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b host.Ban) int {
		return errOr(b.Since.Compare(a.Since), errOr(a.Prefix.Addr().Compare(b.Prefix.Addr()), strings.Compare(a.Jail, b.Jail)))
	})
	return out, nil
}

func errOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// Ban keeps a prefix out of everything for a while. It returns when the server holds
// the ban; that the kernel does is what Test tells.
func (s *Server) Ban(ctx context.Context, prefix netip.Prefix, d time.Duration, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ban(ctx, prefix.Masked(), d, reason)
}

func (s *Server) ban(ctx context.Context, prefix netip.Prefix, d time.Duration, reason string) error {
	if a, ok := own(prefix); ok {
		return fmt.Errorf("%s is an address of this machine itself, and is not banned", a)
	}
	current, err := s.look(ctx)
	if err != nil {
		return err
	}
	now := s.config.Clock().UTC().Truncate(time.Second)
	b := host.Ban{Prefix: prefix, Jail: Manual, Since: now, Times: 1}
	if reason != "" {
		b.Lines = []string{reason}
	}
	if d > 0 {
		b.Until = now.Add(d)
	}
	var lines []line
	for _, was := range current {
		if keyOf(was) == keyOf(b) {
			b.Times = was.Times + 1
			lines = append(lines, over(was, now, "another ban"))
		}
	}
	if _, err := s.call(ctx, "set", Manual, "banip", wire(prefix)); err != nil {
		if isRefusal(err) {
			return fmt.Errorf("%w: the jail %q for bans by hand does not run; apply the control of bans", err, Manual)
		}
		return err
	}
	if err := s.took(ctx, b); err != nil {
		return err
	}
	return s.journal.add(append(lines, line{Event: &host.BanEvent{Time: now, What: "banned", By: Manual, Ban: b}}))
}

// own returns an address of this machine that lies in a prefix. The server looks for
// these only where a log leads to a ban.
func own(prefix netip.Prefix) (netip.Addr, bool) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, false
	}
	for _, x := range list {
		if p, err := netip.ParsePrefix(x.String()); err == nil && prefix.Contains(p.Addr().Unmap()) {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// took waits until the server holds a ban, and remembers it: it notes bans beside what
// it does, and one that is lifted before would come back when it starts again.
func (s *Server) took(ctx context.Context, b host.Ban) error {
	current, err := s.current(ctx)
	if err != nil {
		return err
	}
	if _, ok := current[keyOf(b)]; !ok {
		return fmt.Errorf("fail2ban-server took the ban of %s and does not hold it: it is in what it ignores, or the ban failed; its log says more", b.Prefix)
	}
	db, err := s.open(ctx)
	if err != nil || db == nil {
		return err
	}
	defer db.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if ok, err := db.holds(ctx, b, b.Since); ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("fail2ban-server holds the ban of %s and does not note it in its database", b.Prefix)
		}
	}
}

// Unban lifts every ban that covers the prefix or lies in it, in all jails.
func (s *Server) Unban(ctx context.Context, prefix netip.Prefix) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unban(ctx, prefix.Masked())
}

func (s *Server) unban(ctx context.Context, prefix netip.Prefix) error {
	current, err := s.look(ctx)
	if err != nil {
		return err
	}
	for _, b := range current {
		if !b.Prefix.Overlaps(prefix) {
			continue
		}
		if _, err := s.call(ctx, "set", b.Jail, "unbanip", wire(b.Prefix)); err != nil {
			return err
		}
	}
	if current, err = s.look(ctx); err != nil {
		return err
	}
	for _, b := range current {
		if b.Prefix.Overlaps(prefix) {
			return fmt.Errorf("fail2ban-server was told to lift the ban of %s in jail %s, and still holds it", b.Prefix, b.Jail)
		}
	}
	return nil
}

// Test bans an address of TEST-NET-2, looks whether the kernel lets in what comes from
// it, and lifts the ban. One of an earlier test that was cut off goes first.
func (s *Server) Test(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := s.unbanned(ctx)
	if err != nil {
		return err
	}
	if came, err := comes(ctx, from); err != nil {
		return fmt.Errorf("the test needs to send to itself: %w", err)
	} else if !came {
		return fmt.Errorf("the test tells nothing: what comes from %s is dropped without a ban", from)
	}
	if err := s.ban(ctx, netip.PrefixFrom(from, 32), time.Hour, selfTest); err != nil {
		return err
	}
	defer func() {
		_, lerr := s.call(context.WithoutCancel(ctx), "set", Manual, "unbanip", from.String())
		err = errors.Join(err, lerr)
	}()
	came, err := comes(ctx, from)
	if err == nil && came {
		err = fmt.Errorf("%s was banned, and the kernel still lets in what comes from it", from)
	}
	return err
}

const selfTest = "self-test"

// unbanned is an address of TEST-NET-2 (RFC 5737) that no ban covers; another each
// time, or the jail recidive would take its turn.
func (s *Server) unbanned(ctx context.Context) (netip.Addr, error) {
	current, err := s.look(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	current = slices.DeleteFunc(current, func(b host.Ban) bool {
		if left := b.Jail == Manual && slices.Equal(b.Lines, []string{selfTest}); left && err == nil {
			_, err = s.call(ctx, "set", Manual, "unbanip", wire(b.Prefix))
			return true
		}
		return false
	})
	if err != nil {
		return netip.Addr{}, err
	}
	for _, last := range rand.Perm(254) { //nolint:gosec // no secret
		a := netip.AddrFrom4([4]byte{198, 51, 100, byte(last + 1)})
		if !slices.ContainsFunc(current, func(b host.Ban) bool { return b.Prefix.Contains(a) }) {
			return a, nil
		}
	}
	return netip.Addr{}, errors.New("every address that the test could take is banned: lift the ban of 198.51.100.0/24 first")
}
