// Command dns measures the embedded nameserver beside its peers. run.sh puts
// the parts together:
//
//	dns zone -names N            a zone file of N names with A, AAAA, MX and TXT
//	dns queries -names N -n M    M questions for it: 70 % for names that exist
//	dns many -n N FOLDER         N zone files of 10 records each
//	dns queries -many N -n M     M questions for them
//	dns serve ADDRESS PATH       our server, serving the zone file or all files of the folder
//	dns load [-do] ADDRESS FILE  fill a server with questions, from Linux only
//	dns change [-n ZONES]        one change of a signed zone among many, until it is served
//
// many.sh measures loading a folder of zones.
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
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

const zone = "bench.test."

func main() {
	run := map[string]func([]string) error{"zone": writeZone, "many": writeMany, "queries": writeQueries, "serve": serve, "load": load, "change": change}
	if len(os.Args) < 2 || run[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: dns zone|many|queries|serve|load|change")
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
	many := f.Int("many", 0, "ask for this many zones instead")
	_ = f.Parse(args) // it exits on error
	types := []string{"A", "A", "A", "A", "AAAA", "AAAA", "MX", "TXT"}
	r := rand.New(rand.NewPCG(1, 2)) // the same questions each time
	w := bufio.NewWriter(os.Stdout)
	for range *n {
		if *many > 0 {
			fmt.Fprintf(w, "www.%s A\n", manyName(r.IntN(*many)))
			continue
		}
		name := fmt.Sprintf("h%d", r.IntN(*names))
		if r.IntN(10) >= 7 {
			name = fmt.Sprintf("no%d", r.IntN(1<<30))
		}
		fmt.Fprintf(w, "%s.%s %s\n", name, zone, types[r.IntN(len(types))])
	}
	return w.Flush()
}

func manyName(i int) string { return fmt.Sprintf("z%d.many.test.", i) }

func writeMany(args []string) error {
	f := flag.NewFlagSet("many", flag.ExitOnError)
	n := f.Int("n", 100_000, "zones")
	_ = f.Parse(args) // it exits on error
	if f.NArg() != 1 {
		return fmt.Errorf("a folder is needed")
	}
	for i := range *n {
		text := fmt.Sprintf("$ORIGIN %s\n$TTL 3600\n@ SOA ns1.host.test. hostmaster 1 7200 3600 1209600 3600\n@ NS ns1.host.test.\n@ NS ns2.host.test.\n"+
			"@ A 10.%d.%d.%d\n@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"\nwww A 10.%[2]d.%[3]d.%[4]d\nmail A 10.%[2]d.%[3]d.%[4]d\nmail AAAA 2001:db8::%[5]x\nftp CNAME www\n",
			manyName(i), i>>16&255, i>>8&255, i&255, i&0xFFFF)
		if err := os.WriteFile(filepath.Join(f.Arg(0), manyName(i)+"zone"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func serve(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("an address and a zone file or folder are needed")
	}
	at, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	// as the program sets it for a nameserver of its own: the images have few
	// pointers, so that collecting often costs little
	debug.SetGCPercent(25)
	s, err := nameserver.New(nameserver.Config{Listen: []netip.AddrPort{at}})
	if err != nil {
		return err
	}
	started := time.Now()
	zones, err := feed(s, args[1])
	if err != nil {
		return err
	}
	loaded := time.Since(started)
	debug.FreeOSMemory()
	fmt.Printf("%d zones parsed and compiled in %v\n", zones, loaded.Round(time.Millisecond))
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = s.Shutdown(context.Background()) // Serve returns the error
	}()
	return s.Serve()
}

// feed reads zone files on all cores and applies them in batches.
func feed(s *nameserver.Server, path string) (int, error) {
	files := []string{path}
	if entries, err := os.ReadDir(path); err == nil {
		files = files[:0]
		for _, e := range entries {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	const batch = 500
	var wg sync.WaitGroup
	errs := make(chan error, 1+len(files)/batch)
	work := make(chan []string)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for some := range work {
				if err := apply(s, some); err != nil {
					errs <- err
				}
			}
		})
	}
	for some := range slices.Chunk(files, batch) {
		work <- some
	}
	close(work)
	wg.Wait()
	close(errs)
	return len(files), <-errs
}

func apply(s *nameserver.Server, files []string) error {
	var changes []nameserver.ChangeSet
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		z, err := rr.ParseZone(f, rr.Options{KeepSigned: true})
		_ = f.Close()
		if err != nil {
			return err
		}
		changes = append(changes, nameserver.ChangeSet{Zone: z.Origin, Version: 1, Full: true, Set: z.Sets})
	}
	return s.Apply(context.Background(), changes)
}
