package sign

import (
	"time"

	"hostward/internal/core"
)

// Policy is what the owner of a zone wants of its keys. The zero value, with
// Signed, is usable: one CSK that is rolled when somebody asks for it.
type Policy struct {
	// Signed is whether the zone is signed. Without it a zone is led back to
	// unsigned safely: the DS is removed first.
	Signed bool `json:"signed"`
	// Algorithm of the keys. 0: ECDSAP256SHA256. Another one than that of the present
	// keys starts an algorithm rollover.
	Algorithm Algorithm `json:"algorithm"`
	// Split has a KSK and a ZSK instead of a CSK.
	Split bool `json:"split"`
	// ZSKLifetime is the age at which a ZSK is rolled. 0: never.
	ZSKLifetime time.Duration `json:"zsk_lifetime"`
	// KSKLifetime is the age at which a KSK or CSK is rolled. The parent has to act
	// then, so somebody should be watching. 0: never.
	KSKLifetime time.Duration `json:"ksk_lifetime"`
	// DoubleDS has the DS of a new KSK stand in the parent before the key is used, so
	// that DNSKEY answers stay small (RFC 6781 4.1.2, RFC 7583 3.3.2). It is for split keys of
	// one algorithm; all others are rolled with two KSKs (RFC 7583 3.3.1).
	DoubleDS bool `json:"double_ds"`
	// Propagation is how long it takes, after Observed says that a version is served,
	// until the last nameserver has it (RFC 7583 "Dprp"). 0: 1 h. Negative: none, for
	// callers that ask every nameserver.
	Propagation time.Duration `json:"propagation"`
	// Safety is added whenever something is waited for (RFC 7583 has it in no
	// formula; resolvers stretch TTLs, and clocks jump). 0: 2 h.
	Safety time.Duration `json:"safety"`
	// Registration is how long a parent may take to act on something that it was
	// asked for and that is no longer wanted (RFC 7583 "Dreg"). What an old DS needs
	// stays for at least as long, and a zone is not unsigned before. 0: 72 h.
	Registration time.Duration `json:"registration"`
	// Step is the longest time that counts as passed between two calls of Next; so a
	// clock that jumps ahead gains no more than that. 0: 30 min.
	Step time.Duration `json:"step"`
}

// shortestLife keeps one rollover from running into the next.
const shortestLife = 7 * day

// Check refuses a policy that cannot work, with all faults in one Invalid error.
func (p Policy) Check() error {
	_, faults := p.withDefaults()
	return faults.Err()
}

func (p Policy) withDefaults() (Policy, core.Faults) {
	p.Algorithm = or(p.Algorithm, ECDSAP256SHA256)
	p.Propagation = max(or(p.Propagation, time.Hour), 0)
	p.Safety = or(p.Safety, 2*time.Hour)
	p.Registration = or(p.Registration, 72*time.Hour)
	p.Step = or(p.Step, 30*time.Minute)
	var faults core.Faults
	if !p.Algorithm.Known() {
		faults.Add("algorithm", p.Algorithm.String(), "13 (ECDSAP256SHA256) and 15 (ED25519)")
	}
	for field, life := range map[string]time.Duration{"zsk_lifetime": p.ZSKLifetime, "ksk_lifetime": p.KSKLifetime} {
		if life < 0 || life > 0 && life < shortestLife {
			faults.Add(field, life.String(), "0 for never, or at least 7 days")
		}
	}
	if p.Safety < 0 || p.Registration < 0 || p.Step < time.Second || p.Step > p.Safety {
		faults.Add("safety", p.Safety.String(), "safety and registration of 0 or more, and a step from 1 second up to the safety")
	}
	return p, faults
}

// roles are the keys a zone needs.
func (p Policy) roles() []Role {
	switch {
	case !p.Signed:
		return nil
	case p.Split:
		return []Role{ZSK, KSK}
	}
	return []Role{CSK}
}

func (p Policy) life(r Role) time.Duration {
	if r == ZSK {
		return p.ZSKLifetime
	}
	return p.KSKLifetime
}
