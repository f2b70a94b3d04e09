package house_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hostward/internal/core/coretest"
	"hostward/internal/rr"
)

// nsupdate sends an update and returns what the program says.
func (h *hosting) nsupdate(key string, lines ...string) string {
	h.Helper()
	at := h.DNSHere.Addrs()[0]
	c := exec.Command(tool(h.T, "nsupdate"), "-t", "20", "-y", key)
	c.Stdin = strings.NewReader(fmt.Sprintf("server %s %d\n%s\nsend\n", at.Addr(), at.Port(), strings.Join(lines, "\n")))
	out, err := c.CombinedOutput()
	if err != nil && len(out) == 0 {
		h.Fatal(err)
	}
	return string(out)
}

// has reports whether a record is served, once the newest version is.
func (h *hosting) has(name, typ, data string) bool {
	h.Helper()
	for _, s := range h.served(h.version()) {
		if s.Name == rr.Name(name) && s.Type == typ && strings.Contains(strings.Join(s.Data, "\n"), data) {
			return true
		}
	}
	return false
}

func TestNsupdateChangesWhatItsKeyMay(t *testing.T) {
	h := newHosting(t)
	h.must("zone.sign", map[string]any{"zone": h.zone})
	made := fields(h.must("tsig.create", map[string]any{"name": "acme.signed.example"}))
	key := made["dig"].(string)
	challenge := "update add _acme-challenge.www.signed.example. 60 TXT \"token\""
	if out := h.nsupdate(key, challenge); !strings.Contains(out, "REFUSED") {
		t.Errorf("before anything is allowed: %q", out)
	}
	h.must("tsig.allow", map[string]any{"key": made["id"], "zone": h.zone, "match": "subtree", "name": "_acme-challenge.www", "types": []string{"TXT"}})
	if out := h.nsupdate(key, challenge); out != "" {
		t.Errorf("what is allowed: %q", out)
	}
	if !h.has("_acme-challenge.www.signed.example.", "TXT", "token") {
		t.Error("it is not served")
	}
	h.validates()
	for what, try := range map[string]struct {
		key, want string
		lines     []string
	}{
		"another name":             {key, "REFUSED", []string{"update add www.signed.example. 60 TXT \"x\""}},
		"another type":             {key, "REFUSED", []string{"update add _acme-challenge.www.signed.example. 60 CAA 0 issue ca.example"}},
		"a zone that is elsewhere": {key, "NOTAUTH", []string{"zone other.example", "update add _acme-challenge.other.example. 60 TXT \"x\""}},
		"a wrong secret":           {strings.TrimSuffix(key, "=") + "A=", "", []string{challenge}},
		"an unknown key":           {"hmac-sha256:nobody.example:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "NOTAUTH", []string{challenge}},
		"a condition that fails":   {key, "YXRRSET", []string{"prereq nxrrset _acme-challenge.www.signed.example. TXT", "update add _acme-challenge.www.signed.example. 60 TXT \"second\""}},
	} {
		out := h.nsupdate(try.key, try.lines...)
		if out == "" || !strings.Contains(out, try.want) {
			t.Errorf("%s: %q, want %s", what, out, try.want)
		}
	}
	if out := h.nsupdate(key, "update delete _acme-challenge.www.signed.example. TXT"); out != "" {
		t.Errorf("taking it away: %q", out)
	}
	if h.has("_acme-challenge.www.signed.example.", "TXT", "token") {
		t.Error("it is still served")
	}
	list := fmt.Sprint(h.must("log.list", map[string]any{"action": []string{"zone.update"}}))
	if !strings.Contains(list, "acme.signed.example") {
		t.Errorf("the log does not say whose key it was: %s", list)
	}
}

func TestASecondaryIsFedByTheWholeHouse(t *testing.T) {
	h := newHosting(t)
	h.must("zone.sign", map[string]any{"zone": h.zone})
	made := fields(h.must("tsig.create", map[string]any{"name": "transfer.example"}))
	dir := t.TempDir()
	port := strconv.Itoa(coretest.FreePort(t))
	h.must("peer.add", map[string]any{"name": "second", "key": "transfer.example", "notify": []string{"127.0.0.1:" + port}})
	config := fmt.Sprintf("server:\n  rundir: %q\n  listen: 127.0.0.1@%s\ndatabase:\n  storage: %q\n%sremote:\n  - id: ours\n    address: 127.0.0.1@%d\n    key: transfer.example\n"+
		"acl:\n  - id: told\n    address: 127.0.0.1\n    action: notify\n    key: transfer.example\nzone:\n  - domain: signed.example\n    storage: %q\n    master: ours\n    acl: told\n",
		dir, port, dir, made["knot"], h.DNSHere.Addrs()[0].Port(), dir)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	knot := exec.Command(tool(t, "knotd"), "-c", filepath.Join(dir, "conf"))
	if err := knot.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = knot.Process.Kill(); _ = knot.Wait() })
	follows := func() {
		t.Helper()
		serial := fmt.Sprint(fields(h.must("zone.show", map[string]any{"zone": h.zone}))["serial"])
		for deadline := time.Now().Add(generous); ; time.Sleep(20 * time.Millisecond) { // between two looks
			out, _ := exec.Command(tool(t, "dig"), "@127.0.0.1", "-p", port, "+short", "signed.example", "SOA").CombinedOutput()
			if strings.Contains(string(out), " "+serial+" ") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the secondary has %q, want serial %s; %v", out, serial, h.must("peer.list", nil))
			}
		}
	}
	follows()
	for i := range 3 {
		h.must("zone.record.add", map[string]any{"zone": h.zone, "name": fmt.Sprintf("n%d", i), "type": "A", "data": "192.0.2.90"})
		follows()
	}
	h.validates()
}
