package jail

import (
	"hash/maphash"
	"slices"
	"time"
)

// A Field is what a group of an expression found in a line.
type Field struct{ Name, Text string }

// Fields are what the <F-…> tags and the named groups of a filter found. What took
// no part is not there.
type Fields []Field

// Get returns the text of a field, or nothing.
func (f Fields) Get(name string) string {
	text, _ := f.find(name)
	return text
}

func (f Fields) find(name string) (string, bool) {
	for i := range f {
		if f[i].Name == name {
			return f[i].Text, true
		}
	}
	return "", false
}

func (f *Fields) set(name, text string) {
	for i := range *f {
		if (*f)[i].Name == name {
			(*f)[i].Text = text
			return
		}
	}
	*f = append(*f, Field{name, text})
}

// take removes a field and reports whether it said something.
func (f *Fields) take(name string) bool {
	for i := range *f {
		if (*f)[i].Name == name {
			said := (*f)[i].Text != ""
			*f = slices.Delete(*f, i, i+1)
			return said
		}
	}
	return false
}

// A record is what is known of one connection, or of one failure where lines do not
// belong together. Filters name connections by <F-MLFID>.
type record struct {
	fields  Fields
	users   []string
	lines   []string // that count
	spared  []string // that count only if a failure follows
	pending bool     // a failure, but nobody knows of whom
	marks   mark     // of the last line
}

const (
	mostConnections = 100
	connectionTime  = 5 * time.Minute
)

// connections keeps the records of a log's connections, of each for a while and of
// the last ones only.
type connections struct {
	heads  [128]*connection // by hash
	count  int
	oldest *connection
	newest *connection
	free   *connection // one that can be used again
	alone  record      // of a line that ended a connection that nobody knew
}

type connection struct {
	record
	id           string
	until        time.Time
	head         int // in heads
	next         *connection
	older, newer *connection
}

var seed = maphash.MakeSeed()

// bucket is where the connections of an id are.
func bucket(id string) int {
	return int(maphash.String(seed, id) % uint64(len(connections{}.heads)))
}

func (c *connections) get(id string, now time.Time) *connection {
	found := c.heads[bucket(id)]
	for found != nil && found.id != id {
		found = found.next
	}
	switch {
	case found == nil:
		return nil
	case found.until.After(now):
		return found
	}
	c.drop(found)
	return nil
}

func (c *connections) drop(d *connection) {
	at := &c.heads[d.head]
	for *at != d {
		at = &(*at).next
	}
	*at = d.next
	c.count--
	if d.older != nil {
		d.older.newer = d.newer
	} else {
		c.oldest = d.newer
	}
	if d.newer != nil {
		d.newer.older = d.older
	} else {
		c.newest = d.older
	}
	c.free = d
}

// add makes room for a connection and returns its empty record.
func (c *connections) add(id string, now time.Time) *connection {
	for c.count >= mostConnections {
		c.drop(c.oldest)
	}
	n := c.free
	if n == nil {
		n = &connection{}
	}
	c.free = nil
	n.fields, n.users, n.lines = n.fields[:0], n.users[:0], n.lines[:0]
	n.spared, n.pending, n.marks = nil, false, 0
	n.id, n.until, n.head = id, now.Add(connectionTime), bucket(id)
	n.older, n.newer = c.newest, nil
	n.next, c.heads[n.head] = c.heads[n.head], n
	c.count++
	if c.newest != nil {
		c.newest.newer = n
	} else {
		c.oldest = n
	}
	c.newest = n
	return n
}

// merge joins a match with what is known of its connection, and returns what is
// known now, which is good until the next call. The rules are fail2ban's: a line
// marked <F-NOFAIL> is no failure by itself, but says who it was; one marked
// <F-MLFGAINED> clears what was pending, as the user came in; one marked
// <F-MLFFORGET> ends the connection. A second user within one connection is a
// failure whatever else the lines say.
func (c *connections) merge(id string, found Fields, marks mark, lines []string, now time.Time) *record {
	if marks&gained != 0 {
		marks |= nofail
	}
	var r *record
	switch old := c.get(id, now); {
	case old != nil:
		r = &old.record
		r.join(found, marks)
		if marks&forget != 0 {
			c.drop(old)
		}
	case marks&forget != 0:
		c.alone = record{fields: found, lines: c.alone.lines[:0]}
		r = &c.alone
	default:
		r = &c.add(id, now).record
		r.fields = append(r.fields, found...)
		r.addUser(found.Get("user"))
	}
	if r.pending || len(r.users) > 1 {
		marks &^= nofail | gained
	}
	r.pending, r.marks = false, marks
	r.keep(lines, marks)
	return r
}

// join adds a match to an older record.
func (r *record) join(found Fields, marks mark) {
	r.addUser(found.Get("user"))
	r.pending = r.pending && marks&gained == 0
	if r.marks&(nofail|gained) == 0 && !r.pending {
		r.lines = r.lines[:0] // they were handed over
	}
	for _, f := range found {
		r.fields.set(f.Name, f.Text)
	}
}

func (r *record) addUser(user string) {
	if user != "" && !slices.Contains(r.users, user) {
		r.users = append(r.users, user)
	}
}

// keep adds the lines of a match to those that count, or to those that may.
func (r *record) keep(lines []string, marks mark) {
	switch {
	case marks&nofail == 0:
		if len(r.spared) > 0 {
			r.lines = append(r.spared, r.lines...)
			r.spared = nil
		}
		r.lines = append(r.lines, lines...)
	case marks&forget == 0:
		r.spared = append(r.spared, lines...)
	}
	r.lines, r.spared = last(r.lines), last(r.spared)
}

// mostKept is how many lines and users are kept of one connection.
const mostKept = 100

func last(lines []string) []string {
	if len(lines) > mostKept {
		return slices.Clone(lines[len(lines)-mostKept:])
	}
	return lines
}
