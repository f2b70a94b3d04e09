package transfertest

import (
	"os"
	"os/exec"
	"testing"
)

// Alone runs the same test in a network and with mounts of its own, and says whether
// this is it: the outside has nothing more to do. Within, a mount is nobody else's.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HOSTWARD_NAMESPACE") != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("namespaces need root")
	}
	cmd := exec.CommandContext(t.Context(), Program(t, "unshare"), "-nm", "--propagation", "private", "--", "sh", "-c", `ip link set lo up && exec "$0" "$@"`,
		os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "HOSTWARD_NAMESPACE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}
