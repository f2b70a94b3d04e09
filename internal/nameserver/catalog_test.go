package nameserver_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/core/coretest"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

// tiny is a zone of one name.
func tiny(name rr.Name, object string, version uint64) nameserver.ChangeSet {
	return nameserver.ChangeSet{Zone: name, Object: object, Version: version, Full: true, Set: []rr.RRset{
		{Name: name, Type: "SOA", TTL: 300, Data: []string{fmt.Sprintf("ns.other.test. h.other.test. %d 3600 900 604800 300", version)}},
		{Name: name, Type: "NS", TTL: 300, Data: []string{"ns.other.test."}},
		{Name: "www." + name, Type: "TXT", TTL: 300, Data: []string{fmt.Sprintf("%q", object)}},
	}}
}

// consumers read catalogs: each is a program with its settings.
var consumers = map[string]struct {
	program string
	args    func(dir string) []string
	conf    func(dir string, port uint16, ours uint16) string
}{
	"Knot": {"knotd", func(dir string) []string { return []string{"-c", filepath.Join(dir, "conf")} }, func(dir string, port, ours uint16) string {
		return fmt.Sprintf("server:\n  rundir: %[1]q\n  listen: 127.0.0.1@%[2]d\ndatabase:\n  storage: %[1]q\nremote:\n  - id: ours\n    address: 127.0.0.1@%[3]d\nacl:\n  - id: told\n    address: 127.0.0.1\n    action: notify\n"+
			"template:\n  - id: member\n    storage: %[1]q\n    master: ours\n    acl: told\nzone:\n  - domain: catalog.test\n    storage: %[1]q\n    master: ours\n    acl: told\n    catalog-role: interpret\n    catalog-template: member\n", dir, port, ours)
	}},
	"BIND": {"named", func(dir string) []string { return []string{"-g", "-c", filepath.Join(dir, "conf")} }, func(dir string, port, ours uint16) string {
		return fmt.Sprintf("options { directory %[1]q; pid-file \"%[1]s/pid\"; session-keyfile \"%[1]s/key\"; lock-file none; listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no;\n"+
			"allow-new-zones yes; catalog-zones { zone \"catalog.test\" default-primaries { 127.0.0.1 port %[3]d; } in-memory yes min-update-interval 1; }; };\ncontrols { };\n"+
			"zone \"catalog.test\" { type secondary; primaries { 127.0.0.1 port %[3]d; }; file \"%[1]s/catalog\"; };\n", dir, port, ours)
	}},
}

func TestSecondariesTakeNewZonesFromTheCatalog(t *testing.T) {
	for name, consumer := range consumers {
		t.Run(name, func(t *testing.T) {
			program := tool(t, consumer.program)
			s := run(t, nameserver.Config{})
			to := coretest.Free(t)
			settings := nameserver.Settings{Catalog: "catalog.test.", Peers: []nameserver.Peer{{Name: name, Takes: true, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Told: []netip.AddrPort{to}}}}
			feedAll(t, s, tiny("one.test.", "z1", 1))
			if err := s.Configure(t.Context(), settings); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(consumer.conf(dir, to.Port(), s.Addrs()[0].Port())), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, consumer.args(dir)...)
			var said strings.Builder
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			serves := func(zone, text string) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // between two looks
					got := records(dig(t, to, "www."+zone, "TXT"))
					if text == "" && len(got) == 0 || text != "" && len(got) == 1 && strings.Contains(got[0], text) {
						return
					}
					if time.Now().After(deadline) {
						t.Fatalf("%s: the secondary has %q, want %q\n%s", zone, got, text, said.String())
					}
				}
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
