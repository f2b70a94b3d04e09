package secret_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/job"
	"hostward/internal/feature/secret"
	"hostward/internal/keeper"
)

type input = accounttest.Input

const good = accounttest.Good

var root = accounttest.Root()

// keys joins the keeper with the feature, as the house does.
type keys struct {
	keeper.Keeper
	h *house
}

func (k keys) Status(ctx context.Context) (secret.Status, error) {
	s, err := k.Keeper.Status(ctx)
	out := secret.Status{Secret: s.Secret, Credential: s.Credential}
	for _, x := range s.Keys {
		out.Keys = append(out.Keys, secret.Key{Purpose: string(x.Purpose), Generation: x.Generation, Written: x.Written})
	}
	return out, err
}

func (k keys) Renew(ctx context.Context, purpose string) (uint32, error) {
	if k.h.before != nil && purpose == string(keeper.TOTP) {
		k.h.before()
		defer k.h.after()
	}
	return k.Keeper.Renew(ctx, keeper.Purpose(purpose))
}

func (k keys) Reseal(ctx context.Context, purpose string, ad, sealed []byte) ([]byte, error) {
	return k.Keeper.Reseal(ctx, keeper.Purpose(purpose), ad, sealed)
}

func (k keys) Retire(ctx context.Context, purpose string, before uint32) error {
	return k.Keeper.Retire(ctx, keeper.Purpose(purpose), before)
}

// jobs are real ones that tell when each ended.
type jobs struct {
	*job.Jobs
	ended chan string
}

func (j jobs) End(ctx context.Context, b *act.Bus, id, summary string, err error) error {
	defer func() { j.ended <- id }()
	return j.Jobs.End(ctx, b, id, summary, err)
}

// house is one with keys that can be replaced. seal, if it is set, stands between
// the feature that keeps seeds and the keeper, before and after around the making of
// a new key for seeds.
type house struct {
	*accounttest.House
	secrets *secret.Secrets
	jobs    jobs
	seal    func(ctx context.Context, next secret.Sealer, ad, sealed []byte) ([]byte, error)

	before, after func()
}

// each runs f on every engine, in a house with an administrator and a customer who
// have apps; their seeds are by log-in name.
func each(t *testing.T, credentials string, f func(t *testing.T, h *house, seeds map[string]string)) {
	var h *house // of the engine under way
	accounttest.EachWith(t, accounttest.More{Credentials: credentials, Join: func(inner *accounttest.House) ([]act.Feature, act.Jobs) {
		h = &house{House: inner}
		return h.join()
	}}, func(t *testing.T, _ *accounttest.House) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		seeds := map[string]string{}
		for _, login := range []string{"root", "shop"} {
			_, seeds[login], _ = h.Arm(h.Enter(login, good))
		}
		f(t, h, seeds)
	})
}

func (h *house) join() ([]act.Feature, act.Jobs) {
	h.secrets = secret.New(keys{h.Keeper, h}, secret.Holder{Purpose: string(keeper.TOTP), Reseal: h.reseal},
		secret.Holder{Purpose: string(keeper.Mail), Reseal: func(context.Context, *act.Bus, secret.Sealer) (int, error) {
			return 0, errors.New("nothing was ever sealed for mail")
		}})
	h.jobs = jobs{job.New(h.Accounts.Below, func(id string) (int64, int64, bool) { return h.Bus.Progress(id) }), make(chan string, 10)}
	return []act.Feature{h.secrets.Feature(), h.jobs.Feature()}, h.jobs
}

func (h *house) reseal(ctx context.Context, b *act.Bus, seal secret.Sealer) (int, error) {
	return h.Factors.Reseal(ctx, b, func(ctx context.Context, ad, sealed []byte) ([]byte, error) {
		if h.seal != nil {
			return h.seal(ctx, seal, ad, sealed)
		}
		return seal(ctx, ad, sealed)
	})
}

// start begins to replace the keys and returns the job's id.
func (h *house) start(by act.Actor, values bool) string {
	h.T.Helper()
	r := h.Must(by, "secret.rotate", input{"values": values})
	if r.State != act.Pending {
		h.T.Fatalf("the job is %s", r.State)
	}
	return r.Output.(job.One).Job
}

// end waits for the end of a job.
func (h *house) end(id string) job.Job {
	h.T.Helper()
	select {
	case ended := <-h.jobs.ended:
		if ended != id {
			h.T.Fatalf("the job %s ended, not %s", ended, id)
		}
	case <-time.After(time.Minute):
		h.T.Fatal("the job does not end")
	}
	return h.Must(root, "job.show", input{"job": id}).Output.(job.Job)
}

// rotate replaces the keys and returns what the job says.
func (h *house) rotate(values bool) string {
	h.T.Helper()
	j := h.end(h.start(root, values))
	if j.State != job.Done {
		h.T.Fatalf("the job %s: %s", j.State, j.Summary)
	}
	return j.Summary
}

func (h *house) status() secret.Shown {
	h.T.Helper()
	return h.Must(root, "secret.status", nil).Output.(secret.Shown)
}

// files are the keys' files by name, with their content.
func (h *house) files() map[string]string {
	h.T.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(h.Keys, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(h.Keys, path)
		all[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return all
}

// sealed are the seeds as they are kept, by account.
func (h *house) sealed() map[string][]byte {
	h.T.Helper()
	all := map[string][]byte{}
	err := h.Look(h.T.Context(), "test", func(v *act.View) error {
		return v.Each(h.T.Context(), `SELECT account, sealed FROM factor_totp`, nil, func(scan func(...any) error) error {
			var account, text string
			if err := scan(&account, &text); err != nil {
				return err
			}
			raw, err := base64.StdEncoding.DecodeString(text)
			all[account] = raw
			return err
		})
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return all
}

// open reports which of the sealed seeds still open.
func (h *house) open(sealed map[string][]byte) (n int) {
	for account, raw := range sealed {
		if _, _, err := h.Keeper.CheckTOTP(h.T.Context(), []byte("totp/"+account), raw, core.NewSecret("0"), h.Clock(), 0); err == nil {
			n++
		}
	}
	return n
}

// codesWork logs both accounts in.
func (h *house) codesWork(seeds map[string]string) {
	h.T.Helper()
	for login, seed := range seeds {
		h.Strong(login, good, seed)
	}
}

func TestTheSecretKeyIsReplacedAndValuesStay(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		before, files, sealed := h.status(), h.files(), h.sealed()
		said := h.rotate(false)
		after := h.status()
		if after.Secret == before.Secret || !strings.Contains(said, before.Secret) || !strings.Contains(said, after.Secret) || strings.Contains(said, "totp") {
			t.Errorf("%s became %s; it says %q", before.Secret, after.Secret, said)
		}
		if h.Clock().Sub(after.Since) > time.Minute || len(after.Holds) != 0 {
			t.Errorf("the status is %+v", after)
		}
		for name, text := range h.files() {
			if old, there := files[name]; !there || old == text {
				if strings.HasSuffix(name, ".key") {
					t.Errorf("%s is as before, or new", name)
				}
			}
		}
		for account, raw := range h.sealed() {
			if string(raw) != string(sealed[account]) {
				t.Error("a seed was sealed again")
			}
		}
		h.codesWork(seeds)
	})
}

func TestWithValuesTheOldKeyIsDestroyedWhenNothingNeedsIt(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		h.codesWork(seeds)
		old := h.sealed()
		if n := h.open(old); n != 2 {
			t.Fatalf("%d seeds open before", n)
		}
		if said := h.rotate(true); !strings.Contains(said, "2 values for totp were sealed again under key 2") || !strings.Contains(said, "nothing is sealed for mail") {
			t.Errorf("it says %q", said)
		}
		if n := h.open(old); n != 0 {
			t.Errorf("%d seeds from before still open", n)
		}
		for account, raw := range h.sealed() {
			if string(raw) == string(old[account]) {
				t.Error("a seed is sealed as before")
			}
		}
		if names := h.files(); names["data/totp_1.key"] != "" || names["data/totp_2.key"] == "" {
			t.Errorf("the files are %q", slices.Sorted(maps.Keys(names)))
		}
		s := h.status()
		if len(s.Keys) != 1 || s.Keys[0].Generation != 2 || len(s.Holds) != 1 || s.Holds[0].Purpose != "totp" || s.Holds[0].Generation != 2 || s.Holds[0].Values != 2 {
			t.Errorf("the status is %+v", s)
		}
		h.codesWork(seeds)
		h.rotate(true)
		if s := h.status(); len(s.Keys) != 1 || s.Keys[0].Generation != 3 {
			t.Errorf("after a second time the status is %+v", s)
		}
		h.codesWork(seeds)
	})
}

// TestCodesWorkWhileKeysAreReplaced holds the job up at a seed, and logs in with
// it, removes, confirms and begins apps meanwhile.
func TestCodesWorkWhileKeysAreReplaced(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		shop := h.Strong("shop", good, seeds["shop"])
		begun := h.Must(shop, "totp.begin", nil).Output.(factor.Begun).Secret
		arrived, goOn := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(goOn) })
		defer release()
		first := true
		h.seal = func(ctx context.Context, next secret.Sealer, ad, sealed []byte) ([]byte, error) {
			if first {
				first = false
				close(arrived)
				<-goOn
			}
			return next(ctx, ad, sealed)
		}
		id := h.start(root, true)
		<-arrived
		if done, total, under := h.Bus.Progress(id); !under || done != 1 || total != 3 {
			t.Errorf("it is at %d of %d, %v", done, total, under)
		}
		h.codesWork(seeds)
		late, lateSeed, _ := h.Arm(h.Create(root, "late", "customer", "provider"))
		h.Pass(30 * time.Second)
		h.Must(shop, "totp.confirm", input{"code": accounttest.Code(begun, h.Clock())})
		seeds["shop"], seeds["late"] = begun, lateSeed
		h.codesWork(seeds)
		release()
		if j := h.end(id); j.State != job.Done {
			t.Fatalf("the job %s: %s", j.State, j.Summary)
		}
		h.codesWork(seeds)
		if n := h.open(h.sealed()); n != 3 || late.ID == "" {
			t.Errorf("%d of 3 seeds open", n)
		}
	})
}

// TestASeedThatIsJustBeingSealedIsNotForgotten has an app begun whose seed is sealed
// under the old key and written after the new key was made.
func TestASeedThatIsJustBeingSealedIsNotForgotten(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		late := h.Create(root, "late", "customer", "provider")
		sealed, goOn, begun := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		h.Seeded = func() { close(sealed); <-goOn }
		h.before = func() {
			go func() {
				_, err := h.Call(late, "totp.begin", nil)
				begun <- err
			}()
			<-sealed
		}
		h.after = func() { close(goOn) }
		h.rotate(true)
		if err := <-begun; err != nil {
			t.Fatal(err)
		}
		h.Seeded, h.before, h.after = nil, nil, nil
		h.Refused(core.Conflict, late, "totp.confirm", input{"code": "123456"}) // and not that its key is gone
		_, seeds["late"], _ = h.Arm(late)
		h.codesWork(seeds)
	})
}

// TestTwoJobsAtOnceLoseNothing holds one up with a seed in its hands that it has
// sealed under its own key, and lets another run to its end, which destroys that key.
func TestTwoJobsAtOnceLoseNothing(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		arrived, goOn := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(goOn) })
		defer release()
		n := 0
		h.seal = func(ctx context.Context, next secret.Sealer, ad, sealed []byte) ([]byte, error) {
			again, err := next(ctx, ad, sealed)
			if n++; n == 2 {
				close(arrived)
				<-goOn
			}
			return again, err
		}
		first := h.start(root, true)
		<-arrived
		if j := h.end(h.start(root, true)); j.State != job.Done {
			t.Fatalf("the second job %s: %s", j.State, j.Summary)
		}
		h.codesWork(seeds)
		release()
		h.end(first) // which may find that its key is gone
		h.codesWork(seeds)
		h.rotate(true)
		h.codesWork(seeds)
	})
}

// TestAJobThatIsCutOffLosesNothing fails in the middle, at a seed, and is run again.
func TestAJobThatIsCutOffLosesNothing(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		old := h.sealed()
		n := 0
		h.seal = func(ctx context.Context, next secret.Sealer, ad, sealed []byte) ([]byte, error) {
			if n++; n == 2 {
				return nil, errors.New("the disk is full")
			}
			return next(ctx, ad, sealed)
		}
		before := h.status()
		j := h.end(h.start(root, true))
		if j.State != job.Failed || !strings.Contains(j.Summary, "still opens") {
			t.Errorf("the job %s: %s", j.State, j.Summary)
		}
		s := h.status()
		if s.Secret == before.Secret || len(s.Keys) != 2 || s.Keys[0].Generation != 1 || s.Keys[1].Generation != 2 || s.Holds[0].Values != 0 {
			t.Errorf("the status is %+v", s)
		}
		h.codesWork(seeds)
		fresh := h.Create(root, "fresh", "customer", "provider")
		_, seeds["fresh"], _ = h.Arm(fresh)
		h.seal = nil
		if said := h.rotate(true); !strings.Contains(said, "3 values for totp") {
			t.Errorf("the next job says %q", said)
		}
		if s := h.status(); len(s.Keys) != 1 || s.Keys[0].Generation != 3 || h.open(old) != 0 {
			t.Errorf("the status is %+v, and %d old seeds open", s, h.open(old))
		}
		h.codesWork(seeds)
	})
}

func TestAJobThatIsCancelledLosesNothing(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		arrived := make(chan struct{})
		h.seal = func(ctx context.Context, _ secret.Sealer, _, _ []byte) ([]byte, error) {
			close(arrived)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		id := h.start(root, true)
		<-arrived
		h.Bus.Cancel(id)
		if j := h.end(id); j.State != job.Failed || !strings.Contains(j.Summary, "cancelled") {
			t.Errorf("the job %s: %s", j.State, j.Summary)
		}
		h.codesWork(seeds)
		h.seal = nil
		h.rotate(true)
		h.codesWork(seeds)
	})
}

func credentials(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	if err := os.WriteFile(filepath.Join(dir, "hostward-secret"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestASecretKeyOfSystemdIsLeftAlone(t *testing.T) {
	each(t, credentials(t), func(t *testing.T, h *house, seeds map[string]string) {
		before := h.status()
		if !before.Credential {
			t.Fatalf("the status is %+v", before)
		}
		if said := h.rotate(false); !strings.Contains(said, "left alone") || !strings.Contains(said, "systemd") {
			t.Errorf("it says %q", said)
		}
		old := h.sealed()
		said := h.rotate(true)
		if s := h.status(); s.Secret != before.Secret || s.Keys[0].Generation != 2 || !strings.Contains(said, "left alone") || !strings.Contains(said, "2 values") || h.open(old) != 0 {
			t.Errorf("it says %q, the status is %+v", said, s)
		}
		if h.files()["secret.key"] != "" {
			t.Error("a secret key was written beside the credential")
		}
		h.codesWork(seeds)
	})
}

func TestAdoptNotesASecretKeyOnce(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, _ map[string]string) {
		adopt := func() (events int) {
			t.Helper()
			before := len(h.Leaves())
			if err := h.secrets.Adopt(t.Context(), h.Bus); err != nil {
				t.Fatal(err)
			}
			return len(h.Leaves()) - before
		}
		if n := adopt(); n != 1 { // the first start
			t.Errorf("the first key left %d records", n)
		}
		first := h.status()
		if h.Clock().Sub(first.Since) > time.Minute {
			t.Errorf("the status is %+v", first)
		}
		for range 2 {
			if n := adopt(); n != 0 {
				t.Errorf("the same key left %d records", n)
			}
		}
		_, id, err := h.Keeper.Rotate(t.Context()) // as who replaces it at the server
		if err != nil {
			t.Fatal(err)
		}
		if n := adopt(); n != 1 {
			t.Errorf("another key left %d records", n)
		}
		l := h.Last()
		if e := l.Events[0]; l.Actor.Kind != "system" || e.Name != "secret.changed" || *e.Fields[0].Old != first.Secret || *e.Fields[0].New != id {
			t.Errorf("recorded %+v", l)
		}
		h.rotate(true)
		if n := adopt(); n != 0 {
			t.Errorf("a key that the job noted left %d records", n)
		}
	})
}

func TestReplacingKeysIsForThePrimaryAdministratorWithAFreshProof(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, seeds map[string]string) {
		before := h.status().Secret
		for login, role := range map[string]string{"second": "additional administrator", "auditor": "auditor", "agency": "reseller", "another": "customer"} {
			a := h.Account(root, login, role, "provider")
			h.Refused(core.Denied, a, "secret.rotate", nil)
			h.Refused(core.Denied, a, "secret.note", input{"secret": "0123abcd"})
			if login == "agency" || login == "another" {
				h.Refused(core.Denied, a, "secret.status", nil)
			} else {
				h.Must(a, "secret.status", nil)
			}
		}
		boss := h.Strong("root", good, seeds["root"])
		stale := boss
		stale.Proof = h.Clock().Add(-16 * time.Minute)
		h.Refused(core.Unproved, stale, "secret.rotate", nil)
		h.Refused(core.Denied, boss, "secret.note", input{"secret": "0123abcd"})
		if _, err := h.Do(t.Context(), act.Call{Op: "secret.rotate", Actor: boss}); core.CodeOf(err) != core.Unconfirmed || err == nil {
			t.Errorf("unconfirmed it is %v", err)
		}
		if h.status().Secret != before {
			t.Fatal("the key was replaced")
		}
		if j := h.end(h.start(boss, false)); j.State != job.Done || j.Actor != boss.ID {
			t.Errorf("the job is %+v", j)
		}
	})
}

func TestNoKeyIsShownOrRecorded(t *testing.T) {
	each(t, "", func(t *testing.T, h *house, _ map[string]string) {
		files := h.files()
		h.rotate(true)
		kept := h.Everything()
		for _, all := range []map[string]string{files, h.files()} {
			if all["secret.key"] == "" {
				t.Fatal("the search looks at the wrong place")
			}
			for name, text := range all {
				if strings.HasSuffix(name, ".key") && (strings.Contains(kept, text) || strings.Contains(kept, base64.StdEncoding.EncodeToString([]byte(text)))) {
					t.Errorf("%s is kept in the database or the log", name)
				}
			}
		}
	})
}
