# Everything here needs Go, and the race detector a C compiler.

.DEFAULT_GOAL := help
.PHONY: help test quick lint generate demo bench

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

test: ## everything, with the race detector and the rules of the house
	go vet ./...
	go test -race -timeout 15m ./...

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
