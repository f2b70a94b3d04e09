package outside

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/rr"
	"hostward/internal/rr/ask"
	"hostward/internal/rr/sign"
)

// enough is how long signatures hold at least (SPEC D3).
const enough = 7 * 24 * time.Hour

func keyNames(keys []rr.Record) string {
	var out []string
	for _, k := range keys {
		out = append(out, ask.KeyName(k))
	}
	slices.Sort(out)
	return or(strings.Join(out, ", "), "(none)")
}

// signed reports whether anybody expects signatures: a DS at the parent, or keys.
func (s *survey) signed(v *view) bool { return len(s.ds()) > 0 || len(v.set(s.zone, "DNSKEY")) > 0 }

// ds returns every DS that a server of the parent has.
func (s *survey) ds() (out []rr.Record) {
	for _, d := range s.parents {
		for _, r := range d.ds {
			if !slices.ContainsFunc(out, func(o rr.Record) bool { return o.Data == r.Data }) {
				out = append(out, r)
			}
		}
	}
	return out
}

func (s *survey) judgeKeys() {
	for _, v := range s.serving() {
		names := map[string]bool{}
		for _, k := range v.set(s.zone, "DNSKEY") {
			name := ask.KeyName(k)
			if names[name] {
				s.found(TagCollision, "", fmt.Sprintf("Two keys of the zone have the tag and algorithm %s.", name))
			}
			names[name] = true
			if f := strings.Fields(k.Data); !slices.Contains([]string{"13", "14", "15", "16", "8"}, f[2]) {
				s.found(AlgorithmWeak, "", fmt.Sprintf("The key %s is of an algorithm that validators drop.", name))
			}
		}
	}
}

// judgeDS holds the parent's DS against the keys of each server.
func (s *survey) judgeDS() {
	all := s.ds()
	for _, d := range all {
		if f := strings.Fields(d.Data); f[2] == "1" || f[2] == "3" {
			s.found(DigestWeak, "", fmt.Sprintf("The DS of the key %s has the digest type %s.", ask.KeyName(d), f[2]))
		}
	}
	for _, v := range s.validated() {
		keys := v.set(s.zone, "DNSKEY")
		if len(all) == 0 && len(keys) > 0 {
			s.found(DSMissing, "", "The zone is signed and its parent has no DS.")
		}
		proof := s.prove(v, "DNSKEY", keys)
		for _, d := range all {
			s.judgeOne(v, d, keys, all, proof)
		}
	}
}

// judgeOne finds out whether one DS leads to keys that signed the keys; if not, another
// one of its algorithm has to (RFC 4035 5.2, RFC 6840 5.11).
func (s *survey) judgeOne(v *view, d rr.Record, keys, all []rr.Record, proof ask.Proof) {
	leads := func(d rr.Record) bool {
		return slices.ContainsFunc(keys, func(k rr.Record) bool { return ask.Fits(d, k) && slices.Contains(proof.Valid, ask.KeyName(k)) })
	}
	switch {
	case leads(d):
	case slices.ContainsFunc(all, func(o rr.Record) bool { return algorithmOf(o) == algorithmOf(d) && leads(o) }):
		s.found(DSStray, "", fmt.Sprintf("The DS of the key %s leads to no key of the zone; another DS does.", ask.KeyName(d)))
	default:
		s.found(DSBroken, v.String(), fmt.Sprintf("The DS of the key %s leads to no key that signs here; the server has the keys %s. %s",
			ask.KeyName(d), keyNames(keys), strings.Join(proof.Faults, "; ")))
	}
}

func algorithmOf(ds rr.Record) string {
	_, algorithm, _ := strings.Cut(ask.KeyName(ds), "/")
	return algorithm
}

// prove checks the signatures of a set of the apex.
func (s *survey) prove(v *view, typ string, set []rr.Record) ask.Proof {
	r := v.sets[typ]
	if typ == "SOA" {
		r = v.soa
	}
	return ask.Prove(set, r.Sections[ask.Answer], v.set(s.zone, "DNSKEY"), s.zone, s.At)
}

func (s *survey) judgeSignatures() {
	for _, v := range s.validated() {
		if !s.signed(v) {
			continue
		}
		all := map[ID][]string{}
		weigh(all, "SOA", s.prove(v, "SOA", v.soa.Find(ask.Answer, s.zone, "SOA")), s.At)
		for _, typ := range answered() {
			if set := v.set(s.zone, typ); len(set) > 0 {
				weigh(all, typ, s.prove(v, typ, set), s.At)
			}
		}
		s.judgeDenial(v, all)
		for _, id := range []ID{SignatureMissing, SignatureBroken, SignatureEnds} {
			if len(all[id]) > 0 {
				s.found(id, v.String(), strings.Join(all[id], " "))
			}
		}
	}
}

// validated returns the addresses whose answers can be validated: those without EDNS, or
// that did not say what keys there are, prove nothing either way.
func (s *survey) validated() []*view {
	return slices.DeleteFunc(s.knowing("DNSKEY"), func(v *view) bool { return v.plain })
}

// weigh adds what the signatures over one set come to.
func weigh(all map[ID][]string, what string, p ask.Proof, now time.Time) {
	add := func(id ID, text string) { all[id] = append(all[id], text) }
	left := p.Expires.Sub(now)
	switch {
	case len(p.Valid) == 0 && len(p.Faults) == 0:
		add(SignatureMissing, what+" has no signature.")
	case len(p.Valid) == 0:
		add(SignatureBroken, "No signature over "+what+" holds: "+strings.Join(p.Faults, "; ")+".")
	case left < enough:
		add(SignatureEnds, fmt.Sprintf("The signature over %s ends on %s, in %s.", what, p.Expires.Format(time.DateTime), left.Round(time.Hour)))
	}
}

// mostProofs is how many records of the chain one answer needs at most, and some more.
const mostProofs = 8

// judgeDenial looks at the answer about a name that does not exist. One that a wildcard
// gave is an answer and proves nothing here.
func (s *survey) judgeDenial(v *view, all map[ID][]string) {
	r := v.denial
	if r.Code != "NXDOMAIN" && r.Code != "NOERROR" || len(r.Sections[ask.Answer]) > 0 {
		return
	}
	var chain []rr.Record
	covered := false
	for _, record := range r.Sections[ask.Authority] {
		if record.Type != "NSEC" && record.Type != "NSEC3" || len(chain) == mostProofs {
			continue
		}
		chain = append(chain, record)
		p := ask.Prove([]rr.Record{record}, r.Sections[ask.Authority], v.set(s.zone, "DNSKEY"), s.zone, s.At)
		if len(p.Valid) == 0 {
			s.found(DenialBroken, v.String(), fmt.Sprintf("No signature over %s holds: %s.", record.Key(), or(strings.Join(p.Faults, "; "), "there is none")))
			return
		}
		covered = covered || ask.Denies([]rr.Record{record}, v.missing)
		weigh(all, "the denial", p, s.At)
	}
	if !covered {
		s.found(DenialBroken, v.String(), fmt.Sprintf("The answer that %s does not exist has %d records of the chain, and none covers it.", v.missing, len(chain)))
	}
}

// judgeCDS holds CDS and CDNSKEY against each other, the keys, and the parent.
func (s *survey) judgeCDS() {
	s.same(CDSOdd, func(yield func(host, string)) {
		for _, v := range s.knowing("CDS", "CDNSKEY") {
			yield(v.host, list("CDS", v.set(s.zone, "CDS"))+"; "+list("CDNSKEY", v.set(s.zone, "CDNSKEY")))
		}
	})
	for _, v := range s.knowing("CDS", "CDNSKEY", "DNSKEY") {
		cds, cdnskey := v.set(s.zone, "CDS"), v.set(s.zone, "CDNSKEY")
		if why := odd(as("DS", cds), as("DNSKEY", cdnskey), v.set(s.zone, "DNSKEY")); why != "" {
			s.found(CDSOdd, v.String(), why)
		}
		if len(cds) > 0 && !slices.Equal(wished(cds), datas(s.ds())) {
			s.found(CDSWaits, "", fmt.Sprintf("The zone asks for %s; the parent has %s.", list("CDS", cds), list("DS", s.ds())))
		}
	}
}

// removal is the CDS that asks for no DS at all (RFC 8078 4).
const removal = "0 0 0 00"

func wished(cds []rr.Record) []string {
	if len(cds) == 1 && cds[0].Data == removal {
		return nil
	}
	return datas(cds)
}

func as(typ string, records []rr.Record) []rr.Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Type = typ
	}
	return out
}

// odd says what is wrong with wishes to the parent, "" if nothing is.
func odd(cds, cdnskey, keys []rr.Record) string {
	for _, d := range cds {
		if d.Data != removal && !slices.ContainsFunc(keys, func(k rr.Record) bool { return ask.Fits(d, k) }) {
			return fmt.Sprintf("The CDS of the key %s is of no key of the zone.", ask.KeyName(d))
		}
		if d.Data != removal && len(cdnskey) > 0 && !slices.ContainsFunc(cdnskey, func(k rr.Record) bool { return ask.Fits(d, k) }) {
			return fmt.Sprintf("There is a CDS for the key %s and no CDNSKEY.", ask.KeyName(d))
		}
	}
	for _, k := range cdnskey {
		if len(cds) > 0 && !strings.HasPrefix(k.Data, "0 3 0 ") && !slices.ContainsFunc(cds, func(d rr.Record) bool { return ask.Fits(d, k) }) {
			return fmt.Sprintf("There is a CDNSKEY for the key %s and no CDS.", ask.KeyName(k))
		}
	}
	return ""
}

func (s *survey) judgeResolver() {
	switch {
	case s.cfg.Resolver == "":
	case s.refused != nil:
		s.found(NotMeasured, s.cfg.Resolver, "The resolver of the settings does not answer: "+s.refused.Error()+".")
	case s.resolved.Code == "SERVFAIL":
		s.found(ResolverRefuses, s.cfg.Resolver, "The resolver answers SERVFAIL for the SOA of the zone.")
	case len(s.ds()) > 0 && !s.resolved.Proved:
		s.found(ResolverUnproved, s.cfg.Resolver, "There is a DS, and the resolver does not vouch for its answer.")
	}
}

// tell fills in what sign.Next and others want to know.
func (s *survey) tell() {
	s.Observed.Zone = s.zone
	for i := range s.parents {
		d := &s.parents[i]
		if s.elsewhere(d) {
			continue
		}
		server := sign.Server{Name: d.String(), Failed: d.err != nil || d.bad != nil, TTL: d.ttl}
		for _, r := range d.ds {
			ds, err := sign.ParseDS(r.Data)
			server.Failed = server.Failed || err != nil
			server.DS = append(server.DS, ds)
		}
		s.Observed.Parent = append(s.Observed.Parent, server)
	}
	for _, name := range s.lost {
		s.Observed.Parent = append(s.Observed.Parent, sign.Server{Name: string(name), Failed: true})
	}
	for i := range s.views {
		v := &s.views[i]
		served := Served{Server: v.String(), Failed: !v.serves(s.zone), Serial: v.start(s.zone).serial,
			Keys: datas(v.set(s.zone, "DNSKEY")), Signers: s.prove(v, "SOA", v.soa.Find(ask.Answer, s.zone, "SOA")).Valid}
		s.Servers = append(s.Servers, served)
		s.tellTTLs(v)
	}
}

// elsewhere reports whether this machine has no way to an address of a parent's
// server and heard the same server at another one: with no IPv6 here nothing would ever
// be known of parents that have it.
func (s *survey) elsewhere(d *delegation) bool {
	return d.addr.Is6() && errors.Is(d.err, ask.ErrUnreachable) &&
		slices.ContainsFunc(s.parents, func(o delegation) bool { return o.name == d.name && o.err == nil })
}

func (s *survey) tellTTLs(v *view) {
	o := &s.Observed
	for _, r := range v.set(s.zone, "DNSKEY") {
		o.KeyTTL = max(o.KeyTTL, r.TTL)
	}
	for _, reply := range []ask.Reply{v.soa, v.sets["NS"], v.denial} {
		for _, r := range slices.Concat(reply.Sections[ask.Answer], reply.Sections[ask.Authority]) {
			o.MaxTTL = max(o.MaxTTL, r.TTL)
		}
	}
}
