package smtptest

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"golang.org/x/sys/unix"

	"hostward/internal/core/coretest"
)

// Postfix is a Postfix of its own: configuration, queue, mailboxes and log in
// one folder, three ports on the loopback address, and nothing that survives it.
type Postfix struct {
	*testing.T
	Dir                        string
	Plain, Submission, Wrapped string         // host:port
	Auth                       string         // of the service that checks passwords
	Roots                      *x509.CertPool // that trust its certificate
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
{{with .Auth}}smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{{.}}
{{end}}`

const masterCf = `{{.Plain}} inet n - n - - smtpd
{{.Submission}} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {{if .Auth}}-o smtpd_sasl_auth_enable=yes {{end}}-o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
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

// Start runs one and ends it with the test. auth is host:port of a service that
// speaks Dovecot's authentication protocol for the port Submission, or "".
func Start(t *testing.T, auth string) *Postfix {
	t.Helper()
	program := tool(t, "postfix")
	dir, err := os.MkdirTemp("", "hostward-postfix")
	if err != nil {
		t.Fatal(err)
	}
	p := &Postfix{T: t, Dir: dir, Plain: coretest.Free(t).String(), Submission: coretest.Free(t).String(), Wrapped: coretest.Free(t).String(), Auth: auth}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.furnish()
	p.run(program)
	return p
}

// furnish makes folders, certificate and configuration.
func (p *Postfix) furnish() {
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
	own, roots := Certificate(p.T, "127.0.0.1", time.Now().Add(24*time.Hour))
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	p.must(err)
	chain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})...)
	p.Roots = roots
	for name, text := range map[string]string{"main.cf": mainCf, "master.cf": masterCf, "chain.pem": string(chain)} {
		var b bytes.Buffer
		p.must(template.Must(template.New(name).Parse(text)).Execute(&b, p))
		p.must(os.WriteFile(filepath.Join(p.Dir, "etc", name), b.Bytes(), 0o600))
	}
}

// run starts Postfix's master in a process group of its own. Its daemons become
// our children when it ends, so that we can wait for every one of them.
func (p *Postfix) run(program string) {
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
		p.Until("answers on "+port, func() bool {
			conn, err := net.Dial("tcp", port)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
}

// stop ends the whole group and waits until nothing is left of it.
func (p *Postfix) stop() {
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	_ = p.cmd.Wait()
	p.Until("is gone", func() bool {
		for {
			pid, err := syscall.Wait4(group, nil, syscall.WNOHANG, nil)
			if pid <= 0 {
				return errors.Is(err, syscall.ECHILD) && errors.Is(syscall.Kill(group, 0), syscall.ESRCH)
			}
		}
	})
}

func (p *Postfix) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// Until waits for a condition, with a limit for a busy machine.
func (p *Postfix) Until(what string, is func() bool) {
	p.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(p.Dir, "log"))
			p.Fatalf("waited in vain until postfix %s:\n%s", what, log)
		}
	}
}

// Arrived waits for a mail in a mailbox, "anna", "joerg" or "later", and takes it out.
func (p *Postfix) Arrived(box string) *mail.Message {
	p.Helper()
	var found []string
	p.Until("delivers", func() bool {
		found, _ = filepath.Glob(filepath.Join(p.Dir, "mail", box, "new", "*"))
		return len(found) > 0
	})
	data, err := os.ReadFile(found[0])
	p.must(err)
	p.must(os.Remove(found[0]))
	got, err := mail.ReadMessage(bytes.NewReader(data))
	p.must(err)
	return got
}
