package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Keys is what the ledger needs of the keeper. Who writes the log does not
// hold these keys: a taken-over server can have signatures made while it
// lasts, but only for trees that grow, and cannot carry a key away.
//
// All methods may be called from several goroutines.
type Keys interface {
	// SignCheckpoint signs next and returns the whole signed note (C2SP
	// tlog-checkpoint): FormatCheckpoint's text and one Ed25519 signature by
	// the key VerifierKey(next.Epoch) names. It calls CheckGrowth with the last
	// signed tree first and returns its error; proof is the consistency proof
	// from that tree. Before the note is returned, next is durable as the last
	// signed tree. The same tree may be signed again; the note is then the same.
	SignCheckpoint(ctx context.Context, next Tree, proof tlog.TreeProof) ([]byte, error)

	// LastSigned returns the last tree that was signed. Size 0: none in this
	// epoch yet. A fresh keeper says Tree{Epoch: 1}.
	LastSigned(ctx context.Context) (Tree, error)

	// OpenEpoch makes epoch current, with nothing signed in it (SPEC L8). It
	// succeeds only for LastSigned().Epoch+1 with last equal to LastSigned(), so
	// that the first leaf of the new epoch, which names last, is true. Asking
	// again for the epoch that is open, with nothing signed in it, does nothing.
	OpenEpoch(ctx context.Context, epoch int, last Tree) error

	// VerifierKey returns the C2SP signed-note verifier key of an epoch. Its
	// name is the epoch's origin, EpochOrigin(base, epoch).
	VerifierKey(epoch int) string

	// SealPersonal encrypts and authenticates plain, and authenticates ad,
	// under the key of period, made on first use. A period reads
	// "address/2026-11": retention kind, slash, month. It is on the path of
	// every record: some microseconds. ErrPeriodDropped after DropPeriod.
	SealPersonal(ctx context.Context, period string, ad, plain []byte) ([]byte, error)

	// OpenPersonal undoes SealPersonal. ErrPeriodDropped after DropPeriod;
	// another error when sealed or ad were altered.
	OpenPersonal(ctx context.Context, period string, ad, sealed []byte) ([]byte, error)

	// Blind returns a 16 byte keyed hash of text for look-ups by equality,
	// under a key of its own for each period. Same rules as SealPersonal.
	Blind(ctx context.Context, period, text string) ([]byte, error)

	// DropPeriod destroys the keys of a period for good, also against later
	// use: values sealed under it are unreadable everywhere, backups included.
	// Dropping twice, or a period never used, does nothing more.
	DropPeriod(ctx context.Context, period string) error
}

// ErrPeriodDropped says that the key of a period is gone: what was sealed
// under it is erased (SPEC L5).
var ErrPeriodDropped = errors.New("the key of this period has been destroyed")

// ErrNotAppendOnly says that a tree is not a continuation of the last signed
// one: records were cut off, altered or exchanged after they were sealed.
var ErrNotAppendOnly = errors.New("the log is not a continuation of what was signed before")

// Tree is one state of the log: the first Size leaves of an epoch.
type Tree struct {
	Epoch int
	Size  int64
	Root  tlog.Hash
}

// String returns "epoch 1, 42 records, root <base64>".
func (t Tree) String() string {
	return fmt.Sprintf("epoch %d, %d records, root %s", t.Epoch, t.Size, t.Root)
}

// CheckGrowth returns nil when next contains last: same epoch, not smaller,
// and proof shows that last is its beginning (RFC 6962 2.1.2). Otherwise the
// error is ErrNotAppendOnly.
func CheckGrowth(last, next Tree, proof tlog.TreeProof) error {
	switch {
	case next.Epoch != last.Epoch || next.Size < last.Size || next.Size == 0:
		return fmt.Errorf("%w: signed is %v, offered %v", ErrNotAppendOnly, last, next)
	case last.Size == 0:
		return nil
	case next.Size == last.Size:
		if next.Root != last.Root {
			return fmt.Errorf("%w: signed is %v, offered %v", ErrNotAppendOnly, last, next)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, next.Size, next.Root, last.Size, last.Root); err != nil {
		return fmt.Errorf("%w: signed is %v, offered %v", ErrNotAppendOnly, last, next)
	}
	return nil
}

// EpochOrigin returns the origin line, which is also the key name, of an
// epoch: base for the first, base/epoch-2 and so on later.
func EpochOrigin(base string, epoch int) string {
	if epoch <= 1 {
		return base
	}
	return base + "/epoch-" + strconv.Itoa(epoch)
}

// FormatCheckpoint returns the text that is signed: origin, size in decimal
// and root in base64, one a line (C2SP tlog-checkpoint).
func FormatCheckpoint(origin string, t Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, t.Size, t.Root)
}

// ParseCheckpoint reads the text of an opened note. It takes no extension lines.
func ParseCheckpoint(text string) (origin string, t Tree, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return "", Tree{}, errors.New("a checkpoint has three lines: origin, size, root")
	}
	if t.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || t.Size < 0 || strconv.FormatInt(t.Size, 10) != lines[1] {
		return "", Tree{}, fmt.Errorf("the size %q of a checkpoint is not a plain decimal number", lines[1])
	}
	if t.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return "", Tree{}, fmt.Errorf("the root %q of a checkpoint is not 32 bytes in base64", lines[2])
	}
	t.Epoch = epochOf(lines[0])
	return lines[0], t, nil
}

// epochOf reads the epoch from an origin line.
func epochOf(origin string) int {
	_, number, found := strings.Cut(origin, "/epoch-")
	if n, err := strconv.Atoi(number); found && err == nil && n > 1 {
		return n
	}
	return 1
}
