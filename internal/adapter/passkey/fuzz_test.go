package passkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/adapter/passkey"
)

// seed adds good answers and those with one thing wrong.
func seed(f *testing.F, add func(answer []byte)) {
	for _, a := range answers(f) {
		add(a)
	}
	d := newDevice(p256Key())
	key := d.register(f)
	for _, b := range badLogIns() {
		add(d.get(f, ask(f, key), b.bend))
	}
	options := must[json.RawMessage](f)(site().Create(challenge(1), anna(), nil))
	for _, b := range badNew() {
		add(newDevice(p256Key()).create(f, options, b.bend))
	}
	for _, signer := range signers() {
		add(newDevice(signer).create(f, options))
	}
}

// FuzzParse holds that what is read is within its limits, or ErrMalformed.
func FuzzParse(f *testing.F) {
	seed(f, func(a []byte) { f.Add(a) })
	f.Fuzz(func(t *testing.T, answer []byte) {
		c, err := passkey.Parse(answer)
		if err != nil {
			if !errors.Is(err, passkey.ErrMalformed) || c.KeyID != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			return
		}
		if len(c.Challenge) < 32 || len(c.Challenge) > 64 || len(c.KeyID) < 1 || len(c.KeyID) > 1023 || len(c.Handle) > 64 ||
			len(c.Origin) > 512 || !strings.HasPrefix(c.Kind, "webauthn.") {
			t.Fatalf("%+v", c)
		}
	})
}

// parts takes an answer apart, so that the fuzzer need not know base64. What
// cannot be read is empty.
func parts(answer []byte) (client, made, signature, handle, id []byte) {
	var a struct {
		RawID    string
		Response struct{ ClientDataJSON, AttestationObject, AuthenticatorData, Signature, UserHandle string }
	}
	_ = json.Unmarshal(answer, &a)
	raw := func(text string) []byte {
		b, _ := base64.RawURLEncoding.DecodeString(text)
		return b
	}
	r := a.Response
	return raw(r.ClientDataJSON), raw(r.AttestationObject + r.AuthenticatorData), raw(r.Signature), raw(r.UserHandle), raw(a.RawID)
}

// FuzzAnswer holds that only a signature by the key, over data with the right
// party and flags, lets somebody in; and that the claim is what was proved.
func FuzzAnswer(f *testing.F) {
	d := newDevice(p256Key())
	d.count = 5
	key := d.register(f)
	d.count = 5
	good := d.get(f, ask(f, key))
	add := func(a []byte) {
		client, made, signature, handle, id := parts(a)
		f.Add(client, made, signature, handle, id)
	}
	add(good)
	seed(f, add)
	f.Fuzz(func(t *testing.T, client, made, signature, handle, id []byte) {
		answer := encodeJSON(t, map[string]any{"id": encode(id), "rawId": encode(id), "type": "public-key", "response": map[string]any{
			"clientDataJSON": encode(client), "authenticatorData": encode(made), "signature": encode(signature), "userHandle": encode(handle)}})
		next, verified, err := site().Answer(challenge(1), key, anna().Handle, true, answer)
		if err != nil {
			if !blamed(err) || next.ID != nil || verified {
				t.Fatalf("%+v: %v", next, err)
			}
			return
		}
		hash, party := sha256.Sum256(client), sha256.Sum256([]byte(key.Party))
		digest := sha256.Sum256(append(bytes.Clone(made), hash[:]...))
		if !ecdsa.VerifyASN1(&p256Key().PublicKey, digest[:], signature) || !bytes.HasPrefix(made, party[:]) || made[32]&5 != 5 || !verified || next.Count <= 5 {
			t.Fatalf("let in: %s", answer)
		}
		if c, err := passkey.Parse(answer); err != nil || !bytes.Equal(c.Challenge, challenge(1)) || !bytes.Equal(c.KeyID, key.ID) {
			t.Fatalf("%+v: %v", c, err)
		}
	})
}

// FuzzCreated holds that a key which is taken can be kept, and used without a
// panic, however odd its public key is.
func FuzzCreated(f *testing.F) {
	seed(f, func(a []byte) {
		client, made, _, _, id := parts(a)
		f.Add(client, made, id, []byte(`{"credProps":{"rk":true}}`), []byte(`["usb"]`))
	})
	login := answers(f)["webauthn.get"]
	f.Fuzz(func(t *testing.T, client, made, id, results, transports []byte) {
		if !json.Valid(results) || !json.Valid(transports) {
			return
		}
		answer := encodeJSON(t, map[string]any{"id": encode(id), "rawId": encode(id), "type": "public-key", "clientExtensionResults": json.RawMessage(results),
			"response": map[string]any{"clientDataJSON": encode(client), "attestationObject": encode(made), "transports": json.RawMessage(transports)}})
		key, err := site().Created(challenge(1), answer)
		if err != nil {
			if !blamed(err) || key.ID != nil {
				t.Fatalf("%+v: %v", key, err)
			}
			return
		}
		var kept passkey.Key
		if err := json.Unmarshal(encodeJSON(t, key), &kept); err != nil || !cmp.Equal(key, kept) || !key.Verified || key.Party != site().ID {
			t.Fatalf("%+v: %v", kept, err)
		}
		kept.ID = newDevice(p256Key()).id // as if the answer below were its own
		if _, _, err := site().Answer(challenge(1), kept, anna().Handle, true, login); err != nil && !blamed(err) {
			t.Fatal(err)
		}
	})
}
