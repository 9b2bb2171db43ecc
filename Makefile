# `make demo` and `make test` need nothing but python3 >= 3.11 (with venv) and make; both set up what they use.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
NPM := $(BIN)/python -m reservation_cli.local.npm

.PHONY: demo test check bench format lock setup clean

demo: setup
	$(BIN)/resv compare

test: setup
	$(NPM) cf-workflow test
	$(NPM) aws-durable test
	$(BIN)/pytest

check: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(NPM) cf-workflow run typecheck
	$(NPM) cf-workflow run format:check
	$(NPM) aws-durable run typecheck
	$(NPM) aws-durable run format:check

bench: setup
	$(BIN)/pytest tests/benchmarks -m bench -s

format: setup
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(NPM) cf-workflow run format
	$(NPM) aws-durable run format

lock: setup
	$(BIN)/python -m uv pip compile pyproject.toml --extra local --group dev --universal \
		--no-header --no-annotate --upgrade --output-file requirements.lock

setup: .venv/.installed

.venv/.installed: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "make: python3 >= 3.11 is needed; give one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv cf-workflow/node_modules aws-durable/node_modules aws-durable/dist cf-workflow/.wrangler
