# Hushlink: `make demo` and `make test` do all their own set-up; see README.md.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
STAMPS := .build/stamps
MEMBERS := protos native services/domain services/mesh services/encoder services/matcher services/coordinator client
export UV_PYTHON_DOWNLOADS := never

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- set-up -----------------------------------------------------------------

$(STAMPS)/machine: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hushlink needs Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "the venv module is missing: install the package python3-venv"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || { echo "Python.h is missing: install the package python3-dev"; exit 1; }
	@command -v $${CC:-gcc} >/dev/null || { echo "no C compiler: install the package gcc"; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/tools: requirements/tools.txt | $(STAMPS)/machine
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

$(STAMPS)/requirements: requirements/build.txt requirements/develop.txt requirements/alone.txt requirements/oracles.txt $(STAMPS)/tools
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --python ./$(BIN)/python --require-hashes -r requirements/build.txt
	@$(UV) pip install --quiet --python ./$(BIN)/python --no-build-isolation-package metaphone --require-hashes -r requirements/develop.txt -r requirements/oracles.txt
	@$(UV) pip install --quiet --python ./$(BIN)/python --no-deps --require-hashes -r requirements/alone.txt
	@touch $@

$(STAMPS)/members: $(STAMPS)/requirements $(addsuffix /pyproject.toml,$(MEMBERS)) $(shell find native -name '*.[ch]' -o -name 'build_*.py' -o -name 'setup.py' -o -name 'cdef*' 2>/dev/null)
	@$(UV) pip install --quiet --python ./$(BIN)/python --no-deps --no-build-isolation $(foreach m,$(MEMBERS),-e ./$(m))
	@touch $@

.PHONY: setup
setup: $(STAMPS)/members ## .venv with everything in it

.PHONY: lock
lock: $(STAMPS)/tools ## resolve requirements/*.in and the members again into hashed pins
	@requirements/lock $(UV) $(MEMBERS)

.PHONY: clean
clean: ## remove everything that set-up made
	@rm -rf $(VENV) .tools .build

# ---- protos -----------------------------------------------------------------

PROTOS := $(shell cd protos && find hushlink -name '*.proto')
# $(call compile-protos,FOLDER): the generated Python of every proto, below FOLDER (as seen from protos/).
compile-protos = cd protos && PATH=../$(BIN):$$PATH ../$(BIN)/python -m grpc_tools.protoc -I. \
	  --python_out=$(1) --grpc_python_out=$(1) --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) $(PROTOS)

.PHONY: proto
proto: setup ## generate the Python beside the protos
	@$(call compile-protos,.)
	@cd protos && find hushlink -type d ! -name __pycache__ -exec sh -c 'test -e "$$1/__init__.py" || echo "\"\"\"Generated from the protos beside it.\"\"\"" > "$$1/__init__.py"' _ {} \;

.PHONY: check-generated
check-generated: setup ## the committed Python is what the protos generate
	@rm -rf .build/generated && mkdir -p .build/generated
	@$(call compile-protos,../.build/generated)
	@diff -r --brief -x __pycache__ -x '*.proto' -x __init__.py -x py.typed protos/hushlink .build/generated/hushlink \
	  || { echo "the generated Python is not what the protos say: run 'make proto' and commit"; exit 1; }

# ---- buf: lint and breaking changes of the protos; from npm -------------------

BUF := .build/node/node_modules/.bin/buf
# What the protos may not break: the last release, else what origin's main has, else the last commit.
PROTOS_BASE ?= $(or $(shell git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null),$(shell git rev-parse --quiet --verify origin/HEAD 2>/dev/null),HEAD)

$(STAMPS)/buf: requirements/node/package.json requirements/node/package-lock.json | $(STAMPS)/machine
	@mkdir -p .build/node && cp requirements/node/package.json requirements/node/package-lock.json requirements/node/.npmrc .build/node/
	@cd .build/node && npm install --silent
	@touch $@

.PHONY: check-protos
check-protos: ## buf's lint, format and breaking-change checks
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory buf; \
	  elif [ -n "$${CI:-}" ]; then echo "check-protos: npm is missing, and CI requires it: install the package npm"; exit 1; \
	  else echo "SKIPPED check-protos: there is no npm, which buf comes from; CI runs it"; fi

.PHONY: buf
buf: $(STAMPS)/buf
	@cd protos && ../$(BUF) lint && ../$(BUF) format --diff --exit-code
	@cd protos && { ! git -C .. rev-parse --quiet --verify '$(PROTOS_BASE)^{commit}' >/dev/null \
	  || ../$(BUF) breaking --against '../.git#ref=$(PROTOS_BASE),subdir=protos'; }

# ---- checks -----------------------------------------------------------------

SOURCES := protos native/python services/domain/src services/mesh/src services/encoder/src services/matcher/src services/coordinator/src client/src

.PHONY: lint
lint: setup ## ruff: rules and format; hadolint on the Dockerfile
	@$(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; exit 1; }

.PHONY: types
types: setup ## mypy --strict over every member, the tests and the benchmarks
	@$(BIN)/mypy $(SOURCES) tests native/tests benchmarks

.PHONY: contracts
contracts: setup ## the import rules
	@$(BIN)/lint-imports

.PHONY: check
check: lint types contracts check-generated check-protos ## everything that is checked without running it

# ---- tests ------------------------------------------------------------------

.PHONY: test
test: check ## set up, check, and run every test; TESTS_REQUIRE_ALL=1 makes what this machine lacks an error
	@$(BIN)/python -m pytest $(TESTS)

# ---- images -----------------------------------------------------------------

ENGINE ?= docker
IMAGE_PREFIX ?= hushlink-
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -n 1)
BASES = $(if $(BASE),--build-arg BASE=$(BASE)) $(if $(BUILD_BASE),--build-arg BUILD_BASE=$(BUILD_BASE))

.PHONY: images
images: ## the three images; ENGINE=podman, BASE=, BUILD_BASE=, IMAGE_OPTIONS= for proxies (deploy/README.md)
	@for service in coordinator matcher encoder; do \
	  $(ENGINE) build -f deploy/Dockerfile --build-arg SERVICE=$$service --build-arg VERSION=$(VERSION) \
	    --build-arg REVISION=$$(git rev-parse --short HEAD 2>/dev/null || echo unknown) $(BASES) $(IMAGE_OPTIONS) \
	    -t $(IMAGE_PREFIX)$$service:$(VERSION) .; \
	done

# ---- benchmarks -------------------------------------------------------------

# Rivals that nothing but the benchmark needs. Where they can't be installed, the table says that it goes without them.
$(STAMPS)/rivals: requirements/bench.txt | $(STAMPS)/members
	@if $(UV) pip install --quiet --python ./$(BIN)/python --only-binary :all: --require-hashes -r requirements/bench.txt; \
	  then touch $@; else echo "bench: the rivals in requirements/bench.txt can't be installed here; going on without them"; fi

.PHONY: bench bench-quick bench-kernel bench-kernel-million bench-encoder bench-blocking bench-mesh
bench: bench-kernel bench-encoder bench-blocking bench-mesh ## figures beside the peers', measured in the same run

bench-kernel: setup $(STAMPS)/rivals ## the kernel beside its rivals, one table
	@$(BIN)/python -m benchmarks.kernel $(BENCH)

bench-kernel-million: setup ## 1,000,000 x 1,000,000 rows on all cores, pairs to disk (about ten minutes on two)
	@$(BIN)/python -m benchmarks.kernel.million $(BENCH)

bench-encoder: setup ## the encoder beside clkhash, the command line, Publish; with their bars
	@$(BIN)/python -m benchmarks.encoder

bench-mesh: setup
	@$(BIN)/python -m benchmarks.mesh

bench-blocking: setup ## blocking beside blocklib
	@$(BIN)/python -m benchmarks.blocking

bench-quick: setup $(STAMPS)/rivals ## the same at small sizes (under three minutes)
	@$(BIN)/python -m benchmarks.kernel --scale 0.1 --rounds 2
	@$(BIN)/python -m benchmarks.encoder --rows 50000 --people 100000 --published 100000 --rounds 1
	@$(BIN)/python -m benchmarks.mesh --sizes 50000 --repeats 3
	@$(BIN)/python -m benchmarks.blocking --rows 10000 --rounds 2

# ---- demo -------------------------------------------------------------------

.PHONY: demo
demo: setup ## a whole mesh on this machine links two files of invented people
	@$(BIN)/python -m hushlink_client.demo
