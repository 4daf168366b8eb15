# Two commands suffice on a fresh machine with Rust and Python 3: `make demo` and `make test`.
# Whatever else is missing is fetched below target/ and nothing is installed.

CARGO ?= cargo

# Where tests, demo and benchmark find what cargo does not build for them.
export TRACEGATE_FILTER ?= $(CURDIR)/target/wasm32-wasip1/filter/tracegate_filter.wasm
export TRACEGATE_ENVOY_DIR ?= $(CURDIR)/target/envoy

# Cargo shows what it does when there is much to do.
quiet = $(if $(wildcard $(1)),--quiet)
RUN_DEMO = $(CARGO) run $(call quiet,target/debug/tracegate-demo) --package tracegate-demo

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 25

.PHONY: demo
demo: ready ## walk through the main job on a real Envoy, as a story
	@$(RUN_DEMO)

.PHONY: up
up: ready ## start the same and keep it running, with curl commands to try
	@$(RUN_DEMO) -- up

.PHONY: test
test: ready ## set up what is missing and run every test
	@scripts/setup-envoy 1.38.2 1.36.4
	$(CARGO) test --workspace

.PHONY: test-containers
test-containers: ready ## run a few end-to-end tests with Envoy in containers
	scripts/test-containers

.PHONY: lint
lint: ## formatting, clippy with the deny list, cargo-deny where it is installed
	scripts/lint

.PHONY: bench
bench: ready ## measure against jwt_authn and lua; writes bench/results.md
	$(CARGO) run --package tracegate-bench

.PHONY: filter
filter: ## build the wasm module
	@scripts/build-filter
	@ls -l $(TRACEGATE_FILTER)

.PHONY: fuzz
fuzz: ## list the fuzz targets and how to run one
	@echo "with a nightly toolchain and cargo-fuzz: cargo +nightly fuzz run TARGET, TARGET one of"
	@sed -n '/^\[\[bin\]\]/,/^name/s/^name = "\(.*\)"/  \1/p' fuzz/Cargo.toml

.PHONY: ready
ready:
	@scripts/setup
	@scripts/build-filter $(call quiet,$(TRACEGATE_FILTER))
