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
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

$(STAMPS)/requirements: requirements/develop.txt requirements/dataset.txt requirements/oracles.txt $(STAMPS)/tools
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --python ./$(BIN)/python --require-hashes -r requirements/develop.txt -r requirements/oracles.txt
	@$(UV) pip install --quiet --python ./$(BIN)/python --no-deps --require-hashes -r requirements/dataset.txt
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

.PHONY: proto
proto: setup ## generate the Python beside the protos
	@cd protos && PATH=../$(BIN):$$PATH ../$(BIN)/python -m grpc_tools.protoc -I. \
	  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. $(PROTOS)
	@cd protos && find hushlink -type d ! -name __pycache__ -exec sh -c 'test -e "$$1/__init__.py" || echo "\"\"\"Generated from the protos beside it.\"\"\"" > "$$1/__init__.py"' _ {} \;
