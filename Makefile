# make demo · make test · make bench: each does its own set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CELLPOSE4 := .venv-cellpose4
INSTALL := -m pip install --quiet --disable-pip-version-check
PIP := $(BIN)/python $(INSTALL) -c envs/constraints.txt
EXTRAS := cellpose,openvino,flatfield,napari,slurm,dev
# The tests are shared among so many.
PROCESSES ?= 2
# napari's tests draw; where there is no screen, Xvfb lends them one.
XVFB := $(shell command -v xvfb-run)
SCREEN := $(if $(DISPLAY),,$(if $(XVFB),xvfb-run -a -s "-screen 0 1280x1024x24"))

.PHONY: demo test test-cellpose4 lint generate bench clean

demo: $(VENV)/.core
	$(BIN)/mifprofile demo -o demo

test: $(VENV)/.dev lint
	$(SCREEN) $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# Cellpose 4 cannot be installed beside Cellpose 3.
test-cellpose4: $(CELLPOSE4)/.ready
	$(CELLPOSE4)/bin/python -m pytest tests/cellpose4

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate --imports src/mifprofile/napari/napari.yaml
	$(BIN)/snakefmt --check workflow Snakefile
	$(BIN)/snakemake --lint -s workflow/Snakefile

# Every file that is made from the code.
generate: $(VENV)/.dev
	$(BIN)/python -m mifprofile.io.schemas workflow/schemas
	$(BIN)/python -m mifprofile.io.dictionary docs/metrics.md

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per set of packages: a second run installs nothing.
$(VENV)/.core: pyproject.toml envs/constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[openvino]'
	touch $@

$(VENV)/.dev: pyproject.toml envs/constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[$(EXTRAS)]'
	touch $@ $(VENV)/.core

$(CELLPOSE4)/bin/python:
	$(PYTHON) -m venv $(CELLPOSE4)

$(CELLPOSE4)/.ready: pyproject.toml envs/cellpose4.txt | $(CELLPOSE4)/bin/python
	$(CELLPOSE4)/bin/python $(INSTALL) -c envs/cellpose4.txt -e '.[cellpose]' pytest
	touch $@

clean:
	rm -rf $(VENV) $(CELLPOSE4) demo results logs .snakemake
