package witness_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/witness"
)

func base64Std(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// post sends a body as it is.
func post(t *testing.T, r *running, body string) (status int, kind, answer string) {
	t.Helper()
	res, err := http.Post(r.url+"/add-checkpoint", "", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), string(data)
}

// body writes a request by hand, to check the format from outside.
func body(old int64, proof tlog.TreeProof, signed []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		b.WriteString(base64Std(h[:]) + "\n")
	}
	return b.String() + "\n" + string(signed)
}

// From end to end with no code of ours in the check: the signature line's
// bytes as tlog-cosignature has them, and x/mod's note on the whole.
func TestCosignsWhatAStrangerCanVerify(t *testing.T) {
	l := newLog(9)
	r := serve(t, l)
	signed := l.sign(l.tree(1, 9))
	status, _, line := post(t, r, body(0, nil, signed))
	if status != 200 || !strings.HasPrefix(line, "— witness.example.org/w1 ") || !strings.HasSuffix(line, "\n") {
		t.Fatalf("%d %q", status, line)
	}
	opened, err := note.Open(append(signed, line...), note.VerifierList(byHand{t, r.key}))
	if err != nil || len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 1 {
		t.Fatalf("%+v, %v", opened, err)
	}
	wantLatest(t, r.client(t), l, 9)
}

func TestAnswersWithTheStatusOfTheSpecification(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 20)
	fork := newLog(19)
	fork.grow(30, "altered %d")
	at25 := l.sign(l.tree(1, 25))
	forged := bytes.Replace(at25, []byte("\n25\n"), []byte("\n26\n"), 1)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"unknown log":                  {body(0, nil, l.signText("other", "other\n3\n"+l.tree(1, 3).Root.String()+"\n")), 404},
		"no trusted signature":         {body(20, l.proof(20, 25), otherKey(at25)), 403},
		"wrong signature":              {body(20, l.proof(20, 25), forged), 403},
		"old larger than new":          {body(26, nil, at25), 400},
		"old smaller than known":       {body(10, l.proof(10, 25), at25), 409},
		"old unknown":                  {body(0, nil, at25), 409},
		"rollback":                     {body(20, nil, l.sign(l.tree(1, 15))), 400},
		"rollback by a false old":      {body(10, l.proof(10, 15), l.sign(l.tree(1, 15))), 409},
		"fork of the same size":        {body(20, nil, fork.sign(fork.tree(1, 20))), 422},
		"fork that is larger":          {body(20, fork.proof(20, 30), fork.sign(fork.tree(1, 30))), 422},
		"wrong proof":                  {body(20, l.proof(19, 25), at25), 422},
		"proof for the same size":      {body(20, l.proof(10, 20), l.sign(l.tree(1, 20))), 422},
		"without a proof":              {body(20, nil, at25), 422},
		"no old line":                  {"\n" + string(at25), 400},
		"old with a sign":              {"old +20\n\n" + string(at25), 400},
		"old with a zero":              {"old 020\n\n" + string(at25), 400},
		"old too large":                {"old 9223372036854775807\n\n" + string(at25), 400},
		"no empty line":                {"old 20\n" + string(at25[:20]), 400},
		"proof that is no base64":      {"old 20\n?\n\n" + string(at25), 400},
		"64 hashes":                    {"old 20\n" + strings.Repeat(base64Std(make([]byte, 32))+"\n", 64) + "\n" + string(at25), 400},
		"no note":                      {"old 20\n\nhello\n", 400},
		"no checkpoint":                {body(20, nil, l.signText(base, "hello\n")), 400},
		"size that is no number":       {body(20, nil, l.signText(base, base+"\nx\n"+l.tree(1, 3).Root.String()+"\n")), 400},
		"too large a size":             {body(20, nil, l.signText(base, base+"\n4611686018427387905\n"+l.tree(1, 3).Root.String()+"\n")), 400},
		"empty":                        {"", 400},
		"larger than a request may be": {body(20, nil, at25) + strings.Repeat("x", 1<<17), 400},
	} {
		status, kind, answer := post(t, r, c.body)
		if status != c.status {
			t.Errorf("%s: %d %q, want %d", name, status, answer, c.status)
		}
		if c.status == 409 && (kind != "text/x.tlog.size" || answer != "20\n") {
			t.Errorf("%s: answered %q of type %q", name, answer, kind)
		}
	}
	wantLatest(t, r.client(t), l, 20)
	mustSubmit(t, r.client(t), l, 20, 20)
	mustSubmit(t, r.client(t), l, 20, 30)
}

// otherKey signs nothing: it renames the signature to an unknown key.
func otherKey(signed []byte) []byte {
	i := bytes.LastIndex(signed, []byte("— "))
	line := bytes.Split(signed[i:], []byte(" "))
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(string(line[2])))
	raw[0] ^= 1
	return []byte(string(signed[:i]) + "— " + base + " " + base64Std(raw) + "\n")
}

func TestTheEmptyTreeHasOneRoot(t *testing.T) {
	l := newLog(3)
	r := serve(t, l)
	false0 := l.signText(base, base+"\n0\n"+l.tree(1, 3).Root.String()+"\n")
	if status, _, answer := post(t, r, body(0, nil, false0)); status != 422 {
		t.Errorf("a false empty tree: %d %s", status, answer)
	}
	true0 := l.signText(base, base+"\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
	if status, _, answer := post(t, r, body(0, nil, true0)); status != 200 {
		t.Errorf("the empty tree: %d %s", status, answer)
	}
	mustSubmit(t, r.client(t), l, 0, 3)
}

func TestCosignsExtensionLinesToo(t *testing.T) {
	l := newLog(3)
	r := serve(t, l)
	signed := l.signText(base, base+"\n3\n"+l.tree(1, 3).Root.String()+"\nextension\n")
	if _, err := r.client(t).Submit(t.Context(), 0, nil, signed); err != nil {
		t.Error(err)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	l := newLog(3)
	r := serve(t, l)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/add-checkpoint", 405}, {"POST", "/" + hashOf(base) + "/checkpoint", 405},
		{"GET", "/" + hashOf(base) + "/checkpoint", 404}, {"GET", "/" + hashOf("other") + "/checkpoint", 404},
		{"GET", "/", 404}, {"GET", "/checkpoint", 404}, {"GET", "/../lock", 404},
	} {
		req, err := http.NewRequest(c.method, r.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, res.StatusCode, c.status)
		}
	}
}

func hashOf(origin string) string {
	return fmt.Sprintf("%x", sum([]byte(origin)))
}

func TestRemembersAcrossRestarts(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 20)
	r.stop()
	r.start(t, l.key(1))
	wantLatest(t, r.client(t), l, 20)
	_, err := submit(r.client(t), l, 0, 10)
	if size, ok := errors.AsType[*witness.SizeError](err); !ok || size.Size != 20 || !size.Ahead() {
		t.Errorf("a rollback after a restart: %v", err)
	}
	mustSubmit(t, r.client(t), l, 20, 30)
}

func TestStartsOnlyOnItsOwnMemory(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 20)
	if _, err := witness.New(witness.Config{Key: r.secret, Dir: r.dir, Logs: []string{l.key(1)}}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one on the same folder: %v", err)
	}
	r.stop()
	other, _, err := witness.GenerateKey("witness.example.org/w2")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, hashOf(base))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ key, state, log, want string }{
		"another key":    {other, string(good), l.key(1), "does not bear the signature"},
		"altered":        {r.secret, strings.Replace(string(good), "\n20\n", "\n10\n", 1), l.key(1), "does not bear the signature"},
		"empty":          {r.secret, "", l.key(1), "does not bear the signature"},
		"broken key":     {r.secret[:30], string(good), l.key(1), "not a witness's key"},
		"no log":         {r.secret, string(good), "", "at least one log"},
		"broken log key": {r.secret, string(good), "x+y", "not the verifier key of a log"},
		"witness as log": {r.secret, string(good), r.key, "not the verifier key of a log"},
	} {
		if err := os.WriteFile(path, []byte(c.state), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := witness.New(witness.Config{Key: c.key, Dir: r.dir, Logs: strings.Fields(c.log)})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// Many at once, half of them for a fork: the witness signs one history.
func TestConcurrentSubmitsCannotForkOrRollBack(t *testing.T) {
	l, fork := newLog(60), newLog(1)
	fork.grow(60, "altered %d")
	r := serve(t, l)
	c := r.client(t)
	mustSubmit(t, c, l, 0, 1)
	var signed [2]atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		history := []*testLog{l, fork}[worker%2]
		wg.Go(func() {
			for range 40 {
				_, err := submit(c, history, 1, 2+int64(worker))
				if err == nil {
					signed[worker%2].Add(1)
				}
				size, ok := errors.AsType[*witness.SizeError](err)
				if ok && size.Size < 60 {
					if _, err := submit(c, history, size.Size, size.Size+1); err == nil {
						signed[worker%2].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	if a, b := signed[0].Load(), signed[1].Load(); (a > 0) == (b > 0) {
		t.Errorf("%d cosignatures for one history and %d for the other", a, b)
	}
}

// Kill -9 between keeping the checkpoint and answering: nobody saw the
// cosignature, the memory holds, the log gets it by asking again.
func TestKilledBetweenKeepingAndAnswering(t *testing.T) {
	l := newLog(30)
	r := serve(t, l)
	mustSubmit(t, r.client(t), l, 0, 10)
	r.stop()
	url := r.spawn(t, l, "WITNESS_CRASH=1")
	if _, err := submit(clientOf(t, url, r.key), l, 10, 20); err == nil {
		t.Fatal("the witness answered before it was killed")
	}
	r.kill() // waits for its end
	r.start(t, l.key(1))
	c := r.client(t)
	wantLatest(t, c, l, 20)
	fork := newLog(10)
	fork.grow(30, "altered %d")
	if _, err := submit(c, fork, 10, 20); err == nil {
		t.Fatal("the witness signed a fork after the crash")
	}
	_, err := submit(c, l, 10, 20)
	if size, ok := errors.AsType[*witness.SizeError](err); !ok || size.Size != 20 || size.Ahead() {
		t.Fatalf("asking again: %v", err)
	}
	mustSubmit(t, c, l, 20, 20)
}

// Kill -9 at any moment under load: what was cosigned is still cosigned.
func TestKilledUnderLoad(t *testing.T) {
	l := newLog(2000)
	r := serve(t, l)
	r.stop()
	size := int64(0)
	for round := range 4 {
		url := r.spawn(t, l)
		c := clientOf(t, url, r.key)
		goal := size + 5 + int64(7*round)
		for {
			got, err := submit(c, l, size, size+1)
			if err != nil {
				break // killed
			}
			if got.Line == "" {
				t.Fatal("no cosignature")
			}
			if size++; size == goal {
				r.kill()
			}
		}
		r.start(t, l.key(1))
		latest, err := r.client(t).Latest(t.Context(), l.key(1))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case bytes.HasPrefix(latest, l.sign(l.tree(1, size))):
		case bytes.HasPrefix(latest, l.sign(l.tree(1, size+1))):
			size++ // kept, not answered
		default:
			t.Fatalf("cosigned %d, remembers\n%s", size, latest)
		}
		r.stop()
	}
}

// spawn runs the witness in a process of its own and returns its address.
func (r *running) spawn(t *testing.T, l *testLog, env ...string) (url string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "WITNESS_DIR="+r.dir, "WITNESS_KEY="+r.secret, "WITNESS_LOGS="+l.key(1)), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.kill = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(r.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// byHand verifies cosignatures from the text of tlog-cosignature alone.
type byHand struct {
	t   *testing.T
	key string
}

func (v byHand) Name() string { name, _, _ := strings.Cut(v.key, "+"); return name }

func (v byHand) public() []byte {
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(v.key, "+", 3)[2])
	if err != nil || len(raw) != 33 || raw[0] != 4 {
		v.t.Fatalf("the key %s: %x, %v", v.key, raw, err)
	}
	return raw[1:]
}

func (v byHand) KeyHash() uint32 {
	h := sum([]byte(v.Name()+"\n\x04"), v.public())
	return binary.BigEndian.Uint32(h[:4])
}

func (v byHand) Verify(text, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	seconds := binary.BigEndian.Uint64(sig)
	return verifyEd25519(v.public(), fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text), sig[8:])
}
