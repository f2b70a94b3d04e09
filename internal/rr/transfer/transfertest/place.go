package transfertest

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Place is a network of its own: a network namespace, which lives as long as the
// process that holds it. That one ends with the test, however it ends.
type Place struct {
	pid int
	// Within are the words before a command that runs there.
	Within []string
}

// NewPlace makes a network that has nothing but its loopback.
func NewPlace(t testing.TB) Place {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	cmd := exec.Command(Program(t, "unshare"), "-n", "sh", "-c", "echo made; exec cat")
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	holder := Begin(t, cmd)
	t.Cleanup(func() { _ = hold.Close() })
	Until(t, holder.Said, func() bool { return holder.Said() == "made\n" })
	p := Place{pid: cmd.Process.Pid, Within: []string{Program(t, "nsenter"), fmt.Sprintf("--net=/proc/%d/ns/net", cmd.Process.Pid), "--"}}
	p.ip(t, "link set lo up")
	return p
}

// Command is a command that runs there.
func (p Place) Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	return Setting{Within: p.Within}.within(t, name, args...)
}

func (p Place) ip(t testing.TB, args string) {
	t.Helper()
	Run(t, p.Command(t, "ip", strings.Fields(args)...))
}

// Wire joins two places.
type Wire struct {
	Near, Far netip.Addr
	place     Place
	name      string
}

// NewWire lays the wire of a number, 1 to 254.
func NewWire(t testing.TB, near, far Place, number int) Wire {
	t.Helper()
	w := Wire{place: near, name: fmt.Sprintf("wire%d", number),
		Near: netip.AddrFrom4([4]byte{10, 53, byte(number), 1}), Far: netip.AddrFrom4([4]byte{10, 53, byte(number), 2})}
	near.ip(t, fmt.Sprintf("link add %s type veth peer name %s netns %d", w.name, w.name, far.pid))
	for _, end := range []struct {
		place Place
		at    netip.Addr
	}{{near, w.Near}, {far, w.Far}} {
		end.place.ip(t, fmt.Sprintf("address add %s/30 dev %s", end.at, w.name))
		end.place.ip(t, fmt.Sprintf("link set %s up", w.name))
	}
	return w
}

// Cut cuts the wire, and Mend mends it.
func (w Wire) Cut(t testing.TB) {
	t.Helper()
	w.place.ip(t, "link set "+w.name+" down")
}

// Mend is the end of Cut.
func (w Wire) Mend(t testing.TB) {
	t.Helper()
	w.place.ip(t, "link set "+w.name+" up")
}
