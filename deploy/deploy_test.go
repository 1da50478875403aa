// Package deploy_test checks that what is deployed beside Rollcall fits it: the dashboard and the alerts ask for metrics and
// labels that exist, and each alert is explained. What needs other programs is checked by scripts/deploy-check.sh.
package deploy_test

import (
	"encoding/json"
	"fmt"
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

// TestOperatorsAreNotReachableFromOutside: whatever passes /api/v1 from outside leads to processes that have the operators'
// part of it on the ops port only, and nothing from outside leads to that port.
func TestOperatorsAreNotReachableFromOutside(t *testing.T) {
	var ingress struct {
		Spec struct {
			Rules []struct {
				HTTP struct {
					Paths []struct {
						Path    string `yaml:"path"`
						Backend struct {
							Service struct {
								Name string `yaml:"name"`
								Port struct {
									Name string `yaml:"name"`
								} `yaml:"port"`
							} `yaml:"service"`
						} `yaml:"backend"`
					} `yaml:"paths"`
				} `yaml:"http"`
			} `yaml:"rules"`
		} `yaml:"spec"`
	}
	readYAML(t, "kubernetes/ingress/ingress.yaml", &ingress)
	var paths []string
	for _, r := range ingress.Spec.Rules {
		for _, p := range r.HTTP.Paths {
			paths = append(paths, p.Path)
			if s := p.Backend.Service; s.Name != "rollcall" || s.Port.Name != "scim" {
				t.Errorf("the Ingress leads %s to %s, port %s", p.Path, s.Name, s.Port.Name)
			}
		}
	}
	if want := []string{"/scim/v2", "/api/v1"}; !slices.Equal(paths, want) {
		t.Errorf("the Ingress passes %v, want %v", paths, want)
	}
	for _, file := range []string{"kubernetes/mongodb/deployment.yaml", "kubernetes/embedded/statefulset.yaml"} {
		var pods struct {
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct {
								Name  string `yaml:"name"`
								Value string `yaml:"value"`
							} `yaml:"env"`
						} `yaml:"containers"`
					} `yaml:"spec"`
				} `yaml:"template"`
			} `yaml:"spec"`
		}
		readYAML(t, file, &pods)
		for _, c := range pods.Spec.Template.Spec.Containers {
			places := map[string]string{}
			for _, e := range c.Env {
				places[e.Name] = e.Value
			}
			if got := places["ROLLCALL_OPERATOR_API"]; got != "ops-listen" {
				t.Errorf("%s has the operators' API on %q", file, got)
			}
		}
		if len(pods.Spec.Template.Spec.Containers) == 0 {
			t.Errorf("%s has no containers", file)
		}
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	readYAML(t, "compose.yaml", &compose)
	for _, name := range []string{"rollcall-1", "rollcall-2"} {
		if got := compose.Services[name].Environment["ROLLCALL_OPERATOR_API"]; got != "ops-listen" {
			t.Errorf("%s of compose.yaml has the operators' API on %q", name, got)
		}
	}
}

// TestMailsAndKeysHaveAWayOut: the settings of the example are of no use to pods that may not reach what they name.
func TestMailsAndKeysHaveAWayOut(t *testing.T) {
	var policy struct {
		Spec struct {
			PolicyTypes []string `yaml:"policyTypes"`
			Egress      []struct {
				Ports []struct {
					Port     int    `yaml:"port"`
					Protocol string `yaml:"protocol"`
				} `yaml:"ports"`
			} `yaml:"egress"`
		} `yaml:"spec"`
	}
	readYAML(t, "kubernetes/outgoing/networkpolicy.yaml", &policy)
	open := map[string]bool{}
	for _, e := range policy.Spec.Egress {
		for _, p := range e.Ports {
			open[fmt.Sprintf("%d %s", p.Port, p.Protocol)] = true
		}
	}
	for _, want := range []string{"53 UDP", "53 TCP", "587 TCP", "465 TCP", "443 TCP"} {
		if !open[want] {
			t.Errorf("kubernetes/outgoing lets nothing out to %s", want)
		}
	}
	if !slices.Equal(policy.Spec.PolicyTypes, []string{"Egress"}) {
		t.Errorf("kubernetes/outgoing is a policy of %v, want Egress only: it must not open a way in", policy.Spec.PolicyTypes)
	}
	example, err := os.ReadFile("kubernetes/example/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"../outgoing", "ROLLCALL_SMTP_HOST=", "ROLLCALL_OIDC_ISSUER=", "rollcall-mail"} {
		if !strings.Contains(string(example), want) {
			t.Errorf("the example has no %s", want)
		}
	}
}
