package transfertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"hostward/internal/rr/transfer"
)

// Secondaries are all four, as secondaries of ours. NSD reads catalogs from 4.9 on;
// Debian 12 has 4.6.
func Secondaries() []Server {
	return []Server{
		{Name: "Knot", Differences: true, Catalogs: true, prepare: secondaryKnot, command: knotd},
		{Name: "NSD", Differences: true, prepare: secondaryNSD, command: nsd},
		{Name: "BIND", Differences: true, Catalogs: true, prepare: secondaryBIND, command: named},
		{Name: "PowerDNS", Catalogs: true, BareMembers: true, prepare: secondaryPowerDNS, command: pdns},
	}
}

// The servers in the foreground.
var (
	knotd = []string{"knotd", "-c", ""}
	nsd   = []string{"nsd", "-d", "-c", ""}
	named = []string{"named", "-g", "-c", ""}
	pdns  = []string{"pdns_server", "--config-dir="}
)

const headKnot = `server:
  rundir: "%[1]s"
  listen: %[2]s@%[3]d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 2
database:
  storage: "%[1]s"
log:
  - target: stderr
    any: info
`

func secondaryKnot(t testing.TB, s Setting) {
	key, use := "", ""
	if s.Key != nil {
		key, use = s.Key.Text(transfer.FormKnot).Reveal(), "\n    key: "+s.keyName()
	}
	catalog := ""
	if s.Catalog {
		catalog = "    catalog-role: interpret\n    catalog-template: default\n"
	}
	put(t, s.Dir+"/config", headKnot+`%[4]sremote:
  - id: ours
    address: %[5]s@%[6]d%[7]s
acl:
  - id: notify
    address: %[5]s
    action: notify%[7]s
  - id: all
    address: %[2]s
    action: transfer
template:
  - id: default
    storage: "%[1]s"
    zonefile-sync: -1
    master: ours
    acl: [notify, all]
zone:
  - domain: %[8]s
%[9]s`, s.Dir, s.Listen.Addr(), s.Listen.Port(), key, s.Ours.Addr(), s.Ours.Port(), use, s.Zone, catalog)
}

const headNSD = `server:
  ip-address: %[2]s@%[3]d
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "%[1]s"
  database: ""
  pidfile: "%[1]s/pid"
  xfrdfile: "%[1]s/xfrd.state"
  xfrdir: "%[1]s"
  zonelistfile: "%[1]s/zone.list"
  verbosity: 2
  xfrd-reload-timeout: 0
remote-control:
  control-enable: no
`

func secondaryNSD(t testing.TB, s Setting) {
	key, name := "", "NOKEY"
	if s.Key != nil {
		key, name = s.Key.Text(transfer.FormNSD).Reveal(), s.keyName()
	}
	put(t, s.Dir+"/config", headNSD+`%[4]szone:
  name: "%[8]s"
  zonefile: "%[1]s/zone"
  request-xfr: %[5]s@%[6]d %[7]s
  allow-notify: %[5]s %[7]s
  provide-xfr: %[2]s NOKEY
  max-retry-time: 1
  min-retry-time: 1
`, s.Dir, s.Listen.Addr(), s.Listen.Port(), key, s.Ours.Addr(), s.Ours.Port(), name, s.Zone)
}

const headBIND = `%[4]soptions {
  directory "%[1]s"; pid-file "%[1]s/pid"; session-keyfile "%[1]s/key"; lock-file none; key-directory "%[1]s";
  listen-on port %[3]d { %[2]s; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; empty-zones-enable no; serial-query-rate 1000; notify-rate 1000; startup-notify-rate 1000;
`

func secondaryBIND(t testing.TB, s Setting) {
	key, use, notify := "", "", s.Ours.Addr().String()+";"
	if s.Key != nil {
		use = `key "` + s.keyName() + `"`
		key, notify = s.Key.Text(transfer.FormBIND).Reveal(), use+";"
	}
	catalog := ""
	if s.Catalog {
		catalog = fmt.Sprintf("allow-new-zones yes; catalog-zones { zone %q default-primaries port %d { %s %s; } in-memory yes min-update-interval 1; };", s.Zone, s.Ours.Port(), s.Ours.Addr(), use)
	}
	put(t, s.Dir+"/config", headBIND+`  notify no; allow-transfer { %[2]s; }; min-retry-time 1; max-retry-time 1; %[10]s
};
controls { };
zone "%[8]s" { type secondary; file "zone"; masterfile-format text; primaries port %[6]d { %[5]s %[7]s; }; allow-notify { %[9]s }; };
`, s.Dir, s.Listen.Addr(), s.Listen.Port(), key, s.Ours.Addr(), s.Ours.Port(), use, s.Zone, notify, catalog)
}

// basePowerDNS is the server with an empty database.
func basePowerDNS(t testing.TB, s Setting, more string) {
	put(t, s.Dir+"/pdns.conf", `launch=gsqlite3
gsqlite3-database=%[1]s/db
gsqlite3-dnssec=yes
local-address=%[2]s
local-port=%[3]d
socket-dir=%[1]s
xfr-cycle-interval=1
slave-cycle-interval=1
disable-syslog=yes
security-poll-suffix=
query-cache-ttl=0
negquery-cache-ttl=0
cache-ttl=0
zone-cache-refresh-interval=0
loglevel=5
%[4]s`, s.Dir, s.Listen.Addr(), s.Listen.Port(), more)
	schema, err := os.ReadFile("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")
	if err != nil {
		t.Fatal(err)
	}
	create := exec.Command(Program(t, "sqlite3"), s.Dir+"/db")
	create.Stdin = bytes.NewReader(schema)
	Run(t, create)
	if s.Key != nil {
		s.util(t, strings.Fields(s.Key.Text(transfer.FormPowerDNS).Reveal())[1:]...)
	}
}

func secondaryPowerDNS(t testing.TB, s Setting) {
	basePowerDNS(t, s, fmt.Sprintf("secondary=yes\nallow-notify-from=%s\nallow-unsigned-notify=yes\nallow-unsigned-autoprimary=no\nallow-axfr-ips=%s\n", s.Ours.Addr(), s.Listen.Addr()))
	s.util(t, "create-slave-zone", s.Zone, s.Ours.String())
	if s.Catalog {
		s.util(t, "set-kind", s.Zone, "consumer")
	}
	if s.Key != nil {
		s.util(t, "activate-tsig-key", s.Zone, s.keyName(), "secondary")
	}
}
