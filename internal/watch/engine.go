package watch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"hostward/internal/core"
	"hostward/internal/file"
	"hostward/internal/host"
	"hostward/internal/jail"
)

const (
	lookEvery   = time.Second          // without being woken
	gather      = 2 * time.Millisecond // after a wake, so that one look finds several lines
	turn        = 4 << 20              // octets of one file until the others have their turn
	saveEvery   = time.Second          // at the most; less often when saving takes long
	compare     = 10 * time.Second     // of the kernel's sets with the book
	quiet       = 2 * time.Second      // after much work until memory is given back
	whenBusy    = 200                  // percent of garbage while there is much work
	aroundEvery = 30 * time.Second     // looks at own addresses, gateways, nameservers
	namesEvery  = 10 * time.Minute     // asks for the addresses of names in ignoreip
	forgotten   = 30 * 24 * time.Hour  // a file that is not there
	workingFor  = time.Hour            // an administrator's address is spared after the panel named it
	caughtUp    = time.Minute          // since everything was read: what comes now was just written
)

// Filter finds failures in the lines of one log, as jail.Filter does.
type Filter interface {
	SetMode(jail.Mode)
	Match(line []byte, now time.Time) (jail.Failure, bool)
	MatchAt(line []byte, at, now time.Time) (jail.Failure, bool)
}

var _ Filter = (*jail.Filter)(nil)

// Jail is what one jail reads, and bans by.
type Jail struct {
	Name, Filter string
	Rules
	Files   []jail.LogPath
	Journal [][]string    // matches of journalctl; they are read if no file is there
	Ignore  []string      // ignoreip
	New     func() Filter // for each log its own
	Fault   string        // why it is not, or not wholly, as configured
}

// Config is what an engine is made of.
type Config struct {
	Folder string // where it keeps what it knows; made if need be
	Kernel host.Kernel
	// Jails reads the configuration if it has changed; false: it has not. A jail that
	// cannot be read is left as it was by the reader.
	Jails      func() (jails []Jail, changed bool, err error)
	Journalctl []string // the command that reads the journal; empty: none is read
	Resolv     string   // the machine's resolv.conf; empty: /etc/resolv.conf
	Log        *slog.Logger
}

// Engine is the ban engine.
type Engine struct {
	Config
	lock   io.Closer
	events *journal

	mu        sync.Mutex // over everything below
	book      *book
	jails     map[string]*cellar
	fault     string // of the configuration as a whole
	followers map[string]*follower
	readers   map[string][]string // jails by path
	kept      map[string][]Position
	cursors   map[string]string
	tails     map[string]*tail
	around    surroundings
	names     map[string][]netip.Addr
	working   []netip.Addr
	told      time.Time
	ring      []host.BanEvent // the newest, with those that are not durable yet
	seq       uint64
	durable   uint64 // events up to it are on the disk
	dropped   map[netip.Prefix]uint64
	settled   bool // everything was read once: what the kernel holds besides is not ours
	changed   bool // something is to be saved
	clock     time.Time

	lookedAround time.Time

	applying sync.Mutex // one speaks to the kernel at a time
	apply    chan struct{}
	flush    chan struct{}
	flushing sync.Mutex
}

// cellar is a jail in operation.
type cellar struct {
	Jail
	trusted trusted
	lines   uint64
	filters map[string]*aware // by path, or matches of the journal
}

// aware is a filter that knows whether what it reads was just written.
type aware struct {
	Filter
	live bool
}

var _ host.Guard = (*Engine)(nil)

// Open takes over what a folder holds. Nobody else may use it meanwhile.
func Open(c Config) (*Engine, error) {
	c.Resolv = cmp.Or(c.Resolv, "/etc/resolv.conf")
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, err
	}
	lock, err := file.Lock(filepath.Join(c.Folder, "lock"))
	if err != nil {
		return nil, err
	}
	e := &Engine{Config: c, lock: lock, jails: map[string]*cellar{}, followers: map[string]*follower{}, readers: map[string][]string{}, kept: map[string][]Position{},
		cursors: map[string]string{}, tails: map[string]*tail{}, names: map[string][]netip.Addr{}, dropped: map[netip.Prefix]uint64{}, clock: time.Now(),
		apply: make(chan struct{}, 1), flush: make(chan struct{}, 1)}
	e.book = newBook(e.spare, e.happened)
	e.book.jail(Manual, Rules{MaxRetry: 1})
	if err := e.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading what the ban engine kept: %w", err), lock.Close())
	}
	return e, nil
}

func (e *Engine) load() error {
	s, counts, aside, err := readState(e.Folder)
	if err != nil {
		return err
	}
	if aside != "" {
		e.Log.Warn("what was counted could not be read and is set aside; logs are read as at the first start", "file", aside)
	}
	if e.events, e.ring, err = openJournal(filepath.Join(e.Folder, eventsFile)); err != nil {
		return err
	}
	e.book.now = e.clock
	e.book.restore(s, counts)
	for _, x := range e.ring {
		if x.Seq > s.Seq {
			e.book.replay(x)
		}
	}
	e.seq = s.Seq
	if n := len(e.ring); n > 0 {
		e.seq = max(e.seq, e.ring[n-1].Seq)
	}
	if n := len(e.ring); n > 0 && e.ring[n-1].Seq < s.Seq { // events were lost: no number is used twice
		e.ring = nil
		err = e.events.rewrite(nil)
	}
	e.durable = e.seq
	if ahead := s.Saved.Sub(e.clock); ahead > time.Minute {
		e.book.shift(-ahead) // the clock was set back meanwhile
	}
	for _, p := range s.Positions {
		e.kept[p.Path] = append(e.kept[p.Path], p)
	}
	if s.Readers != nil {
		e.readers = s.Readers
	}
	if s.Cursors != nil {
		e.cursors = s.Cursors
	}
	e.working, e.told = s.Working, s.Told
	return err
}

// Run follows, counts and bans until the context ends. What is in force stays in
// force then: the kernel ends it by itself.
func (e *Engine) Run(ctx context.Context) error {
	var g sync.WaitGroup
	for _, f := range []func(context.Context){e.enforce, e.keep, e.lookUpNames} {
		g.Go(func() { f(ctx) })
	}
	w, buf := newWaker(ctx), make([]byte, chunk)
	var looked, worked time.Time
	var usual int // the process's percentage of garbage, while there is much work
	for ctx.Err() == nil {
		if time.Since(looked) >= lookEvery {
			e.refresh(ctx, w)
			looked = time.Now()
		} else if w.Appeared.Swap(false) {
			e.mu.Lock()
			e.sources(ctx, w)
			e.mu.Unlock()
		}
		if e.round(buf) {
			if worked.IsZero() {
				usual = debug.SetGCPercent(whenBusy)
			}
			worked = time.Now()
			continue
		}
		if !worked.IsZero() && time.Since(worked) > quiet { // what it took is not needed now
			debug.SetGCPercent(usual)
			debug.FreeOSMemory()
			worked = time.Time{}
		}
		e.mu.Lock()
		e.settled = true
		e.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-w.Woke:
			time.Sleep(gather)
		case <-time.After(lookEvery):
		}
	}
	g.Wait()
	e.mu.Lock()
	for _, f := range e.followers {
		defer f.close()
	}
	tails := slices.Collect(maps.Values(e.tails))
	e.mu.Unlock()
	for _, t := range tails {
		t.stop()
		<-t.done
	}
	return errors.Join(e.save(), e.Close())
}

// Close gives the folder back without running.
func (e *Engine) Close() error { return errors.Join(e.events.close(), e.lock.Close()) }

// round reads some of every file, and says whether there is more.
func (e *Engine) round(buf []byte) (more bool) {
	e.mu.Lock()
	paths := slices.Sorted(maps.Keys(e.followers))
	e.mu.Unlock()
	for _, path := range paths {
		for left := turn; left > 0; left -= chunk {
			e.mu.Lock()
			e.tick()
			again := e.readSome(path, buf)
			e.mu.Unlock()
			if !again {
				break
			}
			more = more || left <= chunk
		}
	}
	e.mu.Lock()
	e.tick()
	e.mu.Unlock()
	return more
}

// readSome reads a piece of a file for all its jails.
func (e *Engine) readSome(path string, buf []byte) (more bool) {
	f := e.followers[path]
	now, live := e.book.now, time.Since(f.caught) < caughtUp
	type reader struct {
		*cellar
		filter Filter
	}
	var readers []reader
	for _, name := range e.readers[path] {
		if j := e.jails[name]; j != nil {
			readers = append(readers, reader{j, j.filter(path, live)})
		}
	}
	return f.read(buf, chunk, func(line []byte) {
		e.changed = true
		for _, r := range readers {
			r.lines++
			if failure, ok := r.filter.Match(line, now); ok {
				e.book.fail(r.Name, failure, line)
			}
		}
	})
}

// filter is the jail's filter for one log. What waited for us keeps its dates; what
// was just written is of now, whatever date it has.
func (j *cellar) filter(log string, live bool) Filter {
	a := j.filters[log]
	if a == nil {
		a = &aware{Filter: j.New(), live: !live}
		j.filters[log] = a
	}
	if a.live != live {
		a.live = live
		a.SetMode(map[bool]jail.Mode{true: jail.Live, false: jail.CatchUp}[live])
	}
	return a
}

// tick tells the book the time, and wakes who has something to do.
func (e *Engine) tick() {
	now := time.Now()
	if d := now.Round(0).Sub(e.clock.Round(0)) - now.Sub(e.clock); d.Abs() > 2*time.Second {
		e.Log.Warn("the clock was set; bans and counts go with it", "by", d)
		e.book.shift(d)
	}
	e.clock = now
	e.book.tick(now)
	if len(e.book.dirty) > 0 {
		wake(e.apply)
	}
	if e.changed || e.durable < e.seq {
		wake(e.flush)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// happened takes an event of the book.
func (e *Engine) happened(what, by string, ban host.Ban) {
	e.seq++
	e.ring = append(e.ring, host.BanEvent{Seq: e.seq, Time: e.book.now, What: what, By: by, Ban: ban})
	if over := len(e.ring) - mostEvents; over > mostEvents/4 && e.ring[over].Seq <= e.durable {
		e.ring = slices.Delete(e.ring, 0, over)
	}
	e.changed = true
}

// spare is why a prefix is never banned.
func (e *Engine) spare(name string, p netip.Prefix) string {
	if why := e.around.within(p); why != "" {
		return why
	}
	if time.Since(e.told) < workingFor {
		if i := slices.IndexFunc(e.working, p.Contains); i >= 0 {
			return fmt.Sprintf("an administrator works from %s", e.working[i])
		}
	}
	if j := e.jails[name]; j != nil {
		return j.trusted.within(p, e.names)
	}
	for _, j := range e.jails { // a person bans for all of them
		if why := j.trusted.within(p, e.names); why != "" && name == Manual {
			return why
		}
	}
	return ""
}

// refresh looks at the configuration, at the files there are, and around.
func (e *Engine) refresh(ctx context.Context, w *waker) {
	jails, changed, err := e.Config.Jails()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault = ""
	if err != nil {
		e.fault = err.Error()
	}
	if time.Since(e.lookedAround) >= aroundEvery {
		e.around, e.lookedAround = lookAround(e.Resolv), time.Now()
	}
	if changed {
		e.configure(jails)
	}
	e.sources(ctx, w)
}

// configure puts other jails in operation. Counts stay; the bans of a jail that is
// gone are lifted.
func (e *Engine) configure(jails []Jail) {
	old := e.jails
	e.jails = make(map[string]*cellar, len(jails))
	for _, j := range jails {
		x := &cellar{Jail: j, trusted: parseTrusted(j.Ignore), filters: map[string]*aware{}}
		if o := old[j.Name]; o != nil {
			x.lines = o.lines
		}
		if len(x.trusted.unknown) > 0 {
			x.Fault = cmp.Or(x.Fault, fmt.Sprintf("ignoreip: addresses, networks and host names are accepted, not %q", x.trusted.unknown))
		}
		e.jails[j.Name] = x
		e.book.jail(j.Name, j.Rules)
	}
	for name := range e.book.cells {
		if e.jails[name] == nil && name != Manual {
			e.book.close(name)
		}
	}
	e.changed = true
}

// sources begins to follow what is there, and ends following what is gone.
func (e *Engine) sources(ctx context.Context, w *waker) {
	wanted, matches := map[string][]string{}, map[string][]string{}
	for name, j := range e.jails {
		found := 0
		for _, log := range j.Files {
			w.watch(filepath.Dir(log.Glob))
			paths, _ := filepath.Glob(log.Glob) // a pattern that is none finds nothing
			for _, path := range paths {
				wanted[path] = append(wanted[path], name)
				found++
				if real, err := filepath.EvalSymlinks(path); err == nil {
					w.watch(filepath.Dir(real))
				}
			}
		}
		if found == 0 && len(j.Journal) > 0 && len(e.Journalctl) > 0 {
			key := matchKey(j.Journal)
			matches[key] = append(matches[key], name)
		}
	}
	for path, f := range e.followers { // rotated away for a moment, or for ever
		if len(wanted[path]) > 0 {
			continue
		}
		if len(f.streams) > 0 && e.anyReads(path) {
			wanted[path] = e.readers[path]
			continue
		}
		f.close()
		delete(e.followers, path)
		delete(e.readers, path)
	}
	for path, names := range wanted {
		e.follow(path, names)
	}
	e.followJournal(ctx, matches)
}

// anyReads says whether a jail that is in operation would read a path.
func (e *Engine) anyReads(path string) bool {
	return slices.ContainsFunc(e.readers[path], func(name string) bool {
		j := e.jails[name]
		return j != nil && slices.ContainsFunc(j.Files, func(p jail.LogPath) bool { ok, _ := filepath.Match(p.Glob, path); return ok })
	})
}

// follow has jails read a path. Who is new to a file that is followed already reads
// back on its own.
func (e *Engine) follow(path string, names []string) {
	slices.Sort(names)
	f := e.followers[path]
	if f == nil {
		if kept := e.kept[path]; len(kept) > 0 {
			f = resume(path, kept)
			delete(e.kept, path)
		} else {
			f = begin(path, e.back(path, names))
			e.readers[path] = names
		}
		e.followers[path] = f
	}
	for _, name := range names {
		if !slices.Contains(e.readers[path], name) {
			e.readBack(e.jails[name], f)
		}
	}
	if !slices.Equal(e.readers[path], names) {
		e.readers[path], e.changed = names, true
	}
}

func (e *Engine) readBack(j *cellar, f *follower) {
	if len(f.streams) == 0 {
		return
	}
	filter, now := j.filter(f.path, false), e.book.now
	f.back(make([]byte, chunk), func(line []byte) {
		if failure, ok := filter.Match(line, now); ok {
			e.book.fail(j.Name, failure, line)
		}
	})
}

// back is how much is read of a file that is new: nothing of what is there, if all
// its jails say so ("tail").
func (e *Engine) back(path string, names []string) int64 {
	for _, name := range names {
		for _, log := range e.jails[name].Files {
			if ok, _ := filepath.Match(log.Glob, path); ok && !log.Tail {
				return lookBack
			}
		}
	}
	return 0
}

// enforce keeps the kernel as the book says.
func (e *Engine) enforce(ctx context.Context) {
	next, pause := time.NewTimer(0), time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.apply:
			if err := e.carryOut(ctx); err != nil && ctx.Err() == nil {
				pause = min(max(2*pause, 100*time.Millisecond), compare)
				e.Log.Warn("the kernel could not be told about bans; it is tried again", "error", err, "in", pause)
				select {
				case <-ctx.Done():
				case <-time.After(pause):
					wake(e.apply)
				}
				continue
			}
			pause = 0
		case <-next.C:
			began := time.Now()
			if err := e.reconcile(ctx); err != nil && ctx.Err() == nil {
				e.Log.Warn("the kernel's bans could not be compared with the book", "error", err)
			}
			next.Reset(max(compare, min(200*time.Since(began), 5*time.Minute)))
		}
	}
}

// carryOut tells the kernel what is other in the book.
func (e *Engine) carryOut(ctx context.Context) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	e.mu.Lock()
	dirty := e.book.dirty
	e.book.dirty = map[netip.Prefix]struct{}{}
	add, remove := e.divide(maps.Keys(dirty))
	e.mu.Unlock()
	err := e.tell(ctx, add, remove)
	if err != nil {
		e.mu.Lock()
		for p := range dirty {
			e.book.dirty[p] = struct{}{}
		}
		e.mu.Unlock()
	}
	return err
}

func (e *Engine) divide(prefixes func(func(netip.Prefix) bool)) (add []host.Ban, remove []netip.Prefix) {
	for p := range prefixes {
		if until, ok := e.book.want(p); ok {
			add = append(add, host.Ban{Prefix: p, Until: until})
		} else {
			remove = append(remove, p)
		}
	}
	return add, remove
}

// tell lets nobody in before who is to stay out is out: a wider ban takes the place
// of narrower ones.
func (e *Engine) tell(ctx context.Context, add []host.Ban, remove []netip.Prefix) (err error) {
	if len(add) > 0 {
		err = e.Kernel.Ban(ctx, add)
	}
	if len(remove) > 0 {
		err = errors.Join(err, e.Kernel.Unban(ctx, remove))
	}
	return err
}

// reconcile compares the kernel's sets with the book in full and mends them.
func (e *Engine) reconcile(ctx context.Context) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	have, err := e.Kernel.Banned(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.tick()
	add, remove := e.differences(have)
	e.mu.Unlock()
	return e.tell(ctx, add, remove)
}

func (e *Engine) differences(have []host.Ban) (add []host.Ban, remove []netip.Prefix) {
	const near = 5 * time.Second // ends differ by what calls take
	e.dropped = make(map[netip.Prefix]uint64, len(have))
	seen := make(map[netip.Prefix]bool, len(have))
	for _, ban := range have {
		p := ban.Prefix
		seen[p], e.dropped[p] = true, ban.Dropped
		until, ok := e.book.want(p)
		switch _, dirty := e.book.dirty[p]; {
		case dirty: // it is about to be told
		case !ok && e.settled && ban.Until.Sub(e.book.now) > near || !ok && e.settled && ban.Until.IsZero():
			remove = append(remove, p)
		case ok && (until.IsZero() != ban.Until.IsZero() || until.Sub(ban.Until).Abs() > near):
			add = append(add, host.Ban{Prefix: p, Until: until})
		}
	}
	lost := 0
	var first host.Ban
	for p, all := range e.book.held {
		until, _ := e.book.want(p)
		if _, dirty := e.book.dirty[p]; seen[p] || dirty || !until.IsZero() && until.Sub(e.book.now) < near {
			continue
		}
		add = append(add, host.Ban{Prefix: p, Until: until})
		lost++
		first = all[0].Ban
	}
	if lost > 0 {
		e.happened("restored", fmt.Sprintf("the kernel had lost %d bans, this one among them", lost), first)
	}
	return add, remove
}

// keep makes durable what happened, and now and then what was counted.
func (e *Engine) keep(ctx context.Context) {
	next, saved := time.Duration(0), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.flush:
		}
		if err := e.flushEvents(); err != nil {
			e.Log.Error("events cannot be kept", "error", err)
		}
		if time.Since(saved) < next {
			select {
			case <-ctx.Done():
			case <-time.After(saveEvery / 4):
				wake(e.flush)
			}
			continue
		}
		began := time.Now()
		if err := e.save(); err != nil {
			e.Log.Error("what was counted cannot be kept", "error", err)
		}
		saved = time.Now()
		next = max(saveEvery, 20*saved.Sub(began))
	}
}

// flushEvents makes all events durable that happened up to now.
func (e *Engine) flushEvents() error {
	e.flushing.Lock()
	defer e.flushing.Unlock()
	e.mu.Lock()
	fresh := slices.Clone(e.ring[len(e.ring)-int(min(e.seq-e.durable, uint64(len(e.ring)))):])
	e.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	err := e.events.add(fresh)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.durable = fresh[len(fresh)-1].Seq
	all := e.ring[max(0, len(e.ring)-mostEvents):]
	if e.events.size < mostKept {
		all = nil
	}
	all = slices.Clone(all)
	e.mu.Unlock()
	if all != nil {
		return e.events.rewrite(all[:slices.IndexFunc(all, func(x host.BanEvent) bool { return x.Seq == fresh[len(fresh)-1].Seq })+1])
	}
	return nil
}

// save keeps counts and positions, after the events that they belong to.
func (e *Engine) save() error {
	e.mu.Lock()
	if !e.changed {
		e.mu.Unlock()
		return nil
	}
	s := state{Version: 1, Saved: e.book.now, Seq: e.seq, Readers: maps.Clone(e.readers), Cursors: maps.Clone(e.cursors), Working: e.working, Told: e.told}
	e.book.save(&s)
	for _, f := range e.followers {
		s.Positions = append(s.Positions, f.positions()...)
	}
	for _, kept := range e.kept { // not there at present
		if e.clock.UnixNano()-kept[0].Seen < int64(forgotten) {
			s.Positions = append(s.Positions, kept...)
		}
	}
	counts := e.book.counts(nil)
	s.Counts = bytes.Count(counts, []byte("\n"))
	e.changed = false
	e.mu.Unlock()
	err := e.flushEvents() // first, so that no number of an event is used twice
	if err == nil {
		err = writeState(e.Folder, s, counts)
	}
	if err != nil {
		e.mu.Lock()
		e.changed = true
		e.mu.Unlock()
	}
	return err
}

// lookUpNames asks for the addresses of the names in ignoreip. What a name had stays
// until there is another answer.
func (e *Engine) lookUpNames(ctx context.Context) {
	for {
		e.mu.Lock()
		names := map[string]bool{}
		for _, j := range e.jails {
			for _, n := range j.trusted.names {
				names[n] = true
			}
		}
		e.mu.Unlock()
		wait := namesEvery
		for name := range names {
			soon, cancel := context.WithTimeout(ctx, 5*time.Second)
			addrs, err := net.DefaultResolver.LookupNetIP(soon, "ip", name)
			cancel()
			if err != nil {
				wait = namesEvery / 10
				continue
			}
			e.mu.Lock()
			e.names[name] = addrs
			e.mu.Unlock()
		}
		if len(names) == 0 {
			wait = lookEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Jails implements host.Guard.
func (e *Engine) Jails(context.Context) ([]host.Jail, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	banned := map[string]int{}
	for _, h := range e.book.ends {
		banned[h.Jail]++
	}
	out := make([]host.Jail, 0, len(e.jails))
	for _, name := range slices.Sorted(maps.Keys(e.jails)) {
		j, c := e.jails[name], e.book.cells[name]
		x := host.Jail{Name: name, On: true, Filter: j.Filter, MaxRetry: j.MaxRetry, FindTime: j.FindTime, BanTime: j.BanTime,
			Lines: j.lines, Failures: c.failures, Bans: c.bans, Banned: banned[name], Fault: cmp.Or(j.Fault, e.fault)}
		x.Sources, x.Fault = e.reads(j, x.Fault)
		out = append(out, x)
	}
	return out, nil
}

// reads is what a jail reads at present, and what is wrong with it.
func (e *Engine) reads(j *cellar, fault string) (sources []string, _ string) {
	for _, path := range slices.Sorted(maps.Keys(e.followers)) {
		if slices.Contains(e.readers[path], j.Name) {
			sources = append(sources, path)
			if f := e.followers[path]; f.fault != nil {
				fault = cmp.Or(fault, f.fault.Error())
			}
		}
	}
	if len(sources) > 0 || j.Recidive {
		return sources, fault
	}
	if t := e.tails[matchKey(j.Journal)]; t != nil {
		return []string{"journal: " + t.key}, cmp.Or(fault, t.wrong())
	}
	for _, log := range j.Files {
		sources = append(sources, log.Glob)
	}
	return sources, cmp.Or(fault, "nothing is there to be read")
}

// Bans implements host.Guard.
func (e *Engine) Bans(context.Context) ([]host.Ban, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]host.Ban, 0, len(e.book.ends))
	for _, h := range e.book.ends {
		ban := h.Ban
		ban.Dropped = e.dropped[h.Prefix]
		out = append(out, ban)
	}
	slices.SortFunc(out, func(a, b host.Ban) int {
		return cmp.Or(b.Since.Compare(a.Since), a.Prefix.Addr().Compare(b.Prefix.Addr()))
	})
	return out, nil
}

// Ban implements host.Guard. It returns when the kernel keeps the prefix out.
func (e *Engine) Ban(ctx context.Context, prefix netip.Prefix, d time.Duration, reason string) error {
	e.mu.Lock()
	e.tick()
	err := e.book.manual(prefix, d, reason)
	e.mu.Unlock()
	if err != nil {
		return err
	}
	return e.now(ctx)
}

// Unban implements host.Guard. It returns when the kernel lets the prefix in; where
// nothing was banned there is nothing to do.
func (e *Engine) Unban(ctx context.Context, prefix netip.Prefix) error {
	e.mu.Lock()
	e.tick()
	e.book.lift(prefix, "somebody lifted it")
	e.mu.Unlock()
	return e.now(ctx)
}

// now brings into effect and makes durable what was just done.
func (e *Engine) now(ctx context.Context) error {
	err := e.flushEvents()
	if kernel := e.carryOut(ctx); kernel != nil {
		wake(e.apply)
		err = errors.Join(err, core.Wrap(core.Unavailable, kernel, "it is on the book and in force as soon as the kernel can be told: "+kernel.Error()))
	}
	return err
}

// Events implements host.Guard. Only durable ones are given out.
func (e *Engine) Events(_ context.Context, after uint64, n int) ([]host.BanEvent, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, _ := slices.BinarySearchFunc(e.ring, after+1, func(x host.BanEvent, seq uint64) int { return cmp.Compare(x.Seq, seq) })
	out := []host.BanEvent{}
	for _, x := range e.ring[i:] {
		if len(out) == n || x.Seq > e.durable {
			break
		}
		out = append(out, x)
	}
	return out, nil
}

// Test implements host.Guard.
func (e *Engine) Test(ctx context.Context) error {
	e.applying.Lock() // the comparison would take the test's ban for a stray
	defer e.applying.Unlock()
	return e.Kernel.Test(ctx)
}

// Working says from which addresses administrators work at present. They are spared
// for an hour; bans that cover them are lifted.
func (e *Engine) Working(ctx context.Context, addrs []netip.Addr) error {
	e.mu.Lock()
	e.tick()
	was, lifted := e.working, 0
	e.working = nil
	for _, a := range addrs {
		a = plain(a)
		e.working = append(e.working, a)
		lifted += e.book.lift(netip.PrefixFrom(a, a.BitLen()), "an administrator works from "+a.String())
	}
	// It is told every few seconds, and kept when it is news.
	e.changed = e.changed || !slices.Equal(was, e.working) || e.clock.Sub(e.told) > workingFor/10
	e.told = e.clock
	e.mu.Unlock()
	if lifted == 0 {
		return nil
	}
	return e.now(ctx)
}
