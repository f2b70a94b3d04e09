// Command sign measures signing a zone beside its peers, each from the same zone
// file, several rounds in turn:
//
//	sign [-names 100000] [-rounds 3] [-nsec3]
//
// Ours goes the way of the panel: the keys are the keeper's, sealed, and every
// signature is asked of it. Reading the file and writing it is left out of ours and
// is in the peers' figures, for there it cannot be told apart; "whole" is ours with
// both. Signing and re-signing one change are measured too.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"hostward/internal/keeper"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

const zone = rr.Name("bench.test.")

func main() {
	names := flag.Int("names", 100_000, "names of the zone, each with one address")
	rounds := flag.Int("rounds", 3, "rounds")
	nsec3 := flag.Bool("nsec3", false, "NSEC3 instead of NSEC")
	flag.Parse()
	if err := run(*names, *rounds, *nsec3); err != nil {
		fmt.Fprintln(os.Stderr, "sign:", err)
		os.Exit(1)
	}
}

func run(names, rounds int, nsec3 bool) error {
	dir, err := os.MkdirTemp("", "sign")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "zone")
	if err := write(file, names); err != nil {
		return err
	}
	fmt.Printf("%d names, ECDSAP256SHA256, %d cores, seconds\n", names, runtime.GOMAXPROCS(0))
	peers := []struct {
		name string
		time func() (time.Duration, error)
	}{
		{"ours, whole", func() (time.Duration, error) { return whole(dir, file, nsec3) }},
		{"ldns-signzone", func() (time.Duration, error) { return ldns(dir, file, nsec3) }},
		{"dnssec-signzone (BIND)", func() (time.Duration, error) { return bind(dir, file, nsec3) }},
		{"kzonesign (Knot)", func() (time.Duration, error) { return knot(dir, file, nsec3) }},
	}
	took := map[string][]float64{}
	for range rounds {
		for _, p := range peers {
			d, err := p.time()
			if err != nil {
				fmt.Printf("%-24s %v\n", p.name, err)
				continue
			}
			took[p.name] = append(took[p.name], d.Seconds())
		}
	}
	for _, p := range peers {
		if t := took[p.name]; len(t) > 0 {
			slices.Sort(t)
			fmt.Printf("%-24s median %6.2f  fastest %6.2f  slowest %6.2f\n", p.name, t[len(t)/2], t[0], t[len(t)-1])
		}
	}
	return parts(dir, file, nsec3)
}

func write(path string, names int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "$ORIGIN %s\n$TTL 3600\n@ SOA ns1 hostmaster 1 7200 3600 1209600 3600\n@ NS ns1\nns1 A 192.0.2.1\n", zone)
	for i := range names {
		fmt.Fprintf(w, "h%d A 10.%d.%d.%d\n", i, i>>16&255, i>>8&255, i&255)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// config is the zone's, with one key of a keeper.
func config(dir string, nsec3 bool) (sign.Config, error) {
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys")})
	if err != nil {
		return sign.Config{}, err
	}
	public, sealed, err := k.NewZoneKey(context.Background(), zone, sign.EntryPoint, sign.ECDSAP256SHA256)
	return sign.Config{Origin: zone, NSEC3: nsec3, Keys: []sign.Key{{Public: public, Duty: sign.Duty{Publish: true, SignKeys: true, SignData: true}, Signer: signer{k, sealed}}}}, err
}

type signer struct {
	keeper.Keeper
	sealed []byte
}

func (s signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	out, err := s.SignBatch(ctx, [][]byte{message})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func (s signer) SignBatch(ctx context.Context, messages [][]byte) ([][]byte, error) {
	return s.SignZone(ctx, zone, s.sealed, messages)
}

func read(file string) ([]rr.RRset, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := rr.ParseZone(f, rr.Options{})
	if err != nil {
		return nil, err
	}
	return z.Sets, nil
}

func whole(dir, file string, nsec3 bool) (time.Duration, error) {
	c, err := config(dir, nsec3)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	sets, err := read(file)
	if err != nil {
		return 0, err
	}
	z, err := sign.New(context.Background(), c, sets, time.Now())
	if err != nil {
		return 0, err
	}
	out, err := os.Create(filepath.Join(dir, "ours.signed"))
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	for s := range z.Sets() {
		for _, r := range s.Records() {
			_, _ = w.WriteString(r.String() + "\n") // Flush says what went wrong
		}
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return time.Since(began), out.Close()
}

// parts are the figures that peers do not show.
func parts(dir, file string, nsec3 bool) error {
	c, err := config(dir, nsec3)
	if err != nil {
		return err
	}
	sets, err := read(file)
	if err != nil {
		return err
	}
	began := time.Now()
	z, err := sign.New(context.Background(), c, sets, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("%-24s %6.2f\n", "ours, signing alone", time.Since(began).Seconds())
	all := z.All()
	began = time.Now()
	if _, err := sign.Load(c, sign.Stored(all), time.Now()); err != nil {
		return err
	}
	fmt.Printf("%-24s %6.2f\n", "ours, loading signed", time.Since(began).Seconds())
	var took []time.Duration
	for i := range 200 {
		began = time.Now()
		set := rr.RRset{Name: rr.Name(fmt.Sprintf("new%d.", i)) + zone, Type: "A", TTL: 3600, Data: []string{"192.0.2.7"}}
		if z, _, err = z.Apply(context.Background(), []rr.RRset{set}, time.Now()); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	fmt.Printf("%-24s median %s, slowest %s\n", "ours, one new name", took[len(took)/2].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond))
	return nil
}

// timed runs a peer.
func timed(dir, name string, args ...string) (time.Duration, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	began := time.Now()
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("%w: %.300s", err, said.String())
	}
	return time.Since(began), nil
}

// once runs a command that makes keys, and returns the last word it prints.
func once(dir, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	words := strings.Fields(string(out))
	return words[len(words)-1], nil
}

func ldns(dir, file string, nsec3 bool) (time.Duration, error) {
	key, err := once(dir, "ldns-keygen", "-k", "-a", "ECDSAP256SHA256", strings.TrimSuffix(string(zone), "."))
	if err != nil {
		return 0, err
	}
	args := []string{"-f", filepath.Join(dir, "ldns.signed"), file, filepath.Join(dir, key)}
	if nsec3 {
		args = append([]string{"-n", "-t", "0"}, args...)
	}
	return timed(dir, "ldns-signzone", args...)
}

func bind(dir, file string, nsec3 bool) (time.Duration, error) {
	key, err := once(dir, "dnssec-keygen", "-q", "-f", "KSK", "-a", "ECDSAP256SHA256", strings.TrimSuffix(string(zone), "."))
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(filepath.Join(dir, key+".key")) }() // the next round has its own
	args := []string{"-S", "-K", dir, "-z", "-P", "-n", fmt.Sprint(runtime.GOMAXPROCS(0)), "-o", string(zone), "-f", filepath.Join(dir, "bind.signed"), file}
	if nsec3 {
		args = append([]string{"-3", "-", "-H", "0"}, args...)
	}
	return timed(dir, "dnssec-signzone", args...)
}

func knot(dir, file string, nsec3 bool) (time.Duration, error) {
	at, err := os.MkdirTemp(dir, "knot")
	if err != nil {
		return 0, err
	}
	conf := fmt.Sprintf("server:\n  background-workers: %d\ndatabase:\n  storage: %q\npolicy:\n  - id: p\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n    nsec3: %v\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n    signing-threads: %d\n"+
		"zone:\n  - domain: %s\n    storage: %q\n    file: %q\n    dnssec-policy: p\n", runtime.GOMAXPROCS(0), at, map[bool]string{true: "on", false: "off"}[nsec3], runtime.GOMAXPROCS(0), zone, at, file)
	if err := os.WriteFile(filepath.Join(at, "conf"), []byte(conf), 0o600); err != nil {
		return 0, err
	}
	return timed(dir, "kzonesign", "-c", filepath.Join(at, "conf"), "-o", at, string(zone))
}
