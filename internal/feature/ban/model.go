package ban

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/core"
)

// Policy is what the server goes by, as it is stored. Jails that are not in it are as
// the catalogue has them.
type Policy struct {
	Engine  string  `json:"engine"`
	Again   bool    `json:"again"` // who comes again is kept out longer each time
	Most    int     `json:"most"`  // seconds that this makes of a ban at the most
	Jails   []Jail  `json:"jails"`
	Trusted []Trust `json:"trusted"`
}

// Jail is how one jail is set. Lengths are seconds; a ban of −1 has no end.
type Jail struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	MaxRetry int    `json:"maxRetry"`
	FindTime int    `json:"findTime"`
	BanTime  int    `json:"banTime"`
}

// Trust is a network that no jail keeps out.
type Trust struct {
	Network netip.Prefix `json:"network"`
	Note    string       `json:"note"`
	Since   time.Time    `json:"since"`
}

var self = core.Ref{Kind: "banpolicy", ID: "server"}

// initial is the policy before anybody has changed anything.
func initial() Policy {
	return Policy{Engine: Watch, Again: true, Most: seconds(week), Jails: []Jail{}, Trusted: []Trust{}}
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// jails returns every jail of the catalogue as it is set.
func (p Policy) jails() []Jail {
	var out []Jail
	for _, m := range models("") {
		j := Jail{m.name, m.state, m.retry, seconds(m.find), seconds(m.ban)}
		if i := slices.IndexFunc(p.Jails, func(x Jail) bool { return x.Name == m.name }); i >= 0 {
			j = p.Jails[i]
		}
		out = append(out, j)
	}
	return out
}

// with sets one jail.
func (p Policy) with(j Jail) Policy {
	p.Jails = slices.DeleteFunc(slices.Clone(p.Jails), func(x Jail) bool { return x.Name == j.Name })
	p.Jails = append(p.Jails, j)
	slices.SortFunc(p.Jails, func(a, b Jail) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

// covered returns the trusted network that overlaps a prefix.
func (p Policy) covered(by netip.Prefix) (Trust, bool) {
	i := slices.IndexFunc(p.Trusted, func(t Trust) bool { return t.Network.Overlaps(by) })
	if i < 0 {
		return Trust{}, false
	}
	return p.Trusted[i], true
}

// Limits of what may be set.
const (
	mostRetry   = 1000
	mostLength  = 10 * 365 * day
	mostTrusted = 500
	forGood     = "until lifted"
)

const lengthForms = "a length such as 10m, 1h, 2d or 1w, at most 10 years, or \"until lifted\""

// parseLength reads a length; −1: no end.
func parseLength(text string) (time.Duration, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == forGood || text == "-1" {
		return -1, true
	}
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": week, "": time.Second}
	digits := strings.TrimRight(text, "smhdw")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, ok := units[text[len(digits):]]
	if err != nil || !ok || n <= 0 || n > int64(mostLength/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// length writes a number of seconds as people do.
func length(secs int) string {
	if secs < 0 {
		return forGood
	}
	for _, u := range []struct {
		word string
		secs int
	}{{"w", seconds(week)}, {"d", seconds(day)}, {"h", 3600}, {"m", 60}} {
		if secs > 0 && secs%u.secs == 0 {
			return strconv.Itoa(secs/u.secs) + u.word
		}
	}
	return strconv.Itoa(secs) + "s"
}

// parsePrefix reads an address or a network that is one prefix.
func parsePrefix(text string) (netip.Prefix, error) {
	n, err := core.ParseNetwork(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	p, ok := n.Prefix()
	if !ok {
		return p, fmt.Errorf("an address or one network, such as 192.0.2.0/24; %s is more than one", n)
	}
	return p.Masked(), nil
}

// shown writes a prefix as people do: an address without its length.
func shown(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// The widest networks that may be banned or trusted.
const (
	widest4 = 8
	widest6 = 16
)

// wide says what is wrong with a network, or "".
func wide(p netip.Prefix) string {
	least := widest4
	if p.Addr().Is6() {
		least = widest6
	}
	if p.Bits() < least {
		return fmt.Sprintf("a network of at least /%d", least)
	}
	return ""
}

// ours says why a prefix must not be banned whoever wants it, or "".
func ours(p netip.Prefix) string {
	for _, local := range []string{"127.0.0.0/8", "::1/128", "0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8", "255.255.255.255/32"} {
		if netip.MustParsePrefix(local).Overlaps(p) {
			return "an address that others come from; " + local + " is the machine's own"
		}
	}
	return ""
}
