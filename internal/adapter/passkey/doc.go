// Package passkey is the server's side of WebAuthn: it says what a browser is
// to be asked, and judges what the browser answered (SPEC A5).
//
//	new passkey              Create  -> navigator.credentials.create -> Created
//	second factor            Ask     -> navigator.credentials.get    -> Answer
//	log-in without a name    AskAny  -> navigator.credentials.get    -> Parse, Answer
//
// It keeps nothing between two calls. Whoever calls it
//
//   - makes challenges of 32 to 64 bytes that nobody can guess, knows his own
//     again, and lets each be answered once, within Timeout, for the purpose and
//     the person it was made for;
//   - keeps keys, refuses a new one whose ID somebody has already (WebAuthn L3
//     7.1 step 26), and stores the Key that Answer returns, in the transaction
//     that lets somebody in.
//
// What the browser sends is read strictly where two readers could disagree
// (each name once, base64url without padding, at most 64 KiB) and leniently
// where browsers grow: unknown members mean nothing, as WebAuthn L3 5.8.1 wants
// it for the client data.
//
// It believes no attestation: what an authenticator says of itself (AAGUID,
// transports, backup flags) is its own word, good for showing and for hints.
// What is proved is that the private key signed this challenge, and, as far as
// the browser is honest, at which origin.
//
// Source: Web Authentication Level 3 (W3C), sections 5.4, 5.5, 6.1, 7.1 and 7.2.
// The parsing of authenticator data, CBOR and COSE keys, and the signatures, are
// github.com/go-webauthn/webauthn/protocol, which no other package imports.
package passkey
