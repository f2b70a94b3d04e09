//go:build unix

package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Lock takes path for this process until the closer is closed or the process
// ends, however it ends. A second caller gets an error at once.
func Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another process: %w", path, err), f.Close())
	}
	return f, nil
}
