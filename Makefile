# `make` lists the targets. Relative paths only: the checkout may lie in a folder with a space in its name.

PYTHON ?= python3
LOCK ?= requirements.lock
ARGS ?=
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
BIN := .venv/bin
READY := .venv/.ready-$(notdir $(LOCK))
FOOLBOX1 := .venv-foolbox1
# The programs of an environment name its folder: where that was moved, they are made anew.
MOVED := $(shell [ ! -e .venv ] || [ "$$(pwd -P)" = "$$(cat .venv/.place 2>/dev/null)" ] || echo moved)
RESOLVE := $(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-header --quiet
COMPILE := $(RESOLVE) pyproject.toml --group dev
# --fresh-env: Sphinx repeats no warning of a page that it need not read again.
SPHINX := $(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --fresh-env --quiet docs build/docs

.DEFAULT_GOAL := help
.PHONY: help attack test test-slow check docs mlproject format lock ui dashboard bench clean moved

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

attack: $(READY) ## run the attack entry point; make attack ARGS="-P preset=smoke"
	PATH="$(CURDIR)/$(BIN):$$PATH" mlflow run . -e attack $(ARGS)

test: $(READY) ## fast tests
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

test-slow: $(READY) ## real MLflow projects, servers, full MNIST
	$(BIN)/python -m pytest $(WORKERS) -m slow $(ARGS)

check: $(READY) ## lint, format, types, layers, manual
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(SPHINX)

docs: $(READY) ## build the manual into build/docs
	$(BIN)/python docs/generate.py
	$(SPHINX)

mlproject: $(READY) ## write MLproject from the catalogue
	$(BIN)/python -m gauntlet.mlproject > MLproject.new && mv MLproject.new MLproject

format: $(READY) ## format the code and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(READY) ## resolve the versions again; newest ones: make lock ARGS=--upgrade
	$(COMPILE) $(ARGS) -o requirements.lock
	$(COMPILE) $(ARGS) --extra cuda -c requirements.lock -o requirements-cuda.lock
	$(RESOLVE) $(ARGS) benchmarks/foolbox1.in -o benchmarks/foolbox1.lock

ui: $(READY) ## open the project's runs on http://127.0.0.1:5000
	@MLFLOW_TRACKING_URI= $(BIN)/python -c 'from gauntlet.tracking.store import open_store; open_store()'
	PATH="$(CURDIR)/$(BIN):$$PATH" mlflow server --host 127.0.0.1 --workers 1 \
		--backend-store-uri "sqlite:///$(CURDIR)/mlflow.db" --artifacts-destination mlartifacts $(ARGS)

# The address comes out of the environment, for the process list shows every argument.
dashboard: $(READY) ## open the studies on http://127.0.0.1:8080; others: make dashboard GAUNTLET_STORAGE=...
	$(BIN)/python -c 'import os, sys; from optuna_dashboard._cli import main; \
		sys.argv.append(os.environ.get("GAUNTLET_STORAGE") or f"sqlite:///{os.getcwd()}/studies.db"); \
		main()' --host 127.0.0.1 $(ARGS)

bench: $(READY) $(FOOLBOX1)/.ready ## measure speed
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## delete the environment and the caches; runs stay
	rm -rf .venv $(FOOLBOX1) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf src/*.egg-info
	find src tests benchmarks tuning docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: exactly the lock, checked by hash. GPU: make attack LOCK=requirements-cuda.lock
# The stamp comes last, and the old one goes first: an interrupted installation is done again.
$(READY): $(LOCK) pyproject.toml $(MOVED)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
		{ echo "error: '$(PYTHON)' is not Python 3.11 or 3.12: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(if $(MOVED),rm -rf .venv,rm -f .venv/.ready-*)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || \
		{ echo "error: '$(PYTHON) -m venv' failed: install the package python3-venv" >&2; exit 1; }
	@# uv comes hash-checked from the lock; a uv on PATH only saves its download.
	@command -v uv >/dev/null || [ -x $(BIN)/uv ] || { sed -n '/^uv==/,/# via/p' $(LOCK) >.venv/uv.txt && \
		$(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt; }
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip sync --python $(BIN)/python --require-hashes --compile-bytecode $(LOCK)
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip install --python $(BIN)/python --no-deps --no-build-isolation -e .
	@pwd -P >.venv/.place
	@touch $@

# The second paper's attack library, in an environment of its own: it needs NumPy 1. It comes as source,
# so the tool that builds it is pinned and checked too.
$(FOOLBOX1)/.ready: benchmarks/foolbox1.lock $(MOVED) | $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(FOOLBOX1)
	$(BIN)/uv pip sync --python $(FOOLBOX1)/bin/python --require-hashes --build-constraints $< $<
	@touch $@
