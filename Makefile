# Two commands: `make run` and `make test`. Both make .venv and install what is missing.
# The first Python on the path that runs and is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
TASK ?= imdb_dense

.DEFAULT_GOAL := help
.PHONY: help run test test-all kill-test bench lint format clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: .venv/.installed ## install, then dlrun train task=imdb_dense (TASK=… for another)
	$(BIN)/dlrun train task=$(TASK) dataset.source=auto

test: .venv/.installed-dev ## install, then the test suite (minutes)
	$(BIN)/python -m pytest -n auto

test-all: .venv/.installed-dev ## the slow tests too
	$(BIN)/python -m pytest -n auto -m "not gpu and not network and not slurm"

kill-test: .venv/.installed ## kill a run at ten random moments: it must end bit for bit the same
	$(BIN)/python tests/kill_and_resume.py task=$(TASK)

bench: .venv/.installed-dev ## measure against other runners; see benchmarks/README.md
	$(BIN)/python -m benchmarks.run

lint: .venv/.installed-dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.installed-dev ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv and caches; runs/ stays
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache

.venv/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3 …"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: .venv/.made pyproject.toml
	@echo "Installing into .venv (torch with CUDA is about 5 GB; once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.installed-dev: .venv/.made pyproject.toml
	@echo "Installing into .venv (torch with CUDA is about 5 GB; once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.installed
