package keeper

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	underPeriod = 0x01
	underSecret = 0x02
	underData   = 0x03

	keySize = 32
	idSize  = 4
)

// errOpen is all that is said about a value that does not open: a wrong key,
// other associated data and a flipped bit look the same.
var errOpen = errors.New("the sealed value was altered, moved, or sealed under another key")

// derive makes the key for one use (RFC 5869).
func derive(secret []byte, use string) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "hostward/1/"+use, keySize)
}

// box seals and opens under one key. head stands in front of every value and
// is authenticated with it.
type box struct {
	aead cipher.AEAD
	head []byte
}

func newBox(secret []byte, use string, head ...byte) (*box, error) {
	key, err := derive(secret, use)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &box{aead, head}, err
}

func (b *box) seal(ad, plain []byte) []byte {
	out := make([]byte, len(b.head), len(b.head)+len(plain)+b.aead.Overhead())
	copy(out, b.head)
	return b.aead.Seal(out, nil, plain, b.bind(ad))
}

func (b *box) open(ad, sealed []byte) ([]byte, error) {
	if len(sealed) < len(b.head) || string(sealed[:len(b.head)]) != string(b.head) {
		return nil, errOpen
	}
	plain, err := b.aead.Open(nil, nil, sealed[len(b.head):], b.bind(ad))
	if err != nil {
		return nil, errOpen
	}
	return plain, nil
}

// bind puts the head before the associated data. Its length is fixed by its
// first byte, so that no two pairs give the same bytes.
func (b *box) bind(ad []byte) []byte {
	return append(append(make([]byte, 0, len(b.head)+len(ad)), b.head...), ad...)
}

// server wraps other keys under the server's secret key. While the secret is
// being replaced it knows two: what was wrapped under either opens.
type server struct {
	now *wrapper
	old *wrapper // nil outside a rotation
}

// wrapper is one secret key and the head of what it wrapped.
type wrapper struct{ secret, head []byte }

func newWrapper(secret []byte) (*wrapper, error) {
	id, err := derive(secret, "id")
	if err != nil {
		return nil, err
	}
	return &wrapper{secret, append([]byte{underSecret}, id[:idSize]...)}, nil
}

// id tells secrets apart; it says nothing about the key.
func (w *wrapper) id() string { return hex.EncodeToString(w.head[1:]) }

func (w *wrapper) box(use string) (*box, error) { return newBox(w.secret, use, w.head...) }

// seal wraps a key for one use.
func (s *server) seal(use string, ad, plain []byte) ([]byte, error) {
	b, err := s.now.box(use)
	if err != nil {
		return nil, err
	}
	return b.seal(ad, plain), nil
}

// open unwraps a key. It says which secret is missing.
func (s *server) open(use string, ad, sealed []byte) ([]byte, error) {
	w := s.now
	if s.old != nil && bytes.HasPrefix(sealed, s.old.head) {
		w = s.old
	}
	b, err := w.box(use)
	if err != nil {
		return nil, err
	}
	if len(sealed) > len(w.head) && sealed[0] == underSecret && !bytes.HasPrefix(sealed, w.head) {
		return nil, fmt.Errorf("it was sealed under another secret key (%x, this one is %s)", sealed[1:len(w.head)], w.id())
	}
	return b.open(ad, sealed)
}
