package mail

import "strings"

// commonDomains are where most private addresses are, the targets of typing errors. Names of three or four letters are
// left out: one letter beside them is a company of its own (ge.com, love.com).
func commonDomains() []string {
	return []string{
		"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr",
		"yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "icloud.com", "proton.me", "protonmail.com", "t-online.de",
		"freenet.de", "posteo.de", "mailbox.org", "orange.fr", "wanadoo.fr", "laposte.net", "libero.it", "comcast.net",
		"verizon.net", "btinternet.com", "bluewin.ch", "fastmail.com", "yandex.com",
	}
}

// Suggest returns the domain that was probably meant if domain looks like a misspelt one (gmial.com: gmail.com), else
// "". It is a hint and no verdict: the domain may well exist.
func (d *Domains) Suggest(domain string) string {
	if _, known := d.public[domain]; known {
		return ""
	}
	best, least := "", 3
	for _, c := range d.common {
		if domain == c {
			return ""
		}
		allowed := 1
		if len(c) >= 9 {
			allowed = 2
		}
		if !sameStart(domain, c) {
			continue
		}
		if n := distance(domain, c, allowed); n <= allowed && n < least {
			best, least = c, n
		}
	}
	if best != "" {
		return best
	}
	if rest, top := cutLastLabel(domain); rest != "" {
		switch top { // none of which is a top-level domain
		case "con", "cmo", "ocm", "comm", "vom", "xom", "cpm", "coom", "ccom", "comn":
			return rest + ".com"
		case "nte", "ner", "met":
			return rest + ".net"
		case "ogr", "orgg", "rog":
			return rest + ".org"
		}
	}
	return ""
}

// sameStart reports whether a typed what b starts with, its two first letters perhaps swapped: the first letter is the
// one that people get right, and cloud.com is not icloud.com.
func sameStart(a, b string) bool {
	return len(a) > 1 && (a[0] == b[0] || a[0] == b[1] && a[1] == b[0])
}

func cutLastLabel(domain string) (rest, last string) {
	i := strings.LastIndexByte(domain, '.')
	if i < 0 {
		return "", domain
	}
	return domain[:i], domain[i+1:]
}

// distance is the number of letters to insert, drop, change or swap with their neighbour to get from a to b (optimal
// string alignment), or some number above limit if it is above limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	var two []int
	one := make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, one[j]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}
