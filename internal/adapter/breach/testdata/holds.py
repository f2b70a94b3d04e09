#!/usr/bin/env python3
"""holds.py FILTER: says for each password of standard input whether the filter
holds it, one "yes" or "no" a line.

Written from doc.go alone, with the standard library only. Reads filters of
SHA-1 lists. Checks both digests of the file and its length first.
"""

import hashlib
import struct
import sys

MASK = 2**64 - 1


def mix(h):
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & MASK
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return h ^ h >> 33


class Filter:
    def __init__(self, data):
        magic, version, kind, entries, _, self.n, _ = struct.unpack_from("<8sIIQQII", data)
        assert (magic, version, kind) == (b"hwbreach", 1, 1), "not a filter of SHA-1"
        end = 104 + 24 * 2**self.n
        assert hashlib.sha256(data[:end]).digest() == data[end : end + 32], "the head"
        self.shards, start = [], end + 32
        assert hashlib.sha256(data[start:]).digest() == data[72:104], "the fingerprints"
        for i in range(2**self.n):
            seed, length, segments, keys, _ = struct.unpack_from("<QIIII", data, 104 + 24 * i)
            self.shards.append((seed, length, segments, keys, start))
            start += 2 * (segments + 2) * length if keys else 0
            entries -= keys
        assert (start, entries) == (len(data), 0), "the length or the keys"
        self.data = data

    def holds(self, password):
        (key,) = struct.unpack_from(">Q", hashlib.sha1(password).digest())
        seed, length, segments, keys, start = self.shards[key >> 64 - self.n]
        if not keys:
            return False
        h = mix((key + seed) & MASK)
        p0 = h * length * segments >> 64
        places = p0, (p0 + length) ^ (h >> 18) % length, (p0 + 2 * length) ^ h % length
        want = (h ^ h >> 32) & 0xFFFF
        for p in places:
            want ^= struct.unpack_from("<H", self.data, start + 2 * p)[0]
        return want == 0


with open(sys.argv[1], "rb") as file:
    filter = Filter(file.read())
for line in sys.stdin.buffer:
    print("yes" if filter.holds(line.rstrip(b"\n")) else "no")
