package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
)

// Disguise implements Keeper: HMAC-SHA256 under a key of the use.
func (k *local) Disguise(ctx context.Context, use, text string) ([]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key, err := derive(k.server.now.secret, "disguise/"+use)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil), nil
}
