package cli

import "io/fs"

// private cannot tell: access lists are not in the mode.
func private(fs.FileInfo) error { return nil }
