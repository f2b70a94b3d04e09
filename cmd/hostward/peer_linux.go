package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hostward/internal/act"
	"hostward/internal/core"
)

// peer returns who is at the other end of a local connection: the kernel says
// so (SO_PEERCRED), nothing the caller sends does. The log-in user behind sudo
// is part of the name (SPEC 0).
func peer(c *net.UnixConn) (act.Actor, error) {
	cred, err := credentials(c)
	if err != nil {
		return act.Actor{}, err
	}
	if !admitted(cred.Uid) {
		return act.Actor{}, core.Errorf(core.Denied, "only root and the group %s may use the local socket", adminGroup)
	}
	return act.Actor{Kind: "os", ID: fmt.Sprintf("uid:%d", cred.Uid), Name: osName(cred), Role: act.Primary,
		Tenant: core.Provider, Door: "cli"}, nil
}

func credentials(c *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred, errors.Join(err, credErr)
}

// feeder refuses who is neither root nor this user nor in the group, his own first
// group.
func feeder(c *net.UnixConn, group string) error {
	cred, err := credentials(c)
	if err != nil {
		return err
	}
	if cred.Uid == 0 || cred.Uid == uint32(os.Getuid()) {
		return nil
	}
	if g, err := user.LookupGroup(group); err == nil && g.Gid == strconv.Itoa(int(cred.Gid)) {
		return nil
	}
	return core.Errorf(core.Denied, "user %d may not feed this nameserver", cred.Uid)
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
func osName(cred *unix.Ucred) string {
	name := lookup(cred.Uid)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/loginuid", cred.Pid))
	if err != nil {
		return name
	}
	login, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
	if err != nil || login == 1<<32-1 || uint32(login) == cred.Uid {
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
