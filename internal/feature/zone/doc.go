// Package zone keeps DNS zones: the change sets that make them, every version
// they ever had, and what the nameserver should answer (SPEC section 4).
//
// A zone is one row and its RRsets. Every change is one version: it bumps the
// SOA serial, keeps what was before and after (D7), and moves the state digest.
// Nothing is half changed: a change set or a file that has one fault changes
// nothing (D1). What is deleted stays in the tables, out of sight.
//
// It never talks to a nameserver: Control says which version of which zone
// should be in force, how it is signed, and which steps lead there.
//
// # Signing
//
// Who signs a zone says what he wants (Wish); which key does what, and when, is
// worked out by rr/sign.Next, which is told what was seen outside and takes one
// safe step at a time (D5). The rows hold what it remembers, and private keys as
// the keeper sealed them. Each change of duties is a version of the zone like any
// other, and so is each renewal of signatures: every serial that the world sees has
// its row in the history and its record in the log. Signatures themselves are not
// kept here: the nameserver has them, and the signer on the way there makes what is
// missing. Records that signing makes are refused from people.
//
// # State digest
//
// The digest of a zone (SPEC L4) is the SHA-256 of these lines, each ended by
// one LF (0x0A), numbers in decimal, times in microseconds since
// 1970-01-01T00:00:00Z:
//
//	hostward-zone-v1
//	id              z_ and 26 characters
//	name            absolute, lower case, presentation form
//	owner           id of the tenant
//	serial          of the SOA record
//	version         1 for the first, one more with every change
//	generation      names the live rows of zone_rrset
//	sets            number of RRsets
//	records         number of records
//	created
//	deleted         0 while the zone is there
//	RRsets          hex SHA-256 of the LtHash of all live RRsets, see rr.Accumulator
//	history         hex digest of the newest version, as follows
//
// and of these, where the zone is or was signed:
//
//	signing
//	wish            the text in column "wish" of zone_signing
//	state           the text in column "state"
//	since           version from which the keys have their present duties
//	next            when they are looked at again; 9223372036854775807: when something happens
//	id, sealed      of each key in zone_key, in the order of the ids: two lines a key
//
// and of these, where it is fed from elsewhere:
//
//	follows
//	primaries       the text in column "primaries" of zone_primary
//	key             the text in column "tsig"
//
// and where it is a catalog the line "lists", and where a catalog lists it:
//
//	catalog
//	id              of the catalog
//	label           the text in column "label"
//
// The digest of a version is the SHA-256 of these lines, each ended by one LF:
//
//	hostward-zone-version-v1
//	digest of the version before, hex; empty for the first
//	version
//	serial
//	time
//	id of who did it
//	name of the operation
//	change          the text in column "change" of zone_version
//
// While the panel runs, a change costs as much as it changes, however large
// the zone is: the two sums are kept in zone_digest. Recompute reads every row
// of the zone instead and trusts neither, so that an edit of any row of
// zone_zone, zone_rrset or zone_version is found.
//
// Annex points: 2690:6.4 (changes are managed and can be taken back), 2690:6.7
// (best practice for DNS: the integrity of zones is controlled).
package zone
