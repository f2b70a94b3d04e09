//go:build unix

package watch

import (
	"io/fs"
	"syscall"
)

func identify(info fs.FileInfo) identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{uint64(s.Dev), s.Ino} //nolint:unconvert // its type differs between systems
	}
	return identity{}
}
