package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Order is what one control should be from now on. Its JSON is the state of the
// object control/NAME in the log: the agent accepts an order only with the proof
// that a sealed record holds the SHA-256 of these bytes (SPEC L4).
type Order struct {
	Control string          `json:"control"`
	Number  uint64          `json:"number"`            // grows with every order of this control
	Desired json.RawMessage `json:"desired,omitempty"` // the control's own words; absent: the control lets go
	Confirm int             `json:"confirm"`           // seconds until it is undone unless confirmed; 0: it stays
	Mend    bool            `json:"mend"`              // drift is mended without asking
}

// MaxOrder is the longest order in octets.
const MaxOrder = 8 << 20

// Bytes returns the order as it is on record. They are the same for the same order.
func (o Order) Bytes() ([]byte, error) { return json.Marshal(o) }

// Digest is the digest of an order's bytes, as a record holds it.
func Digest(order []byte) string {
	sum := sha256.Sum256(order)
	return hex.EncodeToString(sum[:])
}

// ParseOrder reads an order and refuses what could not have been written by Bytes.
func ParseOrder(data []byte) (Order, error) {
	var o Order
	if len(data) > MaxOrder {
		return o, fmt.Errorf("the order has %d octets, more than %d", len(data), MaxOrder)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, fmt.Errorf("the order cannot be read: %w", err)
	}
	again, err := o.Bytes()
	switch {
	case err != nil:
		return o, err
	case !bytes.Equal(again, data):
		return o, errors.New("the order is not written the way orders are")
	case o.Control == "" || o.Number == 0 || o.Number > MaxNumber || o.Confirm < 0 || o.Confirm > int(MaxConfirm/time.Second):
		return o, errors.New("the order lacks its control or number, has too high a one, or waits too long for its confirmation")
	}
	return o, nil
}

// MaxNumber is the highest number of an order.
const MaxNumber = 1_000_000_000

// MaxConfirm is the longest time an order may wait for its confirmation.
const MaxConfirm = 15 * time.Minute
