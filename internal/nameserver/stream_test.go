package nameserver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/nameserver"
)

func certificate(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestDNSOverTLSWithACertificateThatChanges(t *testing.T) {
	var current atomic.Pointer[tls.Certificate]
	current.Store(certificate(t, "one.test"))
	s := run(t, nameserver.Config{
		ListenTLS:   []netip.AddrPort{loopback},
		Certificate: func() (*tls.Certificate, error) { return current.Load(), nil },
	})
	load(t, s, zone(t, corners))
	for _, name := range []string{"one.test", "two.test"} {
		current.Store(certificate(t, name))
		cfg := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"dot"}}
		conn, err := tls.Dial("tcp", s.TLSAddrs()[0].String(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState(); got.PeerCertificates[0].DNSNames[0] != name || got.NegotiatedProtocol != "dot" {
			t.Errorf("certificate of %v, protocol %q", got.PeerCertificates[0].DNSNames, got.NegotiatedProtocol)
		}
		c := &dns.Conn{Conn: conn}
		for range 3 {
			m := new(dns.Msg)
			m.SetQuestion("www.z.test.", dns.TypeA)
			if err := c.WriteMsg(m); err != nil {
				t.Fatal(err)
			}
			if got, err := c.ReadMsg(); err != nil || len(got.Answer) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
		}
		_ = c.Close()
	}
	if st := s.Stats(); st.TLS != 6 || st.TCP != 6 {
		t.Errorf("%+v", st)
	}
}

func TestANetworkHasItsShareOfConnections(t *testing.T) {
	s := run(t, nameserver.Config{Connections: 8, PerClient: 1})
	load(t, s, zone(t, corners))
	c := dial(t, s)
	if _, err := c.Write(framed(t, 1, "www.z.test.")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, s).Read(make([]byte, 1)); err == nil {
		t.Error("a second connection of the network was served")
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 9, 1)}}
	other, err := d.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	_ = other.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = other.Write(framed(t, 1, "www.z.test."))
	if _, err := other.Read(make([]byte, 512)); err != nil {
		t.Errorf("another network: %v", err)
	}
}
