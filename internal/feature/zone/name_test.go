package zone

import (
	"testing"

	"hostward/internal/core"
)

func TestAZoneIsCalledByWhatPeopleType(t *testing.T) {
	for name, ok := range map[string]bool{
		"example.org": true, "xn--bcher-kva.example": true, "bücher.example": true, "64/26.2.0.192.in-addr.arpa": true, "_acme-challenge.example.org.": true,
		"bad name": false, `tab\009.example`: false, "semi;colon.example": false, "star.*.example": false, "": false, ".": false,
	} {
		if _, err := apexName(name); (err == nil) != ok || err != nil && core.CodeOf(err) != core.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
