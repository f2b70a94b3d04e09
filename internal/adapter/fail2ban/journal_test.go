package fail2ban

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"hostward/internal/host"
)

func banned(i int) line {
	a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	b := host.Ban{Prefix: netip.PrefixFrom(a, 32), Jail: "one", Since: time.Unix(int64(1_800_000_000+i), 0).UTC(), Times: 1}
	return line{Event: &host.BanEvent{Time: b.Since, What: "banned", By: "one", Ban: b}, Row: int64(i + 1)}
}

// TestAJournalStaysShort adds more than is kept, and reads the file again.
func TestAJournalStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	const many = 2*keep + 2000
	for i := 0; i < many; i += 1000 {
		lines := make([]line, 1000)
		for k := range lines {
			lines[k] = banned(i + k)
		}
		if err := j.add(lines); err != nil {
			t.Fatal(err)
		}
	}
	if j.seq() != many || len(j.events) > 2*keep || j.first == 0 {
		t.Fatalf("%d events behind %d, the last is %d", len(j.events), j.first, j.seq())
	}
	first := banned(0).Event.Ban
	if err := j.add([]line{over(first, first.Since, "somebody")}); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if again.seq() != many+1 || len(again.held) != many-1 || !reflect.DeepEqual(again.held, j.held) || again.row != j.row || again.last != j.last {
		t.Errorf("read again: %d events, %d bans hold, row %d; want %d, %d, %d", again.seq(), len(again.held), again.row, many+1, many-1, j.row)
	}
	if list := again.after(0, 3); len(list) != 3 || list[0].Seq != j.first+1 {
		t.Errorf("who begins at the beginning gets %+v", list)
	}
	if !again.older(first) || again.older(banned(many).Event.Ban) {
		t.Error("it does not know what it forgot")
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"\x80\x04K\x00]\x94(\x8c\x01a\x94K\x02\x86\x94e\x86.", "\x80\x04K\x01\x8c\x08builtins\x8c\x08KeyError\x93\x8c\x01x\x85R\x86.", "\x80\x04\x8a\x03\xff\xff\x7f.", "\x80\x04\x8f(K\x01K\x02\x90."} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := decode(data)
		if err != nil {
			return
		}
		_ = fmt.Sprint(v)
		if got, err := result([]string{"x"}, v); err == nil {
			_, _ = pairs(got)
			_, _ = texts(got)
		}
	})
}
