#!/usr/bin/env python3
"""verify.py EPOCH-FOLDER VERIFIER-KEY: checks a Hostward action log.

Written from docs/log-format.md alone, with the standard library only: the
signature on the checkpoint, every tile and entry bundle, the encoding of every
record, the chains of every object and tenant, and every heads record of the
first epoch. Prints one line, or says what is wrong and exits 1.
"""

import base64
import hashlib
import json
import os
import re
import sys


class Wrong(Exception):
    pass


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- Ed25519 (RFC 8032 5.1.7), only as fast as one signature needs ---

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def decompress(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def ed25519(public, message, signature):
    by = 4 * pow(5, P - 2, P) % P
    base = (recover_x(by, 0), by, 1, recover_x(by, 0) * by % P)
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = multiply(s, base), add(r, multiply(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- the checkpoint ---

def checkpoint(data, vkey):
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    if key[0] != 1 or len(key) != 33 or sha(name.encode(), b"\n", key)[:4].hex() != key_id:
        raise Wrong("the verifier key is not an Ed25519 key of C2SP signed-note")
    text, _, signatures = data.partition(b"\n\n")
    text += b"\n"
    for line in signatures.decode().splitlines():
        dash, who, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash == "\u2014" and who == name and blob[:4].hex() == key_id:
            if not ed25519(key[1:], text, blob[4:]):
                raise Wrong("the signature on the checkpoint does not hold")
            break
    else:
        raise Wrong("the checkpoint carries no signature of " + name)
    origin, size, root, end = text.decode().split("\n")
    if origin != name or end != "" or str(int(size)) != size:
        raise Wrong("the checkpoint does not consist of origin, size and root")
    return int(size), base64.b64decode(root)


# --- the tree ---

def merkle(hashes):
    if not hashes:
        return sha(b"")
    while len(hashes) > 1:
        pairs = [sha(b"\1", hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2:]
    return hashes[0]


def tile_name(level, n, width):
    parts = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        parts.insert(0, "x%03d" % (n % 1000))
    return "tile/%s/%s%s" % (level, "/".join(parts), "" if width == 256 else ".p/%d" % width)


def tiles(folder, size):
    """Reads all bundles and checks every tile; returns leaves and root."""
    leaves, hashes = [], []
    for n in range((size + 255) // 256):
        width = min(256, size - n * 256)
        data = open(os.path.join(folder, tile_name("entries", n, width)), "rb").read()
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            if len(data) < 2 + length:
                raise Wrong("the entry bundle %d is cut short" % n)
            leaves.append(data[2:2 + length])
            data = data[2 + length:]
        if data:
            raise Wrong("the entry bundle %d holds too much" % n)
    hashes = level_hashes = [sha(b"\0", leaf) for leaf in leaves]
    level = 0
    while level_hashes:
        above = []
        for n in range((len(level_hashes) + 255) // 256):
            tile = level_hashes[n * 256:(n + 1) * 256]
            name = tile_name(level, n, len(tile))
            if open(os.path.join(folder, name), "rb").read() != b"".join(tile):
                raise Wrong(name + " is not what the records lead to")
            if len(tile) == 256:
                above.append(merkle(tile))
        level_hashes, level = above, level + 1
    return leaves, hashes, merkle(hashes)


# --- records ---

HASH = re.compile(r"[0-9a-f]{64}\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
ORDER = ("v id time action class door actor by session ip agent object tenant outcome code reason "
         "count first part parts events objects tenants").split()
NEEDED = {"v", "id", "time", "action", "class", "door", "actor", "outcome"}


def record(leaf):
    r = json.loads(leaf.decode())
    if json.dumps(r, ensure_ascii=False, separators=(",", ":")).encode() != leaf:
        raise Wrong("is not in the canonical encoding")
    keys = list(r)
    if keys != [k for k in ORDER if k in r] or not NEEDED <= set(keys) or r["v"] != 1:
        raise Wrong("has fields that are unknown, missing or in another order")
    if any(v in ("", []) for v in r.values()) or not TIME.match(r["time"]):
        raise Wrong("has an empty field or no proper time")
    if any(not HASH.match(r[k]) for k in ("ip", "agent") if k in r):
        raise Wrong("has an ip or agent that is no commitment")
    return r


def follow(ends, key, link, leaf_hash):
    n, prev = ends.get(key, (0, None))[:2]
    if link["n"] != n + 1 or link.get("prev") != prev:
        raise Wrong("breaks the chain of %s" % (key,))
    ends[key] = (link["n"], leaf_hash, link)


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def heads_root(ends):
    buckets = [[] for _ in range(4096)]
    for key, (n, leaf, link) in ends.items():
        raw = "\0".join(key).encode()
        if key[0] == "tenant":
            line = {"tenant": key[1], "n": n, "leaf": leaf}
        else:
            line = {"kind": key[1], "id": key[2]}
            if link.get("tenant"):
                line["owner"] = link["tenant"]
            line.update(n=n, leaf=leaf, state=link["state"])
        buckets[int.from_bytes(sha(raw)[:2], "big") >> 4].append((raw, sha(b"\0", dump(line))))
    return merkle([sha(b"\0", merkle([h for _, h in sorted(b)])) for b in buckets]).hex()


def records(leaves, hashes):
    ends, heads = {}, 0
    for index, leaf in enumerate(leaves):
        try:
            r, own = record(leaf), hashes[index].hex()
            first = (r.get("events") or [{}])[0]
            if first.get("name") == "log.heads":
                fields = {f["name"]: f.get("new") for f in first["fields"]}
                if fields["below"] != str(index) or fields["root"] != heads_root(ends):
                    raise Wrong("commits to other heads than those before it")
                heads += 1
            for link in r.get("objects", []):
                follow(ends, ("object", link["kind"], link["id"]), link, own)
            for link in r.get("tenants", []):
                follow(ends, ("tenant", link["id"]), link, own)
        except (Wrong, ValueError, KeyError) as e:
            raise Wrong("record %d %s" % (index, e))
    return ends, heads


def main(folder, vkey):
    size, root = checkpoint(open(os.path.join(folder, "checkpoint"), "rb").read(), vkey)
    leaves, hashes, found = tiles(folder, size)
    if found != root:
        raise Wrong("the records do not lead to the signed root")
    ends, heads = records(leaves, hashes)
    print("%d records, %d chains, %d heads records: as they were sealed" % (size, len(ends), heads))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Wrong, OSError) as e:
        print(e)
        sys.exit(1)
