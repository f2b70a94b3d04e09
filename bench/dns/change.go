package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/keeper"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// change measures one change of one signed zone among many, until a question over
// UDP is answered from it: signed by the keeper, in the journal, served.
func change(args []string) error {
	f := flag.NewFlagSet("change", flag.ExitOnError)
	zones := f.Int("n", 100_000, "zones of ten records that are served; those that change are signed")
	changes := f.Int("changes", 200, "changes, each of another zone")
	_ = f.Parse(args) // it exits on error
	dir, err := os.MkdirTemp("", "change")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := nameserver.New(nameserver.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Folder: filepath.Join(dir, "dns")})
	if err != nil {
		return err
	}
	go func() { _ = s.Serve() }()
	defer func() { _ = s.Shutdown(context.Background()) }()
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys")})
	if err != nil {
		return err
	}
	b := bencher{server: s, keeper: k, signer: hands.NewSigner(hands.NewNameserver(s), s, k, time.Now)}
	began := time.Now()
	if err := b.fill(*zones); err != nil {
		return err
	}
	fmt.Printf("%d zones fed in %s\n", *zones, time.Since(began).Round(time.Millisecond))
	var took []time.Duration
	for i := range *changes {
		d, err := b.change(i * (*zones / *changes))
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	fmt.Printf("a change until it is served, signed: median %s, 95 %% %s, slowest %s\n",
		took[len(took)/2].Round(10*time.Microsecond), took[len(took)*95/100].Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond))
	return nil
}

type bencher struct {
	server *nameserver.Server
	keeper keeper.Keeper
	signer *hands.Signer
}

func (b bencher) fill(n int) error {
	for from := 0; from < n; from += 1000 {
		var some []nameserver.ChangeSet
		for i := from; i < min(from+1000, n); i++ {
			some = append(some, nameserver.ChangeSet{Zone: rr.Name(manyName(i)), Object: fmt.Sprint("z", i), Version: 1, Full: true, Set: tenRecords(i, 1)})
		}
		if err := b.server.Apply(context.Background(), some); err != nil {
			return err
		}
	}
	return nil
}

// tenRecords are those of one zone.
func tenRecords(i int, serial uint32) []rr.RRset {
	z := rr.Name(manyName(i))
	sets := []rr.RRset{
		{Name: z, Type: "SOA", TTL: 3600, Data: []string{fmt.Sprintf("ns1.host.test. h.host.test. %d 7200 3600 1209600 3600", serial)}},
		{Name: z, Type: "NS", TTL: 3600, Data: []string{"ns1.host.test.", "ns2.host.test."}},
		{Name: z, Type: "MX", TTL: 3600, Data: []string{"10 mail.host.test."}},
		{Name: z, Type: "TXT", TTL: 3600, Data: []string{`"v=spf1 -all"`}},
	}
	for _, name := range []string{"www", "mail", "ftp", "dev", "api"} {
		sets = append(sets, rr.RRset{Name: rr.Name(name+".") + z, Type: "A", TTL: 300, Data: []string{"192.0.2.1"}})
	}
	return sets
}

// change signs zone i, and then measures another change of it.
func (b bencher) change(i int) (time.Duration, error) {
	z := rr.Name(manyName(i))
	public, sealed, err := b.keeper.NewZoneKey(context.Background(), z, sign.EntryPoint, sign.ECDSAP256SHA256)
	if err != nil {
		return 0, err
	}
	how := &host.Signing{Keys: []host.SigningKey{{Public: public, Duty: sign.Duty{Publish: true, SignKeys: true, SignData: true}, Sealed: sealed}}}
	object := core.Ref{Kind: "zone", ID: fmt.Sprint("z", i)}
	step := host.SetZone{Zone: object, Name: z, Version: 2, Full: true, Set: tenRecords(i, 2), Signing: how}
	if err := b.signer.Do(context.Background(), []host.Step{step}); err != nil {
		return 0, err
	}
	conn, err := net.Dial("udp", b.server.Addrs()[0].String())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	soa := tenRecords(i, 3)[0]
	next := host.SetZone{Zone: object, Name: z, From: 2, Version: 3, Signing: how, Set: []rr.RRset{soa, {Name: "new." + z, Type: "A", TTL: 300, Data: []string{"192.0.2.7"}}}}
	if err := b.signer.Do(context.Background(), []host.Step{next}); err != nil {
		return 0, err
	}
	m := new(dns.Msg)
	m.SetQuestion("new."+string(z), dns.TypeA)
	m.SetEdns0(1232, true)
	answer, _, err := new(dns.Client).ExchangeWithConn(m, &dns.Conn{Conn: conn})
	if err != nil {
		return 0, err
	}
	if len(answer.Answer) != 2 {
		return 0, fmt.Errorf("the change of %s is not served: %s", z, answer)
	}
	return time.Since(began), nil
}
