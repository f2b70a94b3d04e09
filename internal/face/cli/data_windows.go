package cli

import "path/filepath"

func defaultData(getenv func(string) string) string {
	return filepath.Join(getenv("ProgramData"), "Hostward", "data")
}
