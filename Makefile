# Everything from a bare checkout: each target makes what it needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test

.PHONY: measure test fidelity lint format clean

# A latency table of this machine's CPU, and what DeiT-Ti, -S and -B cost by it and for real.
# (vitprof's exit code 1 says that some points are unstable: worth reading, no reason to stop.)
measure: $(STAMP)
	$(BIN)/vitprof measure --device cpu --space vit --out lut.csv || [ $$? -eq 1 ]
	$(BIN)/vitprof compare --table lut.csv --model deit-tiny --model deit-small \
	    --model deit-base --measure --out compare.csv --plot compare.png || [ $$? -eq 1 ]

test: $(TEST_STAMP)
	$(BIN)/python -m pytest tests

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(TEST_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# How far the table can be trusted: the figures of docs/fidelity.md, about 15 minutes.
fidelity: $(TEST_STAMP)
	cd benchmarks && ../$(BIN)/python fidelity.py --folder ../fidelity-run \
	    --out ../fidelity-run/fidelity.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

# constraints.txt pins what was tested; its torch is the CPU build where one is on offer.
$(STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
