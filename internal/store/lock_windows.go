package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks the file exclusively; held is false when another process has
// it. The locked byte lies far behind the text, so that others can read that.
func tryLock(path string, create bool) (f *os.File, held bool, err error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err = os.OpenFile(path, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) && !create {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	at := &windows.Overlapped{OffsetHigh: 1}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if err == nil {
		return f, true, nil
	}
	f.Close()
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return nil, false, nil
	}
	return nil, false, err
}
