//go:build !linux

package agent

import (
	"errors"
	"time"
)

func boot() (string, time.Duration, error) {
	return "", 0, errors.New("which boot of the machine this is is known on Linux only")
}
