package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the white margin of a QR code, in modules (ISO/IEC 18004 9.1).
const quiet = 4

// qrCode draws text as a QR code, black on white in every theme: cameras need it so.
func qrCode(text string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	side := size + 2*quiet
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %d %d" role="img" aria-label="QR code with the secret below" shape-rendering="crispEdges"><path class="paper" d="M0 0h%dv%dh-%dz"/><path class="ink" d="%s"/></svg>`,
		side, side, side, side, side, path.String())), nil
}
