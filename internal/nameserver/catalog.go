package nameserver

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// A catalog zone lists all zones that are served here, so that secondaries that
// read it take new ones and drop old ones by themselves (RFC 9432). It is made of
// what is served, and is no zone of whoever feeds the server.

// catalogObject is whose zone the catalog is.
const catalogObject = "catalog"

// Numbers of the catalog's SOA: nobody but secondaries asks for it.
const (
	catalogRefresh = 3600
	catalogRetry   = 600
	catalogExpire  = 1209600
)

// member is the name under which a zone stands in the catalog. A zone that was made
// anew is another member, so that nothing of the old one is kept (RFC 9432 5.4).
func member(catalog, zone rr.Name, object string) rr.Name {
	sum := sha256.Sum256([]byte(object + " " + string(zone)))
	return rr.Name(strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))+".zones.") + catalog
}

// catalogSOA has the time for its serial, so that it grows over restarts too.
func catalogSOA(catalog rr.Name, serial uint32) rr.RRset {
	return rr.RRset{Name: catalog, Type: "SOA", Data: []string{fmt.Sprintf("invalid. hostmaster.invalid. %d %d %d %d 0", serial, catalogRefresh, catalogRetry, catalogExpire)}}
}

// nextSerial is that of now, or the next after the one that is there.
func (img *image) nextSerial(now time.Time) uint32 {
	serial := uint32(now.Unix())
	if img != nil && !rr.SerialAfter(serial, img.serial) {
		serial = img.serial + 1
	}
	return serial
}

// move is a zone that came or went.
type move struct {
	zone   rr.Name
	object string
	came   bool
}

// moves are the zones that a plan brings or takes; it is asked before it is published.
func (p *plan) moves() (out []move) {
	for key, now := range p.images {
		name, _, err := rr.NameFromWire([]byte(key))
		if err != nil {
			continue
		}
		var was *image
		if slot := p.zones.getString(key); slot != nil {
			was = slot.image.Load()
		}
		if was != nil && now != nil && was.object == now.object {
			continue
		}
		if was != nil {
			out = append(out, move{name, was.object, false})
		}
		if now != nil {
			out = append(out, move{name, now.object, true})
		}
	}
	return out
}

// list brings the catalog up to date with zones that came or went; s.feed is held.
// whole has it made of everything.
func (s *Server) list(moves []move, whole bool) error {
	catalog := s.settings.Load().Catalog
	if catalog == "" || len(moves) == 0 && !whole {
		return nil
	}
	var now *image
	if slot := s.zones.Load().get(catalog.Wire()); slot != nil {
		now = slot.image.Load()
	}
	if now != nil && now.object != catalogObject {
		return core.Errorf(core.Conflict, "the catalog %s would take the name of a zone that is served", catalog)
	}
	whole = whole || now == nil
	serial := now.nextSerial(time.Now())
	c := ChangeSet{Zone: catalog, Object: catalogObject, Version: uint64(serial), Full: whole, Set: []rr.RRset{catalogSOA(catalog, serial)}}
	if whole {
		c.Set = append(c.Set, rr.RRset{Name: catalog, Type: "NS", Data: []string{"invalid."}}, rr.RRset{Name: "version." + catalog, Type: "TXT", Data: []string{`"2"`}})
		moves = s.everyZone()
	}
	for _, m := range moves {
		set := rr.RRset{Name: member(catalog, m.zone, m.object), Type: "PTR"}
		if m.came {
			set.Data = []string{string(m.zone)}
		}
		if m.object != catalogObject && (m.came || !whole) {
			c.Set = append(c.Set, set)
		}
	}
	return s.publishOne(c)
}

// everyZone is every zone as one that came.
func (s *Server) everyZone() (out []move) {
	for key, slot := range s.zones.Load().all {
		if name, _, err := rr.NameFromWire([]byte(key)); err == nil {
			out = append(out, move{name, slot.image.Load().object, true})
		}
	}
	return out
}

// publishOne serves a change set that is not kept on disk.
func (s *Server) publishOne(c ChangeSet) error {
	ready, err := compile(context.Background(), []ChangeSet{c})
	if err != nil {
		return err
	}
	p := plan{zones: s.zones.Load(), images: map[string]*image{}}
	if err := p.add(c, ready[0]); err != nil {
		return err
	}
	p.publish(&s.zones)
	s.notifier.changed(p.images)
	return nil
}

// relist serves another catalog, or none; s.feed is held.
func (s *Server) relist(was rr.Name) error {
	if was != "" {
		if err := s.publishOne(ChangeSet{Zone: was, Object: catalogObject, Drop: true}); err != nil {
			return err
		}
	}
	return s.list(nil, true)
}
