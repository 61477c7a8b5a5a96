# Everything from a bare checkout: each target makes what it needs. `make help` lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
DOCS_STAMP := $(VENV)/.installed-docs
PIP = $(BIN)/python -m pip install -q $(RETRIES) -c constraints.txt
TIMM := .venv-timm
TIMM_STAMP := $(TIMM)/.installed
# Runtimes that go with one torch: an environment, an extra and a folder of tests each.
RUNTIMES := litert executorch
EXTRA_litert := litert-build
EXTRA_executorch := executorch
# A worker that dies ends the run with its test's name: replaced, it leaves pytest-xdist waiting
# for ever for files that nobody was given.
PARALLEL := -n 2 --dist loadfile --max-worker-restart=0
# A package index that stutters once is no failure.
RETRIES := --retries 8 --timeout 60

# The tests start hundreds of processes, which read what the first of them has compiled. Where a
# container forbids writing it, each compiles torch and all else anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help measure test test-fast test-long test-docs test-ray test-timm test-runtimes $(RUNTIMES:%=test-%) fidelity lint format docs wheel release-check clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

measure: $(STAMP) ## A latency table of this CPU, and what DeiT-Ti, -S and -B cost by it and for real
	$(BIN)/vitprof measure --device cpu --family vit --out lut.csv
	$(BIN)/vitprof compare --table lut.csv --model deit-tiny --model deit-small \
	    --model deit-base --verify --out compare.csv --plot compare.png

test: $(TEST_STAMP) ## All tests but those that have a target of their own, below
	$(BIN)/python -m pytest tests -m "not cluster and not docs and not long" $(PARALLEL)

test-long: $(TEST_STAMP) ## What takes long, and further cases of what make test tries with a few
	$(BIN)/python -m pytest tests -m "long and not cluster and not docs" $(PARALLEL)

test-docs: $(TEST_STAMP) ## The commands of the pages, the examples and the notebook, as a reader runs them
	$(BIN)/python -m pytest tests -m docs

test-ray: $(TEST_STAMP) ## Fleets and searches on real Ray clusters of several nodes: some minutes
	$(BIN)/python -m pytest tests -m cluster

test-fast: $(TEST_STAMP) ## The tests that take no time: under two minutes
	$(BIN)/python -m pytest tests -m "not slow and not cluster and not docs and not long" $(PARALLEL)

test-timm: $(TIMM_STAMP) ## What timm itself says, in an environment of its own: several GB
	$(TIMM)/bin/python -m pytest tests/timm_env -o python_files='check_*.py'

test-runtimes: $(RUNTIMES:%=test-%) ## LiteRT and ExecuTorch, each in an environment of its own: 2 to 3 GB each

$(RUNTIMES:%=test-%): test-%: .venv-%/.installed
	.venv-$*/bin/python -m pytest tests/$*_env -o python_files='check_*.py' \
	    $(if $(QUICK),-m "not long")

lint: $(TEST_STAMP) ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(TEST_STAMP) ## Put the style right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(DOCS_STAMP) ## The documentation as a site: site/index.html; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

fidelity: $(TEST_STAMP) ## How far the table can be trusted: docs/fidelity.md, about 15 minutes
	cd benchmarks && ../$(BIN)/python fidelity.py --folder ../fidelity-run \
	    --out ../fidelity-run/fidelity.md

wheel: $(VENV)/bin/python ## Build dist/vitprof-*.whl
	$(PIP) build
	$(BIN)/python -m build --wheel --outdir dist .

release-check: ## Build, check and install a release in an empty environment, and run its first commands
	PYTHON=$(PYTHON) .ci/release-check

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(TIMM) $(RUNTIMES:%=.venv-%) build dist site *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

# constraints.txt pins what was tested; its torch is the CPU build where one is on offer.
$(STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing vitprof with what measuring needs (about 2 GB; some minutes the first time)"
	$(PIP) -e '.[measure]'
	touch $@

$(TEST_STAMP): $(STAMP)
	@echo "installing what the tests need (another 1 GB)"
	$(PIP) -e '.[test]'
	touch $@

# No torch and no runtime: pages are made from the sources and from --help.
$(DOCS_STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[docs]'
	touch $@

# Python compiles what these tests import, a small part of what is installed: --no-compile.
# timm needs torchvision, which does not import beside the CPU build of torch in constraints.txt.
$(TIMM_STAMP): pyproject.toml constraints-timm.txt
	$(PYTHON) -m venv $(TIMM) || python3 -m venv $(TIMM)
	@echo "installing timm with its own torch (several GB)"
	$(TIMM)/bin/python -m pip install -q --no-compile $(RETRIES) -c constraints-timm.txt \
	    timm torch torchvision hypothesis pytest pytest-timeout -e '.[measure]'
	touch $@

# Kept from run to run: made again only when what is pinned or asked for has changed.
$(RUNTIMES:%=.venv-%/.installed): .venv-%/.installed: pyproject.toml constraints-%.txt
	$(PYTHON) -m venv .venv-$* || python3 -m venv .venv-$*
	@echo "installing $* with its own torch (2 to 3 GB)"
	.venv-$*/bin/python -m pip install -q --no-compile $(RETRIES) -c constraints-$*.txt \
	    hypothesis pytest pytest-timeout -e '.[measure,$(EXTRA_$*)]'
	touch $@
