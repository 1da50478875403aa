// Package deploy_test checks that what is deployed beside Rollcall fits it: the dashboard and the alerts ask for metrics and
// labels that exist, and each alert is explained. What needs other programs is checked by scripts/deploy-check.sh.
package deploy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"rollcall/metrics"
)

const (
	rulesFile     = "prometheus/rules/rollcall.yaml"
	operatorRules = "kubernetes/monitoring/rules.yaml"
	dashboardFile = "grafana/dashboards/rollcall.json"
	manual        = "../docs/deployment.md"
)

// series maps the name of a series to its labels.
type series map[string][]string

// registry notes what is registered: a vector that was never used would not be gathered.
type registry struct{ names series }

func (r registry) Register(c prometheus.Collector) error {
	_, observes := c.(interface{ Observe(float64) })
	_, histograms := c.(*prometheus.HistogramVec)
	ch := make(chan *prometheus.Desc)
	go func() { c.Describe(ch); close(ch) }()
	for d := range ch {
		name, labels := describe(d)
		r.names[name] = labels
		if observes || histograms {
			delete(r.names, name)
			r.names[name+"_bucket"] = append(slices.Clone(labels), "le")
			r.names[name+"_sum"], r.names[name+"_count"] = labels, labels
		}
	}
	return nil
}

func (r registry) MustRegister(...prometheus.Collector) {}
func (r registry) Unregister(prometheus.Collector) bool { return false }

var (
	descName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	descConst  = regexp.MustCompile(`constLabels: \{(.*?)\}, variableLabels`)
	descLabels = regexp.MustCompile(`variableLabels: \{(.*?)\}\}`)
	constLabel = regexp.MustCompile(`(\w+)="`)
)

// describe takes a Desc apart; it has no accessors, only this text.
func describe(d *prometheus.Desc) (name string, labels []string) {
	text := d.String()
	for _, m := range constLabel.FindAllStringSubmatch(descConst.FindStringSubmatch(text)[1], -1) {
		labels = append(labels, m[1])
	}
	if list := descLabels.FindStringSubmatch(text)[1]; list != "" {
		labels = append(labels, strings.Split(list, ",")...)
	}
	return descName.FindStringSubmatch(text)[1], labels
}

// known are the series that there are: Rollcall's own, with those of Go and the process, and the few that Prometheus and
// the blackbox exporter make.
func known(t *testing.T) series {
	t.Helper()
	r := registry{names: series{"up": nil, "probe_success": nil, "ALERTS": {"alertname", "alertstate"}}}
	if _, err := metrics.New(r, metrics.Options{PerOrganization: true}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rollcall_http_requests_total", "rollcall_store_commit_writes_bucket", "go_goroutines", "process_open_fds"} {
		if _, ok := r.names[name]; !ok {
			t.Fatalf("the metrics are not read right: no %s in %v", name, r.names)
		}
	}
	return r.names
}

func TestExpressionsUseWhatExists(t *testing.T) {
	have := known(t)
	for _, e := range slices.Concat(ruleExpressions(t), dashboardExpressions(t)) {
		for _, p := range have.problems(e.text) {
			t.Errorf("%s: %s\n%s", e.where, p, e.text)
		}
	}
}

// The check above is worth something only if it finds what is wrong.
func TestProblemsAreFound(t *testing.T) {
	have := known(t)
	for expr, want := range map[string]string{
		`sum(rate(rollcall_http_request_total[5m]))`:                                   "no series rollcall_http_request_total",
		`rollcall_http_requests_total{code="200"}`:                                     "rollcall_http_requests_total has no label code",
		`sum by (organisation) (rate(rollcall_http_requests_total[$__rate_interval]))`: "no label organisation",
		`rate(rollcall_http_request_duration_seconds[5m])`:                             "no series rollcall_http_request_duration_seconds",
		`a_metric{x="}"} or vector(1) > 2`:                                             "no series a_metric",
		`go_gorutines{instance=~"$instance"}`:                                          "no series go_gorutines",
		`label_values(rollcall_build_info, vesion)`:                                    "no label vesion",
		`label_values(rollcall_buildinfo{job="$job"}, instance)`:                       "no series rollcall_buildinfo",
	} {
		if got := have.problems(expr); !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

func TestOperatorHasTheSameRules(t *testing.T) {
	var plain, operator struct {
		Groups any `yaml:"groups"`
		Spec   struct {
			Groups any `yaml:"groups"`
		} `yaml:"spec"`
	}
	readYAML(t, rulesFile, &plain)
	readYAML(t, operatorRules, &operator)
	if plain.Groups == nil {
		t.Fatalf("%s has no groups", rulesFile)
	}
	if diff := cmp.Diff(plain.Groups, operator.Spec.Groups); diff != "" {
		t.Errorf("%s differs from %s:\n%s", operatorRules, rulesFile, diff)
	}
}

func TestEveryAlertIsExplained(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(Rollcall\\w+)` \\|").FindAllStringSubmatch(string(text), -1) {
		explained[m[1]] = true
	}
	for _, a := range alerts(t) {
		if !explained[a.Alert] {
			t.Errorf("%s has no row for %s", manual, a.Alert)
		}
		delete(explained, a.Alert)
		for _, key := range []string{"summary", "description"} {
			if a.Annotations[key] == "" {
				t.Errorf("%s has no %s", a.Alert, key)
			}
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s has severity %q", a.Alert, a.Labels["severity"])
		}
	}
	for name := range explained {
		t.Errorf("%s explains %s, which is no alert", manual, name)
	}
}

// expression is PromQL and where it is from.
type expression struct{ where, text string }

type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	readYAML(t, rulesFile, &file)
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no rules", rulesFile)
	}
	return all
}

func ruleExpressions(t *testing.T) []expression {
	t.Helper()
	var es []expression
	for _, a := range alerts(t) {
		es = append(es, expression{a.Alert, a.Expr})
	}
	return es
}

func dashboardExpressions(t *testing.T) []expression {
	t.Helper()
	var d struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var es []expression
	for _, p := range d.Panels {
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			es = append(es, expression{"panel " + p.Title, target.Expr})
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			es = append(es, expression{"variable " + v.Name, v.Definition})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			es = append(es, expression{"annotation " + a.Name, a.Expr})
		}
	}
	if len(es) < 10 {
		t.Fatalf("%s has only %d expressions", dashboardFile, len(es))
	}
	return es
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
