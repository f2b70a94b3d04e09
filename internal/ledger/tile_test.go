package ledger

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// memoryTree is a tree by x/mod's own hand, to compare ours with.
type memoryTree struct {
	hashes []tlog.Hash
	size   int64
}

func (m *memoryTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		list[i] = m.hashes[index]
	}
	return list, nil
}

func (m *memoryTree) add(leaf []byte) error {
	hashes, err := tlog.StoredHashes(m.size, leaf, m)
	m.hashes = append(m.hashes, hashes...)
	m.size++
	return err
}

// Whatever the steps in which a tree grows, and wherever it is loaded again
// from disk, roots and proofs are those of x/mod's tree.
func TestTilesAreTheTreeOfTlog(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		state := &treeState{folder: folder{filepath.Join(dir, fmt.Sprint(run))}, edge: &edge{}}
		tree := &memoryTree{}
		for _, step := range rapid.SliceOfN(rapid.IntRange(1, 700), 1, 5).Draw(t, "steps") {
			var leaves [][]byte
			for range step {
				leaf := fmt.Appendf(nil, "leaf %d", tree.size)
				leaves = append(leaves, leaf)
				if err := tree.add(leaf); err != nil {
					t.Fatal(err)
				}
			}
			edge, bundle, files := state.grow(leaves)
			if err := state.folder.write(files); err != nil {
				t.Fatal(err)
			}
			state.edge, state.bundle = edge, bundle
			compareTrees(t, state, tree)
		}
	})
}

func compareTrees(t *rapid.T, state *treeState, tree *memoryTree) {
	want, err := tlog.TreeHash(tree.size, tree)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := state.folder.loadEdge(tree.size)
	if err != nil {
		t.Fatal(err)
	}
	if state.edge.root() != want || loaded.root() != want {
		t.Fatalf("size %d: root %s, loaded %s, want %s", tree.size, state.edge.root(), loaded.root(), want)
	}
	at := rapid.Int64Range(0, tree.size-1).Draw(t, "record")
	proof, err := tlog.ProveRecord(tree.size, at, state.folder.hashes(tree.size))
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, tree.size, want, at, tlog.RecordHash(fmt.Appendf(nil, "leaf %d", at))); err != nil {
		t.Fatal(err)
	}
	leaves, err := state.folder.readBundle(at/tileWidth, int(min(tileWidth, tree.size-at/tileWidth*tileWidth)))
	if err != nil || string(leaves[at%tileWidth]) != fmt.Sprintf("leaf %d", at) {
		t.Fatalf("leaf %d in its bundle: %v", at, err)
	}
}

// RFC 6962 2.1.1: our audit paths are those of x/mod, for every size and leaf.
func TestAuditPathsAreThoseOfTlog(t *testing.T) {
	for size := 1; size <= 40; size++ {
		tree := &memoryTree{}
		var hashes []tlog.Hash
		for i := range size {
			if err := tree.add([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, tlog.RecordHash([]byte{byte(i)}))
		}
		for i := range size {
			want, err := tlog.ProveRecord(int64(size), int64(i), tree)
			if err != nil {
				t.Fatal(err)
			}
			got := auditPath(i, hashes)
			if fmt.Sprint(got) != fmt.Sprint([]tlog.Hash(want)) {
				t.Fatalf("leaf %d of %d: %v, want %v", i, size, got, want)
			}
			root, err := rootFromPath(i, size, hashes[i], got)
			if whole, _ := tlog.TreeHash(int64(size), tree); err != nil || root != whole {
				t.Fatalf("leaf %d of %d leads to %s, %v", i, size, root, err)
			}
		}
	}
}

func TestTilePathsAreThoseOfTlogTiles(t *testing.T) {
	for want, got := range map[string]string{
		"tile/0/000":                tilePath(0, 0, 256),
		"tile/3/x001/x234/067":      tilePath(3, 1234067, 256),
		"tile/1/273.p/17":           tilePath(1, 273, 17),
		"tile/entries/x001/000.p/1": tilePath(entriesLevel, 1000, 1),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if merkleRoot(nil) != sha256.Sum256(nil) {
		t.Error("the root of an empty tree is not that of RFC 6962 2.1")
	}
}
