# make demo · make test · make bench: each does its own set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	-c envs/constraints.txt
EXTRAS := cellpose,slurm,dev

.PHONY: demo test lint bench clean

demo: $(VENV)/.core
	$(BIN)/mifprofile demo -o demo

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check workflow Snakefile
	$(BIN)/snakemake --lint -s workflow/Snakefile

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per set of packages: a second run installs nothing.
$(VENV)/.core: pyproject.toml envs/constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/.dev: pyproject.toml envs/constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[$(EXTRAS)]'
	touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) demo results logs .snakemake
