package house_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/core/coretest"
)

// pebble runs a certificate authority that asks our nameserver, and returns the
// address of its directory and the file of the certificate it shows.
func pebble(t *testing.T, dns string) (directory, root string) {
	t.Helper()
	program := os.Getenv("PEBBLE")
	if program == "" {
		if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
			t.Fatal("PEBBLE names no program: make test builds it")
		}
		t.Skip("PEBBLE names no program")
	}
	dir := t.TempDir()
	at := coretest.Free(t).String()
	cert, key := localCertificate(t, dir)
	config := map[string]any{"pebble": map[string]any{"listenAddress": at, "managementListenAddress": coretest.Free(t).String(), "certificate": cert, "privateKey": key,
		"httpPort": 1, "tlsPort": 1, "retryAfter": map[string]int{"authz": 1, "order": 1}, "profiles": map[string]any{"default": map[string]any{"description": "usual", "validityPeriod": 7776000}}}}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pebble.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", dns)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(generous); ; time.Sleep(20 * time.Millisecond) { // between two looks
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
			return "https://" + at + "/dir", cert
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// localCertificate makes one for 127.0.0.1.
func localCertificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestAnACMEClientProvesANameByDynamicUpdate gets a wildcard certificate with lego in
// its RFC 2136 mode: the key may change _acme-challenge and nothing else.
func TestAnACMEClientProvesANameByDynamicUpdate(t *testing.T) {
	h := newHosting(t)
	h.must("zone.sign", map[string]any{"zone": h.zone})
	made := fields(h.must("tsig.create", map[string]any{"name": "acme.signed.example"}))
	h.must("tsig.allow", map[string]any{"key": made["id"], "zone": h.zone, "match": "exactly", "name": "_acme-challenge", "types": []string{"TXT"}})
	dns := h.DNSHere.Addrs()[0].String()
	directory, root := pebble(t, dns)
	dir := t.TempDir()
	lego := exec.Command(tool(t, "lego"), "--server", directory, "--email", "hostmaster@signed.example", "--accept-tos", "--path", dir, "--dns", "rfc2136",
		"--dns.disable-cp", "--dns.resolvers", dns, "--domains", "*.signed.example", "--domains", "signed.example", "run")
	lego.Env = append(os.Environ(), "LEGO_CA_CERTIFICATES="+root, "RFC2136_NAMESERVER="+dns, "RFC2136_TSIG_ALGORITHM=hmac-sha256.",
		"RFC2136_TSIG_KEY=acme.signed.example.", "RFC2136_TSIG_SECRET="+made["secret"].(string), "RFC2136_TTL=60", "RFC2136_SEQUENCE_INTERVAL=1", "RFC2136_POLLING_INTERVAL=1")
	if out, err := lego.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "certificates", "_.signed.example.crt"), filepath.Join(dir, "certificates", "_.signed.example.key"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || leaf.VerifyHostname("any.signed.example") != nil {
		t.Errorf("the certificate is for %v, %v", leaf.DNSNames, err)
	}
	if h.has("_acme-challenge.signed.example.", "TXT", "") {
		t.Error("the challenge was left behind")
	}
	h.validates()
	if list := fmt.Sprint(h.must("log.list", map[string]any{"action": []string{"zone.update"}})); strings.Count(list, "zone.update") < 4 {
		t.Errorf("the log does not have every update: %s", list)
	}
}
