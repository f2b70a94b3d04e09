// Package authlog writes an auth.log as a server on the Internet has it, for
// benchmarks. The same number of lines is always the same text. Addresses are out
// of 198.18.0.0/15, which is reserved for benchmarks (RFC 2544).
package authlog

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

var names = []string{"admin", "test", "oracle", "postgres", "ubuntu", "git", "user", "ftpuser", "pi", "support", "deploy", "guest", "minecraft", "hadoop", "nagios", "jenkins"}

// addresses is how many attackers there are; few of them come often.
const addresses = 20_000

// share is how many of a hundred lines are of a kind, and what such a line says.
type share struct {
	percent int
	line    func(g *generator) string
}

var shares = []share{
	{20, func(g *generator) string {
		return g.sshd("Failed password for invalid user %s from %s port %d ssh2", g.name(), g.attacker(), g.port())
	}},
	{10, func(g *generator) string {
		return g.sshd("Invalid user %s from %s port %d", g.name(), g.attacker(), g.port())
	}},
	{10, func(g *generator) string {
		return g.sshd("Connection closed by authenticating user root %s port %d [preauth]", g.attacker(), g.port())
	}},
	{5, func(g *generator) string {
		return g.sshd("Received disconnect from %s port %d:11: Bye Bye [preauth]", g.attacker(), g.port())
	}},
	{8, func(g *generator) string {
		return g.sshd("Accepted publickey for deploy from 192.0.2.%d port %d ssh2: ED25519 SHA256:%016x", 1+g.random.IntN(250), g.port(), g.random.Uint64())
	}},
	{7, func(g *generator) string {
		return g.sshd("pam_unix(sshd:session): session opened for user deploy(uid=1000) by (uid=0)")
	}},
	{12, func(g *generator) string {
		return fmt.Sprintf("CRON[%d]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", g.pid())
	}},
	{8, func(g *generator) string {
		return fmt.Sprintf("CRON[%d]: pam_unix(cron:session): session closed for user root", g.pid())
	}},
	{8, func(g *generator) string {
		return fmt.Sprintf("sudo:   deploy : TTY=pts/%d ; PWD=/srv/www ; USER=root ; COMMAND=/usr/bin/systemctl reload site%d", g.random.IntN(8), g.random.IntN(500))
	}},
	{6, func(g *generator) string {
		return fmt.Sprintf("systemd-logind[600]: New session %d of user deploy.", g.random.IntN(100_000))
	}},
	{6, func(g *generator) string {
		n := g.random.IntN(1_000_000)
		return fmt.Sprintf("systemd[1]: Started session-%d.scope - Session %d of User deploy.", n, n)
	}},
}

type generator struct {
	random *rand.Rand
	often  *rand.Zipf
}

func (g *generator) sshd(format string, args ...any) string {
	return fmt.Sprintf("sshd[%d]: ", g.pid()) + fmt.Sprintf(format, args...)
}

func (g *generator) pid() int { return 1000 + g.random.IntN(60_000) }

func (g *generator) port() int { return 1024 + g.random.IntN(64_000) }

func (g *generator) name() string { return names[g.random.IntN(len(names))] }

func (g *generator) attacker() string {
	i := (int(g.often.Uint64())*6007 + 17) % (1 << 17)
	return fmt.Sprintf("198.%d.%d.%d", 18+i>>16, i>>8&255, i&255)
}

func (g *generator) line() string {
	for k, i := g.random.IntN(100), 0; ; i++ {
		if k < shares[i].percent {
			return shares[i].line(g)
		}
		k -= shares[i].percent
	}
}

// Write writes a log of so many lines, which begins on 1 November 2026 and has some
// 70,000 lines a day.
func Write(w io.Writer, lines int) error {
	random := rand.New(rand.NewPCG(2026, 11)) //nolint:gosec // the same log each time
	g := &generator{random: random, often: rand.NewZipf(random, 1.1, 50, addresses-1)}
	out := bufio.NewWriterSize(w, 1<<20)
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for range lines {
		at = at.Add(time.Duration(random.IntN(2400)) * time.Millisecond)
		fmt.Fprintf(out, "%s web01 %s\n", at.Format(time.Stamp), g.line())
	}
	return out.Flush()
}
