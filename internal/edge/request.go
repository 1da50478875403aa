package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
)

// ValidRequestID reports whether a client's request id can be logged and echoed as it is.
func ValidRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// First is the first element of a list header: what the outermost proxy saw.
func First(header string) string {
	h, _, _ := strings.Cut(header, ",")
	return strings.TrimSpace(h)
}

// SafeHost keeps what a host may consist of: the base goes into answers as it is.
func SafeHost(host string) string {
	if host == "" { // HTTP/1.0
		return "localhost"
	}
	for i := range len(host) {
		c := host[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && !strings.ContainsRune(".-_:[]", rune(c)) {
			return "localhost"
		}
	}
	return host
}

// FromProxy reports whether the request came over a connection from one of proxies.
func FromProxy(r *http.Request, proxies []netip.Prefix) bool {
	if len(proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && within(peer.Addr(), proxies)
}

func within(a netip.Addr, nets []netip.Prefix) bool {
	a = a.Unmap()
	for _, p := range nets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 32

// ClientAddr is the address that the request came from: the peer, or behind trusted proxies the last address of
// X-Forwarded-For that is not one of theirs. What comes before that one may be the client's own invention. The zero
// address stands for one that cannot be told.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !within(addr, proxies) {
		return addr
	}
	var hops []string
	for _, line := range r.Header.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap().WithZone("")
		if !within(addr, proxies) {
			break
		}
	}
	return addr
}

// PanicText is what the log may hold of a panic: the runtime's own words, of other values the type, since they may
// hold what a client sent.
func PanicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// MethodLabel bounds the methods that metrics know.
func MethodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return m
	}
	return "other"
}
