package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/file"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// entries is the level of entry bundles in paths.
	entriesLevel = -1
	// openFiles is how many files are made durable at the same time.
	openFiles = 4
)

// tilePath returns the path of a tile or bundle (C2SP tlog-tiles): width 256
// for a full one, less for a partial one.
func tilePath(level int, n int64, width int) string {
	name := "tile/entries/"
	if level != entriesLevel {
		name = "tile/" + strconv.Itoa(level) + "/"
	}
	name += tileNumber(n)
	if width < tileWidth {
		name += ".p/" + strconv.Itoa(width)
	}
	return name
}

// tileNumber writes 1234067 as "x001/x234/067".
func tileNumber(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

// edge is the right edge of a tree: the hashes of the incomplete tile of each
// level. Everything left of it is in full tiles.
type edge struct {
	size   int64
	levels [][]tlog.Hash
}

func (e *edge) clone() *edge {
	c := &edge{size: e.size, levels: make([][]tlog.Hash, len(e.levels))}
	for i, l := range e.levels {
		c.levels[i] = append(make([]tlog.Hash, 0, tileWidth), l...)
	}
	return c
}

// append adds a leaf hash; full is called with each tile that this completes.
func (e *edge) append(h tlog.Hash, full func(level int, n int64, hashes []tlog.Hash)) {
	for level := 0; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, make([]tlog.Hash, 0, tileWidth))
		}
		e.levels[level] = append(e.levels[level], h)
		if len(e.levels[level]) < tileWidth {
			break
		}
		full(level, e.size>>(tileHeight*(level+1)), e.levels[level])
		h = merkleRoot(append([]tlog.Hash(nil), e.levels[level]...))
		e.levels[level] = e.levels[level][:0]
	}
	e.size++
}

// root is RFC 6962's: the perfect subtrees that the edge consists of, joined
// from the smallest on.
func (e *edge) root() tlog.Hash {
	if e.size == 0 {
		return merkleRoot(nil)
	}
	var root tlog.Hash
	first := true
	for _, hashes := range e.levels {
		for end := len(hashes); end > 0; {
			width := end & -end
			h := merkleRoot(append([]tlog.Hash(nil), hashes[end-width:end]...))
			if end -= width; first {
				root, first = h, false
			} else {
				root = tlog.NodeHash(h, root)
			}
		}
	}
	return root
}

// treeFile is one file of the tree, to be written.
type treeFile struct {
	path string
	data []byte
}

// partials returns the incomplete tiles of the edge as files.
func (e *edge) partials() []treeFile {
	var files []treeFile
	for level, hashes := range e.levels {
		if len(hashes) > 0 {
			n := e.size >> (tileHeight * (level + 1))
			files = append(files, treeFile{tilePath(level, n, len(hashes)), packHashes(hashes)})
		}
	}
	return files
}

func packHashes(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func unpackHashes(b []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}

// appendBundled adds one leaf to an entry bundle: length as uint16, bytes.
func appendBundled(b, leaf []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(leaf)))
	return append(b, leaf...)
}

// unpackBundle returns the leaves of a bundle.
func unpackBundle(b []byte) ([][]byte, error) {
	var leaves [][]byte
	for len(b) > 0 {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, errors.New("the entry bundle is cut short")
		}
		end := 2 + int(binary.BigEndian.Uint16(b))
		leaves = append(leaves, b[2:end])
		b = b[end:]
	}
	return leaves, nil
}

// folder is the directory of one epoch. Files in it appear whole and durable
// or not at all.
type folder struct{ dir string }

func epochFolder(dir string, epoch int) folder {
	return folder{filepath.Join(dir, "epoch-"+strconv.Itoa(epoch))}
}

func (f folder) read(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(path)))
}

// readTile returns the first width entries of a tile: from its own file, from
// the full tile, or from a wider partial one.
func (f folder) readTile(level int, n int64, width int) ([]tlog.Hash, error) {
	data, err := f.read(tilePath(level, n, width))
	if errors.Is(err, fs.ErrNotExist) && width < tileWidth {
		data, err = f.read(tilePath(level, n, tileWidth))
	}
	for w := width + 1; errors.Is(err, fs.ErrNotExist) && w < tileWidth; w++ {
		data, err = f.read(tilePath(level, n, w))
	}
	if err != nil {
		return nil, err
	}
	if len(data)%tlog.HashSize != 0 || len(data) < width*tlog.HashSize {
		return nil, fmt.Errorf("the tile %s has %d bytes", tilePath(level, n, width), len(data))
	}
	return unpackHashes(data)[:width], nil
}

// write makes files durable. After it returns nil they survive a crash of the
// machine; after an error some may be there, which does no harm: the same
// content is written again.
func (f folder) write(files []treeFile) error {
	errs := make([]error, openFiles)
	var wait sync.WaitGroup
	for worker := range openFiles {
		wait.Go(func() {
			for i := worker; i < len(files) && errs[worker] == nil; i += openFiles {
				errs[worker] = f.writeOne(files[i])
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return f.syncFolders(files)
}

func (f folder) writeOne(w treeFile) error {
	path := filepath.Join(f.dir, filepath.FromSlash(w.path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := writeDurable(path+".new", w.data); err != nil {
		_ = os.Remove(path + ".new")
		return err
	}
	return os.Rename(path+".new", path)
}

func writeDurable(path string, data []byte) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err = out.Write(data); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// syncFolders makes the names of files durable: their folders, and the
// folders above, which may be new.
func (f folder) syncFolders(files []treeFile) error {
	done := map[string]bool{}
	top := filepath.Dir(f.dir)
	for _, w := range files {
		for dir := filepath.Dir(filepath.Join(f.dir, filepath.FromSlash(w.path))); !done[dir]; dir = filepath.Dir(dir) {
			done[dir] = true
			if err := file.SyncDir(dir); err != nil {
				return err
			}
			if dir == top {
				break
			}
		}
	}
	return nil
}

// dropPartials removes the partial tiles that full ones have replaced.
func (f folder) dropPartials(level int, n int64) {
	_ = os.RemoveAll(filepath.Join(f.dir, filepath.FromSlash(tilePath(level, n, tileWidth)+".p")))
}

// loadEdge reads the right edge of the tree with size leaves.
func (f folder) loadEdge(size int64) (*edge, error) {
	e := &edge{size: size}
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		count := size >> (tileHeight * level)
		hashes := make([]tlog.Hash, 0, tileWidth)
		if width := int(count % tileWidth); width > 0 {
			tile, err := f.readTile(level, count/tileWidth, width)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, tile...)
		}
		e.levels = append(e.levels, hashes)
	}
	return e, nil
}

// loadBundle returns the leaves of the incomplete bundle of a tree.
func (f folder) loadBundle(size int64) ([]byte, error) {
	width := int(size % tileWidth)
	if width == 0 {
		return nil, nil
	}
	data, err := f.read(tilePath(entriesLevel, size/tileWidth, width))
	if err != nil {
		return nil, err
	}
	leaves, err := unpackBundle(data)
	if err == nil && len(leaves) != width {
		err = fmt.Errorf("the entry bundle %s holds %d records", tilePath(entriesLevel, size/tileWidth, width), len(leaves))
	}
	return data, err
}

// hashes reads stored hashes of the tree with size leaves, for proofs.
func (f folder) hashes(size int64) tlog.HashReader {
	cache := map[tlog.Tile][]byte{}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			tile := tlog.TileForIndex(tileHeight, index)
			tile.W = int(min(tileWidth, size>>(tileHeight*tile.L)-tile.N*tileWidth))
			data, ok := cache[tile]
			if !ok {
				hashes, err := f.readTile(tile.L, tile.N, tile.W)
				if err != nil {
					return nil, fmt.Errorf("reading hashes of the log: %w", err)
				}
				data = packHashes(hashes)
				cache[tile] = data
			}
			var err error
			if list[i], err = tlog.HashFromTile(tile, data, index); err != nil {
				return nil, fmt.Errorf("reading hashes of the log: %w", err)
			}
		}
		return list, nil
	})
}
