package deploy_test

import (
	"regexp"
	"slices"
	"strings"
)

// Enough of PromQL to find the series and labels that an expression names; promtool judges its grammar.
var (
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\$\{?\w+\}?|[0-9][0-9A-Za-z.]*|[A-Za-z_:][\w:]*|[^\s\w]`)
	ident = regexp.MustCompile(`^[A-Za-z_:]`)

	operators   = []string{"and", "or", "unless", "bool", "offset"}
	aggregators = []string{"sum", "count", "min", "max", "avg", "topk", "bottomk", "quantile"}
	groupings   = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}
	// Every target has these.
	targetLabels = []string{"job", "instance"}
)

// problems lists what expr names that does not exist.
func (have series) problems(expr string) []string {
	tokens := token.FindAllString(expr, -1)
	at := func(i int) string {
		if i < len(tokens) {
			return tokens[i]
		}
		return ""
	}
	var problems, grouped []string
	labels := slices.Clone(targetLabels)
	for i := 0; i < len(tokens); i++ {
		switch name := tokens[i]; {
		case slices.Contains(groupings, name) && at(i+1) == "(":
			for i += 2; i < len(tokens) && tokens[i] != ")"; i++ {
				if ident.MatchString(tokens[i]) {
					grouped = append(grouped, tokens[i])
				}
			}
		case name == "label_values" && at(i+1) == "(":
			// Grafana's own: label_values(selector, label).
			end := slices.Index(tokens, ")")
			grouped = append(grouped, tokens[end-1])
			tokens = slices.Delete(tokens, end-2, end)
		case !ident.MatchString(name), at(i+1) == "(", slices.Contains(operators, name), slices.Contains(aggregators, name):
		default:
			own, ok := have[name]
			if !ok {
				problems = append(problems, "no series "+name)
			}
			labels = append(labels, own...)
			if at(i+1) != "{" {
				continue
			}
			for i += 2; i < len(tokens) && tokens[i] != "}"; i++ {
				l := tokens[i]
				if ident.MatchString(l) && !slices.Contains(own, l) && !slices.Contains(targetLabels, l) {
					problems = append(problems, strings.Join([]string{name, "has no label", l}, " "))
				}
			}
		}
	}
	for _, l := range grouped {
		if !slices.Contains(labels, l) {
			problems = append(problems, "no label "+l)
		}
	}
	return problems
}
