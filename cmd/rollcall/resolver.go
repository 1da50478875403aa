package main

import (
	"context"
	"errors"
	"net"
)

// systemDNS is a lifecycle.Resolver that asks whom the machine asks.
type systemDNS struct{}

// LookupTXT implements lifecycle.Resolver.
func (systemDNS) LookupTXT(ctx context.Context, name string) ([]string, error) {
	texts, err := net.DefaultResolver.LookupTXT(ctx, name)
	var failed *net.DNSError
	if errors.As(err, &failed) && failed.IsNotFound {
		return nil, nil
	}
	return texts, err
}
