# Esteira: set it up, try it, test it, run it. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
# The first Python of at least 3.11 on the path; set PYTHON to choose another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$p" -c $(NEW_ENOUGH) 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
STAMP := .venv/.setup-done

.PHONY: help setup demo up test lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv from the hash-locked requirements
	@:

demo: setup ## run the main job once on invented data, then end
	@exec $(BIN)/esteira demo

up: setup ## leave it running: Prefect, web app, sandbox; Ctrl-C ends it
	@exec $(BIN)/esteira up

test: setup ## check style, types and imports, then run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict hub providers
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile

# Bytecode is compiled here, once: an import of Prefect takes 2.3 s with it and 4.6 s without, every flow run pays
# it, and where PYTHONDONTWRITEBYTECODE is set no process would ever write it. Some packages carry templates that are
# no valid Python, hence `|| true`; what is not compiled is only slower.
$(STAMP): requirements-dev.lock pyproject.toml
	@$(BIN)/python -c $(NEW_ENOUGH) 2>/dev/null || { \
		"$(PYTHON)" -c $(NEW_ENOUGH) 2>/dev/null || { \
			echo "Esteira needs Python 3.11 or later; found: '$(PYTHON)'. Install one, or name it:" \
				"make setup PYTHON=/path/to/python3" >&2; exit 1; }; \
		"$(PYTHON)" -m venv --clear .venv || { \
			echo "$(PYTHON) cannot make virtual environments: install its venv package" \
				"(Debian, Ubuntu: python3-venv)" >&2; exit 1; }; }
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --quiet \
		--require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --quiet \
		--no-index --no-deps --no-build-isolation --editable .
	@echo "compiling bytecode (once, about half a minute)"
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib >/dev/null 2>&1 || true
	@touch $@

# uv resolves once for every platform and Python from 3.11 on; it lives in a folder of its own that is removed again.
# Versions already locked stay unless pyproject.toml forbids them; `make lock UPGRADE=--upgrade` takes the newest.
lock: ## write the lock files anew from pyproject.toml
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools"; "$$tools/bin/pip" install --disable-pip-version-check --quiet uv; \
	compile=("$$tools/bin/uv" pip compile pyproject.toml --quiet $(UPGRADE) --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"); \
	"$${compile[@]}" --extra dev --output-file requirements-dev.lock; \
	"$${compile[@]}" --output-file requirements.lock
	@echo "requirements.lock and requirements-dev.lock written"

clean: ## remove the environment and the caches, keep .esteira (your data)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
