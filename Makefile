# Everything runs from a bare machine: `make demo` and `make test` make their own .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow test-faults check docs bench bench-large bench-cuda clean

demo: .venv/.ready
	$(BIN)/reasonwright run recipes/demo.yaml

test: .venv/.ready
	$(BIN)/python -m pytest

test-slow: .venv/.ready
	$(BIN)/python -m pytest -m slow

test-faults: .venv/.ready
	$(BIN)/python -m pytest -m '' -s tests/faults

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: .venv/.docs
	$(BIN)/mkdocs build --strict

bench: .venv/.bench
	$(BIN)/python benchmarks/bench.py small demo
	$(BIN)/python benchmarks/bench.py small demo --beta 0 --compute bfloat16

bench-large: .venv/.bench
	$(BIN)/python benchmarks/bench.py 0.5B --rounds 2 --steps 4 --beta 0

bench-cuda: .venv/.bench
	$(BIN)/python benchmarks/bench.py 0.5B-gpu 1.5B-gpu --beta 0 --compute bfloat16 --device cuda

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

# The stamp is written last, so that an interrupted installation is done again.
.venv/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "reasonwright needs Python 3.11 or newer: make PYTHON=python3.12 ..."'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@

.venv/.bench: .venv/.ready
	$(BIN)/pip install --quiet -e '.[bench]'
	touch $@

.venv/.docs: .venv/.ready
	$(BIN)/pip install --quiet -e '.[docs]'
	touch $@
