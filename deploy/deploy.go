// Package deploy holds files for the machine that the program has inside it, too.
package deploy

import _ "embed" // the files

// PanelFilter is the filter for panel.log in fail2ban's language.
//
//go:embed fail2ban/filter.d/hostward.conf
var PanelFilter string
