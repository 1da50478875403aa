package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lifecycleCollectors count what happens to people. No label names anybody.
type lifecycleCollectors struct {
	invites      *prometheus.CounterVec
	accepted     prometheus.Histogram
	joinRequests *prometheus.CounterVec
	joinDecided  prometheus.Histogram
	badTokens    *prometheus.CounterVec
}

// personBuckets reach from a minute, in which somebody accepts who sat waiting, to the month that an invite may last.
func personBuckets() []float64 {
	const minute, hour, day = 60, 3600, 24 * 3600
	return []float64{minute, 5 * minute, 15 * minute, hour, 4 * hour, 12 * hour, day, 2 * day, 4 * day, 7 * day, 14 * day, 30 * day}
}

func newLifecycleCollectors() lifecycleCollectors {
	c := lifecycleCollectors{
		invites: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_invites_total",
			Help: "Addresses of requests to invite by outcome, and ends of invites: accepted, declined, revoked, expired.",
		}, []string{"outcome"}),
		accepted: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "rollcall_invite_accept_seconds", Help: "Time from the making of an invite to its acceptance.", Buckets: personBuckets(),
		}),
		joinRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_join_requests_total",
			Help: "Join requests by what became of them: pending, approved, declined, withdrawn, expired, superseded.",
		}, []string{"outcome"}),
		joinDecided: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "rollcall_join_decision_seconds", Help: "Time from a join request to its decision.", Buckets: personBuckets(),
		}),
		badTokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_token_bad_tries_total", Help: "Wrong tokens and codes of links, by what they were for.",
		}, []string{"link"}),
	}
	// What has not happened yet is 0, and not absent: rates and alerts begin with the first one.
	for _, outcome := range []string{"created", "accepted", "declined", "revoked", "expired"} {
		c.invites.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"pending", "approved", "declined", "withdrawn", "expired", "superseded"} {
		c.joinRequests.WithLabelValues(outcome)
	}
	for _, link := range []string{"invite", "join"} {
		c.badTokens.WithLabelValues(link)
	}
	return c
}

func (c *lifecycleCollectors) all() []prometheus.Collector {
	return []prometheus.Collector{c.invites, c.accepted, c.joinRequests, c.joinDecided, c.badTokens}
}

// Invite counts one address of a request to invite, or one end of an invite.
func (m *Metrics) Invite(outcome string) { m.people.invites.WithLabelValues(outcome).Inc() }

// InviteAccepted observes the time from the making of an invite to its acceptance.
func (m *Metrics) InviteAccepted(d time.Duration) { m.people.accepted.Observe(d.Seconds()) }

// JoinRequest counts one join request by what became of it.
func (m *Metrics) JoinRequest(outcome string) { m.people.joinRequests.WithLabelValues(outcome).Inc() }

// JoinDecided observes the time from a join request to its decision.
func (m *Metrics) JoinDecided(d time.Duration) { m.people.joinDecided.Observe(d.Seconds()) }

// BadToken counts one wrong token or code.
func (m *Metrics) BadToken(what string) { m.people.badTokens.WithLabelValues(what).Inc() }
