# make setup   system packages, .venv, requirements
# make run     a short simulated session
# make test    lint, types, tests: what CI runs
# make bench   speed, as ratios

PYTHON ?= python3
VENV := .venv/bin
READY := .venv/ready

.PHONY: setup run test lint bench

setup:
	PYTHON=$(PYTHON) tools/setup.sh

$(READY): requirements.txt requirements-dev.txt tools/setup.sh
	PYTHON=$(PYTHON) tools/setup.sh

run: $(READY)
	tools/run_demo.sh

lint: $(READY)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

test: lint
	$(VENV)/pytest

bench: $(READY)
	$(VENV)/python benchmarks/loop.py
