package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// kind is a way to fail, with a fresh name for every few attempts: a name that
// failed too often is locked, and that is another path.
type kind struct {
	name  string
	login func(i int) string
	late  time.Duration
	took  []float64 // milliseconds
}

const (
	perName = 8
	late    = 300 * time.Microsecond
)

// timing compares how long failed log-ins take: a wrong password, a name that
// nobody has, and a closed account, in random order and from a new network each.
// A fourth kind is a name that nobody has, made slower by a little: that the test
// sees this one shows what it would see.
func timing() error {
	return temporary(func(dir string) error {
		p, err := open(dir)
		if err != nil {
			return err
		}
		defer p.Close()
		kinds := []*kind{
			{name: "wrong password", login: func(i int) string { return fmt.Sprint("open", i) }},
			{name: "unknown name", login: func(i int) string { return fmt.Sprint("none", i) }},
			{name: "closed account", login: func(i int) string { return fmt.Sprint("shut", i) }},
			{name: fmt.Sprintf("unknown name, %v later", late), login: func(i int) string { return fmt.Sprint("late", i) }, late: late},
		}
		if err := populate(p, *tries/perName+1); err != nil {
			return err
		}
		if err := sample(p, kinds); err != nil {
			return err
		}
		report(kinds)
		return nil
	})
}

func populate(p *panel, n int) error {
	for i := range n {
		for _, name := range []string{fmt.Sprint("open", i), fmt.Sprint("shut", i)} {
			if err := p.account(name); err != nil {
				return err
			}
		}
		if _, err := p.call(root, "account.disable", map[string]any{"account": fmt.Sprint("shut", i)}); err != nil {
			return err
		}
	}
	return nil
}

func sample(p *panel, kinds []*kind) error {
	random := rand.New(rand.NewPCG(3, 4))
	from := 0
	for i := range *tries + perName { // the first of each kind warm up
		order := random.Perm(len(kinds))
		for _, k := range order {
			from++
			k := kinds[k]
			took, err := once(p, k, elsewhere(from), k.login(i/perName))
			if err != nil {
				return err
			}
			if i >= perName {
				k.took = append(k.took, took)
			}
		}
	}
	return nil
}

// once is one attempt, in milliseconds. All strangers together have some ten
// passwords a second: who comes too early tries again.
func once(p *panel, k *kind, from, login string) (float64, error) {
	for {
		began := time.Now()
		for k.late > 0 && time.Since(began) < k.late { // a sleep would be longer than asked for
		}
		status := p.try(from, login, "not the password at all")
		switch took := time.Since(began); status {
		case http.StatusUnauthorized:
			return float64(took.Microseconds()) / 1000, nil
		case http.StatusTooManyRequests:
			time.Sleep(200 * time.Millisecond)
		default:
			return 0, fmt.Errorf("%s: status %d", k.name, status)
		}
	}
}

func report(kinds []*kind) {
	for _, k := range kinds {
		s := slices.Sorted(slices.Values(k.took))
		fmt.Printf("%-30s %d times: median %.3f ms, a tenth under %.3f, a tenth over %.3f\n", k.name, len(s), s[len(s)/2], s[len(s)/10], s[len(s)*9/10])
	}
	fmt.Println("Mann-Whitney U, two-sided; and the shift between the two (Hodges-Lehmann):")
	base := kinds[1]
	for _, k := range []*kind{kinds[0], kinds[2], kinds[3]} {
		fmt.Printf("%-30s against %s: p = %.3g, shift %+.3f ms\n", k.name, base.name, mannWhitney(k.took, base.took), shift(k.took, base.took))
	}
}

// mannWhitney is the probability that two samples of one distribution differ so
// much in rank (Mann and Whitney 1947; normal approximation with ties).
func mannWhitney(a, b []float64) float64 {
	type ranked struct {
		x  float64
		of int
	}
	var all []ranked
	for _, x := range a {
		all = append(all, ranked{x: x})
	}
	for _, x := range b {
		all = append(all, ranked{x: x, of: 1})
	}
	slices.SortFunc(all, func(p, q ranked) int { return cmp.Compare(p.x, q.x) })
	var ties, sum float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].x == all[i].x {
			j++
		}
		for k := i; k < j; k++ {
			if all[k].of == 0 {
				sum += float64(i+j+1) / 2
			}
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	u := sum - n*(n+1)/2
	deviation := math.Sqrt(n * m / 12 * ((n + m + 1) - ties/((n+m)*(n+m-1))))
	return math.Erfc(math.Abs(u-n*m/2) / deviation / math.Sqrt2)
}

// shift is the median of all differences (Hodges and Lehmann 1963).
func shift(a, b []float64) float64 {
	diffs := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			diffs = append(diffs, x-y)
		}
	}
	slices.Sort(diffs)
	return diffs[len(diffs)/2]
}
