package peer_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/peer"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

const (
	shop  = "a_shop"
	rival = "a_rival"
)

func actor(tenant string, role act.Role) act.Actor {
	return act.Actor{Kind: "account", ID: tenant, Name: tenant, Role: role, Tenant: tenant, Door: "rest"}
}

var (
	admin    = actor(core.Provider, act.Primary)
	customer = actor(shop, act.Customer)
	stranger = actor(rival, act.Customer)
)

// world is a bus with peers, and two zones of two customers.
type world struct {
	*act.Bus
	t      *testing.T
	peers  *peer.Peers
	keeper keeper.Keeper
	reg    *act.Registry
	told   []peer.Telling // what the nameserver says
}

func zones() []peer.Zone {
	return []peer.Zone{{ID: "z_shop", Name: "shop.example.", Owner: shop}, {ID: "z_rival", Name: "rival.example.", Owner: rival}}
}

// others stand for the features that keep accounts and zones.
func others() act.Feature {
	kind := func(name string, owner func(id string) (string, error)) act.Kind {
		return act.Kind{Name: name, Owner: func(_ context.Context, _ *act.View, id string) (string, error) { return owner(id) },
			Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
			IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil }}
	}
	return act.Feature{Name: "account", SQL: fstest.MapFS{}, Kinds: []act.Kind{
		kind("account", func(id string) (string, error) { return id, nil }),
		kind("zone", func(id string) (string, error) {
			for _, z := range zones() {
				if z.ID == id {
					return z.Owner, nil
				}
			}
			return "", core.Errorf(core.NotFound, "there is no zone")
		})}}
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) { f(t, newWorld(t, url)) })
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(t.TempDir(), "keys")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, keeper: k}
	p := peer.New(peer.Ports{
		Told: func(context.Context) ([]peer.Telling, error) { return w.told, nil },
		Zone: func(_ context.Context, _ *act.View, text string) (peer.Zone, error) {
			for _, z := range zones() {
				if z.ID == text || strings.TrimSuffix(string(z.Name), ".") == strings.TrimSuffix(text, ".") {
					return z, nil
				}
			}
			return peer.Zone{}, core.Errorf(core.NotFound, "there is no zone %q", text)
		},
		Reaches: func(_ context.Context, v *act.View, tenant string) (bool, error) {
			return v.Actor().Tenant == tenant || v.Actor().Role&act.Admins != 0, nil
		},
		Below: func(context.Context, *act.View, string) ([]string, error) { return nil, nil },
		NewKey: func(name rr.Name, a transfer.Algorithm) (transfer.Key, error) {
			return transfer.NewKey(rand.Reader, name, a)
		},
		Seal: func(ctx context.Context, key transfer.Key) (string, error) {
			b, err := k.SealTSIG(ctx, key.Name, key.Secret)
			return base64.StdEncoding.EncodeToString(b), err
		},
	})
	reg, err := act.NewRegistry(others(), p.Feature())
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, url, []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "peer", FS: p.Feature().SQL}})
	writer := storetest.Acquire(t, s)
	b, err := act.New(act.Config{Registry: reg, Store: s, Writer: writer, Book: ledger.NewBook(k, core.SystemClock), Clock: core.SystemClock,
		Log: slog.New(slog.DiscardHandler), Spool: filepath.Join(t.TempDir(), "spool"),
		Scope: func(_ context.Context, _ *act.View, tenant string) ([]string, error) {
			if tenant == core.Provider {
				return nil, nil
			}
			return []string{core.Provider}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); _ = writer.Close(); _ = k.Close() })
	w.Bus, w.peers, w.reg = b, p, reg
	return w
}

type fields map[string]any

func (w *world) do(a act.Actor, op string, in fields) (act.Result, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Do(context.Background(), act.Call{Op: op, Actor: a, Input: raw, Confirmed: true})
}

func must[O any](w *world, a act.Actor, op string, in fields) O {
	w.t.Helper()
	r, err := w.do(a, op, in)
	if err != nil {
		w.t.Fatalf("%s: %v", op, err)
	}
	out, _ := r.Output.(O)
	return out
}

func (w *world) fails(code core.Code, a act.Actor, op string, in fields) {
	w.t.Helper()
	if _, err := w.do(a, op, in); core.CodeOf(err) != code {
		w.t.Errorf("%s %v: %v, want %s", op, in, err, code)
	}
}

func (w *world) settings() (out peer.Settings) {
	w.t.Helper()
	err := w.Look(context.Background(), "test", func(v *act.View) (err error) {
		out, err = w.peers.Settings(context.Background(), v)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestAKeyIsShownOnceAndSealed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := must[peer.Created](w, admin, "tsig.create", fields{"name": "Transfer.Example"})
		s := w.settings()
		if len(s.Keys) != 1 || s.Keys[0].Name != "transfer.example." || strings.Contains(s.Keys[0].Sealed, made.Secret) {
			t.Fatalf("kept: %+v", s.Keys)
		}
		sealed, err := base64.StdEncoding.DecodeString(s.Keys[0].Sealed)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := w.keeper.TSIG(t.Context(), "transfer.example.", sealed)
		if err != nil || opened.Reveal() != made.Secret {
			t.Errorf("the keeper opens another secret: %v", err)
		}
		if _, err := w.keeper.TSIG(t.Context(), "other.example.", sealed); err == nil {
			t.Error("it is opened under another name")
		}
		for _, form := range []string{made.Dig, made.BIND, made.Knot, made.NSD, made.PowerDNS} {
			if !strings.Contains(form, made.Secret) || !strings.Contains(form, "transfer.example") {
				t.Errorf("a form without secret or name: %q", form)
			}
		}
		w.fails(core.Conflict, admin, "tsig.create", fields{"name": "transfer.example"})
		w.fails(core.Invalid, admin, "tsig.create", fields{"name": "short.example", "secret": "AAAA"})
		imported := must[peer.Created](w, admin, "tsig.create", fields{"name": "old.example", "secret": made.Secret, "algorithm": "hmac-sha512"})
		if imported.Secret != made.Secret || imported.Algorithm != "hmac-sha512" {
			t.Errorf("brought along: %+v", imported)
		}
	})
}

func TestACustomersKeyIsCalledAfterHisZone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must[peer.Created](w, customer, "tsig.create", fields{"name": "acme.shop.example"})
		for _, name := range []string{"acme.rival.example", "acme.elsewhere.example", "example", "."} {
			w.fails(core.Invalid, customer, "tsig.create", fields{"name": name})
		}
		if list := must[peer.KeyList](w, stranger, "tsig.list", nil); len(list.Keys) != 0 {
			t.Errorf("somebody else sees %+v", list)
		}
		w.fails(core.NotFound, stranger, "tsig.delete", fields{"key": "acme.shop.example"})
		w.fails(core.NotFound, stranger, "tsig.allow", fields{"key": "acme.shop.example", "zone": "rival.example"})
		w.fails(core.NotFound, customer, "tsig.allow", fields{"key": "acme.shop.example", "zone": "rival.example"})
	})
}

func TestAKeyMayWhatItIsAllowed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must[peer.Created](w, customer, "tsig.create", fields{"name": "acme.shop.example"})
		rule := must[peer.Rule](w, customer, "tsig.allow", fields{"key": "acme.shop.example", "zone": "shop.example", "match": "exactly", "name": "_acme-challenge", "types": []string{"txt", "TXT"}})
		if rule.Name != "_acme-challenge.shop.example." || len(rule.Types) != 1 {
			t.Errorf("allowed: %+v", rule)
		}
		policy := func() (p transfer.Policy) {
			_ = w.Look(t.Context(), "test", func(v *act.View) (err error) {
				p, err = w.peers.Policy(t.Context(), v, "acme.shop.example.", "z_shop")
				return err
			})
			return p
		}
		allows := func(name rr.Name, typ string) bool {
			return policy().Allows("acme.shop.example.", "shop.example.", name, typ)
		}
		if !allows("_acme-challenge.shop.example.", "TXT") || allows("_acme-challenge.shop.example.", "A") || allows("www.shop.example.", "TXT") {
			t.Errorf("the policy is %+v", policy())
		}
		if !w.settings().Updates {
			t.Error("the nameserver would turn updates away")
		}
		for _, bad := range []fields{{"name": "www.rival.example."}, {"types": []string{"NOSUCH"}}, {"match": "all"}} {
			bad["key"], bad["zone"] = "acme.shop.example", "shop.example"
			w.fails(core.Invalid, customer, "tsig.allow", bad)
		}
		must[peer.Nothing](w, customer, "tsig.forbid", fields{"key": "acme.shop.example", "zone": "shop.example"})
		if allows("_acme-challenge.shop.example.", "TXT") || w.settings().Updates {
			t.Error("it may still")
		}
		must[peer.Nothing](w, customer, "tsig.delete", fields{"key": "acme.shop.example"})
		if len(w.settings().Keys) != 0 {
			t.Error("the key is still there")
		}
	})
}

func TestANameserverNeedsAnAddressOrAKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fails(core.Invalid, admin, "peer.add", fields{"name": "ns2"})
		w.fails(core.Invalid, admin, "peer.add", fields{"name": "ns2", "addresses": []string{"everywhere"}})
		w.fails(core.Invalid, admin, "peer.add", fields{"name": "ns2", "key": "no.such.key"})
		w.fails(core.Invalid, admin, "peer.add", fields{"name": "ns2", "addresses": []string{"192.0.2.53"}, "notify": []string{"ns2.example.net"}})
		w.fails(core.Denied, customer, "peer.add", fields{"name": "ns2", "addresses": []string{"192.0.2.53"}})
		must[peer.Created](w, admin, "tsig.create", fields{"name": "transfer.example"})
		must[peer.Server](w, admin, "peer.add", fields{"name": "ns2", "addresses": []string{"192.0.2.53", "2001:db8::/64"}, "notify": []string{"192.0.2.53", "[2001:db8::53]:5353"}, "key": "transfer.example", "zones": []string{"shop.example"}})
		s := w.settings().Servers
		if len(s) != 1 || s[0].Key != "transfer.example." || len(s[0].Sources) != 2 || s[0].Told[0].String() != "192.0.2.53:53" || s[0].Told[1].Port() != 5353 || s[0].Zones[0] != "shop.example." {
			t.Errorf("told to the nameserver: %+v", s)
		}
		w.fails(core.Conflict, admin, "peer.add", fields{"name": "ns2", "addresses": []string{"192.0.2.54"}})
		w.fails(core.Conflict, admin, "tsig.delete", fields{"key": "transfer.example"})
		must[peer.Nothing](w, admin, "peer.remove", fields{"peer": "ns2"})
		must[peer.Nothing](w, admin, "tsig.delete", fields{"key": "transfer.example"})
	})
}

func TestSecretsAreSealedAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := must[peer.Created](w, admin, "tsig.create", fields{"name": "transfer.example"})
		generation, err := w.keeper.Renew(t.Context(), keeper.TSIG)
		if err != nil {
			t.Fatal(err)
		}
		n, err := w.peers.Reseal(t.Context(), w.Bus, func(ctx context.Context, name rr.Name, sealed string) (string, error) {
			b, err := base64.StdEncoding.DecodeString(sealed)
			if err == nil {
				b, err = w.keeper.Reseal(ctx, keeper.TSIG, keeper.TSIGAD(name), b)
			}
			return base64.StdEncoding.EncodeToString(b), err
		})
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if err := w.keeper.Retire(t.Context(), keeper.TSIG, generation); err != nil {
			t.Fatal(err)
		}
		sealed, _ := base64.StdEncoding.DecodeString(w.settings().Keys[0].Sealed)
		if s, err := w.keeper.TSIG(t.Context(), "transfer.example.", sealed); err != nil || s.Reveal() != made.Secret {
			t.Error(err)
		}
	})
}

func TestWhoIsBehindIsSaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, name := range []string{"well", "slow", "gone", "quiet"} {
			must[peer.Server](w, admin, "peer.add", fields{"name": name, "addresses": []string{"192.0.2.53"}, "notify": []string{"192.0.2.53"}})
		}
		for i := range 150 {
			w.told = append(w.told, peer.Telling{Server: "slow", Zone: fmt.Sprintf("z%d.example", i), To: "192.0.2.53:53", Serial: 2, Known: 1})
		}
		w.told = append(w.told, peer.Telling{Server: "well", Zone: "z.example", Serial: 2, Known: 2}, peer.Telling{Server: "gone", Zone: "z.example", Serial: 2, Fault: "no answer"})
		got := must[peer.ServerList](w, admin, "peer.list", nil)
		said := map[string]string{}
		for _, s := range got.Servers {
			said[s.Name] = fmt.Sprint(s.State, " ", s.Behind)
		}
		if want := map[string]string{"well": "in force 0", "slow": "pending 150", "gone": "drift 1", "quiet": " 0"}; !maps.Equal(said, want) {
			t.Errorf("%v, want %v", said, want)
		}
		if len(got.Waiting) != 100 || got.Waiting[0].Fault != "no answer" {
			t.Errorf("%d are listed, the first is %+v", len(got.Waiting), got.Waiting[0])
		}
	})
}
