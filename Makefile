# Everything that people and CI run. `make help` lists it; CI calls these targets and nothing else.

GO          ?= go
BIN         := bin/rollcall
TOOLS       := $(CURDIR)/.tools
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION    ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS     := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)
FUZZTIME    ?= 10s
TEST_TIMEOUT ?= 30m
BENCH_GROWTH ?= ^(get|userName|externalId|list first|patch as Entra|create|one member, group of 10000)

# The newest golangci-lint that builds with Go 1.26; the newest govulncheck whose own dependencies can be had.
GOLANGCI_VERSION    := v2.15.0
GOVULNCHECK_VERSION := v1.8.0
GOLANGCI    := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/rollcall, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/rollcall

.PHONY: dist
dist: ## make the archives of a release in dist/, for each platform, with checksums
	VERSION='$(VERSION)' REVISION='$(REVISION)' scripts/dist.sh

.PHONY: run
run: build ## build and serve on http://127.0.0.1:8080/scim/v2, with the database in ./rollcall-data
	./$(BIN) serve

.PHONY: test
test: ## run all tests, with the race detector and in random order; then the crash test at full length
	$(GO) test -race -shuffle=on -timeout $(TEST_TIMEOUT) ./...
	$(GO) test -count=1 -run '^TestCrash' -v ./cmd/rollcall

.PHONY: test-mongo
test-mongo: ## run the MongoDB tests, with faults on a replica set of three: needs mongod on PATH or in ROLLCALL_TEST_MONGOD
	ROLLCALL_TEST_REQUIRE=mongodb $(GO) test -count=1 ./storage/mongo/
	ROLLCALL_TEST_REQUIRE=mongodb $(GO) test -count=1 -run MongoDB ./scim/api/ ./internal/acceptance/ ./cmd/rollcall/
	ROLLCALL_TEST_REQUIRE=mongodb $(GO) test -count=1 -timeout 30m -tags mongofault -run '^TestFaults$$' -v ./cmd/rollcall/

.PHONY: lint
lint: fmt-check vulncheck $(GOLANGCI) ## check format, module file, style, import rules and known vulnerabilities
	$(GO) mod verify
	$(GOLANGCI) run ./...

.PHONY: fmt-check
fmt-check: ## fail if a file is not formatted or go.mod is not tidy
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted:"; echo "$$files"; exit 1; fi
	$(GO) mod tidy -diff

.PHONY: fmt
fmt: $(GOLANGCI) ## format all files
	$(GOLANGCI) fmt ./...

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## look for known vulnerabilities in what the code calls
	@scripts/vulncheck.sh $(GOVULNCHECK)

.PHONY: conformance
conformance: build ## run third-party SCIM checkers against a started server
	scripts/conformance.sh

.PHONY: deploy-check
deploy-check: build ## check deploy/ and the workflows with the tools that exist for each; it says what it could not check
	scripts/deploy-check.sh

.PHONY: bench
bench: build bin/rollcall-bench ## measure the server beside its floor in some minutes; BENCH_FLAGS=--full measures more, docs/performance.md explains
	bin/rollcall-bench $(BENCH_FLAGS)

.PHONY: bench-growth
bench-growth: build bin/rollcall-bench ## measure with 10,000, 100,000 and 1,000,000 users and draw docs/performance/growth.svg
	for n in 10000 100000 1000000; do bin/rollcall-bench --users $$n --only '$(BENCH_GROWTH)' --json bin/growth-$$n.json $(BENCH_FLAGS) || exit 1; done
	bin/rollcall-bench growth bin/growth-10000.json bin/growth-100000.json bin/growth-1000000.json

.PHONY: bin/rollcall-bench
bin/rollcall-bench:
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/rollcall-bench

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: golden
golden: ## write the expected answers of the transcripts anew; read the diff before you commit it
	$(GO) test ./scim/api ./admin -update

.PHONY: ci
ci: lint test fuzz conformance ## what CI runs

.PHONY: clean
clean: ## remove what was built; the database stays
	rm -rf bin .tools coverage.out

$(GOLANGCI):
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(TOOLS)/golangci-lint $@

$(GOVULNCHECK):
	GOBIN=$(TOOLS) $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	mv $(TOOLS)/govulncheck $@
