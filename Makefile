# labctl's commands for developers. The two that a newcomer needs: `make demo` and `make test`.
.DEFAULT_GOAL := help
SWIFT ?= swift
CONFIGURATION ?= release
LABCTL := .build/$(CONFIGURATION)/labctl
SWIFT_BUILD_FLAGS ?= $(if $(filter release,$(CONFIGURATION)),$(shell Scripts/build-flags))

.PHONY: help build install demo test fmt check bench clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## Build labctl in .build/release
	@Scripts/setup build
	$(SWIFT) build -c $(CONFIGURATION) --product labctl $(SWIFT_BUILD_FLAGS)

install: build ## Install labctl in PREFIX/bin (default /usr/local)
	install -d "$(or $(PREFIX),/usr/local)/bin"
	install -s -m 0755 $(LABCTL) "$(or $(PREFIX),/usr/local)/bin/labctl"

demo: ## Run the main job in a sandbox on loopback, twice, then verify
	@Scripts/setup demo
	$(SWIFT) build -c $(CONFIGURATION) --product labctl $(SWIFT_BUILD_FLAGS)
	@Scripts/demo $(LABCTL)

test: ## Install what the tests need and run all of them
	@Scripts/setup test
	$(SWIFT) build --build-tests
	@Scripts/test

fmt: ## Format the sources
	$(SWIFT) format format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks

check: ## Check formatting and the rules that a command can check
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks
	Scripts/check-rules

bench: build ## Measure labctl beside its peers
	@Scripts/setup bench
	Benchmarks/run

clean: ## Remove what was built
	$(SWIFT) package clean
