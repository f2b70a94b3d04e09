package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"hostward/internal/face/cli"
	"hostward/internal/house"
)

func recoverCommand() *cobra.Command {
	var reason string
	var private bool
	c := &cobra.Command{Use: "recover", Short: "Open a new epoch of the log after records were lost", Args: cobra.NoArgs,
		Long: "Open a new epoch of the log after a disaster: the database is older than what was signed or witnessed.\n" +
			"The first record of the new epoch names the last checkpoint and the range that is lost, with your reason.\n" +
			"Nothing that is still there is changed. Where records were altered or removed and their sealed copies\n" +
			"are intact, they are put back instead, on record. The server must not run.",
		RunE: func(c *cobra.Command, _ []string) error {
			if reason == "" {
				return cli.Usage("say why with --reason: it goes on record")
			}
			var o options
			o.data, _ = c.Flags().GetString("data")
			o.private = private
			o.database, _ = c.Flags().GetString("database")
			o.data = cli.DataDir(o.data, os.Getenv)
			if err := o.recall(); err != nil {
				return err
			}
			cfg, err := o.house()
			if err != nil {
				return err
			}
			cfg.Offline, cfg.Recover = true, reason
			h, err := house.Open(c.Context(), cfg)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "The log is whole again, and a record says what was done: hostward log list. Start the server.")
			return h.Close()
		}}
	c.Flags().StringVar(&reason, "reason", "", "why records are missing; goes on record")
	c.Flags().BoolVar(&private, "allow-private", false, "let other servers (witnesses, nameservers) have private and local addresses")
	c.Flags().String("database", "", "postgres://… when it is not SQLite in the data folder")
	return c
}
