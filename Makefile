# Everything a person or a machine does here begins with `make`. `make help` tells what there is.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install

# Only from make's own command line: a shell that exports HOST means its machine's name by it.
given = $(if $(filter command,$(firstword $(origin $(1)))),$(2) '$($(1))')
SERVE = $(call given,HOST,--host) $(call given,PORT,--port) $(call given,DATA,--data) $(call given,CONFIG,--config)

.PHONY: help serve migrate test check format bench soak lock clean

help: ## tell what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

serve: $(VENV)/.runtime ## install what is locked, migrate and serve on 127.0.0.1:5000; takes HOST= PORT= DATA= CONFIG=
	@exec $(BIN)/entrepot serve $(SERVE)

migrate: $(VENV)/.runtime ## bring the database up to date; takes DATA= CONFIG=
	@exec $(BIN)/entrepot migrate $(call given,DATA,--data) $(call given,CONFIG,--config)

# The system tests drive whole daemons and go alone; the others share the cores. Both halves run, whatever the first says.
# What ARGS names is run as it is named.
test: $(VENV)/.dev ## run every test that this machine can run; takes REQUIRE_ALL=1 and ARGS= for pytest
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@status=0; set -x; \
	$(BIN)/python -m pytest -n 2 --ignore=tests/system || status=$$?; \
	$(BIN)/python -m pytest tests/system || status=$$?; \
	exit $$status
endif

check: $(VENV)/.dev ## format, lint, types, the arrows between rooms, and whether the documents tell the truth
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture

format: $(VENV)/.dev ## format, and repair what the linter can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure this server beside another one; takes ARGS=
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/.dev ## push, delete and collect for ten minutes over each database and store, killing workers; takes ARGS=
	$(BIN)/python -m tests.soak $(ARGS)

# setuptools builds our own package, so it is locked with the rest; the runtime lock follows the versions of the other.
lock: $(VENV)/.dev ## resolve the dependencies again; takes UPGRADE=--upgrade
	$(PIP) uv
	echo 'setuptools>=77' | $(RESOLVE) --extra dev --output-file requirements-dev.lock pyproject.toml -
	echo 'setuptools>=77' | $(RESOLVE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml -

RESOLVE = $(BIN)/python -m uv pip compile --quiet --no-header --generate-hashes --universal --no-emit-index-url \
	--python-version 3.11 $(UPGRADE)

clean: ## remove what make made, but never data
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find registry migrations tests -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'error: Python 3.11 or later is needed; name one with make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo 'error: this Python cannot make environments; on Debian: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp is younger than the lock that was installed last.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo 'installing what requirements.lock names into $(VENV); this is done once'
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo 'installing what requirements-dev.lock names into $(VENV); this is done once'
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime
