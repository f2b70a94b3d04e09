# hostward: build, run, test. Every target works on a fresh Debian 12 with Go.

GO      ?= go
GOFLAGS ?= -trimpath
BIN     := bin/hostward
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# axe-core is the accessibility checker of the browser tests: pinned, fetched
# from npm into .cache/, never shipped.
AXE_VERSION := 4.14.1
AXE         := .cache/axe-core-$(AXE_VERSION)/axe.min.js

# Pebble is the certificate authority of the tests (ACME): pinned, built from its
# module into .cache/, never shipped.
PEBBLE_VERSION := v2.10.1
PEBBLE         := .cache/pebble-$(PEBBLE_VERSION)/pebble

# Debian packages that the tests talk to: databases, other name servers,
# validators, a browser.
TEST_PACKAGES := sqlite3 postgresql dnsutils ldnsutils knot knot-dnsutils knot-dnssecutils nsd bind9 bind9-utils unbound pdns-server pdns-backend-sqlite3 chromium python3 iproute2 systemd fail2ban postfix lego dnsviz apache2 chrony nftables systemd-journal-remote procps

.PHONY: build run test unit mutate lint vet bench deps clean

build: $(BIN)

$(BIN): $(shell find cmd internal -type f) go.mod go.sum
	CGO_ENABLED=0 $(GO) build $(GOFLAGS) -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./cmd/hostward

run: build
	$(BIN) serve --data data --config data/etc --listen 127.0.0.1:8443 --dns 127.0.0.1:5300

# Everything that CI runs.
test: deps build
	$(GO) vet ./...
	GOOS=windows $(GO) build ./...
	HOSTWARD_TEST_FULL=1 AXE_CORE=$(abspath $(AXE)) PEBBLE=$(abspath $(PEBBLE)) $(GO) test -timeout 20m ./...

# The tests that need nothing but Go; what is missing on the machine is skipped.
unit:
	$(GO) test ./...

# Takes each tx.Record away in turn and weakens the gate by hand; the tests must
# notice each. "make test" does the same with a sample.
mutate:
	HOSTWARD_MUTATE=all $(GO) test -count=1 -timeout 20m -v -run 'TestASilentFeature|TestAWeakDoor' ./internal/house

lint:
	$(GO) tool -modfile=tools/go.mod golangci-lint run

# Figures, side by side with peers; see docs/benchmarks.md.
bench:
	bench/run.sh

deps: $(AXE) $(PEBBLE)
	@if [ "$$(id -u)" = 0 ]; then \
	  missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(TEST_PACKAGES) 2>/dev/null | awk '$$2=="installed"{print $$1}' | sort > .cache/have; echo $(TEST_PACKAGES) | tr ' ' '\n' | sort | comm -23 - .cache/have); \
	  if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi; \
	else echo "not root: install for the full test: $(TEST_PACKAGES)"; fi

$(PEBBLE):
	mkdir -p $(dir $@)
	GOBIN=$(abspath $(dir $@)) $(GO) install github.com/letsencrypt/pebble/v2/cmd/pebble@$(PEBBLE_VERSION)

$(AXE):
	mkdir -p $(dir $@)
	cd .cache && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null && tar -xzf axe-core-$(AXE_VERSION).tgz -C axe-core-$(AXE_VERSION) --strip-components=1

clean:
	rm -rf bin .cache
