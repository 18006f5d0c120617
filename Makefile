# Everything here needs Go, and the race detector a C compiler.

.DEFAULT_GOAL := help

# What the proofs counted, and the packages that count.
FIGURES := $(CURDIR)/.figures
PROOFS := ./internal/... ./journal/pebble ./participant/internal/wal ./participant/files ./participant/mysql ./participant/sqlbranch ./participant/remote
.PHONY: help test quick lint generate demo bench proof figures spin servers

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

test: spin servers ## everything: with the race detector, then the proofs at full length
	go vet ./...
	go test -race -timeout 15m ./...
	$(MAKE) figures
	go run ./internal/proof/page -figures $(FIGURES) > $(FIGURES)/proof.md

proof: spin figures ## the proofs at full length, and docs/proof.md of what they counted
	go test -coverpkg=./... -coverprofile=$(FIGURES)/coverage.out ./... > $(FIGURES)/coverage.txt
	go run ./internal/proof/page -figures $(FIGURES) -coverage $(FIGURES)/coverage.out > $(FIGURES)/proof.md
	cp $(FIGURES)/proof.md docs/proof.md

# The proofs at full length, and what they counted.
figures:
	rm -rf $(FIGURES) && mkdir -p $(FIGURES)
	DTC_PROOF_DIR=$(FIGURES) go test -count=1 -timeout 20m $(PROOFS)

# The models need Spin; without it they are not searched, and make test says so.
spin:
	@command -v spin > /dev/null || apt-get install -y -qq spin > /dev/null 2>&1 || \
		echo "spin is not installed: the models are not searched"

# Adapters are tested against real servers; without them those tests are skipped,
# and make test says so.
SERVERS := postgresql mariadb-server redis-server nats-server
servers:
	@{ ls /usr/lib/postgresql/*/bin/postgres && which mariadbd && which redis-server && which nats-server; } > /dev/null 2>&1 || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(SERVERS); } > /dev/null 2>&1 || \
		echo "not all of $(SERVERS) are installed: tests that need them are skipped"

quick: ## what is done in seconds
	go test -short ./...

lint: ## the rules of the house alone
	go test ./internal/house

generate: ## write generated code again
	go generate ./...

demo: ## orders through inventory, payment and shipping
	go run ./demo

bench: ## the benchmark suite
	go test -run '^$$' -bench . -benchmem ./bench/...
