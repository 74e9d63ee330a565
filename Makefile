SHELL := bash
PYTHON ?= python3
SOURCE ?= phantom
RECIPE ?= demo
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## the virtual environment of requirements.lock, with what the tests need

.venv/.ready: requirements.lock requirements-test.lock requirements-cuda.lock pyproject.toml
	@bash pod/install.sh $(PYTHON)
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-test.lock
	@touch $@
	@echo "To have each commit checked for results of other params: git config core.hooksPath .githooks"

run: setup ## the study on the embedded default; SOURCE=ham10000:PATH for real data, RECIPE=name for another study
	@dermlab lock $(SOURCE)
	@dermlab study $(RECIPE)

test: setup ## everything the tests need, then the tests; FAST=1 leaves the slowest files out, while you work
	@bash tests/needs.sh
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= DERMLAB_FAST=$(FAST) pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=10

soak: setup ## long tests: 20,000 damaged photos; a study killed at ten moments a signal, every stage and a training at ten moments each; every benchmark, small
	@bash tests/needs.sh
	@DERMLAB_FUZZ=20000 DERMLAB_KILLS=10 pytest -n 2 --dist loadfile tests/pull/test_develop.py tests/pipeline/test_dvc.py tests/pipeline/test_study.py tests/pipeline/test_pod.py tests/pipeline/test_kills.py tests/pipeline/test_full_disk.py tests/study/test_at_once.py tests/train/test_run.py tests/train/test_killed.py
	@pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@DERMLAB_BENCHMARKS=1 pytest -rs tests/pipeline/test_benchmarks.py

check: setup ## style, params and tests
	@ruff check . && ruff format --check . && dermlab check
	@$(MAKE) --no-print-directory test

deps: setup ## what is computed from the code: dependencies in dvc.yaml, versions.yaml, docs/knobs.md
	@python tests/pipeline/dependencies.py
	@python tests/pipeline/knobs.py

lock: setup ## the locks, from pyproject.toml; what they pin stays, but for what UV="--upgrade-package NAME" says
	@python tests/pipeline/lock.py $(UV)

bench: setup ## every benchmark this machine can run, in one table
	@pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@python benchmarks/run.py

.PHONY: help setup run test soak check deps lock bench
