package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// data is what the seeded server holds.
type data struct {
	Users  []string       `json:"users"`  // ids
	Groups map[int]string `json:"groups"` // number of members -> id
	// Rich is a user in 100 groups.
	Rich string        `json:"rich"`
	Took time.Duration `json:"took"`
}

const bulkSize = 1000 // operations of one Bulk request, the server's default bound

// userDoc is a user of about 1.3 KB as a corporate directory holds one.
func userDoc(n int, prefix string) string {
	first := []string{"Ada", "Björn", "Chloé", "Dmitri", "Esra", "Fatima", "Günther", "Hana"}[n%8]
	last := []string{"Jensen", "O'Malley", "García", "Nowak", "Yılmaz", "Smith", "Müller"}[n%7]
	name := fmt.Sprintf("%s%07d", prefix, n)
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],`+
		`"externalId":"ext-%s","userName":"%s@example.com","name":{"formatted":"%s %s","familyName":"%s","givenName":"%s"},`+
		`"displayName":"%s %s","nickName":"%s","title":"Engineer level %d","userType":"Employee","preferredLanguage":"en-US","locale":"en-US","timezone":"Europe/Berlin","active":%t,`+
		`"emails":[{"value":"%s@example.com","type":"work","primary":true},{"value":"%s@home.example.org","type":"home"}],`+
		`"phoneNumbers":[{"value":"+49 30 %07d","type":"work"},{"value":"+49 170 %07d","type":"mobile"}],`+
		`"addresses":[{"type":"work","streetAddress":"%d Main Street","locality":"Berlin","region":"BE","postalCode":"%05d","country":"DE","formatted":"%d Main Street\nBerlin"}],`+
		`"roles":[{"value":"member","type":"rollcall","primary":true},{"value":"project-%d"}],`+
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%d","costCenter":"CC-%d","organization":"Example Corp","division":"Division %d","department":"Department %d"}}`,
		name, name, first, last, last, first, first, last, first, n%9, n%50 != 0, name, name, n, n, n%400, n%99999, n%400,
		n%30, 100000+n, n%200, n%12, n%80)
}

func bulkUsers(from, to int, prefix string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`)
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"method":"POST","path":"/Users","bulkId":"u%d","data":%s}`, n, userDoc(n, prefix))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func groupDoc(name string, members []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"%s","externalId":"ext-%s","members":[`, name, name)
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"value":"%s"}`, m)
	}
	b.WriteString(`]}`)
	return b.String()
}

func addMembers(members []string) string {
	var b strings.Builder
	b.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[`)
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"value":"%s"}`, m)
	}
	b.WriteString(`]}]}`)
	return b.String()
}

// bulk sends one Bulk request and returns the ids of its operations.
func (c *client) bulk(token string, body []byte) ([]string, error) {
	status, _, err := c.do(request("POST", "/scim/v2/Bulk", token, nil, body), true)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("bulk: status %d", status)
	}
	var answer struct {
		Operations []struct{ Location, Status string }
	}
	if err := json.Unmarshal(c.body, &answer); err != nil {
		return nil, err
	}
	ids := make([]string, len(answer.Operations))
	for i, op := range answer.Operations {
		if op.Status >= "300" {
			return nil, fmt.Errorf("bulk: operation %d has status %s", i, op.Status)
		}
		ids[i] = op.Location[strings.LastIndexByte(op.Location, '/')+1:]
	}
	return ids, nil
}

// post creates one resource and returns its id.
func (c *client) post(path, body string) (string, error) {
	status, _, err := c.do(request("POST", "/scim/v2"+path, token, nil, []byte(body)), true)
	if err != nil {
		return "", err
	}
	if status != http.StatusCreated {
		return "", fmt.Errorf("POST %s: status %d", path, status)
	}
	var r struct{ ID string }
	err = json.Unmarshal(c.body, &r)
	return r.ID, err
}

// seed fills an empty server.
func seed(ctx context.Context, addr string, users int) (*data, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	d := &data{Groups: map[int]string{}}
	start := time.Now()
	for n := 0; n < users; n += bulkSize {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		ids, err := c.bulk(token, bulkUsers(n, min(n+bulkSize, users), "u"))
		if err != nil {
			return nil, err
		}
		d.Users = append(d.Users, ids...)
	}
	d.Took = time.Since(start)
	for _, size := range []int{100, 10_000, 100_000} {
		if size > users {
			break
		}
		id, err := c.post("/Groups", groupDoc(fmt.Sprintf("group-%d", size), nil))
		if err != nil {
			return nil, err
		}
		d.Groups[size] = id
		for n := 0; n < size; n += 5000 {
			body := []byte(addMembers(d.Users[n:min(n+5000, size)]))
			status, _, err := c.do(request("PATCH", "/scim/v2/Groups/"+id, token, nil, body), false)
			if err != nil || status >= 300 {
				return nil, errors.Join(err, fmt.Errorf("add members: status %d", status))
			}
		}
	}
	// The user in 100 groups is the last one, so that the others are in a few as most people are.
	d.Rich = d.Users[len(d.Users)-1]
	for n := range 100 {
		if _, err := c.post("/Groups", groupDoc(fmt.Sprintf("team-%d", n), []string{d.Rich})); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// loadData reads the ids of a kept data directory, nil if it is new.
func loadData(dir string) (*data, error) {
	b, err := os.ReadFile(filepath.Join(dir, "bench.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := &data{}
	return d, json.Unmarshal(b, d)
}

func (d *data) save(dir string) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.json"), b, 0o600)
}
