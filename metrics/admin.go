package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// adminCollectors are the metrics of the companion API.
type adminCollectors struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

func newAdminCollectors() adminCollectors {
	return adminCollectors{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_admin_requests_total",
			Help: "Requests to the companion API answered, by organization (if switched on), operationId of the OpenAPI document (empty for none) and status code.",
		}, []string{"organization", "operation", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_admin_request_duration_seconds",
			Help:    "Time to answer a request to the companion API, by operationId and class of status.",
			Buckets: durationBuckets(),
		}, []string{"operation", "status_class"}),
	}
}

// AdminRequest counts one answered request to the companion API.
func (m *Metrics) AdminRequest(org, operation string, status int, d time.Duration) {
	if !m.perOrganization {
		org = ""
	}
	m.admin.requests.WithLabelValues(org, operation, statusText(status)).Inc()
	m.admin.durations.WithLabelValues(operation, statusClass(status)).Observe(d.Seconds())
}
