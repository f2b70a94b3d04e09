package house_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// knot is a primary that signs its zone.
type knot struct {
	*testing.T
	dir, port string
	cmd       *exec.Cmd
}

func newKnot(t *testing.T, ours, key string) *knot {
	t.Helper()
	k := &knot{T: t, dir: t.TempDir(), port: strconv.Itoa(coretest.FreePort(t))}
	k.write("conf", fmt.Sprintf("server:\n  rundir: %q\n  listen: 127.0.0.1@%s\ndatabase:\n  storage: %q\n%sremote:\n  - id: ours\n    address: %s\n    key: transfer.example\n"+
		"acl:\n  - id: taken\n    address: 127.0.0.1\n    action: transfer\n    key: transfer.example\npolicy:\n  - id: auto\n    algorithm: ecdsap256sha256\n"+
		"zone:\n  - domain: followed.example\n    storage: %q\n    file: zone\n    notify: ours\n    acl: taken\n    dnssec-signing: on\n    dnssec-policy: auto\n    zonefile-sync: -1\n    zonefile-load: difference-no-serial\n    journal-content: all\n",
		k.dir, k.port, k.dir, key, strings.Replace(ours, ":", "@", 1), k.dir))
	k.publish("www A 192.0.2.1")
	k.start()
	return k
}

func (k *knot) write(name, text string) {
	k.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.Fatal(err)
	}
}

func (k *knot) publish(lines ...string) {
	k.write("zone", "$ORIGIN followed.example.\n$TTL 300\n@ SOA ns1 h 1 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"+strings.Join(lines, "\n")+"\n")
}

func (k *knot) start() {
	k.Helper()
	k.cmd = exec.Command(tool(k.T, "knotd"), "-c", filepath.Join(k.dir, "conf"))
	if err := k.cmd.Start(); err != nil {
		k.Fatal(err)
	}
	cmd := k.cmd
	k.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

func (k *knot) stop() { _ = k.cmd.Process.Kill(); _ = k.cmd.Wait() }

func (k *knot) reload() {
	k.Helper()
	if out, err := exec.Command(tool(k.T, "knotc"), "-c", filepath.Join(k.dir, "conf"), "zone-reload", "followed.example").CombinedOutput(); err != nil {
		k.Fatalf("%v: %s", err, out)
	}
}

// following is a house that follows a zone of Knot's, and the key between the two as dig
// takes it.
func following(t *testing.T) (h *hosting, primary *knot, key string) {
	h = newHosting(t)
	made := fields(h.must("tsig.create", map[string]any{"name": "transfer.example"}))
	primary = newKnot(t, h.DNSHere.Addrs()[0].String(), made["knot"].(string))
	fetch := map[string]any{"name": "followed.example", "primaries": []string{"127.0.0.1:" + primary.port}, "key": "transfer.example", "follow": true}
	h.until("the primary gives the zone", func() bool {
		_, err := h.Bus.Do(t.Context(), act.Call{Op: "zone.fetch", Actor: console, Input: raw(fetch)})
		return err == nil
	})
	return h, primary, made["dig"].(string)
}

func TestAZoneFollowsAPrimaryOfAnotherMake(t *testing.T) {
	h, primary, key := following(t)
	has := func(name, typ, data string) func() bool {
		return func() bool {
			sets, _, err := h.Answers.Sets(t.Context(), "followed.example.")
			for _, s := range sets {
				if err == nil && s.Name == rr.Name(name) && s.Type == typ && strings.Contains(strings.Join(s.Data, "\n"), data) {
					return true
				}
			}
			return false
		}
	}
	h.until("it is served, signed by the primary", has("www.followed.example.", "RRSIG", "A 13"))
	_, err := h.Bus.Do(t.Context(), act.Call{Op: "zone.record.add", Actor: console, Input: raw(map[string]any{"zone": "followed.example", "name": "x", "type": "A", "data": "192.0.2.9"})})
	if core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "follows") {
		t.Errorf("it was edited: %v", err)
	}
	for i := range 3 {
		primary.publish("www A 192.0.2.1", fmt.Sprintf("n%d A 192.0.2.7", i))
		primary.reload()
		h.until("what changed there is served here", has(fmt.Sprintf("n%d.followed.example.", i), "A", "192.0.2.7"))
	}
	h.until("all of it is as it is there", func() bool {
		return reflect.DeepEqual(h.transferred(primary.port, key), h.lines("followed.example."))
	})

	primary.stop()
	if !has("n2.followed.example.", "A", "192.0.2.7")() {
		t.Error("with the primary gone, the zone is gone")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.until("it is served after a restart, without the primary", has("n2.followed.example.", "A", "192.0.2.7"))
	h.must("zone.unfollow", map[string]any{"zone": "followed.example"})
	h.must("zone.record.add", map[string]any{"zone": "followed.example", "name": "own", "type": "A", "data": "192.0.2.9"})
	h.until("it is one's own", has("own.followed.example.", "A", "192.0.2.9"))
	if has("www.followed.example.", "RRSIG", "")() {
		t.Error("signatures of the primary are still served")
	}
	if list := fmt.Sprint(h.must("log.list", map[string]any{"action": []string{"zone.receive"}})); !strings.Contains(list, "zone.receive") {
		t.Errorf("the log says nothing of what was received: %s", list)
	}
}

func (h *hosting) until(what string, ok func() bool) {
	h.Helper()
	for deadline := time.Now().Add(generous); !ok(); time.Sleep(20 * time.Millisecond) { // between two looks
		if time.Now().After(deadline) {
			h.Fatalf("in vain: %s", what)
		}
	}
}

// transferred is the zone as the primary gives it to others.
func (h *hosting) transferred(port, key string) map[string]bool {
	h.Helper()
	out, _ := exec.Command(tool(h.T, "dig"), "@127.0.0.1", "-p", port, "-y", key, "+noall", "+answer", "+onesoa", "followed.example", "AXFR").CombinedOutput()
	all := map[string]bool{}
	for line := range strings.SplitSeq(string(out), "\n") {
		if f := strings.Fields(line); len(f) > 4 && !strings.HasPrefix(line, ";") && f[3] != "TYPE65534" {
			all[strings.ToLower(strings.Join(f, ""))] = true
		}
	}
	return all
}

// lines is the zone as it is served here.
func (h *hosting) lines(zone rr.Name) map[string]bool {
	h.Helper()
	sets, _, err := h.Answers.Sets(h.Context(), zone)
	all := map[string]bool{}
	if err != nil {
		return all
	}
	for _, s := range sign.Stored(sets) {
		for _, r := range s.Records() {
			all[strings.ToLower(strings.Join(strings.Fields(r.String()), ""))] = true
		}
	}
	return all
}
