package transfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// source is another server, as primary of ours.
type source struct {
	name    string
	ixfr    bool // it keeps a history
	signs   bool // it signs the zone by itself
	prepare func(t *testing.T, s setting)
	command func(t *testing.T, s setting) *exec.Cmd
	change  func(t *testing.T, s setting, server *exec.Cmd)
}

func sources() []source {
	bind := func(t *testing.T, s setting) *exec.Cmd {
		return exec.Command(program(t, "named"), "-g", "-c", s.Dir+"/config")
	}
	knot := func(t *testing.T, s setting) *exec.Cmd {
		return exec.Command(program(t, "knotd"), "-c", s.Dir+"/config")
	}
	return []source{
		{"BIND", true, false, primaryBIND(""), bind, update("nsupdate")},
		{"BIND signing", true, true, primaryBIND("dnssec-policy default; inline-signing yes;"), bind, update("nsupdate")},
		{"Knot", true, false, primaryKnot(""), knot, update("knsupdate")},
		{"Knot signing", true, true, primaryKnot("    dnssec-signing: on\n"), knot, update("knsupdate")},
		{"NSD", true, false, primaryNSD, func(t *testing.T, s setting) *exec.Cmd {
			return exec.Command(program(t, "nsd"), "-d", "-c", s.Dir+"/config")
		}, replaceFile},
		{"PowerDNS", false, false, primaryPowerDNS, func(t *testing.T, s setting) *exec.Cmd {
			return exec.Command(program(t, "pdns_server"), "--config-dir="+s.Dir)
		}, replaceRRset},
	}
}

// zoneFile writes a zone where a peer reads it.
func zoneFile(t testing.TB, s setting, sets []rr.RRset) {
	t.Helper()
	var b bytes.Buffer
	if err := rr.WriteZone(&b, &rr.Zone{Origin: origin, Sets: sets}); err != nil {
		t.Fatal(err)
	}
	put(t, s.Dir+"/zone", "%s", b.String())
}

func keyName(s setting) string { return strings.TrimSuffix(string(s.Key.Name), ".") }

func primaryBIND(more string) func(t *testing.T, s setting) {
	return func(t *testing.T, s setting) {
		zoneFile(t, s, sample(t, 1, 300))
		put(t, s.Dir+"/config", `%[3]soptions {
  directory "%[1]s"; pid-file "%[1]s/pid"; session-keyfile "%[1]s/key"; lock-file none; key-directory "%[1]s";
  listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no; check-integrity no; check-names primary ignore;
};
controls { };
zone "z.example" { type primary; file "zone"; allow-transfer { key "%[4]s"; }; allow-update { key "%[4]s"; }; %[5]s };
`, s.Dir, s.Port, s.Key.Text(transfer.FormBIND).Reveal(), keyName(s), more)
	}
}

func primaryKnot(more string) func(t *testing.T, s setting) {
	return func(t *testing.T, s setting) {
		zoneFile(t, s, sample(t, 1, 300))
		put(t, s.Dir+"/config", `server:
  rundir: "%[1]s"
  listen: 127.0.0.1@%[2]d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 2
database:
  storage: "%[1]s"
log:
  - target: stderr
    any: info
%[3]sacl:
  - id: all
    key: %[4]s
    action: [transfer, update]
zone:
  - domain: z.example
    file: "%[1]s/zone"
    storage: "%[1]s"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    acl: all
%[5]s`, s.Dir, s.Port, s.Key.Text(transfer.FormKnot).Reveal(), keyName(s), more)
	}
}

func primaryNSD(t *testing.T, s setting) {
	zoneFile(t, s, sample(t, 1, 300))
	put(t, s.Dir+"/config", `server:
  ip-address: 127.0.0.1@%[2]d
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "%[1]s"
  database: ""
  pidfile: "%[1]s/pid"
  xfrdfile: "%[1]s/xfrd.state"
  xfrdir: "%[1]s"
  zonelistfile: "%[1]s/zone.list"
remote-control:
  control-enable: no
%[3]szone:
  name: "z.example"
  zonefile: "%[1]s/zone"
  provide-xfr: 127.0.0.1 %[4]s
  store-ixfr: yes
  create-ixfr: yes
`, s.Dir, s.Port, s.Key.Text(transfer.FormNSD).Reveal(), keyName(s))
}

func primaryPowerDNS(t *testing.T, s setting) {
	preparePowerDNS(t, setting{Dir: s.Dir, Port: s.Port, Primary: 1, Zone: "other.example"})
	zoneFile(t, s, sample(t, 1, 300))
	util := func(args ...string) {
		run(t, exec.Command(program(t, "pdnsutil"), append([]string{"--config-dir=" + s.Dir}, args...)...))
	}
	config, err := os.ReadFile(s.Dir + "/pdns.conf")
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.Dir+"/pdns.conf", "%sdname-processing=yes\n", strings.Replace(string(config), "allow-axfr-ips=127.0.0.1", "allow-axfr-ips=", 1))
	util("load-zone", "z.example", s.Dir+"/zone")
	util(strings.Fields(s.Key.Text(transfer.FormPowerDNS).Reveal())[1:]...)
	util("activate-tsig-key", "z.example", keyName(s), "primary")
}

// update changes the zone with the tool of BIND or Knot, in two steps.
func update(tool string) func(t *testing.T, s setting, _ *exec.Cmd) {
	return func(t *testing.T, s setting, _ *exec.Cmd) {
		for _, lines := range []string{"update add new.z.example. 60 A 192.0.2.77\nupdate delete h7.z.example. A", "update delete h8.z.example. TXT\nupdate add new.z.example. 60 A 192.0.2.78"} {
			cmd := exec.Command(program(t, tool), "-y", s.Key.Text(transfer.FormDig).Reveal())
			cmd.Stdin = strings.NewReader(fmt.Sprintf("server 127.0.0.1 %d\nzone z.example\n%s\nsend\n", s.Port, lines))
			run(t, cmd)
		}
	}
}

func replaceFile(t *testing.T, s setting, server *exec.Cmd) {
	zoneFile(t, s, sample(t, 2, 299, "new 60 A 192.0.2.77"))
	if err := server.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func replaceRRset(t *testing.T, s setting, _ *exec.Cmd) {
	util := func(args ...string) {
		run(t, exec.Command(program(t, "pdnsutil"), append([]string{"--config-dir=" + s.Dir}, args...)...))
	}
	util("replace-rrset", "z.example", "new", "A", "60", "192.0.2.77")
	util("delete-rrset", "z.example", "h7", "A")
	util("increase-serial", "z.example")
}

// TestWeFollowOtherPrimaries fetches a zone of each server, lets it change, and
// wants the difference to lead to what the server then has.
func TestWeFollowOtherPrimaries(t *testing.T) {
	for _, p := range sources() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.lead(t)
		})
	}
}

func (p source) lead(t *testing.T) {
	k := newKey(t, "shared.key.example.", transfer.SHA256)
	s := setting{Dir: t.TempDir(), Port: coretest.FreePort(t), Key: &k}
	server := p.command(t, s)
	p.prepare(t, s)
	begin(t, server)
	peer := transfer.Peer{Address: fmt.Sprintf("127.0.0.1:%d", s.Port), Key: &k}
	var whole transfer.Received
	until(t, func() string { return "the zone can be fetched" }, func() bool {
		var err error
		whole, err = testClient().Fetch(testContext(t), peer, origin, nil)
		return err == nil && (!p.signs || find(whole.Sets, "www.z.example.", "RRSIG") != nil && signedAll(whole.Sets))
	})
	if want := len(sample(t, 1, 300)); !p.signs && len(whole.Sets) != want {
		t.Fatalf("%d RRsets, want %d", len(whole.Sets), want)
	}
	p.change(t, s, server)
	until(t, func() string { return "the change shows" }, func() bool {
		soa, err := testClient().SOA(testContext(t), peer, origin)
		return err == nil && soa != whole.SOA
	})
	settled(t, peer)
	got, err := testClient().Fetch(testContext(t), peer, origin, &whole.SOA)
	if err != nil {
		t.Fatal(err)
	}
	now, err := testClient().Fetch(testContext(t), peer, origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.ixfr != (got.Kind == transfer.Difference) {
		t.Fatalf("it sent %s", got.Kind)
	}
	if got.Kind == transfer.Whole {
		got.Sets, now.Sets = joined(got.Sets), joined(now.Sets)
		if d := cmp.Diff(now.Sets, got.Sets); d != "" {
			t.Fatal(d)
		}
		return
	}
	changes, err := transfer.Apply(origin, transfer.ViewOf(whole.Sets), got.Steps)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(joined(now.Sets), patched(joined(whole.Sets), changes)); d != "" {
		t.Fatalf("the difference does not lead to the zone:\n%s", d)
	}
	wrong := k
	wrong.Secret = newKey(t, "x.", transfer.SHA256).Secret
	peer.Key = &wrong
	if _, err := testClient().Fetch(testContext(t), peer, origin, nil); !refusesKey(err) {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func refusesKey(err error) bool {
	f, ok := errors.AsType[*transfer.Fault](err)
	return ok && f.Rcode == transfer.NotAuth && (f.TSIG == transfer.BadSig || f.TSIG == transfer.BadKey)
}

// settled waits until the server has nothing more to change, as one that signs
// does after an update.
func settled(t *testing.T, peer transfer.Peer) {
	t.Helper()
	last, same := rr.Record{}, 0
	until(t, func() string { return "the serial stays" }, func() bool {
		soa, err := testClient().SOA(testContext(t), peer, origin)
		if same++; err != nil || soa != last {
			same = 0
		}
		last = soa
		return same > 25
	})
}

func find(sets []rr.RRset, name rr.Name, typ string) *rr.RRset {
	i := slices.IndexFunc(sets, func(s rr.RRset) bool { return s.Name == name && s.Type == typ })
	if i < 0 {
		return nil
	}
	return &sets[i]
}

// signedAll reports whether each host has its signatures.
func signedAll(sets []rr.RRset) bool {
	n := 0
	for _, s := range sets {
		if s.Type == "RRSIG" && strings.HasPrefix(string(s.Name), "h") {
			n += len(s.Data)
		}
	}
	return n >= 600
}
