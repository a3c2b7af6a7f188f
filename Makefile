# make setup      system packages, .venv (CLNF), .venv-clmf (CLMF), requirements
# make run        a short simulated CLNF session
# make run-clmf   a short simulated CLMF session, tracked by the real DeepLabCut-Live
# make test       lint, types, tests: what CI runs
# make torture    every promise of the rig, many times (half an hour)
# make test-picamera2   builds libcamera's virtual camera (minutes, once), and runs the real picamera2 on it
# make bench      speed, next to what must be reached and a reference

PYTHON ?= python3
VENV := .venv/bin
CLMF := .venv-clmf/bin
READY := .venv/ready
SOURCES := $(wildcard *.py) rig brain behavior benchmarks tools tests
CLMF_READY := .venv-clmf/ready
# DeepLabCut-Live is for the Jetson and for desktops; a Raspberry Pi runs only CLNF.
ON_PI := $(shell grep -qs "Raspberry Pi" /proc/device-tree/model && echo yes)

.PHONY: setup run run-clmf test lint test-clnf test-clmf test-picamera2 torture bench

setup:
	PYTHON=$(PYTHON) tools/setup.sh

$(READY): requirements.txt requirements-dev.txt tools/setup.sh
	PYTHON=$(PYTHON) tools/setup.sh clnf

$(CLMF_READY): requirements.txt requirements-dev.txt requirements-clmf.txt tools/setup.sh
	PYTHON=$(PYTHON) tools/setup.sh clmf

run: $(READY)
	tools/run_demo.sh brain/cla_reward_punish_1roi.py

run-clmf: $(CLMF_READY)
	tools/run_demo.sh behavior/cla_dlc_trials_speed.py

lint: $(READY)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/vermin --quiet --no-tips --violations --target=3.10- --exclude str.decode $(SOURCES)

test: lint test-clnf test-clmf

test-clnf: $(READY)
	$(VENV)/pytest --ignore tests/clmf -m "not alone"
	$(VENV)/pytest --ignore tests/clmf -m alone -n 0

ifeq ($(ON_PI),yes)
test-clmf:
	@echo "SKIPPED: the tests of CLMF; DeepLabCut-Live is not installed on a Raspberry Pi"
else
test-clmf: $(CLMF_READY)
	$(CLMF)/pytest tests/clmf tests/test_window.py
endif

torture: $(READY)
	$(VENV)/python tests/support/promises.py

# pytest runs in .venv; what it starts on the camera runs in the environment that virtual_camera.sh makes next to libcamera.
test-picamera2: $(READY)
	PYTHON=$(PYTHON) tools/virtual_camera.sh
	$(VENV)/pytest -n 0 tests/test_picamera2.py

bench: $(READY) $(CLMF_READY)
	$(VENV)/python benchmarks/bench.py
