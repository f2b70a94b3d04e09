package keeper

import (
	"context"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Keeper is every verb there is. All may be called from several goroutines.
//
// Later verbs stand beside Seal, one for each use of what was sealed: sign
// this RRset of this zone, is this TOTP code right now. There will be none
// that opens.
type Keeper interface {
	// Keys are the verbs of the action log.
	ledger.Keys

	// Origin is the base of the log's name, EpochOrigin's first argument. It was
	// fixed when the keeper was made.
	Origin() string

	// Seal encrypts and authenticates plain, and authenticates ad, under a key
	// of its own for each purpose. ad names the row that holds the value, so
	// that it cannot be moved to another. Only the verbs of that purpose use
	// what is sealed.
	Seal(ctx context.Context, purpose Purpose, ad, plain []byte) ([]byte, error)

	// HashPassword returns the argon2id hash of a password as a PHC string. It
	// takes some 30 ms and waits for a free core; ctx bounds the wait.
	HashPassword(ctx context.Context, password core.Secret) (phc string, err error)

	// CheckPassword reports whether password is the one that was hashed, and
	// whether the hash was made with other costs than HashPassword uses now. An
	// empty phc stands for an unknown user: the answer is no, after the same time.
	CheckPassword(ctx context.Context, phc string, password core.Secret) (ok, rehash bool, err error)

	// Close forgets the keys. Verbs fail afterwards.
	Close() error
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
