//go:build !unix

package breach

import (
	"errors"
	"os"
)

// mapFile fails: files are read instead, which is fast enough where few change
// their passwords.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return nil }
