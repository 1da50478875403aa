package mail

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed lists/disposable.txt
var disposableList string

//go:embed lists/public.txt
var publicList string

// maxListDomains bounds a list that an operator gives in place of the built-in one.
const maxListDomains = 1_000_000

// Domains knows what kind of place a mail domain is. It is made once and may be read concurrently.
type Domains struct {
	disposable map[string]struct{}
	public     map[string]struct{}
	common     []string
}

// NewDomains reads the lists that come with the program. disposable, if not empty, is the text of a list in the same
// form (one domain a line, # starts a comment) that takes the place of the built-in list of disposable domains.
func NewDomains(disposable string) (*Domains, error) {
	if disposable == "" {
		disposable = disposableList
	}
	d := &Domains{common: commonDomains()}
	var err error
	if d.disposable, err = readDomains(disposable); err != nil {
		return nil, fmt.Errorf("disposable domains: %w", err)
	}
	if d.public, err = readDomains(publicList); err != nil {
		return nil, fmt.Errorf("public mail domains: %w", err)
	}
	return d, nil
}

func readDomains(text string) (map[string]struct{}, error) {
	n := strings.Count(text, "\n") + 1
	if n > maxListDomains {
		return nil, fmt.Errorf("has more than %d lines", maxListDomains)
	}
	found := make(map[string]struct{}, n)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		domain, err := ParseDomain(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		found[domain] = struct{}{}
	}
	return found, nil
}

// Lists are an organization's own domains beside the built-in list: Extra are disposable too, Allowed are not, whatever
// any list says. Both hold domains as [ParseDomain] returns them.
type Lists struct{ Extra, Allowed []string }

// Disposable reports whether a domain, or one above it, belongs to a provider of addresses to throw away. A domain, or
// one above it, that the organization allows is never disposable.
func (d *Domains) Disposable(domain string, own Lists) bool {
	disposable := false
	for name := range upwards(domain) {
		if slices.Contains(own.Allowed, name) {
			return false
		}
		_, listed := d.disposable[name]
		disposable = disposable || listed || slices.Contains(own.Extra, name)
	}
	return disposable
}

// Public reports whether anybody can get an address in the domain (gmail.com), so that no organization can claim the
// people of the domain as its own. Disposable domains are public.
func (d *Domains) Public(domain string) bool {
	_, listed := d.public[domain]
	return listed || d.Disposable(domain, Lists{})
}

// upwards yields a domain and those above it, but no top-level domain.
func upwards(domain string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for strings.Contains(domain, ".") {
			if !yield(domain) {
				return
			}
			_, domain, _ = strings.Cut(domain, ".")
		}
	}
}

// RoleMailbox reports whether a local part names a function and not a person: info@, noreply@.
func RoleMailbox(local string) bool {
	switch foldLocal(local) {
	case "abuse", "accounting", "accounts", "admin", "administrator", "anfrage", "bewerbung", "billing", "buchhaltung",
		"buero", "careers", "contact", "customerservice", "datenschutz", "dns", "do-not-reply", "donotreply", "einkauf",
		"empfang", "enquiries", "finance", "hallo", "hello", "help", "helpdesk", "hostmaster", "hr", "info", "inquiries",
		"invoice", "it", "jobs", "karriere", "kontakt", "kundenservice", "legal", "mail", "mailer-daemon", "marketing",
		"media", "newsletter", "no-reply", "noc", "noreply", "nospam", "office", "orders", "personal", "postmaster",
		"presse", "press", "privacy", "rechnung", "reception", "root", "sales", "security", "service", "spam", "support",
		"team", "verkauf", "vertrieb", "verwaltung", "webmaster", "zentrale":
		return true
	}
	return false
}
