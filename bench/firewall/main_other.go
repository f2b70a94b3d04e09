//go:build !linux

// Command firewall measures the firewall's table; only Linux has one.
package main

import "fmt"

func main() { fmt.Println("nftables is Linux's") }
