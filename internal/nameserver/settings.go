package nameserver

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"hostward/internal/core"
	"hostward/internal/file"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Settings are what whoever feeds the server decides besides the zones.
type Settings struct {
	// Peers are the servers around: who may transfer zones, who is told of new
	// versions, who may tell us.
	Peers []Peer `json:"peers,omitempty"`
	// Keys sign and prove transfers and updates.
	Keys []Key `json:"keys,omitempty"`
	// Limit bounds answers that look the same; zero: none does.
	Limit Limit `json:"limit"`
	// NSID and Version are as in Config; "": those of the Config.
	NSID    string `json:"nsid,omitempty"`
	Version string `json:"version,omitempty"`
	// Catalog is the name of a zone that lists all others for secondaries (RFC 9432);
	// "": none.
	Catalog rr.Name `json:"catalog,omitempty"`
	// Updates has dynamic updates (RFC 2136) that carry a valid signature handed to
	// the feeder. Otherwise they are refused here.
	Updates bool `json:"updates,omitempty"`
}

// Key is a TSIG key in a form that can be kept and fed.
type Key struct {
	Name      rr.Name            `json:"name"`
	Algorithm transfer.Algorithm `json:"algorithm"`
	Secret    string             `json:"secret"` // base64
}

// Peer is another server, or several that are treated alike.
type Peer struct {
	Name string `json:"name"`
	// Zones it is about; none: all.
	Zones []rr.Name `json:"zones,omitempty"`
	// From is where it asks from. None: anywhere, which needs a Key.
	From []netip.Prefix `json:"from,omitempty"`
	// Key must have signed what it asks; "": none is needed, which needs From.
	Key rr.Name `json:"key,omitempty"`
	// Takes lets it transfer zones.
	Takes bool `json:"takes,omitempty"`
	// Tells lets it say that there is a new version of a zone (NOTIFY): a primary of ours.
	Tells bool `json:"tells,omitempty"`
	// Told is where it is told of new versions, signed with Key if there is one.
	Told []netip.AddrPort `json:"told,omitempty"`
}

// check names every fault.
func (s Settings) check() error {
	var faults core.Faults
	if l := s.Limit; l.Rate < 0 || l.Rate > mostRate || l.Slip < 0 {
		faults.Add("limit", "", "0 to 4000 answers a second, slip 0 or more")
	}
	if len(s.NSID) > 200 || len(s.Version) > mostChaos {
		faults.Add("nsid", s.NSID, "at most 200 octets")
	}
	if _, err := rr.ParseName(string(s.Catalog), ""); s.Catalog != "" && err != nil {
		faults.Add("catalog", string(s.Catalog), "an absolute domain name")
	}
	known := map[rr.Name]bool{}
	for _, k := range s.Keys {
		if err := k.key().Validate(); err != nil {
			faults.Add("keys", string(k.Name), core.AsError(err).Sentence())
		}
		known[k.Name] = true
	}
	for _, p := range s.Peers {
		if (p.Takes || p.Tells) && len(p.From) == 0 && p.Key == "" {
			faults.Add("peers", p.Name, "addresses, a key, or both")
		}
		if p.Key != "" && !known[p.Key] {
			faults.Add("peers", p.Name, "a key that is among the keys")
		}
	}
	return faults.Err()
}

func (k Key) key() transfer.Key {
	return transfer.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: core.NewSecret(k.Secret)}
}

// keys finds a key by its name.
func (s *Settings) keys(name rr.Name) (transfer.Key, bool) {
	for _, k := range s.Keys {
		if k.Name == name {
			return k.key(), true
		}
	}
	return transfer.Key{}, false
}

// allows reports whether some peer may do something with a zone.
func (s *Settings) allows(may func(Peer) bool, zone rr.Name, from netip.Addr, key rr.Name) bool {
	return slices.ContainsFunc(s.Peers, func(p Peer) bool {
		return may(p) && p.about(zone) && (p.Key == "" || p.Key == key) &&
			(len(p.From) == 0 || slices.ContainsFunc(p.From, func(n netip.Prefix) bool { return n.Contains(from) }))
	})
}

func (p Peer) about(zone rr.Name) bool { return len(p.Zones) == 0 || slices.Contains(p.Zones, zone) }

func sameLimit(a, b Limit) bool {
	return a.Rate == b.Rate && a.Slip == b.Slip && slices.Equal(a.Exempt, b.Exempt)
}

const settingsFile = "settings.json"

// readSettings also tells which file was broken and is set aside: the panel gives
// the settings anew when it connects, and zones are answered until then.
func (c Config) readSettings() (settings *Settings, aside []string, err error) {
	out := &Settings{}
	if !c.KeepSettings {
		return out, nil, nil
	}
	path := filepath.Join(c.Folder, settingsFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return &Settings{}, []string{path + ".broken"}, os.Rename(path, path+".broken")
	}
	return out, nil, nil
}

func (c Config) writeSettings(s Settings) error {
	b, err := json.Marshal(s)
	if err != nil || !c.KeepSettings {
		return err
	}
	return file.Replace(filepath.Join(c.Folder, settingsFile), b, 0o600)
}
