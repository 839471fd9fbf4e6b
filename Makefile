# Everything runs in .venv, which the first command that needs it creates.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check bench golden
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	# The exact version first: a range would let another package choose the build.
	$(BIN)/python -m pip install -q torch==2.13.0
	$(BIN)/python -m pip install -q -e '.[torch,report,gpu,dev]'
	touch $@

demo: $(READY)  ## compile, run, check and profile the models that ship
	$(BIN)/python -m edgemoe.models.demo

test: $(READY)  ## all tests; those that need an absent tool say its name
	@.ci/install-tools
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

check: $(READY)  ## lint, types, import contracts, what is generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m edgemoe.status_table --check README.md

bench: $(READY)  ## ratios to peers, measured in the same run
	$(BIN)/python -m benchmarks --json benchmarks.json --plot benchmarks.png
	$(BIN)/python -m benchmarks.overheads

golden: $(READY)  ## write the golden files anew; look at the difference before you commit
	$(BIN)/python -m pytest -n 2 --dist loadfile --update-golden $(PYTEST)
