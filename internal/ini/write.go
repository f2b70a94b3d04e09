package ini

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"hostward/internal/core"
	"hostward/internal/file"
)

// Edit changes the file at path: it reads it, lets change set values, and
// writes it back at once, keeping mode and owner. An absent file is made. A
// file that has faults, or that somebody else wrote meanwhile, is not touched.
func Edit(path string, change func(*File) error) error {
	old, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, faults := Parse(old)
	if len(faults) > 0 {
		return &core.Error{Code: core.Conflict, Public: "the file has errors; repair it first", Faults: faults}
	}
	if err := change(f); err != nil {
		return err
	}
	now, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(old, now) {
		return core.Errorf(core.Conflict, "%s was changed meanwhile; nothing was written", path)
	}
	if bytes.Equal(old, f.raw) {
		return nil
	}
	return file.ReplaceLike(path, f.raw, 0o640)
}

// read returns a file's bytes, one more than MaxSize at most. Only a regular
// file is opened: a pipe would wait for a writer, and the policy with it.
func read(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}
