package firewall

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/control"
	"hostward/internal/host/hands"
	"hostward/internal/rr/transfer/transfertest"
)

// The tests of this file run in a network of their own: this process is the server,
// other places are what is outside and behind it.

// TestMain is the test, or a helper of one in another place.
func TestMain(m *testing.M) {
	switch os.Getenv("HOSTWARD_HELPER") {
	case "probe":
		helpProbe()
	case "echo":
		helpEcho()
	case "hold":
		helpHold()
	default:
		os.Exit(m.Run())
	}
}

// probe is a try to reach a port and be answered.
type probe struct {
	Proto string         `json:"proto"`
	From  netip.Addr     `json:"from"`
	To    netip.AddrPort `json:"to"`
	Want  bool           `json:"want"`
	Got   bool           `json:"got"`
}

// Who should be answered may take long on a busy machine; who should not is
// believed after a while.
const (
	patience = time.Minute
	silence  = 1500 * time.Millisecond
)

func (p *probe) try() {
	wait := silence
	if p.Want {
		wait = patience
	}
	d := net.Dialer{Timeout: wait, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.From, 0))}
	if p.Proto == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.From, 0))
	}
	until := time.Now().Add(wait)
	c, err := d.Dial(p.Proto, p.To.String())
	if err != nil {
		return
	}
	defer c.Close()
	for time.Now().Before(until) && !p.Got { // a datagram may be lost
		if _, err := c.Write([]byte("ping")); err != nil && p.Proto == "tcp" {
			return
		}
		step := wait
		if p.Proto == "udp" {
			step = 300 * time.Millisecond
		}
		_ = c.SetReadDeadline(time.Now().Add(step))
		answer := make([]byte, 4)
		n, _ := io.ReadFull(c, answer)
		p.Got = string(answer[:n]) == "ping"
	}
}

func helpProbe() {
	var list []probe
	if err := json.NewDecoder(os.Stdin).Decode(&list); err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	for i := range list {
		all.Go(list[i].try)
	}
	all.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(list)
}

// helpEcho answers at the ports of its environment, as "80/tcp", until its input ends.
func helpEcho() {
	for at := range strings.FieldsSeq(os.Getenv("HOSTWARD_PORTS")) {
		if err := echo(at); err != nil {
			panic(err)
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// helpHold keeps one connection and says each time it was answered.
func helpHold() {
	c, err := net.DialTimeout("tcp", os.Getenv("HOSTWARD_TO"), patience)
	for i := 0; err == nil; i++ {
		answer := make([]byte, 4)
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err = c.Write([]byte("ping")); err == nil {
			_, err = io.ReadFull(c, answer)
		}
		fmt.Println("answered", i)
		time.Sleep(time.Millisecond)
	}
	fmt.Println("over", err)
}

// echo answers at one port of all addresses with what it gets.
func echo(at string) error {
	port, proto, _ := strings.Cut(at, "/")
	if proto == "udp" {
		c, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return err
		}
		go func() {
			b := make([]byte, 2048)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = c.WriteTo(b[:n], from)
			}
		}()
		return nil
	}
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	return nil
}

// apart runs the rest of a test in namespaces of its own, where /var/lib is empty. It
// reports whether this is the inside.
func apart(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HOSTWARD_NAMESPACE") == "1" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	for _, name := range []string{"nft", "ip", "ss"} {
		transfertest.Program(t, name)
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "unshare", "-nm", "--", "sh", "-c",
		`mount -t tmpfs none /var/lib && ip link set lo up && exec "$0" "$@"`, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), "HOSTWARD_NAMESPACE=1")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("--- SKIP")) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sh(t testing.TB, command string) string {
	t.Helper()
	return transfertest.Run(t, exec.Command("sh", "-c", command))
}

// nearby is a place that is joined with this one.
type nearby struct {
	transfertest.Place
	t *testing.T
}

// join makes a place behind an interface of ours.
func join(t *testing.T, device string) nearby {
	t.Helper()
	p := transfertest.NewPlace(t)
	pid := filepath.Base(filepath.Dir(filepath.Dir(strings.TrimPrefix(p.Within[1], "--net="))))
	sh(t, fmt.Sprintf("ip link add %[1]s type veth peer name eth0 netns %[2]s && ip link set %[1]s up", device, pid))
	n := nearby{p, t}
	n.run("ip link set eth0 up")
	return n
}

func (n nearby) run(command string) string {
	n.t.Helper()
	return transfertest.Run(n.t, n.Command(n.t, "sh", "-c", command))
}

// helper runs this test program there.
func (n nearby) helper(what string, env ...string) *exec.Cmd {
	n.t.Helper()
	self, err := os.Executable()
	must(n.t, err)
	cmd := exec.Command(n.Within[0], append(n.Within[1:], self)...)
	cmd.Env = append(append(os.Environ(), "HOSTWARD_HELPER="+what), env...)
	return cmd
}

// expect tries from there, and wants each try to end as it says.
func (n nearby) expect(what string, list []probe) {
	n.t.Helper()
	in, err := json.Marshal(list)
	must(n.t, err)
	cmd := n.helper("probe")
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &said
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", what, err, said.String())
	}
	must(n.t, json.Unmarshal(out, &list))
	for _, p := range list {
		if p.Got != p.Want {
			n.t.Errorf("%s: %s from %s to %s is answered: %v", what, p.Proto, p.From, p.To, p.Got)
		}
	}
}

// lines hands out what a helper prints.
func (n nearby) lines(cmd *exec.Cmd) <-chan string {
	n.t.Helper()
	out, err := cmd.StdoutPipe()
	must(n.t, err)
	in, err := cmd.StdinPipe()
	must(n.t, err)
	must(n.t, cmd.Start())
	n.t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-lines: // the newest is enough
				lines <- s.Text()
			}
		}
	}()
	return lines
}

func (n nearby) await(lines <-chan string, holds func(string) bool) string {
	n.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case line, ok := <-lines:
			if !ok {
				n.t.Fatal("the helper ended")
			}
			if holds(line) {
				return line
			}
		case <-deadline:
			n.t.Fatal("in vain")
		}
	}
}

// machine is the control on this machine.
func machine() control.Machine { return New(Ports{Panel: func() uint16 { return 0 }}).Control() }

// look looks at the firewall; desired nil lets go.
func look(t testing.TB, d *Desired) (control.Finding, Observed) {
	t.Helper()
	var raw []byte
	if d != nil {
		var err error
		raw, err = json.Marshal(d)
		must(t, err)
	}
	f, err := machine().Look(t.Context(), hands.Machine{}, raw)
	must(t, err)
	var o Observed
	must(t, json.Unmarshal(f.Observed, &o))
	return f, o
}

// apply brings it about, as the agent does: the verdict is that nothing is left.
func apply(t testing.TB, d *Desired) (control.Finding, Observed) {
	t.Helper()
	f, _ := look(t, d)
	for _, s := range f.Steps {
		must(t, hands.Machine{}.Do(t.Context(), s))
	}
	f, o := look(t, d)
	if len(f.Steps) > 0 {
		t.Fatalf("this is left: %s", strings.Join(f.Lines(), "\n"))
	}
	return f, o
}

// outside is a place with two networks of each family between it and the server.
func outside(t *testing.T) nearby {
	t.Helper()
	out := join(t, "wan0")
	sh(t, "ip address add 10.77.0.1/24 dev wan0 && ip address add 10.78.0.1/24 dev wan0 && ip -6 address add fd77::1/64 dev wan0 nodad && ip -6 address add fd78::1/64 dev wan0 nodad")
	out.run("ip address add 10.77.0.2/24 dev eth0 && ip address add 10.78.0.2/24 dev eth0 && ip -6 address add fd77::2/64 dev eth0 nodad && ip -6 address add fd78::2/64 dev eth0 nodad")
	return out
}

// ways are the pairs of addresses between outside and the server.
func ways() [][2]netip.Addr {
	var out [][2]netip.Addr
	for _, net := range []string{"10.77.0.", "10.78.0.", "fd77::", "fd78::"} {
		out = append(out, [2]netip.Addr{netip.MustParseAddr(net + "2"), netip.MustParseAddr(net + "1")})
	}
	return out
}

// probes are tries at ports in all ways, with what the firewall should make of them.
func probes(d *Desired, ports []string) (list []probe) {
	for _, w := range ways() {
		for _, at := range ports {
			text, proto, _ := strings.Cut(at, "/")
			port, _ := strconv.ParseUint(text, 10, 16)
			list = append(list, probe{Proto: proto, From: w[0], To: netip.AddrPortFrom(w[1], uint16(port)), Want: d == nil || d.admits(w[0], proto, uint16(port))})
		}
	}
	return list
}
