package mail

import (
	"fmt"
	"strings"
	"time"
)

// Locale is a language that messages are written in.
type Locale string

// The languages.
const (
	English Locale = "en"
	German  Locale = "de"
)

// Locales returns all languages.
func Locales() []Locale { return []Locale{English, German} }

// LocaleOf returns the first language of tags that messages are written in, else English. Tags are those of RFC 5646
// ("de-AT"), as in a user's preferredLanguage and locale.
func LocaleOf(tags ...string) Locale {
	for _, tag := range tags {
		language, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
		for _, l := range Locales() {
			if strings.EqualFold(language, string(l)) {
				return l
			}
		}
	}
	return English
}

// FormatTime writes an instant to the minute, in its own time zone, which is named.
func (l Locale) FormatTime(t time.Time) string {
	if l == German {
		month := [...]string{
			"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
		}[t.Month()-1]
		return fmt.Sprintf("%d. %s %d, %s Uhr (%s)", t.Day(), month, t.Year(), t.Format("15:04"), t.Format("MST"))
	}
	return t.Format("2 January 2006, 15:04 MST")
}
