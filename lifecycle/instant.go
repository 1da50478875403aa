package lifecycle

import (
	"encoding/json"
	"errors"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// Instant is a point in time as documents have it: UTC, milliseconds. The zero value is none.
type Instant struct{ time.Time }

// at is the instant of t.
func at(t time.Time) Instant { return Instant{scim.Millis(t)} }

// MarshalJSON writes the instant in [scim.TimeFormat].
func (i Instant) MarshalJSON() ([]byte, error) {
	return []byte(`"` + scim.FormatTime(i.Time) + `"`), nil
}

// UnmarshalJSON reads an xsd:dateTime.
func (i *Instant) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	t, ok := query.ParseInstant(text)
	if !ok {
		return errors.New("not a dateTime")
	}
	i.Time = t.UTC()
	return nil
}
