//go:build !unix

package file

import (
	"io/fs"
	"os"
)

// SyncDir does nothing: Windows keeps names in the file system's journal and
// offers no sync of a folder.
func SyncDir(string) error { return nil }

// chownLike does nothing: a new file inherits its rights from the folder.
func chownLike(*os.File, fs.FileInfo) error { return nil }
