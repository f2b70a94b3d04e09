package jail

import "io/fs"

// Load reads the folder. It returns an error only if there is no jail.conf and no
// jail.local at all; everything else that is wrong is among the faults. Filters of
// jails that are off are not read.
func Load(fsys fs.FS) (*Config, error) { return &Config{}, nil }
