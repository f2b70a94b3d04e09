package accounttest

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/login"
	"hostward/internal/keeper"
)

func raw(seed string) []byte {
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	if err != nil {
		panic(err)
	}
	return b
}

// Code is what an authenticator app shows at a time (RFC 6238, written anew here
// so that it is no echo of what is tested).
func Code(seed string, at time.Time) string {
	mac := hmac.New(sha1.New, raw(seed))
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// Code is what an app with the seed shows now, after the step has passed in which
// one was used last.
func (h *House) Code(seed string) string {
	h.Pass(30 * time.Second)
	return Code(seed, h.Clock())
}

// codes lets something happen between the look at a code and its use.
type codes struct {
	keeper.Keeper
	h *House
}

func (c codes) CheckTOTP(ctx context.Context, ad, sealed []byte, code core.Secret, now time.Time, last int64) (step int64, ok bool, err error) {
	c.h.happen(&c.h.first)
	step, ok, err = c.Keeper.CheckTOTP(ctx, ad, sealed, code, now, last)
	c.h.happen(&c.h.between)
	return step, ok, err
}

// happen calls what is to happen, once.
func (h *House) happen(what *func()) {
	h.mu.Lock()
	f := *what
	*what = nil
	h.mu.Unlock()
	if f != nil {
		f()
	}
}

func (c codes) NewTOTP(ctx context.Context, ad []byte) (sealed []byte, seed core.Secret, err error) {
	sealed, seed, err = c.Keeper.NewTOTP(ctx, ad)
	if f := c.h.Seeded; f != nil {
		f()
	}
	return sealed, seed, err
}

// Meanwhile has f happen once: after the next code was looked at, and before the
// operation that asked for it writes anything.
func (h *House) Meanwhile(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between = f
}

// First is Meanwhile, after the seed was read and before the code is looked at.
func (h *House) First(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first = f
}

// Arm gives who is in a session an authenticator app, and returns its seed, the
// recovery codes, and who he is in the session's new token.
func (h *House) Arm(a act.Actor) (armed act.Actor, seed string, codes []string) {
	h.T.Helper()
	seed = h.Must(a, "totp.begin", nil).Output.(factor.Begun).Secret
	out := h.Must(a, "totp.confirm", Input{"code": Code(seed, h.Clock())}).Output.(factor.Confirmed)
	token, _ := out.OpensSession()
	return h.Inside(token), seed, out.Codes
}

// Strong logs in an account that has an app.
func (h *House) Strong(name, password, seed string) act.Actor {
	h.T.Helper()
	return h.Second(h.Inside(h.Token(name, password)), Input{"code": h.Code(seed)})
}

// Second shows a second factor and returns who is in the session then.
func (h *House) Second(a act.Actor, proof Input) act.Actor {
	h.T.Helper()
	return h.Inside(h.Must(a, "login.factor", proof).Output.(login.Entered).Token)
}

// Browser plays browser and authenticator: its options are the challenge, its
// answers say what they are. It signs nothing.
type Browser struct{}

// Answer is what Browser sends for options, with the passkey of that handle.
func Answer(options, handle string) string {
	var o struct{ Challenge string }
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		panic(err)
	}
	return o.Challenge + " " + handle
}

func options(challenge []byte) (string, error) {
	b, err := json.Marshal(map[string]string{"challenge": base64.RawURLEncoding.EncodeToString(challenge)})
	return string(b), err
}

// Create implements factor.Passkeys.
func (Browser) Create(_ string, challenge []byte, _ act.Actor, _ []string) (string, error) {
	return options(challenge)
}

// Created implements factor.Passkeys.
func (b Browser) Created(_ string, challenge []byte, who act.Actor, response string) (handle, data string, err error) {
	_, handle, err = b.Claim(response)
	return handle, who.ID, err
}

// Ask implements factor.Passkeys.
func (Browser) Ask(_ string, challenge []byte, _ []string) (string, error) { return options(challenge) }

// Claim implements factor.Passkeys.
func (Browser) Claim(response string) (challenge []byte, handle string, err error) {
	text, handle, _ := strings.Cut(response, " ")
	challenge, err = base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		err = core.Wrap(core.Invalid, err, "the answer cannot be read")
	}
	return challenge, handle, err
}

// Answer implements factor.Passkeys: a passkey answers for its owner alone.
func (Browser) Answer(_ string, _ []byte, account, data, _ string, _ bool) (string, error) {
	if data != account {
		return "", core.Errorf(core.Unauthenticated, "the passkey is somebody else's")
	}
	return data, nil
}

var _ factor.Passkeys = Browser{}
