package keeper

import (
	"context"
	"fmt"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// TSIGAD is the associated data of a TSIG key's secret, for Reseal.
func TSIGAD(name rr.Name) []byte { return []byte("tsig " + string(name)) }

// SealTSIG implements Keeper.
func (k *local) SealTSIG(ctx context.Context, name rr.Name, secret core.Secret) ([]byte, error) {
	return k.Seal(ctx, TSIG, TSIGAD(name), []byte(secret.Reveal()))
}

// TSIG implements Keeper.
func (k *local) TSIG(ctx context.Context, name rr.Name, sealed []byte) (secret core.Secret, err error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return secret, err
	}
	defer leave()
	plain, err := k.data.open(TSIG, TSIGAD(name), sealed)
	if err != nil {
		return secret, fmt.Errorf("opening the key %s: %w", name, err)
	}
	defer clear(plain)
	return core.NewSecret(string(plain)), nil
}
