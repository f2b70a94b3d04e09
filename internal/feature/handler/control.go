package handler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/handlers"
	"hostward/internal/handlers/apache"
	"hostward/internal/host"
)

// Where Debian keeps Apache.
const (
	serverRoot = "/etc/apache2"
	mainFile   = serverRoot + "/apache2.conf"
	dropIn     = serverRoot + "/conf-enabled/zz-hostward-handlers.conf"
	apachectl  = "/usr/sbin/apache2ctl"
)

// Limits of what is looked at and told.
const (
	mostFolders = 20_000          // below one root
	mostSearch  = 5 * time.Second // in one look, which comes every half minute
	mostUses    = 1_000
	mostSite    = 1 << 20 // octets of one .htaccess
	mostSaid    = 50
	settling    = 5 * time.Second // Apache takes a moment to load what it was told to
)

// Desired is what should be.
type Desired struct {
	Apache     bool     `json:"apache"`  // sites choose no handlers by .htaccess
	Rewrite    bool     `json:"rewrite"` // RewriteRule stays allowed
	Exceptions []string `json:"exceptions,omitempty"`
}

func (d *Desired) policy() *apache.Policy {
	if d == nil || !d.Apache {
		return nil
	}
	return &apache.Policy{Rewrite: d.Rewrite, Exceptions: d.Exceptions}
}

// Observed is what is.
type Observed struct {
	Installed  bool           `json:"installed"`
	Running    bool           `json:"running"`
	Loaded     bool           `json:"loaded"`           // what runs is what our files say
	DropIn     bool           `json:"dropin"`           // our own file is there
	Grants     []apache.Grant `json:"grants,omitempty"` // where .htaccess may choose handlers
	MoreGrants int            `json:"more_grants,omitempty"`
	Files      int            `json:"files"` // .htaccess that were looked at
	Uses       []apache.Use   `json:"uses,omitempty"`
	More       int            `json:"more,omitempty"`   // uses that are not told
	Unseen     []string       `json:"unseen,omitempty"` // where .htaccess could not be looked for
	Blind      []string       `json:"blind,omitempty"`  // what of the configuration could not be followed

	before *apache.Config
	modes  map[string]fs.FileMode
	had    string // the drop-in
}

// Control is the control as the agent holds it.
func (h *Handlers) Control() control.Machine { return control.Of(h.spec()) }

func (h *Handlers) spec() control.Spec[Desired, Observed] {
	return control.Spec[Desired, Observed]{
		Name: Control, Title: "Handler policy", Page: "/handlers", Serves: serves(), Owns: owns(),
		Desired:  func(ctx context.Context, v *act.View) (Desired, error) { return desired(ctx, v) },
		Validate: func(d Desired) error { return check(d.Exceptions) },
		Observe:  observe, Plan: plan, Diff: diff, Alarms: alarms,
	}
}

// owns are the files that may hold a line to be changed. Apache's configuration in
// other folders is looked at, and left alone.
func owns() host.Owns {
	o := host.Owns{Commands: [][]string{{apachectl, "configtest"}, {apachectl, "graceful"}}}
	for _, name := range []string{"apache2.conf", "httpd.conf", "ports.conf"} { // not envvars, which root's shell runs
		o.Files = append(o.Files, serverRoot+"/"+name)
	}
	for _, dir := range []string{"conf-enabled", "conf-available", "sites-enabled", "sites-available", "mods-enabled", "mods-available", "vhosts.d"} {
		o.Folders = append(o.Folders, serverRoot+"/"+dir)
	}
	return o
}

func observe(ctx context.Context, eyes host.Eyes, want *Desired) (o Observed, err error) {
	if _, there, err := eyes.ReadFile(mainFile); err != nil || !there {
		return o, err
	}
	out, err := eyes.Output(ctx, apachectl, "-t", "-D", "DUMP_RUN_CFG", "-D", "DUMP_MODULES", "-D", "DUMP_INCLUDES")
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if exit := (*host.Exit)(nil); errors.As(err, &exit) {
		return o, fmt.Errorf("apache refuses its own configuration, so it is left alone until that is right: %s", strings.TrimSpace(exit.Said))
	}
	if err != nil {
		return o, err
	}
	o.Installed = true
	d := read(string(out))
	vars, err := environment(eyes)
	if err != nil {
		return o, err
	}
	src := apache.Source{Root: serverRoot, Main: mainFile, Modules: d.modules, Defines: vars, DropIn: dropIn}
	once := snapshot{eyes, map[string][]byte{}}
	if o.before, err = apache.Parse(once, src, true); err != nil {
		return o, err
	}
	is, err := apache.Parse(once, src, false)
	if err != nil {
		return o, err
	}
	p := want.policy()
	if p == nil {
		p = &apache.Policy{Rewrite: true}
	}
	o.Grants, o.Blind = is.Grants(*p), is.Blind
	if len(o.Grants) > mostUses { // those that are no exception first
		slices.SortStableFunc(o.Grants, func(a, b apache.Grant) int { return bit(a.Except) - bit(b.Except) })
		o.Grants, o.MoreGrants = o.Grants[:mostUses], len(o.Grants)-mostUses
	}
	for _, name := range d.files {
		if !slices.Contains(is.Read(), name) {
			o.Blind = append(o.Blind, name+" is read by Apache, and was not followed")
		}
	}
	if slices.Contains(d.modules, "lua_module") {
		o.Blind = append(o.Blind, "mod_lua is loaded: what it can do is allowed wherever .htaccess is read at all, and no list withholds it")
	}
	had, there, err := eyes.ReadFile(dropIn)
	if err != nil {
		return o, err
	}
	o.had, o.DropIn = string(had), there
	if err := o.stand(ctx, eyes, d.pid, is.Read(), want.policy() == nil); err != nil {
		return o, err
	}
	return o, o.search(eyes)
}

// snapshot reads every file once, so that both readings are of the same text.
type snapshot struct {
	host.Eyes
	files map[string][]byte
}

// ReadFile implements apache.Files.
func (s snapshot) ReadFile(name string) ([]byte, bool, error) {
	if data, ok := s.files[name]; ok {
		return data, data != nil, nil
	}
	data, ok, err := s.Eyes.ReadFile(name)
	if err == nil && ok && data == nil {
		data = []byte{}
	}
	if err == nil {
		s.files[name] = data
	}
	return data, ok, err
}

// dump is what Apache says of itself.
type dump struct {
	modules apache.Modules
	files   []string
	pid     string // file
}

func read(text string) (d dump) {
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		switch {
		case len(f) == 2 && strings.HasSuffix(f[0], "_module"):
			d.modules = append(d.modules, f[0])
		case len(f) == 2 && f[0] == "PidFile:":
			d.pid = strings.Trim(f[1], `"`)
		case len(f) == 2 && strings.HasPrefix(f[0], "(") && strings.HasPrefix(f[1], "/"):
			d.files = append(d.files, path.Clean(f[1]))
		}
	}
	return d
}

// environment reads the variables that Debian gives to Apache.
func environment(eyes host.Eyes) (map[string]string, error) {
	data, _, err := eyes.ReadFile(serverRoot + "/envvars")
	vars := map[string]string{}
	for l := range strings.Lines(string(data)) {
		if assigned, ok := strings.CutPrefix(strings.TrimSpace(l), "export "); ok {
			if name, value, ok := strings.Cut(assigned, "="); ok {
				vars[name] = strings.ReplaceAll(strings.Trim(value, `"'`), "$SUFFIX", "")
			}
		}
	}
	return vars, err
}

// stand finds whether Apache runs, and whether what it loaded is what the files say:
// it writes its pid file anew each time it loads them.
func (o *Observed) stand(ctx context.Context, eyes host.Eyes, pidFile string, files []string, all bool) error {
	pid, there, err := eyes.ReadFile(pidFile)
	if err != nil {
		return err
	}
	if _, err := strconv.Atoi(strings.TrimSpace(string(pid))); there && err == nil {
		comm, _, err := eyes.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/comm")
		o.Running = err == nil && strings.HasPrefix(string(comm), "apache2")
	}
	looked := append([]string{path.Dir(dropIn)}, files...)
	if o.Running {
		looked = append(looked, pidFile)
	}
	for began := eyes.Now(); ; {
		times, err := o.stat(ctx, eyes, looked)
		if err != nil {
			return err
		}
		var newest time.Time
		for name, at := range times {
			if name != pidFile && at.After(newest) && (all || name == path.Dir(dropIn) || o.before.Edited(name) || name == dropIn) {
				newest = at
			}
		}
		o.Loaded = !o.Running || !newest.After(times[pidFile])
		if waited := eyes.Now().Sub(began); o.Loaded || waited > settling || waited < 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stat notes the modes of files and returns when they were changed.
func (o *Observed) stat(ctx context.Context, eyes host.Eyes, files []string) (map[string]time.Time, error) {
	out, err := eyes.Output(ctx, append([]string{"/usr/bin/stat", "-L", "--printf", `%.9Y %a %n\n`, "--"}, files...)...)
	if err != nil {
		return nil, err
	}
	times := map[string]time.Time{}
	o.modes = map[string]fs.FileMode{}
	for l := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSuffix(l, "\n"), " ", 3)
		if len(f) != 3 {
			continue
		}
		sec, frac, _ := strings.Cut(f[0], ".")
		s, err := strconv.ParseInt(sec, 10, 64)
		ns, nerr := strconv.ParseInt(frac, 10, 64)
		mode, merr := strconv.ParseUint(f[1], 8, 32)
		if err := errors.Join(err, nerr, merr); err != nil {
			return nil, fmt.Errorf("stat says %q: %w", l, err)
		}
		times[f[2]], o.modes[f[2]] = time.Unix(s, ns), fs.FileMode(mode).Perm()
	}
	return times, nil
}

// search looks at every .htaccess of the sites.
func (o *Observed) search(eyes host.Eyes) error {
	var roots []string
	for _, r := range o.before.Roots() {
		list := []string{r}
		if strings.ContainsAny(r, "*?[") {
			var err error
			if list, err = eyes.Glob(r); err != nil {
				o.unseen("%s: %v", r, err)
			}
		}
		roots = append(roots, list...)
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	var files []string
	began := eyes.Now()
	for i, r := range roots {
		if eyes.Now().Sub(began) > mostSearch {
			o.unseen("%s and %d folders of sites after it: looking through those before took %s", r, len(roots)-i-1, mostSearch)
			break
		}
		above := slices.ContainsFunc(roots[:i], func(a string) bool { return strings.HasPrefix(r, strings.TrimSuffix(a, "/")+"/") })
		if above || r == "/" {
			continue
		}
		for dir := path.Dir(r); ; dir = path.Dir(dir) {
			for _, name := range o.before.Names {
				files = append(files, path.Join(dir, name))
			}
			if dir == "/" {
				break
			}
		}
		found, whole, err := eyes.Find(r, o.before.Names, mostFolders)
		switch {
		case err != nil:
			o.unseen("%s: %v", r, err)
		case !whole:
			o.unseen("%s: only its first %d folders were looked at, or some could not be", r, mostFolders)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	for i, name := range files {
		// What customers write is of any size and number, and root reads it.
		if eyes.Now().Sub(began) > 2*mostSearch {
			o.unseen("%s and %d files after it: reading those before took %s", name, len(files)-i-1, mostSearch)
			break
		}
		data, there, err := eyes.ReadFile(name)
		if err != nil {
			o.unseen("%s: %v", name, err)
		}
		if len(data) > mostSite {
			o.unseen("%s: it has more than %d KiB", name, mostSite>>10)
			continue
		}
		if err == nil && there {
			o.Files++
			o.use(o.before.Site(name, string(data)))
		}
	}
	return nil
}

// use keeps the first uses, and how many there are.
func (o *Observed) use(list []apache.Use) {
	room := min(mostUses-len(o.Uses), len(list))
	o.Uses = append(o.Uses, list[:room]...)
	o.More += len(list) - room
}

func (o *Observed) unseen(format string, args ...any) {
	if len(o.Unseen) < mostSaid {
		o.Unseen = append(o.Unseen, fmt.Sprintf(format, args...))
	}
}

// plan writes what the files should hold. Apache's own test stands before it is told
// to load them: if it fails, nothing was loaded, and the agent brings the files back.
func plan(want *Desired, have Observed) (steps []host.Step) {
	if !have.Installed {
		return nil
	}
	for _, c := range changes(want, have) {
		switch {
		case c.refused() != "":
		case c.text == "" && c.path == dropIn:
			steps = append(steps, host.RemoveFile{Path: c.path})
		default:
			steps = append(steps, host.WriteFile{Path: c.path, Mode: c.mode, Content: c.text})
		}
	}
	if len(steps) > 0 {
		steps = append(steps, host.Run{Args: []string{apachectl, "configtest"}})
	}
	if have.Running && (len(steps) > 0 || !have.Loaded) {
		steps = append(steps, host.Run{Args: []string{apachectl, "graceful"}})
	}
	return steps
}

// change is a file that should hold another text.
type change struct {
	path, was, text string
	mode            fs.FileMode
}

// refused says why a file is left alone; "" if it is not.
func (c change) refused() string {
	switch {
	case owns().Allows(host.WriteFile{Path: c.path, Mode: c.mode}) != nil:
		return "it is not among the files that may be changed, or others than root may write to it"
	case !utf8.ValidString(c.was) || !utf8.ValidString(c.text):
		return "it is not written in UTF-8"
	}
	return ""
}

func changes(want *Desired, have Observed) (out []change) {
	texts := have.before.Under(want.policy()).Texts
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		c := change{path: name, was: have.before.Text(name), text: texts[name], mode: have.modes[name]}
		if name == dropIn {
			c.was, c.mode = have.had, 0o644
			if have.DropIn == (c.text != "") && c.was == c.text {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

func diff(want *Desired, have Observed) (out []string) {
	for _, c := range changes(want, have) {
		for _, l := range handlers.Diff(c.was, c.text) {
			out = append(out, c.path+": "+l)
		}
	}
	if have.Running && !have.Loaded {
		out = append(out, "Apache has not loaded its configuration since it was changed")
	}
	return out
}

// alarms are what the policy cannot hold although everything is done.
func alarms(want *Desired, have Observed) (out []string) {
	p := want.policy()
	if p == nil || !have.Installed {
		return nil
	}
	out = append(out, have.Blind...)
	out = append(out, have.before.Under(p).Blind...)
	for _, c := range changes(want, have) {
		if reason := c.refused(); reason != "" {
			out = append(out, fmt.Sprintf("%s should say something else, and is left alone: %s", c.path, reason))
		}
	}
	if slices.ContainsFunc(have.Uses, p.Leaves) {
		left := slices.DeleteFunc(slices.Clone(have.Uses), func(u apache.Use) bool { return !p.Leaves(u) })
		out = append(out, fmt.Sprintf("%d lines of .htaccess choose a handler in a way that Apache cannot forbid; the first is %s:%d: %s", len(left), left[0].File, left[0].Line, left[0].Text))
	}
	return out
}
