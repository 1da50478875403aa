package resources

// TypeRequest is a request with an Idempotency-Key, and its answer.
const TypeRequest = "IdempotentRequest"

// IdempotentRequest is the type of requests that are answered once.
func IdempotentRequest() *Definition {
	return internalType(TypeRequest, instant("until", "When the key is free again."))
}
