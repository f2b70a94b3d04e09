package nameserver_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/core/coretest"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
	"hostward/internal/rr/transfer/transfertest"
)

// tiny is a zone of one name.
func tiny(name rr.Name, object string, version uint64) nameserver.ChangeSet {
	return nameserver.ChangeSet{Zone: name, Object: object, Version: version, Full: true, Set: []rr.RRset{
		{Name: name, Type: "SOA", TTL: 300, Data: []string{fmt.Sprintf("ns.other.test. h.other.test. %d 3600 900 604800 300", version)}},
		{Name: name, Type: "NS", TTL: 300, Data: []string{"ns.other.test."}},
		{Name: "www." + name, Type: "TXT", TTL: 300, Data: []string{fmt.Sprintf("%q", object)}},
	}}
}

func TestSecondariesTakeNewZonesFromTheCatalog(t *testing.T) {
	for _, v := range transfertest.Secondaries() {
		if !v.Catalogs {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			s := run(t, nameserver.Config{})
			to := coretest.Free(t)
			peer := nameserver.Peer{Name: v.Name, Takes: true, Key: key.Name, Told: []netip.AddrPort{to}}
			signed := &transfer.Key{Name: key.Name, Algorithm: key.Algorithm, Secret: core.NewSecret(key.Secret)}
			if v.BareMembers {
				peer.Key, peer.From, signed = "", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil
			}
			settings := nameserver.Settings{Catalog: "catalog.test.", Keys: []nameserver.Key{key}, Peers: []nameserver.Peer{peer}}
			feedAll(t, s, tiny("one.test.", "z1", 1))
			if err := s.Configure(t.Context(), settings); err != nil {
				t.Fatal(err)
			}
			v.Start(t, transfertest.Setting{Dir: t.TempDir(), Listen: to, Ours: s.Addrs()[0], Zone: "catalog.test", Catalog: true, Key: signed})
			serves := func(zone, text string) {
				t.Helper()
				var got []string
				transfertest.Until(t, func() string { return fmt.Sprintf("%s: the secondary has %q, want %q", zone, got, text) }, func() bool {
					got = records(dig(t, to, "www."+zone, "TXT"))
					return text == "" && len(got) == 0 || text != "" && len(got) == 1 && strings.Contains(got[0], text)
				})
			}
			serves("one.test", "z1")
			feedAll(t, s, tiny("two.test.", "z2", 1), tiny("three.test.", "z3", 1))
			serves("two.test", "z2")
			serves("three.test", "z3")
			feedAll(t, s, nameserver.ChangeSet{Zone: "two.test.", Object: "z2", Version: 2, Drop: true})
			serves("two.test", "")
			serves("three.test", "z3")
			held, err := s.Held(t.Context())
			if err != nil || len(held) != 2 {
				t.Errorf("the feeder sees %v, %v", held, err)
			}
		})
	}
}

func TestACatalogTakesNoZonesName(t *testing.T) {
	s := run(t, nameserver.Config{})
	feedAll(t, s, tiny("one.test.", "z1", 1))
	if err := s.Configure(t.Context(), nameserver.Settings{Catalog: "one.test."}); err == nil {
		t.Error("a zone is served under the catalog's name, and it was taken")
	}
	if err := s.Configure(t.Context(), nameserver.Settings{Catalog: "catalog.test."}); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []nameserver.ChangeSet{tiny("catalog.test.", "z9", 1)}); err == nil {
		t.Error("a zone took the catalog's name")
	}
}
