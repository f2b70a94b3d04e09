package main

import (
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
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hostward/internal/file"
)

// certificate returns the panel's certificate from dir, and makes one that it
// signs itself where there is none, or where its own is over: a browser asks
// once, and nothing that is typed goes over the wire in clear. A certificate that
// somebody else made is left alone, over or not.
func certificate(dir string, now time.Time) (tls.Certificate, error) {
	crt, key := filepath.Join(dir, "panel.crt"), filepath.Join(dir, "panel.key")
	pair, err := tls.LoadX509KeyPair(crt, key)
	if err == nil && pair.Leaf != nil && (now.Before(pair.Leaf.NotAfter) || !slices.Contains(pair.Leaf.Issuer.Organization, ownIssuer)) {
		return pair, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pair, fmt.Errorf("reading the panel's certificate: %w", err)
	}
	if err := selfSign(crt, key, now); err != nil {
		return pair, fmt.Errorf("making the panel's certificate: %w", err)
	}
	return tls.LoadX509KeyPair(crt, key)
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
