# Everything a fresh machine needs is Python (3.11 to 3.13), make and pip.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint bench sql docs docs-tables clean
.DEFAULT_GOAL := run

run: .venv/run.stamp ## the emulator on localhost, with the sample mailboxes
	@$(BIN)/outlook-emulator serve --seed empty,office,archive

test: .venv/dev.stamp ## the whole test suite
	$(BIN)/python -m pytest -n auto

lint: .venv/dev.stamp ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev.stamp ## the speed figures, as ratios to bare Starlette
	$(BIN)/python -m benchmarks

sql: .venv/dev.stamp ## compile store/tables.py and store/statements.py to store/sql.py
	$(BIN)/python -m outlook_emulator.store.schema.compile

docs: .venv/dev.stamp ## build the documents as a static site in docs/_build; broken links fail
	$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going docs docs/_build

docs-tables: .venv/dev.stamp ## write the generated tables in docs/
	$(BIN)/python -m docs.tables

clean:
	rm -rf .venv

.venv/run.stamp: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/run.stamp $@
