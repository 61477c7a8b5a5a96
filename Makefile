# Everything from a bare checkout: each target makes what it needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test

.PHONY: measure test lint format clean

# A latency table of this machine's CPU, and what DeiT-Ti, -S and -B cost by it and for real.
measure: $(STAMP)
	$(BIN)/vitprof measure --device cpu --space vit --out lut.csv
	$(BIN)/vitprof compare --table lut.csv --model deit-tiny --model deit-small \
	    --model deit-base --measure --out compare.csv --plot compare.png

test: $(TEST_STAMP)
	$(BIN)/python -m pytest tests

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(TEST_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

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
