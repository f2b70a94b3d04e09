package sign

import "hostward/internal/core"

// Role is what a key is for.
type Role string

// The roles. A CSK is both others in one key: less to roll, less in every answer.
const (
	CSK Role = "csk"
	KSK Role = "ksk"
	ZSK Role = "zsk"
)

// entry reports whether the key's DS stands in the parent; data whether it signs
// everything but DNSKEY.
func (r Role) entry() bool { return r != ZSK }
func (r Role) data() bool  { return r != KSK }

// Flags returns the flags of a DNSKEY of that role.
func (r Role) Flags() uint16 {
	if r.entry() {
		return EntryPoint
	}
	return ZoneKey
}

func (r Role) check() error {
	if r != CSK && r != KSK && r != ZSK {
		return core.Errorf(core.Invalid, "the role %q of a key: csk, ksk and zsk are accepted", string(r))
	}
	return nil
}
