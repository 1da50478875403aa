package scim

import "strings"

// The scopes of tokens that are not about one resource type. A type has two more, from the name of its endpoint:
// "scim:users" reads and writes /Users, "scim:users:read" reads it.
const (
	ScopeSCIM     = "scim"      // every resource type, read and write
	ScopeSCIMRead = "scim:read" // every resource type, read
	ScopeAdmin    = "admin"     // the companion API; nothing under /scim/v2
	ScopeOperator = "operator"  // what concerns the whole server, in the companion API
)

// The scopes for parts of the companion API.
const (
	ScopeAdminRead    = ScopeAdmin + readSuffix // whatever reads
	ScopeAdminMembers = ScopeAdmin + ":members"
	ScopeAdminInvites = ScopeAdmin + ":invites"
	ScopeAdminCatalog = ScopeAdmin + ":catalog"
	ScopeAdminClients = ScopeAdmin + ":clients"
)

// AppScope is the scope of an application that uses the directory: by the companion API it reads and answers what is the
// application's own, such as its clients and the work that is handed over in it.
func AppScope(key string) string { return appPrefix + key }

// AppOf is the key of the application that a scope is for; empty if it is another scope.
func AppOf(scope string) string {
	key, ok := strings.CutPrefix(scope, appPrefix)
	if !ok || !validAppKey(key) {
		return ""
	}
	return key
}

const appPrefix = "app:"

// maxAppKey bounds the key of an application, in bytes.
const maxAppKey = 50

func validAppKey(key string) bool {
	return key != "" && len(key) <= maxAppKey && !strings.ContainsFunc(key, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.'
	})
}

const readSuffix = ":read"

// TypeScope returns the scope that reads and writes the resource type at endpoint ("/Users": "scim:users"), or with
// write false the one that only reads it.
func TypeScope(endpoint string, write bool) string {
	s := ScopeSCIM + ":" + strings.ToLower(strings.Trim(endpoint, "/"))
	if !write {
		s += readSuffix
	}
	return s
}

// Allows reports whether a token with these scopes may read, or write, resources of the type at endpoint.
func Allows(scopes []string, endpoint string, write bool) bool {
	for _, s := range scopes {
		if s == ScopeSCIM || s == ScopeSCIMRead && !write {
			return true
		}
	}
	return Names(scopes, endpoint, write)
}

// Names reports whether one of the scopes names the type at endpoint and allows it to be read, or written.
func Names(scopes []string, endpoint string, write bool) bool {
	for _, s := range scopes {
		name, ok := strings.CutPrefix(s, ScopeSCIM+":")
		if !ok {
			continue
		}
		name, readOnly := strings.CutSuffix(name, readSuffix)
		if strings.EqualFold(name, strings.Trim(endpoint, "/")) && (!readOnly || !write) {
			return true
		}
	}
	return false
}

// Provisions reports whether a token with these scopes is a provisioning client's: one of them is about SCIM.
func Provisions(scopes []string) bool {
	for _, s := range scopes {
		if s == ScopeSCIM || strings.HasPrefix(s, ScopeSCIM+":") {
			return true
		}
	}
	return false
}

// ValidScope reports whether s means something to a server with these endpoints.
func ValidScope(s string, endpoints []string) bool {
	switch s {
	case ScopeSCIM, ScopeSCIMRead, ScopeAdmin, ScopeOperator,
		ScopeAdminRead, ScopeAdminMembers, ScopeAdminInvites, ScopeAdminCatalog, ScopeAdminClients:
		return true
	}
	if AppOf(s) != "" {
		return true
	}
	for _, e := range endpoints {
		if s == TypeScope(e, true) || s == TypeScope(e, false) {
			return true
		}
	}
	return false
}
