package passkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
)

// Ask returns what to ask a browser for a proof by one of the keys, as JSON for
// PublicKeyCredential.parseRequestOptionsFromJSON. With verification the user
// has to give PIN or biometrics; without it the authenticator may ask for them,
// and Answer tells whether it did. Keys of another party are left out.
//
// Errors are faults of the arguments, among them that no key is left: to a
// browser an empty list would mean any key.
func (p Party) Ask(challenge []byte, allow []Key, verification bool) (json.RawMessage, error) {
	keys := p.ours(allow)
	if len(keys) == 0 {
		return nil, fmt.Errorf("asking for a passkey: none of %d is for %q", len(allow), p.ID)
	}
	return p.ask(challenge, keys, verification)
}

// AskAny is like Ask for any passkey of this site: a log-in without a name. The
// user is always to be verified, since the passkey is all there is.
func (p Party) AskAny(challenge []byte) (json.RawMessage, error) { return p.ask(challenge, nil, true) }

// ask prefers verification where it does not require it: an authenticator that
// was told not to verify hides keys that it gives to verified users only
// (credProtect, CTAP 2.2 12.1).
func (p Party) ask(challenge []byte, keys []protocol.CredentialDescriptor, verification bool) (json.RawMessage, error) {
	if err := p.ready(challenge); err != nil {
		return nil, fmt.Errorf("asking for a passkey: %w", err)
	}
	options := protocol.PublicKeyCredentialRequestOptions{Challenge: challenge, RelyingPartyID: p.ID, AllowedCredentials: keys,
		Timeout: int(Timeout.Milliseconds()), UserVerification: protocol.VerificationPreferred}
	if verification {
		options.UserVerification = protocol.VerificationRequired
	}
	return json.Marshal(options)
}

// Answer judges a browser's answer to Ask or AskAny, PublicKeyCredential.toJSON()
// as JSON (WebAuthn L3 7.2). key must be the one that answered (Claim.KeyID) and
// handle its owner's. verification must be as it was asked for.
//
// It returns the key as it is to be kept from now on, and whether the
// authenticator verified its user.
//
// Errors: ErrMalformed, ErrKind, ErrChallenge, ErrOrigin, ErrParty, ErrKey,
// ErrAbsent, ErrUnverified, ErrSignature, ErrBackup, ErrCloned. Any other is a
// fault of the arguments.
func (p Party) Answer(challenge []byte, key Key, handle []byte, verification bool, response []byte) (next Key, verified bool, err error) {
	if err := errors.Join(key.check(), checkHandle(handle)); err != nil {
		return Key{}, false, fmt.Errorf("checking an answer: %w", err)
	}
	r, err := p.read(protocol.AssertCeremony, challenge, response)
	if err != nil {
		return Key{}, false, err
	}
	if err := p.owns(key, handle, r.Claim); err != nil {
		return Key{}, false, err
	}
	data, err := p.verify(challenge, key, verification, r)
	if err != nil {
		return Key{}, false, err
	}
	next, err = key.after(data)
	return next, err == nil && data.Flags.HasUserVerified(), err
}

// owns reports whether the answer is by this key of this user (WebAuthn L3 7.2
// steps 5 and 6).
func (p Party) owns(key Key, handle []byte, c Claim) error {
	switch {
	case key.Party != p.ID:
		return ErrParty
	case !bytes.Equal(c.KeyID, key.ID), c.Handle != nil && !bytes.Equal(c.Handle, handle):
		return ErrKey
	}
	return nil
}

// verify checks flags and signature. The library looks at origin, challenge and
// flags once more, and less closely: to it an origin may differ in case.
func (p Party) verify(challenge []byte, key Key, verification bool, r *reply) (none protocol.AuthenticatorData, err error) {
	a, err := r.assertion()
	if err != nil {
		return none, err
	}
	if err := p.present(a.Response.AuthenticatorData, verification); err != nil {
		return none, err
	}
	err = a.Verify(encode(challenge), p.ID, "", p.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, verification, true, key.Public, protocol.SignaturePolicy{})
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.Type == protocol.ErrAssertionSignature.Type {
		return none, ErrSignature
	}
	if err != nil {
		return none, malformed("its clientDataJSON says two things")
	}
	return a.Response.AuthenticatorData, nil
}
