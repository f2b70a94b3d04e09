package jail

import (
	"slices"
	"time"
)

// fields are what the groups of a match gave, by name. What took no part has no
// field.
type fields map[string]string

// A record is what is known of one connection, or of one failure where lines do not
// belong together. Filters name connections by <F-MLFID>.
type record struct {
	fields  fields
	users   []string
	lines   []string // that count
	spared  []string // that count only if a failure follows
	pending bool     // a failure, but nobody knows of whom
}

const (
	mostConnections = 100
	connectionTime  = 5 * time.Minute
)

// connections keeps the records of a log's connections, of each for a while and of
// the last ones only.
type connections struct {
	byID  map[string]*connection
	order []string
}

type connection struct {
	*record
	until time.Time
}

func (c *connections) get(id string, now time.Time) *record {
	found := c.byID[id]
	switch {
	case found == nil:
		return nil
	case found.until.After(now):
		return found.record
	}
	c.drop(id)
	return nil
}

func (c *connections) drop(id string) {
	if _, ok := c.byID[id]; !ok {
		return
	}
	delete(c.byID, id)
	i := slices.Index(c.order, id)
	c.order = slices.Delete(c.order, i, i+1)
}

func (c *connections) put(id string, r *record, now time.Time) {
	if c.byID == nil {
		c.byID = map[string]*connection{}
	}
	for len(c.order) >= mostConnections {
		delete(c.byID, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
	c.byID[id] = &connection{r, now.Add(connectionTime)}
	c.order = append(c.order, id)
}

// merge joins a match with what is known of its connection, and returns what is
// known now. The rules are fail2ban's: a line marked <F-NOFAIL> is no failure by
// itself, but says who it was; one marked <F-MLFGAINED> clears what was pending,
// as the user came in; one marked <F-MLFFORGET> ends the connection. A second
// user within one connection is a failure whatever else the lines say.
func (c *connections) merge(id string, match *record, lines []string, now time.Time) *record {
	f := match.fields
	gained, nofail := f["mlfgained"] != "", f["nofail"] != ""
	if gained && !nofail {
		f["nofail"], nofail = f["mlfgained"], true
	}
	forget := f["mlfforget"] != ""
	delete(f, "mlfforget")
	r := match
	if old := c.get(id, now); old != nil {
		old.join(match, gained)
		if r = old; forget {
			c.drop(id)
		}
	} else if !forget {
		r.addUser(f["user"])
		c.put(id, r, now)
	}
	if r.pending || len(r.users) > 1 {
		delete(r.fields, "nofail")
		delete(r.fields, "mlfgained")
		gained, nofail = false, false
	}
	r.pending = false
	r.keep(lines, nofail, gained, forget)
	return r
}

// join adds a match to an older record.
func (r *record) join(match *record, gained bool) {
	r.addUser(match.fields["user"])
	was := r.fields["nofail"] != "" || r.fields["mlfgained"] != ""
	delete(r.fields, "nofail")
	delete(r.fields, "mlfgained")
	r.pending = r.pending && !gained
	if !was && !r.pending {
		r.lines = nil // they were handed over
	}
	for name, value := range match.fields {
		r.fields[name] = value
	}
}

func (r *record) addUser(user string) {
	if user != "" && !slices.Contains(r.users, user) {
		r.users = append(r.users, user)
	}
}

// keep adds the lines of a match to those that count, or to those that may.
func (r *record) keep(lines []string, nofail, gained, forget bool) {
	switch {
	case !nofail:
		r.lines = append(r.spared, r.lines...)
		r.spared = nil
		if !gained {
			r.lines = append(r.lines, lines...)
		}
	case !forget:
		r.spared = append(r.spared, lines...)
	}
	r.lines, r.spared = last(r.lines), last(r.spared)
}

// mostKept is how many lines are kept of one connection.
const mostKept = 100

func last(lines []string) []string {
	if len(lines) > mostKept {
		return slices.Clone(lines[len(lines)-mostKept:])
	}
	return lines
}
