package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A ticket is 16 random bytes, the time of issue (8 bytes, microseconds since
// 1970, big-endian), and 16 bytes of HMAC-SHA256 over these, the use and the
// associated data. Its key is made at each start and never leaves the memory: a
// ticket is for minutes. So whoever asks for a challenge costs no memory.
const (
	ticketNonce = 16
	ticketSize  = ticketNonce + 8 + 16
)

// Ticket implements Keeper.
func (k *local) Ticket(ctx context.Context, use string, ad []byte, now time.Time) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	t := make([]byte, ticketNonce, ticketSize)
	_, _ = rand.Read(t) // never fails: crypto/rand ends the program instead
	t = binary.BigEndian.AppendUint64(t, uint64(now.UnixMicro()))
	return append(t, k.stamp(use, ad, t)...), nil
}

// CheckTicket implements Keeper.
func (k *local) CheckTicket(ctx context.Context, use string, ad, ticket []byte, now time.Time, life time.Duration) (issued time.Time, ok bool, err error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return issued, false, err
	}
	defer leave()
	if len(ticket) != ticketSize {
		return issued, false, nil
	}
	body, stamp := ticket[:ticketNonce+8], ticket[ticketNonce+8:]
	issued = time.UnixMicro(int64(binary.BigEndian.Uint64(body[ticketNonce:]))).UTC()
	age := now.Sub(issued)
	return issued, hmac.Equal(stamp, k.stamp(use, ad, body)) && age >= 0 && age < life, nil
}

func (k *local) stamp(use string, ad, body []byte) []byte {
	mac := hmac.New(sha256.New, k.tickets)
	for _, part := range [][]byte{[]byte(use), ad, body} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		mac.Write(part)
	}
	return mac.Sum(nil)[:16]
}
