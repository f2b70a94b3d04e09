package keeper_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/keeper"
	"hostward/internal/ledger"
)

// The test binary is also the process that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("KEEPER_DIR"); dir != "" {
		signUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// signUntilKilled signs one tree after another and prints each size after its
// note came back. It goes on where the keeper stands.
func signUntilKilled(dir string) {
	ctx := context.Background()
	k, err := keeper.Open(keeper.Config{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	last, err := k.LastSigned(ctx)
	for size := last.Size + 1; err == nil; size++ {
		log := growLog(size)
		if _, err = k.SignCheckpoint(ctx, log.tree(1, size), log.proof(last.Size, size)); err == nil {
			fmt.Println(size)
			last.Size = size
		}
	}
	fmt.Println("error", err)
	os.Exit(1)
}

// testLog is a tree in memory whose leaf n reads "record n".
type testLog []tlog.Hash

func growLog(size int64) (l testLog) {
	for n := range size {
		l.add(n, fmt.Sprintf("record %d", n))
	}
	return l
}

func (l *testLog) add(n int64, text string) {
	hashes, err := tlog.StoredHashes(n, []byte(text), *l)
	if err != nil {
		panic(err)
	}
	*l = append(*l, hashes...)
}

func (l testLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		out[i] = l[n]
	}
	return out, nil
}

func (l testLog) tree(epoch int, size int64) ledger.Tree {
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		panic(err)
	}
	return ledger.Tree{Epoch: epoch, Size: size, Root: root}
}

func (l testLog) proof(from, to int64) tlog.TreeProof {
	if from == 0 || from == to {
		return nil
	}
	p, err := tlog.ProveTree(to, from, l)
	if err != nil {
		panic(err)
	}
	return p
}
