package keeper

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"hostward/internal/core"
)

// One-time codes as every authenticator app makes them (RFC 6238): SHA-1, six
// digits, a step of 30 s. The seed has the 160 bits that RFC 4226 4 asks for.
const (
	totpSeed = 20
	totpStep = 30 * time.Second
)

// stepsBack is how many steps a code may be old: one, for the time it takes to
// type and send it (RFC 6238 5.2).
const stepsBack = 1

// NewTOTP implements Keeper.
func (k *local) NewTOTP(ctx context.Context, ad []byte) (sealed []byte, seed core.Secret, err error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, seed, err
	}
	defer leave()
	raw := make([]byte, totpSeed)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	defer clear(raw)
	sealed, err = k.seal(TOTP, ad, raw)
	return sealed, core.NewSecret(seedText(raw)), err
}

func seedText(raw []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
}

// CheckTOTP implements Keeper.
func (k *local) CheckTOTP(ctx context.Context, ad, sealed []byte, code core.Secret, now time.Time, last int64) (step int64, ok bool, err error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return 0, false, err
	}
	defer leave()
	raw, err := k.data.open(TOTP, ad, sealed)
	if err != nil {
		return 0, false, err
	}
	defer clear(raw)
	typed := []byte(strings.Join(strings.Fields(code.Reveal()), ""))
	for n := range int64(stepsBack + 1) {
		at := now.Unix()/int64(totpStep/time.Second) - n
		want, err := codeAt(raw, at)
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare(typed, []byte(want)) == 1 && at > last {
			step, ok = at, true
		}
	}
	return step, ok, nil
}

func codeAt(seed []byte, step int64) (string, error) {
	return hotp.GenerateCodeCustom(seedText(seed), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}
