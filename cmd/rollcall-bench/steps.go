package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// step is one kind of request.
type step struct {
	name   string
	write  bool    // its floor is a durable insert, not an answer
	target float64 // share of the floor that design.md 7 wants, or requests a second for writes; 0: none
	weight int     // operations a request carries; 0 is 1
	ok     []int
	src    source
	check  func(body []byte) error                      // nil: the status says all
	before func(ctx context.Context, addr string) error // prepares src; may be nil
}

func ok200() []int { return []int{http.StatusOK} }

// steps returns the requests to measure, in an order in which writes come last.
func steps(d *data) []step {
	users := len(d.Users)
	// A generator seeded by the request: no lock is shared, and a run can be repeated.
	random := func(worker, i int) int {
		return int(rand.NewPCG(uint64(worker), uint64(i)).Uint64() % uint64(users))
	}
	get := func(target func(worker, i int) string, headers ...string) source {
		return func(w, i int) []byte { return request("GET", target(w, i), token, headers, nil) }
	}
	filter := func(path, format string, arg func(w, i int) any) source {
		return get(func(w, i int) string {
			return "/scim/v2" + path + "?filter=" + url.QueryEscape(fmt.Sprintf(format, arg(w, i)))
		})
	}
	n := func(w, i int) any { return random(w, i) }
	user := func(w, i int) string { return "/scim/v2/Users/" + d.Users[random(w, i)] }
	list := []step{
		{name: "get", target: 0.55, ok: ok200(), src: get(user)},
		{name: "get attributes=userName", ok: ok200(), src: get(func(w, i int) string { return user(w, i) + "?attributes=userName,active" })},
		{name: "get If-None-Match hit", ok: []int{http.StatusNotModified}, src: get(func(w, i int) string { return "/scim/v2/Users/" + d.Users[random(w, i)%100+users/2] }, `If-None-Match: W/"1"`)},
		{name: "get user in 100 groups", ok: ok200(), src: get(func(int, int) string { return "/scim/v2/Users/" + d.Rich })},
		{name: "userName eq hit", target: 0.45, ok: ok200(), src: filter("/Users", `userName eq "u%07d@example.com"`, n)},
		{name: "userName eq miss", target: 0.45, ok: ok200(), src: filter("/Users", `userName eq "nobody%d@example.com"`, n)},
		{name: "externalId eq", target: 0.45, ok: ok200(), src: filter("/Users", `externalId eq "ext-u%07d"`, n), before: func(ctx context.Context, addr string) error {
			return askForAll(ctx, addr, users, `externalId eq "ext-u%07d"`)
		}},
		{name: "emails value path eq", ok: ok200(), src: filter("/Users", `emails[type eq "work" and value eq "u%07d@example.com"]`, n)},
		{name: "unindexed attribute eq", ok: ok200(), src: filter("/Users", `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "%d"`, func(w, i int) any { return 100000 + random(w, i) })},
		{name: "inactive and modified since", ok: ok200(), src: filter("/Users", `active eq false and meta.lastModified gt "%s"`, func(int, int) any { return "2020-01-01T00:00:00Z" })},
		{name: "list first page", target: 0.35, ok: ok200(), src: get(func(int, int) string { return "/scim/v2/Users?count=100" })},
		{name: "list last page by index", target: 0.35, ok: ok200(), src: get(func(int, int) string { return "/scim/v2/Users?count=100&startIndex=" + strconv.Itoa(users-99) })},
		{name: "list by cursor", target: 0.35, ok: ok200(), src: get(func(int, int) string { return "/scim/v2/Users?count=100&cursor" })},
		deepPage(users),
		{name: "list sorted by familyName", ok: ok200(), src: get(func(int, int) string { return "/scim/v2/Users?count=100&sortBy=name.familyName" })},
		{name: ".search", ok: ok200(), src: func(w, i int) []byte {
			body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"u%07d@example.com\"","count":10}`, random(w, i))
			return request("POST", "/scim/v2/Users/.search", token, nil, []byte(body))
		}},
	}
	for _, size := range []int{100, 10_000, 100_000} {
		if id := d.Groups[size]; id != "" {
			list = append(list, step{
				name: fmt.Sprintf("group of %d without members", size), ok: ok200(),
				src: get(func(int, int) string { return "/scim/v2/Groups/" + id + "?excludedAttributes=members" }),
			})
		}
	}
	return append(list, writes(d, random, user)...)
}

func writes(d *data, random func(w, i int) int, user func(w, i int) string) []step {
	// No run creates what an earlier one has created, as long as a user takes more than a microsecond.
	var serial atomic.Int64
	serial.Store(time.Now().UnixMicro())
	patch := func(format string) source {
		return func(w, i int) []byte {
			body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+format+`]}`, serial.Add(1))
			return request("PATCH", user(w, i), token, nil, []byte(body))
		}
	}
	create := func(int, int) []byte {
		return request("POST", "/scim/v2/Users", token, nil, []byte(userDoc(int(serial.Add(1)), "n")))
	}
	filter := func(w, i int) []byte {
		return request("GET", "/scim/v2/Users?filter="+url.QueryEscape(fmt.Sprintf(`userName eq "u%07d@example.com"`, random(w, i))), token, nil, nil)
	}
	entra := patch(`{"op":"Replace","path":"title","value":"Title %[1]d"},{"op":"Add","path":"name.familyName","value":"Name%[1]d"},{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Dept %[1]d"}`)
	list := []step{
		{name: "patch as Entra", write: true, target: 8000, ok: ok200(), src: entra},
		{name: "patch as Okta", write: true, target: 8000, ok: ok200(), src: patch(`{"op":"replace","value":{"active":true,"nickName":"nick%d"}}`)},
		{name: "put", write: true, ok: ok200(), src: func(w, i int) []byte {
			k := random(w, i)
			return request("PUT", "/scim/v2/Users/"+d.Users[k], token, nil, []byte(userDoc(k, "u")))
		}},
		{name: "deactivate and activate", write: true, ok: ok200(), src: func(w, i int) []byte {
			body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":%t}]}`, i%2 == 1)
			return request("PATCH", "/scim/v2/Users/"+d.Users[(w*5000+i/2)%len(d.Users)], token, nil, []byte(body))
		}},
	}
	for _, size := range []int{100, 10_000, 100_000} {
		id := d.Groups[size]
		if id == "" {
			continue
		}
		// A worker adds and removes one person of its own: every request changes the group.
		list = append(list, step{
			name: memberStep(size), write: true,
			ok: []int{http.StatusOK, http.StatusNoContent},
			src: func(w, i int) []byte {
				who := d.Users[w%min(size, len(d.Users))]
				op := fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, who)
				if i%2 == 1 {
					op = fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"%s"}]}`, who)
				}
				body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + op + `]}`
				return request("PATCH", "/scim/v2/Groups/"+id, token, nil, []byte(body))
			},
		})
	}
	return append(list,
		step{name: "mixed day", ok: []int{http.StatusOK, http.StatusCreated}, src: func(w, i int) []byte {
			switch k := i % 20; {
			case k < 8:
				return request("GET", user(w, i), token, nil, nil)
			case k < 16:
				return filter(w, i)
			case k < 19:
				return entra(w, i)
			default:
				return create(w, i)
			}
		}},
		step{name: "create", write: true, target: 8000, ok: []int{http.StatusCreated}, src: create},
		step{name: "bulk create of 1000", write: true, target: 25_000, weight: bulkSize, ok: ok200(), src: func(int, int) []byte {
			from := int(serial.Add(bulkSize)) - bulkSize
			return request("POST", "/scim/v2/Bulk", token, nil, bulkUsers(from, from+bulkSize, "b"))
		}, check: func(body []byte) error {
			if n := bytes.Count(body, []byte(`"status":"201"`)); n != bulkSize {
				return fmt.Errorf("%d of %d users were created", n, bulkSize)
			}
			return nil
		}},
	)
}

// askForAll asks for every user once by a filter: who synchronizes does so in each round, and what is measured is not
// the first one.
func askForAll(ctx context.Context, addr string, users int, format string) error {
	const each = 1000
	return inParallel(ctx, addr, users/each, func(c *client, k int) error {
		for n := k * each; n < (k+1)*each && ctx.Err() == nil; n++ {
			target := "/scim/v2/Users?filter=" + url.QueryEscape(fmt.Sprintf(format, n))
			status, _, err := c.do(request("GET", target, token, nil, nil), false)
			if err != nil || status != http.StatusOK {
				return errors.Join(err, fmt.Errorf("asking for all users: status %d", status))
			}
		}
		return ctx.Err()
	})
}

// deepPage is the page in the middle of all users, where a client comes that walks by cursor.
func deepPage(users int) step {
	const first = "/scim/v2/Users?count=100&cursor"
	target := first
	return step{
		name: "list in the middle by cursor", target: 0.35, ok: ok200(),
		before: func(ctx context.Context, addr string) error {
			c, err := dial(addr)
			if err != nil {
				return err
			}
			defer c.close()
			target = first
			for range users / 200 {
				status, _, err := c.do(request("GET", target, token, nil, nil), true)
				if err != nil || status != http.StatusOK || ctx.Err() != nil {
					return errors.Join(err, ctx.Err(), fmt.Errorf("walking by cursor: status %d", status))
				}
				var page struct{ NextCursor string }
				if err := json.Unmarshal(c.body, &page); err != nil {
					return err
				}
				target = first + "=" + url.QueryEscape(page.NextCursor)
			}
			return nil
		},
		src: func(int, int) []byte { return request("GET", target, token, nil, nil) },
	}
}
