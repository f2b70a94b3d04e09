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

	"hostward/internal/act"
	"hostward/internal/core/coretest"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
)

// listing is a primary that lists its zones in a catalog (RFC 9432).
type listing struct {
	*testing.T
	name  string // of the program
	port  string
	zones func(names ...string) // has it serve these
}

// serves reports whether it answers for a zone.
func (l *listing) serves(zone string) bool {
	l.Helper()
	out, err := exec.Command(tool(l.T, "dig"), "@127.0.0.1", "-p", l.port, "+norec", "+short", "+time=1", "+tries=1", zone, "SOA").Output()
	return err == nil && strings.Contains(string(out), "ns1.")
}

// zoneText is a small zone.
func zoneText(name string) string {
	return "$ORIGIN " + name + ".\n$TTL 300\n@ SOA ns1 h 1 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.80\n"
}

// knotListing makes the catalog itself.
func knotListing(t *testing.T, ours, key string) *listing {
	dir, port := t.TempDir(), strconv.Itoa(coretest.FreePort(t))
	config := func(names ...string) {
		text := fmt.Sprintf("server:\n  rundir: %q\n  listen: 127.0.0.1@%s\ndatabase:\n  storage: %q\n%sremote:\n  - id: ours\n    address: %s\n    key: transfer.example\n"+
			"acl:\n  - id: taken\n    address: 127.0.0.1\n    action: transfer\n    key: transfer.example\n"+
			"template:\n  - id: default\n    storage: %q\n    file: \"%%s.zone\"\n    notify: ours\n    acl: taken\n    catalog-role: member\n    catalog-zone: catalog.example\n"+
			"  - id: lists\n    notify: ours\n    acl: taken\nzone:\n  - domain: catalog.example\n    template: lists\n    catalog-role: generate\n",
			dir, port, dir, key, strings.Replace(ours, ":", "@", 1), dir)
		for _, n := range names {
			text += "  - domain: " + n + "\n"
			write(t, filepath.Join(dir, n+".zone"), zoneText(n))
		}
		write(t, filepath.Join(dir, "conf"), text)
	}
	config("a.example", "b.example")
	begin(t, tool(t, "knotd"), "-c", filepath.Join(dir, "conf"))
	return &listing{t, "knot", port, func(names ...string) {
		config(names...)
		if out, err := exec.Command(tool(t, "knotc"), "-c", filepath.Join(dir, "conf"), "reload").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}}
}

// bindListing has its catalog written by hand.
func bindListing(t *testing.T, ours, key string) *listing {
	dir, port, control := t.TempDir(), strconv.Itoa(coretest.FreePort(t)), strconv.Itoa(coretest.FreePort(t))
	serial := 0
	at, ourPort, _ := strings.Cut(ours, ":")
	rndc := "key rndc { algorithm hmac-sha256; secret \"bm90aGluZyBzZWNyZXQgaGVyZSwganVzdCBhIHRlc3Q=\"; };\n"
	config := func(names ...string) {
		serial++
		list := fmt.Sprintf("$ORIGIN catalog.example.\n@ 0 SOA invalid. invalid. %d 60 60 1209600 0\n@ 0 NS invalid.\nversion 0 TXT \"2\"\n", serial)
		text := rndc + key + fmt.Sprintf("options { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file none; dnssec-validation no; notify explicit;\n"+
			"also-notify { %s port %s key transfer.example; }; allow-transfer { key transfer.example; }; };\n"+
			"controls { inet 127.0.0.1 port %s allow { 127.0.0.1; } keys { rndc; }; };\n", dir, port, at, ourPort, control)
		for _, n := range append(names, "catalog.example") {
			text += fmt.Sprintf("zone %q { type primary; file \"%s.zone\"; };\n", n, n)
		}
		for i, n := range names {
			list += fmt.Sprintf("m%d-%s.zones 0 PTR %s.\n", i, strings.ReplaceAll(n, ".", "-"), n)
			write(t, filepath.Join(dir, n+".zone"), zoneText(n))
		}
		write(t, filepath.Join(dir, "catalog.example.zone"), list)
		write(t, filepath.Join(dir, "conf"), text)
		write(t, filepath.Join(dir, "rndc"), rndc+fmt.Sprintf("options { default-key rndc; default-server 127.0.0.1; default-port %s; };\n", control))
	}
	config("a.example", "b.example")
	begin(t, tool(t, "named"), "-g", "-c", filepath.Join(dir, "conf"))
	return &listing{t, "bind", port, func(names ...string) {
		config(names...)
		if out, err := exec.Command(tool(t, "rndc"), "-c", filepath.Join(dir, "rndc"), "reload").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// begin runs a program until the test ends.
func begin(t *testing.T, program string, args ...string) {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", program, b)
		}
		_ = said.Close()
	})
}

// TestACatalogOfAnotherMakeIsFollowed adds and removes zones at a primary and looks
// whether they come and go here, by NOTIFY alone.
func TestACatalogOfAnotherMakeIsFollowed(t *testing.T) {
	for name, start := range map[string]func(*testing.T, string, string) *listing{"knot": knotListing, "bind": bindListing} {
		t.Run(name, func(t *testing.T) {
			h := newHosting(t)
			made := fields(h.must("tsig.create", map[string]any{"name": "transfer.example"}))
			primary := start(t, h.DNSHere.Addrs()[0].String(), made[name].(string))
			h.must("zone.create", map[string]any{"name": "taken.example"})
			fetch := map[string]any{"name": "catalog.example", "primaries": []string{"127.0.0.1:" + primary.port}, "key": "transfer.example", "follow": true, "catalog": true}
			h.until("the primary gives its catalog", func() bool {
				_, err := h.Bus.Do(t.Context(), act.Call{Op: "zone.fetch", Actor: console, Input: raw(fetch)})
				return err == nil
			})
			h.until("its zones are served", func() bool { return h.serves("a.example") && h.serves("b.example") })
			if h.serves("catalog.example") {
				t.Error("the catalog itself is served")
			}
			a := h.seen("a.example")

			primary.zones("b.example", "c.example", "taken.example")
			h.until("what came there is served, what went is not", func() bool { return h.serves("c.example") && h.serves("b.example") && !h.serves("a.example") })
			h.until("what could not be taken is said", func() bool {
				u := h.seen("catalog.example").Untaken
				return len(u) == 1 && u[0].Zone == "taken.example" && strings.Contains(u[0].Why, "taken.example")
			})
			if c := h.seen("catalog.example"); c.Taken != 2 {
				t.Errorf("%d zones were taken, want 2", c.Taken)
			}
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			primary.zones("a.example", "b.example")
			h.until("the primary has what it lists", func() bool { return primary.serves("a.example") })
			h.open()
			h.until("after a restart it is as the catalog says by then", func() bool { return h.serves("a.example") && h.serves("b.example") && !h.serves("c.example") })
			if now := h.seen("a.example"); now.ID == a.ID {
				t.Error("a zone that was dropped and is listed anew is the old one")
			}
			h.must("zone.delete", map[string]any{"zone": "catalog.example"})
			primary.zones("b.example")
			h.must("zone.delete", map[string]any{"zone": "a.example"})
			h.until("without its catalog a zone can be deleted", func() bool { return !h.serves("a.example") })
			if !h.serves("b.example") {
				t.Error("with its catalog a zone went")
			}
		})
	}
}

// serves reports whether the nameserver has a zone.
func (h *hosting) serves(name string) bool {
	_, version, err := h.Answers.Sets(h.Context(), rr.Name(name+"."))
	return err == nil && version > 0
}

// zone is what the panel says of a zone.
func (h *hosting) seen(name string) zone.Shown {
	h.Helper()
	r, err := h.Bus.Do(h.Context(), act.Call{Op: "zone.show", Actor: console, Input: raw(map[string]any{"zone": name})})
	if err != nil {
		h.Fatal(err)
	}
	return r.Output.(zone.Shown)
}

// TestASecondaryRemembersWhenItsPrimaryWasLastThere stops the primary and starts the
// panel anew, long after: what it had is expired.
func TestASecondaryRemembersWhenItsPrimaryWasLastThere(t *testing.T) {
	h, primary, _ := following(t)
	h.until("it is served", func() bool { return h.serves("followed.example") })
	id := h.seen("followed.example").ID
	primary.stop()
	again := func(last time.Time) {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(h.dir, "secondaries.json")
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), id) {
			t.Fatalf("%s, %v", b, err)
		}
		write(t, path, fmt.Sprintf("{%q: %q}", id, last.UTC().Format(time.RFC3339)))
		h.open()
	}
	again(time.Now().Add(-13 * 24 * time.Hour)) // it expires after 14 days
	h.until("it is served without its primary", func() bool { return h.serves("followed.example") })
	again(time.Now().Add(-15 * 24 * time.Hour))
	h.until("it is served no more", func() bool { return !h.serves("followed.example") })
}
