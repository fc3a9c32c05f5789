# Two commands do everything: `make demo` and `make test`. All use the environment that `make install` makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_HOME := .demo
PORT ?= 3000

.PHONY: demo test install dev lint types contracts format stress bench docs lock clean

demo: install  ## Simulate a company, backfill it, scan yesterday, print who is at risk and why
	@$(BIN)/orchestrate demo --home $(DEMO_HOME)

test: lint contracts types  ## Lint, import contracts, type check, all tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -q

install: $(VENV)/.installed  ## Make the environment from the locked versions

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "This needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

dev: install  ## Open the Dagster UI on the demo home
	@$(BIN)/orchestrate doctor --home $(DEMO_HOME) >/dev/null || $(BIN)/orchestrate doctor --home $(DEMO_HOME)
	ORCHESTRATE_HOME=$(abspath $(DEMO_HOME)) DAGSTER_HOME=$(abspath $(DEMO_HOME))/dagster PYTHONWARNINGS=ignore $(BIN)/dg dev --port $(PORT)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

contracts: install
	$(BIN)/lint-imports

types: install
	$(BIN)/mypy

format: install  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

stress: install  ## The fault tests in full: 50 killed backfills, 20 concurrent pairs, 500 killed senders, 750 kills from plan to peers, three years, thorough properties
	STRESS=1 HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -q tests -m slow
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -q $(shell grep -rlE "@given|RuleBased" tests)

bench: install  ## Measure speed as ratios; writes benchmarks/results.json
	$(BIN)/python -m benchmarks

docs: install  ## Write the generated parts of the documentation anew
	$(BIN)/python -m docs.generate

lock:  ## Resolve versions anew; needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--extra dev --extra examples --extra bench pyproject.toml -o requirements.lock

clean:  ## Remove the environment and the demo home
	rm -rf $(VENV) $(DEMO_HOME) .mypy_cache .ruff_cache .import_linter_cache .hypothesis
