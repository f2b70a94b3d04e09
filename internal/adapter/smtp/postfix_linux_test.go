package smtp_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"golang.org/x/sys/unix"

	"hostward/internal/adapter/smtp"
)

// postfix is a Postfix of its own: configuration, queue, mailboxes and log in
// one folder, three ports on the loopback address, and nothing that survives it.
type postfix struct {
	*testing.T
	Dir                        string
	Plain, Submission, Wrapped string // host:port
	Auth                       string // of the service that checks passwords
	roots                      *x509.CertPool
	cmd                        *exec.Cmd
}

const mainCf = `compatibility_level = 3.6
queue_directory = {{.Dir}}/queue
data_directory = {{.Dir}}/data
maillog_file = /dev/stdout
myhostname = mx.example.org
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {{.Dir}}/mail
virtual_mailbox_maps = inline:{ {anna@example.org = anna/}, {jörg@example.org = joerg/}, {later@example.org = later/} }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{ {later@example.org = 450 4.2.0 come back later} }
message_size_limit = 100000
smtpd_tls_security_level = may
smtpd_tls_chain_files = {{.Dir}}/etc/chain.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{{.Auth}}
`

const masterCf = `{{.Plain}} inet n - n - - smtpd
{{.Submission}} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
{{.Wrapped}} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
`

// tool is a program that the test needs, as root.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil && os.Getuid() != 0 {
		err = errors.New(name + " runs as root only")
	}
	if err != nil && (os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

func startPostfix(t *testing.T) *postfix {
	t.Helper()
	program := tool(t, "postfix")
	dir, err := os.MkdirTemp("", "hostward-postfix")
	if err != nil {
		t.Fatal(err)
	}
	p := &postfix{T: t, Dir: dir, Plain: gone(t), Submission: gone(t), Wrapped: gone(t), Auth: listen(t, checkPassword)}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.furnish()
	p.run(program)
	return p
}

// furnish makes folders, certificate and configuration.
func (p *postfix) furnish() {
	p.Helper()
	owner, err := user.Lookup("postfix")
	p.must(err)
	uid, err := strconv.Atoi(owner.Uid)
	p.must(err)
	p.must(os.Chmod(p.Dir, 0o755))
	for name, owner := range map[string]int{"etc": 0, "queue": 0, "data": uid, "mail": 65534} {
		p.must(os.Mkdir(filepath.Join(p.Dir, name), 0o755))
		p.must(os.Chown(filepath.Join(p.Dir, name), owner, -1))
	}
	own, roots := certificate(p.T, "127.0.0.1", time.Now().Add(24*time.Hour))
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	p.must(err)
	chain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})...)
	p.roots = roots
	for name, text := range map[string]string{"main.cf": mainCf, "master.cf": masterCf, "chain.pem": string(chain)} {
		var b bytes.Buffer
		p.must(template.Must(template.New(name).Parse(text)).Execute(&b, p))
		p.must(os.WriteFile(filepath.Join(p.Dir, "etc", name), b.Bytes(), 0o600))
	}
}

// run starts Postfix's master in a process group of its own. Its daemons become
// our children when it ends, so that we can wait for every one of them.
func (p *postfix) run(program string) {
	p.Helper()
	p.must(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	etc := filepath.Join(p.Dir, "etc")
	if out, err := exec.Command(program, "-c", etc, "check").CombinedOutput(); err != nil { // makes the queue's folders
		p.Fatalf("%v: %s", err, out)
	}
	daemons, err := exec.Command(tool(p.T, "postconf"), "-c", etc, "-h", "daemon_directory").Output()
	p.must(err)
	log, err := os.Create(filepath.Join(p.Dir, "log"))
	p.must(err)
	defer log.Close()
	p.cmd = exec.Command(filepath.Join(strings.TrimSpace(string(daemons)), "master"), "-c", etc, "-d")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.must(p.cmd.Start())
	p.Cleanup(p.stop)
	for _, port := range []string{p.Plain, p.Submission, p.Wrapped} {
		p.until("answers on "+port, func() bool {
			conn, err := net.Dial("tcp", port)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
}

// stop ends the whole group and waits until nothing is left of it.
func (p *postfix) stop() {
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	_ = p.cmd.Wait()
	p.until("is gone", func() bool {
		for {
			pid, err := syscall.Wait4(group, nil, syscall.WNOHANG, nil)
			if pid <= 0 {
				return errors.Is(err, syscall.ECHILD) && errors.Is(syscall.Kill(group, 0), syscall.ESRCH)
			}
		}
	})
}

func (p *postfix) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// until waits for a condition, with a limit for a busy machine.
func (p *postfix) until(what string, is func() bool) {
	p.Helper()
	for end := time.Now().Add(2 * generous); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(p.Dir, "log"))
			p.Fatalf("waited in vain until postfix %s:\n%s", what, log)
		}
	}
}

// checkPassword is the other side of Postfix's SASL: Dovecot's authentication
// protocol, version 1.1, with one user.
func checkPassword(conn net.Conn) {
	fmt.Fprint(conn, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00112233445566778899aabbccddeeff\nDONE\n")
	for in := bufio.NewScanner(conn); in.Scan(); {
		word := strings.Split(in.Text(), "\t")
		switch {
		case word[0] == "AUTH":
			fmt.Fprintf(conn, "CONT\t%s\t\n", word[1])
		case word[0] == "CONT" && word[2] == proof():
			fmt.Fprintf(conn, "OK\t%s\tuser=panel\n", word[1])
		case word[0] == "CONT":
			fmt.Fprintf(conn, "FAIL\t%s\tuser=panel\n", word[1])
		}
	}
}

// config leads to one of its ports.
func (p *postfix) config(address, word string) smtp.Config {
	return smtp.Config{Server: address, TLS: word, Roots: p.roots, From: "hostward@panel.example.org",
		Name: "Hostwärter auf panel.example.org", Hello: "panel.example.org", Timeout: 2 * generous}
}

// arrived waits for the one mail in a mailbox and takes it out.
func (p *postfix) arrived(box string) *netmail.Message {
	p.Helper()
	var found []string
	p.until("delivers", func() bool {
		found, _ = filepath.Glob(filepath.Join(p.Dir, "mail", box, "new", "*"))
		return len(found) > 0
	})
	data, err := os.ReadFile(found[0])
	p.must(err)
	p.must(os.Remove(found[0]))
	got, err := netmail.ReadMessage(bytes.NewReader(data))
	p.must(err)
	return got
}

func umlauts() smtp.Message {
	m := mail()
	m.Subject = "Ihr Zugang zu »panel.example.org« läuft in wenigen Tagen ab, bitte wählen Sie ein neues Kennwort"
	m.Text = "Grüß Gott!\n\n.\n..Zeilen mit Punkten\n.\nFrom here to there, ein langer Satz: " + strings.Repeat("schön und gut, ", 40) + "\n\n" + link + "?a=b\n-- \nHostwärter ✉\n"
	return m
}

func TestPostfix(t *testing.T) {
	p := startPostfix(t)
	t.Run("delivers what was written", func(t *testing.T) { p.with(t).delivers() })
	t.Run("takes addresses in another script", func(t *testing.T) { p.with(t).takesUTF8() })
	t.Run("takes many at once", func(t *testing.T) { p.with(t).takesMany() })
	t.Run("says what it refuses", func(t *testing.T) { p.with(t).refuses() })
}

// with is the same Postfix in a part of the test.
func (p *postfix) with(t *testing.T) *postfix {
	part := *p
	part.T = t
	return &part
}

func (p *postfix) delivers() {
	for name, c := range map[string]smtp.Config{
		"none":     p.config(p.Plain, smtp.None),
		"starttls": p.config(p.Plain, smtp.StartTLS),
		"implicit": p.config(p.Wrapped, smtp.Implicit),
		"user":     withLogin(p.config(p.Submission, smtp.StartTLS)),
	} {
		m := umlauts()
		m.ID += "." + name
		if err := c.Send(p.Context(), m); err != nil {
			p.Fatalf("%s: %v", name, err)
		}
		got := p.arrived("anna")
		wantContent(p.T, got, c, m)
		if sender := got.Header.Get("Return-Path"); sender != "<hostward@panel.example.org>" {
			p.Errorf("%s: the envelope names %s", name, sender)
		}
		p.wantCame(name, got.Header.Get("Received"))
	}
}

// wantCame compares how a mail came with how it was to come (RFC 3848).
func (p *postfix) wantCame(name, received string) {
	p.Helper()
	with := map[string]string{"none": " with ESMTP ", "starttls": " with ESMTPS ", "implicit": " with ESMTPS ", "user": " with ESMTPSA "}[name]
	if !strings.Contains(received, with) {
		p.Errorf("%s: it came %s", name, received)
	}
}

// refuses: what Postfix says to our mistakes and to its own troubles.
func (p *postfix) refuses() {
	p.Helper()
	plain := p.config(p.Plain, smtp.StartTLS)
	to := func(address string) smtp.Message { m := mail(); m.To = address; return m }
	wantError(p.T, plain.Send(p.Context(), to("nobody@example.org")), false, "550 5.1.1 <nobody@example.org>: Recipient address rejected")
	wantError(p.T, plain.Send(p.Context(), to("anna@example.net")), false, "554 5.7.1 <anna@example.net>: Relay access denied")
	wantError(p.T, plain.Send(p.Context(), to("later@example.org")), true, "450 4.2.0 <later@example.org>: Recipient address rejected: come back later")
	large := mail()
	large.Text = strings.Repeat("a line of text\n", 10000)
	wantError(p.T, plain.Send(p.Context(), large), false, "the server takes 100000 bytes")
	other := withLogin(p.config(p.Submission, smtp.StartTLS))
	other.User = "somebody"
	wantError(p.T, other.Send(p.Context(), mail()), true, "logging in to "+p.Submission+": the server answers 535 5.7.8")
	wantError(p.T, p.config(p.Submission, smtp.None).Send(p.Context(), mail()), false, "530 5.7.0 Must issue a STARTTLS command first")
	untrusting := p.config(p.Plain, smtp.StartTLS)
	untrusting.Roots = nil
	wantError(p.T, untrusting.Send(p.Context(), mail()), true, "unknown authority")
}

func (p *postfix) takesUTF8() {
	p.Helper()
	c, m := p.config(p.Plain, smtp.StartTLS), umlauts()
	m.To = "jörg@example.org"
	p.must(c.Send(p.Context(), m))
	wantContent(p.T, p.arrived("joerg"), c, m)
}

// takesMany sends from several goroutines with one Config.
func (p *postfix) takesMany() {
	c := p.config(p.Plain, smtp.StartTLS)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			m := mail()
			m.ID += fmt.Sprint(".", i)
			if err := c.Send(p.Context(), m); err != nil {
				p.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for range 8 {
		seen[p.arrived("anna").Header.Get("Message-ID")] = true
	}
	if len(seen) != 8 {
		p.Errorf("%d mails arrived: %v", len(seen), seen)
	}
}
