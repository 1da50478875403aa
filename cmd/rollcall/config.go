package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"rollcall/internal/idtoken"
	"rollcall/scim/api"
)

// Config is everything that can be set. [settings] says under which name.
type Config struct {
	Listen         string
	OpsListen      string
	Data           string
	Store          secret // connection string; "": the embedded store in Data
	StoreFile      string
	BaseURL        string
	TrustedProxies []netip.Prefix
	TLSCert        string
	TLSKey         string
	AddrFile       string

	BootstrapToken     secret
	BootstrapTokenFile string

	LogLevel  string
	LogFormat string

	MetricsPerOrganization bool
	Pprof                  bool
	OperatorAPI            string

	Issuers      []idtoken.Issuer // whose people sign in
	OIDCAudience string           // of the issuers that name none

	CursorTimeout time.Duration
	CacheSize     int64 // bytes; 0: no cache
	Limits        Limits
	Timeouts      Timeouts

	Mail MailConfig

	OrganizationRate api.Rate
	TokenRate        api.Rate
}

// Limits bound what one request may ask, and what all of them may together.
type Limits struct {
	Header          int64
	Body            int64
	BulkBody        int64
	JSONDepth       int
	FilterLength    int64
	FilterDepth     int
	FilterTerms     int
	DefaultCount    int
	Count           int
	PatchOperations int
	BulkOperations  int
	Values          int
	InFlight        int
	Waiting         int
	BodyMemory      int64
}

// Timeouts bound how long a connection and a request may take.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration
	Write      time.Duration
	Idle       time.Duration
	Request    time.Duration
	Wait       time.Duration
	Shutdown   time.Duration
}

// Defaults is the configuration of a server that nobody configured: it listens on this machine only.
func Defaults() Config {
	load := api.DefaultLoad()
	return Config{
		Listen:                 "127.0.0.1:8080",
		OpsListen:              "127.0.0.1:9464",
		Data:                   "./rollcall-data",
		LogLevel:               "info",
		LogFormat:              "text",
		MetricsPerOrganization: true,
		Pprof:                  true,
		OperatorAPI:            operatorOnListen,
		CursorTimeout:          time.Hour,
		CacheSize:              defaultCache,
		Limits: Limits{
			Header: 64 << 10, Body: 1 << 20, BulkBody: 16 << 20, JSONDepth: 32,
			FilterLength: 8 << 10, FilterDepth: 50, FilterTerms: 200,
			DefaultCount: 100, Count: 1000, PatchOperations: 1000, BulkOperations: 1000, Values: 500,
			InFlight: load.InFlight, Waiting: load.Waiting, BodyMemory: load.BodyMemory,
		},
		Timeouts: Timeouts{
			ReadHeader: 5 * time.Second, Read: time.Minute, Write: 2 * time.Minute, Idle: 2 * time.Minute,
			Request: time.Minute, Wait: load.Wait, Shutdown: 30 * time.Second,
		},
		Mail: defaultMail(),
	}
}

// Sources are the places that a configuration comes from, the later over the earlier.
type Sources struct {
	File  string            // path of a YAML file; "" for none
	Env   []string          // as os.Environ gives it
	Flags map[string]string // by key, those that were given
}

// Load reads the sources over the defaults. It reports every problem it finds, in one error, with where it is.
func Load(src Sources) (Config, error) {
	c := Defaults()
	all := settings(&c)
	var problems []error
	env, envProblems := environment(src.Env, all)
	problems = append(problems, envProblems...)
	if src.File == "" {
		src.File = env[configFileKey]
	}
	if src.File != "" {
		problems = append(problems, loadFile(src.File, all)...)
	}
	for _, s := range all {
		if text, ok := env[s.key]; ok {
			if err := s.value.Set(text); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", s.env(), err))
			}
		}
		if text, ok := src.Flags[s.key]; ok {
			if err := s.value.Set(text); err != nil {
				problems = append(problems, fmt.Errorf("--%s: %w", s.key, err))
			}
		}
	}
	problems = append(problems, c.check()...)
	if len(problems) > 0 {
		return Config{}, &configError{problems}
	}
	return c, nil
}

// configError is all that is wrong with a configuration.
type configError struct{ problems []error }

func (e *configError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %d problem(s):", len(e.problems))
	for _, p := range e.problems {
		b.WriteString("\n  " + p.Error())
	}
	return b.String()
}

func (e *configError) Unwrap() []error { return e.problems }

// check finds what no single setting can know to be wrong.
func (c *Config) check() []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Data == "" {
		add("data: must name a directory")
	}
	if err := checkAddress(c.Listen); err != nil {
		add("listen: %w", err)
	}
	if c.OpsListen != "" {
		if err := checkAddress(c.OpsListen); err != nil {
			add("ops-listen: %w", err)
		}
		if c.OpsListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
			add("ops-listen: must differ from listen")
		}
	}
	if c.OperatorAPI == operatorOnOps && c.OpsListen == "" {
		add("operator-api: there is no ops-listen")
	}
	switch {
	case c.TLSCert == "" && c.TLSKey != "":
		add("tls-cert: is needed with tls-key")
	case c.TLSCert != "" && c.TLSKey == "":
		add("tls-key: is needed with tls-cert")
	case c.TLSCert != "":
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			add("tls-cert, tls-key: %w", err)
		}
	}
	if c.BootstrapToken != "" && c.BootstrapTokenFile != "" {
		add("bootstrap-token-file: give it or bootstrap-token, not both")
	}
	if _, err := c.bootstrapToken(); err != nil {
		add("bootstrap-token-file: %w", err)
	}
	if c.Store != "" && c.StoreFile != "" {
		add("store-file: give it or store, not both")
	}
	if _, err := c.storeURI(); err != nil {
		add("store-file: %w", err)
	}
	problems = append(problems, c.Mail.check()...)
	if _, err := c.people(); err != nil {
		add("oidc-issuer: %w", err)
	}
	if c.Limits.BulkBody < c.Limits.Body {
		add("limit-bulk-body: must not be below limit-body (%s)", formatSize(c.Limits.Body))
	}
	if c.Limits.BodyMemory < c.Limits.BulkBody {
		add("limit-body-memory: must not be below limit-bulk-body (%s)", formatSize(c.Limits.BulkBody))
	}
	if c.Timeouts.Write < c.Timeouts.Request {
		add("timeout-write: must not be below timeout-request (%s)", durationValue{&c.Timeouts.Request})
	}
	return problems
}

// bootstrapToken returns the token that automation chose, "" for none.
func (c *Config) bootstrapToken() (string, error) {
	if c.BootstrapTokenFile == "" {
		return string(c.BootstrapToken), nil
	}
	return readSecret(c.BootstrapTokenFile)
}

// storeURI returns the connection string of the database, "" for the embedded store.
func (c *Config) storeURI() (string, error) {
	if c.StoreFile == "" {
		return string(c.Store), nil
	}
	text, err := readSecret(c.StoreFile)
	if err != nil {
		return "", err
	}
	var uri secret
	err = storeValue{&uri}.Set(text)
	return string(uri), err
}

// readSecret returns what a file holds beside white space around it.
func readSecret(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 16<<10))
	if err != nil {
		return "", err
	}
	value := strings.TrimSpace(string(text))
	if value == "" {
		return "", errors.New("the file is empty")
	}
	return value, nil
}

func (c *Config) tls() bool { return c.TLSCert != "" }

func (c *Config) level() slog.Level {
	switch c.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

func checkAddress(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8080 or :8080", text)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q has no valid port", text)
	}
	return nil
}
