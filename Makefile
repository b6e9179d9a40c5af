# Every target is one line of tabbook, made in the site's own environment. `make help` lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SITE := _build/environments/site
TABBOOK := $(SITE)/bin/tabbook
FRAMEWORKS ?=
EXECUTE ?= auto
STORE ?=
STORE_URL ?=
PAGES ?=

frameworks := $(if $(FRAMEWORKS),--framework "$(FRAMEWORKS)")
store := $(if $(STORE),--store "$(STORE)") $(if $(STORE_URL),--store-url "$(STORE_URL)")

.DEFAULT_GOAL := help
.PHONY: help html execute check check-outputs status notebooks environments test lint regenerate clean distclean setup-system

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  FRAMEWORKS="pytorch jax"  only these (html, execute, check-outputs, status, environments, notebooks)'
	@echo '  PAGES="chapter_x/y"       only these pages (execute, check, check-outputs, status, notebooks)'
	@echo '  EXECUTE=never             build from stored outputs, run nothing (html)'
	@echo '  STORE=DIR                 another folder of stored outputs (html, execute, status, notebooks)'
	@echo '  STORE_URL=PATH_OR_URL     outputs that others have made, read where the store has none (the same targets)'
	@echo '  TABBOOK_PYTHON_JAX=PATH   an existing Python as the environment of JAX; so for the others (html, execute, …)'

html: $(SITE)/made ## install what is missing, execute what changed, build the site, print its first page
	@$(TABBOOK) html --execute $(EXECUTE) $(frameworks) $(store)

execute: $(SITE)/made ## execute what changed, without building the site
	@$(TABBOOK) execute $(PAGES) $(frameworks) $(store)

check: $(SITE)/made ## find what is wrong with the pages, without running anything
	@$(TABBOOK) check $(PAGES)

check-outputs: $(SITE)/made ## execute again and show where readers see something else than what the code prints
	@$(TABBOOK) outputs check $(PAGES) $(frameworks) $(store)

status: $(SITE)/made ## show page by page what is fresh, stale, failed or was never run
	@$(TABBOOK) status $(PAGES) $(frameworks) $(store)

notebooks: $(SITE)/made ## write the notebooks of FRAMEWORKS (default: the first) into _build/notebooks
	@$(TABBOOK) notebook $(PAGES) $(if $(FRAMEWORKS),--framework $(firstword $(FRAMEWORKS))) --output _build/notebooks --outputs $(store)

environments: $(SITE)/made ## make the frameworks' environments ahead of time
	@$(TABBOOK) environments $(FRAMEWORKS)

test: lint ## run all tests; what this machine cannot run is skipped by name
	-@$(TABBOOK) environments pytorch mxnet jax tensorflow d2lbook
	@$(SITE)/bin/python -m pytest

lint: $(SITE)/made-for-tests ## check the code's style and types
	@$(SITE)/bin/ruff check . && $(SITE)/bin/ruff format --check . && $(SITE)/bin/mypy

regenerate: $(SITE)/made-for-tests ## write the tests' expected outputs anew; read the diff before you commit it
	@$(SITE)/bin/python -m pytest -q --regenerate

clean: $(SITE)/made ## remove what was built; environments and stored outputs stay
	@$(TABBOOK) clean

distclean: ## remove everything that is not source
	rm -rf _build

setup-system: ## install the Debian packages that some tests need (as root)
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$(grep -v '^#' requirements/debian.txt)

# Remade when what it is made from changes.
$(SITE)/made: requirements.txt pyproject.toml
	@echo 'site: installing the packages of requirements.txt'
	@$(PYTHON) -m venv $(SITE)
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(SITE)/made-for-tests: $(SITE)/made requirements/test.txt
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/test.txt
	@touch $@
