package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
)

// Client does the operations in the server that listens on a socket. It is an [Operator].
type Client struct{ http *http.Client }

var _ Operator = (*Client)(nil)

// NewClient returns a client for the server that holds the data directory dir. It connects with the first
// operation; see [Running].
func NewClient(dir string) *Client { return &Client{&http.Client{Transport: NewTransport(dir)}} }

// NewTransport returns the way to what else the server that holds the data directory dir serves on its socket. The host of
// a request's URL means nothing.
func NewTransport(dir string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dir) },
	}
}

// Close drops idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// CreateOrganization implements Operator.
func (c *Client) CreateOrganization(ctx context.Context, o NewOrganization) (*Organization, error) {
	return call[*Organization](ctx, c, pathCreateOrganization, o)
}

// Organizations implements Operator.
func (c *Client) Organizations(ctx context.Context) ([]Organization, error) {
	return call[[]Organization](ctx, c, pathOrganizations, none{})
}

// Organization implements Operator.
func (c *Client) Organization(ctx context.Context, idOrSlug string) (*Organization, error) {
	return call[*Organization](ctx, c, pathOrganization, orgArg{idOrSlug})
}

// CreateToken implements Operator.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (*Token, error) {
	return call[*Token](ctx, c, pathCreateToken, t)
}

// Tokens implements Operator.
func (c *Client) Tokens(ctx context.Context, org string) ([]Token, error) {
	return call[[]Token](ctx, c, pathTokens, orgArg{org})
}

// RevokeToken implements Operator.
func (c *Client) RevokeToken(ctx context.Context, org, id string) error {
	_, err := call[none](ctx, c, pathRevokeToken, revokeArg{org, id})
	return err
}

// Backup implements Operator.
func (c *Client) Backup(ctx context.Context, file string) error {
	_, err := call[none](ctx, c, pathBackup, backupArg{file})
	return err
}

// Check implements Operator.
func (c *Client) Check(ctx context.Context) ([]string, error) {
	return call[[]string](ctx, c, pathCheck, none{})
}

// VerifyAudit implements Operator.
func (c *Client) VerifyAudit(ctx context.Context, org, expect string) (*Verification, error) {
	return call[*Verification](ctx, c, pathVerifyAudit, verifyArg{org, expect})
}

func call[Out any](ctx context.Context, c *Client, path string, in any) (Out, error) {
	var out Out
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://rollcall"+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("talk to the running server: %w", err)
	}
	defer resp.Body.Close()
	d := json.NewDecoder(resp.Body)
	if resp.StatusCode != http.StatusOK {
		var f failure
		if err := d.Decode(&f); err != nil || f.Error == "" {
			return out, errNotJSON
		}
		return out, &Error{f.Error}
	}
	if err := d.Decode(&out); err != nil {
		return out, errNotJSON
	}
	return out, nil
}
