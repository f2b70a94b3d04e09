package rr

import "hostward/internal/core"

// ParseTTL reads a TTL: seconds, or BIND's units such as 1h30m.
func ParseTTL(s string) (uint32, error) {
	n, ok := parseTTL(s)
	if !ok {
		return 0, core.Errorf(core.Invalid, "TTL %q: a time in seconds up to %d, or such as 1h30m or 2w, is accepted", clip(s), uint32(MaxTTL))
	}
	return uint32(n), nil
}
