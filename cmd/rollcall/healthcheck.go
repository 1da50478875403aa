package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) healthcheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running server whether it is ready; for containers",
		Long: `Ask the server on this machine that has the same configuration whether it is ready. The exit code is 0
if it is, 1 if it is not.`,
		Args: cobra.NoArgs,
	}
	timeout := cmd.Flags().Duration("timeout", 3*time.Second, "longest time to wait for the answer")
	load := bindFlags(cmd, a.env, "listen", "tls-cert", "tls-key", "addr-file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
		defer cancel()
		return checkReady(ctx, &c, a.stdout)
	}
	return cmd
}

func checkReady(ctx context.Context, c *Config, w io.Writer) error {
	addr := c.Listen
	if _, port, err := net.SplitHostPort(addr); err == nil && port == "0" {
		if c.AddrFile == "" {
			return errors.New("listen has port 0: the address can only be found with addr-file")
		}
		if addr, err = readAddress(c.AddrFile, "listen"); err != nil {
			return err
		}
	}
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if c.tls() {
		config, err := pinned(c)
		if err != nil {
			return err
		}
		scheme, transport.TLSClientConfig = "https", config
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+reachable(addr)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", bytes.TrimSpace(text))
	}
	_, err = fmt.Fprintln(w, "ready")
	return err
}

// pinned trusts exactly the certificate in the configured file: it was issued for the name that clients use, not
// for this machine's loopback address.
func pinned(c *Config) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // the comparison below is stricter
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, pair.Certificate[0]) {
				return errors.New("the server has another certificate than tls-cert")
			}
			return nil
		},
	}, nil
}
