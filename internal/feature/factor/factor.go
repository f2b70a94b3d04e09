package factor

import (
	"context"
	"embed"
	"slices"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Accounts is what factors need to know about accounts.
type Accounts interface {
	// Actor returns the account as an actor without door and address, and whether
	// it is open.
	Actor(ctx context.Context, v *act.View, id string) (who act.Actor, open bool, err error)
	// Made returns when the account was made.
	Made(ctx context.Context, v *act.View, id string) (time.Time, error)
	// Owner returns the tenant that owns the account.
	Owner(ctx context.Context, v *act.View, id string) (string, error)
	// Resolve returns the id that the caller means by an id or a log-in name.
	Resolve(ctx context.Context, v *act.View, word string) (string, error)
	// Manages returns core.Denied when the caller may not let somebody in as the account.
	Manages(ctx context.Context, v *act.View, id string) error
	// Everyone calls yield for every open account.
	Everyone(ctx context.Context, v *act.View, yield func(who act.Actor, made time.Time)) error
}

// Door is what factors need of log-in.
type Door interface {
	// Live reports whether a session id is that of a live session of the account.
	Live(ctx context.Context, v *act.View, account, session string) (bool, error)
	// Prove notes that who is in the session has just shown a second factor, and
	// gives the session another token, so that one from before opens nothing.
	Prove(ctx context.Context, tx *act.Tx, session string) (token core.Secret, until time.Time, err error)
	// Proves names the events that Prove may record.
	Proves() []string
	// Ends and End close what is open for an account.
	Ends() []string
	End(ctx context.Context, tx *act.Tx, account string, forever bool) error
	// Enrolment makes a one-time link with which an account gets to set up a new
	// factor; Enrols names the events it may record.
	Enrolment(ctx context.Context, tx *act.Tx, account string) (link string, until time.Time, err error)
	Enrols() []string
}

// Tokens are the API tokens of accounts. Ends and End close what is open for one.
type Tokens interface {
	Ends() []string
	End(ctx context.Context, tx *act.Tx, account string, forever bool) error
}

// Codes is what factors need of the keeper.
type Codes interface {
	NewTOTP(ctx context.Context, ad []byte) (sealed []byte, seed core.Secret, err error)
	CheckTOTP(ctx context.Context, ad, sealed []byte, code core.Secret, now time.Time, last int64) (step int64, ok bool, err error)
	Ticket(ctx context.Context, use string, ad []byte, now time.Time) ([]byte, error)
	CheckTicket(ctx context.Context, use string, ad, ticket []byte, now time.Time, life time.Duration) (issued time.Time, ok bool, err error)
}

// Passkeys is WebAuthn. host is the host and port that the browser called; data
// is a passkey as it is kept, in a form that only this port knows.
type Passkeys interface {
	// Create returns what a browser needs to make a passkey: JSON for
	// PublicKeyCredential.parseCreationOptionsFromJSON.
	Create(host string, challenge []byte, who act.Actor, have []string) (options string, err error)
	// Created checks the browser's answer and returns the new passkey.
	Created(host string, challenge []byte, who act.Actor, response string) (handle, data string, err error)
	// Ask returns what a browser needs to use a passkey: of those it has, or any.
	Ask(host string, challenge []byte, have []string) (options string, err error)
	// Claim reads which challenge and which passkey an answer speaks of, and judges nothing.
	Claim(response string) (challenge []byte, handle string, err error)
	// Answer checks an answer of the account's passkey, with PIN or biometrics, and
	// returns the passkey as it is to be kept now. nameless: nobody said whose it is,
	// so the answer must (WebAuthn 7.2 step 6).
	Answer(host string, challenge []byte, account, data, response string, nameless bool) (now string, err error)
}

// Notices tells people what was done about their accounts.
type Notices interface {
	Tell(ctx context.Context, tx *act.Tx, account, subject, text string) error
	Tells() []string
}

// Ports are what the feature is joined with; none may be nil.
type Ports struct {
	Accounts Accounts
	Codes    Codes
	Passkeys Passkeys
	Notices  Notices
	// Seal seals a seed that came in base32 from elsewhere.
	Seal   func(ctx context.Context, ad []byte, seed core.Secret) (sealed []byte, err error)
	NIS2   func() bool   // whether the NIS2 mode is on
	Issuer func() string // what an app calls this panel
}

// Factors is the feature.
type Factors struct {
	Ports
	door   Door
	tokens Tokens
}

// New makes the feature. Join comes before Feature.
func New(p Ports) *Factors { return &Factors{Ports: p} }

// Join says which feature lets people in, and which programs.
func (f *Factors) Join(d Door, t Tokens) { f.door, f.tokens = d, t }

//go:embed sql
var migrations embed.FS

const (
	class   = "authentication"
	proof15 = 15 * time.Minute
	enrol   = "enrol" // the step at which somebody sets up his first factor
)

var serves = []string{"2690:11.3.2", "2690:11.7"}

// Feature declares it.
func (f *Factors) Feature() act.Feature {
	return act.Feature{Name: "factor", SQL: migrations, Pages: pages(), Kinds: f.kinds(), Ops: []act.Declaration{
		f.list(), f.begin(), f.confirm(), f.removeTOTP(), f.offer(), f.add(), f.removeKey(), f.renew(), f.reset(),
		f.show(), f.set(), f.reseal(), f.enclose(),
	}}
}

func (f *Factors) kinds() []act.Kind {
	owner := f.Accounts.Owner
	return []act.Kind{
		{Name: "totp", Title: "Authenticator apps", Owner: owner, Digest: totpDigest, IDs: totpIDs},
		{Name: "passkey", Title: "Passkeys", Owner: f.passkeyOwner, Digest: passkeyDigest, IDs: passkeyIDs},
		{Name: "recovery", Title: "Recovery codes", Owner: owner, Digest: recoveryDigest, IDs: recoveryIDs},
		{Name: "factor", Title: "Reset factors", Owner: owner, Digest: resetDigest, IDs: resetIDs},
		{Name: "mfa", Title: "Second factors", Path: "/security-policy",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: policyDigest, IDs: policyIDs},
	}
}

func (f *Factors) passkeyOwner(ctx context.Context, v *act.View, id string) (string, error) {
	p, err := passkeyByID(ctx, v, id)
	if err != nil {
		return "", err
	}
	return f.Accounts.Owner(ctx, v, p.account)
}

// Ends names the events that End may record.
func (f *Factors) Ends() []string {
	return []string{"totp.removed", "passkey.removed", "recovery.removed", "factor.ended"}
}

// End removes every factor of an account that goes for ever.
func (f *Factors) End(ctx context.Context, tx *act.Tx, account string, forever bool) error {
	if !forever {
		return nil
	}
	if err := strip(ctx, tx, account); err != nil {
		return err
	}
	return f.restored(ctx, tx, account, "factor.ended")
}

// strip removes all factors of an account.
func strip(ctx context.Context, tx *act.Tx, account string) error {
	a, found, err := appOf(ctx, &tx.View, account)
	if err != nil {
		return err
	}
	if found {
		if err := dropApp(ctx, tx, a); err != nil {
			return err
		}
	}
	list, err := passkeysOf(ctx, &tx.View, account)
	for _, p := range list {
		if err == nil {
			err = dropPasskey(ctx, tx, p)
		}
	}
	if err != nil {
		return err
	}
	return dropCodes(ctx, tx, account)
}

func dropApp(ctx context.Context, tx *act.Tx, a app) error {
	if err := tx.Record(ctx, "totp.removed", a.ref(), act.Field{Name: "seed", Secret: true}); err != nil {
		return err
	}
	return removeApp(ctx, tx, a.account)
}

func dropPasskey(ctx context.Context, tx *act.Tx, p Passkey) error {
	if err := tx.Record(ctx, "passkey.removed", p.ref(), act.Diff(p, nil)...); err != nil {
		return err
	}
	return removePasskey(ctx, tx, p.ID)
}

func dropCodes(ctx context.Context, tx *act.Tx, account string) error {
	gone, err := removeCodes(ctx, tx, account)
	if err != nil || gone == 0 {
		return err
	}
	return tx.Record(ctx, "recovery.removed", core.Ref{Kind: "recovery", ID: account}, act.Field{Name: "codes", Secret: true})
}

// restored forgets that the factors of an account were reset.
func (f *Factors) restored(ctx context.Context, tx *act.Tx, account, event string) error {
	_, found, err := resetAt(ctx, &tx.View, account)
	if err != nil || !found {
		return err
	}
	if err := tx.Record(ctx, event, core.Ref{Kind: "factor", ID: account}); err != nil {
		return err
	}
	_, err = removeReset(ctx, tx, account)
	return err
}

// inSession wants a person in a session of his own: a token or root changes no
// factors, and neither does who acts as somebody else.
func (f *Factors) inSession(ctx context.Context, v *act.View) (account string, err error) {
	me := v.Actor()
	if me.Kind != "account" || me.By != nil || me.Grants != nil {
		return "", core.Errorf(core.Denied, "a second factor is set up by its owner, in a session of his own")
	}
	live, err := f.door.Live(ctx, v, me.ID, me.Session)
	if err == nil && !live {
		err = core.Errorf(core.Denied, "a second factor is set up in a session, after logging in")
	}
	return me.ID, err
}

// own aims at the caller's own account.
func own[I any](_ context.Context, v *act.View, _ *I) (core.Ref, error) {
	if v.Actor().Kind != "account" {
		return core.Ref{}, core.Errorf(core.Denied, "you have no account here; a factor belongs to one")
	}
	return core.Ref{Kind: "account", ID: v.Actor().ID}, nil
}

// Standing is how an account stands with second factors.
type Standing struct {
	Has    bool      // it has one
	Needed bool      // it must have one, now
	Due    time.Time // by when it must; zero: it need not
	Reset  bool      // its factors were reset: a link is asked for before it gets a new one
}

// Standing says it for the account of an actor.
func (f *Factors) Standing(ctx context.Context, v *act.View, who act.Actor) (s Standing, err error) {
	n, reset, err := counted(ctx, v, who.ID)
	if err != nil {
		return s, err
	}
	s.Has, s.Reset = n > 0, reset
	rule, err := f.rule(ctx, v, who.Role)
	if err != nil || !rule.Required {
		s.Needed = s.Reset && !s.Has
		return s, err
	}
	made, err := f.Accounts.Made(ctx, v, who.ID)
	s.Due = rule.due(made)
	s.Needed = s.Reset && !s.Has || !v.Now().Before(s.Due)
	return s, err
}

// Lacks reports whether an account must have a second factor now and has none.
func (f *Factors) Lacks(ctx context.Context, v *act.View, who act.Actor) (bool, error) {
	s, err := f.Standing(ctx, v, who)
	return s.Needed && !s.Has, err
}

// rule is the rule in force for a role.
func (f *Factors) rule(ctx context.Context, v *act.View, r act.Role) (Rule, error) {
	list, err := f.inForce(ctx, v)
	i := slices.IndexFunc(list, func(x Rule) bool { return x.Group == groupOf(r) })
	if err != nil || i < 0 {
		return Rule{}, err
	}
	return list[i], nil
}

// inForce are the rules with what the NIS2 mode adds: administrators must, and
// auditors, who see what they see.
func (f *Factors) inForce(ctx context.Context, v *act.View) ([]Rule, error) {
	list, err := rules(ctx, v)
	for i := range list {
		if r := &list[i]; f.NIS2() && (r.Group == "administrators" || r.Group == "auditors") {
			r.Required, r.Mode = true, true
		}
	}
	return list, err
}
