package firewall

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hostward/internal/control"
	"hostward/internal/host"
)

// Name is the name of the control.
const Name = "firewall"

// Control is the firewall as a control of the machine.
func (f *Firewall) Control() control.Machine {
	return control.Of(control.Spec[Desired, Observed]{
		Name: Name, Title: "Firewall", Page: "/firewall", Lockout: true, Serves: serves(),
		Owns:    host.Owns{Tables: []string{tableFamily + " " + tableName}, Files: []string{BootFile}},
		Desired: f.desired, Validate: Desired.Validate, Observe: observe, Plan: plan, Diff: diff, Alarms: alarms,
	})
}

// plan replaces the table whole. The table goes first: a file for the boot that
// nobody has tried would be worse than an old one.
func plan(want *Desired, have Observed) (steps []host.Step) {
	if want == nil {
		if have.Loaded {
			steps = append(steps, host.LoadTable{Family: tableFamily, Name: tableName})
		}
		if have.file {
			steps = append(steps, host.RemoveFile{Path: BootFile})
		}
		return steps
	}
	if have.table != have.wanted || len(have.Sets) > 0 {
		steps = append(steps, host.LoadTable{Family: tableFamily, Name: tableName, Rules: want.Table(true)})
	}
	if !have.Boot {
		steps = append(steps, host.WriteFile{Path: BootFile, Mode: 0o600, Content: want.Boot()})
	}
	return steps
}

// diff is what would go and come, line by line, as nft prints it.
func diff(want *Desired, have Observed) (lines []string) {
	if want == nil {
		return nil
	}
	lines = append(lines, only("− ", have.table, have.wanted)...)
	lines = append(lines, only("+ ", have.wanted, have.table)...)
	for _, name := range have.Sets {
		lines = append(lines, "the elements of "+name+" differ")
	}
	if !have.Boot {
		lines = append(lines, BootFile+" is written, to be loaded at boot")
	}
	if len(lines) == 0 {
		lines = []string{"the same rules are in another order"}
	}
	return lines
}

// only are the lines of a text that another one does not have as often, each with its
// chain.
func only(mark, text, other string) (lines []string) {
	count := map[string]int{}
	for _, line := range inChains(other) {
		count[line]++
	}
	for _, line := range inChains(text) {
		if count[line]--; count[line] < 0 {
			lines = append(lines, mark+line)
		}
	}
	return lines
}

// inChains are the lines of a table, those of chains with the name of theirs.
func inChains(text string) (lines []string) {
	chain := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, begins := strings.CutPrefix(line, "chain ")
		switch {
		case begins:
			chain = strings.TrimSuffix(name, " {") + ": "
			lines = append(lines, line)
		case line == "}":
			chain = ""
		case line != "":
			lines = append(lines, chain+line)
		}
	}
	return lines
}

// alarms is what is open although the firewall is as it should be.
func alarms(want *Desired, have Observed) []string {
	if want == nil {
		return nil
	}
	found := map[string]bool{}
	for _, p := range have.Published {
		if p.State == openPast {
			found[fmt.Sprintf("%s is open past the firewall: table %s sends it to %s", p.Port(), p.Table, p.To)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
