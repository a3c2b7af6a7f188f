# make setup      system packages, .venv (CLNF), .venv-clmf (CLMF), what the rig needs in them
# make setup-analysis   what reports need, on a rig; elsewhere `make setup` installs it, too
# make setup-genicam   adds what industrial cameras need (GenICam): docs/genicam.md
# make run        a short simulated CLNF session
# make run-clmf   a short simulated CLMF session, tracked by the real DeepLabCut-Live
# make test       installs what only tests need, then lint, types, documentation, tests: what CI runs
# make docs       makes a site of README.md and docs, in site/; dead links fail
# make torture    every promise of the rig, many times (half an hour)
# make test-picamera2   runs the real picamera2 on libcamera's virtual camera, where there is one: CONTRIBUTING.md, Tests
# make test-readers   opens what analysis/export.py writes with wfield and ONE, which it installs (1.6 GB)
# make bench      speed, next to what must be reached and a reference

PYTHON ?= python3
VENV := .venv/bin
CLMF := .venv-clmf/bin
READY := .venv/ready
TESTS := .venv/ready-for-tests
SOURCES := $(wildcard *.py) rig analysis brain behavior benchmarks tools tests
DOCS := .venv-docs/ready
CLMF_READY := .venv-clmf/ready
CLMF_TESTS := .venv-clmf/ready-for-tests
# Why CLMF cannot run here: on a Raspberry Pi, or where Python is too new for DeepLabCut-Live.
NO_CLMF := $(shell PYTHON=$(PYTHON) tools/setup.sh no-clmf)

.PHONY: setup setup-analysis setup-genicam run run-clmf test lint docs test-clnf test-clmf test-picamera2 test-readers torture bench

setup:
	@PYTHON=$(PYTHON) tools/setup.sh

setup-genicam:
	@PYTHON=$(PYTHON) tools/setup.sh genicam

$(READY): requirements.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clnf

setup-analysis:
	@PYTHON=$(PYTHON) tools/setup.sh analysis

$(TESTS): requirements.txt requirements-analysis.txt requirements-dev.txt requirements-genicam.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clnf analysis genicam tests
	@touch $@

$(CLMF_READY): requirements.txt requirements-clmf.txt requirements-torch.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clmf

$(CLMF_TESTS): requirements.txt requirements-clmf.txt requirements-torch.txt requirements-dev.txt requirements-genicam.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clmf genicam tests

$(DOCS): requirements-docs.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh docs

run: $(READY)
	tools/run_demo.sh brain/cla_reward_punish_1roi.py

run-clmf: $(CLMF_READY)
	tools/run_demo.sh behavior/cla_dlc_trials_speed.py

lint: $(TESTS)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/vermin --quiet --no-tips --violations --target=3.10- --exclude str.decode $(SOURCES)

test: lint docs test-clnf test-clmf

# Without --quiet: --strict counts only the warnings that are shown.
docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

test-clnf: $(TESTS)
	$(VENV)/pytest --ignore tests/clmf -m "not alone"
	$(VENV)/pytest --ignore tests/clmf -m alone -n 0

ifneq ($(NO_CLMF),)
test-clmf:
	@echo "SKIPPED: the tests of CLMF.  $(NO_CLMF)"
else
test-clmf: $(CLMF_TESTS)
	$(CLMF)/pytest tests/clmf tests/test_window.py
endif

torture: $(TESTS)
	$(VENV)/python tests/support/promises.py

# pytest runs in .venv; what it starts on the camera runs in the environment that virtual_camera.sh makes next to libcamera.
test-picamera2: $(TESTS)
	PYTHON=$(PYTHON) tools/virtual_camera.sh
	$(VENV)/pytest -n 0 tests/test_picamera2.py

test-readers: $(TESTS)
	@PYTHON=$(PYTHON) tools/setup.sh readers
	$(VENV)/pytest -n 0 tests/test_export_fields.py

bench: $(READY) $(CLMF_READY)
	$(VENV)/python benchmarks/bench.py
