package watch

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hostward/internal/jail"
)

//go:embed own
var embedded embed.FS

// Reader reads the configuration: a folder that is laid out like /etc/fail2ban;
// filters that are not there from another such folder, as a rule /etc/fail2ban
// itself; and what is nowhere from what Hostward brings along. The folders are
// looked at again and again. A jail that cannot be read any more stays as it was, and
// says so.
type Reader struct {
	folder, filters string

	print string          // of what was read
	err   error           // what was wrong with it as a whole
	last  map[string]Jail // as they were last read without a fault
}

// NewReader returns a reader of a folder; filters may be empty. Neither need be
// there.
func NewReader(folder, filters string) *Reader {
	return &Reader{folder: folder, filters: filters, last: map[string]Jail{}}
}

// Jails is what Config.Jails asks for.
func (r *Reader) Jails() (jails []Jail, changed bool, err error) {
	print := r.fingerprint()
	if print == r.print {
		return nil, false, r.err
	}
	c, err := jail.Load(r.layers())
	if err != nil {
		return nil, false, fmt.Errorf("the configuration below %s cannot be read: %w", r.folder, err)
	}
	r.print = print
	faults, err := map[string]string{}, error(nil)
	for _, f := range c.Faults {
		if f.Jail == "" {
			err = errors.Join(err, errors.New(f.String()))
		} else {
			faults[f.Jail] = cmp.Or(f.String(), faults[f.Jail])
		}
	}
	now := map[string]Jail{}
	for _, j := range c.Jails {
		if j.Enabled && faults[j.Name] == "" {
			now[j.Name] = r.jail(j)
		}
	}
	for name, fault := range faults {
		old, ok := r.last[name]
		if !ok {
			old = Jail{Name: name, New: nothing}
		}
		old.Fault = fault + map[bool]string{true: "; the jail stays as it was", false: "; the jail reads nothing"}[ok]
		now[name] = old
	}
	if err != nil { // a file as a whole is broken: the jails in it may be missing, and are not gone
		for name, old := range r.last {
			if _, ok := now[name]; !ok && !slices.ContainsFunc(c.Jails, func(j jail.Jail) bool { return j.Name == name }) {
				old.Fault = err.Error() + "; the jail stays as it was"
				now[name] = old
			}
		}
	}
	r.last = map[string]Jail{}
	for name, j := range now {
		if j.reads() {
			j.Fault = ""
			r.last[name] = j
		}
	}
	r.err = err
	return slices.Collect(maps.Values(now)), true, err
}

// nothing is the filter of a jail that never could be read.
func nothing() Filter { return none{} }

type none struct{}

func (none) SetMode(jail.Mode)                                              {}
func (none) Match([]byte, time.Time) (f jail.Failure, ok bool)              { return f, false }
func (none) MatchAt([]byte, time.Time, time.Time) (f jail.Failure, ok bool) { return f, false }

// reads says whether the jail reads anything.
func (j Jail) reads() bool { return j.Recidive || len(j.Files)+len(j.Journal) > 0 }

func (r *Reader) jail(j jail.Jail) Jail {
	out := Jail{Name: j.Name, Filter: j.FilterName, Ignore: j.Ignore, New: nothing}
	out.Rules = Rules{MaxRetry: max(1, j.MaxRetry), FindTime: j.FindTime, BanTime: j.BanTime, MaxLines: min(j.MaxMatches, mostShown),
		Recidive: j.Name == "recidive" || j.FilterName == "recidive"}
	i := j.Increment
	out.Increment = Increment{On: i.On, Factor: i.Factor, Multipliers: i.Multipliers, MaxTime: i.MaxTime, RandomTime: i.RandomTime, AllJails: i.Overall}
	var faults []string
	if i.On && i.Formula != "" {
		var err error
		if out.Increment.Formula, err = ParseFormula(i.Formula); err != nil {
			faults = append(faults, err.Error()+"; bans are doubled instead")
		}
	}
	if j.IgnoreCommand != "" {
		faults = append(faults, "ignorecommand: no command is run; networks are accepted in ignoreip")
	}
	if out.Recidive {
		out.Fault = strings.Join(faults, "; ")
		return out
	}
	if j.Filter != nil {
		out.New = func() Filter { return j.Filter.Clone() }
	}
	if !strings.HasPrefix(j.Backend, "systemd") {
		out.Files = j.LogPath
	}
	for _, match := range j.JournalMatch {
		if slices.ContainsFunc(match, func(w string) bool {
			return strings.HasPrefix(w, "-") || w != "+" && !strings.Contains(w, "=") && !path.IsAbs(w)
		}) {
			faults = append(faults, fmt.Sprintf("journalmatch: FIELD=value, an absolute path and + are accepted, not %q", match))
			continue
		}
		out.Journal = append(out.Journal, match)
	}
	out.Fault = strings.Join(faults, "; ")
	return out
}

// layers are the folders over each other.
func (r *Reader) layers() layers {
	own, _ := fs.Sub(embedded, "own") // it is there
	l := layers{{os.DirFS(r.folder), nil}}
	if r.filters != "" {
		l = append(l, layer{os.DirFS(r.filters), func(name string) bool {
			return name == "filter.d" || strings.HasPrefix(name, "filter.d/") || path.Dir(name) == "." && strings.HasPrefix(name, "paths-")
		}})
	}
	said := r.says()
	return append(l, layer{own, func(name string) bool { return !said || !strings.HasPrefix(name, "jail.d/") }})
}

// says reports whether the folder says anything about jails.
func (r *Reader) says() bool {
	for _, pattern := range []string{"jail.conf", "jail.local", "jail.d/*.conf", "jail.d/*.local"} {
		if found, _ := filepath.Glob(filepath.Join(r.folder, pattern)); len(found) > 0 {
			return true
		}
	}
	return false
}

// fingerprint changes when a file does.
func (r *Reader) fingerprint() string {
	h := sha256.New()
	for _, dir := range []string{r.folder, r.filters} {
		if dir == "" {
			continue
		}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				fmt.Fprintln(h, path, err)
				return nil
			}
			if info, err := os.Stat(path); err == nil {
				fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano(), identify(info))
			}
			return nil
		})
	}
	return string(h.Sum(nil))
}

// layers is a folder made of several: a file is that of the first which has it.
type layers []layer

type layer struct {
	fs.FS
	has func(name string) bool // what counts of it; nil: everything
}

func (l layer) shows(name string) bool { return l.has == nil || l.has(name) }

// Open implements fs.FS.
func (l layers) Open(name string) (f fs.File, err error) {
	for _, x := range l {
		if !x.shows(name) {
			continue
		}
		if f, err = x.FS.Open(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS.
func (l layers) ReadDir(name string) ([]fs.DirEntry, error) {
	found, err := map[string]fs.DirEntry{}, error(&fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist})
	for _, x := range l {
		entries, oops := fs.ReadDir(x.FS, name)
		if oops == nil {
			err = nil
		}
		for _, e := range entries {
			if _, ok := found[e.Name()]; !ok && x.shows(path.Join(name, e.Name())) {
				found[e.Name()] = e
			}
		}
	}
	out := slices.Collect(maps.Values(found))
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, err
}
