package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rollcall/scim/api"
)

// A value is one setting's place in a Config: it reads text and writes it back, in the same spelling for file,
// environment and flag.
type value interface {
	Set(text string) error
	String() string
	Type() string // for --help
}

// secret is text that is never printed, whichever way somebody tries.
type secret string

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "(set, not shown)"
}

func (s secret) GoString() string     { return s.String() }
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is what a JSON log handler asks of a value inside another.
func (s secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

type secretValue struct{ p *secret }

func (v secretValue) Set(text string) error { *v.p = secret(text); return nil }
func (v secretValue) String() string        { return v.p.String() }
func (v secretValue) Type() string          { return "secret" }

// embeddedStore is how the store in the data directory is called where a connection string could stand.
const embeddedStore = "sqlite"

// storeValue is where the database is: in the data directory, or where a connection string says. The string may hold
// a password, so it is never shown.
type storeValue struct{ p *secret }

func (v storeValue) Set(text string) error {
	switch {
	case text == "" || text == embeddedStore:
		*v.p = ""
	case strings.HasPrefix(text, "mongodb://"), strings.HasPrefix(text, "mongodb+srv://"):
		*v.p = secret(text)
	default:
		return errors.New("must be " + embeddedStore + " or a connection string such as mongodb://host1,host2/rollcall?replicaSet=rs0")
	}
	return nil
}

func (v storeValue) String() string {
	if *v.p == "" {
		return embeddedStore
	}
	return "mongodb://" + v.p.String()
}

func (v storeValue) Type() string { return embeddedStore + "|mongodb://..." }

type stringValue struct{ p *string }

func (v stringValue) Set(text string) error { *v.p = text; return nil }
func (v stringValue) String() string        { return *v.p }
func (v stringValue) Type() string          { return "text" }

type choiceValue struct {
	p       *string
	choices []string
}

func (v choiceValue) Set(text string) error {
	for _, c := range v.choices {
		if strings.EqualFold(text, c) {
			*v.p = c
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", v.Type())
}

func (v choiceValue) String() string { return *v.p }
func (v choiceValue) Type() string   { return strings.Join(v.choices, "|") }

type boolValue struct{ p *bool }

func (v boolValue) Set(text string) error {
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return errors.New("must be true or false")
	}
	*v.p = b
	return nil
}

func (v boolValue) String() string { return strconv.FormatBool(*v.p) }
func (v boolValue) Type() string   { return "bool" }

// intValue is a count of at least one: a limit of nothing would only be a riddle.
type intValue struct {
	p   *int
	max int
}

func (v intValue) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > v.max {
		return fmt.Errorf("must be a number from 1 to %d", v.max)
	}
	*v.p = n
	return nil
}

func (v intValue) String() string { return strconv.Itoa(*v.p) }
func (v intValue) Type() string   { return "number" }

// sizeValue is a number of bytes: "8192", "8KiB", "1MiB", "1GiB".
type sizeValue struct {
	p    *int64
	max  int64
	zero bool // 0 is allowed
}

// sizeUnit is a unit of sizes; units are ordered from the largest to bytes.
type sizeUnit struct {
	name  string
	bytes int64
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

func (v sizeValue) Set(text string) error {
	number, factor := text, int64(1)
	for _, u := range sizeUnits() {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n == 0 && !v.zero || n > v.max/factor {
		return fmt.Errorf("must be a size from 1 to %s, such as 8KiB or 16MiB", formatSize(v.max))
	}
	*v.p = n * factor
	return nil
}

func (v sizeValue) String() string { return formatSize(*v.p) }
func (v sizeValue) Type() string   { return "size" }

func formatSize(n int64) string {
	for _, u := range sizeUnits() {
		if u.bytes > 1 && n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// rateValue is operations a second and a burst: "50:200". Without a burst it is what comes in one second.
type rateValue struct{ p *api.Rate }

func (v rateValue) Set(text string) error {
	if text == "" {
		*v.p = api.Rate{}
		return nil
	}
	const most = 1_000_000
	perSecond, burst, hasBurst := strings.Cut(text, ":")
	r, err := strconv.ParseFloat(strings.TrimSpace(perSecond), 64)
	ok := err == nil && r > 0 && r <= most
	n := int(math.Ceil(r))
	if ok && hasBurst {
		n, err = strconv.Atoi(strings.TrimSpace(burst))
		ok = err == nil && n >= 1 && n <= most
	}
	if !ok {
		return errors.New("must be requests a second and, after a colon, how many at once, such as 50:200")
	}
	*v.p = api.Rate{PerSecond: r, Burst: n}
	return nil
}

func (v rateValue) String() string {
	if *v.p == (api.Rate{}) {
		return ""
	}
	return strconv.FormatFloat(v.p.PerSecond, 'f', -1, 64) + ":" + strconv.Itoa(v.p.Burst)
}

func (v rateValue) Type() string { return "rate" }

type durationValue struct{ p *time.Duration }

func (v durationValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("must be a duration above zero, such as 500ms, 30s or 2m")
	}
	*v.p = d
	return nil
}

// String writes 2m0s as 2m.
func (v durationValue) String() string {
	s := v.p.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (v durationValue) Type() string { return "duration" }

// prefixesValue is a list of networks; a bare address is a network of one.
type prefixesValue struct{ p *[]netip.Prefix }

func (v prefixesValue) Set(text string) error {
	var list []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			a, aerr := netip.ParseAddr(part)
			if aerr != nil {
				return fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", part)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p.Masked())
	}
	*v.p = list
	return nil
}

func (v prefixesValue) String() string {
	parts := make([]string, len(*v.p))
	for i, p := range *v.p {
		parts[i] = p.String()
	}
	return strings.Join(parts, ",")
}

func (v prefixesValue) Type() string { return "networks" }

// scimRoot is the path of the SCIM root.
const scimRoot = "/scim/v2"

// baseURLValue is the SCIM root as clients see it. A URL without a path means the usual one.
type baseURLValue struct{ p *string }

func (v baseURLValue) Set(text string) error {
	if text == "" {
		*v.p = ""
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be a URL such as https://scim.example.com/scim/v2, without user, query and fragment")
	}
	*v.p = strings.TrimRight(text, "/")
	if strings.Trim(u.Path, "/") == "" {
		*v.p += scimRoot
	}
	return nil
}

func (v baseURLValue) String() string { return *v.p }
func (v baseURLValue) Type() string   { return "url" }
