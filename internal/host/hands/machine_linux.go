package hands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hostward/internal/core"
	"hostward/internal/host"
)

// Machine is this machine. It follows symbolic links of root alone, and writes only
// into folders that nobody but root can change.
type Machine struct{}

var (
	_ host.Eyes  = Machine{}
	_ host.Hands = Machine{}
)

// Limits of what is read and waited for.
const (
	mostRead    = 16 << 20
	mostSaid    = 4 << 10
	mostLooking = 30 * time.Second
	mostRunning = 2 * time.Minute
	mostLinks   = 40
)

// Now implements host.Eyes.
func (Machine) Now() time.Time { return core.SystemClock() }

// ReadFile implements host.Eyes.
func (Machine) ReadFile(path string) ([]byte, bool, error) {
	data, _, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, err == nil, err
}

func readFile(path string) ([]byte, fs.FileMode, error) {
	dir, name, err := walk(path, false)
	if err != nil {
		return nil, 0, err
	}
	defer dir.Close()
	// Not to wait for a pipe's other end.
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a plain file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, mostRead+1))
	if len(data) > mostRead {
		err = fmt.Errorf("%s is larger than %d MiB", path, mostRead>>20)
	}
	return data, info.Mode().Perm(), err
}

// Glob implements host.Eyes.
func (Machine) Glob(pattern string) ([]string, error) {
	list, err := filepath.Glob(pattern)
	slices.Sort(list)
	return list, err
}

// Output implements host.Eyes.
func (Machine) Output(ctx context.Context, args ...string) ([]byte, error) {
	return run(ctx, mostLooking, "", args...)
}

// Table implements host.Eyes.
func (Machine) Table(ctx context.Context, family, name, rules string) (string, error) {
	return table(ctx, family, name, rules)
}

// Do implements host.Hands.
func (Machine) Do(ctx context.Context, s host.Step) error {
	switch s := s.(type) {
	case host.WriteFile:
		return writeFile(s)
	case host.RemoveFile:
		return removeFile(s.Path)
	case host.LoadTable:
		return loadTable(ctx, s)
	case host.Run:
		_, err := run(ctx, mostRunning, "", s.Args...)
		return err
	}
	return fmt.Errorf("there are no hands for the step %q", s)
}

// Undo implements host.Hands.
func (Machine) Undo(ctx context.Context, s host.Step) (host.Step, error) {
	switch s := s.(type) {
	case host.WriteFile:
		return now(s.Path)
	case host.RemoveFile:
		return now(s.Path)
	case host.LoadTable:
		rules, err := table(ctx, s.Family, s.Name, "")
		return host.LoadTable{Family: s.Family, Name: s.Name, Rules: rules}, err
	case host.Run:
		return nil, nil
	}
	return nil, fmt.Errorf("there are no hands for the step %q", s)
}

// now returns the step that makes a file what it is now.
func now(path string) (host.Step, error) {
	data, mode, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return host.RemoveFile{Path: path}, nil
	}
	return host.WriteFile{Path: path, Mode: mode, Content: string(data)}, err
}

// run runs a program with nothing on its standard input but input, and returns what
// it prints.
func run(ctx context.Context, most time.Duration, input string, args ...string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, most)
	defer stop()
	c := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // a control declared it
	c.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	c.Stdin = strings.NewReader(input)
	c.WaitDelay = time.Second
	out, said := &limited{most: mostRead}, &limited{most: mostSaid}
	c.Stdout, c.Stderr = out, said
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s did not end within %s", args[0], most)
	case errors.As(err, &exit):
		return out.Bytes(), &host.Exit{Args: args, Code: exit.ExitCode(), Said: said.String()}
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s is not installed: %w", args[0], fs.ErrNotExist)
	case err != nil:
		return nil, err
	case out.cut:
		return nil, fmt.Errorf("%s prints more than %d MiB", args[0], mostRead>>20)
	}
	return out.Bytes(), nil
}

// limited keeps the beginning of what is written to it.
type limited struct {
	bytes.Buffer
	most int
	cut  bool
}

func (l *limited) Write(b []byte) (int, error) {
	if room := l.most - l.Len(); len(b) > room {
		l.cut = true
		l.Buffer.Write(b[:room])
		return len(b), nil
	}
	return l.Buffer.Write(b)
}

// walk opens the folder of a path, and returns it with the name in it. Links are
// followed if they are root's, and in folders that only root can change. With own,
// all folders must be such, and missing ones are made.
func walk(path string, own bool) (*os.File, string, error) {
	if !filepath.IsAbs(path) {
		return nil, "", fmt.Errorf("the path %q is not absolute", path)
	}
	links := 0
	rest := strings.Split(strings.TrimPrefix(filepath.Clean(path), "/"), "/")
	dir, err := openDir(unix.AT_FDCWD, "/", "/")
	if err != nil {
		return nil, "", err
	}
	for {
		name := rest[0]
		target, err := rootsLink(dir, name, path)
		if err == nil && target != "" {
			if links++; links > mostLinks {
				err = fmt.Errorf("%s goes through more than %d links", path, mostLinks)
			}
		}
		if err != nil {
			return nil, "", errors.Join(err, dir.Close())
		}
		if target != "" {
			if !filepath.IsAbs(target) {
				target = filepath.Join(dir.Name(), target)
			}
			rest = append(strings.Split(strings.TrimPrefix(filepath.Clean(target), "/"), "/"), rest[1:]...)
			dir.Close()
			if dir, err = openDir(unix.AT_FDCWD, "/", "/"); err != nil {
				return nil, "", err
			}
			continue
		}
		if len(rest) == 1 {
			return dir, name, nil
		}
		next, err := below(dir, name, own)
		dir.Close()
		if err != nil {
			return nil, "", err
		}
		dir, rest = next, rest[1:]
	}
}

// openDir opens a folder in a folder; full is its whole path.
func openDir(at int, name, full string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: full, Err: err}
	}
	return os.NewFile(uintptr(fd), full), nil
}

// rootsLink returns where a symbolic link leads; "" if it is none.
func rootsLink(dir *os.File, name, path string) (string, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	if err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", nil
	}
	if st.Uid != 0 || onlyRoots(dir) != nil {
		return "", fmt.Errorf("%s: %s is a symbolic link that is not root's alone; it is not followed", path, filepath.Join(dir.Name(), name))
	}
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, b)
	return string(b[:max(n, 0)]), err
}

// onlyRoots says whether anybody but root can change a folder.
func onlyRoots(dir *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	if st.Uid != 0 || st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("somebody but root can change the folder %s", dir.Name())
	}
	return nil
}

// below opens a folder in a folder.
func below(dir *os.File, name string, own bool) (*os.File, error) {
	full := filepath.Join(dir.Name(), name)
	next, err := openDir(int(dir.Fd()), name, full)
	if own && errors.Is(err, fs.ErrNotExist) {
		if err := unix.Mkdirat(int(dir.Fd()), name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, &fs.PathError{Op: "mkdir", Path: full, Err: err}
		}
		next, err = openDir(int(dir.Fd()), name, full)
	}
	if err != nil {
		return nil, err
	}
	if own {
		if err := onlyRoots(next); err != nil {
			return nil, errors.Join(err, next.Close())
		}
	}
	return next, nil
}

// writeFile replaces a file at once: who reads sees the old one or the new one.
func writeFile(s host.WriteFile) (err error) {
	dir, name, err := walk(s.Path, true)
	if err != nil {
		return err
	}
	defer dir.Close()
	temporary := "." + name + ".hostward"
	if err := unix.Unlinkat(int(dir.Fd()), temporary, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "remove", Path: filepath.Join(dir.Name(), temporary), Err: err}
	}
	fd, err := unix.Openat(int(dir.Fd()), temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &fs.PathError{Op: "create", Path: s.Path, Err: err}
	}
	f := os.NewFile(uintptr(fd), s.Path)
	_, err = f.WriteString(s.Content)
	err = errors.Join(err, f.Chmod(s.Mode), f.Sync(), f.Close())
	if err == nil {
		err = unix.Renameat(int(dir.Fd()), temporary, int(dir.Fd()), name)
	}
	if err != nil {
		_ = unix.Unlinkat(int(dir.Fd()), temporary, 0)
		return fmt.Errorf("writing %s: %w", s.Path, err)
	}
	return dir.Sync()
}

func removeFile(path string) error {
	dir, name, err := walk(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := onlyRoots(dir); err != nil {
		return err
	}
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return dir.Sync()
}
