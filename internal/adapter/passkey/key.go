package passkey

import (
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Key is one passkey as it is kept, as JSON or column by column (WebAuthn L3 4,
// "credential record"). None of it is secret.
type Key struct {
	ID     []byte `json:"id"`     // credential ID, 1 to 1023 bytes, chosen by the authenticator
	Public []byte `json:"public"` // COSE key (RFC 9052 7), at most 1 KiB
	Count  uint32 `json:"count"`  // signature counter; stays 0 where the authenticator has none
	AAGUID []byte `json:"aaguid"` // model of the authenticator by its own word, 16 bytes, zero for unknown
	Party  string `json:"party"`  // Party.ID it was made for

	Backup     bool     `json:"backup"`               // may be copied to other devices (BE); never changes
	Synced     bool     `json:"synced"`               // is copied at the moment (BS)
	Verified   bool     `json:"verified"`             // the user was verified when it was made
	Transports []string `json:"transports,omitempty"` // how to reach the authenticator: "internal", "usb", "hybrid" ...
}

// The largest public key has an RSA modulus of 4096 bits. Its length is the
// authenticator's choice and our work at each log-in, so it has a limit.
const (
	maxPublic  = 1 << 10
	minModulus = 2048 / 8
	maxModulus = 4096 / 8
)

// Algorithm names what the key signs with: "ES256", "Ed25519" or "RS256"
// (WebAuthn L3 5.8.5), or is "" when Public is none of these.
func (k Key) Algorithm() string {
	if len(k.Public) > maxPublic {
		return ""
	}
	public, err := webauthncose.ParsePublicKey(k.Public)
	if err != nil {
		return ""
	}
	switch p := public.(type) {
	case webauthncose.EC2PublicKeyData:
		return named(p.Algorithm == int64(webauthncose.AlgES256), "ES256")
	case webauthncose.OKPPublicKeyData:
		return named(p.Algorithm == int64(webauthncose.AlgEdDSA), "Ed25519")
	case webauthncose.RSAPublicKeyData:
		n := len(p.Modulus)
		return named(p.Algorithm == int64(webauthncose.AlgRS256) && n >= minModulus && n <= maxModulus, "RS256")
	}
	return ""
}

func named(ok bool, name string) string {
	if ok {
		return name
	}
	return ""
}

// check reports a key that no answer could hold against, which is a fault of
// whoever kept it.
func (k Key) check() error {
	if len(k.ID) == 0 || k.Party == "" {
		return errors.New("the kept passkey has no ID or no party")
	}
	if k.Algorithm() == "" {
		return errors.New("the kept passkey has no public key that we made")
	}
	return nil
}

func (k Key) descriptor() protocol.CredentialDescriptor {
	d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: k.ID}
	for _, t := range k.Transports {
		d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
	}
	return d
}

// after returns the key as it is to be kept after an answer whose signature
// holds (WebAuthn L3 7.2 steps 19, 22 and 24).
func (k Key) after(data protocol.AuthenticatorData) (Key, error) {
	if data.Flags.HasBackupEligible() != k.Backup {
		return Key{}, ErrBackup
	}
	if (data.Counter != 0 || k.Count != 0) && data.Counter <= k.Count {
		return Key{}, fmt.Errorf("%w: it was %d and is now %d", ErrCloned, k.Count, data.Counter)
	}
	k.Count, k.Synced = data.Counter, data.Flags.HasBackupState()
	return k, nil
}
