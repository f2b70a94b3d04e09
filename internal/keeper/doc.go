// Package keeper holds the keys and offers narrow verbs over them: sign this
// tree if it grew, seal this value, check this password, sign this RRset of this
// zone. It has no verb that gives a key of ours away and none that opens whatever it
// is shown: who takes over the server can misuse the keeper while that lasts, and
// carries nothing away but TSIG secrets, which the nameserver must have and another
// server has as well.
//
// The interface Keeper is what the rest of the house sees. Today Open returns
// it in the same process; it is made so that it can move behind a Unix socket
// (byte strings in, byte strings out, no callbacks, errors that are values).
//
// # Files
//
// In the folder keys, mode 0700, every file 0600:
//
//	secret.key               the server's secret key, 32 random bytes (SPEC A4);
//	                         absent when systemd hands it over as the credential
//	                         "hostward-secret"
//	secret.key.next          the key that takes its place, while keys are wrapped again
//	data/PURPOSE_N.key       key N of a purpose, which seals values of the database,
//	                         sealed
//	checkpoint.key           the log's origin and its Ed25519 seed, sealed
//	checkpoint.signed        the last signed checkpoint, as the note that was signed
//	periods/KIND_MONTH.key   the key of one period, sealed
//	periods/KIND_MONTH.gone  says that the key of the period was destroyed
//
// A backup that holds periods/ brings destroyed keys back: backups leave that
// folder out or keep it shorter than the data's own retention (SPEC L5).
//
// # Format of what is sealed
//
// AES-256-GCM with a random nonce. Each form begins with a byte that says how
// to read the rest, so that algorithm and key can change later:
//
//	0x01 nonce(12) text tag(16)                a personal value, under the key of a period
//	0x02 key id(4) nonce(12) text tag(16)      a key, under the server's secret key
//	0x03 generation(4) nonce(12) text tag(16)  a value, under a key of its purpose
//
// So a value in the database is in two envelopes: its own key, and the secret
// key around that. The secret is replaced by wrapping a few small files again
// (Rotate); a purpose's key by making the next one and sealing its values again
// at leisure (Renew, Reseal, Retire).
//
// The keys are derived by HKDF-SHA256 (RFC 5869) without salt, one for each
// use, info "hostward/1/" and the use. The key id is the beginning of the key
// derived for "id". Random nonces bound one key to 2^32 values (NIST SP 800-38D
// 8.3); a period is a month, and 2^32 a month are 1,600 a second.
package keeper
