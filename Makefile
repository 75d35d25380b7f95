# Go2 + Piper: `make sim`, `make real`, `make test`, `make lint`, `make bench`. Each makes .venv first and is quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SIM_STAMP := $(VENV)/.sim-stamp
REAL_STAMP := $(VENV)/.real-stamp
DEV_STAMP := $(VENV)/.dev-stamp
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 8 --dist loadfile --durations 10
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# a sourced ROS environment is used instead of the wheels
ifdef ROS_DISTRO
VENV_OPTIONS := --system-site-packages
SIM_PACKAGE := .[planner,cockpit]
REAL_PACKAGE := .[planner,real]
DEV_PACKAGE := .[planner,cockpit,mjx,real,train,dev]
else
VENV_OPTIONS :=
SIM_PACKAGE := .[ros,planner,cockpit]
REAL_PACKAGE := .[ros,planner,real]
DEV_PACKAGE := .[ros,planner,cockpit,mjx,real,train,dev]
endif

.PHONY: help sim real test lint bench
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

sim: $(SIM_STAMP) ## the simulated robot; ARGS="--help" lists the options
	@$(BIN)/python -m moe_controller.sim $(ARGS)

real: $(REAL_STAMP) ## the real robot, or with ARGS="--emulate" emulated hardware in its place
	@$(BIN)/python -m moe_controller.real $(ARGS)

test: $(DEV_STAMP) ## all tests; ARGS="-k name" picks some
	@tools/system_deps.sh
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(BIN)/python -m pytest -m "not integration and not slow" $(SIDE_BY_SIDE)
	@$(BIN)/python -m pytest -m "integration and not realtime and not slow" $(SIDE_BY_SIDE)
	@$(BIN)/python -m pytest -m "realtime and not slow" --durations 10 # one after the other
endif

lint: $(DEV_STAMP) ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "lint: run $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy ros2_ws/src training tests benchmarks

bench: $(DEV_STAMP) ## timings of inference, latency and simulation
	@$(BIN)/python -m benchmarks $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "make: Python 3.10 or newer is needed: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "make: python3-venv is missing: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV)

# an up-to-date development installation serves `make sim` as well
$(SIM_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) (once; about a minute)"
	@$(PIP) install --editable '$(SIM_PACKAGE)'
	@touch $@

$(REAL_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) with the robot's drivers (once; about a minute)"
	@$(PIP) install --editable '$(REAL_PACKAGE)'
	@touch $(SIM_STAMP) $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) with training and tests (once; some minutes)"
	@$(PIP) install --editable '$(DEV_PACKAGE)'
	@touch $(SIM_STAMP) $(REAL_STAMP) $@
