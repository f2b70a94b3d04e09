package login

import (
	"context"
	"embed"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Accounts is what log-in needs to know about accounts.
type Accounts interface {
	// Lookup returns the id of the account with a log-in name, "" for none.
	Lookup(ctx context.Context, v *act.View, login string) (string, error)
	// Actor returns the account as an actor without door and address, and
	// whether it is open.
	Actor(ctx context.Context, v *act.View, id string) (who act.Actor, open bool, err error)
	// Words returns the names by which somebody would know the account.
	Words(ctx context.Context, v *act.View, id string) ([]string, error)
	// Address returns the account's e-mail address, "" for none.
	Address(ctx context.Context, v *act.View, id string) (string, error)
	// Owner returns the tenant that owns the account.
	Owner(ctx context.Context, v *act.View, id string) (string, error)
	// Resolve returns the id that the caller means by an id or a log-in name.
	Resolve(ctx context.Context, v *act.View, word string) (string, error)
	// Visible returns core.NotFound when the caller may not see the account.
	Visible(ctx context.Context, v *act.View, id string) error
	// Manages returns core.Denied when the caller may not let somebody in as
	// the account or end its sessions.
	Manages(ctx context.Context, v *act.View, id string) error
	// HasFirst reports whether there is a primary administrator.
	HasFirst(ctx context.Context, v *act.View) (bool, error)
	// First creates the primary administrator, once, and records account.created.
	First(ctx context.Context, tx *act.Tx, login, name string) (id string, err error)
	// CheckLogin notes what is wrong with a new log-in name.
	CheckLogin(f *core.Faults, field, login string)
}

// Hasher is what log-in needs of the keeper. Both verbs take some 30 ms and
// bring a password into one Unicode form (NFC) first. lane says for whom they
// wait; known ones do not wait behind strangers.
type Hasher interface {
	// HashPassword returns the argon2id hash as a PHC string.
	HashPassword(ctx context.Context, lane string, known bool, password core.Secret) (phc string, err error)
	// CheckPassword reports whether password is the one that was hashed, and
	// whether the hash was made with other costs than today's. An empty phc
	// stands for nobody: the answer is no, after the same time.
	CheckPassword(ctx context.Context, lane string, known bool, phc string, password core.Secret) (ok, rehash bool, err error)
}

// Policy says what is asked of passwords.
type Policy interface {
	// Demand says in one word what is asked now.
	Demand(ctx context.Context, v *act.View) (string, error)
	// Fault says why a password is not accepted, "" when it is; second: it stands
	// beside a second factor. It reads nothing.
	Fault(ctx context.Context, demand string, password core.Secret, second bool, words ...string) (string, error)
}

// Standing is how an account stands with second factors.
type Standing struct {
	Has    bool      // it has one
	Needed bool      // it must have one, now
	Due    time.Time // by when it must; zero: it need not
	Reset  bool      // its factors were reset: a link is asked for before it gets a new one
}

// Factors are second factors and passkeys.
type Factors interface {
	Standing(ctx context.Context, v *act.View, who act.Actor) (Standing, error)
	// Methods are the ways in which an account can prove itself.
	Methods(ctx context.Context, v *act.View, account string) ([]string, error)
	// Challenge returns what a browser needs to answer with a passkey of the
	// account, or of anybody for "".
	Challenge(ctx context.Context, v *act.View, account string) (options string, err error)
	// Check judges a code or a passkey's answer; hand what it found to Use.
	// core.Unauthenticated: it is wrong.
	Check(ctx context.Context, v *act.View, account string, code core.Secret, passkey string) (found any, err error)
	// Arrive judges the answer of a passkey of anybody, and says whose it is.
	Arrive(ctx context.Context, v *act.View, passkey string) (account string, found any, err error)
	// Use uses up what was found. core.Unauthenticated: somebody else did.
	Use(ctx context.Context, tx *act.Tx, account string, found any) error
	// Uses names the events that Use may record.
	Uses() []string
}

// Notices tells people what was done about their accounts.
type Notices interface {
	Tell(ctx context.Context, tx *act.Tx, account, subject, text string) error
	// Queue has a letter sent that this feature writes when it goes out; to the
	// account "" nothing is sent.
	Queue(ctx context.Context, tx *act.Tx, account, about string) error
	// Tells names the events that both may record.
	Tells() []string
}

// Failure is one failed attempt, for a ban filter. It is told when the attempt
// has failed, before its record is committed: a full disk must not blind the
// filter.
type Failure struct {
	Time    time.Time
	Door    string
	Address string
	Account string // "" when nobody has this log-in name; the name itself is not kept
	Why     string // "password", "name", "closed", "throttled", "factor", "passkey"
}

// Ports are what the feature is joined with; only Report may be nil.
type Ports struct {
	Accounts Accounts
	Hasher   Hasher
	Policy   Policy
	Factors  Factors
	Notices  Notices
	// Admit returns core.Denied when an account may not act from where it is (SPEC A1).
	Admit func(ctx context.Context, v *act.View, a act.Actor) error
	// Mails reports whether the server may send mail.
	Mails  func() bool
	Report func(Failure)
}

// Login is the feature.
type Login struct{ Ports }

// New makes the feature.
func New(p Ports) *Login { return &Login{p} }

//go:embed sql
var migrations embed.FS

// Feature declares it.
func (l *Login) Feature() act.Feature {
	return act.Feature{Name: "login", SQL: migrations, Pages: pages(), Kinds: l.kinds(), Ops: []act.Declaration{
		l.ready(), l.enter(), l.challenge(), l.passkey(), l.step(), l.factor(), l.link(), l.forgot(), l.recovery(),
		l.offer(), l.setup(), l.init(), l.invite(), l.claim(),
		l.list(), l.end(), l.revoke(), l.clear(), l.purge(), l.resolve(), l.renew(), l.sweep(), l.prove(), l.act(), l.leave(),
		l.change(), l.devices(), l.forget(), l.showLimits(), l.setLimits(), l.enclose(),
	}}
}

const (
	class = "authentication"
	proof = 15 * time.Minute // how fresh a proof must be for what opens doors
)

var serves = []string{"2690:11.6"}

func (l *Login) kinds() []act.Kind {
	return []act.Kind{
		{Name: "credential", Title: "Passwords", Owner: l.Accounts.Owner, Digest: credentialDigest, IDs: credentialIDs},
		{Name: "session", Title: "Sessions", Owner: l.sessionOwner, Digest: sessionDigest, IDs: sessionIDs},
		{Name: "device", Title: "Known devices", Owner: l.deviceOwner, Digest: deviceDigest, IDs: deviceIDs},
		{Name: "setup", Title: "One-time links", Owner: l.setupOwner, Digest: setupDigest, IDs: setupIDs},
		{Name: "limits", Title: "Limits of log-in", Path: "/security-policy", Owner: ofProvider, Digest: limitsDigest, IDs: limitsIDs},
		{Name: "throttle", Title: "Throttles", Owner: ofProvider, Digest: throttleDigest, IDs: throttleIDs},
	}
}

func ofProvider(context.Context, *act.View, string) (string, error) { return core.Provider, nil }

func credentialDigest(ctx context.Context, v *act.View, account string) (string, error) {
	c, found, err := credentialOf(ctx, v, account)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(credentialState{c.account, c.phc, c.changed, c.failures, c.failed, c.judged, c.weak})
}

func (l *Login) sessionOwner(ctx context.Context, v *act.View, id string) (string, error) {
	s, err := sessionByID(ctx, v, id)
	if err != nil {
		return "", err
	}
	return l.Accounts.Owner(ctx, v, s.Account)
}

func sessionDigest(ctx context.Context, v *act.View, id string) (string, error) {
	s, err := sessionByID(ctx, v, id)
	if core.CodeOf(err) == core.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	method := s.Method
	if method == byPassword {
		method = ""
	}
	return act.DigestOf(sessionState{s.ID, s.Account, s.hash, core.Micros(s.Started), core.Micros(s.Seen), s.idle.Microseconds(), core.Micros(s.Expires),
		method, core.Micros(s.proved), s.strong, s.linked, s.Acting})
}

func (l *Login) setupOwner(ctx context.Context, v *act.View, id string) (string, error) {
	s, found, err := setupByID(ctx, v, id)
	switch {
	case err != nil:
		return "", err
	case !found:
		return "", core.Errorf(core.NotFound, "there is no link %q", clip(id))
	case s.account == "":
		return core.Provider, nil
	}
	return l.Accounts.Owner(ctx, v, s.account)
}

func setupDigest(ctx context.Context, v *act.View, id string) (string, error) {
	s, found, err := setupByID(ctx, v, id)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(setupState{s.id, s.account, s.hash, core.Micros(s.created), core.Micros(s.expires), core.Micros(s.used), s.purpose})
}

// What is remembered about failures has no state that anybody needs proved:
// the failures themselves are records.
func throttleDigest(context.Context, *act.View, string) (string, error) { return "-", nil }
func throttleIDs(context.Context, *act.View) ([]string, error)          { return nil, nil }

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

// Ends names the events that End may record.
func (l *Login) Ends() []string {
	return []string{"session.ended", "session.left", "setup.ended", "credential.removed", "device.ended", "throttle.cleared"}
}

// End closes every session and link of an account, has nobody act as it any more,
// and with forever removes its password and its devices.
func (l *Login) End(ctx context.Context, tx *act.Tx, account string, forever bool) error {
	if err := l.endSessions(ctx, tx, account, ""); err != nil {
		return err
	}
	if err := endActing(ctx, tx, account); err != nil {
		return err
	}
	if err := endSetups(ctx, tx, account, func(s setup) bool { return forever || s.check(tx.Now()) == nil }); err != nil || !forever {
		return err
	}
	if err := firstOf(endDevices(ctx, tx, account), forgive(ctx, tx, factorKey(account))); err != nil {
		return err
	}
	if _, found, err := credentialOf(ctx, &tx.View, account); err != nil || !found {
		return err
	}
	if err := tx.Record(ctx, "credential.removed", credentialRef(account), act.Field{Name: "password", Secret: true}); err != nil {
		return err
	}
	_, err := deleteCredential(ctx, tx, account)
	return err
}
