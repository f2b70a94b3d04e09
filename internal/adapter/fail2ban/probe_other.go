//go:build !linux

package fail2ban

import (
	"context"
	"errors"
	"net/netip"
)

func comes(context.Context, netip.Addr) (bool, error) {
	return false, errors.New("it can be tried on Linux alone")
}
