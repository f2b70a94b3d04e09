package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace makes data the content of path, with mode perm. On return the
// content and the name are durable; on an error, and after a crash at any
// point, path still has its old content or is still absent.
func Replace(path string, data []byte, perm fs.FileMode) error {
	return replace(path, data, perm, nil)
}

// ReplaceLike is Replace for a file that people own: it keeps mode and owner of
// the file that is there, and writes through a symbolic link instead of
// replacing it. A new file gets perm.
func ReplaceLike(path string, data []byte, perm fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	old, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return replace(path, data, perm, nil)
	}
	if err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return replace(path, data, old.Mode().Perm(), old)
}

func replace(path string, data []byte, perm fs.FileMode, like fs.FileInfo) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replacing %s: %w", path, err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := fill(f, data, perm, like); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	// The point of no return: before the rename path is untouched, after it a
	// crash may still lose the new name until the folder is synced.
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func fill(f *os.File, data []byte, perm fs.FileMode, like fs.FileInfo) error {
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if like != nil {
		if err := chownLike(f, like); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// Remove removes path durably. An absent file is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// Folder makes a folder and its missing parents durably, with mode 0700.
func Folder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := Folder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}
