# make setup      system packages, .venv (CLNF, and CLMF with an .onnx model), what the rig needs in it
# make setup-dlclive   .venv-clmf: CLMF with a .pt model (2 GB; on a Jetson `make setup` does it)
# make setup-tensorflow   .venv-tensorflow: CLMF with a TensorFlow folder (2 GB)
# make setup-analysis   what reports need, on a rig; elsewhere `make setup` installs it, too
# make setup-genicam   adds what industrial cameras need (GenICam): docs/genicam.md
# make run        a short simulated CLNF session
# make run-clmf   a short simulated CLMF session, tracked by a real network
# make test       installs what only tests need, then lint, types, documentation, tests: what CI runs
# make test-tensorflow   what needs TensorFlow, in an environment of its own: not a part of `make test`
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
ONNX_READY := .venv/ready-for-onnx
CLMF_READY := .venv-clmf/ready
CLMF_TESTS := .venv-clmf/ready-for-tests
TENSORFLOW_TESTS := .venv-tensorflow/ready-for-tests
# Why DeepLabCut-Live cannot run here: on a Raspberry Pi, or where Python is too new for it.
NO_CLMF := $(shell PYTHON=$(PYTHON) tools/setup.sh no-clmf)

.PHONY: setup setup-analysis setup-genicam setup-dlclive setup-tensorflow run run-clmf test lint docs test-clnf test-clmf \
	test-tensorflow test-picamera2 test-readers torture bench

setup:
	@PYTHON=$(PYTHON) tools/setup.sh

setup-dlclive:
	@PYTHON=$(PYTHON) tools/setup.sh clmf

setup-tensorflow:
	@PYTHON=$(PYTHON) tools/setup.sh tensorflow

setup-genicam:
	@PYTHON=$(PYTHON) tools/setup.sh genicam

$(READY): requirements.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clnf

setup-analysis:
	@PYTHON=$(PYTHON) tools/setup.sh analysis

$(ONNX_READY): requirements.txt requirements-onnx.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh onnx

$(TESTS): requirements.txt requirements-onnx.txt requirements-analysis.txt requirements-dev.txt requirements-genicam.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clnf onnx analysis genicam tests
	@touch $@

$(CLMF_READY): requirements.txt requirements-onnx.txt requirements-clmf.txt requirements-torch.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clmf

$(CLMF_TESTS): requirements.txt requirements-onnx.txt requirements-clmf.txt requirements-torch.txt requirements-dev.txt requirements-genicam.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh clmf genicam tests

$(TENSORFLOW_TESTS): requirements.txt requirements-onnx.txt requirements-tensorflow.txt requirements-dev.txt requirements-genicam.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh tensorflow genicam tests

$(DOCS): requirements-docs.txt tools/setup.sh
	@PYTHON=$(PYTHON) tools/setup.sh docs

run: $(READY)
	tools/run_demo.sh brain/cla_reward_punish_1roi.py

run-clmf: $(ONNX_READY)
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
	$(VENV)/pytest --ignore tests/clmf --ignore tests/dlc_tensorflow -m "not alone"
	$(VENV)/pytest --ignore tests/clmf --ignore tests/dlc_tensorflow -m alone -n 0

ifneq ($(NO_CLMF),)
test-clmf:
	@echo "SKIPPED: the tests of DeepLabCut-Live.  $(NO_CLMF)"
else
test-clmf: $(CLMF_TESTS)
	$(CLMF)/pytest tests/clmf tests/test_window.py
endif

test-tensorflow: $(TENSORFLOW_TESTS)
	.venv-tensorflow/bin/pytest -n 0 tests/dlc_tensorflow

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
