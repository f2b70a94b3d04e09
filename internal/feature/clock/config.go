package clock

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"hostward/internal/host"
)

// Line is one line of a file of chrony.
type Line struct {
	Path  string `json:"path"`
	Line  int    `json:"line"`
	Words string `json:"words"` // with one blank between
}

// At is where it stands.
func (l Line) At() string { return fmt.Sprintf("%s:%d", l.Path, l.Line) }

// directive is its first word in lower case; value is the rest.
func (l Line) directive() (word, value string) {
	word, value, _ = strings.Cut(l.Words, " ")
	return strings.ToLower(word), value
}

const (
	mainPath  = "/etc/chrony/chrony.conf"
	pidPath   = "/run/chrony/chronyd.pid"
	mostFiles = 200 // a file that includes itself ends here
)

// config is every line that chronyd reads, in its order.
type config struct {
	eyes  host.Eyes
	lines []Line
	files int
	dirs  []string // that are read
}

func readConfig(eyes host.Eyes) (config, error) {
	c := config{eyes: eyes}
	return c, c.file(mainPath)
}

func (c *config) file(name string) error {
	if c.files++; c.files > mostFiles {
		return errors.New("chrony's files include more than 200 others")
	}
	data, _, err := c.eyes.ReadFile(name)
	if err != nil {
		return err
	}
	for i, text := range strings.Split(string(data), "\n") {
		words := strings.Fields(text)
		if len(words) == 0 || strings.ContainsRune("!;#%", rune(words[0][0])) {
			continue
		}
		l := Line{name, i + 1, strings.Join(words, " ")}
		switch word, _ := l.directive(); word {
		case "include":
			err = c.include(words[1:])
		case "confdir":
			err = c.dir(words[1:], ".conf")
		case "sourcedir":
			err = c.dir(words[1:], ".sources")
		default:
			c.lines = append(c.lines, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *config) include(patterns []string) error {
	for _, p := range patterns {
		paths, err := c.eyes.Glob(p)
		if err != nil {
			return err
		}
		for _, name := range paths {
			if err := c.file(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// dir reads the files of folders in the order of their names; of those that have the
// same name, the first counts.
func (c *config) dir(folders []string, ending string) error {
	c.dirs = append(c.dirs, folders...)
	var all []string
	for _, folder := range folders {
		paths, err := c.eyes.Glob(path.Join(folder, "*"+ending))
		if err != nil {
			return err
		}
		for _, p := range paths {
			if !slices.ContainsFunc(all, func(o string) bool { return path.Base(o) == path.Base(p) }) {
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return c.include(all)
}

// last is the line that counts for a directive.
func (c config) last(directive string) (out Line, found bool) {
	for _, l := range c.lines {
		if word, _ := l.directive(); word == directive {
			out, found = l, true
		}
	}
	return out, found
}

// source is the line that names a source.
func (c config) source(name string) (Line, bool) {
	for _, l := range c.lines {
		words := strings.Fields(l.Words)
		if word, _ := l.directive(); len(words) > 1 && slices.Contains([]string{"server", "pool", "peer"}, word) && same(words[1], name) {
			return l, true
		}
	}
	return Line{}, false
}

// same reports whether two names of sources are one.
func same(a, b string) bool {
	x, err := netip.ParseAddr(a)
	y, other := netip.ParseAddr(b)
	if err == nil && other == nil {
		return x == y
	}
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// includes refuses a chrony.conf that does not read our files.
func (c config) includes() error {
	for _, f := range []struct{ directive, path string }{{"sourcedir", SourcesPath}, {"confdir", SettingsPath}} {
		if dir := path.Dir(f.path); !slices.ContainsFunc(c.dirs, func(d string) bool { return path.Clean(d) == dir }) {
			return fmt.Errorf("%s does not read the folder %s: put the line %q into it", mainPath, dir, f.directive+" "+dir)
		}
	}
	return nil
}

// overriding are lines of others that come after ours and say something else.
func (c config) overriding(want Desired) (lines []Line) {
	for _, s := range want.settings() {
		if l, found := c.last(s.directive); found && l.Path != SettingsPath {
			if _, value := l.directive(); !sameValue(value, s.value) {
				lines = append(lines, l)
			}
		}
	}
	return lines
}
