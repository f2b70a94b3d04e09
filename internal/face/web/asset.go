package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed asset template
var files embed.FS

// asset is one file of the face, under a name that changes with its content.
type asset struct {
	kind  string
	plain []byte
	small []byte // gzip
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets packs the files once: packing them per request would cost more than
// all the rest of a page.
type assets struct {
	byURL map[string]asset
	urls  map[string]string // "app.css" -> "/asset/app.0123456789ab.css"
}

func loadAssets(from fs.FS) (*assets, error) {
	a := &assets{byURL: map[string]asset{}, urls: map[string]string{}}
	names, err := fs.Glob(from, "asset/*")
	for _, name := range names {
		var plain []byte
		if plain, err = fs.ReadFile(from, name); err != nil {
			return nil, err
		}
		a.add(path.Base(name), plain)
	}
	return a, err
}

func (a *assets) add(name string, plain []byte) {
	sum := sha256.Sum256(plain)
	ext := path.Ext(name)
	url := "/asset/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	a.urls[name] = url
	a.byURL[url] = asset{kind: assetKinds[ext], plain: plain, small: pack(plain)}
}

func pack(plain []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(plain)                                 // a Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// ServeHTTP answers one asset, for ever cacheable: its name holds its hash.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.byURL[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := file.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = file.small
	}
	_, _ = w.Write(body)
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}
