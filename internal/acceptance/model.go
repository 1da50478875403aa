package acceptance

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// model is what a server should hold: the few attributes that clients search by, memberships and versions. It is
// written the simplest way, without an index and without a store, so that it can be read and believed.
type model struct {
	users   map[string]*modelUser
	groups  map[string]*modelGroup
	deleted []string // ids that were, and are never used again
	last    int      // of the ids that stand for those that the server is yet to tell
}

type modelUser struct {
	userName, externalID, title string // "" is unassigned
	active                      bool
	version                     int
}

type modelGroup struct {
	displayName, externalID string
	members                 map[string]bool // ids of users and groups, and such that no resource has
	version                 int
}

// modelOp is one request. Fields that are nil are left out of its body.
type modelOp struct {
	method, typ, id string // id "" for a POST
	ifMatch         int    // 0 sends none
	text            map[string]string
	active          *bool
	members         []memberStep
	fails           bool // the last operation of a PATCH is one that no server takes
	as              string
}

// memberStep is what a body or one operation of a PATCH does to the members.
type memberStep struct {
	op  string // add, remove, replace
	ids []string
}

func newModel() *model {
	return &model{users: map[string]*modelUser{}, groups: map[string]*modelGroup{}}
}

// apply does what a server has to do and returns the status and the version that it has to answer. A created
// resource is kept under op.as until the server has told its id.
func (m *model) apply(op *modelOp) (status, version int) {
	user, group := m.users[op.id], m.groups[op.id]
	if op.method == http.MethodPost {
		return m.create(op)
	}
	switch {
	case op.fails: // what needs only the schema is refused before the resource is looked for
		return http.StatusBadRequest, 0
	case op.typ == "User" && user == nil || op.typ == "Group" && group == nil:
		return http.StatusNotFound, 0
	case user != nil && op.ifMatch != 0 && op.ifMatch != user.version,
		group != nil && op.ifMatch != 0 && op.ifMatch != group.version:
		return http.StatusPreconditionFailed, 0
	case op.method == http.MethodDelete:
		m.remove(op.id)
		return http.StatusNoContent, 0
	case user != nil:
		return m.changeUser(op, user)
	default:
		return m.changeGroup(op, group)
	}
}

func (m *model) create(op *modelOp) (status, version int) {
	m.last++
	op.as = fmt.Sprint("bulkId:", m.last)
	if op.typ == "User" {
		u := &modelUser{active: true, version: 1}
		u.set(op)
		if m.taken(u.userName, "") {
			return http.StatusConflict, 0
		}
		m.users[op.as] = u
		return http.StatusCreated, 1
	}
	g := &modelGroup{members: map[string]bool{}, version: 1}
	g.set(op)
	m.groups[op.as] = g
	return http.StatusCreated, 1
}

func (m *model) changeUser(op *modelOp, u *modelUser) (status, version int) {
	next := *u
	if op.method == http.MethodPut {
		// What a PUT leaves out is cleared, but for active.
		next.userName, next.externalID, next.title = "", "", ""
	}
	next.set(op)
	if m.taken(next.userName, op.id) {
		return http.StatusConflict, 0
	}
	if next != *u {
		next.version++
	}
	*u = next
	return http.StatusOK, u.version
}

func (m *model) changeGroup(op *modelOp, g *modelGroup) (status, version int) {
	next := *g
	next.members = maps.Clone(g.members)
	if op.method == http.MethodPut {
		// What a PUT leaves out is cleared, but for members.
		next.displayName, next.externalID = "", ""
	}
	next.set(op)
	if next.displayName != g.displayName || next.externalID != g.externalID || !maps.Equal(next.members, g.members) {
		next.version++
	}
	*g = next
	return http.StatusOK, g.version
}

func (u *modelUser) set(op *modelOp) {
	for name, value := range op.text {
		switch name {
		case "userName":
			u.userName = value
		case "externalId":
			u.externalID = value
		case "title":
			u.title = value
		}
	}
	if op.active != nil {
		u.active = *op.active
	}
}

func (g *modelGroup) set(op *modelOp) {
	for name, value := range op.text {
		switch name {
		case "displayName":
			g.displayName = value
		case "externalId":
			g.externalID = value
		}
	}
	for _, s := range op.members {
		if s.op == "replace" {
			clear(g.members)
		}
		for _, id := range s.ids {
			if s.op == "remove" {
				delete(g.members, id)
			} else {
				g.members[id] = true
			}
		}
	}
}

// taken reports whether another user has a userName, whatever its case.
func (m *model) taken(userName, but string) bool {
	for id, u := range m.users {
		if id != but && strings.EqualFold(u.userName, userName) {
			return true
		}
	}
	return false
}

// remove deletes a resource with its memberships, which changes the groups that it was in.
func (m *model) remove(id string) {
	delete(m.users, id)
	delete(m.groups, id)
	m.deleted = append(m.deleted, id)
	for _, g := range m.groups {
		if g.members[id] {
			delete(g.members, id)
			g.version++
		}
	}
}

// rename gives a created resource the id that the server has told.
func (m *model) rename(from, to string) {
	if u, ok := m.users[from]; ok {
		delete(m.users, from)
		m.users[to] = u
	}
	if g, ok := m.groups[from]; ok {
		delete(m.groups, from)
		m.groups[to] = g
	}
	for _, g := range m.groups {
		if g.members[from] {
			delete(g.members, from)
			g.members[to] = true
		}
	}
	for i, id := range m.deleted {
		if id == from {
			m.deleted[i] = to
		}
	}
}

// groupsOf returns the groups that a resource is in: true for those that it is a direct member of.
func (m *model) groupsOf(id string) map[string]bool {
	in := map[string]bool{}
	queue := []string{id}
	for len(queue) > 0 {
		member := queue[0]
		queue = queue[1:]
		for g, group := range m.groups {
			if _, seen := in[g]; group.members[member] && !seen {
				in[g] = member == id
				queue = append(queue, g)
			}
		}
	}
	return in
}

// find returns the ids of the users or groups that are as ok says, sorted.
func find[T any](all map[string]T, ok func(id string, r T) bool) []string {
	ids := []string{}
	for id, r := range all {
		if ok(id, r) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
