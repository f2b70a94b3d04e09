package factor

import (
	"context"
	"encoding/base64"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// challengeLife is how long a browser may take to answer.
const challengeLife = 5 * time.Minute

var errWrong = core.Errorf(core.Unauthenticated, "this is not right, or it was used before")

// Check holds a code, a recovery code or the answer of a passkey against what an
// account has. It uses nothing up: hand what it returns to Use, in the
// transaction that lets somebody in. core.Unauthenticated: it is wrong.
func (f *Factors) Check(ctx context.Context, v *act.View, account string, code core.Secret, passkey string) (any, error) {
	switch {
	case passkey != "":
		return f.checkPasskey(ctx, v, passkey, account, "prove")
	case len(squeezed(code)) > 6:
		return f.checkRecovery(ctx, v, account, code)
	}
	return f.checkCode(ctx, v, account, code)
}

// checkCode leaves to Use what it cannot judge: since this view began, the seed may
// have been sealed again and the key destroyed under which it was before.
func (f *Factors) checkCode(ctx context.Context, v *act.View, account string, code core.Secret) (any, error) {
	p, err := f.judge(ctx, v, account, code)
	if err != nil && core.CodeOf(err) == core.Internal && p.app.sealed != "" {
		return proof{app: p.app, code: code}, nil
	}
	return p, err
}

func (f *Factors) judge(ctx context.Context, v *act.View, account string, code core.Secret) (p proof, err error) {
	if p.app, _, err = appOf(ctx, v, account); err != nil || p.app.sealed == "" {
		return p, orWrong(err)
	}
	ok := false
	if p.step, ok, err = f.holds(ctx, v, account, p.app.sealed, code, p.app.last); err != nil || !ok {
		return p, orWrong(err)
	}
	return p, nil
}

func orWrong(err error) error {
	if err == nil {
		err = errWrong
	}
	return err
}

// holds asks the keeper about a code.
func (f *Factors) holds(ctx context.Context, v *act.View, account, sealed string, code core.Secret, last int64) (int64, bool, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return 0, false, err
	}
	return f.Codes.CheckTOTP(ctx, ad(account), raw, code, v.Now(), last)
}

func (f *Factors) checkRecovery(ctx context.Context, v *act.View, account string, code core.Secret) (any, error) {
	have, err := codesOf(ctx, v, account)
	if err != nil {
		return nil, err
	}
	hash := hashOf(code)
	for _, h := range have.Hashes {
		if h == hash { // of random codes: how long a comparison takes says nothing
			return proof{recovery: hash}, nil
		}
	}
	return nil, errWrong
}

// checkPasskey judges an answer. account "" takes whose the passkey is.
func (f *Factors) checkPasskey(ctx context.Context, v *act.View, response, account, use string) (proof, error) {
	challenge, handle, err := f.Passkeys.Claim(response)
	if err != nil {
		return proof{}, err
	}
	p, err := passkeyByHandle(ctx, v, handle)
	if core.CodeOf(err) == core.NotFound && err != nil || err == nil && account != "" && p.account != account {
		return proof{}, core.Errorf(core.Unauthenticated, "this passkey is not known here; it may have been removed")
	}
	if err != nil {
		return proof{}, err
	}
	issued, ok, err := f.Codes.CheckTicket(ctx, use, []byte(account), challenge, v.Now(), challengeLife)
	if err != nil || !ok || !issued.After(p.asked) {
		return proof{}, orLate(err)
	}
	if p.data, err = f.Passkeys.Answer(v.Actor().Host, challenge, p.account, p.data, response, account == ""); err != nil {
		return proof{}, err
	}
	p.asked = issued
	return proof{passkey: p}, nil
}

func orLate(err error) error {
	if err == nil {
		err = core.Errorf(core.Unauthenticated, "the passkey's answer came too late, or was used before; try again")
	}
	return err
}

// Arrive is Check for somebody who has only a passkey and says no name. It
// returns whose passkey it is.
func (f *Factors) Arrive(ctx context.Context, v *act.View, passkey string) (account string, found any, err error) {
	p, err := f.checkPasskey(ctx, v, passkey, "", "arrive")
	return p.passkey.account, p, err
}

// Challenge returns what a browser needs to answer Check with a passkey of an
// account, or with account "" to Arrive.
func (f *Factors) Challenge(ctx context.Context, v *act.View, account string) (options string, err error) {
	use, have := "arrive", []string(nil)
	if account != "" {
		use = "prove"
		list, err := passkeysOf(ctx, v, account)
		if err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "", core.Errorf(core.Conflict, "you have no passkey here yet")
		}
		for _, p := range list {
			have = append(have, p.data)
		}
	}
	ticket, err := f.Codes.Ticket(ctx, use, []byte(account), v.Now())
	if err != nil {
		return "", err
	}
	return f.Passkeys.Ask(v.Actor().Host, ticket, have)
}

// Uses names the events that Use may record.
func (f *Factors) Uses() []string { return []string{"totp.used", "recovery.used", "passkey.used"} }

// Use uses up what Check found for the account. core.Unauthenticated: somebody
// else did.
func (f *Factors) Use(ctx context.Context, tx *act.Tx, account string, found any) error {
	p, _ := found.(proof)
	switch {
	case p.recovery != "":
		return useRecovery(ctx, tx, account, p.recovery)
	case p.passkey.account == account:
		return usePasskey(ctx, tx, p.passkey)
	case p.app.account == account:
		return f.useStep(ctx, tx, p)
	}
	return errWrong
}

func (f *Factors) useStep(ctx context.Context, tx *act.Tx, p proof) (err error) {
	if !p.code.Empty() {
		if p, err = f.judge(ctx, &tx.View, p.app.account, p.code); err != nil {
			return err
		}
	}
	ok, err := spendStep(ctx, tx, p.app, p.step)
	if err != nil || !ok {
		return orWrong(err)
	}
	return tx.Record(ctx, "totp.used", p.app.ref())
}

func useRecovery(ctx context.Context, tx *act.Tx, account, hash string) error {
	ok, err := spendCode(ctx, tx, account, hash)
	if err != nil || !ok {
		return orWrong(err)
	}
	return tx.Record(ctx, "recovery.used", core.Ref{Kind: "recovery", ID: account}, act.Field{Name: "code", Secret: true})
}

func usePasskey(ctx context.Context, tx *act.Tx, p Passkey) error {
	ok, err := spendPasskey(ctx, tx, p)
	if err != nil || !ok {
		return orLate(err)
	}
	return tx.Record(ctx, "passkey.used", p.ref())
}

// Methods are the ways in which an account can prove itself: "app", "passkey",
// "recovery".
func (f *Factors) Methods(ctx context.Context, v *act.View, account string) (methods []string, err error) {
	a, _, err := appOf(ctx, v, account)
	if err != nil {
		return nil, err
	}
	keys, err := passkeysOf(ctx, v, account)
	if err != nil {
		return nil, err
	}
	codes, err := codesOf(ctx, v, account)
	for _, m := range []struct {
		has  bool
		name string
	}{{len(keys) > 0, "passkey"}, {a.sealed != "", "app"}, {len(codes.Hashes) > 0, "recovery"}} {
		if m.has {
			methods = append(methods, m.name)
		}
	}
	return methods, err
}
