package main

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/socket"
)

// peer returns who is at the other end of a local connection: the kernel says
// so (SO_PEERCRED), nothing the caller sends does. The log-in user behind sudo
// is part of the name (SPEC 0).
func peer(c *net.UnixConn) (act.Actor, error) {
	cred, err := socket.Credentials(c)
	if err != nil {
		return act.Actor{}, err
	}
	if !admitted(cred.UID) {
		return act.Actor{}, core.Errorf(core.Denied, "only root and the group %s may use the local socket", adminGroup)
	}
	return act.Actor{Kind: "os", ID: fmt.Sprintf("uid:%d", cred.UID), Name: osName(cred), Role: act.Primary,
		Tenant: core.Provider, Door: "cli"}, nil
}

func admitted(uid uint32) bool {
	if uid == 0 || uid == uint32(os.Getuid()) {
		return true
	}
	u, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil {
		return false
	}
	g, err := user.LookupGroup(adminGroup)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}

// osName is "root" or "root for ann": the kernel keeps the log-in user across
// su and sudo in loginuid.
func osName(cred socket.Peer) string {
	name := lookup(cred.UID)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/loginuid", cred.PID))
	if err != nil {
		return name
	}
	login, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
	if err != nil || login == 1<<32-1 || uint32(login) == cred.UID {
		return name
	}
	return name + " for " + lookup(uint32(login))
}

func lookup(uid uint32) string {
	u, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil {
		return fmt.Sprintf("uid %d", uid)
	}
	return u.Username
}
