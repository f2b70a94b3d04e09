package house

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/text/unicode/norm"

	"hostward/internal/act"
	"hostward/internal/adapter/breach"
	"hostward/internal/adapter/passkey"
	"hostward/internal/adapter/strength"
	"hostward/internal/core"
	"hostward/internal/feature/access"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/login"
	"hostward/internal/feature/password"
	"hostward/internal/feature/secret"
	"hostward/internal/keeper"
)

// second joins factors with log-in, which has its own word for how one stands.
type second struct{ *factor.Factors }

func (s second) Standing(ctx context.Context, v *act.View, who act.Actor) (login.Standing, error) {
	x, err := s.Factors.Standing(ctx, v, who)
	return login.Standing(x), err
}

// passkeys joins WebAuthn with the feature that keeps passkeys. url returns where
// the panel is, "" for wherever a browser found it.
type passkeys struct{ url func() string }

var _ factor.Passkeys = passkeys{}

// party is the site whose passkeys are asked for. A passkey stays with its host
// name for ever, so the configured one comes first.
func (p passkeys) party(host string) (passkey.Party, error) {
	origin := "https://" + strings.TrimSuffix(strings.ToLower(host), ":443")
	name := hostname(host)
	if set := p.url(); set != "" {
		u, err := url.Parse(strings.ToLower(set))
		if err != nil {
			return passkey.Party{}, err
		}
		if name != u.Hostname() {
			return passkey.Party{}, core.Errorf(core.Conflict, "passkeys belong to %s: open the panel by that name", u.Hostname())
		}
		origin = "https://" + strings.TrimSuffix(u.Host, ":443")
	}
	party := passkey.Party{ID: name, Name: "Hostward " + name, Origins: []string{origin}}
	if party.Validate() != nil {
		return party, core.Errorf(core.Conflict, "browsers know passkeys for host names only: open the panel by its name, and set [panel] url in panel.ini")
	}
	return party, nil
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

func (p passkeys) Create(host string, challenge []byte, who act.Actor, have []string) (string, error) {
	party, err := p.party(host)
	if err != nil {
		return "", err
	}
	keys, err := decodeKeys(have)
	if err != nil {
		return "", err
	}
	options, err := party.Create(challenge, passkey.User{Handle: []byte(who.ID), Name: who.Name, Display: who.Name}, keys)
	return string(options), err
}

func (p passkeys) Created(host string, challenge []byte, _ act.Actor, response string) (handle, data string, err error) {
	party, err := p.party(host)
	if err != nil {
		return "", "", err
	}
	key, err := party.Created(challenge, []byte(response))
	if err != nil {
		return "", "", core.Wrap(core.Invalid, err, "the passkey was not made: "+err.Error())
	}
	b, err := json.Marshal(key)
	return keyID(key.ID), string(b), err
}

func (p passkeys) Ask(host string, challenge []byte, have []string) (string, error) {
	party, err := p.party(host)
	if err != nil {
		return "", err
	}
	if have == nil {
		options, err := party.AskAny(challenge)
		return string(options), err
	}
	keys, err := decodeKeys(have)
	if err != nil {
		return "", err
	}
	options, err := party.Ask(challenge, keys, true)
	if err != nil {
		err = core.Wrap(core.Conflict, err, "none of your passkeys was made for "+party.ID)
	}
	return string(options), err
}

func (passkeys) Claim(response string) (challenge []byte, handle string, err error) {
	c, err := passkey.Parse([]byte(response))
	if err != nil {
		return nil, "", core.Wrap(core.Invalid, err, "the passkey's answer cannot be read")
	}
	return c.Challenge, keyID(c.KeyID), nil
}

func (p passkeys) Answer(host string, challenge []byte, account, data, response string, nameless bool) (now string, err error) {
	party, err := p.party(host)
	if err != nil {
		return "", err
	}
	keys, err := decodeKeys([]string{data})
	if err != nil {
		return "", err
	}
	if c, err := passkey.Parse([]byte(response)); err == nil && nameless && c.Handle == nil {
		return "", core.Errorf(core.Unauthenticated, "this passkey does not say whose it is; log in with your name, and use it as a second factor")
	}
	key, _, err := party.Answer(challenge, keys[0], []byte(account), true, []byte(response))
	if err != nil {
		return "", core.Wrap(core.Unauthenticated, err, "the passkey does not prove who you are: "+err.Error())
	}
	b, err := json.Marshal(key)
	return string(b), err
}

func keyID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

func decodeKeys(data []string) ([]passkey.Key, error) {
	keys := make([]passkey.Key, len(data))
	for i, d := range data {
		if err := json.Unmarshal([]byte(d), &keys[i]); err != nil {
			return nil, fmt.Errorf("reading a kept passkey: %w", err)
		}
	}
	return keys, nil
}

// estimator joins the estimator with the policy of passwords: an estimate takes
// some milliseconds of a core, so few run at once and few wait.
func (h *House) estimator() func(ctx context.Context, password string, words []string) (password.Guess, error) {
	e := strength.New(max(runtime.GOMAXPROCS(0)/2, 1))
	var waiting atomic.Int64
	return func(ctx context.Context, text string, words []string) (password.Guess, error) {
		defer waiting.Add(-1)
		if waiting.Add(1) > mostEstimates {
			return password.Guess{}, core.Errorf(core.Throttled, "too many passwords are being judged right now; try again in a moment")
		}
		g, err := e.Estimate(ctx, text, append(words, h.context()...))
		return password.Guess{Score: g.Score, Guesses: g.Guesses, Common: g.Common, Why: g.Why, Advice: g.Advice}, err
	}
}

const mostEstimates = 16 // that run or wait

// context are the words by which this server is known.
func (h *House) context() []string {
	words := []string{"hostward"}
	if name, err := os.Hostname(); err == nil {
		words = append(words, name)
	}
	if u, err := url.Parse(h.policy.current().URL); err == nil {
		words = append(words, strings.Split(u.Hostname(), ".")...)
	}
	return words
}

// blocklist is the offline list of breached passwords that is loaded.
type blocklist struct {
	dir string
	now atomic.Pointer[breach.Filter]
}

// BlocklistDir is the folder of the data folder in which filters lie.
const BlocklistDir = "blocklist"

// inspect reads what a filter says about itself, and all of it.
func (b *blocklist) inspect(ctx context.Context, file string) (password.List, error) {
	f, err := breach.Open(filepath.Join(b.dir, file))
	if err != nil {
		return password.List{}, core.Wrap(core.Invalid, err, "there is no filter of breached passwords in this file: "+err.Error())
	}
	defer f.Close()
	if err := f.Verify(ctx); err != nil {
		return password.List{}, core.Wrap(core.Invalid, err, "the filter is not whole: "+err.Error())
	}
	i := f.Info()
	return password.List{File: file, Digest: i.Digest, Kind: i.Kind, Entries: i.Entries, Source: i.Source}, nil
}

// load brings the list into force that the database names.
func (b *blocklist) load(file, digest string) error {
	if b.loaded() == digest {
		return nil
	}
	var f *breach.Filter
	if file != "" {
		var err error
		if f, err = breach.Open(filepath.Join(b.dir, file)); err != nil {
			return err
		}
		if f.Info().Digest != digest {
			return errors.Join(fmt.Errorf("the filter %s is another than the one that was adopted", file), f.Close())
		}
	}
	if old := b.now.Swap(f); old != nil {
		return old.Close()
	}
	return nil
}

// loaded is the digest of the list in force, "" for none.
func (b *blocklist) loaded() string {
	if f := b.now.Load(); f != nil {
		return f.Info().Digest
	}
	return ""
}

// holds reports whether the list has a password. A list that cannot be read
// refuses none; the panel says that it is not in force.
func (b *blocklist) holds(text string) bool {
	f := b.now.Load()
	if f == nil {
		return false
	}
	found, err := f.Holds(norm.NFC.String(text))
	return err == nil && found
}

// sets keeps the set of networks of one version of the list.
type sets struct {
	now atomic.Pointer[versioned]
}

type versioned struct {
	version string
	set     *core.Networks
}

var _ access.Sets = (*sets)(nil)

func (s *sets) Get(version string) (*core.Networks, bool) {
	if now := s.now.Load(); now != nil && now.version == version {
		return now.set, true
	}
	return nil, false
}

func (s *sets) Put(version string, set *core.Networks) { s.now.Store(&versioned{version, set}) }

// keys joins the keeper with the feature that shows and replaces keys.
type keys struct{ keeper.Keeper }

var _ secret.Keys = keys{}

func (k keys) Status(ctx context.Context) (secret.Status, error) {
	s, err := k.Keeper.Status(ctx)
	out := secret.Status{Secret: s.Secret, Credential: s.Credential, Keys: []secret.Key{}}
	for _, x := range s.Keys {
		out.Keys = append(out.Keys, secret.Key{Purpose: string(x.Purpose), Generation: x.Generation, Written: x.Written})
	}
	return out, err
}

func (k keys) Renew(ctx context.Context, purpose string) (uint32, error) {
	return k.Keeper.Renew(ctx, keeper.Purpose(purpose))
}

func (k keys) Reseal(ctx context.Context, purpose string, ad, sealed []byte) ([]byte, error) {
	return k.Keeper.Reseal(ctx, keeper.Purpose(purpose), ad, sealed)
}

func (k keys) Retire(ctx context.Context, purpose string, before uint32) error {
	return k.Keeper.Retire(ctx, keeper.Purpose(purpose), before)
}

// object reads what somebody means by "zone:example.org" and holds it against what
// an account may reach; core.NotFound when there is none for it.
func (h *House) object(ctx context.Context, v *act.View, account, text string) (core.Ref, error) {
	name, id, _ := strings.Cut(text, ":")
	ref := core.Ref{Kind: name, ID: id}
	kind, ok := h.Registry.Kind(name)
	if !ok {
		return ref, core.Errorf(core.NotFound, "there is no kind of object %.40q", name)
	}
	var err error
	switch name {
	case "zone":
		ref.ID, err = h.features.zones.Resolve(ctx, v, id)
	case "account":
		ref.ID, err = h.features.accounts.Resolve(ctx, v, id)
	}
	if err != nil {
		return ref, err
	}
	owner, err := kind.Owner(ctx, v, ref.ID)
	if err != nil {
		return ref, err
	}
	who, _, err := h.features.accounts.Actor(ctx, v, account)
	if err != nil {
		return ref, err
	}
	return ref, h.reaches(ctx, v, who, owner)
}

func (h *House) reaches(ctx context.Context, v *act.View, who act.Actor, owner string) error {
	if who.Tenant == owner || who.Tenant == core.Provider {
		return nil
	}
	above, err := h.features.accounts.Scope(ctx, v, owner)
	for _, t := range above {
		if t == who.Tenant {
			return err
		}
	}
	if err == nil {
		err = core.Errorf(core.NotFound, "there is no such object")
	}
	return err
}

// action reports whether a scope's action names at least one operation.
func (h *House) action(action string) bool {
	if action == "*" || action == "read" {
		return true
	}
	prefix, wild := strings.CutSuffix(action, "*")
	for _, op := range h.Registry.Ops() {
		if op.Name == action || wild && strings.HasPrefix(op.Name, prefix) {
			return true
		}
	}
	return false
}
