package sign

import (
	"slices"

	"hostward/internal/rr"
)

// Observed is what the caller found out after the last call of Next returned, and
// before this one.
type Observed struct {
	// Zone is the zone's name.
	Zone rr.Name
	// Revision is that of the State whose duties the zone is served with, by every
	// nameserver as far as they were asked. 0 at the beginning.
	Revision uint64
	// Complete is Zone.Complete of what is served; true for an unsigned zone.
	Complete bool
	// MaxTTL is Zone.MaxTTL, or the greatest TTL of an unsigned zone, and KeyTTL that of
	// DNSKEY, in seconds. In the first call MaxTTL is the greatest that was served in
	// as long as that TTL: a zone whose TTLs were lowered yesterday is still cached.
	MaxTTL, KeyTTL uint32
	// Parent is what each nameserver of the parent says; empty if they were not asked.
	// A parent of which one server is silent proves nothing, so it has to be in the list.
	Parent []Server
}

// Server is the answer of one nameserver of the parent.
type Server struct {
	Name   string
	Failed bool   // it gave no answer that could be used, for example no signed one
	DS     []DS   // none: it says that there is none
	TTL    uint32 // of the DS, or of the answer that there is none (RFC 2308 5), in seconds
}

// seen is a server's answer as a copy.
func (s *State) seen(zone rr.Name, from Server) Copy {
	c := Copy{Seen: true, TTL: int64(from.TTL)}
	for _, ds := range from.DS {
		at := slices.IndexFunc(s.Keys, func(k Managed) bool { return ds.Of(zone, k.Public) })
		if at < 0 {
			c.Foreign = true
			continue
		}
		c.Keys = append(c.Keys, s.Keys[at].ID())
	}
	slices.SortFunc(c.Keys, KeyID.compare)
	c.Keys = slices.Compact(c.Keys)
	return c
}

// parent is what all servers together say.
func (s *State) parent(o Observed) (seen []Copy, all bool) {
	all = len(o.Parent) > 0
	for _, server := range o.Parent {
		if server.Failed {
			all = false
			continue
		}
		seen = append(seen, s.seen(o.Zone, server))
	}
	return seen, all
}

// obeyed reports whether every server of the parent has what it was asked for.
func (s *State) obeyed(o Observed) bool {
	seen, all := s.parent(o)
	return all && !slices.ContainsFunc(seen, func(c Copy) bool { return !s.obeys(c) })
}

func (s *State) obeys(c Copy) bool {
	asked := s.asked()
	if len(asked.Keys) == 0 {
		return len(c.Keys) == 0 && !(s.RemoveDS && c.Foreign)
	}
	return !slices.ContainsFunc(asked.Keys, func(id KeyID) bool { return !slices.Contains(c.Keys, id) })
}
