package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// installation is one `kustomize build`, decoded.
type installation struct {
	kinds    map[string]int
	pods     []core.PodTemplateSpec
	services []core.Service
	// selectors of pods, by what selects with them
	selectors map[string]labels.Selector
	monitors  []monitoring.ServiceMonitor
	problems  []error
}

func checkManifests(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	in := installation{kinds: map[string]int{}, selectors: map[string]labels.Selector{}}
	for _, doc := range bytes.Split(text, []byte("\n---\n")) {
		if err := in.decode(doc); err != nil {
			in.problems = append(in.problems, err)
		}
	}
	if len(in.pods) != 1 {
		return errors.Join(append(in.problems, fmt.Errorf("%d workloads, want one", len(in.pods)))...)
	}
	in.checkSelectors()
	in.checkSecurity()
	in.checkContainer()
	in.checkMonitors()
	fmt.Printf("%s: %v\n", file, in.kinds)
	return errors.Join(in.problems...)
}

func (in *installation) problem(format string, args ...any) {
	in.problems = append(in.problems, fmt.Errorf(format, args...))
}

// decode reads one document into the type of its kind; a key that the type lacks is an error.
func (in *installation) decode(doc []byte) error {
	var head meta.TypeMeta
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return err
	}
	in.kinds[head.Kind]++
	into := map[string]any{
		"ServiceAccount": &core.ServiceAccount{}, "Service": &core.Service{}, "ConfigMap": &core.ConfigMap{},
		"Secret": &core.Secret{}, "Namespace": &core.Namespace{}, "Deployment": &apps.Deployment{},
		"StatefulSet": &apps.StatefulSet{}, "NetworkPolicy": &networking.NetworkPolicy{}, "Ingress": &networking.Ingress{},
		"PodDisruptionBudget": &policy.PodDisruptionBudget{}, "ServiceMonitor": &monitoring.ServiceMonitor{},
		"PrometheusRule": &monitoring.PrometheusRule{},
	}[head.Kind]
	if into == nil {
		return fmt.Errorf("kind %q is not known here", head.Kind)
	}
	if err := yaml.UnmarshalStrict(doc, into); err != nil {
		return fmt.Errorf("%s: %w", head.Kind, err)
	}
	switch o := into.(type) {
	case *apps.Deployment:
		in.pods = append(in.pods, o.Spec.Template)
		in.selects("Deployment", o.Spec.Selector)
	case *apps.StatefulSet:
		in.pods = append(in.pods, o.Spec.Template)
		in.selects("StatefulSet", o.Spec.Selector)
	case *core.Service:
		in.services = append(in.services, *o)
		in.selects("Service "+o.Name, &meta.LabelSelector{MatchLabels: o.Spec.Selector})
	case *networking.NetworkPolicy:
		in.selects("NetworkPolicy", &o.Spec.PodSelector)
	case *policy.PodDisruptionBudget:
		in.selects("PodDisruptionBudget", o.Spec.Selector)
	case *monitoring.ServiceMonitor:
		in.monitors = append(in.monitors, *o)
	}
	return nil
}

func (in *installation) selects(who string, s *meta.LabelSelector) {
	selector, err := meta.LabelSelectorAsSelector(s)
	if err != nil {
		in.problem("%s: %w", who, err)
		return
	}
	in.selectors[who] = selector
}

// checkSelectors: each selects the pods, and no others that may be in the namespace.
func (in *installation) checkSelectors() {
	pod := labels.Set(in.pods[0].Labels)
	for i, c := range in.pods[0].Spec.TopologySpreadConstraints {
		in.selects(fmt.Sprintf("topologySpreadConstraints %d", i), c.LabelSelector)
	}
	for who, s := range in.selectors {
		if !s.Matches(pod) {
			in.problem("%s selects %q, which the pods with %v do not match", who, s, pod)
		}
		if s.Matches(labels.Set{}) {
			in.problem("%s selects every pod", who)
		}
	}
}

// checkSecurity: the Pod Security Standard "restricted", as the API server judges it, and a root file system that cannot be written.
func (in *installation) checkSecurity() {
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	if err != nil {
		in.problem("%w", err)
		return
	}
	pod := in.pods[0]
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, r := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !r.Allowed {
			in.problem("restricted: %s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		in.problem("the pods get a token of the API server")
	}
	for _, c := range pod.Spec.Containers {
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			in.problem("container %s may write its root file system", c.Name)
		}
	}
}

// checkContainer: probes, limits, and ports that the Services name.
func (in *installation) checkContainer() {
	c := in.pods[0].Spec.Containers[0]
	for path, probe := range map[string]*core.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port != intstr.FromString("scim") {
			in.problem("no probe asks for %s", path)
		}
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		in.problem("a request of processor and memory, and a limit of memory, are needed")
	}
	ports := map[string]bool{}
	for _, p := range c.Ports {
		ports[p.Name] = true
	}
	for _, s := range in.services {
		for _, p := range s.Spec.Ports {
			if !ports[p.TargetPort.String()] {
				in.problem("Service %s leads to port %s, which the container has not", s.Name, p.TargetPort.String())
			}
		}
	}
}

// checkMonitors: each finds a Service with its port.
func (in *installation) checkMonitors() {
	for _, m := range in.monitors {
		selector, err := meta.LabelSelectorAsSelector(&m.Spec.Selector)
		if err != nil {
			in.problem("ServiceMonitor: %w", err)
			continue
		}
		found := 0
		for _, s := range in.services {
			if !selector.Matches(labels.Set(s.Labels)) {
				continue
			}
			for _, p := range s.Spec.Ports {
				for _, e := range m.Spec.Endpoints {
					if p.Name == e.Port {
						found++
					}
				}
			}
		}
		if found != 1 {
			in.problem("ServiceMonitor %s finds %d ports of Services, want 1", m.Name, found)
		}
	}
}
