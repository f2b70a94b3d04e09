package witness

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint is the text of any log's note (C2SP tlog-checkpoint). Lines after
// the third are signed, and say nothing to us.
type checkpoint struct {
	origin string
	size   int64
	root   tlog.Hash
}

// maxSize bounds tree sizes well below where the arithmetic of x/mod/sumdb/tlog
// overflows (2^62).
const maxSize = 1 << 60

func parseCheckpoint(text string) (c checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" || lines[len(lines)-1] != "" {
		return c, errors.New("a checkpoint has the lines origin, size and root")
	}
	c.origin = lines[0]
	if c.size, err = parseSize(lines[1]); err != nil {
		return c, err
	}
	if c.root, err = tlog.ParseHash(lines[2]); err != nil || c.root.String() != lines[2] {
		return c, errors.New("the third line of a checkpoint is its root, 32 bytes in base64")
	}
	for _, line := range lines[3 : len(lines)-1] {
		if line == "" {
			return c, errors.New("a checkpoint has no empty lines")
		}
	}
	return c, nil
}

// parseSize reads a tree size: decimal, no sign, no leading zeros.
func parseSize(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxSize || strconv.FormatInt(n, 10) != text {
		return 0, errors.New("a tree size is a plain decimal number")
	}
	return n, nil
}

// noteText returns the signed text of a note, without looking at signatures.
func noteText(msg []byte) string {
	i := bytes.LastIndex(msg, []byte("\n\n"))
	if i < 0 {
		return ""
	}
	return string(msg[:i+1])
}

// originHash is how the monitoring interface names a log.
func originHash(origin string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(origin))) }

// emptyRoot is the root of the tree of size 0 (RFC 6962 2.1).
func emptyRoot() tlog.Hash { return sha256.Sum256(nil) }

// request is the body of add-checkpoint.
type request struct {
	old   int64
	proof tlog.TreeProof
	note  []byte
}

// maxProof is how many hashes a proof may have (C2SP tlog-witness).
const maxProof = 63

// format returns the body.
func (r request) format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", r.old)
	for _, h := range r.proof {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(r.note)
	return b.Bytes()
}

func parseRequest(body []byte) (r request, err error) {
	line, rest, _ := bytes.Cut(body, []byte("\n"))
	text, found := strings.CutPrefix(string(line), "old ")
	if !found {
		return r, errors.New(`the first line is "old " and the size of the previous tree`)
	}
	if r.old, err = parseSize(text); err != nil {
		return r, err
	}
	for {
		if line, rest, found = bytes.Cut(rest, []byte("\n")); !found {
			return r, errors.New("an empty line stands between the proof and the checkpoint")
		}
		if len(line) == 0 {
			r.note = rest
			return r, nil
		}
		hash, err := tlog.ParseHash(string(line))
		if err != nil || hash.String() != string(line) || len(r.proof) == maxProof {
			return r, fmt.Errorf("the proof has at most %d lines, each 32 bytes in base64", maxProof)
		}
		r.proof = append(r.proof, hash)
	}
}

// grows reports whether the checkpoint's tree begins with the tree before it
// (RFC 6962 2.1.2). old.size is the size the request named.
func grows(old checkpoint, next checkpoint, proof tlog.TreeProof) bool {
	switch {
	case next.size == 0 && next.root != emptyRoot():
		return false
	case old.size == 0:
		return len(proof) == 0
	case old.size == next.size:
		return len(proof) == 0 && old.root == next.root
	}
	return tlog.CheckTree(proof, next.size, next.root, old.size, old.root) == nil
}
