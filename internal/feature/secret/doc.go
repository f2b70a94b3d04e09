// Package secret shows and replaces the keys that keep secrets readable for the
// server alone (SPEC A4): the server's secret key, and under it one key for each
// purpose, which seals values in the database.
//
// It is one object of kind "secret" with the id "server": the id of the secret key
// that is in force, and the newest key of each purpose. Ids tell keys apart and say
// nothing about them. Rotate is a job: it wraps every key under a new secret key,
// makes new keys for the purposes, has the features that keep sealed values seal
// them again, and destroys the old keys. All verbs go on meanwhile. A job that was
// cut off has lost nothing: what is sealed under an old key opens until that key is
// destroyed, and the next run ends what is left.
//
// There is no operation that switches this off, and none that shows a key or what
// is sealed. Adopt notes, at every start, a key that somebody changed at the
// server itself, such as a systemd credential.
//
// Ports: Keys (the keeper), Holders (features that keep sealed values).
//
// Annex points: 2690:9.2 (c) (key management), 2690:11.6.
package secret
