// Live has two ban engines follow the same auth.log, one after the other: the process
// hostward watch, and fail2ban-server with its nftables action. Both use the filter
// for sshd that Debian ships. It runs in a network of its own:
//
//	bench/ban/live/run.sh
//
// For each it measures how fast lines are worked off that are appended at once
// while nobody is banned; how long it takes from a line to the element in the
// kernel's set, one line at a time; how long until many addresses, appended at once,
// are all banned; and its memory. When an element is there the kernel itself says
// (nft monitor).
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hostward/bench/ban/authlog"
	"hostward/internal/watch"
)

func main() {
	binary := flag.String("hostward", "bin/hostward", "the program to measure")
	ours := flag.Int("n", 1_000_000, "lines for us")
	theirs := flag.Int("theirs", 100_000, "lines for fail2ban; 0: only us")
	probes := flag.Int("probes", 40, "single bans")
	bulk := flag.Int("bulk", 5000, "bans at once")
	core := flag.Int("core", 0, "the core that the engine has to itself")
	flag.Parse()
	engines := []engine{&hostward{program: *binary}}
	if *theirs > 0 {
		engines = append(engines, &fail2ban{})
	}
	for i, e := range engines {
		lines := []int{*ours, *theirs}[i]
		if err := measure(e, *core, lines, *probes, *bulk); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// engine is one of the two.
type engine interface {
	String() string
	// configure writes what it needs to follow log in a folder of its own.
	configure(dir, log string, maxretry int) error
	command(dir string) []string
	// failures is how many it has counted; an error: it is not up yet.
	failures(dir string) (int, error)
}

func measure(e engine, core, lines, probes, bulk int) error {
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rates, err := start(e, filepath.Join(dir, "rate"), core, 1_000_000_000)
	if err != nil {
		return err
	}
	if err := rates.throughput(lines); err != nil {
		return errors.Join(err, rates.stop())
	}
	if err := rates.stop(); err != nil {
		return err
	}
	bans, err := start(e, filepath.Join(dir, "bans"), core, 1)
	if err != nil {
		return err
	}
	err = bans.delays(probes)
	if err == nil {
		err = bans.many(bulk)
	}
	return errors.Join(err, bans.stop())
}

// running is an engine that runs, and what the kernel tells about its bans.
type running struct {
	engine
	dir, log string
	cmd      *exec.Cmd
	monitor  *exec.Cmd
	mu       sync.Mutex
	seen     map[string]time.Time // when an address was in a set
}

func start(e engine, dir string, core, maxretry int) (*running, error) {
	r := &running{engine: e, dir: dir, log: filepath.Join(dir, "auth.log"), seen: map[string]time.Time{}}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(r.log, nil, 0o600), e.configure(dir, r.log, maxretry)); err != nil {
		return nil, err
	}
	r.monitor = exec.CommandContext(context.Background(), "nft", "monitor", "new", "elements")
	out, err := r.monitor.StdoutPipe()
	if err == nil {
		err = r.monitor.Start()
	}
	if err != nil {
		return nil, err
	}
	go r.listen(bufio.NewScanner(out))
	r.cmd = exec.CommandContext(context.Background(), "taskset", append([]string{"-c", strconv.Itoa(core)}, e.command(dir)...)...) //nolint:gosec // the engine to be measured
	r.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	log, err := os.Create(filepath.Join(dir, "engine.log"))
	if err != nil {
		return nil, err
	}
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	err = until(time.Minute, func() bool { _, err := e.failures(dir); return err == nil })
	time.Sleep(3 * time.Second) // it has begun to follow the file
	fmt.Printf("%s: at rest %s\n", e, r.memory())
	return r, err
}

func (r *running) stop() error {
	_ = r.cmd.Process.Signal(os.Interrupt)
	_ = r.monitor.Process.Kill()
	return errors.Join(waited(r.cmd), exec.CommandContext(context.Background(), "nft", "flush", "ruleset").Run())
}

func waited(cmd *exec.Cmd) error {
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return err
	}
	return nil
}

var address = regexp.MustCompile(`\b198\.1[89]\.\d+\.\d+\b`)

func (r *running) listen(lines *bufio.Scanner) {
	for lines.Scan() {
		now := time.Now()
		r.mu.Lock()
		for _, a := range address.FindAllString(lines.Text(), -1) {
			if _, ok := r.seen[a]; !ok {
				r.seen[a] = now
			}
		}
		r.mu.Unlock()
	}
}

func (r *running) when(addr string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.seen[addr]
	return at, ok
}

func (r *running) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// throughput appends a log, as of now, and waits until nothing more is counted.
func (r *running) throughput(lines int) error {
	var text bytes.Buffer
	if err := authlog.Write(&text, lines); err != nil {
		return err
	}
	data, now := text.Bytes(), time.Now().Format(time.Stamp)
	for i := 0; i < len(data); i += bytes.IndexByte(data[i:], '\n') + 1 {
		copy(data[i:], now)
	}
	busy, began := r.busy(), time.Now()
	if err := r.add(data); err != nil {
		return err
	}
	last, at, spent := 0, began, busy
	for time.Since(at) < 4*time.Second { // nothing more came for so long
		n, err := r.failures(r.dir)
		if err != nil {
			return err
		}
		if n != last {
			last, at, spent = n, time.Now(), r.busy()
		}
		time.Sleep(20 * time.Millisecond)
	}
	wall, cpu := at.Sub(began), spent-busy
	fmt.Printf("%s: %d lines, %d failures: %.0f lines/s (%.2f s), %.0f lines for each second of the core; then %s\n",
		r, lines, last, float64(lines)/wall.Seconds(), wall.Seconds(), float64(lines)/cpu.Seconds(), r.memory())
	return nil
}

func line(addr string) string {
	return fmt.Sprintf("%s web01 sshd[%d]: Failed password for invalid user test from %s port 4242 ssh2\n", time.Now().Format(time.Stamp), 1000+rand.IntN(60_000), addr)
}

func (r *running) delays(probes int) error {
	var took []float64
	for i := range probes {
		time.Sleep(time.Duration(300+rand.IntN(1200)) * time.Millisecond) // not in step with anything
		addr := fmt.Sprintf("198.19.0.%d", i)
		began := time.Now()
		if err := r.add([]byte(line(addr))); err != nil {
			return err
		}
		if err := until(time.Minute, func() bool { _, ok := r.when(addr); return ok }); err != nil {
			return fmt.Errorf("%s: %s is not banned", r, addr)
		}
		at, _ := r.when(addr)
		took = append(took, float64(at.Sub(began).Microseconds())/1000)
	}
	slices.Sort(took)
	fmt.Printf("%s: from a line to its element in the set, %d times: median %.1f ms (%.1f to %.1f)\n", r, probes, took[len(took)/2], took[0], took[len(took)-1])
	return nil
}

func (r *running) many(bulk int) error {
	var text strings.Builder
	for i := range bulk {
		text.WriteString(line(fmt.Sprintf("198.18.%d.%d", i>>8, i&255)))
	}
	before, busy, began := r.count(), r.busy(), time.Now()
	if err := r.add([]byte(text.String())); err != nil {
		return err
	}
	if err := until(10*time.Minute, func() bool { return r.count() >= before+bulk }); err != nil {
		return fmt.Errorf("%s: only %d of %d are banned", r, r.count()-before, bulk)
	}
	took, spent := time.Since(began), r.busy()-busy
	list, err := exec.CommandContext(context.Background(), "nft", "list", "ruleset").Output()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, a := range address.FindAllString(string(list), -1) {
		there[a] = true
	}
	fmt.Printf("%s: %d addresses at once are banned within %.3f s (%.2f s of the core); %d are in the sets; then %s\n", r, bulk, took.Seconds(), spent.Seconds(), len(there), r.memory())
	return nil
}

func (r *running) add(data []byte) error {
	f, err := os.OpenFile(r.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func until(limit time.Duration, holds func() bool) error {
	for end := time.Now().Add(limit); !holds(); time.Sleep(500 * time.Microsecond) {
		if time.Now().After(end) {
			return errors.New("waited in vain")
		}
	}
	return nil
}

// busy is the time that the engine had a processor (proc(5)); taskset became it.
func (r *running) busy() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func (r *running) memory() string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return err.Error()
	}
	for l := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(text)[0])
			return fmt.Sprintf("%d MB resident", kb/1024)
		}
	}
	return "unknown"
}

const jails = "[sshd]\nenabled = true\nfilter = sshd\nbackend = %s\nlogpath = %s\nmaxretry = %d\nfindtime = 10m\nbantime = 1h\nbantime.increment = false\n"

type hostward struct{ program string }

func (*hostward) String() string { return "hostward watch" }

func (*hostward) configure(dir, log string, maxretry int) error {
	return errors.Join(os.MkdirAll(filepath.Join(dir, "ban", "jail.d"), 0o700),
		os.WriteFile(filepath.Join(dir, "ban", "jail.d", "hostward.conf"), fmt.Appendf(nil, jails, "auto", log, maxretry), 0o600))
}

func (h *hostward) command(dir string) []string {
	return []string{h.program, "watch", "--folder", filepath.Join(dir, "state"), "--config", filepath.Join(dir, "ban"), "--socket", filepath.Join(dir, "sock")}
}

func (*hostward) failures(dir string) (int, error) {
	c := watch.Dial(filepath.Join(dir, "sock"))
	defer c.Close()
	all, err := c.Jails(context.Background())
	if err != nil || len(all) == 0 {
		return 0, errors.Join(err, errors.New("no jail"))
	}
	return int(all[0].Failures), nil
}

type fail2ban struct{}

func (*fail2ban) String() string { return "fail2ban-server" }

func (*fail2ban) configure(dir, log string, maxretry int) error {
	conf := filepath.Join(dir, "conf")
	if out, err := exec.CommandContext(context.Background(), "cp", "-r", "/etc/fail2ban", conf).CombinedOutput(); err != nil {
		return fmt.Errorf("copying its configuration: %w: %s", err, out)
	}
	for _, old := range []string{"defaults-debian.conf", "hostward.conf", "hostward.local"} {
		_ = os.Remove(filepath.Join(conf, "jail.d", old)) // it may not be there
	}
	return errors.Join(os.WriteFile(filepath.Join(conf, "jail.local"), fmt.Appendf(nil, jails+"action = nftables[type=allports]\n", "pyinotify", log, maxretry), 0o600),
		os.WriteFile(filepath.Join(conf, "fail2ban.local"), fmt.Appendf(nil, "[Definition]\nloglevel = INFO\nlogtarget = %[1]s/f2b.log\nsyslogsocket = None\nsocket = %[1]s/sock\npidfile = %[1]s/pid\ndbfile = None\n", dir), 0o600))
}

func (*fail2ban) command(dir string) []string {
	return []string{"fail2ban-server", "-c", filepath.Join(dir, "conf"), "-s", filepath.Join(dir, "sock"), "-p", filepath.Join(dir, "pid"), "-f", "start"}
}

var totalFailed = regexp.MustCompile(`Total failed:\s*(\d+)`)

func (*fail2ban) failures(dir string) (int, error) {
	out, err := exec.CommandContext(context.Background(), "fail2ban-client", "-s", filepath.Join(dir, "sock"), "status", "sshd").Output() //nolint:gosec // our own folder
	m := totalFailed.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, errors.Join(err, errors.New("it is not up"))
	}
	return strconv.Atoi(string(m[1]))
}
