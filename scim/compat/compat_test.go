package compat_test

import (
	"testing"

	"rollcall/scim/compat"
)

func TestEveryRuleHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range compat.Rules() {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("rule %d has no name of its own: %q", r, r)
		}
		seen[r.String()] = true
	}
}

func TestProfiles(t *testing.T) {
	optIn := map[compat.Rule]bool{
		compat.FirstPrimaryWins: true, compat.UniqueGroupName: true,
		compat.ReactivateOnCreate: true, compat.UnpackRoleJSON: true,
		compat.CreateOnReplace: true, compat.URNDotPath: true, compat.EmptyOperations: true,
	}
	auto, err := compat.Lookup("")
	if err != nil || auto.Name != "auto" {
		t.Fatalf("the default is %q, %v", auto.Name, err)
	}
	strict, err := compat.Lookup("strict")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range compat.Rules() {
		if strict.Has(r) {
			t.Errorf("strict allows %v", r)
		}
		if auto.Has(r) == optIn[r] {
			t.Errorf("auto: %v is %v", r, auto.Has(r))
		}
	}
	for _, p := range compat.Profiles() {
		got, err := compat.Lookup(p.Name)
		if err != nil || got != p {
			t.Errorf("Lookup(%q) = %v, %v", p.Name, got, err)
		}
	}
	if _, err := compat.Lookup("nope"); err == nil {
		t.Error("an unknown profile is accepted")
	}
}

func TestSessionCountsOnlyWhatItAllows(t *testing.T) {
	ping, err := compat.Lookup("ping")
	if err != nil {
		t.Fatal(err)
	}
	s := compat.NewSession(ping)
	if s.Has(compat.OpCase); len(s.Used()) != 0 {
		t.Error("Has counted a use")
	}
	if !s.Allow(compat.FirstPrimaryWins) || s.Allow(compat.ReactivateOnCreate) {
		t.Error("the profile is not what decides")
	}
	fork := s.Fork()
	if !fork.Allow(compat.OpCase) {
		t.Error("a fork has another profile")
	}
	s.Join(fork)
	if got := s.Used(); len(got) != 2 || got[0] != compat.OpCase || got[1] != compat.FirstPrimaryWins {
		t.Errorf("used %v", got)
	}
	var none *compat.Session
	if none.Allow(compat.OpCase) || none.Used() != nil || none.Profile().Name != "strict" {
		t.Error("a nil session is not strict")
	}
}

func TestRecognizeEntra(t *testing.T) {
	for name, want := range map[string]bool{"auto": true, "entra": true, "okta": false, "strict": false} {
		p, err := compat.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		s := compat.NewSession(p)
		if before := s.Has(compat.CreateOnReplace); before != (name == "entra") {
			t.Errorf("%s allows %v before anything was recognized: %v", name, compat.CreateOnReplace, before)
		}
		s.RecognizeEntra()
		if s.Has(compat.CreateOnReplace) != want || s.Has(compat.UniqueGroupName) != (name == "entra") {
			t.Errorf("%s: Entra's dialect is allowed: %v, want %v", name, !want, want)
		}
		if s.Profile().Name != name {
			t.Errorf("%s became %s", name, s.Profile().Name)
		}
	}
	var none *compat.Session
	none.RecognizeEntra()
}
