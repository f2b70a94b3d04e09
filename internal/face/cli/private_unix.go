//go:build !windows

package cli

import (
	"errors"
	"io/fs"
)

// private wants a file that only its owner can read.
func private(info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 {
		return errors.New("others can read it: chmod 600")
	}
	return nil
}
