package sign

import "hostward/internal/rr"

// What CDS and CDNSKEY say to have every DS removed (RFC 8078 4).
const (
	deleteDS  = "0 0 0 00"
	deleteKey = "0 3 0 AA=="
)

// Signals returns the CDS and CDNSKEY RRsets that stand at an apex for keys
// whose DS is wanted in the parent (RFC 7344 3): both, since parents look at
// one or the other. remove asks for all DS to be removed instead (RFC 8078 4).
// No keys and no removal: none, which asks for nothing.
func Signals(owner rr.Name, keys []Public, remove bool, ttl uint32, digests ...DigestType) []rr.RRset {
	var cds, cdnskey []string
	for _, k := range keys {
		cdnskey = append(cdnskey, k.Data())
		for _, d := range digests {
			cds = append(cds, k.DS(owner, d).String())
		}
	}
	if remove {
		cds, cdnskey = []string{deleteDS}, []string{deleteKey}
	}
	if len(cds) == 0 {
		return nil
	}
	return []rr.RRset{newSet(owner, "CDS", ttl, cds), newSet(owner, "CDNSKEY", ttl, cdnskey)}
}

// SignalName returns the name at which the operator of a nameserver confirms
// the CDS and CDNSKEY of a zone that has no DS yet: _dsboot.ZONE._signal.SERVER
// (RFC 9615 3.2). ok is false where there can be none: the nameserver is
// in the zone itself, or the name would be too long.
func SignalName(zone, server rr.Name) (name rr.Name, ok bool) {
	if zone == "." || server == "." || server.Under(zone) {
		return "", false
	}
	name, err := rr.ParseName("_dsboot."+string(zone)+"_signal."+string(server), "")
	return name, err == nil
}

// Bootstrap returns copies of a zone's CDS and CDNSKEY RRsets at the signaling
// names of its nameservers (RFC 9615 4.1). They belong into the signed zones
// that hold the nameservers' names. left are the nameservers that can confirm nothing.
func Bootstrap(zone rr.Name, servers []rr.Name, signals []rr.RRset) (copies []rr.RRset, left []rr.Name) {
	for _, s := range servers {
		name, ok := SignalName(zone, s)
		if !ok {
			left = append(left, s)
			continue
		}
		for _, set := range signals {
			set.Name = name
			copies = append(copies, set)
		}
	}
	return copies, left
}

// newSet makes an RRset of data in canonical form, in any order.
func newSet(name rr.Name, typ string, ttl uint32, data []string) rr.RRset {
	records := make([]rr.Record, len(data))
	for i, d := range data {
		records[i] = rr.Record{Name: name, TTL: ttl, Type: typ, Data: d}
	}
	sets, _ := rr.Group(records) // one name, one type, one TTL: one set
	return sets[0]
}
