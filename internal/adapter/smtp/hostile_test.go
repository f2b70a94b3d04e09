package smtp_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"hostward/internal/adapter/smtp"
)

// gone is an address at which nobody listens.
func gone(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

// flood says piece again and again until nobody takes it.
func flood(first, piece string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, first)
		big := bytes.Repeat([]byte(piece), 1+(32<<10)/len(piece))
		for err == nil {
			_, err = conn.Write(big)
		}
	}
}

// TestAServerThatNeverEndsIsLeftSoon sets no deadline that could help: it is
// the amount that ends it.
func TestAServerThatNeverEndsIsLeftSoon(t *testing.T) {
	const hello = "220 mx\r\n"
	for name, handle := range map[string]func(net.Conn){
		"lines of a greeting":     flood("", "220-welcome\r\n"),
		"lines of an answer":      flood(hello, "250-EXTENSION\r\n"),
		"lines of another answer": flood(hello+"250-mx\r\n", "999 what\r\n"),
		"one line":                flood(hello+"250-", "a"),
		"NUL":                     flood("", "\x00"),
		"continued nonsense":      flood("220-\r\n", "\r\n"),
		"refusal":                 flood(hello+"550-", "no "),
	} {
		c := smtp.Config{Server: listen(t, handle), From: "a@example.org", Timeout: time.Hour}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		err := c.Send(t.Context(), mail())
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		wantError(t, err, true, "the server talks without end")
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 || took > generous {
			t.Errorf("%s: %d bytes, %v", name, grown, took)
		}
	}
}

func TestAServerThatDripsIsLeftInTime(t *testing.T) {
	c := smtp.Config{From: "a@example.org", Timeout: 100 * time.Millisecond}
	c.Server = listen(t, func(conn net.Conn) {
		for range time.Tick(5 * time.Millisecond) {
			if _, err := io.WriteString(conn, "2"); err != nil {
				return
			}
		}
	})
	wantError(t, c.Send(t.Context(), mail()), true, "it took longer than 100ms")
}

func TestAServerThatDoesNotReadIsLeftInTime(t *testing.T) {
	ended := make(chan struct{})
	defer close(ended)
	c := smtp.Config{From: "a@example.org", Timeout: 200 * time.Millisecond}
	c.Server = listen(t, func(conn net.Conn) {
		_ = conn.(*net.TCPConn).SetReadBuffer(4096)
		_, _ = io.WriteString(conn, "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go ahead\r\n")
		<-ended
	})
	m := mail()
	m.Text = strings.Repeat("ä", 1<<19)
	wantError(t, c.Send(t.Context(), m), true, "it took longer than 200ms")
}

func TestWhatIsNotSMTPIsNamedSo(t *testing.T) {
	for say, want := range map[string]string{
		"":                             "the server ended the connection",
		"220":                          "no SMTP reply",
		"HTTP/1.1 400 Bad Request\r\n": "no SMTP reply",
		"220_mx\r\n":                   "no SMTP reply",
		"099 mx\r\n":                   "no SMTP reply",
		"\r\n":                         "no SMTP reply",
		"220-mx\r\n":                   "the server ended the connection",
	} {
		heard := make(chan []byte, 1)
		c := smtp.Config{Server: listen(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, say)
			_ = conn.(*net.TCPConn).CloseWrite()
			all, _ := io.ReadAll(conn)
			heard <- all
		}), From: "a@example.org", Timeout: generous}
		wantError(t, c.Send(t.Context(), mail()), true, want)
		if all := <-heard; len(all) > 0 {
			t.Errorf("%q was answered %q", say, all)
		}
	}
}

// FuzzConversation lets a server say anything: there is an end, an error reads
// well, and neither link nor password are in it.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("220 mx\r\n250-mx\r\n250-SIZE 10\r\n250 AUTH PLAIN\r\n334 \r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"))
	f.Add([]byte("220-a\r\n220 b\r\n250-mx\r\n250-size\r\n250 AUTH LOGIN PLAIN\r\n334 \r\n535 no " + password + "\r\n"))
	f.Add([]byte("220 mx\r\n250-mx\r\n250 auth plain\r\n334 \r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n554 " + link + "\r\n"))
	f.Add([]byte("220 mx\n250 mx\n-99 \n"))
	f.Fuzz(func(t *testing.T, says []byte) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			go func() { _, _ = theirs.Write(says); _ = theirs.SetReadDeadline(time.Now()) }()
			_, _ = io.Copy(io.Discard, theirs)
			_ = theirs.Close()
		}()
		c := withLogin(smtp.Config{Server: "localhost", From: "a@example.org"})
		err := smtp.Converse(context.Background(), c, ours, mail())
		_ = ours.Close()
		<-done
		if err == nil {
			return
		}
		text := err.Error()
		if len([]rune(text)) > 600 || strings.Contains(text, password) || strings.Contains(text, proof()) || strings.Contains(text, link) ||
			strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", text)
		}
	})
}
