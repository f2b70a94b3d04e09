package transfer

import (
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"hash"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// fudge is how many seconds two clocks may differ (RFC 8945 10).
const fudge = 300

// mostUnsigned is how many messages of a stream may follow one another without
// a signature (RFC 8945 5.3.1).
const mostUnsigned = 99

// signature is a TSIG record (RFC 8945 4.2).
type signature struct {
	start     int // where the record begins in the message
	name, alg rr.Name
	time      uint64 // seconds since 1970
	fudge     uint16
	mac       []byte
	id        uint16
	err       Rcode
	other     []byte
}

// findSignature returns the TSIG record of a message, nil if there is none. It
// stands last or the message is refused (RFC 8945 5.1).
func findSignature(msg []byte) (*signature, error) {
	if len(msg) < headerLen {
		return nil, malformed("a message of %d octets", len(msg))
	}
	at, ok := headerLen, false
	for range get16(msg[4:]) {
		if at, ok = skipName(msg, at); !ok || at+4 > len(msg) {
			return nil, malformed("the message ends within its question")
		}
		at += 4
	}
	total := int(get16(msg[6:])) + int(get16(msg[8:])) + int(get16(msg[10:]))
	for i := range total {
		start := at
		if at, ok = skipName(msg, at); !ok || at+10 > len(msg) {
			return nil, malformed("the message ends within a record")
		}
		typ, data := get16(msg[at:]), at+10
		at = data + int(get16(msg[at+8:]))
		switch {
		case at > len(msg):
			return nil, malformed("the message ends within a record")
		case typ == typeTSIG && (i != total-1 || get16(msg[10:]) == 0 || at != len(msg)):
			return nil, malformed("a TSIG record stands elsewhere than at the end (RFC 8945 5.1)")
		case typ == typeTSIG:
			return parseSignature(msg, start, data)
		}
	}
	return nil, nil
}

func parseSignature(msg []byte, start, data int) (*signature, error) {
	c := &cursor{msg: msg, names: map[int]rr.Name{}}
	s := &signature{start: start}
	var at int
	var err error
	if s.name, at, err = c.name(start); err != nil {
		return nil, err
	}
	if get16(msg[at+2:]) != classANY || get32(msg[at+4:]) != 0 {
		return nil, malformed("a TSIG record that is not of class ANY and TTL 0 (RFC 8945 4.2)")
	}
	if s.alg, at, err = c.name(data); err != nil {
		return nil, err
	}
	b := msg[at:]
	if len(b) < 16 || len(b) < 16+int(get16(b[8:])) {
		return nil, malformed("a TSIG record is too short")
	}
	n := int(get16(b[8:]))
	s.time, s.fudge, s.mac = get48(b), get16(b[6:]), b[10:10+n]
	b = b[10+n:]
	s.id, s.err, s.other = get16(b), Rcode(get16(b[2:])), b[6:]
	if len(s.other) != int(get16(b[4:])) {
		return nil, malformed("a TSIG record whose lengths do not agree")
	}
	return s, nil
}

// Chain is the signatures of one conversation: those of a request and of the
// messages that answer it, each of which covers the one before (RFC 8945
// 5.3.1). A nil Chain is a conversation without signatures; all methods may be
// called on it. It is not for several goroutines.
type Chain struct {
	key      Key
	secret   []byte
	sign     bool      // false: the key or the MAC was wrong, answers carry no MAC
	fault    *Fault    // what was wrong with the request
	request  signature // the request's, for answers about it
	prior    []byte    // the MAC before
	later    bool      // the first answer was made or seen
	running  hash.Hash // over prior and the messages without signature since
	unsigned int
}

// Name returns the name of the key that signed, "" if nothing is signed or the
// signature is not valid.
func (c *Chain) Name() rr.Name {
	if c == nil || c.fault != nil {
		return ""
	}
	return c.key.Name
}

// Verify checks the signature of a request. A request without one gives a nil
// Chain and no error: whether that is enough is the caller's to say. The error
// is a *Fault; the Chain beside it signs the refusal as RFC 8945 5.2 and
// 5.3.2 ask. Time and order of the checks do not depend on the secret.
func Verify(msg []byte, keys Keys, now time.Time) (*Chain, error) {
	s, err := findSignature(msg)
	if s == nil {
		return nil, err
	}
	c := &Chain{request: *s}
	if c.fault = c.verify(msg, keys, now); c.fault != nil {
		return c, c.fault
	}
	return c, nil
}

func (c *Chain) verify(msg []byte, keys Keys, now time.Time) *Fault {
	s := &c.request
	key, ok := keys(s.name)
	if !ok || key.Algorithm.name() != s.alg {
		return unknownKey(s)
	}
	if err := c.use(key); err != nil {
		return &Fault{Rcode: ServFail, Why: "reading the secret of a TSIG key failed"}
	}
	size := key.Algorithm.Size()
	if len(s.mac) > size || len(s.mac) < leastMAC(size) {
		return malformed("a MAC of %d octets: %d to %d are accepted (RFC 8945 5.2.2.1)", len(s.mac), leastMAC(size), size)
	}
	h := c.hash()
	digest(h, msg, s)
	h.Write(variables(s))
	if !hmac.Equal(s.mac, h.Sum(nil)[:len(s.mac)]) {
		return &Fault{NotAuth, BadSig, Prohibited, "the signature is not that of the key " + string(s.name)}
	}
	c.sign, c.prior = true, append([]byte{}, s.mac...)
	if f := outOfTime(s, now); f != nil {
		return f
	}
	if len(s.mac) < key.mac() {
		c.sign = false
		return &Fault{NotAuth, BadTrunc, Prohibited, fmt.Sprintf("a MAC of %d octets: %d are asked for", len(s.mac), key.mac())}
	}
	return nil
}

func unknownKey(s *signature) *Fault {
	why := fmt.Sprintf("no key %s of algorithm %s is known here", s.name, s.alg)
	if _, err := ParseAlgorithm(string(s.alg)); err != nil {
		why = core.AsError(err).Public
	}
	return &Fault{NotAuth, BadKey, Prohibited, why}
}

func outOfTime(s *signature, now time.Time) *Fault {
	ahead := int64(s.time) - now.Unix()
	if ahead <= int64(s.fudge) && -ahead <= int64(s.fudge) {
		return nil
	}
	return &Fault{NotAuth, BadTime, Prohibited, fmt.Sprintf("the other side's clock is %d seconds ahead of ours: %d either way are accepted", ahead, s.fudge)}
}

// use takes the key, with its secret decoded.
func (c *Chain) use(k Key) (err error) {
	c.key = k
	c.secret, err = k.secret()
	return err
}

func (c *Chain) hash() hash.Hash { return hmac.New(c.key.Algorithm.hash(), c.secret) }

// Sign signs a request and returns it with its signature, and the Chain that
// checks the answer. The message grows by Room octets.
func (k Key) Sign(msg []byte, now time.Time) ([]byte, *Chain, error) {
	c := &Chain{sign: true}
	if err := c.use(k); err != nil || k.Algorithm.hash() == nil {
		return nil, nil, core.Errorf(core.Invalid, "signing with the TSIG key %s: its algorithm or secret is not valid", k.Name)
	}
	s := c.stamp(msg, now)
	h := c.hash()
	h.Write(msg)
	h.Write(variables(&s))
	s.mac = h.Sum(nil)[:k.mac()]
	c.prior, c.request = s.mac, s
	return s.append(msg), c, nil
}

// Room returns how many octets a signature of the key takes at most.
func (k Key) Room() int {
	return len(k.Name.Wire()) + 10 + len(k.Algorithm.name().Wire()) + 22 + k.mac()
}

func (c *Chain) room() int {
	switch {
	case c == nil:
		return 0
	case c.sign:
		return c.key.Room()
	}
	return len(c.request.name.Wire()) + 10 + len(c.request.alg.Wire()) + 22
}

func (c *Chain) stamp(msg []byte, now time.Time) signature {
	return signature{name: c.key.Name, alg: c.key.Algorithm.name(), time: uint64(now.Unix()), fudge: fudge, id: get16(msg)}
}

// Sign signs the next message that answers the request: the first is bound to
// the request, each one after it to the one before. msg may be overwritten.
func (c *Chain) Sign(msg []byte, now time.Time) []byte {
	switch {
	case c == nil:
		return msg
	case !c.sign:
		return c.unsignedError(msg)
	}
	s := c.stamp(msg, now)
	if c.fault != nil && c.fault.TSIG == BadTime {
		s.time, s.err, s.other = c.request.time, BadTime, put48(nil, uint64(now.Unix()))
	}
	h := c.open()
	h.Write(msg)
	c.close(h, &s)
	s.mac = h.Sum(nil)[:c.key.mac()]
	c.prior, c.later = s.mac, true
	return s.append(msg)
}

// unsignedError answers a request whose key or MAC was not accepted: the TSIG
// record says why and has no MAC (RFC 8945 5.3.2).
func (c *Chain) unsignedError(msg []byte) []byte {
	if c.fault.TSIG == 0 {
		return msg
	}
	s := signature{name: c.request.name, alg: c.request.alg, time: c.request.time, fudge: c.request.fudge, id: get16(msg), err: c.fault.TSIG}
	return s.append(msg)
}

// Check checks the next message that answers the request. A message of a
// stream may come without signature; Done says whether the last had one. The
// error is a *Fault; its TSIG code is the server's word if the server refused
// the request, and then unsigned: anybody on the way could have written it.
func (c *Chain) Check(msg []byte, now time.Time) error {
	s, err := findSignature(msg)
	switch {
	case err != nil:
		return err
	case c == nil && s != nil:
		return &Fault{Rcode: FormErr, Why: "the answer is signed and the request was not"}
	case c == nil:
		return nil
	case s == nil:
		return c.skip(msg)
	case s.name != c.key.Name || s.alg != c.key.Algorithm.name():
		return &Fault{NotAuth, BadKey, Other, "the answer is signed with another key: " + string(s.name)}
	case len(s.mac) == 0 && s.err != 0:
		return told(s)
	}
	return c.check(msg, s, now)
}

// skip takes a message without signature into the chain.
func (c *Chain) skip(msg []byte) error {
	if c.unsigned++; !c.later || c.unsigned > mostUnsigned {
		return &Fault{NotAuth, BadSig, Other, fmt.Sprintf("the answer is not signed as the request was: %d messages without signature", c.unsigned)}
	}
	c.open().Write(msg)
	return nil
}

func (c *Chain) check(msg []byte, s *signature, now time.Time) error {
	if len(s.mac) > c.key.Algorithm.Size() || len(s.mac) < c.key.mac() {
		return &Fault{NotAuth, BadTrunc, Other, fmt.Sprintf("a MAC of %d octets: %d are asked for", len(s.mac), c.key.mac())}
	}
	h := c.open()
	digest(h, msg, s)
	c.close(h, s)
	if !hmac.Equal(s.mac, h.Sum(nil)[:len(s.mac)]) {
		return &Fault{NotAuth, BadSig, Other, "the signature of the answer is not that of the key " + string(s.name)}
	}
	c.prior, c.later, c.unsigned = append([]byte{}, s.mac...), true, 0
	if s.err != 0 {
		return told(s)
	}
	if f := outOfTime(s, now); f != nil {
		return f
	}
	return nil
}

// told is what the server's TSIG record says about the request.
func told(s *signature) *Fault {
	why := "the server refuses the signature of the request"
	if s.err == BadTime && len(s.other) == 6 {
		why = fmt.Sprintf("the server refuses the time of the request: its clock is %d seconds ahead of it", int64(get48(s.other))-int64(s.time))
	}
	return &Fault{NotAuth, s.err, Other, why}
}

// Done reports whether the last message that was checked had a signature: an
// answer whose end is not signed may have been cut off.
func (c *Chain) Done() error {
	if c != nil && (c.unsigned > 0 || !c.later) {
		return &Fault{NotAuth, BadSig, Other, "the answer ends without a signature"}
	}
	return nil
}

// open returns the hash that runs since the signature before.
func (c *Chain) open() hash.Hash {
	if c.running == nil {
		c.running = c.hash()
		c.running.Write(put16(nil, uint16(len(c.prior))))
		c.running.Write(c.prior)
	}
	return c.running
}

// close adds what follows the message: all variables in the first answer, the
// times only in later ones (RFC 8945 5.3.1).
func (c *Chain) close(h hash.Hash, s *signature) {
	c.running = nil
	if c.later {
		h.Write(put16(put48(nil, s.time), s.fudge))
		return
	}
	h.Write(variables(s))
}

// digest adds the message as it was before it was signed (RFC 8945 4.3.2).
func digest(h hash.Hash, msg []byte, s *signature) {
	head := append([]byte{}, msg[:headerLen]...)
	binary.BigEndian.PutUint16(head, s.id)
	binary.BigEndian.PutUint16(head[10:], get16(head[10:])-1)
	h.Write(head)
	h.Write(msg[headerLen:s.start])
}

// variables are the fields of a TSIG record that are signed (RFC 8945 4.3.3).
func variables(s *signature) []byte {
	b := append(s.name.Wire(), 0, classANY, 0, 0, 0, 0)
	b = append(b, s.alg.Wire()...)
	b = put16(put16(put48(b, s.time), s.fudge), uint16(s.err))
	return append(put16(b, uint16(len(s.other))), s.other...)
}

// append appends the record to the message and counts it.
func (s *signature) append(msg []byte) []byte {
	binary.BigEndian.PutUint16(msg[10:], get16(msg[10:])+1)
	data := put16(put48(s.alg.Wire(), s.time), s.fudge)
	data = append(put16(data, uint16(len(s.mac))), s.mac...)
	data = put16(put16(data, s.id), uint16(s.err))
	data = append(put16(data, uint16(len(s.other))), s.other...)
	msg = append(msg, s.name.Wire()...)
	msg = append(put16(msg, typeTSIG), 0, classANY, 0, 0, 0, 0)
	return append(put16(msg, uint16(len(data))), data...)
}
