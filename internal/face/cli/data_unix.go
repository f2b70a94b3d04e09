//go:build !windows

package cli

import "os"

func defaultData(func(string) string) string {
	if os.Geteuid() == 0 {
		return "/var/lib/hostward"
	}
	return "./data"
}
