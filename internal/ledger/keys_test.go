package ledger_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/ledger"
)

// memoryKeys keeps the rules of ledger.Keys without a disk.
type memoryKeys struct {
	mu      sync.Mutex
	seed    string // of signing keys, so that a child process has the same
	base    string
	last    ledger.Tree
	periods map[string][]byte
	fail    error // what SignCheckpoint answers, when set
	after   func() error
}

var _ ledger.Keys = (*memoryKeys)(nil)

func newKeys() *memoryKeys {
	return &memoryKeys{seed: rand.Text(), base: "log.example/test", last: ledger.Tree{Epoch: 1}, periods: map[string][]byte{}}
}

// pair makes the same key for the same seed and epoch.
func (k *memoryKeys) pair(epoch int) (skey, vkey string) {
	sum := sha256.Sum256([]byte(k.seed))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(sum[:]), ledger.EpochOrigin(k.base, epoch))
	if err != nil {
		panic(err)
	}
	return skey, vkey
}

func (k *memoryKeys) SignCheckpoint(_ context.Context, next ledger.Tree, proof tlog.TreeProof) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return nil, k.fail
	}
	if err := ledger.CheckGrowth(k.last, next, proof); err != nil {
		return nil, err
	}
	skey, _ := k.pair(next.Epoch)
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	k.last = next
	if k.after != nil {
		if err := k.after(); err != nil {
			return nil, err
		}
	}
	return note.Sign(&note.Note{Text: ledger.FormatCheckpoint(signer.Name(), next)}, signer)
}

func (k *memoryKeys) LastSigned(context.Context) (ledger.Tree, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, nil
}

func (k *memoryKeys) OpenEpoch(_ context.Context, epoch int, last ledger.Tree) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == (ledger.Tree{Epoch: epoch}) {
		return nil
	}
	if epoch != k.last.Epoch+1 || last != k.last {
		return fmt.Errorf("epoch %d after %v does not follow %v", epoch, last, k.last)
	}
	k.last = ledger.Tree{Epoch: epoch}
	return nil
}

func (k *memoryKeys) VerifierKey(epoch int) string {
	_, vkey := k.pair(epoch)
	return vkey
}

func (k *memoryKeys) period(name string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.periods[name]
	if !ok {
		key = make([]byte, 32)
		_, _ = rand.Read(key)
		k.periods[name] = key
	}
	if key == nil {
		return nil, ledger.ErrPeriodDropped
	}
	return key, nil
}

func (k *memoryKeys) aead(period string) (cipher.AEAD, error) {
	key, err := k.period(period)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (k *memoryKeys) SealPersonal(_ context.Context, period string, ad, plain []byte) ([]byte, error) {
	a, err := k.aead(period)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, ad), nil
}

func (k *memoryKeys) OpenPersonal(_ context.Context, period string, ad, sealed []byte) ([]byte, error) {
	a, err := k.aead(period)
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, sealed, ad)
}

func (k *memoryKeys) Blind(_ context.Context, period, text string) ([]byte, error) {
	key, err := k.period(period)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte("blind\x00" + text))
	return m.Sum(nil)[:16], nil
}

func (k *memoryKeys) DropPeriod(_ context.Context, period string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.periods[period] = nil
	return nil
}
