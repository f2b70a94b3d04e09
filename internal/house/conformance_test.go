package house_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/adapter/breach"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
	"hostward/internal/store/storetest"
)

// Every operation of the registry is held against what the door promises of
// each. The table of cases is the registry itself: an operation that is added
// is tested without anybody listing it. What needs a world of its own to
// succeed in says so in settings; what cannot be tried here says why in untried.

// setting is what an operation needs to succeed: an input, and who calls when
// it cannot be the administrator.
type setting struct {
	in map[string]any
	by *person
}

// settings put the world into the state an operation needs. Everything else
// gets its sample, with the names of real objects in it.
var settings = map[string]func(w *world, s *setting){
	"account.create": func(w *world, s *setting) { s.in["login"] = w.unique("login") },
	"account.enable": func(w *world, s *setting) {
		w.must(console, "account.disable", map[string]any{"account": s.in["account"]})
	},
	"login.claim": func(w *world, s *setting) {
		s.in = map[string]any{"token": w.link(w.customer().ID), "password": w.phrase()}
	},
	"login.enter": func(w *world, s *setting) {
		p := w.customer()
		s.in = map[string]any{"login": p.login, "password": p.password}
	},
	"password.change": func(w *world, s *setting) {
		s.by = w.guest()
		s.in = map[string]any{"old_password": s.by.password, "new_password": w.phrase()}
	},
	"session.end":    func(w *world, s *setting) { s.by = w.guest() },
	"session.list":   func(w *world, s *setting) { s.in["account"] = w.people["customer"].ID },
	"device.list":    func(w *world, s *setting) { s.in["account"] = w.people["customer"].ID },
	"factor.list":    func(w *world, s *setting) { s.in["account"] = w.people["customer"].ID },
	"session.clear":  func(w *world, s *setting) { s.in["account"] = w.guest().ID },
	"session.act":    func(w *world, s *setting) { s.by, s.in["account"] = w.agency() },
	"session.leave":  func(w *world, s *setting) { s.by = w.acting() },
	"session.prove":  func(w *world, s *setting) { s.by = w.guest(); s.in = map[string]any{"code": s.by.code()} },
	"token.list":     func(w *world, s *setting) { s.in["account"] = w.people["customer"].ID },
	"token.create":   func(w *world, s *setting) { s.in["account"] = w.people["administrator"].ID },
	"totp.begin":     func(w *world, s *setting) { s.by = w.guest() },
	"totp.remove":    func(w *world, s *setting) { s.by = w.guest() },
	"recovery.renew": func(w *world, s *setting) { s.by = w.guest() },
	"totp.confirm": func(w *world, s *setting) {
		s.by = w.guest()
		seed := revealed(w.must(s.by.Actor, "totp.begin", nil).Output, "Secret")
		s.in["code"] = accounttest.Code(seed, w.now())
	},
	"login.challenge": func(_ *world, s *setting) {
		a := nobody
		a.Host = "panel.example"
		s.by = &person{Actor: a}
	},
	"login.factor": func(w *world, s *setting) {
		s.by = w.guest()
		s.in = map[string]any{"code": s.by.code()}
		s.by.cookie, _ = w.session(s.by)
		s.by.Actor = w.inside(s.by.cookie)
	},
	"login.link": func(w *world, s *setting) {
		s.by = w.guest()
		s.in = map[string]any{"token": tokenOf(revealed(w.must(console, "factor.reset", map[string]any{"account": s.by.ID, "how": "called back"}).Output, "Link"))}
		s.by.cookie, _ = w.session(s.by)
		s.by.Actor = w.inside(s.by.cookie)
	},
	"factor.reset":   func(w *world, s *setting) { s.in["account"] = w.guest().ID },
	"notice.dismiss": func(w *world, s *setting) { s.by, s.in["notice"] = w.told() },
	"access.add":     func(w *world, s *setting) { s.in["networks"] = w.address() },
	"access.load":    func(w *world, s *setting) { s.in["file"] = w.address() + " # office\n" },
	"access.remove": func(w *world, s *setting) {
		s.in = map[string]any{"networks": w.address(), "list": "only-listed"}
		w.must(console, "access.add", s.in)
	},
	"access.mode": func(w *world, s *setting) {
		w.must(console, "access.add", map[string]any{"networks": "0.0.0.0/0, ::/0", "list": "only-listed"})
		w.must(console, "access.mode", map[string]any{"mode": "only-listed"})
		s.in = map[string]any{"mode": "all-but-listed"}
	},
	"access.reset": func(w *world, s *setting) {
		w.must(console, "access.add", map[string]any{"networks": w.address(), "list": "all-but-listed"})
		s.by = &person{Actor: console}
	},
	"password.blocklist.adopt": func(w *world, s *setting) {
		s.in["file"] = w.blocklist()
		s.by = &person{Actor: console}
	},
	"password.policy.set": func(w *world, s *setting) {
		w.must(console, "password.policy.set", map[string]any{"level": "medium"})
		s.in["level"] = "strong"
	},
	"mfa.set": func(w *world, s *setting) {
		w.must(console, "mfa.set", map[string]any{"group": "resellers", "required": true, "grace": 20})
		s.in = map[string]any{"group": "resellers", "required": true, "grace": 30}
	},
	"limits.set": func(w *world, s *setting) {
		s.in["failures"] = 11
		w.must(console, "limits.set", s.in)
		s.in["failures"] = 12
	},
	"handler.set": func(w *world, s *setting) {
		w.must(console, "handler.set", map[string]any{"handlers": "allowed", "rewriting": "allowed"})
		s.in = map[string]any{"handlers": "forbidden", "rewriting": "forbidden"}
	},
	"handler.exception.add": func(w *world, s *setting) { s.in["folder"] = "/var/www/" + w.unique("zone") },
	"handler.exception.remove": func(w *world, s *setting) {
		s.in["folder"] = "/var/www/" + w.unique("zone")
		w.must(console, "handler.exception.add", s.in)
	},
	"secret.note": func(w *world, s *setting) { s.in["purpose"], s.in["values"] = "test", w.made },
	"zone.create": func(w *world, s *setting) { s.in["name"] = w.unique("zone") + ".example" },
	"zone.import": func(w *world, s *setting) {
		s.in = map[string]any{"file": zoneFile(w.unique("zone") + ".example"), "replace": false}
	},
	"zone.record.add":    func(w *world, s *setting) { s.in["name"], s.in["type"], s.in["data"] = "new", "A", "192.0.2.81" },
	"zone.record.remove": func(w *world, s *setting) { s.in["name"], s.in["type"], s.in["data"] = "www", "A", "192.0.2.80" },
	"zone.edit": func(w *world, s *setting) {
		s.in["changes"] = []any{map[string]any{"action": "add", "name": "new", "type": "A", "data": "192.0.2.81"}, map[string]any{"action": "remove", "name": "www", "type": "A"}}
	},
	"tsig.create": func(w *world, s *setting) {
		s.in = map[string]any{"name": w.unique("key") + ".example"}
		s.by = w.people["administrator"]
	},
	"tsig.delete": func(w *world, s *setting) { s.in["key"] = w.tsig() },
	"tsig.allow":  func(w *world, s *setting) { s.in["key"] = w.tsig() },
	"tsig.forbid": func(w *world, s *setting) {
		s.in["key"] = w.tsig()
		w.must(console, "tsig.allow", map[string]any{"key": s.in["key"], "zone": s.in["zone"]})
	},
	"ban.add": func(w *world, s *setting) { s.in["address"] = w.address() },
	"ban.settle": func(w *world, s *setting) {
		s.in["ban"] = fields(w.must(console, "ban.add", map[string]any{"address": w.address()}).Output)["id"]
	},
	"ban.engine.choose": func(w *world, s *setting) {
		w.must(console, "ban.engine.choose", map[string]any{"engine": "watch"})
	},
	"ban.policy.set": func(w *world, s *setting) {
		w.must(console, "ban.policy.set", map[string]any{"again": "no"})
	},
	"jail.set": func(w *world, s *setting) {
		before := maps.Clone(s.in)
		before["state"] = "off"
		w.must(console, "jail.set", before)
	},
	"ban.trust.add": func(w *world, s *setting) { s.in["networks"] = w.address() },
	"ban.trust.remove": func(w *world, s *setting) {
		s.in["networks"] = w.address()
		w.must(console, "ban.trust.add", map[string]any{"networks": s.in["networks"]})
	},
	"peer.add": func(w *world, s *setting) { s.in["name"] = w.unique("key") + ".example" },
	"peer.remove": func(w *world, s *setting) {
		s.in["peer"] = fields(w.must(console, "peer.add", map[string]any{"name": w.unique("key") + ".example", "addresses": []string{"192.0.2.53"}}).Output)["id"]
	},
	"clock.source.add": func(w *world, s *setting) { s.in["name"] = w.source() },
	"clock.source.remove": func(w *world, s *setting) {
		s.in["name"] = w.source()
		w.must(console, "clock.source.add", s.in)
	},
	"clock.setting.change": func(w *world, s *setting) {
		w.must(console, "clock.setting.change", map[string]any{"min_sources": 2, "bound": 100})
	},
	"zone.update": func(w *world, s *setting) {
		id := w.zone()
		name := fields(w.must(console, "zone.show", map[string]any{"zone": id}).Output)["name"].(string) + "."
		key := w.tsig()
		w.must(console, "tsig.allow", map[string]any{"key": key, "zone": id})
		for _, k := range fields(w.must(console, "tsig.list", nil).Output)["keys"].([]any) {
			if k := k.(map[string]any); k["id"] == key {
				s.in["key"] = k["name"]
			}
		}
		s.in["zone"], s.in["update"] = id, `{"zone":"`+name+`","then":[{"kind":"add","name":"new.`+name+`","type":"A","ttl":60,"data":"192.0.2.7"}]}`
	},
	"zone.default.set": func(w *world, s *setting) {
		s.by = w.people["administrator"]
		s.in = map[string]any{"sign": "yes", "owner": w.guest().ID} // nobody else's zones are signed by it
	},
	"zone.undelete": func(w *world, s *setting) {
		s.in["zone"] = w.zone()
		w.must(console, "zone.delete", map[string]any{"zone": s.in["zone"]})
	},
	"zone.sign":     func(w *world, s *setting) { s.in = map[string]any{"zone": w.zone()} },
	"zone.unsign":   func(w *world, s *setting) { s.in["zone"] = w.signed() },
	"zone.resign":   func(w *world, s *setting) { s.in["zone"] = w.signed() },
	"zone.key.roll": func(w *world, s *setting) { s.in["zone"] = w.signed() },
	"zone.key.turn": func(w *world, s *setting) { s.in["zone"] = w.signed() },
	"log.complete":  func(w *world, s *setting) { s.in["object"] = "zone:" + w.zone() },
	"firewall.service.set": func(w *world, s *setting) {
		w.must(console, "firewall.service.set", map[string]any{"service": s.in["service"], "to": w.address()})
		s.in["to"] = w.address()
	},
	"firewall.rule.remove": func(w *world, s *setting) { w.noRules(); s.in["rule"] = w.rule() },
	"firewall.rule.move": func(w *world, s *setting) {
		w.noRules()
		s.in["rule"] = w.rule()
		w.rule()
	},
	"firewall.rule.add": func(w *world, _ *setting) { w.noRules() },
	"firewall.set.put": func(w *world, s *setting) {
		w.must(console, "firewall.set.put", map[string]any{"set": s.in["set"], "networks": w.address()})
		s.in["networks"] = w.address()
	},
	"firewall.set.load": func(w *world, s *setting) {
		w.must(console, "firewall.set.put", map[string]any{"set": s.in["set"], "networks": w.address()})
		s.in["file"] = w.address() + "\n"
	},
	"firewall.set.show":   func(w *world, s *setting) { s.in["set"] = w.networks() },
	"firewall.set.delete": func(w *world, s *setting) { s.in["set"] = w.networks() },
	"firewall.setting.change": func(w *world, s *setting) {
		w.must(console, "firewall.setting.change", map[string]any{"containers": "closed"})
		s.in = map[string]any{"containers": "none"}
	},
	"policy.set": func(w *world, s *setting) {
		w.must(console, "policy.set", map[string]any{"name": s.in["name"], "value": w.network()})
		s.in["value"] = w.network()
	},
}

// rule is one of the firewall's.
func (w *world) rule() string {
	return fields(w.must(console, "firewall.rule.add", map[string]any{"direction": "input", "action": "accept", "protocol": "tcp", "ports": "9100"}).Output)["id"].(string)
}

// noRules removes all of them, so that places are the same each time.
func (w *world) noRules() {
	for _, r := range fields(w.must(console, "firewall.show", nil).Output)["rules"].([]any) {
		w.must(console, "firewall.rule.remove", map[string]any{"rule": r.(map[string]any)["id"]})
	}
}

// networks is a set of the firewall's.
func (w *world) networks() string {
	name := w.unique("zone")
	w.must(console, "firewall.set.put", map[string]any{"set": name, "networks": w.address()})
	return name
}

// agency is a reseller and a customer of his.
func (w *world) agency() (*person, string) {
	reseller := w.join("reseller", core.Provider)
	w.enter(reseller.login, reseller)
	delete(w.people, reseller.login)
	return reseller, w.join("customer", reseller.ID).ID
}

// acting is a reseller who acts as his customer.
func (w *world) acting() *person {
	p, customer := w.agency()
	out := w.must(p.Actor, "session.act", map[string]any{"account": customer, "why": "he asked for help"}).Output.(login.Acting)
	token, _ := out.OpensSession()
	p.cookie = token.Reveal()
	p.Actor = w.inside(p.cookie)
	w.given = append(w.given, p.cookie)
	return p
}

// told is somebody with a notice.
func (w *world) told() (*person, string) {
	p := w.guest()
	r := w.must(console, "account.update", map[string]any{"account": p.ID, "email": w.unique("login") + "@example.org"})
	for _, e := range r.Changes {
		if e.Name == "notice.told" {
			return p, e.Object.ID
		}
	}
	w.Fatal("a new e-mail address told nobody")
	return nil, ""
}

// blocklist is a filter of breached passwords in the data folder.
func (w *world) blocklist() string {
	w.made++
	name := fmt.Sprintf("list-%d.fuse", w.made)
	if err := os.MkdirAll(filepath.Join(w.data, "blocklist"), 0o700); err != nil {
		w.Fatal(err)
	}
	lines := fmt.Sprintf("%040X:3\n", w.made)
	if _, err := breach.Build(w.Context(), strings.NewReader(lines), filepath.Join(w.data, "blocklist", name), breach.Options{}); err != nil {
		w.Fatal(err)
	}
	return name
}

func (w *world) address() string {
	w.made++
	return fmt.Sprintf("10.9.%d.%d", w.made>>8&255, w.made&255)
}

// tokenOf is the token of a link.
func tokenOf(link string) string {
	_, t, _ := strings.Cut(link, "#token=")
	return t
}

// network is a value that the sample's key of panel.ini did not have.
func (w *world) network() string {
	w.made++
	return fmt.Sprintf("127.0.0.1, 192.0.2.%d", w.made%250)
}

// untried cannot succeed here, with the reason. Everything but success is tried.
var untried = map[string]string{
	"zone.fetch":      "wants another nameserver: secondary_test.go runs one",
	"zone.unfollow":   "wants another nameserver: secondary_test.go runs one",
	"zone.receive":    "wants another nameserver: secondary_test.go runs one",
	"zone.enlist":     "wants another nameserver: catalog_test.go runs one",
	"zone.delist":     "wants another nameserver: catalog_test.go runs one",
	"control.confirm": "wants an order that waits: control_linux_test.go runs an agent",
	"control.revert":  "wants an order that waits: the tests of the agent have one",
	"control.release": "wants a control that was ordered: control_linux_test.go runs an agent",
	"ban.test":        "wants a ban engine: bans_linux_test.go has one",
	"login.setup":     "works once, before there is an administrator: newcomer_test.go claims a real link",
	"admin.init":      "works once, before there is an administrator: each world begins with it",
	"login.offer":     "works only before there is an administrator: newcomer_test.go reads the link it makes",
	"login.forgot":    "wants a mail server: mail_test.go has one",
	"letter.settle":   "wants a letter that waits: mail_test.go has one",
	"login.passkey":   "wants a browser that answers: passkey_test.go has one",
	"passkey.add":     "wants a browser that answers: passkey_test.go has one",
	"passkey.remove":  "wants a passkey that a browser made: passkey_test.go has one",
}

// apart are operations that find nothing to do here, or would end what the other
// cases stand on, with where they are tried.
var apart = map[string]string{
	"control.apply":      "gives each order the next number: control_linux_test.go orders several",
	"firewall.propose":   "wants an agent that has looked at the machine: the tests of the feature have one",
	"session.purge":      "ends everybody's sessions: doors_test.go has its own house",
	"credential.enclose": "wants a password in plain text, which only an older database has: enclose_test.go makes one",
	"totp.enclose":       "wants a seed in plain text, which only an older database has: enclose_test.go makes one",
	"totp.reseal":        "wants a value that the keeper sealed again: secret_test.go rotates the keys",
	"zone.key.reseal":    "wants a value that the keeper sealed again: sign_test.go of the feature has one",
	"tsig.reseal":        "wants a value that the keeper sealed again: peer_test.go rotates the keys",
	"zone.signal.set":    "wants a zone that waits for its first DS: signal_test.go of the feature has one",
	"token.warn":         "wants a token that is about to end: the tests of the feature let time pass",
}

// objects make the object that a field of this name means.
var objects = map[string]func(w *world) string{
	"zone":    func(w *world) string { return w.zone() },
	"account": func(w *world) string { return w.customer().ID },
	"session": func(w *world) string { _, id := w.session(w.customer()); return id },
	"token": func(w *world) string {
		r := w.must(w.actor("customer"), "token.create", map[string]any{"name": "spare", "expires_in": 3, "scope": []string{"read"}})
		w.given = append(w.given, revealed(r.Output, "Token"))
		return fields(r.Output)["id"].(string)
	},
	"device": func(w *world) string {
		p := w.guest()
		return w.must(p.Actor, "device.list", nil).Output.(login.Devices).Devices[0].ID
	},
	"notice": func(w *world) string { _, id := w.told(); return id },
	"hold": func(w *world) string {
		return fields(w.must(console, "log.hold.add", map[string]any{"why": "a case for a court"}).Output)["id"].(string)
	},
	"job": func(w *world) string {
		r := w.must(act.SystemActor("test"), "job.start", map[string]any{"op": "test", "tenant": w.people["customer"].ID, "actor": "a"})
		return fields(r.Output)["job"].(string)
	},
}

func (w *world) phrase() string {
	p := password + w.unique("phrase")
	w.given = append(w.given, p)
	return p
}

func (w *world) customer() *person { return w.join("customer", w.people["reseller"].ID) }

// guest is a customer with a session of his own, for what ends it.
func (w *world) guest() *person {
	p := w.customer()
	name := p.login
	w.enter(name, p)
	delete(w.people, name)
	return p
}

// zone makes one for the customer, with a record.
func (w *world) zone() string {
	r := w.must(console, "zone.create", map[string]any{"name": w.unique("zone") + ".example", "owner": w.people["customer"].ID})
	id := fields(r.Output)["id"].(string)
	w.must(console, "zone.record.add", map[string]any{"zone": id, "name": "www", "type": "A", "data": "192.0.2.80"})
	return id
}

// tsig is a key of the customer's.
func (w *world) tsig() string {
	zone := w.must(console, "zone.show", map[string]any{"zone": w.zone()})
	name := "k." + fields(zone.Output)["name"].(string)
	r := w.must(w.actor("customer"), "tsig.create", map[string]any{"name": name})
	w.given = append(w.given, revealed(r.Output, "Secret"))
	return fields(r.Output)["id"].(string)
}

// source is the name of a source of time that there is not; those of other cases go.
func (w *world) source() string {
	for _, s := range fields(fields(w.must(console, "clock.show", nil).Output)["desired"])["sources"].([]any) {
		if name := fields(s)["name"].(string); strings.HasSuffix(name, ".example") {
			w.must(console, "clock.source.remove", map[string]any{"name": name})
		}
	}
	return w.unique("key") + ".example"
}

// signed is a zone that is signed.
func (w *world) signed() string {
	id := w.zone()
	w.must(console, "zone.sign", map[string]any{"zone": id})
	return id
}

func zoneFile(name string) string {
	return "$ORIGIN " + name + ".\n$TTL 3600\n@ SOA ns1 hostmaster 1 14400 3600 1209600 900\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.80\n"
}

// fit is an input with which the operation succeeds.
func (w *world) fit(op *act.Op) setting {
	s := setting{in: map[string]any{}}
	if err := json.Unmarshal(op.Sample(), &s.in); err != nil {
		w.Fatalf("%s: the sample is no JSON object: %v", op.Name, err)
	}
	for _, p := range op.Input {
		if make := objects[p.Name]; make != nil && p.Type == "string" && (p.Required || s.in[p.Name] != "") && op.Name != "session.end" {
			s.in[p.Name] = make(w)
		}
		if p.Type == "secret" && s.in[p.Name] == "(secret)" {
			s.in[p.Name] = w.phrase()
		}
	}
	if f := settings[op.Name]; f != nil {
		f(w, &s)
	}
	return s
}

// caller is who succeeds with it.
func (w *world) caller(op *act.Op, s setting) (act.Actor, *person) {
	if s.by != nil {
		return s.by.Actor, s.by
	}
	name, _ := w.someone(op.Roles)
	return w.actor(name), w.people[name]
}

// isChange reports an operation that may write.
func isChange(op *act.Op) bool { return op.Method == "change" }

// call calls by the operation's kind.
func (w *world) call(op *act.Op, c act.Call) (act.Result, error) {
	c.Op = op.Name
	if op.Method != "stream" {
		return w.Bus.Do(context.Background(), c)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	defer time.AfterFunc(time.Second, stop).Stop() // a tail of nothing never sends
	before := w.records()
	err := w.Bus.Stream(ctx, c, func(any) error { stop(); return nil })
	var r act.Result
	if leaves := w.since(before); len(leaves) > 0 {
		var l struct{ ID string }
		_ = json.Unmarshal([]byte(leaves[0]), &l)
		r.Record = l.ID
	}
	return r, err
}

func TestConformance(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		for _, part := range []struct {
			name string
			test func(*world, *act.Op)
		}{
			{"declaration", (*world).declared},
			{"roles", (*world).guarded},
			{"tenants", (*world).isolated},
			{"input", (*world).strict},
			{"questions", (*world).innocent},
			{"preview", (*world).foreseen},
			{"key", (*world).once},
			{"doors", (*world).alike},
			{"system", (*world).inner},
		} {
			t.Run(part.name, func(t *testing.T) {
				began := time.Now()
				for _, op := range w.Registry.Ops() {
					w.T = t
					part.test(w, op)
				}
				t.Logf("%v for %d operations", time.Since(began).Round(time.Millisecond), len(w.Registry.Ops()))
			})
		}
		w.T = t
		t.Run("secrets", func(t *testing.T) { w.T = t; w.secret() })
		w.T = t
		w.sound()
	})
}

// TestNoStaleExceptions wants each exception to be about an operation there is.
func TestNoStaleExceptions(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for _, name := range slices.Concat(slices.Collect(maps.Keys(settings)), slices.Collect(maps.Keys(untried)), slices.Collect(maps.Keys(apart)), slices.Collect(maps.Keys(elsewhereOnly))) {
		if _, ok := w.Registry.Op(name); !ok {
			t.Errorf("%s is in a table of exceptions, but there is no such operation", name)
		}
	}
	used := map[string]bool{}
	for _, op := range w.Registry.Ops() {
		for _, p := range op.Input {
			used[p.Name] = true
		}
	}
	for name := range objects {
		if !used[name] {
			t.Errorf("the table of objects has %s, which no operation takes", name)
		}
	}
	for name := range untried {
		op, _ := w.Registry.Op(name)
		s := w.fit(op)
		a, _ := w.caller(op, s)
		if _, err := w.call(op, act.Call{Actor: a, Input: raw(s.in), Confirmed: true}); err == nil {
			t.Errorf("%s is said to be untriable, but it succeeds", name)
		}
	}
}

var sentence = regexp.MustCompile(`^[A-Z][a-z]+ .*\.$|^[A-Z][a-z]+ [a-z]+\.$`)

// declared: the doc is an imperative sentence, the sample is one that the
// operation takes, the output can be shown.
func (w *world) declared(op *act.Op) {
	first, _, _ := strings.Cut(op.Doc, " ")
	if !sentence.MatchString(op.Doc) || strings.HasSuffix(first, "s") {
		w.Errorf("%s: the doc %q is not a sentence that begins with a verb in its base form", op.Name, op.Doc)
	}
	if !json.Valid(op.Sample()) {
		w.Errorf("%s: the sample is not JSON", op.Name)
	}
	if op.Method == "change" && op.Output == nil {
		w.Errorf("%s: no output type", op.Name)
	}
	// Input comes before right: whoever may not call it still learns that the
	// sample is valid.
	for _, p := range op.Input {
		if p.Type == "secret" { // a sample's secret is not in its JSON
			return
		}
	}
	name, ok := w.someone((act.Stranger | act.Readers) &^ op.Roles)
	if !ok {
		return
	}
	if _, err := w.call(op, act.Call{Actor: w.actor(name), Input: op.Sample(), Confirmed: true}); core.CodeOf(err) == core.Invalid {
		w.Errorf("%s: its own sample is not valid: %v", op.Name, err)
	}
}

// guarded: each role that is not declared is refused, and the record says so.
func (w *world) guarded(op *act.Op) {
	s := w.fit(op)
	for _, role := range []act.Role{act.Primary, act.Additional, act.Reseller, act.Customer, act.Auditor, act.Stranger} {
		if op.Roles&role != 0 {
			continue
		}
		name, _ := w.someone(role)
		a, before := w.actor(name), w.state()
		n := w.records()
		_, err := w.call(op, act.Call{Actor: a, Input: raw(s.in), Confirmed: true})
		want := core.Denied
		if role == act.Stranger {
			want = core.Unauthenticated
		}
		if core.CodeOf(err) != want {
			w.Errorf("%s as %s: %v, want %s", op.Name, role, err, want)
		}
		if diff := changed(before, w.state()); diff != nil {
			w.Errorf("%s as %s changed %v", op.Name, role, diff)
		}
		w.refusal(op, a, n, want)
	}
}

// leafOf is what the tests look at in a leaf.
type leafOf struct {
	ID, Action, Class, Door, Tenant, Reason, Outcome, Code string
	Actor                                                  struct{ Kind, ID string }
}

// refusal wants exactly one new record, which tells of a refusal.
func (w *world) refusal(op *act.Op, a act.Actor, before int, code core.Code) (l leafOf) {
	w.Helper()
	leaves := w.since(before)
	if len(leaves) != 1 {
		w.Errorf("%s: %d records of the refusal, want one: %.300s", op.Name, len(leaves), leaves)
		return l
	}
	if err := json.Unmarshal([]byte(leaves[0]), &l); err != nil {
		w.Fatal(err)
	}
	if l.Action != op.Name || l.Outcome != "refused" || l.Code != string(code) || l.Actor.ID != a.ID || l.Actor.Kind != a.Kind || l.Door != a.Door || l.Class != op.Class {
		w.Errorf("%s: the record does not tell of the refusal of %s %s: %s", op.Name, a.Kind, a.ID, leaves[0])
	}
	return l
}

// isolated: an object of another tenant looks like one that is not there, and
// the record says the truth (SPEC 1).
func (w *world) isolated(op *act.Op) {
	for _, name := range []string{"other customer", "other reseller"} {
		a := w.actor(name)
		if op.Roles&a.Role == 0 {
			continue
		}
		for _, p := range op.Input {
			if objects[p.Name] == nil || p.Type != "string" || !p.Required && p.Name != "account" { // else it only narrows a list
				continue
			}
			s := w.fit(op)
			id := objects[p.Name](w)
			s.in[p.Name] = id
			absent := maps.Clone(s.in)
			absent[p.Name] = id[:len(id)-4] + "0000"
			before, n := w.state(), w.records()
			_, err := w.call(op, act.Call{Actor: a, Input: raw(s.in), Confirmed: true})
			foreign := w.refusal(op, a, n, core.NotFound)
			n = w.records()
			_, err2 := w.call(op, act.Call{Actor: a, Input: raw(absent), Confirmed: true})
			missing := w.refusal(op, a, n, core.NotFound)
			if one, other := told(err, id), told(err2, absent[p.Name].(string)); one != other {
				w.Errorf("%s as %s: a foreign %s is told from an absent one: %q and %q", op.Name, name, p.Name, one, other)
			}
			if !strings.Contains(foreign.Reason, "another tenant") || strings.Contains(missing.Reason, "another tenant") {
				w.Errorf("%s as %s: the records do not tell the truth about the %s: %q and %q", op.Name, name, p.Name, foreign.Reason, missing.Reason)
			}
			if diff := changed(before, w.state()); diff != nil {
				w.Errorf("%s as %s changed %v", op.Name, name, diff)
			}
		}
	}
}

// told is what the caller reads, with the id taken out.
func told(err error, id string) string {
	if err == nil {
		return "success"
	}
	e := core.AsError(err)
	return string(e.Code) + ": " + strings.ReplaceAll(e.Sentence(), id, "ID")
}

// flaw is one way to break one field.
type flaw struct {
	name, field string
	input       []byte
}

const canary = "canary-4711-sings"

// strict: every field invalid in turn is refused by name, on record, with no effect.
func (w *world) strict(op *act.Op) {
	s := w.fit(op)
	if op.Roles&act.Stranger != 0 {
		w.pass(time.Minute) // strangers' failures beyond a number are counted, each minute anew
	}
	name, found := w.someone(op.Roles)
	before, n, calls := w.state(), w.records(), 0
	for _, f := range flaws(op.Input, s.in) {
		var a act.Actor
		if found {
			a = w.actor(name)
		} else {
			a, _ = w.caller(op, s) // somebody with a step left
		}
		_, err := w.call(op, act.Call{Actor: a, Input: f.input, Confirmed: true})
		calls++
		if core.CodeOf(err) != core.Invalid {
			w.Errorf("%s, %s %s: %v, want invalid", op.Name, f.field, f.name, err)
			continue
		}
		e := core.AsError(err)
		if strings.Contains(e.Error(), canary) {
			w.Errorf("%s, %s %s: the error shows the value of a secret: %v", op.Name, f.field, f.name, e)
		}
		if f.name == "broken UTF-8" { // it is not known where in such bytes a field is
			continue
		}
		if !slices.ContainsFunc(e.Faults, func(x core.Fault) bool {
			return x.Field == f.field || x.Field == "no_such_member" || strings.HasPrefix(x.Field, f.field+".")
		}) {
			w.Errorf("%s, %s %s: the error does not name the field: %v", op.Name, f.field, f.name, e)
		}
	}
	if diff := changed(before, w.state()); diff != nil {
		w.Errorf("%s: invalid input changed %v", op.Name, diff)
	}
	leaves := w.since(n)
	if len(leaves) != calls {
		w.Errorf("%s: %d records of %d invalid calls", op.Name, len(leaves), calls)
	}
	for _, l := range leaves {
		if !strings.Contains(l, `"outcome":"refused"`) || !strings.Contains(l, `"action":"`+op.Name+`"`) {
			w.Errorf("%s: not the record of a refusal: %s", op.Name, l)
		}
	}
}

// flaws breaks each field in turn.
func flaws(ps []act.Param, good map[string]any) (list []flaw) {
	with := func(field, name string, v any) {
		in := maps.Clone(good)
		in[field] = v
		list = append(list, flaw{name, field, raw(in)})
	}
	for _, p := range ps {
		most := p.Max
		if most == 0 {
			most = 4096
		}
		switch p.Type {
		case "string", "secret":
			bait := "plain"
			if p.Type == "secret" {
				bait = canary
			}
			with(p.Name, "too long", bait+strings.Repeat("x", most))
			with(p.Name, "with control characters", bait[:min(len(bait), most-1)]+"\x01")
			with(p.Name, "of the wrong type", 4711)
			in := maps.Clone(good)
			in[p.Name] = "BROKEN"
			list = append(list, flaw{"broken UTF-8", p.Name, []byte(strings.Replace(string(raw(in)), "BROKEN", "a\xff\xfe", 1))})
		case "integer":
			with(p.Name, "of the wrong type", "no")
			with(p.Name, "below", p.Min-1)
			if p.Max > 0 {
				with(p.Name, "above", p.Max+1)
			}
		case "boolean":
			with(p.Name, "of the wrong type", "no")
		case "file":
			with(p.Name, "of the wrong type", 4711)
		case "list":
			with(p.Name, "of the wrong type", "no")
			with(p.Name, "with control characters", []string{"a\x01"})
			with(p.Name, "too many", slices.Repeat([]string{"a"}, max(p.Max, 1000)+1))
		case "objects":
			with(p.Name, "of the wrong type", "no")
			with(p.Name, "with an unknown member", []any{map[string]any{"no_such_member": 1}})
			for _, inner := range flaws(p.Fields, map[string]any{}) {
				if inner.name == "missing" || inner.name == "twice" || inner.name == "unknown" || inner.name == "broken UTF-8" {
					continue
				}
				var member map[string]any
				_ = json.Unmarshal(inner.input, &member)
				with(p.Name, "with "+inner.field+" "+inner.name, []any{member})
			}
		}
		if p.Required {
			in := maps.Clone(good)
			delete(in, p.Name)
			list = append(list, flaw{"missing", p.Name, raw(in)})
		}
		one := string(raw(map[string]any{p.Name: good[p.Name]}))
		list = append(list, flaw{"twice", p.Name, []byte(strings.TrimSuffix(one, "}") + "," + strings.TrimPrefix(one, "{"))})
	}
	in := maps.Clone(good)
	in["no_such_field"] = "x"
	return append(list, flaw{"unknown", "no_such_field", raw(in)})
}

// innocent: a question changes nothing.
func (w *world) innocent(op *act.Op) {
	if op.Method != "query" && op.Method != "stream" {
		return
	}
	s := w.fit(op)
	a, _ := w.caller(op, s)
	before, n := w.state(), w.records()
	if _, err := w.call(op, act.Call{Actor: a, Input: raw(s.in)}); err != nil {
		w.Errorf("%s: %v", op.Name, err)
	}
	if diff := changed(before, w.state()); diff != nil {
		w.Errorf("%s changed %v", op.Name, diff)
	}
	if leaves := w.since(n); op.Logged != (len(leaves) > 0) {
		w.Errorf("%s: %d records of reading, Logged is %v", op.Name, len(leaves), op.Logged)
	}
}

// success says whether the operation can be tried by people.
func success(op *act.Op) bool {
	return isChange(op) && untried[op.Name] == "" && apart[op.Name] == "" && op.Roles&(act.Readers|act.Stranger) != 0
}

// foreseen: a preview says what would happen and leaves nothing.
func (w *world) foreseen(op *act.Op) {
	if !success(op) || op.Roles&act.Readers == 0 {
		return
	}
	s := w.fit(op)
	a, _ := w.caller(op, s)
	before, n := w.state(), w.records()
	r, err := w.call(op, act.Call{Actor: a, Input: raw(s.in), Preview: true})
	if err != nil || r.State != act.Previewed || len(r.Changes) == 0 {
		w.Errorf("%s: the preview says %q with %d events, %v", op.Name, r.State, len(r.Changes), err)
	}
	if diff := changed(before, w.state()); diff != nil || w.records() != n {
		w.Errorf("%s: the preview left %v and %d records", op.Name, diff, w.records()-n)
	}
}

// once: a call that is repeated with its key has one effect.
func (w *world) once(op *act.Op) {
	if !success(op) || op.Roles&act.Readers == 0 {
		return
	}
	s := w.fit(op)
	a, _ := w.caller(op, s)
	c := act.Call{Actor: a, Input: raw(s.in), Key: w.unique("key"), Confirmed: true}
	first, err := w.call(op, c)
	if err != nil || first.Record == "" {
		w.Errorf("%s: %v", op.Name, err)
		return
	}
	before := w.state()
	again, err := w.call(op, c)
	// What held a secret is not kept, so it is neither compared nor shown again.
	secretive := op.Reveals || slices.ContainsFunc(op.Input, func(p act.Param) bool { return p.Type == "secret" })
	switch {
	case secretive && core.CodeOf(err) != core.Conflict:
		w.Errorf("%s: the repeat said %v, want that the secret is shown only once", op.Name, err)
	case !secretive && (err != nil || !again.Replay || again.Record != first.Record):
		w.Errorf("%s: the repeat is no replay: %+v, %v", op.Name, again, err)
	}
	if diff := changed(before, w.state()); diff != nil {
		w.Errorf("%s: the repeat changed %v", op.Name, diff)
	}
}

// elsewhereOnly are operations that make no sense through a door, with the reason.
var elsewhereOnly = map[string]map[string]string{
	"session.end":              {"cli": "root has no session", "rest": "a token is no session"},
	"session.prove":            {"cli": "root has no session", "rest": "a token is no session"},
	"session.act":              {"cli": "root has no session", "rest": "a token is no session"},
	"session.leave":            {"cli": "root has no session", "rest": "a token is no session"},
	"password.change":          {"cli": "root has no password here", "rest": "a token does not change the password"},
	"token.create":             {"rest": "a token makes no other", "cli": "what root makes for somebody is told to him and to the administrators"},
	"totp.begin":               {"cli": "root has no account", "rest": "a token changes no factors"},
	"totp.confirm":             {"cli": "root has no account", "rest": "a token changes no factors"},
	"totp.remove":              {"cli": "root has no account", "rest": "a token changes no factors"},
	"recovery.renew":           {"cli": "root has no account", "rest": "a token changes no factors"},
	"notice.dismiss":           {"cli": "root has no notices"},
	"access.reset":             {"rest": "only at the local command line", "web": "only at the local command line"},
	"password.blocklist.adopt": {"rest": "only at the local command line", "web": "only at the local command line"},
}

// alike: each door leads to the same record.
func (w *world) alike(op *act.Op) {
	if !success(op) {
		return
	}
	shapes := map[string]string{}
	for _, door := range []struct {
		name string
		call func(*world, *act.Op, *person, json.RawMessage) reply
	}{{"rest", (*world).byREST}, {"cli", (*world).byCLI}, {"web", (*world).byWeb}} {
		if elsewhereOnly[op.Name][door.name] != "" || door.name == "cli" && op.Roles&act.Primary == 0 {
			continue
		}
		s := w.fit(op)
		_, p := w.caller(op, s)
		n := w.records()
		r := door.call(w, op, p, raw(s.in))
		leaves := slices.DeleteFunc(w.since(n), func(l string) bool { return !strings.Contains(l, `"action":"`+op.Name+`"`) })
		if len(leaves) != 1 || r.status >= 400 {
			w.Errorf("%s through %s: %d records, status %d: %.500s %s", op.Name, door.name, len(leaves), r.status, r.body, leaves)
			continue
		}
		if !strings.Contains(leaves[0], `"door":"`+door.name+`"`) || !strings.Contains(leaves[0], `"outcome":"done"`) {
			w.Errorf("%s through %s: the record says otherwise: %s", op.Name, door.name, leaves[0])
		}
		shapes[shape(w, leaves[0])] += door.name + " "
	}
	if len(shapes) > 1 {
		w.Errorf("%s leaves different records:", op.Name)
		for s, doors := range shapes {
			w.Logf("%s: %s", doors, s)
		}
	}
}

var variable = regexp.MustCompile(`\b[a-z]{1,2}_[0-9a-z]{26}\b|[0-9a-f]{64}|\d{4}-\d\d-\d\dT[0-9:.]+Z|(zone|login|phrase|key)\d{6}|sha256:\w+|[ckz]sk \d{1,5}\b|127\.0\.0\.1, 192\.0\.2\.\d+|10\.9\.\d+\.\d+`)

// shape is a leaf without what differs from call to call and from door to door:
// ids, hashes, times, counters, who came from where.
func shape(w *world, leaf string) string {
	var l map[string]any
	if err := json.Unmarshal([]byte(leaf), &l); err != nil {
		w.Fatal(err)
	}
	for _, key := range []string{"id", "time", "door", "actor", "by", "session", "ip", "agent", "tenants"} {
		delete(l, key)
	}
	if objects, ok := l["objects"].([]any); ok {
		for _, o := range objects {
			delete(o.(map[string]any), "n")
			delete(o.(map[string]any), "prev")
		}
	}
	b, _ := json.Marshal(l)
	return variable.ReplaceAllString(string(b), "*")
}

// inner: what only the house calls succeeds for it, and no face lets anybody in.
func (w *world) inner(op *act.Op) {
	if op.Roles != act.System || untried[op.Name] != "" || apart[op.Name] != "" {
		return
	}
	s := w.fit(op)
	n := w.records()
	r, err := w.call(op, act.Call{Actor: act.SystemActor("test"), Input: raw(s.in), Confirmed: true})
	if err != nil {
		w.Errorf("%s: %v", op.Name, err)
	}
	if isChange(op) && (r.Record == "" || w.records() == n) {
		w.Errorf("%s: no record", op.Name)
	}
	for name, call := range map[string]func(*world, *act.Op, *person, json.RawMessage) reply{"rest": (*world).byREST, "cli": (*world).byCLI, "web": (*world).byWeb} {
		n = w.records()
		if r := call(w, op, w.people["administrator"], raw(s.in)); r.status < 400 {
			w.Errorf("%s through %s: status %d, want a refusal", op.Name, name, r.status)
		}
		if leaves := w.since(n); len(leaves) != 1 || !strings.Contains(leaves[0], `"outcome":"refused"`) {
			w.Errorf("%s through %s: no record of the refusal: %s", op.Name, name, leaves)
		}
	}
}

// secret sends a canary in each secret field through each door, and then looks
// for it, and for all that was ever handed out, in everything that is kept.
func (w *world) secret() {
	tried := 0
	for _, op := range w.Registry.Ops() {
		for _, p := range op.Input {
			if p.Type != "secret" {
				continue
			}
			for _, value := range []string{canary, canary + strings.Repeat("y", max(p.Max, 1))} {
				s := w.fit(op)
				s.in[p.Name] = value
				_, who := w.caller(op, s)
				for _, call := range []func(*world, *act.Op, *person, json.RawMessage) reply{(*world).byREST, (*world).byCLI, (*world).byWeb} {
					tried++
					if r := call(w, op, who, raw(s.in)); strings.Contains(r.body, canary) {
						w.Errorf("%s shows what was given as %s: %s", op.Name, p.Name, r.body)
					}
				}
			}
		}
	}
	if tried == 0 || len(w.given) < 20 {
		w.Fatalf("%d canaries, %d secrets: the test looks at the wrong place", tried, len(w.given))
	}
	kept := w.kept()
	for _, s := range append(w.given, canary) {
		if where := holds(kept, s); where != nil {
			w.Errorf("the secret %q is in %v", s, where)
		}
	}
}

// sound: after all this the log verifies.
func (w *world) sound() {
	r := w.must(console, "log.verify", nil)
	if out := fields(r.Output); out["sound"] != true {
		w.Errorf("the log is not sound: %v", out)
	}
}
