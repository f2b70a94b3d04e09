package sign

import (
	"cmp"
	"runtime"
	"slices"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Config is how a zone is signed.
type Config struct {
	// Origin is the zone's name.
	Origin rr.Name
	// Keys are all that publish or sign, in any order. At least one must sign keys
	// and one data.
	Keys []Key
	// NSEC3 hides the names of the zone from those who do not guess them (RFC 5155),
	// with no extra iterations, no salt (RFC 9276 3.1) and no opt-out. Otherwise
	// NSEC, which is cheaper for everybody and preferred (RFC 9276 3.1).
	NSEC3 bool
	// RemoveDS has CDS and CDNSKEY ask the parent to remove all DS (RFC 8078 4). No
	// key may be submitted then.
	RemoveDS bool
	// Digests are those of the CDS records. None: SHA-256.
	Digests []DigestType
	// Timing is from when to when signatures hold.
	Timing Timing
	// Workers is how many signatures are made at once. 0: one for each core the
	// program may use.
	Workers int
}

// signer is a key with what is needed again and again.
type signer struct {
	Key
	id  KeyID
	tag uint16
}

// plan is a Config that was checked.
type plan struct {
	Config
	apexWire   []byte
	originText string // the origin in data
	keys, data []int  // who signs DNSKEY, who everything else; indexes into signers
	both       []int  // who signs CDS and CDNSKEY
	signers    []signer
	hash       func(wire []byte) [hashSize]byte
}

// plan checks a Config. All faults are reported together, as one Invalid error.
func (c Config) plan() (*plan, error) {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if len(c.Digests) == 0 {
		c.Digests = []DigestType{SHA256}
	}
	var faults core.Faults
	c.Timing, faults = c.Timing.withDefaults()
	p := &plan{Config: c, apexWire: c.Origin.Wire(), originText: nameText(c.Origin), hash: hashName}
	if len(p.apexWire)+1+hashLabel > 255 && c.NSEC3 {
		faults.Add("nsec3", string(c.Origin), "a shorter zone name: the hashed names have 33 octets more")
	}
	for _, d := range c.Digests {
		if d != SHA256 && d != SHA384 {
			faults.Add("digests", d.String(), "SHA-256 and SHA-384")
		}
	}
	p.addKeys(&faults)
	return p, faults.Err()
}

// addKeys sorts the keys by what they sign.
func (p *plan) addKeys(faults *core.Faults) {
	seen := map[KeyID]bool{}
	p.Keys = slices.Clone(p.Keys)
	slices.SortFunc(p.Keys, func(a, b Key) int { return cmp.Compare(a.ID().String(), b.ID().String()) })
	for i, k := range p.Keys {
		s := signer{k, k.ID(), k.Tag()}
		if why := p.refuse(k, seen[s.id]); why != "" {
			faults.Add("keys", s.id.String(), why)
		}
		seen[s.id] = true
		p.signers = append(p.signers, s)
		if k.SignKeys {
			p.keys = append(p.keys, i)
		}
		if k.SignData {
			p.data = append(p.data, i)
		}
		if k.SignKeys || k.SignData {
			p.both = append(p.both, i)
		}
	}
	if len(p.keys) == 0 || len(p.data) == 0 {
		faults.Add("keys", "", "a key that signs keys and a key that signs data")
	}
}

// refuse says what is wrong with a key, "" if nothing is.
func (p *plan) refuse(k Key, twice bool) string {
	if err := k.check(); err != nil {
		return core.AsError(err).Sentence()
	}
	switch {
	case twice:
		return "each key once"
	case (k.SignKeys || k.SignData) && k.Signer == nil:
		return "a signer for each key that signs"
	case k.Submit && p.RemoveDS:
		return "keys whose DS is wanted, or the removal of all DS, not both"
	case k.Submit && k.Flags != EntryPoint:
		return "the flags 257 for a key whose DS is wanted"
	}
	return ""
}

// signing returns who signs a type (RFC 4035 2.2; CDS and CDNSKEY also by the
// key the parent knows, RFC 7344 4.1).
func (p *plan) signing(code uint16) []int {
	switch code {
	case typeDNSKEY:
		return p.keys
	case typeCDS, typeCDNSKEY:
		return p.both
	}
	return p.data
}

// apexSets returns the RRsets at the apex that signing makes; those not wanted
// have no data.
func (p *plan) apexSets(chainTTL uint32) []set {
	sets := map[string]rr.RRset{}
	var published []string
	var submitted []Public
	for _, k := range p.Keys {
		if k.Publish {
			published = append(published, k.Data())
		}
		if k.Submit {
			submitted = append(submitted, k.Public)
		}
	}
	if len(published) > 0 {
		sets["DNSKEY"] = newSet(p.Origin, "DNSKEY", p.Timing.KeyTTL, published)
	}
	for _, s := range Signals(p.Origin, submitted, p.RemoveDS, p.Timing.KeyTTL, p.Digests...) {
		sets[s.Type] = s
	}
	if p.NSEC3 {
		sets["NSEC3PARAM"] = newSet(p.Origin, "NSEC3PARAM", chainTTL, []string{nsec3Param})
	}
	var out []set
	for typ, code := range map[string]uint16{"DNSKEY": typeDNSKEY, "CDS": typeCDS, "CDNSKEY": typeCDNSKEY, "NSEC3PARAM": typeNSEC3PARAM} {
		s := sets[typ]
		s.Name, s.Type = p.Origin, typ
		out = append(out, set{RRset: s, code: code})
	}
	return out
}
