# A fresh machine needs Python 3.11 to 3.14 and make. For another Python than python3: make PYTHON=python3.13 run
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11.0 --generate-hashes --no-header \
	--no-annotate $(UPGRADE)

.PHONY: run test test-fast contract contract-long broken-emulators probes lint bench sql samples docs docs-tables vendor screenshots
.PHONY: lock types types-on-windows
.PHONY: dist image check-python clean
.DEFAULT_GOAL := run
# With this variable, each of the many processes that the tests start would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE

run: .venv/run.stamp ## run the emulator on localhost with the sample mailboxes
	@$(BIN)/outlook-emulator serve --seed empty,office,archive

test: .venv/dev.stamp ## run all tests
	$(BIN)/python -m pytest -n auto --dist worksteal

test-fast: .venv/dev.stamp ## run the tests that are not slow, and two cases of each parametrized test
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

contract: .venv/dev.stamp ## check the emulator in this process against the connector's specification
	$(BIN)/outlook-emulator contract

contract-long: .venv/dev.stamp ## the same with 200 generated cases of each check that generates its requests; takes about ten minutes
	$(BIN)/outlook-emulator contract --examples 200

broken-emulators: .venv/dev.stamp ## run the suite over every broken emulator, and write which checks caught it
	$(BIN)/python -m tools.broken_emulators

lint: .venv/dev.stamp ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs=2 --output-sync types types-on-windows

types: .venv/dev.stamp
	$(BIN)/mypy

types-on-windows: .venv/dev.stamp
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows emulator

probes: .venv/dev.stamp ## write the emulator's answers to the probes, after a change of behaviour
	$(BIN)/outlook-emulator contract probe --out contract/probes/emulator.json

bench: .venv/dev.stamp ## measure speed, as ratios to bare Starlette
	$(BIN)/python -m benchmarks

sql: .venv/dev.stamp ## compile the tables and statements of store/schema to store/sql.py
	$(BIN)/python -m outlook_emulator.store.schema.compile

samples: .venv/dev.stamp ## generate the mails of the sample mailbox 'archive'
	$(BIN)/python -m tools.archive_sample

docs: .venv/dev.stamp ## build the documents as a static site in docs/_build; broken links fail
	$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going docs docs/_build

docs-tables: .venv/dev.stamp ## write the generated tables in docs/
	$(BIN)/python -m tools.docs_tables

vendor: .venv/dev.stamp ## fetch the scripts of the pages from npm; PACKAGES="htmx.org@2.0.11" moves to other versions
	$(BIN)/python -m tools.vendor $(PACKAGES)

screenshots: .venv/dev.stamp ## take the pictures of the pages in docs/images/, with Chromium
	$(BIN)/python -m tools.screenshots

lock: .venv/dev.stamp ## pin all dependencies in requirements/; UPGRADE=--upgrade moves to newer versions
	@$(PIP) 'uv>=0.9,<1'
	$(LOCK) --output-file requirements/run.txt
	$(LOCK) --extra tls --output-file requirements/image.txt
	$(LOCK) --extra dev --output-file requirements/dev.txt

dist: .venv/dev.stamp ## build wheel and sdist in dist/, and check them
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python -m twine check --strict dist/*

image: .venv/dev.stamp ## build the image and check it as its users run it, with the Docker engine of this machine
	$(BIN)/python -m tools.check_image

clean: ## remove the virtual environment
	rm -rf .venv

check-python:
	@test -x $(BIN)/python || $(PYTHON) tools/check_python.py

.venv/run.stamp: pyproject.toml requirements/run.txt | check-python
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --require-hashes --requirement requirements/run.txt
	@$(PIP) --no-deps --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml requirements/dev.txt | check-python
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@$(PIP) --no-deps --editable .
	@touch .venv/run.stamp $@
