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
	return replace(path, perm, nil, whole(data))
}

// ReplaceWith is Replace for a file that is too large to be had in memory: write
// fills it.
func ReplaceWith(path string, perm fs.FileMode, write func(*os.File) error) error {
	return replace(path, perm, nil, write)
}

func whole(data []byte) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(data)
		return err
	}
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
		return replace(path, perm, nil, whole(data))
	}
	if err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return replace(path, old.Mode().Perm(), old, whole(data))
}

func replace(path string, perm fs.FileMode, like fs.FileInfo, write func(*os.File) error) (err error) {
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
	if err := fill(f, perm, like, write); err != nil {
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
	return SyncDir(filepath.Dir(path))
}

func fill(f *os.File, perm fs.FileMode, like fs.FileInfo, write func(*os.File) error) error {
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if like != nil {
		if err := chownLike(f, like); err != nil {
			return err
		}
	}
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

// Move renames a file durably, replacing what stands at the new name, and
// overwrites the bytes of that: they were a key, as likely as not. Overwriting
// reaches them only where the file system writes in place.
func Move(from, to string) error {
	old, err := os.OpenFile(to, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("moving %s: %w", from, err)
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, closed(old))
	}
	return errors.Join(SyncDir(filepath.Dir(to)), erased(old))
}

func closed(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// erased overwrites an open file and closes it.
func erased(f *os.File) error {
	if f == nil {
		return nil
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, info.Size()), 0)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// Destroy overwrites a file and removes it; an absent one is no error. See Move
// about overwriting.
func Destroy(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = erased(f)
	}
	if err != nil {
		return fmt.Errorf("destroying: %w", err)
	}
	return Remove(path)
}

// Remove removes path durably. An absent file is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing: %w", err)
	}
	return SyncDir(filepath.Dir(path))
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
	return SyncDir(filepath.Dir(path))
}
