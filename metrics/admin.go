package metrics

import (
	"strconv"
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
			Help: "Answered requests to the companion API; operation is the operationId of its OpenAPI document, empty for none.",
		}, []string{"org", "operation", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_admin_request_duration_seconds",
			Help:    "Time to answer a request to the companion API.",
			Buckets: durationBuckets(),
		}, []string{"operation", "code_class"}),
	}
}

// AdminRequest counts one answered request to the companion API.
func (m *Metrics) AdminRequest(org, operation string, status int, d time.Duration) {
	if !m.perOrganization {
		org = ""
	}
	m.admin.requests.WithLabelValues(org, operation, strconv.Itoa(status)).Inc()
	m.admin.durations.WithLabelValues(operation, statusClass(status)).Observe(d.Seconds())
}
