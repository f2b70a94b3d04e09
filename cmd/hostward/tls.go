package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"hostward/internal/file"
)

// certificate returns the panel's certificate in dir, and makes one that it
// signs itself where there is none, or where its own is over: a browser asks
// once, and nothing that is typed goes over the wire in clear. A certificate that
// somebody else made is left alone, over or not.
func certificate(dir string, now time.Time, log *slog.Logger) (*renewed, error) {
	r := &renewed{crt: filepath.Join(dir, "panel.crt"), key: filepath.Join(dir, "panel.key"), log: log}
	pair, err := r.get()
	if err == nil && pair.Leaf != nil && (now.Before(pair.Leaf.NotAfter) || !slices.Contains(pair.Leaf.Issuer.Organization, ownIssuer)) {
		return r, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := selfSign(r.crt, r.key, now); err != nil {
		return nil, fmt.Errorf("making the panel's certificate: %w", err)
	}
	_, err = r.get()
	return r, err
}

// renewed is a certificate in two files, read again when they change: whoever renews
// it need not know of us.
type renewed struct {
	crt, key string
	log      *slog.Logger

	mu    sync.Mutex
	stamp string // of the files that were tried last
	pair  *tls.Certificate
}

// get returns the newest pair that fits together: while the files are being
// replaced, and after a mistake, that is the one before.
func (r *renewed) get() (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stamp := ""
	for _, path := range []string{r.crt, r.key} {
		if i, err := os.Stat(path); err == nil {
			stamp += fmt.Sprintln(i.ModTime().UnixNano(), i.Size())
		}
	}
	if stamp == r.stamp && r.pair != nil {
		return r.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(r.crt, r.key)
	if err != nil && r.pair == nil {
		return nil, fmt.Errorf("reading the certificate %s with its key %s: %w", r.crt, r.key, err)
	}
	r.stamp = stamp
	if err != nil {
		r.log.Error("a new certificate cannot be read; the old one is used on", "certificate", r.crt, "key", r.key, "error", err)
		return r.pair, nil
	}
	r.pair = &pair
	return r.pair, nil
}

// overTLS are the flags of DNS over TLS.
type overTLS struct {
	listen   []string
	crt, key string
}

func (o *overTLS) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.listen, "dot", nil, "addresses on which it answers over TLS (RFC 7858), such as :853; none: nowhere")
	f.StringVar(&o.crt, "dot-certificate", "", "its certificate for that, PEM, read again when it changes (tls/panel.crt in the data folder)")
	f.StringVar(&o.key, "dot-key", "", "and the key (tls/panel.key in the data folder)")
}

// open says where to listen and with what; a certificate that is not there is said now.
func (o *overTLS) open(data string, log *slog.Logger) (at []netip.AddrPort, pair func() (*tls.Certificate, error), err error) {
	if at, err = addresses("--dot", o.listen); err != nil || len(at) == 0 {
		return nil, nil, err
	}
	r := &renewed{log: log, crt: cmp.Or(o.crt, filepath.Join(data, "tls", "panel.crt")), key: cmp.Or(o.key, filepath.Join(data, "tls", "panel.key"))}
	_, err = r.get()
	return at, r.get, err
}

const ownIssuer = "Hostward (signed by itself)"

func selfSign(crt, key string, now time.Time) error {
	if err := os.MkdirAll(filepath.Dir(crt), 0o700); err != nil {
		return err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: host, Organization: []string{ownIssuer}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", host},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	// The key goes first: a certificate without its key would be read as broken.
	if err := file.Replace(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}
	return file.Replace(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
