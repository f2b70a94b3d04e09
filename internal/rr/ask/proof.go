package ask

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Proof is what the signatures over one RRset come to.
type Proof struct {
	Valid   []string  // key tag and algorithm, "1234/13", of each key whose signature holds
	Expires time.Time // of the valid signature that holds longest; zero without any
	Faults  []string  // why others do not
}

// Bounds of what strangers may have us compute: signatures times keys with one tag
// (CVE-2023-50387), and hashes of NSEC3 (CVE-2023-50868, RFC 9276 3.2). Zones that are
// meant well stay far below.
const (
	mostSignatures = 32
	mostKeys       = 32
	mostAttempts   = 64
	mostIterations = 150
	mostChain      = 16
)

// Prove checks the signatures over a set: sigs are RRSIG records, those over other
// sets are passed over, and keys are the DNSKEY records of the zone. It says
// nothing about whether the keys are to be trusted, and tries no more than 64 times.
func Prove(set, sigs, keys []rr.Record, zone rr.Name, now time.Time) (p Proof) {
	if len(set) == 0 {
		return p
	}
	over, known, attempts := parseAll(set), parseAll(first(keys, mostKeys)), 0
	for _, sig := range signaturesOver(set[0], sigs) {
		why := judge(sig, over, known, zone, now, &attempts)
		if why != "" {
			p.Faults = append(p.Faults, why)
			continue
		}
		until := expiry(sig, now)
		p.Valid = append(p.Valid, keyName(sig.KeyTag, sig.Algorithm))
		if until.After(p.Expires) {
			p.Expires = until
		}
	}
	return p
}

// signaturesOver returns the signatures over the set of a record.
func signaturesOver(of rr.Record, sigs []rr.Record) (out []*dns.RRSIG) {
	for _, r := range sigs {
		if r.Name != of.Name || r.Type != "RRSIG" || !strings.HasPrefix(r.Data, of.Type+" ") || len(out) == mostSignatures {
			continue
		}
		if p, err := parse(r); err == nil {
			if sig, is := p.(*dns.RRSIG); is {
				out = append(out, sig)
			}
		}
	}
	return out
}

func first(records []rr.Record, most int) []rr.Record { return records[:min(len(records), most)] }

// judge says why a signature does not hold, "" if it does (RFC 4035 5.3.1).
func judge(sig *dns.RRSIG, over, keys []dns.RR, zone rr.Name, now time.Time, attempts *int) string {
	name := "the signature by the key " + keyName(sig.KeyTag, sig.Algorithm)
	if !strings.EqualFold(sig.SignerName, string(zone)) {
		return name + " is in the name of " + sig.SignerName
	}
	if !sig.ValidityPeriod(now) {
		return name + " holds from " + dns.TimeToString(sig.Inception) + " to " + dns.TimeToString(sig.Expiration)
	}
	why := name + " is by a key that is not in the DNSKEY RRset"
	for _, k := range keys {
		if key, is := k.(*dns.DNSKEY); is && *attempts < mostAttempts && key.KeyTag() == sig.KeyTag && key.Algorithm == sig.Algorithm {
			*attempts++
			if sig.Verify(key, over) == nil {
				return ""
			}
			why = name + " does not fit the data"
		}
	}
	return why
}

// expiry is the end of a signature; its 32 bits are meant near now (RFC 4034 3.1.5).
func expiry(sig *dns.RRSIG, now time.Time) time.Time {
	return now.Add(time.Duration(int32(sig.Expiration-uint32(now.Unix()))) * time.Second).Truncate(time.Second).UTC() //nolint:gosec // serial arithmetic
}

// Denies reports whether records of the chain, NSEC or NSEC3, show that name does not
// exist, or has not what was asked for. It looks at no signature, at the first 16
// records only, and passes over NSEC3 with more than 150 iterations as resolvers do.
func Denies(chain []rr.Record, name rr.Name) bool {
	return slices.ContainsFunc(parseAll(first(chain, mostChain)), func(r dns.RR) bool {
		switch r := r.(type) {
		case *dns.NSEC:
			owner, next := rr.Name(strings.ToLower(r.Hdr.Name)), rr.Name(strings.ToLower(r.NextDomain))
			last := next.Compare(owner) <= 0
			return owner == name || owner.Compare(name) < 0 && (last || name.Compare(next) < 0)
		case *dns.NSEC3:
			return r.Iterations <= mostIterations && (r.Match(string(name)) || r.Cover(string(name)))
		}
		return false
	})
}

// Fits reports whether ds is of key: both are records, of any algorithm; a digest
// that is not known fits nothing.
func Fits(ds, key rr.Record) bool {
	d, err1 := parse(ds)
	k, err2 := parse(key)
	want, is1 := d.(*dns.DS)
	have, is2 := k.(*dns.DNSKEY)
	if err1 != nil || err2 != nil || !is1 || !is2 || have.KeyTag() != want.KeyTag || have.Algorithm != want.Algorithm {
		return false
	}
	made := have.ToDS(want.DigestType)
	return made != nil && strings.EqualFold(made.Digest, want.Digest)
}

// KeyName returns "1234/13", tag and algorithm, of a DNSKEY or DS record.
func KeyName(r rr.Record) string {
	switch k, _ := parse(r); k := k.(type) {
	case *dns.DNSKEY:
		return keyName(k.KeyTag(), k.Algorithm)
	case *dns.DS:
		return keyName(k.KeyTag, k.Algorithm)
	}
	return "?"
}

func keyName(tag uint16, algorithm uint8) string {
	return strings.Join([]string{itoa(tag), itoa(algorithm)}, "/")
}

func parseAll(records []rr.Record) (out []dns.RR) {
	for _, r := range records {
		if p, err := parse(r); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func parse(r rr.Record) (dns.RR, error) {
	p, err := dns.NewRR(r.String())
	if err == nil && p == nil {
		err = core.Errorf(core.Invalid, "%s is no record", r.Key())
	}
	return p, err
}

func itoa[T ~uint8 | ~uint16](n T) string { return strconv.Itoa(int(n)) }
