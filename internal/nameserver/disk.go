package nameserver

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"hostward/internal/core"
	"hostward/internal/file"
)

// A disk keeps what is served, so that the server comes back without whoever
// feeds it. In its folder are, with the same growing number N:
//
//	image.N    all zones when journal.N was begun: the pages as they are in memory, and what IXFR tells
//	journal.N  the change sets since
//
// Both are blocks: length uint32, CRC-32C of the payload uint32, payload. The
// first block is the head. An image is complete by its last block, which is
// empty; it is written beside and renamed. A journal ends where a block is not
// whole: that is cut off, for nobody was told that it was durable. A broken
// image or a journal that breaks before its end is set aside under a name with
// ".broken" at the end, and the feeder, who sees the versions, sends again.
type disk struct {
	folder string

	mu        sync.Mutex // of what follows
	number    uint64
	journal   *os.File
	written   int64 // octets of the journals since the last image
	image     int64 // octets of the last image
	broken    error // the journal could not be written: nothing is durable any more
	packing   bool
	compacted sync.WaitGroup
}

const (
	diskMagic    = "hostward nameserver 2"
	blockHead    = 8
	longestBlock = 1 << 30
	rewriteAt    = 64 << 20 // octets of journal worth a new image, unless the image is longer
)

// diskHead is the first block of both kinds of file.
type diskHead struct {
	Format string `json:"format"`
}

// journalEntry is what one call of Apply brought.
type journalEntry struct {
	Changes []ChangeSet `json:"changes"`
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func writeBlock(w io.Writer, payload []byte) error {
	var head [blockHead]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(head[4:], checksum(payload))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

var errTorn = errors.New("a block is not whole")

// readBlock returns the next payload; io.EOF at the end, errTorn where a block
// is cut off or does not match its sum.
func readBlock(r io.Reader) ([]byte, error) {
	var head [blockHead]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, errTorn
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > longestBlock {
		return nil, errTorn
	}
	payload, err := io.ReadAll(io.LimitReader(r, int64(n))) // grows with what is there, not with what is claimed
	if err != nil || len(payload) != int(n) || checksum(payload) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errTorn
	}
	return slices.Clip(payload), nil
}

// openDisk brings the server to the state of the folder and returns the disk,
// ready to note changes. Files it had to set aside are in the second result.
func openDisk(s *Server, folder string) (*disk, []string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, err
	}
	d := &disk{folder: folder}
	var aside []string
	images, err := numbers(folder, "image.")
	if err != nil {
		return nil, nil, err
	}
	for _, n := range slices.Backward(images) {
		if err := d.loadImage(n, s); err == nil {
			d.number = n
			break
		}
		aside = append(aside, d.setAside("image.", n))
	}
	more, err := d.replay(s)
	if err != nil {
		return nil, nil, err
	}
	return d, append(aside, more...), d.openJournal()
}

// numbers returns the numbers of the files of a kind, in order.
func numbers(folder, kind string) (out []uint64, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if digits, ok := strings.CutPrefix(e.Name(), kind); ok {
			if n, err := strconv.ParseUint(digits, 10, 64); err == nil {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out, err
}

func (d *disk) path(kind string, n uint64) string {
	return filepath.Join(d.folder, kind+strconv.FormatUint(n, 10))
}

func (d *disk) setAside(kind string, n uint64) string {
	to := d.path(kind, n) + ".broken"
	_ = os.Rename(d.path(kind, n), to) // if not, it is found broken again
	return to
}

// head reads and checks the first block.
func (d *disk) head(r io.Reader) error {
	b, err := readBlock(r)
	if err != nil {
		return errTorn
	}
	var h diskHead
	if err := json.Unmarshal(b, &h); err != nil || h.Format != diskMagic {
		return core.Errorf(core.Invalid, "the file is none of ours")
	}
	return nil
}

// loadImage serves the zones of an image, all or none.
func (d *disk) loadImage(n uint64, s *Server) error {
	f, err := os.Open(d.path("image.", n))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 1<<20)
	if err := d.head(r); err != nil {
		return err
	}
	e := newTable[*slot]().edit()
	for {
		b, err := readBlock(r)
		if err != nil {
			return errTorn // the end comes before the last block too
		}
		if len(b) == 0 {
			break
		}
		img, err := thawed(b)
		if err != nil {
			return err
		}
		hung := &slot{}
		hung.image.Store(img)
		e.set(img.apex, hung)
	}
	s.zones.Store(e.done())
	if st, err := f.Stat(); err == nil {
		d.image = st.Size()
	}
	return nil
}

// replay applies the journals since the image.
func (d *disk) replay(s *Server) (aside []string, err error) {
	all, err := numbers(d.folder, "journal.")
	if err != nil {
		return nil, err
	}
	for i, n := range all {
		if n < d.number {
			continue
		}
		end, err := d.replayOne(n, s)
		d.number, d.written = n, d.written+end
		switch {
		case err == nil:
		case errors.Is(err, errTorn) && i == len(all)-1 && end > 0:
			if err := os.Truncate(d.path("journal.", n), end); err != nil {
				return aside, err
			}
		default:
			d.number++
			return append(aside, d.setAside("journal.", n)), nil
		}
	}
	return aside, nil
}

// replayOne returns how many octets of a journal are whole.
func (d *disk) replayOne(n uint64, s *Server) (end int64, err error) {
	f, err := os.Open(d.path("journal.", n))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	in := &counting{r: bufio.NewReaderSize(f, 1<<20)}
	if err := d.head(in); err != nil {
		return 0, err
	}
	for {
		end = in.n
		b, err := readBlock(in)
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return end, err
		}
		var e journalEntry
		if err := json.Unmarshal(b, &e); err != nil {
			return 0, err
		}
		ready, err := compile(context.Background(), e.Changes)
		if err == nil {
			err = s.apply(context.Background(), e.Changes, ready, func() error { return nil })
		}
		if err != nil {
			return 0, err
		}
	}
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// openJournal opens the journal of d.number, made if it is not there.
func (d *disk) openJournal() error {
	path := d.path("journal.", d.number)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.begin(path)
	}
	d.journal = f
	return err
}

// begin makes a file with its head.
func (d *disk) begin(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(diskHead{diskMagic})
	if err == nil {
		err = errors.Join(writeBlock(f, b), f.Sync(), file.SyncDir(d.folder))
	}
	return f, err
}

// note makes an entry durable. After an error nothing more is: what the end of
// the journal holds is not known.
func (d *disk) note(changes []ChangeSet) error {
	b, err := json.Marshal(journalEntry{changes})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	block := make([]byte, 0, blockHead+len(b))
	block = binary.LittleEndian.AppendUint32(block, uint32(len(b)))
	block = binary.LittleEndian.AppendUint32(block, checksum(b))
	_, err = d.journal.Write(append(block, b...))
	if err == nil {
		err = d.journal.Sync()
	}
	if err != nil {
		d.broken = fmt.Errorf("writing the journal: %w", err)
		return d.broken
	}
	d.written += int64(blockHead + len(b))
	return nil
}

// compact begins a new journal and writes an image of what is served then, in
// the background, once the journals are long. The caller holds the server's
// feed: nothing changes between the two.
func (d *disk) compact(s *Server, force bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.packing || d.broken != nil || !force && d.written < max(rewriteAt, d.image) {
		return nil
	}
	next := d.number + 1
	f, err := d.begin(d.path("journal.", next))
	if err != nil {
		return fmt.Errorf("beginning a journal: %w", err)
	}
	_ = d.journal.Close() // it is synced
	d.journal, d.number, d.written, d.packing = f, next, 0, true
	var images []*image
	for _, slot := range s.zones.Load().all {
		if img := slot.image.Load(); img.object != catalogObject { // it is made of the others
			images = append(images, img)
		}
	}
	d.compacted.Go(func() {
		size, err := d.writeImage(next, images)
		d.finish(next, size, err)
	})
	return nil
}

// finish ends a compaction. If the image failed, the older one and both
// journals still hold everything.
func (d *disk) finish(n uint64, size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.packing = false
	if err != nil {
		_ = os.Remove(d.path("image.", n) + ".new")
		return
	}
	d.image = size
	for _, kind := range []string{"image.", "journal."} {
		old, _ := numbers(d.folder, kind)
		for _, o := range old {
			if o < n {
				_ = os.Remove(d.path(kind, o)) // if not, it is left out when read
			}
		}
	}
}

func (d *disk) writeImage(n uint64, images []*image) (int64, error) {
	path := d.path("image.", n)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	head, err := json.Marshal(diskHead{diskMagic})
	if err == nil {
		err = writeBlock(w, head)
	}
	for _, img := range images {
		var b []byte
		if err == nil {
			b, err = img.frozen()
		}
		if err == nil {
			err = writeBlock(w, b)
		}
	}
	if err == nil {
		err = errors.Join(writeBlock(w, nil), w.Flush(), f.Sync())
	}
	size, _ := f.Seek(0, io.SeekCurrent)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return size, errors.Join(os.Rename(path+".new", path), file.SyncDir(d.folder))
}

func (d *disk) close() error {
	d.compacted.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.journal == nil {
		return nil
	}
	return d.journal.Close()
}
