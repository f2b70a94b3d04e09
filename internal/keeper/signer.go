package keeper

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/file"
	"hostward/internal/ledger"
)

// signer signs checkpoints of one log, and only of a log that grows. One key
// serves all epochs; the origin in the text tells them apart.
type signer struct {
	origin  string
	private ed25519.PrivateKey
	public  ed25519.PublicKey
	path    string // of the last signed note

	mu   sync.Mutex
	last ledger.Tree
	note []byte // last, signed; also for size 0, which says which epoch is open
}

// useCheckpoint is the derivation name of the key that seals checkpoint.key.
const useCheckpoint = "checkpoint"

// openSigner opens the signing key, or makes it. checkpoint.signed is written
// first and checkpoint.key last: with the key there, a missing last tree
// means that somebody removed it, and a key that forgot what it signed would
// sign a second history.
func openSigner(dir, origin string, server *server) (*signer, error) {
	keyPath := filepath.Join(dir, "checkpoint.key")
	s := &signer{path: filepath.Join(dir, "checkpoint.signed")}
	sealed, err := os.ReadFile(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.unused(keyPath); err != nil {
			return nil, err
		}
		return s, s.create(keyPath, origin, server)
	}
	if err != nil {
		return nil, err
	}
	plain, err := server.open(useCheckpoint, nil, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyPath, err)
	}
	if err := s.unpack(plain, origin); err != nil {
		return nil, fmt.Errorf("%s: %w", keyPath, err)
	}
	return s, s.load()
}

// unused makes sure that no key signed records before: a new one in its place
// would forget how far the log had come, and nobody would be told. The tree of
// no records is what a crash within create leaves behind.
func (s *signer) unused(keyPath string) error {
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if lines := strings.SplitN(string(text), "\n", 3); err == nil && (len(lines) < 3 || lines[1] != "0") {
		err = fmt.Errorf("%s is missing, and %s says that it has signed records: bring it back from where you keep the keys", keyPath, s.path)
	}
	return err
}

func (s *signer) create(keyPath, origin string, server *server) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if origin == "" {
		origin = "hostward/" + hex.EncodeToString(public[:8])
	}
	if err := checkOrigin(origin); err != nil {
		return err
	}
	s.origin, s.private, s.public = origin, private, public
	if err := s.sign(ledger.Tree{Epoch: 1, Root: emptyRoot()}); err != nil {
		return err
	}
	sealed, err := server.seal(useCheckpoint, nil, append(private.Seed(), origin...))
	if err != nil {
		return err
	}
	return file.Replace(keyPath, sealed, 0o600)
}

func (s *signer) unpack(plain []byte, origin string) error {
	if len(plain) <= ed25519.SeedSize {
		return errors.New("it does not hold a key and an origin")
	}
	s.private = ed25519.NewKeyFromSeed(plain[:ed25519.SeedSize])
	s.public = s.private.Public().(ed25519.PublicKey)
	s.origin = string(plain[ed25519.SeedSize:])
	if origin != "" && origin != s.origin {
		return fmt.Errorf("the log's origin is %q and cannot become %q", s.origin, origin)
	}
	return nil
}

// load reads the last signed note, which authenticates itself.
func (s *signer) load() error {
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: without it the key could sign a second history; bring it back", s.path)
	}
	if err != nil {
		return err
	}
	origin, tree, err := s.read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if ledger.EpochOrigin(s.origin, tree.Epoch) != origin {
		return fmt.Errorf("%s: it is about the log %q", s.path, origin)
	}
	if tree.Size == 0 {
		tree.Root = tlog.Hash{}
	}
	s.last, s.note = tree, text
	return nil
}

// read opens a note that this key signed, whatever its epoch.
func (s *signer) read(text []byte) (origin string, tree ledger.Tree, err error) {
	origin, _, _ = strings.Cut(string(text), "\n")
	verifier, err := note.NewVerifier(s.verifier(origin))
	if err != nil {
		return "", tree, errors.New("it is not a checkpoint")
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return "", tree, fmt.Errorf("its signature is not by this key: %w", err)
	}
	return ledger.ParseCheckpoint(opened.Text)
}

// next signs a tree that grew out of the last one.
func (s *signer) next(tree ledger.Tree, proof tlog.TreeProof) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ledger.CheckGrowth(s.last, tree, proof); err != nil {
		return nil, err
	}
	if tree != s.last {
		if err := s.sign(tree); err != nil {
			return nil, err
		}
	}
	return append([]byte(nil), s.note...), nil
}

// sign signs a tree and makes it the last one. The note is on the disk before
// anyone sees it: after a crash in between the same tree can be signed again,
// and Ed25519 gives the same note (RFC 8032 5.1.6). A tree that is not on the
// disk was never signed.
func (s *signer) sign(tree ledger.Tree) error {
	origin := ledger.EpochOrigin(s.origin, tree.Epoch)
	signed, err := note.Sign(&note.Note{Text: ledger.FormatCheckpoint(origin, tree)}, noteSigner{origin, s})
	if err != nil {
		return err
	}
	if err := file.Replace(s.path, signed, 0o600); err != nil {
		return err
	}
	if tree.Size == 0 {
		tree.Root = tlog.Hash{}
	}
	s.last, s.note = tree, signed
	return nil
}

// openEpoch implements Keys.OpenEpoch.
func (s *signer) openEpoch(epoch int, last ledger.Tree) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case epoch == s.last.Epoch && s.last.Size == 0:
		return nil
	case epoch != s.last.Epoch+1:
		return fmt.Errorf("opening epoch %d: epoch %d is open, so the next is %d", epoch, s.last.Epoch, s.last.Epoch+1)
	case last != s.last:
		return fmt.Errorf("opening epoch %d: the last signed tree is %v, not %v", epoch, s.last, last)
	}
	return s.sign(ledger.Tree{Epoch: epoch, Root: emptyRoot()})
}

func (s *signer) lastSigned() ledger.Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// verifier returns the verifier key under a name (C2SP signed-note).
func (s *signer) verifier(name string) string {
	key, err := note.NewEd25519VerifierKey(name, s.public)
	if err != nil {
		return ""
	}
	return key
}

// noteSigner signs notes under a name.
type noteSigner struct {
	name string
	key  *signer
}

func (n noteSigner) Name() string { return n.name }

// KeyHash is the key id of an Ed25519 note key (C2SP signed-note).
func (n noteSigner) KeyHash() uint32 {
	h := sha256.New()
	h.Write([]byte(n.name + "\n"))
	h.Write([]byte{0x01})
	h.Write(n.key.public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func (n noteSigner) Sign(text []byte) ([]byte, error) { return ed25519.Sign(n.key.private, text), nil }

// emptyRoot is the hash of a tree without leaves (RFC 6962 2.1).
func emptyRoot() tlog.Hash { return sha256.Sum256(nil) }

// checkOrigin refuses names that are no key names (C2SP signed-note), and the
// ending that epochs use.
func checkOrigin(origin string) error {
	bad := func(c rune) bool { return unicode.IsSpace(c) || c == '+' || unicode.IsControl(c) }
	if origin == "" || len(origin) > 200 || !utf8.ValidString(origin) || strings.ContainsFunc(origin, bad) || strings.Contains(origin, "/epoch-") {
		return fmt.Errorf(`the log's origin %q is not accepted: 1 to 200 bytes, no blanks, no "+", no "/epoch-"`, origin)
	}
	return nil
}

// SignCheckpoint implements ledger.Keys.
func (k *local) SignCheckpoint(ctx context.Context, next ledger.Tree, proof tlog.TreeProof) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return k.log.next(next, proof)
}

// LastSigned implements ledger.Keys.
func (k *local) LastSigned(ctx context.Context) (ledger.Tree, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return ledger.Tree{}, err
	}
	defer leave()
	return k.log.lastSigned(), nil
}

// OpenEpoch implements ledger.Keys.
func (k *local) OpenEpoch(ctx context.Context, epoch int, last ledger.Tree) error {
	leave, err := k.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return k.log.openEpoch(epoch, last)
}

// VerifierKey implements ledger.Keys.
func (k *local) VerifierKey(epoch int) string {
	return k.log.verifier(ledger.EpochOrigin(k.log.origin, epoch))
}

// Origin implements Keeper.
func (k *local) Origin() string { return k.log.origin }
