//go:build !unix

package watch

import "io/fs"

// identify tells no files apart here: logs are followed on Unix.
func identify(fs.FileInfo) identity { return identity{} }
