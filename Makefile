# `make demo` and `make test` need nothing but python3 >= 3.11 (with venv) and make; both set up what they use.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
NPM := $(BIN)/python -m reservation_cli.local.npm
UV := $(BIN)/python -m uv
COMPILE := $(UV) pip compile --universal --no-header --no-annotate --upgrade
# Each has an environment of its own: it needs other versions of what resv needs.
TOOLS := .tools/sam/.installed .tools/moto/.installed .tools/policies/.installed
CONFORMANCE := .tools/conformance/.installed
# Drawn in by the tests of the HTML report, and by `make pictures`.
BROWSERS := chromium chromium-browser google-chrome "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

.PHONY: demo test quick check bench soak pictures format lock licences setup tools browser clean

demo: setup
	$(BIN)/resv compare

test: setup tools
	$(NPM) cf-workflow test
	$(NPM) aws-durable test
	$(BIN)/pytest

# What needs neither other tools nor the local stack.
quick: setup
	$(BIN)/pytest -m "not bench and not soak and not stack and not sam and not moto and not policies and not browser"

check: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(NPM) cf-workflow run typecheck
	$(NPM) cf-workflow run format:check
	WRANGLER_SEND_METRICS=false $(NPM) cf-workflow run build
	$(NPM) aws-durable run typecheck
	$(NPM) aws-durable run format:check

bench: setup
	$(BIN)/pytest tests/benchmarks -m bench -s

# What takes long: thousands of races, kills and bad inputs. The README says what, and how long.
soak: setup $(CONFORMANCE)
	$(BIN)/pytest tests/soak tests/conformance -m soak -s

format: setup
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(NPM) cf-workflow run format
	$(NPM) aws-durable run format

lock: setup
	$(COMPILE) pyproject.toml --extra local --extra otlp --group dev --output-file requirements.lock
	echo 'aws-sam-cli' | $(COMPILE) - --python-version 3.11 --output-file tests/tools/sam.txt
	printf 'moto\nflask\nflask-cors\nopenapi-spec-validator\n' | $(COMPILE) - --python-version 3.11 --output-file tests/tools/moto.txt
	# parliament imports pkg_resources, which setuptools 81 no longer has.
	printf 'parliament\ncfn-lint\nsetuptools<81\n' | $(COMPILE) - --python-version 3.11 --output-file tests/tools/policies.txt
	printf 'boto3\npackaging\npyyaml\n' | $(COMPILE) - --python-version 3.11 --output-file tests/tools/conformance.txt
	echo 'aws-durable-execution-conformance-tests==1.0.0' >> tests/tools/conformance.txt

# docs/licences.md: run it when a lock has changed.
licences: setup
	$(BIN)/python docs/licences.py

# The README's pictures, from a comparison and a benchmark of now.
pictures: setup browser
	$(BIN)/resv compare --hold 10s --output .tools/compare.json
	$(BIN)/resv bench -n 200 --rate 8 --hold 10s --output .tools/bench.json
	$(BIN)/python docs/pictures.py .tools/compare.json .tools/bench.json

tools: $(TOOLS) browser

browser:
	@for b in $(BROWSERS); do command -v "$$b" >/dev/null && exit 0; done; \
	echo "make: the tests of the HTML report need a browser: apt install chromium (or Google Chrome)" >&2; exit 1

$(TOOLS): .tools/%/.installed: tests/tools/%.txt | .venv/.installed
	rm -rf $(@D)
	$(UV) venv --quiet --python $(BIN)/python $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --requirement $<
	touch $@

# AWS's package asks for Python 3.14 and runs on 3.11; its list is whole, so that nothing else need be looked for.
$(CONFORMANCE): tests/tools/conformance.txt | .venv/.installed
	rm -rf $(@D)
	$(UV) venv --quiet --python $(BIN)/python $(@D)
	$(BIN)/python -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check \
		--no-deps --ignore-requires-python --requirement $<
	touch $@

setup: .venv/.installed

.venv/.installed: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "make: python3 >= 3.11 is needed; give one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv .tools cf-workflow/node_modules aws-durable/node_modules aws-durable/dist cf-workflow/.wrangler
