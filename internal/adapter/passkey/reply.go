package passkey

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
)

// reply is a browser's answer taken apart (WebAuthn L3 5.1: the JSON of
// PublicKeyCredential).
type reply struct {
	Claim
	framed bool // the page was inside another site's

	client     []byte // clientDataJSON, byte for byte, since its hash is signed
	data       []byte // authenticatorData of a log-in
	signature  []byte // of a log-in
	attested   []byte // attestationObject of a new passkey
	transports []string
	forgotten  bool // the browser says that the new passkey is not discoverable
}

func read(response []byte) (*reply, error) {
	if len(response) > maxAnswer {
		return nil, malformed("it has %d bytes, and %d at most are read", len(response), maxAnswer)
	}
	var s scan
	outer := s.object("the answer", response)
	inner := s.object("response", outer["response"])
	r := &reply{client: s.bytes(inner, "clientDataJSON")}
	s.claim(r, s.object("clientDataJSON", r.client))
	r.KeyID = s.bytes(outer, "rawId")
	s.want(bytes.Equal(s.bytes(outer, "id"), r.KeyID) && len(r.KeyID) <= maxKeyID, "id")
	s.want(s.text(outer, "type") == string(protocol.PublicKeyCredentialType), "type")
	if r.Kind == string(protocol.CreateCeremony) {
		s.creation(r, outer, inner)
	} else {
		s.assertion(r, inner)
	}
	return r, s.err
}

// claim reads the client data (WebAuthn L3 5.8.1).
func (s *scan) claim(r *reply, client members) {
	r.Kind, r.Origin, r.Challenge = s.text(client, "type"), s.text(client, "origin"), s.bytes(client, "challenge")
	s.want(r.Kind == string(protocol.CreateCeremony) || r.Kind == string(protocol.AssertCeremony), "clientDataJSON.type")
	s.want(len(r.Origin) <= maxOrigin, "clientDataJSON.origin")
	s.want(len(r.Challenge) >= minChallenge && len(r.Challenge) <= maxChallenge, "clientDataJSON.challenge")
	_, top := client["topOrigin"]
	r.framed = top || s.flag(client, "crossOrigin", false)
}

func (s *scan) assertion(r *reply, inner members) {
	r.data, r.signature = s.bytes(inner, "authenticatorData"), s.bytes(inner, "signature")
	s.want(len(r.data) <= maxMade, "authenticatorData")
	if handle, ok := inner["userHandle"]; ok && string(handle) != "null" {
		r.Handle = s.bytes(inner, "userHandle")
		s.want(len(r.Handle) <= maxHandle, "userHandle")
	}
}

// creation reads what only a new passkey has. credProps (WebAuthn L3 10.1.3) is
// all we ask of extensions; what others say is not looked at.
func (s *scan) creation(r *reply, outer, inner members) {
	r.attested = s.bytes(inner, "attestationObject")
	s.want(len(r.attested) <= maxMade, "attestationObject")
	r.transports = s.transports(inner["transports"])
	if results, ok := outer["clientExtensionResults"]; ok {
		if props, ok := s.object("clientExtensionResults", results)["credProps"]; ok {
			r.forgotten = !s.flag(s.object("credProps", props), "rk", true)
		}
	}
}

// transports keeps what reads like one: they go back to browsers, which ignore
// those they do not know (WebAuthn L3 5.8.4).
func (s *scan) transports(raw json.RawMessage) (kept []string) {
	if raw == nil {
		return nil
	}
	var all []string
	s.want(json.Unmarshal(raw, &all) == nil, "transports")
	slices.Sort(all)
	for _, t := range slices.Compact(all) {
		if isWord(t) && len(kept) < maxTransports {
			kept = append(kept, t)
		}
	}
	return kept
}

const maxTransports = 8 // there are six (WebAuthn L3 5.8.4)

func isWord(t string) bool {
	return t != "" && len(t) <= 32 && strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// read takes an answer apart and holds its claim against the question (WebAuthn
// L3 7.1 steps 7 to 11, 7.2 steps 11 to 14).
func (p Party) read(kind protocol.CeremonyType, challenge, response []byte) (*reply, error) {
	r, err := read(response)
	switch {
	case err != nil:
		return nil, err
	case r.Kind != string(kind):
		return nil, ErrKind
	case subtle.ConstantTimeCompare(r.Challenge, challenge) != 1:
		return nil, ErrChallenge
	case !slices.Contains(p.Origins, r.Origin) || r.framed:
		return nil, fmt.Errorf("%w: %+q", ErrOrigin, clip(r.Origin))
	}
	return r, nil
}

// clip keeps a text of strangers short; %+q makes it printable.
func clip(text string) string {
	const most = 80
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// assertion has the library take apart what the authenticator made.
func (r *reply) assertion() (*protocol.ParsedCredentialAssertionData, error) {
	raw := protocol.CredentialAssertionResponse{PublicKeyCredential: r.credential(), AssertionResponse: protocol.AuthenticatorAssertionResponse{
		AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: r.client},
		AuthenticatorData:     r.data, Signature: r.signature, UserHandle: r.Handle,
	}}
	parsed, err := raw.Parse()
	if err != nil {
		return nil, malformed("its authenticatorData cannot be read")
	}
	return parsed, nil
}

func (r *reply) creation() (*protocol.ParsedCredentialCreationData, error) {
	raw := protocol.CredentialCreationResponse{PublicKeyCredential: r.credential(), AttestationResponse: protocol.AuthenticatorAttestationResponse{
		AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: r.client}, AttestationObject: r.attested,
	}}
	parsed, err := raw.Parse()
	if err != nil {
		return nil, malformed("its attestationObject cannot be read")
	}
	return parsed, nil
}

func (r *reply) credential() protocol.PublicKeyCredential {
	return protocol.PublicKeyCredential{RawID: r.KeyID,
		Credential: protocol.Credential{ID: encode(r.KeyID), Type: string(protocol.PublicKeyCredentialType)}}
}
