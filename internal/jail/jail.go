package jail

import (
	"fmt"
	"net/netip"
	"time"
)

// Config is what a folder like /etc/fail2ban says.
type Config struct {
	Jails  []Jail // those that could be read, on or off, in the order of the files
	Faults []Fault
}

// A Fault is something that could not be read or understood. It concerns only
// what it names.
type Fault struct {
	Jail string // empty: no jail in particular
	File string // empty: no file in particular; below the folder otherwise
	Text string
}

// String says where and what.
func (f Fault) String() string {
	switch {
	case f.Jail != "" && f.File != "":
		return fmt.Sprintf("jail %s: %s: %s", f.Jail, f.File, f.Text)
	case f.Jail != "":
		return fmt.Sprintf("jail %s: %s", f.Jail, f.Text)
	case f.File != "":
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return f.Text
}

// A Jail watches some logs with one filter. Everything that fail2ban keeps with
// a jail and a ban engine needs is here; what a jail does not say has fail2ban's
// default.
type Jail struct {
	Name       string
	Enabled    bool
	FilterName string  // without its options, such as "sshd"
	Filter     *Filter // nil if the jail is off or has none

	LogPath      []LogPath
	JournalMatch [][]string // each is one match of journalctl: its words, "+" among them
	Backend      string     // "auto" unless the jail says otherwise; "systemd…" reads the journal
	LogEncoding  string     // "auto" unless the jail says otherwise
	LogTimeZone  string     // of dates that name none; empty: that of the machine

	MaxRetry   int
	MaxMatches int           // lines kept for each address
	FindTime   time.Duration // what is older does not count
	BanTime    time.Duration // negative: for ever
	Increment  Increment

	Ignore        []string // addresses, networks, names: never banned
	IgnoreSelf    bool     // the machine's own addresses are never banned
	IgnoreCommand string   // as written; this package runs nothing
	UseDNS        string   // "yes", "warn", "no" or "raw": whether a name in a line is looked up

	Port     string   // as written: "ssh", "http,https", "0:65535"
	Protocol string   // as written: "tcp"
	Actions  []string // as written, with all values filled in
}

// A LogPath names files to read.
type LogPath struct {
	Glob string
	Tail bool // begin at the end rather than where reading stopped
}

// Increment says how bans of those who come back grow.
type Increment struct {
	On          bool
	Factor      float64       // of the formula and of the multipliers; 1 unless set
	Formula     string        // as written, in Python; empty: fail2ban's own, ban time * 2^count * factor
	Multipliers []float64     // of the ban time, for each time anew; the last holds on
	MaxTime     time.Duration // no ban is longer; 0: no limit
	RandomTime  time.Duration // up to so much is added by chance
	Overall     bool          // bans of all jails count
}

// A Failure is a line, or several that belong together, that a filter looks for.
type Failure struct {
	Time time.Time // of the line, or now where Mode says so
	Skew time.Duration
	// Host is as in the line: an IPv4 or IPv6 address, or a name. Empty if the
	// filter identifies by something else (ID).
	Host string
	Addr netip.Prefix // of Host if it is an address: with all bits, unless the line names a network; IPv4 in IPv6 is IPv4
	ID   string       // <F-ID>: what is banned instead of the host; empty: the host
	User string       // <F-USER>
	// Users are all users of the connection, in the order they came.
	Users  []string
	Line   string   // the last line
	Lines  []string // all lines that led to it, the last one too
	Regex  int      // which failregex, from 0
	Fields Fields   // what the <F-…> tags and named groups gave, by name: "user", "fport", "ip4"
}

// Mode says what becomes of the date of a line.
type Mode uint8

const (
	// Live: a date more than a minute away from now counts as now, and Skew says
	// how far it was.
	Live Mode = iota
	// CatchUp: lines older than the jail's find time are passed over; the others
	// keep their date. For what was written while nobody watched.
	CatchUp
	// Offline: all dates are taken as they are; a line without one counts as now.
	Offline
)
