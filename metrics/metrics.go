// Package metrics defines what Rollcall tells Prometheus. A [Metrics] is made on an injected Registerer, so that a
// test or an embedding program has its own; it satisfies the small interfaces in which the HTTP edge and the stores
// say what they count, without knowing them. It imports nothing of ours and must see no attribute value: its labels
// are names, codes and numbers.
package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Options is what a [Metrics] is told when it is made.
type Options struct {
	// PerOrganization labels requests with the organization. Off, the label is empty: with thousands of
	// organizations the series would outgrow what a Prometheus likes to keep.
	PerOrganization bool
	// Version and Revision are shown by rollcall_build_info beside the Go version.
	Version, Revision, GoVersion string
}

// Metrics counts and measures. Its methods may be called concurrently.
type Metrics struct {
	perOrganization bool

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	panics    prometheus.Counter
	rejected  *prometheus.CounterVec

	relaxations  *prometheus.CounterVec
	authFailures *prometheus.CounterVec

	admin  adminCollectors
	people lifecycleCollectors

	storeOps       *prometheus.CounterVec
	storeDurations *prometheus.HistogramVec
	storeCommands  *prometheus.CounterVec
	commandTimes   *prometheus.HistogramVec
	commitWrites   prometheus.Histogram
	commitDuration prometheus.Histogram

	mails       *prometheus.CounterVec
	mailWaiting atomic.Pointer[func() time.Duration]
}

// durationBuckets reach from a cached read (100 us) to the longest Bulk that a timeout lets pass.
func durationBuckets() []float64 {
	return []float64{
		.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30,
	}
}

// New makes the metrics and registers them on reg, with the Go runtime's and the process's.
func New(reg prometheus.Registerer, o Options) (*Metrics, error) {
	m := &Metrics{
		perOrganization: o.PerOrganization,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_http_requests_total",
			Help: "SCIM requests answered, by organization (if switched on), resource type, method and status code.",
		}, []string{"organization", "resource_type", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_http_request_duration_seconds",
			Help:    "Time from a SCIM request's header to the end of its answer, by resource type, method and class of status.",
			Buckets: durationBuckets(),
		}, []string{"resource_type", "method", "status_class"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rollcall_http_requests_in_flight",
			Help: "Requests on the main listener that are being answered now.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_http_panics_total",
			Help: "Panics that became a 500.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_http_rejections_total",
			Help: "Requests refused for load (503) or rate (429): overload, wait, body_memory, rate_organization or rate_token.",
		}, []string{"reason"}),
		relaxations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_compat_relaxations_total",
			Help: "Requests that needed a relaxation of the strict protocol, by rule and the client's compatibility profile.",
		}, []string{"rule", "profile"}),
		authFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_auth_failures_total",
			Help: "Requests refused for their credentials: missing, unknown, expired, revoked or scope; of people issuer, invalid or stranger.",
		}, []string{"reason"}),
		admin:  newAdminCollectors(),
		people: newLifecycleCollectors(),
		storeOps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_store_operations_total",
			Help: "Calls of the store, by operation and result.",
		}, []string{"operation", "result"}),
		storeDurations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_store_operation_duration_seconds",
			Help:    "Time that a call of the store took; of a write, until it was durable.",
			Buckets: durationBuckets(),
		}, []string{"operation"}),
		storeCommands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_store_commands_total",
			Help: "Commands sent to MongoDB, by command and result; one operation of the store may take several.",
		}, []string{"command", "result"}),
		commandTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_store_command_duration_seconds",
			Help:    "Time until MongoDB answered a command.",
			Buckets: durationBuckets(),
		}, []string{"command"}),
		commitWrites: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rollcall_store_commit_writes",
			Help:    "Writes that shared one group commit of the embedded store.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		commitDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rollcall_store_commit_duration_seconds",
			Help:    "Time that one group commit of the embedded store took, from its first write to durable.",
			Buckets: durationBuckets(),
		}),
	}
	m.mails = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rollcall_mails_total",
		Help: "Attempts to send a mail, by message and result: sent, deferred, failed or expired.",
	}, []string{"template", "result"})
	queueAge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rollcall_mail_queue_age_seconds",
		Help: "For how long the mail that is due longest has waited; 0 if none is.",
	}, m.mailQueueAge)
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "rollcall_build_info",
		Help:        "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": o.Version, "revision": o.Revision, "go_version": o.GoVersion},
	})
	info.Set(1)
	// Series that an alert asks for exist from the start: a rate over a series that appears with its first
	// failure would miss that failure.
	for _, reason := range []string{"missing", "unknown", "expired", "revoked", "scope", "issuer", "invalid", "stranger"} {
		m.authFailures.WithLabelValues(reason)
	}
	for _, reason := range []string{"overload", "wait", "body_memory", "rate_organization", "rate_token"} {
		m.rejected.WithLabelValues(reason)
	}
	for _, c := range append(m.people.all(), []prometheus.Collector{
		m.requests, m.durations, m.inFlight, m.panics, m.rejected, m.relaxations, m.authFailures,
		m.admin.requests, m.admin.durations,
		m.storeOps, m.storeDurations, m.storeCommands, m.commandTimes, m.commitWrites, m.commitDuration, m.mails, queueAge, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}...) {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Request counts one answered SCIM request. Every label is bounded: a method that a client made up is "other".
func (m *Metrics) Request(org, resourceType, method string, status int, d time.Duration) {
	if !m.perOrganization {
		org = ""
	}
	method = knownMethod(method)
	m.requests.WithLabelValues(org, resourceType, method, statusText(status)).Inc()
	m.durations.WithLabelValues(resourceType, method, statusClass(status)).Observe(d.Seconds())
}

// Relaxation counts one use of a compatibility rule.
func (m *Metrics) Relaxation(rule, profile string) {
	m.relaxations.WithLabelValues(rule, profile).Inc()
}

// AuthFailure counts one refused credential.
func (m *Metrics) AuthFailure(reason string) { m.authFailures.WithLabelValues(reason).Inc() }

// Panic counts one recovered panic.
func (m *Metrics) Panic() { m.panics.Inc() }

// Rejection counts one request that was refused for load or rate.
func (m *Metrics) Rejection(reason string) { m.rejected.WithLabelValues(reason).Inc() }

// StoreOperation counts one call of the store; result is "ok" or the kind of its failure.
func (m *Metrics) StoreOperation(op, result string, d time.Duration) {
	m.storeOps.WithLabelValues(op, result).Inc()
	m.storeDurations.WithLabelValues(op).Observe(d.Seconds())
}

// StoreCommand counts one command to MongoDB; result is "ok" or "error".
func (m *Metrics) StoreCommand(command, result string, d time.Duration) {
	m.storeCommands.WithLabelValues(command, result).Inc()
	m.commandTimes.WithLabelValues(command).Observe(d.Seconds())
}

// GroupCommit counts one commit of the embedded store that made so many writes durable.
func (m *Metrics) GroupCommit(writes int, d time.Duration) {
	m.commitWrites.Observe(float64(writes))
	m.commitDuration.Observe(d.Seconds())
}

// Mail counts one attempt to send a mail.
func (m *Metrics) Mail(template, result string) { m.mails.WithLabelValues(template, result).Inc() }

// WatchMail asks fn, at each scrape, for how long the oldest mail has waited.
func (m *Metrics) WatchMail(fn func() time.Duration) { m.mailWaiting.Store(&fn) }

func (m *Metrics) mailQueueAge() float64 {
	if fn := m.mailWaiting.Load(); fn != nil {
		return (*fn)().Seconds()
	}
	return 0
}

// InFlight counts the requests that next is answering.
func (m *Metrics) InFlight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.inFlight.Inc()
		defer m.inFlight.Dec()
		next.ServeHTTP(w, r)
	})
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead,
		http.MethodOptions,
		"BULK POST", "BULK PUT", "BULK PATCH", "BULK DELETE": // operations of a Bulk request
		return method
	}
	return "other"
}

// statusText spares an allocation for the codes that make up nearly all answers.
func statusText(status int) string {
	switch status {
	case http.StatusOK:
		return "200"
	case http.StatusCreated:
		return "201"
	case http.StatusNoContent:
		return "204"
	}
	return strconv.Itoa(status)
}

func statusClass(status int) string {
	switch status / 100 {
	case 1:
		return "1xx"
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	}
	return "5xx"
}
