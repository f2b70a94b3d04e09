package nameserver

import (
	"context"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Sets returns what is served of a zone: every RRset, in canonical order of names,
// then the NSEC3 records in that of their hashes. The RRSIGs of a name are one set
// for each TTL, since they have that of what they cover (RFC 4034 3). It is
// core.NotFound for a zone that is not served.
func (s *Server) Sets(ctx context.Context, zone rr.Name) (sets []rr.RRset, version uint64, err error) {
	slot := s.zones.Load().getString(string(zone.Wire()))
	if slot == nil {
		return nil, 0, notServed(zone)
	}
	img := slot.image.Load()
	for _, t := range [...]struct {
		*tree
		owner func(key []byte) []byte
	}{{&img.names, img.ownerOf}, {&img.hashes, img.hashedOwner}} {
		for e := range t.all() {
			if err := ctx.Err(); err != nil {
				return nil, 0, err
			}
			if sets, err = e.body.read(sets, t.owner(e.key)); err != nil {
				return nil, 0, err
			}
		}
	}
	return sets, img.version, nil
}

// Standing implements Feed.
func (s *Server) Standing(_ context.Context, zone rr.Name) (ZoneStatus, error) {
	slot := s.zones.Load().getString(string(zone.Wire()))
	if slot == nil {
		return ZoneStatus{}, notServed(zone)
	}
	return slot.image.Load().status(zone), nil
}

func notServed(zone rr.Name) error {
	return core.Errorf(core.NotFound, "the zone %s is not served", zone)
}

// Expiring implements Feed.
func (s *Server) Expiring(_ context.Context, before time.Time) (out []ZoneStatus, _ error) {
	for status := range s.Status() {
		if !status.Expires.IsZero() && status.Expires.Before(before) {
			out = append(out, status)
		}
	}
	return out, nil
}

// ownerOf is the wire name that a key of names stands for.
func (img *image) ownerOf(key []byte) []byte { return append(appendRelative(nil, key), img.apex...) }

// hashedOwner is that of a key of hashes (RFC 5155 3).
func (img *image) hashedOwner(key []byte) []byte {
	return append(appendHash(nil, key), img.apex...)
}

// read appends the sets of a name.
func (n node) read(sets []rr.RRset, owner []byte) ([]rr.RRset, error) {
	name, _, err := rr.NameFromWire(owner)
	if err != nil {
		return sets, err
	}
	signatures := map[uint32][]string{}
	var ttls []uint32
	for s := range n.sets() {
		set := rr.RRset{Name: name, Type: rr.TypeName(s.typ)}
		if set.Data, set.TTL, err = texts(s.typ, owner, s.text); err != nil {
			return sets, err
		}
		if s.count > 0 {
			sets = append(sets, set)
		}
		data, ttl, err := texts(typeRRSIG, owner, s.sigs)
		if err != nil {
			return sets, err
		}
		if len(data) > 0 && signatures[ttl] == nil {
			ttls = append(ttls, ttl)
		}
		signatures[ttl] = append(signatures[ttl], data...)
	}
	for _, ttl := range ttls {
		sets = append(sets, rr.RRset{Name: name, Type: "RRSIG", TTL: ttl, Data: signatures[ttl]})
	}
	return sets, nil
}

// texts are the data of compiled records; ttl is that of the first.
func texts(code uint16, owner, text []byte) (data []string, ttl uint32, err error) {
	if len(text) == 0 {
		return nil, 0, nil
	}
	msg := question(owner)
	from := len(msg)
	msg = append(msg, text...)
	for r := range records(text) {
		if data == nil {
			ttl = r.ttl
		}
		at := from + r.at + 2 + recordLen
		d, err := rr.Unpack(rr.TypeName(code), spelled(msg, code, at, at+len(r.rdata)))
		if err != nil {
			return nil, 0, err
		}
		data = append(data, d)
	}
	return data, ttl, nil
}

// spelled is the rdata between two offsets of a message of our own, with its names
// written out.
func spelled(msg []byte, code uint16, at, end int) []byte {
	l := rr.LayoutOf(code)
	if !l.Compress {
		return msg[at:end]
	}
	out := append([]byte(nil), msg[at:at+l.Skip]...)
	at += l.Skip
	for range l.Names {
		var v view
		v.read(msg, at)
		out = append(out, v.name[:v.nameLen]...)
		at = skipName(msg, at)
	}
	return append(out, msg[at:end]...)
}
