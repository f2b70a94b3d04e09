package transfertest

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Primaries are all four, as primaries of ours. They need a key.
func Primaries() []Server {
	return []Server{
		{Name: "BIND", Differences: true, prepare: primaryBIND(""), command: named, change: update("nsupdate")},
		{Name: "BIND signing", Differences: true, Signs: true, prepare: primaryBIND("dnssec-policy default; inline-signing yes;"), command: named, change: update("nsupdate")},
		{Name: "Knot", Differences: true, prepare: primaryKnot(""), command: knotd, change: update("knsupdate")},
		{Name: "Knot signing", Differences: true, Signs: true, prepare: primaryKnot("    dnssec-signing: on\n"), command: knotd, change: update("knsupdate")},
		{Name: "NSD", Differences: true, prepare: primaryNSD, command: nsd, change: replaceFile},
		{Name: "PowerDNS", prepare: primaryPowerDNS, command: pdns, change: replaceRRset},
	}
}

func primaryBIND(more string) func(t testing.TB, s Setting) {
	return func(t testing.TB, s Setting) {
		s.zoneFile(t)
		notify := "notify no;"
		if s.Ours.IsValid() {
			notify = fmt.Sprintf("notify explicit; also-notify { %s port %d key %q; };", s.Ours.Addr(), s.Ours.Port(), s.keyName())
		}
		put(t, s.Dir+"/config", headBIND+`  check-integrity no; check-names primary ignore; %[5]s
};
controls { };
zone "%[6]s" { type primary; file "zone"; allow-transfer { key "%[7]s"; }; allow-update { key "%[7]s"; }; %[8]s };
`, s.Dir, s.Listen.Addr(), s.Listen.Port(), s.Key.Text(transfer.FormBIND).Reveal(), notify, s.Zone, s.keyName(), more)
	}
}

func primaryKnot(more string) func(t testing.TB, s Setting) {
	return func(t testing.TB, s Setting) {
		s.zoneFile(t)
		remote, notify := "", ""
		if s.Ours.IsValid() {
			remote = fmt.Sprintf("remote:\n  - id: ours\n    address: %s@%d\n    key: %s\n", s.Ours.Addr(), s.Ours.Port(), s.keyName())
			notify = "    notify: ours\n"
		}
		put(t, s.Dir+"/config", headKnot+`%[4]s%[7]sacl:
  - id: all
    key: %[5]s
    action: [transfer, update]
zone:
  - domain: %[6]s
    file: "%[1]s/zone"
    storage: "%[1]s"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    acl: all
%[8]s%[9]s`, s.Dir, s.Listen.Addr(), s.Listen.Port(), s.Key.Text(transfer.FormKnot).Reveal(), s.keyName(), s.Zone, remote, notify, more)
	}
}

func primaryNSD(t testing.TB, s Setting) {
	s.zoneFile(t)
	notify := ""
	if s.Ours.IsValid() {
		notify = fmt.Sprintf("  notify: %s@%d %s\n", s.Ours.Addr(), s.Ours.Port(), s.keyName())
	}
	put(t, s.Dir+"/config", headNSD+`%[4]szone:
  name: "%[6]s"
  zonefile: "%[1]s/zone"
  provide-xfr: 0.0.0.0/0 %[5]s
  store-ixfr: yes
  create-ixfr: yes
%[7]s`, s.Dir, s.Listen.Addr(), s.Listen.Port(), s.Key.Text(transfer.FormNSD).Reveal(), s.keyName(), s.Zone, notify)
}

func primaryPowerDNS(t testing.TB, s Setting) {
	more := "primary=yes\nallow-axfr-ips=\ndname-processing=yes\nonly-notify=\n"
	if s.Ours.IsValid() {
		more += "also-notify=" + s.Ours.String() + "\n"
	}
	basePowerDNS(t, s, more)
	s.zoneFile(t)
	s.util(t, "load-zone", s.Zone, s.Dir+"/zone")
	s.util(t, "set-kind", s.Zone, "master")
	s.util(t, "activate-tsig-key", s.Zone, s.keyName(), "primary")
}

// update changes the zone with the tool of BIND or Knot, in two steps.
func update(tool string) func(t testing.TB, s *Setting, _ *Running, add, remove string) {
	return func(t testing.TB, s *Setting, _ *Running, add, remove string) {
		for i, typ := range []string{"A", "TXT"} {
			lines := fmt.Sprintf("update add %s.%s. 60 A 192.0.2.%d\n", add, s.Zone, 77+i)
			if remove != "" {
				lines += fmt.Sprintf("update delete %s.%s. %s\n", remove, s.Zone, typ)
			}
			cmd := s.within(t, tool, "-y", s.Key.Text(transfer.FormDig).Reveal())
			cmd.Stdin = strings.NewReader(fmt.Sprintf("server %s %d\nzone %s\n%ssend\n", s.Listen.Addr(), s.Listen.Port(), s.Zone, lines))
			Run(t, cmd)
		}
	}
}

func replaceFile(t testing.TB, s *Setting, r *Running, add, remove string) {
	s.Sets = Next(t, s.Sets, rr.RRset{Name: rr.Name(add + "." + s.Zone + "."), Type: "A", TTL: 60, Data: []string{"192.0.2.77"}}, rr.Name(remove+"."+s.Zone+"."))
	s.zoneFile(t)
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// Next is the version after sets: with one more, and without a name.
func Next(t testing.TB, sets []rr.RRset, more rr.RRset, without rr.Name) []rr.RRset {
	t.Helper()
	out := slices.DeleteFunc(append(slices.Clone(sets), more), func(s rr.RRset) bool { return s.Name == without })
	i := slices.IndexFunc(out, func(s rr.RRset) bool { return s.Type == "SOA" })
	soa, ok := rr.ParseSOA(out[i].Data[0])
	if !ok {
		t.Fatalf("no SOA record: %v", out[i])
	}
	f := strings.Fields(out[i].Data[0])
	f[2] = fmt.Sprint(soa.Serial + 1)
	out[i].Data = []string{strings.Join(f, " ")}
	return out
}

func replaceRRset(t testing.TB, s *Setting, _ *Running, add, remove string) {
	s.util(t, "replace-rrset", s.Zone, add, "A", "60", "192.0.2.77")
	if remove != "" {
		s.util(t, "delete-rrset", s.Zone, remove, "A")
		s.util(t, "delete-rrset", s.Zone, remove, "TXT")
	}
	s.util(t, "increase-serial", s.Zone)
}
