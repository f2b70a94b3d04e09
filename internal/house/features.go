package house

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account"
	"hostward/internal/feature/actionlog"
	"hostward/internal/feature/job"
	"hostward/internal/feature/login"
	"hostward/internal/feature/policy"
	"hostward/internal/feature/token"
	"hostward/internal/feature/zone"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// features is the list of everything the panel does, each joined with what it
// needs of the others.
type features struct {
	accounts *account.Accounts
	login    *login.Login
	tokens   *token.Tokens
	zones    *zone.Zones
	policy   *policy.Policy
	log      *actionlog.Log
	jobs     *job.Jobs
}

func newFeatures(h *House) *features {
	f := &features{accounts: account.New()}
	f.login = login.New(login.Ports{Accounts: f.accounts, Hasher: h.Keeper, Report: h.loginFailed})
	f.tokens = token.New(f.accounts, f.login)
	f.zones = zone.New(zone.Ports{
		Tenant: f.accounts.Tenant, TenantName: f.accounts.TenantName, Above: f.accounts.Scope, Below: f.accounts.Below,
		Served: func(_ context.Context, ref core.Ref) (uint64, error) { return h.served(ref) },
	})
	f.accounts.Join([]account.Way{f.login, f.tokens}, []account.Holding{f.zones})
	h.policy = &policyFile{path: filepath.Join(h.Config.Config, "panel.ini")}
	f.policy = policy.New(h.policy)
	f.log = actionlog.New(actionlog.Ports{
		Browser: ledger.Browser{Keys: h.Keeper, Status: func(seq int64) ledger.State { return h.Sealer.Status(seq) }},
		Below:   f.accounts.Below, Tenant: f.accounts.Tenant, Verify: h.verify, Prove: h.prove, Complete: h.complete, Status: h.logStatus,
	})
	f.jobs = job.New(f.accounts.Below, func(id string) (int64, int64, bool) { return h.Bus.Progress(id) })
	return f
}

// list is the list of features, in the order of the rail.
func (f *features) list() []act.Feature {
	return []act.Feature{f.zones.Feature(), f.accounts.Feature(), f.login.Feature(), f.tokens.Feature(), f.log.Feature(), f.jobs.Feature(), f.policy.Feature()}
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

// loginFailed writes the line that ban filters read: fixed words, the address
// last, and nothing that the stranger could shape.
func (h *House) loginFailed(f login.Failure) {
	account := f.Account
	if account == "" {
		account = "unknown"
	}
	fmt.Fprintf(h.PanelLog, "%s hostward[panel]: failed login: account=%s reason=%s door=%s from %s\n",
		f.Time.UTC().Format(time.RFC3339), account, f.Why, f.Door, f.Address)
}

// Registry returns the operations alone, for the command line, which only
// needs to know what there is.
func Registry() (*act.Registry, error) {
	return act.NewRegistry(newFeatures(&House{}).list()...)
}

// holds looks again at who opened a stream. Who has no account is the system, or
// somebody at the local command line, who has proved himself to the machine.
func (f *features) holds(ctx context.Context, v *act.View, a act.Actor) error {
	if a.Kind != "account" {
		return nil
	}
	_, open, err := f.accounts.Actor(ctx, v, a.ID)
	if err != nil && core.CodeOf(err) == core.NotFound {
		err = nil
	}
	live := a.Session == ""
	for _, of := range []interface {
		Live(ctx context.Context, v *act.View, account, id string) (bool, error)
	}{f.login, f.tokens} {
		if err == nil && open && !live {
			live, err = of.Live(ctx, v, a.ID, a.Session)
		}
	}
	if err == nil && (!open || !live) {
		err = core.Errorf(core.Unauthenticated, "the session or the token is over; log in again")
	}
	return err
}
