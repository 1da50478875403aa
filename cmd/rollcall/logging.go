package main

import (
	"io"
	"log/slog"
)

// newLogger logs to w in the form and from the level that c asks for. Nothing that is logged holds an attribute
// value, a filter, a password or a token: ids, names and numbers only.
func newLogger(c *Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.level()}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
