package clock

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/host"
)

// Observed is how the clock stands.
type Observed struct {
	Running bool      `json:"running"`           // chronyd
	Since   time.Time `json:"since,omitzero"`    // it started; unknown to who may not look
	Silent  string    `json:"silent,omitempty"`  // why chronyd does not answer
	Stale   bool      `json:"stale,omitempty"`   // its settings are newer than it
	Systemd bool      `json:"systemd,omitempty"` // starts it
	Settled bool      `json:"settled"`           // it had the time to reach its sources
	Proofs  bool      `json:"proofs"`            // it may be asked how sources prove themselves: root alone

	Following  bool              `json:"following"` // a source, and the clock by it
	Tracking   Tracking          `json:"tracking"`
	Sources    []Peer            `json:"sources,omitempty"`
	Files      map[string]string `json:"files,omitempty"`      // ours, as they are
	Overriding []Line            `json:"overriding,omitempty"` // lines of others that count in place of ours
	Rivals     []string          `json:"rivals,omitempty"`     // other programs that set the clock

	Zone  string    `json:"zone,omitempty"` // time zone: "Europe/Berlin"
	Wall  time.Time `json:"wall"`           // what the clock showed
	Up    int64     `json:"up"`             // time since boot then, suspension included, in microseconds
	Slack int64     `json:"slack"`          // how exact that is
	Boot  string    `json:"boot"`           // which boot

	Ordered *Desired `json:"ordered,omitempty"` // what it is held against
	Alarms  []Alarm  `json:"alarms,omitempty"`
}

// Tracking is chronyd's own estimate.
type Tracking struct {
	Reference  string    `json:"reference,omitempty"` // the source it follows
	Stratum    int       `json:"stratum"`             // 0: none
	Updated    time.Time `json:"updated,omitzero"`
	Offset     float64   `json:"offset"` // seconds that the clock is ahead of true time
	RMS        float64   `json:"rms"`
	Frequency  float64   `json:"frequency"`  // ppm that the clock would gain if it were left alone
	Skew       float64   `json:"skew"`       // ppm
	Delay      float64   `json:"delay"`      // to the root, seconds
	Dispersion float64   `json:"dispersion"` // seconds
	Leap       string    `json:"leap"`
}

// Ahead says the offset in words.
func (t Tracking) Ahead() string {
	switch {
	case t.Offset > 0:
		return core.Seconds(t.Offset) + " ahead"
	case t.Offset < 0:
		return core.Seconds(-t.Offset) + " behind"
	}
	return "exact"
}

// Certain says how far off it may be at most (RFC 5905 11.1: half of the delay, and the
// dispersion).
func (t Tracking) Certain() string { return core.Seconds(t.Delay/2 + t.Dispersion) }

// Peer is one source as chronyd has it.
type Peer struct {
	Name    string  `json:"name"`              // as it was configured
	Address string  `json:"address,omitempty"` // none: the name has none yet
	From    string  `json:"from,omitempty"`    // file and line that name it
	State   string  `json:"state"`             // chronyd's mark
	Stratum int     `json:"stratum"`
	Poll    int     `json:"poll"`
	Reach   int     `json:"reach"`  // the last eight questions, one bit each
	Last    int64   `json:"last"`   // seconds since it answered; -1: never
	Offset  float64 `json:"offset"` // seconds
	Error   float64 `json:"error"`
	Auth    Auth    `json:"auth"`
}

// Ours reports whether our file names it.
func (p Peer) Ours() bool { return strings.HasPrefix(p.From, SourcesPath+":") }

// Word says what chronyd makes of the source.
func (p Peer) Word() string {
	if p.Address == "" {
		return "no address"
	}
	if word, ok := map[string]string{"*": "followed", "+": "combined", "-": "spare", "x": "wrong", "~": "unsteady"}[p.State]; ok {
		return word
	}
	if p.Reach == 0 {
		return "unreachable"
	}
	return "not used"
}

// Reached is how many of the last eight questions it answered.
func (p Peer) Reached() (n int) {
	for r := p.Reach; r > 0; r >>= 1 {
		n += r & 1
	}
	return n
}

// Auth is how a source proves itself.
type Auth struct {
	Mode     string `json:"mode,omitempty"` // NTS, SK (a shared key), or none
	Bits     int    `json:"bits,omitempty"` // of its key
	Age      int64  `json:"age,omitempty"`  // of the keys, seconds
	Attempts int    `json:"attempts,omitempty"`
	Refusals int    `json:"refusals,omitempty"`
	Cookies  int    `json:"cookies,omitempty"`
}

// Away is what the clock differs from it.
func (p Peer) Away() string {
	if p.Last < 0 {
		return ""
	}
	return strings.ReplaceAll(core.Seconds(p.Offset)+" ± "+core.Seconds(p.Error), " ", "\u00a0") // in one line
}

// Proved reports whether answers are authenticated.
func (p Peer) Proved() bool { return p.Auth.Bits > 0 && p.Reach > 0 }

// settling is how long chronyd has for its first answers before it is an alarm that
// there are none.
const settling = 2 * time.Minute

// rivals are the programs that set the clock besides chronyd, as the kernel cuts
// their names.
func rivals() []string {
	return []string{"systemd-timesyn", "ntpd", "ntpd-rs", "ntp-daemon", "phc2sys"}
}

func observe(ctx context.Context, eyes host.Eyes, want *Desired) (o Observed, err error) {
	if there, err := eyes.Glob("/usr/sbin/chronyd"); err != nil || len(there) == 0 && want != nil {
		return o, errors.Join(err, errors.New("chrony is not installed: on Debian, apt-get install chrony"))
	}
	o.Ordered, o.Files = want, map[string]string{}
	for _, name := range []string{SourcesPath, SettingsPath} {
		data, found, err := eyes.ReadFile(name)
		if err != nil {
			return o, err
		}
		if found {
			o.Files[name] = string(data)
		}
	}
	c, err := readConfig(eyes)
	if err == nil && want != nil {
		o.Overriding, err = c.overriding(*want), c.includes()
	}
	if err == nil {
		err = o.instant(eyes)
	}
	if err == nil {
		err = o.processes(ctx, eyes, c, want)
	}
	if err != nil {
		return o, err
	}
	if o.Running {
		err = o.ask(ctx, eyes, c)
	}
	o.Zone = zoneOf(ctx, eyes)
	o.Alarms = o.alarms()
	return o, err
}

// instant reads the clock and the time since boot together.
func (o *Observed) instant(eyes host.Eyes) error {
	boot, _, err := eyes.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	before, err := uptime(eyes)
	if err != nil {
		return err
	}
	o.Wall = eyes.Now()
	after, err := uptime(eyes)
	o.Boot, o.Up, o.Slack = strings.TrimSpace(string(boot)), (before+after)/2, (after-before)/2+10_000 // the kernel tells hundredths
	return err
}

func uptime(eyes host.Eyes) (int64, error) {
	data, _, err := eyes.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	text, _, _ := strings.Cut(string(data), " ")
	seconds, err := strconv.ParseFloat(text, 64)
	return int64(seconds * 1e6), err
}

// processes looks which programs run that set the clock, and since when chronyd
// does.
func (o *Observed) processes(ctx context.Context, eyes host.Eyes, c config, want *Desired) error {
	systemd, err := eyes.Glob("/run/systemd/system")
	if err != nil {
		return err
	}
	o.Systemd = systemd != nil
	pid := pidPath
	if l, found := c.last("pidfile"); found {
		_, pid = l.directive()
	}
	names, err := commands(eyes)
	if err != nil {
		return err
	}
	// The folder is closed to others than root, who then take any chronyd for it.
	data, found, err := eyes.ReadFile(pid)
	switch {
	case err == nil && found:
		o.Running = names[strings.TrimSpace(string(data))] == "chronyd"
	case errors.Is(err, fs.ErrPermission):
		o.Running = slices.Contains(values(names), "chronyd")
	case err != nil:
		return err
	}
	for _, name := range values(names) {
		if slices.Contains(rivals(), name) && !slices.Contains(o.Rivals, name) {
			o.Rivals = append(o.Rivals, name)
		}
	}
	slices.Sort(o.Rivals)
	// A folder is as new as the last file that came or went.
	changed := SettingsPath
	if want == nil {
		changed = path.Dir(SettingsPath)
	}
	times, err := modified(ctx, eyes, pid, changed, SourcesPath)
	if since, ok := times[pid]; ok && o.Running {
		o.Since = since
		o.Stale = times[changed].After(since)
	}
	o.Settled = o.Wall.Sub(o.Since) > settling && o.Wall.Sub(times[SourcesPath]) > settling
	return err
}

// commands are the names of all processes by their number.
func commands(eyes host.Eyes) (map[string]string, error) {
	paths, err := eyes.Glob("/proc/[0-9]*/comm")
	names := map[string]string{}
	for _, p := range paths {
		if data, found, err := eyes.ReadFile(p); err == nil && found { // it may have ended
			names[path.Base(path.Dir(p))] = strings.TrimSpace(string(data))
		}
	}
	return names, err
}

func values(m map[string]string) (list []string) {
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

// modified is when files were last written; those that are not there are left out.
func modified(ctx context.Context, eyes host.Eyes, paths ...string) (map[string]time.Time, error) {
	out, err := eyes.Output(ctx, append([]string{"/usr/bin/stat", "-c", "%.9Y %n"}, paths...)...)
	var exit *host.Exit
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	times := map[string]time.Time{}
	for line := range strings.SplitSeq(string(out), "\n") {
		stamp, name, _ := strings.Cut(line, " ")
		whole, part, _ := strings.Cut(stamp, ".")
		s, err := strconv.ParseInt(whole, 10, 64)
		ns, other := strconv.ParseInt(part, 10, 64)
		if err == nil && other == nil {
			times[name] = time.Unix(s, ns).UTC()
		}
	}
	return times, nil
}

// ask asks chronyd.
func (o *Observed) ask(ctx context.Context, eyes host.Eyes, c config) error {
	rows, err := chronyc(ctx, eyes, 14, "tracking")
	var exit *host.Exit
	if errors.As(err, &exit) {
		o.Silent = or(strings.TrimSpace(exit.Said), "it does not say why")
		return nil
	}
	if err == nil && len(rows) != 1 {
		err = errors.New("chronyd says nothing of how it tracks the time")
	}
	if err != nil {
		return err
	}
	o.Tracking = tracking(rows[0])
	return o.askSources(ctx, eyes, c)
}

func (o *Observed) askSources(ctx context.Context, eyes host.Eyes, c config) error {
	names, err := chronyc(ctx, eyes, 10, "-N", "sources", "-a")
	if err != nil {
		return err
	}
	addresses, err := chronyc(ctx, eyes, 10, "-n", "sources", "-a")
	if err != nil {
		return err
	}
	proofs, err := chronyc(ctx, eyes, 10, "-N", "authdata", "-a")
	var exit *host.Exit
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	o.Proofs = err == nil && len(proofs) == len(names)
	// What chronyd lost it goes on naming as its reference, in good order.
	o.Following = o.Tracking.Stratum > 0 && slices.ContainsFunc(names, func(r row) bool { return r.text(1) == "*" })
	for i, row := range names {
		if row.text(0) != "^" && row.text(0) != "=" {
			continue // a clock of its own, no source of the network
		}
		p := peer(row)
		if len(addresses) == len(names) && !strings.HasPrefix(addresses[i].text(2), "ID#") {
			p.Address = addresses[i].text(2)
		}
		if l, found := c.source(p.Name); found {
			p.From = l.At()
		}
		if o.Proofs && same(proofs[i].text(0), p.Name) {
			p.Auth = auth(proofs[i])
		}
		o.Sources = append(o.Sources, p)
	}
	return nil
}

// row is one line that chronyc prints for programs.
type row []string

func (r row) text(i int) string { return r[i] }

func (r row) number(i int) float64 {
	f, err := strconv.ParseFloat(r[i], 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func (r row) count(i int) int { return int(r.number(i)) }

// age is a number of seconds; -1: never.
func (r row) age(i int) int64 {
	if n := int64(r.number(i)); n != math.MaxUint32 {
		return n
	}
	return -1
}

// chronyc asks for rows of at least so many columns.
func chronyc(ctx context.Context, eyes host.Eyes, columns int, args ...string) (rows []row, err error) {
	out, err := eyes.Output(ctx, append([]string{"/usr/bin/chronyc", "-c"}, args...)...)
	if err != nil {
		var exit *host.Exit
		if errors.As(err, &exit) && strings.TrimSpace(exit.Said) == "" {
			exit.Said = string(out) // it complains on its standard output
		}
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(string(out)))
	r.FieldsPerRecord = -1
	lines, err := r.ReadAll()
	for _, l := range lines {
		if len(l) < columns {
			return nil, fmt.Errorf("chronyc %s prints %d columns, not at least %d: %.80q", strings.Join(args, " "), len(l), columns, strings.Join(l, ","))
		}
		rows = append(rows, l)
	}
	return rows, err
}

func tracking(r row) Tracking {
	t := Tracking{Reference: r.text(1), Stratum: r.count(2), Offset: -r.number(4), RMS: r.number(6), Frequency: r.number(7), Skew: r.number(9),
		Delay: r.number(10), Dispersion: r.number(11), Leap: r.text(13)}
	if at := r.number(3); at > 0 {
		t.Updated = time.UnixMicro(int64(at * 1e6)).UTC()
	}
	return t
}

func peer(r row) Peer {
	reach, _ := strconv.ParseInt(r.text(5), 8, 32) // text that is no number reaches nothing
	return Peer{State: r.text(1), Name: r.text(2), Stratum: r.count(3), Poll: r.count(4), Reach: int(reach), Last: r.age(6), Offset: r.number(7), Error: r.number(9)}
}

func auth(r row) Auth {
	a := Auth{Bits: r.count(4), Age: max(r.age(5), 0), Attempts: r.count(6), Refusals: r.count(7), Cookies: r.count(8)}
	if mode := r.text(1); mode != "-" {
		a.Mode = mode
	}
	return a
}

// zoneOf is the time zone's name; "" when it cannot be told.
func zoneOf(ctx context.Context, eyes host.Eyes) string {
	out, err := eyes.Output(ctx, "/usr/bin/readlink", "-f", "/etc/localtime")
	if err != nil {
		return ""
	}
	_, name, _ := strings.Cut(strings.TrimSpace(string(out)), "/zoneinfo/")
	return name
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func sameValue(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return slices.EqualFunc(x, y, func(a, b string) bool {
		f, err := strconv.ParseFloat(a, 64)
		g, other := strconv.ParseFloat(b, 64)
		return strings.EqualFold(a, b) || err == nil && other == nil && f == g
	})
}
