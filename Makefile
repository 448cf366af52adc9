# Every target sets itself up: it makes .venv, installs the hash-locked set that it needs, once, and runs.
# `make demo` and `make test` are the two commands to know; `make check` is all that CI demands.

PYTHON  ?= python3
ARGS    ?=
WORKERS ?= 3

BIN     := .venv/bin
STAMPS  := .venv/stamps
RUN     := $(BIN)/python
PIP     := $(RUN) -m pip --disable-pip-version-check --quiet
DOCS    := docs/_build/html

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint format types imports coverage mutants docs bench bench-once live threats risks checklist architecture decoders lock clean

help:
	@echo "make demo     a guarded payment on a private chain, then the attacks that fail (ARGS=--interactive)"
	@echo "make test     the tests, but for the slow sweeps, which make live runs (ARGS='-m \"not live\"' for all)"
	@echo "make check    lint, types, imports, tests with coverage, the demonstration, mutants, docs, each benchmark once"
	@echo "make lint     ruff, mypy, basedpyright, import contracts, rules of the repository"
	@echo "make format   let ruff rewrite"
	@echo "make mutants  mutation testing of ceremony, proofs, policy, journal (ARGS='--all')"
	@echo "make docs     build $(DOCS)/index.html"
	@echo "make bench    measure, and judge against the limits"
	@echo "make live     the slow sweeps over whole processes, and tests that talk to the outside world"
	@echo "make threats  write docs/threats.md from docs/threats.toml and the sources"
	@echo "make risks    write docs/risks.md from the table of checks"
	@echo "make checklist  write docs/checklist.md and its JSON twin from docs/checklist.toml"
	@echo "make architecture  write the parts of docs/architecture.md that are read from the code"
	@echo "make decoders  write the list of docs/decoders.md from the table of functions"
	@echo "make lock     resolve requirements/*.txt again (ARGS=--upgrade)"
	@echo "make clean    remove all that was made here"

# ------------------------------------------------------------------------------------------------- commands

demo: $(STAMPS)/demo
	$(BIN)/mcp-wallet-guard demo $(ARGS)

test: $(STAMPS)/test
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m "not live and not slow" $(ARGS)

check: $(STAMPS)/check
	$(MAKE) lint
	$(MAKE) coverage
	$(MAKE) mutants
	$(MAKE) docs
	$(MAKE) bench-once

lint: $(STAMPS)/check
	$(BIN)/ruff check src tests examples benchmarks tools docs
	$(BIN)/ruff format --check src tests examples benchmarks tools docs
	$(RUN) tools/repository_rules.py
	$(MAKE) imports
	$(MAKE) types

format: $(STAMPS)/lint
	$(BIN)/ruff check --fix src tests examples benchmarks tools docs
	$(BIN)/ruff format src tests examples benchmarks tools docs

types: $(STAMPS)/check
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(RUN)
	@# --verifytypes asks the `python` on PATH where the package is, whatever --pythonpath says
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/basedpyright --verifytypes mcp_wallet_guard --ignoreexternal

imports: $(STAMPS)/lint
	$(BIN)/lint-imports --no-logo --no-cache

coverage: $(STAMPS)/check
	$(RUN) tools/coverage_bars.py --own --workers $(WORKERS)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal -m "not live and not slow"
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal tests/demo
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet
	$(RUN) tools/coverage_bars.py build/coverage.json

mutants: $(STAMPS)/check
	$(RUN) tools/mutants.py --workers $(WORKERS) $(ARGS)

docs: $(STAMPS)/docs
	$(BIN)/sphinx-build -W --keep-going -n -q -b html docs $(DOCS)
	@echo "$(DOCS)/index.html"

bench: $(STAMPS)/demo
	$(RUN) benchmarks/run.py $(ARGS)

bench-once: $(STAMPS)/demo
	$(RUN) benchmarks/run.py --once

threats: $(STAMPS)/created
	$(RUN) tools/threats.py

risks: $(STAMPS)/test
	$(RUN) tools/risks.py

checklist: $(STAMPS)/created
	$(RUN) tools/checklist.py

architecture: $(STAMPS)/test
	$(RUN) tools/architecture.py

decoders: $(STAMPS)/test
	$(RUN) tools/decoders.py

live: $(STAMPS)/check
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m "live or slow" --ignore=tests/demo $(ARGS)

# --------------------------------------------------------------------------------------------- environments

# requirements/<set>.txt -> .venv, once. All sets are cut from requirements/check.txt, so they never disagree.
$(STAMPS)/%: requirements/%.txt pyproject.toml | $(STAMPS)/created
	$(PIP) install --require-hashes --only-binary :all: -r $<
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(if $(filter check,$*),$(addprefix $(STAMPS)/,demo test lint docs)) # check holds all the others

$(STAMPS)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS)
	@touch $@

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/lock.txt
	.venv-lock/bin/python tools/lock.py $(ARGS)

clean:
	rm -rf .venv .venv-lock build dist docs/_build .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests examples benchmarks tools docs -name __pycache__ -type d -prune -exec rm -rf {} +
