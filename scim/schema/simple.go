package schema

import (
	"encoding/base64"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
)

// Simple decodes one value of a simple attribute (RFC 7643 2.3). Strings are kept exactly as sent: clients that
// read back something else send it again in every cycle. v is not nil.
func (d Decoder) Simple(a *Attribute, path string, v any) (any, error) {
	switch a.Kind {
	case query.Boolean:
		return d.boolean(path, v)
	case query.Integer, query.Decimal:
		return d.number(a, path, v)
	}
	s, ok := v.(string)
	if !ok {
		return nil, scim.InvalidValue(path, "must be a string")
	}
	switch a.Kind {
	case query.DateTime:
		if _, ok := query.ParseInstant(s); !ok {
			return nil, scim.InvalidValue(path, "must be a dateTime such as 2008-01-23T04:56:22Z")
		}
	case query.Binary:
		if !isBase64(s) {
			return nil, scim.InvalidValue(path, "must be base64")
		}
	}
	return v, nil // as it is: boxing s once more would cost an allocation a value
}

func (d Decoder) boolean(path string, v any) (any, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	if b, ok := ParseBoolean(v, d.Session); ok {
		return b, nil
	}
	return nil, scim.InvalidValue(path, "must be true or false")
}

// ParseBoolean reads "True", "false" and the like, which Entra sends, if the session allows it.
func ParseBoolean(v any, s *compat.Session) (value, ok bool) {
	text, isString := v.(string)
	if !isString {
		return false, false
	}
	switch {
	case strings.EqualFold(text, "true"):
		return true, s.Allow(compat.StringBoolean)
	case strings.EqualFold(text, "false"):
		return false, s.Allow(compat.StringBoolean)
	}
	return false, false
}

func (d Decoder) number(a *Attribute, path string, v any) (any, error) {
	n, ok := v.(scim.Number)
	if s, isString := v.(string); isString && isNumber(s) && d.Session.Allow(compat.StringNumber) {
		n, ok = scim.Number(s), true
	}
	if !ok {
		return nil, scim.InvalidValue(path, "must be a number")
	}
	if a.Kind == query.Integer {
		i, ok := n.Int()
		if !ok {
			return nil, scim.InvalidValue(path, "must be an integer of at most 64 bits")
		}
		return i, nil
	}
	if i, ok := n.Int(); ok {
		return i, nil
	}
	f, ok := n.Float()
	if !ok {
		return nil, scim.InvalidValue(path, "is out of range")
	}
	return f, nil
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	v, err := scim.ParseJSON([]byte(s), 0)
	_, ok := v.(scim.Number)
	return err == nil && ok
}

// isBase64 accepts both alphabets, padded or not (RFC 7643 2.3.6, RFC 4648 4 and 5).
func isBase64(s string) bool {
	s = strings.TrimRight(s, "=")
	if _, err := base64.RawStdEncoding.DecodeString(s); err == nil {
		return true
	}
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}
