package passkey_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/adapter/passkey"
)

func TestAKeyComesBackFromJSONAsItWas(t *testing.T) {
	d := newDevice(p256Key())
	d.flags |= eligible | synced
	d.count = 1<<32 - 1
	want := d.register(t)
	var got passkey.Key
	if err := json.Unmarshal(encodeJSON(t, want), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// In the answer AAGUID, ID and public key stand one behind the other.
func TestTheFieldsOfAKeyShareNoMemory(t *testing.T) {
	key := newDevice(p256Key()).register(t)
	want := encodeJSON(t, key)
	for _, field := range [][]byte{key.AAGUID, key.ID, key.Public} {
		_ = append(field, make([]byte, 64)...)
	}
	if d := cmp.Diff(string(want), string(encodeJSON(t, key))); d != "" {
		t.Error(d)
	}
}
