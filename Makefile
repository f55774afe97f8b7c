# `make up` runs Kentongan with simulated carriers, `make test` runs every test, `make bench` measures
# how fast it is (ONLY=row FULL=1 ENGINE=sqlite), `make chaos` what it survives (ONLY=fault SEED=7
# ENGINE=sqlite, and FULL=1 for hours or CUT=1 for minutes).
# They need git, make and Python 3.11 or newer with venv; all else is installed into .venv.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run-$(shell cksum < requirements-run.txt | cut -d' ' -f1)
TEST_STAMP := $(VENV)/.test-$(shell cksum < requirements-test.txt | cut -d' ' -f1)
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q
# Two test processes: the journeys start process trees of their own.
JOBS ?= 2

.PHONY: up test check bench chaos format docs lock clean

up: $(RUN_STAMP)
	@exec $(BIN)/kentongan up

test: $(TEST_STAMP)
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup

bench: $(TEST_STAMP)
	@$(BIN)/python -m bench

chaos: $(TEST_STAMP)
	@$(BIN)/python -m tests.chaos

check: $(TEST_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup tests/unit tests/contract tests/architecture

format: $(TEST_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(RUN_STAMP)
	$(BIN)/kentongan config docs > docs/configuration.md

$(BIN)/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kentongan needs Python 3.11 or newer: make $(MAKECMDGOALS) PY=python3.12"; exit 1; }
	@$(PY) -c 'import ensurepip, venv' || { echo "Python's venv module is missing (Debian: apt install python3-venv)"; exit 1; }
	$(PY) -m venv $(VENV)

$(RUN_STAMP): requirements-run.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --only-binary :all: -r requirements-run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(TEST_STAMP): requirements-test.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --only-binary :all: -r requirements-test.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(RUN_STAMP)

# Versions with hashes and without index addresses; needs `uv` on the PATH.
lock:
	uv pip compile -q pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements-run.txt
	uv pip compile -q pyproject.toml --group build --group test --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  -c requirements-run.txt -o requirements-test.txt

clean:
	rm -rf $(VENV) build
