// Command dns measures the embedded nameserver beside its peers. run.sh puts
// the parts together:
//
//	dns zone -names N            a zone file of N names with A, AAAA, MX and TXT
//	dns queries -names N -n M    M questions for it: 70 % for names that exist
//	dns serve ADDRESS FILE       our server, serving the zone file
//	dns load ADDRESS FILE        fill a server with questions, from Linux only
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

const zone = "bench.test."

func main() {
	run := map[string]func([]string) error{"zone": writeZone, "queries": writeQueries, "serve": serve, "load": load}
	if len(os.Args) < 2 || run[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: dns zone|queries|serve|load")
		os.Exit(2)
	}
	if err := run[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "dns "+os.Args[1]+":", err)
		os.Exit(1)
	}
}

func writeZone(args []string) error {
	f := flag.NewFlagSet("zone", flag.ExitOnError)
	names := f.Int("names", 10_000, "names")
	_ = f.Parse(args) // it exits on error
	w := bufio.NewWriter(os.Stdout)
	fmt.Fprintf(w, "$ORIGIN %s\n$TTL 3600\n@ SOA ns1 hostmaster 1 7200 3600 1209600 3600\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n", zone)
	for i := range *names {
		fmt.Fprintf(w, "h%d A 10.%d.%d.%d\nh%d AAAA 2001:db8::%x\n", i, i>>16&255, i>>8&255, i&255, i, i&0xFFFF)
		fmt.Fprintf(w, "h%d MX 10 h%d\nh%d TXT \"v=spf1 mx ip4:10.0.%d.0/24 -all\"\n", i, (i+1)%*names, i, i&255)
	}
	return w.Flush()
}

func writeQueries(args []string) error {
	f := flag.NewFlagSet("queries", flag.ExitOnError)
	names := f.Int("names", 10_000, "names of the zone")
	n := f.Int("n", 200_000, "questions")
	_ = f.Parse(args) // it exits on error
	types := []string{"A", "A", "A", "A", "AAAA", "AAAA", "MX", "TXT"}
	r := rand.New(rand.NewPCG(1, 2)) // the same questions each time
	w := bufio.NewWriter(os.Stdout)
	for range *n {
		name := fmt.Sprintf("h%d", r.IntN(*names))
		if r.IntN(10) >= 7 {
			name = fmt.Sprintf("no%d", r.IntN(1<<30))
		}
		fmt.Fprintf(w, "%s.%s %s\n", name, zone, types[r.IntN(len(types))])
	}
	return w.Flush()
}

func serve(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("an address and a zone file are needed")
	}
	at, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	file, err := os.Open(args[1])
	if err != nil {
		return err
	}
	started := time.Now()
	z, err := rr.ParseZone(file, rr.Options{})
	if err != nil {
		return err
	}
	parsed := time.Since(started)
	s, err := nameserver.New(nameserver.Config{Listen: []netip.AddrPort{at}})
	if err != nil {
		return err
	}
	if err := s.Apply(context.Background(), []nameserver.ChangeSet{{Zone: z.Origin, Version: 1, Full: true, Set: z.Sets}}); err != nil {
		return err
	}
	fmt.Printf("%d RRsets: parsed in %v, compiled in %v\n", len(z.Sets), parsed.Round(time.Millisecond), (time.Since(started) - parsed).Round(time.Millisecond))
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = s.Shutdown(context.Background()) // Serve returns the error
	}()
	return s.Serve()
}
