//go:build !unix

package file

import (
	"io"
	"os"
)

// Lock opens path. Where there is no flock it keeps nobody out: the service
// manager must see to it that only one process runs.
func Lock(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
