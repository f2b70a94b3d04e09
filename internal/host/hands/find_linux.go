package hands

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Limits of a search, besides what its caller says.
const (
	mostDeep    = 64    // folders in folders; each holds a descriptor
	mostEntries = 2_000 // of one folder, on average
)

// Find implements host.Eyes.
func (Machine) Find(root string, names []string, most int) (paths []string, whole bool, err error) {
	parent, name, err := walk(root, false)
	if err != nil {
		return nil, false, err
	}
	defer parent.Close()
	dir, err := openDir(int(parent.Fd()), name, filepath.Join(parent.Name(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	s := search{names: names, folders: most, entries: most * mostEntries, whole: true}
	s.in(dir, root, 0)
	slices.Sort(s.found)
	return s.found, s.whole, nil
}

type search struct {
	names            []string
	folders, entries int // that may still be looked at
	found            []string
	whole            bool
}

// in looks into a folder and closes it. What cannot be opened was taken away
// meanwhile, is a link, or of another file system, which may answer never.
func (s *search) in(dir *os.File, path string, deep int) {
	defer dir.Close()
	if s.folders--; s.folders < 0 || deep > mostDeep {
		s.whole = false
		return
	}
	for {
		list, err := dir.ReadDir(1024)
		for _, e := range list {
			s.entry(dir, path, e, deep)
		}
		if s.entries -= len(list); s.entries < 0 {
			s.whole = false
			return
		}
		if err != nil {
			s.whole = s.whole && errors.Is(err, io.EOF)
			return
		}
	}
}

func (s *search) entry(dir *os.File, path string, e fs.DirEntry, deep int) {
	full := filepath.Join(path, e.Name())
	switch {
	case e.Type().IsRegular() && slices.Contains(s.names, e.Name()):
		s.found = append(s.found, full)
	case e.IsDir():
		fd, err := unix.Openat2(int(dir.Fd()), e.Name(), &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV})
		if err != nil {
			s.whole = s.whole && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR))
			return
		}
		s.in(os.NewFile(uintptr(fd), full), full, deep+1)
	}
}
