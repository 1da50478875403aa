package main

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"rollcall/scim/api"
)

// A setting binds one field of a Config to its name. The key is the name in a file and, with two dashes, of the
// flag; in the environment it is ROLLCALL_ and the key in capitals. This is the only place where a name is written.
type setting struct {
	key   string
	help  string
	value value
	// noFlag keeps a secret off the command line, where every user of the machine could read it.
	noFlag bool
}

func (s setting) env() string { return envName(s.key) }

// secret reports whether the setting has, or may have, a value that must not be printed.
func (s setting) secret() bool {
	switch v := s.value.(type) {
	case secretValue:
		return true
	case storeValue:
		return *v.p != ""
	}
	return false
}

const (
	envPrefix = "ROLLCALL_"
	// configFileKey names the file itself: an environment variable and a flag, not a key of the file.
	configFileKey = "config"
)

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// settings is the table: every setting, bound to c.
func settings(c *Config) []setting {
	l, t := &c.Limits, &c.Timeouts
	bound := func(p *api.Rate) value { return rateValue{p} }
	count := func(p *int) value { return intValue{p, 1_000_000} }
	size := func(p *int64) value { return sizeValue{p: p, max: math.MaxInt32} }
	all := []setting{
		{key: "listen", help: "address of /scim/v2, /api/v1, /healthz and /readyz", value: stringValue{&c.Listen}},
		{key: "ops-listen", help: "address of /metrics, /debug/pprof, /healthz and /readyz; empty for none", value: stringValue{&c.OpsListen}},
		{key: "operator-api", help: "which address has /api/v1/operator, if any: the control socket has it in any case", value: choiceValue{&c.OperatorAPI, []string{operatorOnListen, operatorOnOps, operatorOff}}},
		{key: "data", help: "directory of the embedded database", value: stringValue{&c.Data}},
		{key: "store", help: "where the database is: " + embeddedStore + " for the data directory, or the connection string of a MongoDB, which is better not given as a flag if it has a password", value: storeValue{&c.Store}},
		{key: "store-file", help: "file that holds the connection string", value: stringValue{&c.StoreFile}},
		{key: "base-url", help: "SCIM root as clients see it, such as https://scim.example.com/scim/v2; if empty, each request tells", value: baseURLValue{&c.BaseURL}},
		{key: "trusted-proxies", help: "addresses and networks whose X-Forwarded headers are believed", value: prefixesValue{&c.TrustedProxies}},
		{key: "tls-cert", help: "PEM file of the certificate chain; serves HTTPS, and is read again when it changes", value: stringValue{&c.TLSCert}},
		{key: "tls-key", help: "PEM file of the certificate's key", value: stringValue{&c.TLSKey}},
		{key: "addr-file", help: "file to write the bound addresses to once the server is ready, for --listen 127.0.0.1:0", value: stringValue{&c.AddrFile}},
		{key: "bootstrap-token", help: "first token of organization default, instead of a random one", value: secretValue{&c.BootstrapToken}, noFlag: true},
		{key: "bootstrap-token-file", help: "file that holds the bootstrap token", value: stringValue{&c.BootstrapTokenFile}},
		{key: "log-level", help: "least level that is logged", value: choiceValue{&c.LogLevel, []string{"debug", "info", "warn", "error"}}},
		{key: "log-format", help: "form of log lines", value: choiceValue{&c.LogFormat, []string{"text", "json"}}},
		{key: "metrics-per-organization", help: "label the request metric with the organization", value: boolValue{&c.MetricsPerOrganization}},
		{key: "pprof", help: "serve /debug/pprof on the ops address", value: boolValue{&c.Pprof}},
		{key: "cache-size", help: "most bytes of memory for records that are kept ready to be read, 32MiB or more; 0 for none", value: sizeValue{p: &c.CacheSize, max: 1 << 40, zero: true}},
		{key: "oidc-issuer", help: "OpenID providers whose people sign in to the companion API, such as \"https://login.example.com organization=acme\": with organization=SLUG a provider speaks for that organization's addresses, with audience=ID its tokens are for that client id", value: issuersValue{&c.Issuers}},
		{key: "oidc-audience", help: "client id that the tokens of providers without an audience of their own are for", value: stringValue{&c.OIDCAudience}},
		{key: "cursor-timeout", help: "how long a paging cursor stays valid", value: durationValue{&c.CursorTimeout}},
		{key: "limit-header", help: "most bytes of a request's header", value: size(&l.Header)},
		{key: "limit-body", help: "most bytes of a request's body", value: size(&l.Body)},
		{key: "limit-bulk-body", help: "most bytes of a Bulk request's body", value: size(&l.BulkBody)},
		{key: "limit-json-depth", help: "deepest nesting of a JSON body", value: count(&l.JSONDepth)},
		{key: "limit-filter-length", help: "most bytes of a filter", value: size(&l.FilterLength)},
		{key: "limit-filter-depth", help: "deepest nesting of a filter", value: count(&l.FilterDepth)},
		{key: "limit-filter-terms", help: "most comparisons of a filter", value: count(&l.FilterTerms)},
		{key: "default-count", help: "resources of a page if a client names no count; never above limit-count", value: count(&l.DefaultCount)},
		{key: "limit-count", help: "most resources of one page", value: count(&l.Count)},
		{key: "limit-patch-operations", help: "most operations of a PATCH", value: count(&l.PatchOperations)},
		{key: "limit-bulk-operations", help: "most operations of a Bulk request", value: count(&l.BulkOperations)},
		{key: "limit-values", help: "most values of a multi-valued attribute, members aside", value: count(&l.Values)},
		{key: "limit-in-flight", help: "most requests that are worked on at once", value: count(&l.InFlight)},
		{key: "limit-waiting", help: "most requests that wait for one of those to end; further ones are answered 503", value: count(&l.Waiting)},
		{key: "limit-body-memory", help: "most bytes of large bodies that are held at once", value: size(&l.BodyMemory)},
		{key: "rate-limit-organization", help: "requests a second that an organization may make and, after a colon, how many at once, such as 50:200; empty for any", value: bound(&c.OrganizationRate)},
		{key: "rate-limit-token", help: "the same of each token", value: bound(&c.TokenRate)},
		{key: "timeout-read-header", help: "longest time to receive a request's header", value: durationValue{&t.ReadHeader}},
		{key: "timeout-read", help: "longest time to receive a whole request", value: durationValue{&t.Read}},
		{key: "timeout-write", help: "longest time from a request's header to the end of its answer", value: durationValue{&t.Write}},
		{key: "timeout-idle", help: "longest time that a connection waits for its next request", value: durationValue{&t.Idle}},
		{key: "timeout-request", help: "longest time that a request may be worked on", value: durationValue{&t.Request}},
		{key: "timeout-wait", help: "longest time that a request waits for its turn", value: durationValue{&t.Wait}},
		{key: "timeout-shutdown", help: "longest time that a stop waits for requests to finish", value: durationValue{&t.Shutdown}},
	}
	return append(all, mailSettings(&c.Mail)...)
}

// foreignEnv matches variables that begin with our prefix and are not ours to read: those that Kubernetes sets in
// every pod beside a Service called rollcall, and those of tests.
func foreignEnv() *regexp.Regexp {
	return regexp.MustCompile(`^ROLLCALL_(TEST_.*|SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
}

// environment picks out of env what is ours, by key, and complains of what only looks so.
func environment(env []string, all []setting) (map[string]string, []error) {
	keys := map[string]string{envName(configFileKey): configFileKey}
	commands := remoteEnv()
	for _, s := range all {
		keys[s.env()] = s.key
	}
	foreign := foreignEnv()
	found := map[string]string{}
	var problems []error
	for _, pair := range env {
		name, text, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(commands, name) {
			continue
		}
		if key, ok := keys[name]; ok {
			found[key] = text
		} else if !foreign.MatchString(name) {
			problems = append(problems, fmt.Errorf("%s: no such setting", name))
		}
	}
	return found, problems
}

// loadFile reads a YAML file of "key: value" lines; lists may be written as YAML lists.
func loadFile(path string, all []setting) []error {
	text, err := os.ReadFile(path)
	if err != nil {
		return []error{fmt.Errorf("config file: %w", err)}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return []error{fmt.Errorf("config file %s: %w", path, err)}
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return []error{fmt.Errorf("config file %s: must consist of lines such as \"listen: 127.0.0.1:8080\"", path)}
	}
	byKey := map[string]setting{}
	for _, s := range all {
		byKey[s.key] = s
	}
	seen := map[string]bool{}
	var problems []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		at := fmt.Sprintf("%s:%d: %s", path, key.Line, key.Value)
		s, known := byKey[key.Value]
		switch {
		case !known:
			problems = append(problems, fmt.Errorf("%s: no such setting", at))
			continue
		case seen[key.Value]:
			problems = append(problems, fmt.Errorf("%s: is set twice", at))
			continue
		}
		seen[key.Value] = true
		text, err := nodeText(node)
		if err == nil {
			err = s.value.Set(text)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", at, err))
		}
	}
	return problems
}

func nodeText(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", nil
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, e := range n.Content {
			if e.Kind != yaml.ScalarNode {
				return "", fmt.Errorf("element %d must be a single value", i+1)
			}
			parts[i] = e.Value
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("must be a single value or a list of them")
}

// Redacted writes the configuration as a file that could be read again, explained and without its secrets.
func (c Config) Redacted() (string, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	var hidden strings.Builder
	for _, s := range settings(&c) {
		text := s.value.String()
		if s.secret() {
			if text != "" {
				fmt.Fprintf(&hidden, "# %s\n# %s: %s\n", s.help, s.key, text)
			}
			continue
		}
		tag := "!!str"
		switch s.value.(type) {
		case intValue:
			tag = "!!int"
		case boolValue:
			tag = "!!bool"
		}
		root.Content = append(root.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.key, HeadComment: s.help},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text})
	}
	text, err := yaml.Marshal(root)
	return string(text) + hidden.String(), err
}

// flagText is a flag's text as given. What it means is found out by [Load], so that a bad flag is reported beside
// all other problems and not instead of them.
type flagText struct {
	text     string
	typeName string
}

func (f *flagText) Set(text string) error { f.text = text; return nil }
func (f *flagText) String() string        { return f.text }
func (f *flagText) Type() string          { return f.typeName }

// bindFlags gives cmd the flags of the settings called keys, of all if none is named, and the one for the file. The
// returned function loads the configuration when the flags are parsed.
func bindFlags(cmd *cobra.Command, env []string, keys ...string) func() (Config, error) {
	defaults := Defaults()
	given := map[string]*flagText{}
	flags := cmd.Flags()
	flags.SortFlags = false // the table's order goes from what everybody sets to what hardly anybody does
	for _, s := range settings(&defaults) {
		if s.noFlag || len(keys) > 0 && !slices.Contains(keys, s.key) {
			continue
		}
		f := &flagText{text: s.value.String(), typeName: s.value.Type()}
		given[s.key] = f
		added := flags.VarPF(f, s.key, "", s.help)
		if f.typeName == "bool" {
			added.NoOptDefVal = "true"
		}
	}
	file := flags.String(configFileKey, "", "YAML file of settings")
	return func() (Config, error) {
		src := Sources{File: *file, Env: env, Flags: map[string]string{}}
		flags.Visit(func(f *pflag.Flag) {
			if g := given[f.Name]; g != nil {
				src.Flags[f.Name] = g.text
			}
		})
		return Load(src)
	}
}
