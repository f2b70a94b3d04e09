package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A FileError is what is wrong with one file.
type FileError struct {
	File string
	Err  error
}

func (e *FileError) Error() string { return e.File + ": " + e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

// mostFiles is how many files one configuration may consist of.
const mostFiles = 1000

// Read reads name.conf, name.d/*.conf, name.local and name.d/*.local, each over the
// one before, with what they include. What is wrong with a file is returned beside
// what the others say; that file then says nothing. If there is none of
// them the configuration is nil.
func Read(fsys fs.FS, name string) (*Config, []*FileError) {
	files := []string{name + ".conf"}
	files = append(files, glob(fsys, name+".d", ".conf")...)
	files = append(files, name+".local")
	files = append(files, glob(fsys, name+".d", ".local")...)
	files = slices.DeleteFunc(files, func(f string) bool { return !isFile(fsys, f) })
	if len(files) == 0 {
		return nil, nil
	}
	r := &tree{fsys: fsys, parsed: map[string]*Config{}}
	order := r.includes(files, nil)
	config := newConfig()
	for _, file := range order {
		if f := r.file(file); f != nil {
			config.merge(f)
		}
	}
	return config, r.faults
}

func glob(fsys fs.FS, dir, ext string) []string {
	entries, _ := fs.ReadDir(fsys, dir) // none: nothing more to read
	var names []string
	for _, e := range entries {
		if path.Ext(e.Name()) == ext && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, dir+"/"+e.Name())
		}
	}
	return names // ReadDir sorts
}

func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && !info.IsDir()
}

// A tree reads files and those they include.
type tree struct {
	fsys   fs.FS
	parsed map[string]*Config
	faults []*FileError
	count  int
}

func (t *tree) fault(file string, err error) {
	t.faults = append(t.faults, &FileError{file, err})
}

// file returns what a file says; nil if it cannot be read, which is noted once.
func (t *tree) file(name string) *Config {
	if c, ok := t.parsed[name]; ok {
		return c
	}
	t.parsed[name] = nil
	data, err := fs.ReadFile(t.fsys, name)
	if err == nil {
		t.parsed[name], err = parse(string(data))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.fault(name, err)
	}
	return t.parsed[name]
}

// includes returns the files with those they include, before and after, and with
// the .local file of each, in the order in which they count.
func (t *tree) includes(files, seen []string) []string {
	var all []string
	for _, file := range t.withLocal(files) {
		if t.count++; t.count > mostFiles {
			if t.count == mostFiles+1 {
				t.fault(file, fmt.Errorf("more than %d files are included: perhaps they include each other", mostFiles))
			}
			break
		}
		if c := t.file(file); c != nil {
			all = append(all, t.included(c, "before", file, seen)...)
			all = append(all, file)
			all = append(all, t.included(c, "after", file, seen)...)
		}
	}
	return all
}

func (t *tree) withLocal(files []string) []string {
	var all []string
	for _, file := range files {
		all = append(all, file)
		local := strings.TrimSuffix(file, path.Ext(file)) + ".local"
		if !slices.Contains(files, local) && isFile(t.fsys, local) {
			all = append(all, local)
		}
	}
	return all
}

func (t *tree) included(c *Config, option, file string, seen []string) []string {
	list, err := c.Get("INCLUDES", option, nil)
	if missing := (*MissingError)(nil); err != nil {
		if !errors.As(err, &missing) {
			t.fault(file, err)
		}
		return nil
	}
	var all []string
	for name := range strings.SplitSeq(list, "\n") {
		target, err := within(path.Dir(file), name)
		if err != nil {
			t.fault(file, err)
			continue
		}
		if !slices.Contains(seen, target) {
			all = append(all, t.includes([]string{target}, append(slices.Clone(seen), file))...)
		}
	}
	return all
}

// root is where the folder lies on a machine, for includes that name it.
const root = "/etc/fail2ban/"

// within returns the path below the folder of what a file in dir calls name.
func within(dir, name string) (string, error) {
	target := path.Join(dir, name)
	if strings.HasPrefix(name, "/") {
		target = path.Clean(strings.TrimPrefix(name, root))
	}
	if !fs.ValidPath(target) {
		return "", fmt.Errorf("[INCLUDES] names %q: only files below %s are read", name, root)
	}
	return target, nil
}
