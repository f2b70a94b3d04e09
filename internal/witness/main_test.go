package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/ledger"
	"hostward/internal/witness"
)

// The test binary is also the witness that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("WITNESS_DIR"); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// serveUntilKilled prints its address. With WITNESS_CRASH it kills itself
// between keeping a checkpoint and answering.
func serveUntilKilled(dir string) {
	s, err := witness.New(witness.Config{Dir: dir, Key: os.Getenv("WITNESS_KEY"), Logs: strings.Fields(os.Getenv("WITNESS_LOGS"))})
	if err != nil {
		log.Fatal(err)
	}
	if os.Getenv("WITNESS_CRASH") != "" {
		s.OnPersisted(func() {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {} // the kill comes
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("http://" + listener.Addr().String())
	log.Fatal(http.Serve(listener, s))
}

const base = "example.org/log"

// testLog is a log in memory that signs what it is asked to, also forks. Leaf n
// reads "record n".
type testLog struct {
	private ed25519.PrivateKey
	hashes  []tlog.Hash
}

// newLog makes a log with a fixed key.
func newLog(size int64) *testLog {
	seed := sha256.Sum256([]byte("the key of the log"))
	l := &testLog{private: ed25519.NewKeyFromSeed(seed[:])}
	l.grow(size, "record %d")
	return l
}

func (l *testLog) grow(size int64, format string) {
	for n := l.size(); n < size; n++ {
		hashes, err := tlog.StoredHashes(n, fmt.Appendf(nil, format, n), l)
		if err != nil {
			panic(err)
		}
		l.hashes = append(l.hashes, hashes...)
	}
}

func (l *testLog) size() (n int64) {
	for tlog.StoredHashCount(n) < int64(len(l.hashes)) {
		n++
	}
	return n
}

func (l *testLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		out[i] = l.hashes[n]
	}
	return out, nil
}

func (l *testLog) tree(epoch int, size int64) ledger.Tree {
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		panic(err)
	}
	return ledger.Tree{Epoch: epoch, Size: size, Root: root}
}

func (l *testLog) proof(old, next int64) tlog.TreeProof {
	if old == 0 || old == next {
		return nil
	}
	p, err := tlog.ProveTree(next, old, l)
	if err != nil {
		panic(err)
	}
	return p
}

func (l *testLog) key(epoch int) string {
	key, err := note.NewEd25519VerifierKey(ledger.EpochOrigin(base, epoch), l.private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return key
}

// sign signs any tree.
func (l *testLog) sign(t ledger.Tree) []byte {
	origin := ledger.EpochOrigin(base, t.Epoch)
	return l.signText(origin, ledger.FormatCheckpoint(origin, t))
}

func (l *testLog) signText(name, text string) []byte {
	seed := append([]byte{0x01}, l.private.Seed()...)
	key := append([]byte{0x01}, l.private.Public().(ed25519.PublicKey)...)
	hash := sha256.Sum256(append([]byte(name+"\n"), key...))
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", name, hash[:4], base64Std(seed)))
	if err != nil {
		panic(err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		panic(err)
	}
	return signed
}

func (l *testLog) checkpoint(epoch int, size int64) ledger.Checkpoint {
	t := l.tree(epoch, size)
	return ledger.Checkpoint{Tree: t, Note: l.sign(t)}
}

// running is a witness over HTTP.
type running struct {
	*witness.Server
	url, key string // key: the verifier key
	dir      string
	secret   string
	stop     func()
	kill     func() // of the process that spawn started
}

// serve starts a witness for the log's first two epochs.
func serve(t *testing.T, l *testLog) *running {
	t.Helper()
	secret, key, err := witness.GenerateKey("witness.example.org/w1")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{key: key, secret: secret, dir: t.TempDir()}
	r.start(t, l.key(1), l.key(2))
	return r
}

func (r *running) start(t *testing.T, logs ...string) {
	t.Helper()
	s, err := witness.New(witness.Config{Key: r.secret, Dir: r.dir, Logs: logs})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	r.Server, r.url = s, web.URL
	r.stop = sync.OnceFunc(func() { web.Close(); s.Close() })
	t.Cleanup(r.stop)
}

func (r *running) client(t *testing.T) *witness.Client { return clientOf(t, r.url, r.key) }

func clientOf(t *testing.T, url, key string) *witness.Client {
	t.Helper()
	c, err := witness.NewClient(url, key, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// submit offers a tree of a log that says its old size truly.
func submit(c *witness.Client, l *testLog, old, next int64) (witness.Cosignature, error) {
	return c.Submit(context.Background(), old, l.proof(old, next), l.sign(l.tree(1, next)))
}

func mustSubmit(t *testing.T, c *witness.Client, l *testLog, old, next int64) witness.Cosignature {
	t.Helper()
	got, err := submit(c, l, old, next)
	if err != nil {
		t.Fatalf("from %d to %d: %v", old, next, err)
	}
	return got
}

// wantLatest fails unless the witness shows this tree.
func wantLatest(t *testing.T, c *witness.Client, l *testLog, size int64) {
	t.Helper()
	got, err := c.Latest(t.Context(), l.key(1))
	if err != nil {
		t.Fatal(err)
	}
	if want := l.sign(l.tree(1, size)); !bytes.HasPrefix(got, want) {
		t.Errorf("the witness shows\n%s, want it to begin with\n%s", got, want)
	}
}

func sum(parts ...[]byte) [32]byte { return sha256.Sum256(bytes.Join(parts, nil)) }

func verifyEd25519(public, text, sig []byte) bool { return ed25519.Verify(public, text, sig) }
