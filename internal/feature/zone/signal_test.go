package zone_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/feature/zone"
	"hostward/internal/rr"
)

// TestNameserversConfirmTheFirstDS makes a zone whose nameserver's name is in another
// signed zone here, and looks for the signals there (RFC 9615).
func TestNameserversConfirmTheFirstDS(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		own := o.zone // holds the name of the nameserver
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": own.ID})
		child, _ := must[zone.Changed](o.world, customer, "zone.create", fields{"name": "child.example", "nameservers": []string{"ns1.example.org", "ns.elsewhere.example"}})
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": child.ID})
		signals := func() (names []rr.Name) {
			t.Helper()
			if err := o.zones.Signal(t.Context(), o.Bus); err != nil {
				t.Fatal(err)
			}
			shown, _ := must[zone.Shown](o.world, customer, "zone.show", fields{"zone": own.ID})
			for _, s := range shown.RRsets {
				if strings.HasPrefix(string(s.Name), "_dsboot.") {
					names = append(names, s.Name)
				}
			}
			return names
		}
		if got := signals(); len(got) != 0 {
			t.Errorf("before a DS may stand, there is %v", got)
		}
		o.zone = child
		wanted := o.until("the DS is wanted", 48*time.Hour, wantsDS)
		if got := signals(); len(got) != 2 || slices.Compact(got)[0] != "_dsboot.child.example._signal.ns1.example.org." {
			t.Errorf("while the DS is waited for, there is %v", got)
		}
		if got := signals(); len(got) != 2 {
			t.Errorf("once more: %v", got)
		}
		o.obey(wanted)
		o.until("all is well", 5*24*time.Hour, settled)
		if got := signals(); len(got) != 0 {
			t.Errorf("the parent has the DS, and there is %v", got)
		}
		o.sound()
	})
}
