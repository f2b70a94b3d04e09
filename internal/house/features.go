package house

import (
	"context"
	"encoding/base32"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hostward/internal/act"
	engine "hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/feature/access"
	"hostward/internal/feature/account"
	"hostward/internal/feature/actionlog"
	"hostward/internal/feature/ban"
	"hostward/internal/feature/clock"
	"hostward/internal/feature/control"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/firewall"
	"hostward/internal/feature/handler"
	"hostward/internal/feature/job"
	"hostward/internal/feature/login"
	"hostward/internal/feature/notice"
	"hostward/internal/feature/password"
	"hostward/internal/feature/peer"
	"hostward/internal/feature/policy"
	"hostward/internal/feature/secret"
	"hostward/internal/feature/token"
	"hostward/internal/feature/zone"
	"hostward/internal/host"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
	"hostward/internal/store"
)

// features is the list of everything the panel does, each joined with what it
// needs of the others.
type features struct {
	accounts  *account.Accounts
	login     *login.Login
	factors   *factor.Factors
	passwords *password.Passwords
	access    *access.Access
	notices   *notice.Notices
	tokens    *token.Tokens
	secrets   *secret.Secrets
	zones     *zone.Zones
	peers     *peer.Peers
	bans      *ban.Bans
	firewall  *firewall.Firewall
	policy    *policy.Policy
	clock     *clock.Clock
	log       *actionlog.Log
	jobs      *job.Jobs
	controls  *control.Controls
	handlers  *handler.Handlers
}

func newFeatures(h *House) *features {
	h.policy = &policyFile{path: filepath.Join(h.Config.Config, "panel.ini")}
	h.blocklist = &blocklist{dir: filepath.Join(h.Data, BlocklistDir)}
	h.clock = &clockWatch{house: h}
	f := &features{accounts: account.New()}
	f.log = actionlog.New(actionlog.Ports{
		Browser: ledger.Browser{Keys: h.Keeper, Status: func(seq int64) ledger.State { return h.Sealer.Status(seq) }},
		Below:   f.accounts.Below, Tenant: f.accounts.Tenant, Verify: h.verify, Prove: h.prove, Complete: h.complete, Status: h.logStatus,
	})
	f.zones = zone.New(zone.Ports{
		Tenant: f.accounts.Tenant, TenantName: f.accounts.TenantName, Above: f.accounts.Scope, Below: f.accounts.Below,
		Served: h.served, Standing: h.standing, Health: h.healthOf, NewKey: h.zoneKey, Fetch: h.fetch, Expired: func(id string) bool { return h.secondaries.expired(id) },
		Untaken: func(id string) []zone.Untaken { return h.secondaries.untaken(id) },
		MayUse:  func(ctx context.Context, v *act.View, key rr.Name) (bool, error) { return f.peers.MayUse(ctx, v, key) },
		Policy: func(ctx context.Context, v *act.View, key rr.Name, zone string) (transfer.Policy, error) {
			return f.peers.Policy(ctx, v, key, zone)
		},
	})
	f.peers = peer.New(peer.Ports{Zone: f.zoneOf, Reaches: f.zones.Reaches, Below: f.accounts.Below, NewKey: newTSIG, Seal: h.sealTSIG, Told: h.told})
	f.doors(h)
	f.accounts.Join([]account.Way{f.login, f.tokens, f.factors, f.notices}, []account.Holding{f.zones, f.peers}, f.notices)
	f.policy = policy.New(h.policy)
	f.server(h)
	f.jobs = job.New(f.accounts.Below, func(id string) (int64, int64, bool) { return h.Bus.Progress(id) })
	return f
}

// server joins the features that keep the machine in order.
func (f *features) server(h *House) {
	look := func(ctx context.Context, name string) (host.Status, error) { return h.agents.status(ctx, name) }
	f.clock = clock.New(clock.Ports{Status: h.clock.last, Administrators: f.administrators, Notices: f.notices})
	f.handlers = handler.New(handler.Ports{Look: look})
	f.bans = ban.New(ban.Ports{Guard: func(engine string) host.Guard { return h.guard(engine) }, Sessions: f.sessions, PanelLog: panelLog(h.Data)})
	f.firewall = firewall.New(firewall.Ports{Panel: h.panelPort, Seen: func(ctx context.Context) (host.Status, error) { return look(ctx, firewall.Name) }})
	machines := f.machines()
	h.agents = newAgents(h, machines)
	f.controls = control.New(h.agents, machines)
}

// doors joins the features that decide who gets in.
func (f *features) doors(h *House) {
	mails := func() bool { return h.policy.current().Mails() }
	f.notices = notice.New(f.accounts, mails)
	f.access = access.New(access.Ports{Sets: &sets{}, Accounts: f.accounts, Logins: f.log.Logins})
	f.factors = factor.New(factor.Ports{
		Accounts: f.accounts, Codes: h.Keeper, Passkeys: passkeys{func() string { return h.policy.current().URL }}, Notices: f.notices,
		Seal: h.sealSeed, NIS2: h.nis2, Issuer: h.issuer,
	})
	f.passwords = password.New(password.Ports{
		Estimate: h.estimator(), Breached: h.blocklist.holds, Loaded: h.blocklist.loaded, Inspect: h.blocklist.inspect, NIS2: h.nis2,
		Census: f.census, Link: func(ctx context.Context, v *act.View, token core.Secret) ([]string, error) {
			return f.login.Claimable(ctx, v, token)
		}, Names: f.names,
	})
	f.login = login.New(login.Ports{
		Accounts: f.accounts, Hasher: h.Keeper, Policy: f.passwords, Factors: second{f.factors}, Notices: f.notices,
		Admit: f.access.Admit, Mails: mails, Report: (&failures{to: h.PanelLog}).write,
	})
	f.tokens = token.New(token.Ports{Accounts: f.accounts, Sessions: f.login, Notices: f.notices, Factors: f.factors, Actions: h.action, Object: h.object})
	f.factors.Join(f.login, f.tokens)
	f.secrets = secret.New(keys{h.Keeper}, secret.Holder{Purpose: string(keeper.TOTP), Reseal: f.factors.Reseal},
		secret.Holder{Purpose: string(keeper.DNSSEC), Reseal: func(ctx context.Context, b *act.Bus, seal secret.Sealer) (int, error) {
			return f.zones.Reseal(ctx, b, h.resealZoneKey(seal))
		}},
		secret.Holder{Purpose: string(keeper.TSIG), Reseal: func(ctx context.Context, b *act.Bus, seal secret.Sealer) (int, error) {
			return f.peers.Reseal(ctx, b, resealTSIG(seal))
		}})
}

// census counts the passwords of panel log-ins.
func (f *features) census(ctx context.Context, v *act.View, demand string) (password.Census, error) {
	total, good, weak, err := f.login.Census(ctx, v, demand)
	return password.Census{Total: total, Current: good, Weak: weak, Unseen: total - good - weak}, err
}

// administrators are those who are told what becomes of the server.
func (f *features) administrators(ctx context.Context, v *act.View) (ids []string, err error) {
	err = f.accounts.Everyone(ctx, v, func(who act.Actor, _ time.Time) {
		if who.Role&act.Admins != 0 {
			ids = append(ids, who.ID)
		}
	})
	return ids, err
}

// names are the caller's own, and whether he has a second factor.
func (f *features) names(ctx context.Context, v *act.View) ([]string, bool, error) {
	me := v.Actor()
	if me.Kind != "account" {
		return nil, false, nil
	}
	words, err := f.accounts.Words(ctx, v, me.ID)
	if err != nil {
		return nil, false, err
	}
	s, err := f.factors.Standing(ctx, v, me)
	return words, s.Has, err
}

// sealSeed seals a seed that came in plain text.
func (h *House) sealSeed(ctx context.Context, ad []byte, seed core.Secret) ([]byte, error) {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(seed.Reveal(), "=")))
	if err != nil || len(raw) == 0 {
		return nil, errors.New("the seed in factor_totp for " + string(ad) + " is no base32 text: correct it, or remove the row")
	}
	defer clear(raw)
	return h.Keeper.Seal(ctx, keeper.TOTP, ad, raw)
}

func (h *House) nis2() bool { return h.policy.current().NIS2 }

// issuer is what an authenticator app calls this panel.
func (h *House) issuer() string {
	if u, err := url.Parse(h.policy.current().URL); err == nil && u.Host != "" {
		return "Hostward " + u.Hostname()
	}
	name, err := os.Hostname()
	if err != nil {
		return "Hostward"
	}
	return "Hostward " + name
}

// machines are the controls of the machine, in the order in which they are shown.
func (f *features) machines() []engine.Machine {
	return []engine.Machine{f.firewall.Control(), f.bans.Control(), f.clock.Control(), f.handlers.Control()}
}

// Machines returns the controls alone, for the agent.
func Machines() []engine.Machine { return newFeatures(&House{}).machines() }

// list is the list of features, in the order of the rail.
func (f *features) list() []act.Feature {
	return []act.Feature{f.zones.Feature(), f.peers.Feature(), f.accounts.Feature(), f.login.Feature(), f.factors.Feature(), f.passwords.Feature(), f.access.Feature(),
		f.tokens.Feature(), f.notices.Feature(), f.secrets.Feature(), f.log.Feature(), f.jobs.Feature(), f.policy.Feature(), f.controls.Feature(), f.handlers.Feature(), f.clock.Feature(), f.bans.Feature(), f.firewall.Feature()}
}

// migrations are the tables of the frame, then those of each feature.
func (f *features) migrations() []store.Migration {
	all := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}}
	for _, x := range f.list() {
		if x.SQL != nil {
			all = append(all, store.Migration{Name: x.Name, FS: x.SQL})
		}
	}
	return all
}

// Registry returns the operations alone, for the command line, which only
// needs to know what there is.
func Registry() (*act.Registry, error) {
	return act.NewRegistry(newFeatures(&House{}).list()...)
}

// holds looks again at an account: it may have been logged out, closed, or made
// something else, since a face asked who it is.
func (f *features) holds(ctx context.Context, v *act.View, a act.Actor) error {
	live, err := f.live(ctx, v, a)
	if err == nil && !live {
		err = core.Errorf(core.Unauthenticated, "the session or the token is over; log in again")
	}
	return err
}

func (f *features) live(ctx context.Context, v *act.View, a act.Actor) (bool, error) {
	switch {
	case a.Role == act.System: // the server's own note in his name: that he began a job
		return true, nil
	case a.Grants == nil && !a.Unattended:
		return f.login.Holds(ctx, v, a)
	case a.Grants != nil && !a.Unattended:
		if live, err := f.tokens.Live(ctx, v, a.ID, a.Session); err != nil || !live {
			return false, err
		}
	}
	for who := &a; who != nil; who = who.By {
		now, open, err := f.accounts.Actor(ctx, v, who.ID)
		if err != nil || !open || now.Role != who.Role {
			return false, core.UnlessNotFound(err)
		}
	}
	return true, nil
}
