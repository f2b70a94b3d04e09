// Package breach is an offline filter of breached passwords (SPEC A3). The
// public list (Have I Been Pwned's download, SHA-1 or NTLM) has gigabytes of
// text; Build makes a file of some 2.25 bytes a hash of it, once, and a Filter
// answers from that file at every change of a password, without asking anybody.
//
// It never misses a password of its list. It takes about one other password in
// 65,536 for a breached one (0.0015 %); somebody then chooses another password.
// It holds no password and no whole hash, and it knows no counts: what was seen
// too seldom is left out while building.
//
// # The list
//
// Lines "HEX" or "HEX:COUNT", ended by LF or CR LF, in any order. HEX is the
// SHA-1 of the password in UTF-8 (40 digits) or its NTLM hash, which is MD4 of
// the password in UTF-16LE (32 digits, MS-NLMP 3.3.1), in upper or lower case;
// one list has one kind. COUNT is a whole number; a hash without one counts as
// seen once. Empty lines are passed over, and a hash may come more than once.
//
// # Building
//
// The first 8 bytes of each hash are its key. Keys are first spread over 256
// parts by their first byte, in a temporary file of 8 bytes a hash beside the
// result. Then neighbouring parts are joined to shards of at most 4,194,304
// keys, as long as there are enough of them, and each shard becomes a filter by
// itself. The memory that this takes is that of the spreading (64 MiB) and of
// one shard (36 bytes a key): some 260 MB for a thousand million hashes, and
// less than a gigabyte for any list that is not refused.
//
// The file is a function of the list's bytes and of Options.Least.
//
// # The file
//
// Integers are unsigned and little-endian. The head:
//
//	offset  bytes
//	     0      8  "hwbreach"
//	     8      4  version of this format: 1
//	    12      4  kind: 1 SHA-1, 2 NTLM
//	    16      8  entries: how many different keys the filter holds
//	    24      8  least: hashes counted less often were left out; 0: none were
//	    32      4  n, from 0 to 8: there are 2^n shards
//	    36      4  0
//	    40     32  SHA-256 of the list as it was read
//	    72     32  SHA-256 of all fingerprints, from the end of the head on
//	   104   24×s  the table: one row for each of the s = 2^n shards
//	104+24s    32  SHA-256 of all bytes before it: the digest of the filter
//
// A row of the table:
//
//	offset  bytes
//	     0      8  seed
//	     8      4  segment length: a power of two from 4 to 262,144; 0: no keys
//	    12      4  segments: at least 1; 0: no keys
//	    16      4  keys
//	    20      4  0
//
// After the head come the fingerprints of the shards in their order, 2 bytes
// each, (segments + 2) × segment length of them for a shard with keys. Nothing
// else is in the file, and nothing in it points anywhere: places follow from
// the table, and the file has to have just the length that they add up to.
//
// # Looking up
//
// Of a password's hash, the first 8 bytes are the key, read as a big-endian
// number. Its highest n bits are the number of the shard. The shard is a binary
// fuse filter with three places (Graf, Lemire: Binary Fuse Filters, 2022,
// doi.org/10.1145/3510449), with m the finalizer of MurmurHash3 and L the segment length:
//
//	h  = m((key + seed) mod 2^64)
//	p0 = (h × L × segments) div 2^64
//	p1 = (p0 + L) xor ((h div 2^18) mod L)
//	p2 = (p0 + 2L) xor (h mod L)
//
// The key is held when the fingerprints at p0, p1 and p2, joined by xor, are
// the lowest 16 bits of h xor (h div 2^32).
package breach
