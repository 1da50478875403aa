package lifecycle

import (
	"slices"
	"strings"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// inTheBackground are the types whose changes are no acts: they follow from one, or keep the server going.
func inTheBackground(t scim.TypeName) bool {
	switch t {
	case resources.TypeLimit, resources.TypeRequest, resources.TypeEpoch, resources.TypeProof, resources.TypeSeal,
		resources.TypeMail, resources.TypeMailRoute, resources.TypeMailAddress, resources.TypePhoto:
		return true
	}
	return false
}

// actionsOf names what a change was: invite.accepted, user.deactivated; the first is the main one. It is none for what
// happened in the background. What the values of a change said more exactly is lost when they are erased.
func actionsOf(ch *storage.Change) []string {
	subject := snakeOf(string(ch.Key.Type))
	switch ch.Key.Type {
	case resources.TypeTombstone:
		switch {
		case hasPath(ch, "erased"):
			return []string{"user.erased"}
		case ch.Op == storage.OpDelete:
			return []string{"user.restored"}
		}
		return nil
	case resources.TypeRefusal:
		if ch.Op == storage.OpDelete {
			return nil
		}
		return []string{textOf(ch, "action")}
	case resources.TypeSettings:
		return []string{"settings.changed"}
	}
	if inTheBackground(ch.Key.Type) {
		return nil
	}
	switch ch.Op {
	case storage.OpCreate:
		return []string{subject + ".created"}
	case storage.OpDelete:
		if ch.Key.Type == typeUser {
			return []string{"user.removed"}
		}
		return []string{subject + ".deleted"}
	case storage.OpReplace, storage.OpPatch:
	}
	var list []string
	switch ch.Key.Type {
	case typeUser:
		list = userActions(ch)
	case typeInvite, typeJoinRequest:
		if status := textOf(ch, "status"); status != "" {
			list = append(list, subject+"."+snakeOf(status))
		} else if hasPath(ch, "sendCount") {
			list = append(list, subject+".resent")
		}
	}
	if len(ch.MembersAdded)+len(ch.MembersRemoved) > 0 {
		list = append(list, subject+".members_changed")
	}
	if len(list) == 0 {
		list = []string{subject + ".updated"}
	}
	return list
}

func userActions(ch *storage.Change) (list []string) {
	for _, v := range ch.Values {
		var action string
		switch {
		case v.Path == "active" && v.New == false:
			action = "user.deactivated"
		case v.Path == "active" && (v.New == true || v.Old == false):
			action = "user.activated"
		case v.Path == "roles":
			action = "user.role_changed"
		case v.Path == "entitlements":
			action = "user.entitlements_changed"
		case v.Path == "password":
			action = "user.password_changed"
		case strings.HasSuffix(v.Path, ":User:occupation"):
			action = "user.occupation_changed"
		case strings.HasSuffix(v.Path, ":User:clients"):
			action = "user.clients_changed"
		default:
			continue
		}
		if list = append(list, action); action == "user.deactivated" { // cuts more than anything else
			slices.Reverse(list)
		}
	}
	return list
}

func hasPath(ch *storage.Change, path string) bool {
	return slices.ContainsFunc(ch.Values, func(v storage.ValueChange) bool { return v.Path == path })
}

// textOf is the new text of an attribute.
func textOf(ch *storage.Change, path string) string {
	for _, v := range ch.Values {
		if v.Path == path {
			text, _ := v.New.(string)
			return text
		}
	}
	return ""
}

// snakeOf writes a name as actions are written: JoinRequest is join_request.
func snakeOf(camel string) string {
	var b strings.Builder
	for i, c := range []byte(camel) {
		if 'A' <= c && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c |= 0x20
		}
		b.WriteByte(c)
	}
	return b.String()
}
