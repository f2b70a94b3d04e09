package web

import "html/template"

// icons are strokes on a grid of 16, drawn for Hostward.
var icons = map[string]string{
	"overview": "M2.5 8.5 8 3l5.5 5.5M4 7.5v6h8v-6", "zone": "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M2 8h12M8 2c-4.2 4-4.2 8 0 12M8 2c4.2 4 4.2 8 0 12",
	"account": "M8 8.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2.5 14c.5-2.5 2.5-3.7 5.5-3.7s5 1.2 5.5 3.7", "log": "M3.5 2v12M6.5 4h6.5M6.5 8h6.5M6.5 12h4",
	"policy": "M2.5 5h5M11.5 5h2M2.5 11h2M8.5 11h5M9.5 3.2v3.6M6.5 9.2v3.6", "shield": "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4z",
	"key": "M10 9.5A3.5 3.5 0 1 0 6.7 7.2L2.5 11.5v2H5V12h1.5v-1.5z", "clock": "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 4.8V8l2.3 1.5",
	"lock": "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5", "search": "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3l3.2 3.2",
	"menu": "M2.5 4.5h11M2.5 8h11M2.5 11.5h11", "cross": "M4 4l8 8M12 4l-8 8", "check": "M3 8.5 6.5 12 13 4.5", "plus": "M8 3v10M3 8h10", "warn": "M8 2.5 14 13.5H2zM8 6.5v3M8 11.6v.1",
	"no": "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M3.8 3.8l8.4 8.4", "dot": "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5", "same": "M3 6h10M3 10h10", "eye": "M1.5 8C4.5 3 11.5 3 14.5 8c-3 5-10 5-13 0M8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6",
	"wait": "M4 2h8M4 14h8M5 2v2.5L11 11.5V14M11 2v2.5L5 11.5V14", "ring": "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M5.3 8.2l2 2 3.4-4", "ring2": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M6.5 8l1.2 1.2L9.6 7",
	"down": "M4 6l4 4 4-4", "up": "M4 10l4-4 4 4", "right": "M6 4l4 4-4 4", "out": "M9.5 3h-6v10h6M7 8h7M11.5 5.5 14 8l-2.5 2.5", "file": "M4 2h5l3 3v9H4zM9 2v3h3", "download": "M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10",
	"mail": "M2 4h12v8.5H2zM2 4.5l6 4.5 6-4.5", "server": "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5v.1M5 11v.1", "ban": "M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5zM5 8h6", "cert": "M3 3h10v7H3zM8 8.5v5.5M5.5 6h5", "help": "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M6.2 6.3C6.5 4.3 9.8 4.6 9.8 6.5 9.8 7.8 8 7.8 8 9.3M8 11.5v.1",
	"task": "M3 3h10v10H3zM5.5 8 7.3 9.8 10.5 6", "tree": "M8 3v4M8 7 4 11M8 7l4 4M4 11v2M12 11v2", "door": "M4 14V3h8v11M2.5 14h11M9.5 8.5v.1", "backup": "M3 4.5C3 2 13 2 13 4.5v7C13 14 3 14 3 11.5zM3 4.5C3 7 13 7 13 4.5M3 8c0 2.5 10 2.5 10 0",
	"database": "M3 4.5C3 2 13 2 13 4.5v7C13 14 3 14 3 11.5zM3 4.5C3 7 13 7 13 4.5", "firewall": "M2 4h12v8H2zM2 8h12M6 4v4M10 4v4M8 8v4M4 8v4M12 8v4", "edit": "M3 13v-2.5L10.5 3 13 5.5 5.5 13z", "bin": "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.5 9h6l.5-9",
}

// icon draws one; an unknown name is a dot, so that a page never breaks on it.
func icon(name string) template.HTML {
	d, ok := icons[name]
	if !ok {
		d = icons["dot"]
	}
	return template.HTML(`<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d="` + d + `"/></svg>`)
}
