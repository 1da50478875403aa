package resources_test

import (
	"fmt"
	"testing"

	"rollcall/scim"
)

// BenchmarkBulkCreate is the service's part of the target of 25,000 users a second through Bulk.
func BenchmarkBulkCreate(b *testing.B) {
	f := newFixture(b)
	const size = 1000
	n := 0
	for b.Loop() {
		b.StopTimer()
		ops := make([]scim.BulkOperation, size)
		for i := range ops {
			n++
			ops[i] = f.post("User", fmt.Sprint(i), fmt.Sprintf(`"userName":"user%d@example.com","externalId":"x%d","displayName":"User %d",
				"name":{"familyName":"Family%d","givenName":"Given"},"emails":[{"value":"user%d@example.com","type":"work","primary":true}]`, n, n, n, n, n))
		}
		b.StartTimer()
		for i, r := range f.bulk(0, ops...) {
			if r.Status != 201 {
				b.Fatalf("operation %d: %+v", i, r)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "users/s")
	b.ReportAllocs()
}

// BenchmarkCreate is one user after the other, each durable before the next.
func BenchmarkCreate(b *testing.B) {
	f := newFixture(b)
	n := 0
	for b.Loop() {
		n++
		f.create("User", fmt.Sprintf(`"userName":"user%d@example.com","name":{"familyName":"Family%d"}`, n, n))
	}
	b.ReportAllocs()
}
