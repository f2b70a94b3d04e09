package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hostward/internal/core"
)

// access looks addresses up in a list as long as the country lists that people load.
func access() error {
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]core.Network, *networks)
	for i := range list {
		list[i] = randomNetwork(random)
	}
	began := time.Now()
	set := core.NewNetworks(list)
	fmt.Printf("%d networks, IPv4 and IPv6 mixed; the set was made in %v\n", len(list), time.Since(began).Round(time.Millisecond))
	asked := make([]netip.Addr, 1<<16)
	for i := range asked {
		asked[i] = randomAddress(random)
		if i%2 == 0 {
			asked[i] = list[random.IntN(len(list))].First
		}
	}
	const rounds = 30
	var took []float64
	held := 0
	for range rounds {
		began := time.Now()
		for _, a := range asked {
			if set.Contains(a) {
				held++
			}
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/float64(len(asked)))
	}
	slices.Sort(took)
	fmt.Printf("one look-up: %.0f ns (median of %d rounds of %d; fastest %.0f, slowest %.0f); %.0f %% were in the list\n",
		took[rounds/2], rounds, len(asked), took[0], took[rounds-1], 100*float64(held)/float64(rounds*len(asked)))
	return nil
}

func randomNetwork(random *rand.Rand) core.Network {
	a := randomAddress(random)
	bits := 16 + random.IntN(17)
	if a.Is6() {
		bits = 24 + random.IntN(41)
	}
	n, err := core.ParseNetwork(netip.PrefixFrom(a, bits).Masked().String())
	if err != nil {
		panic(err)
	}
	return n
}

func randomAddress(random *rand.Rand) netip.Addr {
	if random.IntN(4) > 0 {
		n := random.Uint32()
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	var b [16]byte
	hi, lo := random.Uint64(), random.Uint64()
	for i := range 8 {
		b[i], b[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	b[0], b[1] = 0x2a, byte(random.IntN(16))
	return netip.AddrFrom16(b)
}
