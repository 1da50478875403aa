package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rollcall/scim"
)

var columns = []Kind{
	KindOwner, KindAdmin, KindManager, KindMember, KindIdP, KindApp, KindInvitee, KindPublic, KindOperator,
}

// tableOf reads the matrix as people have agreed on it: letters by action and kind of subject.
func tableOf(t *testing.T) map[Action]map[Kind]string {
	t.Helper()
	b, err := os.ReadFile("testdata/matrix.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[Action]map[Kind]string{}
	for line := range strings.Lines(string(b)) {
		parts := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(parts) != len(columns)+1 || strings.TrimSpace(parts[0]) == "Action" || strings.HasPrefix(parts[0], "---") {
			continue
		}
		row := map[Kind]string{}
		for i, k := range columns {
			row[k] = strings.TrimSpace(parts[i+1])
		}
		table[Action(strings.TrimSpace(parts[0]))] = row
	}
	return table
}

// Every action is tried as every kind of subject, to themselves and to others below, beside and above them, with the
// setting on and off, with and without the scope, by SCIM and by the companion API, and from another organization. What
// is expected is worked out from the table of letters alone.
func TestMatrix(t *testing.T) {
	table := tableOf(t)
	if len(table) != len(matrix) {
		t.Fatalf("the table has %d actions, the code %d", len(table), len(matrix))
	}
	ranks := map[Kind]int{KindOwner: 100, KindAdmin: 80, KindManager: 60, KindMember: 40, KindApp: 80, KindOperator: 100}
	tried := 0
	for act, row := range table {
		if _, ok := matrix[act]; !ok {
			t.Errorf("no action %q in the code", act)
			continue
		}
		for _, kind := range columns {
			for _, scoped := range []bool{false, true} {
				sub := Subject{Caller: scim.Caller{Org: "acme"}, Kind: kind, User: "me", Rank: ranks[kind]}
				if scoped {
					sub.Scopes = matrix[act].scopes
				}
				for _, rank := range []int{20, 60, 80, 100} {
					for bits := range 8 {
						self, setting, bySCIM := bits&1 != 0, bits&2 != 0, bits&4 != 0
						target := Target{User: "other", Rank: rank, Setting: setting, SCIM: bySCIM}
						if self {
							target.User, target.Rank = "me", sub.Rank
						}
						letters := map[string]bool{
							"Y": true, "r": target.Rank < sub.Rank, "s": self, "p": self && setting, "c": bySCIM, "?": setting,
							"k": scoped && len(sub.Scopes) > 0, "-": false,
						}
						want := letters[row[kind]]
						if kind == KindAdmin || kind == KindManager { // they are members as well
							want = want || letters[row[KindMember]]
						}
						name := fmt.Sprintf("%s as %s (self %v, rank %d, setting %v, scim %v, scoped %v)", act, kind, self, rank, setting, bySCIM, scoped)
						if err := Allowed(sub, act, target); (err == nil) != want {
							t.Errorf("%s: %v, want allowed %v", name, err, want)
						}
						target.Org = "other"
						var e *scim.Error
						if err := Allowed(sub, act, target); !errors.As(err, &e) || e.Status != 404 {
							t.Errorf("%s of another organization: %v", name, err)
						}
						tried += 2
					}
				}
			}
		}
	}
	t.Logf("%d combinations", tried)
}

// Nobody gives what is above them, whatever else they may do.
func TestNobodyGivesARankAboveTheirOwn(t *testing.T) {
	for act := range matrix {
		for _, kind := range columns {
			sub := Subject{Caller: scim.Caller{Org: "acme"}, Kind: kind, User: "me", Rank: 60, Scopes: slices.Clone(matrix[act].scopes)}
			err := Allowed(sub, act, Target{User: "other", Rank: 20, Gives: 61, Setting: true})
			if err == nil {
				t.Errorf("%s as %s gives a higher rank", act, kind)
			}
		}
	}
}
