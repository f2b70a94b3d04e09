package transfer_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

var moment = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

func at(offset time.Duration) time.Time { return moment.Add(offset) }

func newKey(t testing.TB, name rr.Name, a transfer.Algorithm) transfer.Key {
	t.Helper()
	k, err := transfer.NewKey(rand.Reader, name, a)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func query(t testing.TB, name string, typ uint16) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sign(t testing.TB, k transfer.Key, msg []byte, now time.Time) ([]byte, *transfer.Chain) {
	t.Helper()
	signed, chain, err := k.Sign(bytes.Clone(msg), now)
	if err != nil {
		t.Fatal(err)
	}
	if grew := len(signed) - len(msg); grew > k.Room() {
		t.Fatalf("the message grew by %d octets, Room says %d", grew, k.Room())
	}
	return signed, chain
}

func wantFault(t testing.TB, err error, rcode, tsig transfer.Rcode) *transfer.Fault {
	t.Helper()
	f, ok := errors.AsType[*transfer.Fault](err)
	if !ok || f.Rcode != rcode || f.TSIG != tsig {
		t.Fatalf("%v, want %v %v", err, rcode, tsig)
	}
	return f
}

// The library is another implementation of the same RFC: what it signs is
// valid here, and the other way round.
func TestSignaturesAreThoseOfAnotherImplementation(t *testing.T) {
	for _, a := range transfer.Algorithms() {
		k := newKey(t, "one.key.", a)
		ours, _ := sign(t, k, query(t, "z.example.", dns.TypeSOA), time.Now())
		if err := dns.TsigVerify(bytes.Clone(ours), k.Secret.Reveal(), "", false); err != nil {
			t.Errorf("%s: ours is refused by it: %v", a, err)
		}
		m := new(dns.Msg)
		m.SetQuestion("z.example.", dns.TypeSOA)
		m.SetTsig("One.KEY.", string(a)+".", 300, moment.Unix())
		theirs, _, err := dns.TsigGenerate(m, k.Secret.Reveal(), "", false)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := transfer.Verify(theirs, transfer.OneKey(k), at(0))
		if err != nil || chain.Name() != k.Name {
			t.Errorf("%s: its signature is refused: %v", a, err)
		}
	}
}

// stream signs and checks answers to one request.
func TestAStreamIsBoundTogether(t *testing.T) {
	k := newKey(t, "k.", transfer.SHA384)
	request, client := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
	server, err := transfer.Verify(request, transfer.OneKey(k), at(0))
	if err != nil {
		t.Fatal(err)
	}
	var last string
	var messages [][]byte
	for i := range 4 {
		msg := server.Sign(query(t, "z.example.", dns.TypeAXFR), at(time.Second))
		messages = append(messages, bytes.Clone(msg))
		prior := last
		if i == 0 {
			prior = requestMAC(t, request)
		}
		last = requestMAC(t, msg)
		if want := theirMAC(t, msg, k, prior, i > 0); want != last {
			t.Fatalf("message %d: MAC %s, the library makes %s", i, last, want)
		}
	}
	for i, msg := range messages {
		if err := client.Check(msg, at(time.Second)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := client.Done(); err != nil {
		t.Fatal(err)
	}
	_, other := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
	wantFault(t, other.Check(messages[0], at(0)), transfer.NotAuth, transfer.BadSig) // another request's id and time
	swapped, err := transfer.Verify(request, transfer.OneKey(k), at(0))
	if err != nil {
		t.Fatal(err)
	}
	swapped.Sign(query(t, "z.example.", dns.TypeAXFR), at(0))
	wantFault(t, client.Check(messages[1], at(0)), transfer.NotAuth, transfer.BadSig) // seen before
}

func requestMAC(t *testing.T, msg []byte) string {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil || m.IsTsig() == nil {
		t.Fatalf("no TSIG in a message: %v", err)
	}
	return m.IsTsig().MAC
}

func theirMAC(t *testing.T, msg []byte, k transfer.Key, prior string, timersOnly bool) string {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	m.IsTsig().MAC, m.IsTsig().MACSize = "", 0
	_, mac, err := dns.TsigGenerate(m, k.Secret.Reveal(), prior, timersOnly)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

func TestAStreamMayLeaveSignaturesOutButNotAtItsEnd(t *testing.T) {
	k := newKey(t, "k.", transfer.SHA256)
	request, client := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
	server := requestMAC(t, request)
	first := theirSigned(t, k, server, false, nil)
	if err := client.Check(first, at(0)); err != nil {
		t.Fatal(err)
	}
	bare := query(t, "z.example.", dns.TypeAXFR)
	for range 99 {
		if err := client.Check(bare, at(0)); err != nil {
			t.Fatal(err)
		}
	}
	wantFault(t, client.Done(), transfer.NotAuth, transfer.BadSig)
	wantFault(t, client.Check(bare, at(0)), transfer.NotAuth, transfer.BadSig)

	_, unsigned := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
	wantFault(t, unsigned.Check(bare, at(0)), transfer.NotAuth, transfer.BadSig)
}

// theirSigned is a message as the library signs it.
func theirSigned(t *testing.T, k transfer.Key, prior string, timersOnly bool, change func(*dns.TSIG)) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("z.example.", dns.TypeAXFR)
	m.SetTsig(string(k.Name), string(k.Algorithm)+".", 300, moment.Unix())
	if change != nil {
		change(m.IsTsig())
	}
	b, _, err := dns.TsigGenerate(m, k.Secret.Reveal(), prior, timersOnly)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWrongSignaturesAreRefusedWithTheRightCode(t *testing.T) {
	k := newKey(t, "k.", transfer.SHA256)
	good, _ := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-10] ^= 1 // within the MAC
	changed := bytes.Clone(good)
	changed[13] ^= 1 // within the question
	cut := k
	cut.MAC = 16
	short, _ := sign(t, cut, query(t, "z.example.", dns.TypeAXFR), at(0))
	tooShort := append([]byte{}, good...)
	tooShort = shorten(t, tooShort, 8)
	other := newKey(t, "other.", transfer.SHA256)
	unknown, _ := sign(t, other, query(t, "z.example.", dns.TypeAXFR), at(0))
	stronger := k
	stronger.Algorithm = transfer.SHA512
	algorithm, _ := sign(t, stronger, query(t, "z.example.", dns.TypeAXFR), at(0))
	for name, c := range map[string]struct {
		msg         []byte
		now         time.Time
		rcode, tsig transfer.Rcode
		signed      bool
	}{
		"MAC changed":      {flipped, at(0), transfer.NotAuth, transfer.BadSig, false},
		"message changed":  {changed, at(0), transfer.NotAuth, transfer.BadSig, false},
		"late":             {good, at(301 * time.Second), transfer.NotAuth, transfer.BadTime, true},
		"early":            {good, at(-301 * time.Second), transfer.NotAuth, transfer.BadTime, true},
		"cut":              {short, at(0), transfer.NotAuth, transfer.BadTrunc, false},
		"cut too short":    {tooShort, at(0), transfer.FormErr, 0, false},
		"unknown key":      {unknown, at(0), transfer.NotAuth, transfer.BadKey, false},
		"other algorithm":  {algorithm, at(0), transfer.NotAuth, transfer.BadKey, false},
		"twice":            {twice(t, good), at(0), transfer.FormErr, 0, false},
		"not at the end":   {append(bytes.Clone(good), 0), at(0), transfer.FormErr, 0, false},
		"wrong and late":   {flipped, at(time.Hour), transfer.NotAuth, transfer.BadSig, false},
		"changed and late": {changed, at(time.Hour), transfer.NotAuth, transfer.BadSig, false},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := transfer.Verify(c.msg, transfer.OneKey(k), c.now)
			wantFault(t, err, c.rcode, c.tsig)
			if chain.Name() != "" {
				t.Error("the key counts as proved")
			}
			if c.tsig == 0 {
				return
			}
			answer := new(dns.Msg)
			if err := answer.Unpack(chain.Sign(query(t, "z.example.", dns.TypeAXFR), c.now)); err != nil {
				t.Fatal(err)
			}
			s := answer.IsTsig()
			if s == nil || s.Error != uint16(c.tsig) || (s.MACSize > 0) != c.signed {
				t.Fatalf("the refusal has the record %v", s)
			}
		})
	}
	if _, err := transfer.Verify(good, transfer.OneKey(k), at(300*time.Second)); err != nil {
		t.Errorf("at the edge of the fudge: %v", err)
	}
	if chain, err := transfer.Verify(short, transfer.OneKey(cut), at(0)); err != nil || chain.Name() != "k." {
		t.Errorf("a MAC cut as the key allows is refused: %v", err)
	}
}

// shorten cuts the MAC of a signed message.
func shorten(t *testing.T, msg []byte, n int) []byte {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	s := m.IsTsig()
	s.MAC, s.MACSize = s.MAC[:2*n], uint16(n)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func twice(t *testing.T, msg []byte) []byte {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	m.Extra = append(m.Extra, m.Extra[0])
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAClockThatIsWrongIsToldByHowMuch(t *testing.T) {
	k := newKey(t, "k.", transfer.SHA256)
	request, client := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
	later := at(time.Hour)
	server, err := transfer.Verify(request, transfer.OneKey(k), later)
	wantFault(t, err, transfer.NotAuth, transfer.BadTime)
	f := wantFault(t, client.Check(server.Sign(query(t, "z.example.", dns.TypeAXFR), later), at(0)), transfer.NotAuth, transfer.BadTime)
	if !strings.Contains(f.Why, "3600 seconds ahead") {
		t.Errorf("%q does not say by how much", f.Why)
	}
}

func TestTheServersRefusalOfAKeyIsRead(t *testing.T) {
	k, other := newKey(t, "k.", transfer.SHA256), newKey(t, "k.", transfer.SHA256)
	for want, keys := range map[transfer.Rcode]transfer.Keys{
		transfer.BadSig: transfer.OneKey(other),
		transfer.BadKey: func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false },
	} {
		request, client := sign(t, k, query(t, "z.example.", dns.TypeAXFR), at(0))
		server, err := transfer.Verify(request, keys, at(0))
		wantFault(t, err, transfer.NotAuth, want)
		wantFault(t, client.Check(server.Sign(query(t, "z.example.", dns.TypeAXFR), at(0)), at(0)), transfer.NotAuth, want)
	}
}

func TestWeakAlgorithmsAreRefusedWithAReason(t *testing.T) {
	for _, s := range []string{"hmac-md5.sig-alg.reg.int.", "HMAC-SHA1", "hmac-md5"} {
		if _, err := transfer.ParseAlgorithm(s); core.CodeOf(err) != core.Invalid || !strings.Contains(err.Error(), "too weak") {
			t.Errorf("%s: %v", s, err)
		}
	}
	if _, err := transfer.ParseAlgorithm("gss-tsig"); core.CodeOf(err) != core.Invalid {
		t.Error("gss-tsig is accepted")
	}
	if a, err := transfer.ParseAlgorithm("HMAC-SHA256."); err != nil || a != transfer.SHA256 {
		t.Error(a, err)
	}
	m := new(dns.Msg)
	m.SetQuestion("z.example.", dns.TypeSOA)
	m.SetTsig("k.", dns.HmacSHA1, 300, moment.Unix())
	b, _, err := dns.TsigGenerate(m, "c2VjcmV0c2VjcmV0c2VjcmV0", "", false)
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t, "k.", transfer.SHA256)
	_, err = transfer.Verify(b, transfer.OneKey(k), at(0))
	if f := wantFault(t, err, transfer.NotAuth, transfer.BadKey); !strings.Contains(f.Why, "too weak") {
		t.Errorf("%q does not say why", f.Why)
	}
}

func TestKeysAreCheckedBeforeTheyAreUsed(t *testing.T) {
	good := newKey(t, "k.example.", transfer.SHA512)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*transfer.Key){
		"name relative":     func(k *transfer.Key) { k.Name = "k" },
		"name upper":        func(k *transfer.Key) { k.Name = "K." },
		"name root":         func(k *transfer.Key) { k.Name = "." },
		"algorithm":         func(k *transfer.Key) { k.Algorithm = "hmac-sha1" },
		"algorithm dotted":  func(k *transfer.Key) { k.Algorithm = "hmac-sha256." },
		"secret short":      func(k *transfer.Key) { k.Secret = core.NewSecret("c2hvcnQ=") },
		"secret not base64": func(k *transfer.Key) { k.Secret = core.NewSecret(strings.Repeat("?", 64)) },
		"MAC short":         func(k *transfer.Key) { k.MAC = 31 },
		"MAC long":          func(k *transfer.Key) { k.MAC = 65 },
	} {
		k := good
		change(&k)
		if err := k.Validate(); core.CodeOf(err) != core.Invalid {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), good.Secret.Reveal()) {
			t.Errorf("%s: the secret is in the error", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	k := newKey(f, "k.", transfer.SHA256)
	signed, _ := sign(f, k, query(f, "z.example.", dns.TypeAXFR), moment)
	f.Add(signed)
	f.Add(signed[:40])
	ptr, _ := hex.DecodeString("00010000000000000000000100c00cc0")
	f.Add(ptr)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		chain, err := transfer.Verify(b, transfer.OneKey(k), moment)
		if !bytes.Equal(b, before) {
			t.Fatal("the message was changed")
		}
		if err == nil && chain.Name() != "" && !bytes.Equal(b, signed) {
			if _, again := transfer.Verify(b, transfer.OneKey(newKey(t, "k.", transfer.SHA256)), moment); again == nil {
				t.Fatal("any key fits this message")
			}
		}
		if len(b) >= 12 {
			chain.Sign(bytes.Clone(b), moment)
		}
		client := chain
		_ = client.Check(b, moment)
	})
}
