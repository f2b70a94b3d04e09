package zone

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// What an archive may hold. Names in it are labels: nothing of it ever becomes a
// path, and what is no plain file is named and left out.
const (
	maxArchive  = 64 << 20  // as it was sent
	maxUnpacked = 128 << 20 // of all files together, what is left out included
	maxOneFile  = 32 << 20
	maxEntries  = 10_000
	maxRatio    = 200     // unpacked to packed
	fairSize    = 1 << 20 // below it the ratio says nothing
)

// packed is one entry of an archive.
type packed struct {
	name string
	text []byte
	why  string // it cannot be read
}

// unpack calls take for each entry that is no folder. What is wrong with one
// entry is said in it; an error is about the whole.
func unpack(data []byte, take func(packed) error) error {
	b := &budget{left: min(maxUnpacked, max(fairSize, maxRatio*int64(len(data))))}
	switch {
	case len(data) > maxArchive:
		return core.Errorf(core.Invalid, "the archive is too large: at most %d MB are accepted", maxArchive>>20)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")), bytes.HasPrefix(data, []byte("PK\x05\x06")):
		return unzip(data, b, take)
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return damaged(err)
		}
		return untar(b.of(z), take)
	case len(data) > 262 && string(data[257:262]) == "ustar":
		return untar(b.of(bytes.NewReader(data)), take)
	}
	return core.Errorf(core.Invalid, "a tar, tar.gz or zip archive of zone files is accepted")
}

func damaged(err error) error {
	if core.CodeOf(err) == core.Invalid {
		return err
	}
	return core.Wrap(core.Invalid, err, "the archive is damaged or cut off: nothing of it was taken")
}

func unzip(data []byte, b *budget, take func(packed) error) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are labels
		return damaged(err)
	}
	if len(z.File) > maxEntries {
		return tooMany()
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			err = take(packed{name: f.Name, why: "it cannot be unpacked"})
		} else {
			err = errors.Join(one(f.Name, f.Mode().IsRegular(), b.of(r), take), r.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func untar(r io.Reader, take func(packed) error) error {
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			return damaged(err)
		case n >= maxEntries:
			return tooMany()
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
			continue
		}
		if err := one(h.Name, h.Typeflag == tar.TypeReg, t, take); err != nil {
			return err
		}
	}
}

func tooMany() error {
	return core.Errorf(core.Invalid, "the archive has too many entries: at most %d are accepted", maxEntries)
}

// one reads an entry.
func one(name string, plain bool, r io.Reader, take func(packed) error) error {
	if !plain {
		return take(packed{name: name, why: "it is a link or another thing than a file"})
	}
	text, err := io.ReadAll(io.LimitReader(r, maxOneFile+1))
	switch {
	case errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat):
		return take(packed{name: name, why: "it is damaged"})
	case err != nil:
		return damaged(err)
	case len(text) > maxOneFile:
		return take(packed{name: name, why: fmt.Sprintf("it is longer than %d MB", maxOneFile>>20)})
	}
	return take(packed{name: name, text: text})
}

// budget is how many octets an archive may still unpack to.
type budget struct{ left int64 }

func (b *budget) of(r io.Reader) io.Reader { return metered{r, b} }

type metered struct {
	from io.Reader
	*budget
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, core.Errorf(core.Invalid, "the archive unpacks to more than is accepted: %d MB, and %d times its own size", maxUnpacked>>20, maxRatio)
	}
	return n, err
}

// label is the name of an entry for people: its last two words, without what
// would play tricks on a terminal.
func label(name string) string {
	words := strings.Split(strings.ReplaceAll(name, `\`, "/"), "/")
	name = strings.Join(words[max(0, len(words)-2):], "/")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, name[:min(len(name), 200)])
}

// noZone reports what lies beside zone files: hidden files, journals, keys and
// what programs keep for themselves.
func noZone(name string) bool {
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(name, "__MACOSX/") {
		return true
	}
	switch strings.ToLower(path.Ext(base)) {
	case ".jnl", ".jbk", ".key", ".private", ".state", ".conf", ".md":
		return true
	}
	return false
}

// named reads the zone's name off the name of a file: example.com.zone,
// db.example.com. "" if it says none.
func named(file string) rr.Name {
	base := strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
	for _, end := range []string{".zone", ".db", ".txt", ".hosts", ".dns", ".bind"} {
		if rest, ok := strings.CutSuffix(base, end); ok {
			base = rest
			break
		}
	}
	for _, begin := range []string{"db.", "pri.", "zone."} {
		if rest, ok := strings.CutPrefix(base, begin); ok {
			base = rest
			break
		}
	}
	name, err := apexName(base)
	if err != nil || name.Labels() < 2 {
		return ""
	}
	return name
}
