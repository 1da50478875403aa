package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// generateCertificate makes a self-signed certificate for 127.0.0.1, as PEM.
func generateCertificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "rollcall test " + serial.String()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), nil
}

// TestCertificateFollowsItsFiles: a renewed pair is served within certificateCheck of its being written, without a
// signal; one that does not load is not.
func TestCertificateFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	now := time.Now()
	modified := now.Add(-time.Hour)
	write := func(cert, key []byte) {
		t.Helper()
		// File times may be too coarse to tell two writes of one test apart.
		modified = modified.Add(time.Minute)
		for name, text := range map[string][]byte{certFile: cert, keyFile: key} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, modified, modified); err != nil {
				t.Fatal(err)
			}
		}
	}
	generate := func() (cert, key []byte) {
		t.Helper()
		cert, key, err := generateCertificate()
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	cert1, key1 := generate()
	write(cert1, key1)
	var log bytes.Buffer
	c, err := newCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if c.config().MinVersion != tls.VersionTLS12 {
		t.Error("versions before TLS 1.2 are accepted")
	}
	served := func(want []byte) {
		t.Helper()
		pair, err := c.config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}); !bytes.Equal(got, want) {
			t.Error("another certificate is served")
		}
	}
	served(cert1)
	cert2, key2 := generate()
	write(cert2, key2)
	served(cert1)
	now = now.Add(certificateCheck)
	served(cert2)

	write(cert1, key2)
	now = now.Add(certificateCheck)
	served(cert2)
	if !bytes.Contains(log.Bytes(), []byte("does not load")) {
		t.Errorf("log: %s", log.String())
	}
	write(cert1, key1)
	now = now.Add(certificateCheck)
	served(cert1)
}
