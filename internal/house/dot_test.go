//go:build linux

package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hostward/internal/core/coretest"
)

// TestDNSOverTLS asks both kinds of process, in the strict profile of RFC 8310: the
// certificate must be the one that is expected, also after it was renewed.
func TestDNSOverTLS(t *testing.T) {
	kdig := tool(t, "kdig")
	for name, start := range map[string]func(m *machine, flags ...string){
		"within the panel": func(m *machine, flags ...string) {
			m.extra = flags
			m.serve()
		},
		"as its own process": func(m *machine, flags ...string) {
			socket := filepath.Join(m.data, "run", "ns.sock")
			p := m.spawn(append([]string{"nameserver", "--folder", filepath.Join(m.data, "served"), "--socket", socket, "--dns", m.dns}, flags...)...)
			m.until("the nameserver answers", func() bool { return strings.Contains(p.said.String(), "answering") })
			m.extra = []string{"--nameserver", socket}
			m.serve()
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, at := newMachine(t), coretest.Free(t)
			dir := t.TempDir()
			crt, key := localCertificate(t, dir)
			start(m, "--dot", at.String(), "--dot-certificate", crt, "--dot-key", key)
			m.does("zone", "create", "example.org")
			made := m.does("tsig", "create", "transfer.example", "--output", "json")
			m.does("peer", "add", "other", "--key", "transfer.example", "--reason", "it is a secondary")
			ask := func(args ...string) string {
				args = append([]string{"@127.0.0.1", "-p", strings.TrimPrefix(at.String(), "127.0.0.1:"), "+tls-ca=" + crt, "+tls-hostname=127.0.0.1"}, args...)
				out, _ := exec.CommandContext(t.Context(), kdig, args...).CombinedOutput()
				return string(out)
			}
			m.until("it answers over TLS", func() bool {
				out := ask("example.org", "SOA")
				return strings.Contains(out, "TLS1.3") && strings.Contains(out, "hostmaster.example.org.")
			})
			_, secret, _ := strings.Cut(made, `"secret":`)
			secret = strings.Split(secret, `"`)[1]
			m.until("it transfers a zone over TLS (RFC 9103)", func() bool {
				return strings.Contains(ask("-y", "hmac-sha256:transfer.example:"+secret, "example.org", "AXFR"), "ns1.example.org.")
			})
			if out := ask("example.org", "AXFR"); strings.Contains(out, "ns1.example.org.") {
				t.Errorf("it transfers to anybody:\n%s", out)
			}

			before, err := os.ReadFile(crt)
			must(t, err)
			newer, newerKey := localCertificate(t, t.TempDir())
			replace(t, newer, crt)
			if out := ask("example.org", "SOA"); strings.Contains(out, "hostmaster") {
				t.Errorf("a certificate without its key is used:\n%s", out)
			}
			kept := filepath.Join(dir, "kept")
			must(t, os.WriteFile(kept, before, 0o600))
			if out := ask("+tls-ca="+kept, "example.org", "SOA"); !strings.Contains(out, "hostmaster") {
				t.Errorf("while the new one cannot be used, the old one is not:\n%s", out)
			}
			replace(t, newerKey, key)
			m.until("the new certificate is used", func() bool { return strings.Contains(ask("example.org", "SOA"), "hostmaster") })
		})
	}
	m := newMachine(t)
	m.extra = []string{"--dot", coretest.Free(t).String(), "--dot-certificate", "/nowhere/dns.crt"}
	p := m.begin()
	m.until("a certificate that is not there is said", func() bool { return strings.Contains(p.said.String(), "/nowhere/dns.crt") })
	<-p.ended
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to+".new", b, 0o600))
	must(t, os.Rename(to+".new", to))
}
