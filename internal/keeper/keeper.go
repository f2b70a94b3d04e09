package keeper

import (
	"context"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Keeper is every verb there is. All may be called from several goroutines.
//
// Each use of what was sealed has its own verb: check this code, sign this RRset
// of this zone. One opens, TSIG, for what another server knows in any case.
type Keeper interface {
	// Keys are the verbs of the action log.
	ledger.Keys

	// Origin is the base of the log's name, EpochOrigin's first argument. It was
	// fixed when the keeper was made.
	Origin() string

	// Seal encrypts and authenticates plain, and authenticates ad, under the
	// newest key of the purpose. ad names the row that holds the value, so that it
	// cannot be moved to another. Only the verbs of that purpose use what is sealed.
	Seal(ctx context.Context, purpose Purpose, ad, plain []byte) ([]byte, error)

	// Reseal seals a value of the purpose again under its newest key. Nothing of
	// the value leaves.
	Reseal(ctx context.Context, purpose Purpose, ad, sealed []byte) ([]byte, error)

	// Renew makes the next key of a purpose and returns its generation; 0: nothing
	// was ever sealed for it. What is sealed under older keys still opens.
	Renew(ctx context.Context, purpose Purpose) (generation uint32, err error)

	// Retire destroys the keys of a purpose before a generation. What is still
	// sealed under them is lost: Reseal it first.
	Retire(ctx context.Context, purpose Purpose, before uint32) error

	// Rotate makes a new secret key and wraps every key under it, in place; values
	// in the database stay as they are. It returns the ids of both secrets, which
	// tell them apart and nothing else. Other verbs wait meanwhile, some
	// milliseconds. core.Conflict: the secret is systemd's.
	Rotate(ctx context.Context) (old, now string, err error)

	// Status says which keys there are.
	Status(ctx context.Context) (Status, error)

	// NewTOTP makes a seed for one-time codes (RFC 6238) and returns it sealed, and
	// once in base32, to be shown to its owner.
	NewTOTP(ctx context.Context, ad []byte) (sealed []byte, seed core.Secret, err error)

	// CheckTOTP reports whether code is that of now or of the step before, and of a
	// step after last, which is the newest that was accepted: a code counts once
	// (RFC 6238 5.2). Keep step as the next last in the transaction that lets somebody in.
	CheckTOTP(ctx context.Context, ad, sealed []byte, code core.Secret, now time.Time, last int64) (step int64, ok bool, err error)

	// NewZoneKey makes a private key of a zone (SPEC D5), ZSK or KSK by its flags
	// (RFC 4034 2.1.1), and returns its public half and it, sealed. The caller keeps
	// both, and drops what is sealed to destroy the key.
	NewZoneKey(ctx context.Context, zone rr.Name, flags uint16, algorithm sign.Algorithm) (public sign.Public, sealed []byte, err error)

	// SignZone signs messages with a sealed key of a zone and returns signatures as
	// RRSIG has them. Each message must be an RRset of that zone with the head of the
	// RRSIG that names that key (RFC 4034 3.1.8.1), for at most 400 days; others are
	// Denied, and then nothing is signed.
	SignZone(ctx context.Context, zone rr.Name, sealed []byte, messages [][]byte) (signatures [][]byte, err error)

	// SealTSIG seals the secret of a TSIG key, and TSIG opens it again, for the
	// nameserver, which proves each message with it. It is the one verb that opens:
	// such a secret is shared with another server, and proves who asks and no more.
	SealTSIG(ctx context.Context, name rr.Name, secret core.Secret) (sealed []byte, err error)
	TSIG(ctx context.Context, name rr.Name, sealed []byte) (secret core.Secret, err error)

	// Ticket makes 40 bytes that CheckTicket knows again for the same use and
	// associated data: a challenge that nobody has to keep. It does not outlive the process.
	Ticket(ctx context.Context, use string, ad []byte, now time.Time) ([]byte, error)

	// CheckTicket reports whether a ticket is ours, for this use and ad, and younger
	// than life, and when it was issued. It does not know whether it was used before.
	CheckTicket(ctx context.Context, use string, ad, ticket []byte, now time.Time, life time.Duration) (issued time.Time, ok bool, err error)

	// HashPassword returns the argon2id hash of a password as a PHC string. It
	// takes some 30 ms and waits for a free core; ctx bounds the wait. lane says for
	// whom: the network of a stranger, or the id of an account. Of one lane few may
	// wait, of all together not many more and ten a second over time, except for
	// those that are known. core.Throttled: too many wait already.
	HashPassword(ctx context.Context, lane string, known bool, password core.Secret) (phc string, err error)

	// CheckPassword reports whether password is the one that was hashed, and
	// whether the hash was made with other costs than HashPassword uses now. An
	// empty phc stands for an unknown user: the answer is no, after the same time.
	// It waits like HashPassword.
	CheckPassword(ctx context.Context, lane string, known bool, phc string, password core.Secret) (ok, rehash bool, err error)

	// Close forgets the keys. Verbs fail afterwards.
	Close() error
}

// Status is which keys there are.
type Status struct {
	Secret     string    // id of the secret key
	Credential bool      // systemd hands the secret key over; else it is a file
	Keys       []DataKey // ordered by name
}

// DataKey is one key under which values of the database are sealed.
type DataKey struct {
	Purpose    Purpose
	Generation uint32
	Written    time.Time // made, or last wrapped
}

// Purpose is a use of sealed values.
type Purpose string

// The purposes (SPEC A4). Another one is refused.
const (
	TOTP     Purpose = "totp"     // seeds of one-time codes
	DNSSEC   Purpose = "dnssec"   // private keys of zones
	TSIG     Purpose = "tsig"     // keys of transfers and updates
	Database Purpose = "database" // passwords of database users
	Mail     Purpose = "mail"     // passwords of mailboxes
)

func (p Purpose) known() bool {
	switch p {
	case TOTP, DNSSEC, TSIG, Database, Mail:
		return true
	}
	return false
}
