package login

import (
	"strings"
	"testing"
)

func TestWhatAPasswordMustNotBe(t *testing.T) {
	for _, c := range []struct{ password, want string }{
		{"", "at least 15"},
		{"fourteen chars", "at least 15"},
		{"äöüäöüäöüäöüäö", "at least 15"},
		{strings.Repeat("e\u0301", 14), "at least 15"}, // NFD: 28 code points, 14 characters
		{strings.Repeat("long ", 52), "at most 256"},
		{"aaaaaaaaaaaaaaaaaaaa", "over and over"},
		{"abcabcabcabcabcabc", "over and over"},
		{"12341234123412341", "over and over"},
		{"Password Password", "over and over"},
		{"Correct Horse Battery Staple", "everybody"},
		{"qwertyuiopasdfgh", "everybody"},
		{"Anna.Kranewitt-2026", "own name"},
		{"anna.kranewittanna.kranewitt", "own name"},
		{"Anna Kranewitt Bakery", "own name"},
	} {
		got := weakness(c.password, "anna.kranewitt", "Anna Kranewitt Bakery", "")
		if !strings.Contains(got, c.want) || c.want != "" && got == "" {
			t.Errorf("%q: %q, want something about %q", c.password, got, c.want)
		}
		if c.password != "" && strings.Contains(got, c.password) {
			t.Errorf("the refusal of %q says the password", c.password)
		}
	}
}

func TestLongAndForeignPasswordsAreGood(t *testing.T) {
	for _, password := range []string{
		"fifteen chars !", "seven brown hens under a ladder", strings.Repeat("hens 🐔 wörd", 10)[:100],
		"🐔🦆🦢🦉🦅🦜🐧🐦🦃🐓🦚🦩🕊🐤🐣", "пять коричневых кур под лестницей", "annakranewitt likes hens",
		"一只棕色的母鸡在梯子下面睡着了吧", strings.Repeat("🐔🦆🦢🦉", 3) + strings.Repeat("🦅🦜🐧🐦", 13),
	} {
		if fault := weakness(password, "anna", "Anna Kranewitt"); fault != "" {
			t.Errorf("%q: %s", password, fault)
		}
	}
}

func TestNetworkIsWhatOneCustomerHas(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "unknown", "@": "unknown",
	} {
		if got := network(address); got != want {
			t.Errorf("%q is in %q, want %q", address, got, want)
		}
	}
}
