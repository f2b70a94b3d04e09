package watch

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"hostward/internal/host"
)

// surroundings are the addresses without which the machine is of no use.
type surroundings struct {
	own         []netip.Addr
	gateways    []netip.Addr
	nameservers []netip.Addr
}

// lookAround reads them from the kernel and from a resolv.conf. What cannot be read
// is left out.
func lookAround(resolv string) (s surroundings) {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			s.own = append(s.own, plain(p.Addr()))
		}
	}
	eachLine("/proc/net/route", func(f []string) {
		if len(f) > 2 && f[1] == "00000000" { // the kernel writes the octets as one number of its own order
			if b, err := hex.DecodeString(f[2]); err == nil && len(b) == 4 {
				s.gateways = append(s.gateways, netip.AddrFrom4([4]byte(binary.NativeEndian.AppendUint32(nil, binary.BigEndian.Uint32(b)))))
			}
		}
	})
	eachLine("/proc/net/ipv6_route", func(f []string) {
		if len(f) > 4 && f[1] == "00" {
			if b, err := hex.DecodeString(f[4]); err == nil && len(b) == 16 {
				s.gateways = append(s.gateways, netip.AddrFrom16([16]byte(b)))
			}
		}
	})
	eachLine(resolv, func(f []string) {
		if len(f) > 1 && f[0] == "nameserver" {
			if a, err := netip.ParseAddr(f[1]); err == nil {
				s.nameservers = append(s.nameservers, plain(a))
			}
		}
	})
	s.gateways = slices.DeleteFunc(s.gateways, netip.Addr.IsUnspecified)
	return s
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func eachLine(path string, f func(fields []string)) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan(); {
		f(strings.Fields(s.Text()))
	}
}

// within says why a prefix is spared; "": nobody we need is in it.
func (s surroundings) within(p netip.Prefix) string {
	for _, kind := range []struct {
		addrs []netip.Addr
		what  string
	}{{s.own, "is an address of this machine"}, {s.gateways, "is the gateway"}, {s.nameservers, "is the nameserver that this machine asks"}} {
		if i := slices.IndexFunc(kind.addrs, p.Contains); i >= 0 {
			return fmt.Sprintf("%s %s", kind.addrs[i], kind.what)
		}
	}
	return ""
}

// trusted is an ignoreip: networks, and names with the addresses they had when they
// were last asked for.
type trusted struct {
	networks []netip.Prefix
	names    []string
	unknown  []string // what is neither
}

func parseTrusted(words []string) (t trusted) {
	for _, w := range words {
		if p, err := netip.ParsePrefix(w); err == nil {
			t.networks = append(t.networks, host.Plain(p))
		} else if a, err := netip.ParseAddr(w); err == nil {
			t.networks = append(t.networks, host.Plain(netip.PrefixFrom(a, a.BitLen())))
		} else if p, ok := masked(w); ok {
			t.networks = append(t.networks, p)
		} else if strings.ContainsAny(w, "/:_ ") {
			t.unknown = append(t.unknown, w)
		} else {
			t.names = append(t.names, w)
		}
	}
	return t
}

// masked reads a network with its mask in octets, 192.0.2.0/255.255.255.0.
func masked(w string) (netip.Prefix, bool) {
	at, mask, _ := strings.Cut(w, "/")
	a, err := netip.ParseAddr(at)
	m, maskErr := netip.ParseAddr(mask)
	if err != nil || maskErr != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, false
	}
	ones, bits := net.IPMask(m.AsSlice()).Size()
	return netip.PrefixFrom(a, ones).Masked(), bits == 32
}

func (t trusted) within(p netip.Prefix, known map[string][]netip.Addr) string {
	for _, n := range t.networks {
		if n.Overlaps(p) {
			return fmt.Sprintf("%s is trusted (ignoreip)", n)
		}
	}
	for _, name := range t.names {
		for _, a := range known[name] {
			if p.Contains(plain(a)) {
				return fmt.Sprintf("%s, which is %s, is trusted (ignoreip)", name, a)
			}
		}
	}
	return ""
}
