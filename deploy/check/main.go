// Command check reads what others will read of deploy/, with their own types and strictly: the dashboard with Grafana's,
// Kubernetes manifests with Kubernetes' and the Prometheus operator's. A misspelled key is an error. It has its own module
// so that Rollcall does not depend on those.
//
//	check dashboard FILE
//	check manifests FILE...      each the output of one `kustomize build`
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check dashboard|manifests FILE...")
		os.Exit(2)
	}
	check, ok := map[string]func(string) error{"dashboard": checkDashboard, "manifests": checkManifests}[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "check: no such kind of file:", os.Args[1])
		os.Exit(2)
	}
	failed := false
	for _, file := range os.Args[2:] {
		if err := check(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s:\n%v\n", file, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// checkDashboard decodes a dashboard, panel options of each type included.
func checkDashboard(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	// The library returns an empty list of errors, not nil, where there is none.
	for _, err := range []error{d.UnmarshalJSONStrict(text), d.Validate()} {
		if err != nil && err.Error() != "" {
			return err
		}
	}
	return checkGrid(text)
}

// checkGrid: no two panels have the same id or place, which Grafana would put right in a way of its own.
func checkGrid(text []byte) error {
	type place struct{ X, Y, W, H int }
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos place
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	ids := map[int]string{}
	var problems []error
	for i, p := range d.Panels {
		if other, taken := ids[p.ID]; taken {
			problems = append(problems, fmt.Errorf("panels %q and %q have one id", other, p.Title))
		}
		ids[p.ID] = p.Title
		for _, q := range d.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				problems = append(problems, fmt.Errorf("panel %q lies on %q", p.Title, q.Title))
			}
		}
	}
	fmt.Printf("dashboard %q: %d panels\n", d.Title, len(ids))
	return errors.Join(problems...)
}
