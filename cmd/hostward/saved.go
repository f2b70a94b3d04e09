package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hostward/internal/file"
)

// saved is what the recovery words must know of the last serve to look at the
// same database, policy and witnesses. It stands in the data folder, mode
// 0600, since a database URL may hold a password.
type saved struct {
	Database string `json:"database,omitempty"`
	Config   string `json:"config"`
	Private  bool   `json:"allowPrivateWitnesses,omitempty"`
}

func savedPath(data string) string { return filepath.Join(data, "serve.json") }

// remember keeps the options of a serve.
func (o *options) remember() error {
	config, err := filepath.Abs(o.config)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(saved{o.database, config, o.private}, "", "  ")
	if err != nil {
		return err
	}
	return file.Replace(savedPath(o.data), append(b, '\n'), 0o600)
}

// recall fills in what was not given with what the last serve was given.
func (o *options) recall() error {
	b, err := os.ReadFile(savedPath(o.data))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return fmt.Errorf("reading the options of the last serve: %w", err)
	}
	if o.database == "" {
		o.database = s.Database
	}
	if o.config == "" {
		o.config = s.Config
	}
	o.private = o.private || s.Private
	return nil
}
