package passkey

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// User is whose passkey it is.
type User struct {
	Handle  []byte // 1 to 64 bytes that say nothing: no name, no address (WebAuthn L3 14.6.1)
	Name    string // tells the person's accounts apart in the browser: the log-in name
	Display string // the person's name, for showing
}

// Create returns what to ask a browser for a new passkey, as JSON for
// PublicKeyCredential.parseCreationOptionsFromJSON. The passkey is to be
// discoverable, so that it also logs in without a name, and made by a verified
// user. An authenticator that holds one of have does not make a second.
//
// Errors are faults of the arguments.
func (p Party) Create(challenge []byte, user User, have []Key) (json.RawMessage, error) {
	err := p.ready(challenge)
	if err == nil {
		err = checkHandle(user.Handle)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for a new passkey: %w", err)
	}
	return json.Marshal(protocol.PublicKeyCredentialCreationOptions{
		RelyingParty:           protocol.RelyingPartyEntity{ID: p.ID, CredentialEntity: protocol.CredentialEntity{Name: p.Name}},
		User:                   user.entity(),
		Challenge:              challenge,
		Parameters:             parameters(),
		Timeout:                int(Timeout.Milliseconds()),
		CredentialExcludeList:  p.ours(have),
		AuthenticatorSelection: discoverable(),
		Attestation:            protocol.PreferNoAttestation,
		Extensions:             protocol.AuthenticationExtensions{CredProps: true},
	})
}

func checkHandle(handle []byte) error {
	if n := len(handle); n < 1 || n > maxHandle {
		return fmt.Errorf("a user handle of %d bytes: want 1 to %d", n, maxHandle)
	}
	return nil
}

func (u User) entity() protocol.UserEntity {
	return protocol.UserEntity{ID: protocol.URLEncodedBase64(u.Handle), DisplayName: u.Display, CredentialEntity: protocol.CredentialEntity{Name: u.Name}}
}

// parameters lists the algorithms we take, the most wanted first. ES256 is what
// all but every authenticator makes; RS256 is for Windows Hello on older TPMs.
func parameters() []protocol.CredentialParameter {
	var out []protocol.CredentialParameter
	for _, alg := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		out = append(out, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	return out
}

// discoverable says it twice: requireResidentKey is for browsers of Level 1
// (WebAuthn L3 5.4.4).
func discoverable() protocol.AuthenticatorSelection {
	return protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
		RequireResidentKey: new(true), UserVerification: protocol.VerificationRequired}
}

// Created judges the browser's answer to Create, PublicKeyCredential.toJSON()
// as JSON, and returns the new key (WebAuthn L3 7.1). That nobody has a key
// with this ID yet is for the caller to see to; so is whose it is, since the
// answer does not say: the challenge must have been made for one person.
//
// Errors: ErrMalformed, ErrKind, ErrChallenge, ErrOrigin, ErrParty, ErrAbsent,
// ErrUnverified, ErrUnsupported.
func (p Party) Created(challenge, response []byte) (Key, error) {
	r, err := p.read(protocol.CreateCeremony, challenge, response)
	if err != nil {
		return Key{}, err
	}
	c, err := r.creation()
	if err != nil {
		return Key{}, err
	}
	data := c.Response.AttestationObject.AuthData
	if err := p.present(data, true); err != nil {
		return Key{}, err
	}
	k := newKey(p.ID, r, data)
	if err := p.attest(challenge, k, r, c); err != nil {
		return Key{}, err
	}
	return k, nil
}

// newKey copies what the library cut out of the answer: neighbours there, they
// would be written over when one of them grows.
func newKey(party string, r *reply, data protocol.AuthenticatorData) Key {
	return Key{
		ID: bytes.Clone(data.AttData.CredentialID), Public: data.AttData.CredentialPublicKey,
		Count: data.Counter, AAGUID: bytes.Clone(data.AttData.AAGUID), Party: party,
		Backup: data.Flags.HasBackupEligible(), Synced: data.Flags.HasBackupState(),
		Verified: data.Flags.HasUserVerified(), Transports: r.transports,
	}
}

// attest checks what is left: that the key is what was asked for, and the one
// that the browser names. Formats with certificates are refused before anything of them is read;
// a browser that was asked for none gives none, or what the key signed itself
// (WebAuthn L3 5.4.7).
func (p Party) attest(challenge []byte, k Key, r *reply, c *protocol.ParsedCredentialCreationData) error {
	switch {
	case k.Algorithm() == "":
		return fmt.Errorf("%w: its algorithm or the length of its key", ErrUnsupported)
	case !unattested(c.Response.AttestationObject):
		return fmt.Errorf("%w: it comes with an attestation", ErrUnsupported)
	case r.forgotten:
		return fmt.Errorf("%w: it is not discoverable", ErrUnsupported)
	}
	_, err := c.Verify(encode(challenge), p.ID, p.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, true, true, nil, parameters(), protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return malformed("its attestation does not hold")
	}
	return nil
}

// unattested reports the format "none", and "packed" signed by the new key itself.
func unattested(o protocol.AttestationObject) bool {
	_, chain := o.AttStatement["x5c"]
	_, anonymous := o.AttStatement["ecdaaKeyId"]
	format := protocol.AttestationFormat(o.Format)
	return format == protocol.AttestationFormatNone || format == protocol.AttestationFormatPacked && !chain && !anonymous
}
