// Command firewall measures the firewall's table with large sets, in a network
// namespace of its own (as root):
//
//	firewall [-elements 100000] [-rounds 5] [-packets 500000]
//
// It loads the table that the panel would have loaded, in one transaction, lists it
// back as the agent does at each look, and sends datagrams over loopback through an
// output rule that asks the set, to see what a look-up costs.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"hostward/internal/feature/firewall"
)

func main() {
	elements := flag.Int("elements", 100_000, "elements of the set")
	rounds := flag.Int("rounds", 5, "rounds")
	packets := flag.Int("packets", 500_000, "datagrams in a round")
	flag.Parse()
	if err := run(*elements, *rounds, *packets); err != nil {
		fmt.Fprintln(os.Stderr, "firewall:", err)
		os.Exit(1)
	}
}

func run(elements, rounds, packets int) error {
	if os.Getenv("FIREWALL_INSIDE") == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.Command("unshare", append([]string{"-n", "--", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self}, os.Args[1:]...)...)
		cmd.Env = append(os.Environ(), "FIREWALL_INSIDE=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	fmt.Printf("%d elements, median of %d (fastest to slowest)\n", elements, rounds)
	if err := report("no table", packets, rounds); err != nil {
		return err
	}
	for _, kind := range []struct {
		name     string
		networks []string
	}{{"no set", nil}, {"addresses (hash)", addresses(elements, "")}, {"networks (intervals)", addresses(elements, "/30")}} {
		if err := one(kind.name, kind.networks, rounds); err != nil {
			return err
		}
		if err := report(kind.name, packets, rounds); err != nil {
			return err
		}
	}
	return nil
}

// addresses are n of them, or as many networks, no two of which touch.
func addresses(n int, bits string) (out []string) {
	for i := range n {
		a := uint32(0x0a000000) + uint32(i)*8
		out = append(out, netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}).String()+bits)
	}
	return out
}

func one(name string, networks []string, rounds int) error {
	d := firewall.Desired{Output: "allow", Containers: "open", Services: []firewall.Service{}}
	if networks != nil {
		d.Sets = []firewall.Set{{Name: "bad", Networks: networks}}
		d.Rules = []firewall.Rule{{Direction: "output", Protocol: "any", Peers: []string{"@bad"}, Action: "drop"}}
	}
	if err := d.Validate(); err != nil {
		return err
	}
	text := "table inet hostward\ndelete table inet hostward\n" + d.Table(true)
	var load, list []time.Duration
	var memory int64
	for range rounds {
		took, most, err := timed(text, "nft", "-f", "-")
		if err != nil {
			return err
		}
		load, memory = append(load, took), max(memory, most)
		if took, _, err = timed("", "nft", "-s", "list", "table", "inet", "hostward"); err != nil {
			return err
		}
		list = append(list, took)
	}
	fmt.Printf("%-22s loaded in one transaction %s, at most %d MB of memory; listed %s\n", name, middle(load, time.Millisecond), memory>>20, middle(list, time.Millisecond))
	return nil
}

// timed runs a program and returns how long it took, and its largest memory in octets.
func timed(input string, args ...string) (time.Duration, int64, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = bytes.NewReader([]byte(input))
	var said bytes.Buffer
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%v: %w: %s", args, err, said.String())
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Since(began), usage.Maxrss << 10, nil
}

// report says what a datagram over loopback costs now.
func report(name string, packets, rounds int) error {
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer in.Close() // nobody reads: what does not fit is dropped
	out, err := net.DialUDP("udp4", nil, in.LocalAddr().(*net.UDPAddr))
	if err != nil {
		return err
	}
	defer out.Close()
	var each []time.Duration
	for range rounds {
		began := time.Now()
		for range packets {
			if _, err := out.Write([]byte("x")); err != nil {
				return err
			}
		}
		each = append(each, time.Since(began)/time.Duration(packets))
	}
	fmt.Printf("%-22s a datagram %s\n", name, middle(each, time.Nanosecond))
	return nil
}

func middle(list []time.Duration, unit time.Duration) string {
	slices.Sort(list)
	return fmt.Sprintf("%s (%s–%s)", list[len(list)/2].Round(unit), list[0].Round(unit), list[len(list)-1].Round(unit))
}
