package lifecycle

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"rollcall/mail"
	"rollcall/scim/query"
)

// Mapping says which column of a file holds what: by its name, or as #2 by its number. Empty is none.
type Mapping struct {
	Email               string `json:"email,omitempty" maxLength:"200"`
	Name                string `json:"name,omitempty" maxLength:"200" doc:"The whole name."`
	GivenName           string `json:"givenName,omitempty" maxLength:"200"`
	FamilyName          string `json:"familyName,omitempty" maxLength:"200"`
	Roles               string `json:"roles,omitempty" maxLength:"200" doc:"Keys of roles, with commas, semicolons or spaces between them."`
	Occupation          string `json:"occupation,omitempty" maxLength:"200"`
	Modules             string `json:"modules,omitempty" maxLength:"200" doc:"Keys of modules."`
	SubAccounts         string `json:"subAccounts,omitempty" maxLength:"200" doc:"Keys of sub-accounts."`
	Title               string `json:"title,omitempty" maxLength:"200" doc:"Job title."`
	PhoneNumber         string `json:"phoneNumber,omitempty" maxLength:"200"`
	Locale              string `json:"locale,omitempty" maxLength:"200"`
	Timezone            string `json:"timezone,omitempty" maxLength:"200"`
	ExternalID          string `json:"externalId,omitempty" maxLength:"200"`
	Message             string `json:"message,omitempty" maxLength:"200" doc:"What the mail says beside its own text."`
	MembershipExpiresAt string `json:"membershipExpiresAt,omitempty" maxLength:"200" doc:"As 2027-01-31 or an RFC 3339 instant."`
}

// target is something that a column can hold.
type target struct {
	name   string
	column *string
	called []string // how people call such a column
}

// targets are all that columns can hold.
func (m *Mapping) targets() []target {
	return []target{
		{"email", &m.Email, []string{"email", "emailaddress", "mail", "mailaddress", "workemail", "primaryemail", "emailadresse", "mailadresse", "adresseemail", "courriel", "correo", "correoelectronico", "adressemail"}},
		{"givenName", &m.GivenName, []string{"givenname", "firstname", "first", "forename", "vorname", "prenom", "prénom", "nombre"}},
		{"familyName", &m.FamilyName, []string{"familyname", "lastname", "last", "surname", "nachname", "familienname", "nomdefamille", "apellido", "apellidos"}},
		{"name", &m.Name, []string{"name", "fullname", "displayname", "formattedname", "anzeigename", "nomcomplet", "nom"}},
		{"roles", &m.Roles, []string{"roles", "role", "rolle", "rollen", "rôle", "rol"}},
		{"occupation", &m.Occupation, []string{"occupation", "profession", "beruf", "tätigkeit", "taetigkeit", "métier"}},
		{"modules", &m.Modules, []string{"modules", "module", "menus"}},
		{"subAccounts", &m.SubAccounts, []string{"subaccounts", "subaccount"}},
		{"title", &m.Title, []string{"title", "jobtitle", "position", "stelle", "funktion"}},
		{"phoneNumber", &m.PhoneNumber, []string{"phonenumber", "phone", "telephone", "workphone", "telefon", "téléphone", "telefono"}},
		{"locale", &m.Locale, []string{"locale", "language", "preferredlanguage", "sprache", "langue", "idioma"}},
		{"timezone", &m.Timezone, []string{"timezone", "zeitzone"}},
		{"externalId", &m.ExternalID, []string{"externalid", "employeenumber", "employeeid", "personalnummer", "matricule"}},
		{"message", &m.Message, []string{"message", "nachricht"}},
		{"membershipExpiresAt", &m.MembershipExpiresAt, []string{"membershipexpiresat", "membershipends", "enddate", "contractend"}},
	}
}

// plain is the name of a column without what people write differently.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// looksLikeHeader reports whether the first row of a file names its columns: it names the one with the address, or holds
// no address itself.
func looksLikeHeader(cells []string) bool {
	return detect(cells).Email != "" || !slices.ContainsFunc(cells, isAddress)
}

func isAddress(cell string) bool {
	list, err := mail.ParseRecipients(cell, 1)
	return err == nil && len(list) == 1 && list[0].Problem == ""
}

// detect finds the columns by their names.
func detect(header []string) *Mapping {
	m := &Mapping{}
	taken := map[int]bool{}
	for _, t := range m.targets() {
		for _, called := range t.called {
			for i, name := range header {
				if *t.column == "" && !taken[i] && plain(name) == called {
					*t.column, taken[i] = "#"+strconv.Itoa(i+1), true
				}
			}
		}
	}
	for i := range header {
		for _, t := range m.targets() {
			if *t.column == "#"+strconv.Itoa(i+1) {
				*t.column = columnName(header, i)
			}
		}
	}
	return m
}

// byContent finds the column of the address by what stands in it: most of the first rows have one there.
func (m *Mapping) byContent(header []string, rows []partRow) {
	rows = rows[:min(len(rows), 20)]
	best, most := -1, len(rows)/2
	for i := range header {
		n := 0
		for _, r := range rows {
			if i < len(r.Cells) && isAddress(r.Cells[i]) {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	if best >= 0 {
		m.Email = columnName(header, best)
	}
}

// columnName is how a mapping calls a column: by its name, if no other one has it.
func columnName(header []string, i int) string {
	for j, name := range header {
		if j != i && strings.EqualFold(name, header[i]) {
			return "#" + strconv.Itoa(i+1)
		}
	}
	return header[i]
}

// index is the place of a column; -1 if there is none.
func index(header []string, column string) int {
	if number, ok := strings.CutPrefix(column, "#"); ok {
		if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= len(header) {
			return n - 1
		}
	}
	return slices.IndexFunc(header, func(name string) bool { return strings.EqualFold(name, strings.TrimSpace(column)) })
}

// check refuses a mapping to columns that the file does not have.
func (m *Mapping) check(header []string) error {
	for _, t := range m.targets() {
		if *t.column != "" && index(header, *t.column) < 0 {
			return invalid("mapping."+t.name, "unknown_column", "the file has no such column")
		}
	}
	if m.Email == "" {
		return invalid("mapping.email", "mapping_required", "no column looks like that of the addresses: say which one it is")
	}
	return nil
}

// places are the columns of a file by what they hold.
type places map[string]int

func (m *Mapping) places(header []string) places {
	p := places{}
	if m == nil {
		return p
	}
	for _, t := range m.targets() {
		if i := index(header, *t.column); *t.column != "" && i >= 0 {
			p[t.name] = i
		}
	}
	return p
}

// cell is what a row has of a target.
func (p places) cell(cells []string, target string) string {
	if i, ok := p[target]; ok && i < len(cells) {
		return strings.TrimSpace(cells[i])
	}
	return ""
}

// recipient is a row as a batch of invites has it.
func (p places) recipient(cells []string) (InviteRecipient, error) {
	of := func(target string) string { return p.cell(cells, target) }
	r := InviteRecipient{Email: of("email"), Own: Invite{
		Occupation: of("occupation"), Message: of("message"), Locale: of("locale"), ExternalID: of("externalId"),
		Profile: Profile{Title: of("title"), PhoneNumber: of("phoneNumber"), Locale: of("locale"), Timezone: of("timezone")},
	}}
	if n := (Name{of("name"), of("givenName"), of("familyName")}); n != (Name{}) {
		r.Own.Name = &n
	}
	for _, key := range words(of("roles")) {
		r.Own.Roles = append(r.Own.Roles, Ref{Value: key})
	}
	for _, key := range words(of("modules")) {
		r.Own.Entitlements = append(r.Own.Entitlements, Ref{Value: key, Type: "module"})
	}
	for _, key := range words(of("subAccounts")) {
		r.Own.Entitlements = append(r.Own.Entitlements, Ref{Value: key, Type: "subAccount"})
	}
	if text := of("membershipExpiresAt"); text != "" {
		if len(text) == len("2027-01-31") {
			text += "T00:00:00Z"
		}
		t, ok := query.ParseInstant(text)
		if !ok {
			return r, invalid("membershipExpiresAt", "not_an_instant", "must be as 2027-01-31 or 2027-01-31T12:00:00Z")
		}
		r.Own.MembershipExpiresAt = at(t)
	}
	return r, bounds(&r.Own)
}

// bounds are those of texts that the companion API checks by the description of its bodies.
func bounds(v *Invite) error {
	n := v.Name
	if n == nil {
		n = &Name{}
	}
	for _, t := range []struct {
		path, text string
		most       int
	}{
		{"name.formatted", n.Formatted, 200},
		{"name.givenName", n.GivenName, 100},
		{"name.familyName", n.FamilyName, 100},
		{"occupation", v.Occupation, 200},
		{"locale", v.Locale, 35},
		{"externalId", v.ExternalID, 200},
		{"title", v.Profile.Title, 200},
		{"phoneNumber", v.Profile.PhoneNumber, 50},
		{"timezone", v.Profile.Timezone, 64},
	} {
		if len([]rune(t.text)) > t.most {
			return invalid(t.path, "too_long", "must have %d characters at most", t.most)
		}
	}
	return nil
}

// words are the keys in a cell.
func words(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return r == ',' || r == ';' || r == '|' || unicode.IsSpace(r) })
}
