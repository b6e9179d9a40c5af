# Every target is one line of tabbook, made in the site's own environment. `make help` lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SITE := _build/environments/site
TABBOOK := $(SITE)/bin/tabbook
TEXTLINT := _build/environments/textlint/node
DOWNLOADS := _build/html/_downloads
FRAMEWORKS ?=
EXECUTE ?= auto
STORE ?=
STORE_URL ?=
PAGES ?=
BACKEND ?=
RAY_ADDRESS ?=
SHARD ?=
SECTIONS ?=

frameworks := $(if $(FRAMEWORKS),--framework "$(FRAMEWORKS)")
store := $(if $(STORE),--store "$(STORE)") $(if $(STORE_URL),--store-url "$(STORE_URL)")
with-ray := $(if $(filter ray,$(BACKEND)),yes)
backend := $(if $(BACKEND),--backend "$(BACKEND)") $(if $(with-ray),$(if $(RAY_ADDRESS),--ray-address "$(RAY_ADDRESS)"))
shard := $(if $(SHARD),--shard "$(SHARD)")
build-wheel = rm -f $(DOWNLOADS)/d2l_ja-*.whl && $(SITE)/bin/python -m uv build --quiet --wheel \
	--python $(SITE)/bin/python --no-create-gitignore --out-dir $(DOWNLOADS)

.DEFAULT_GOAL := help
.PHONY: help html wheel execute check check-outputs status notebooks environments ray test test-wheel bench soak simulate lint textlint regenerate clean distclean setup-system

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  FRAMEWORKS="pytorch jax"  only these (html, execute, check-outputs, status, environments, notebooks)'
	@echo '  PAGES="chapter_x/y"       only these pages (execute, check, check-outputs, status, notebooks)'
	@echo '  EXECUTE=never             build from stored outputs, run nothing (html)'
	@echo '  STORE=DIR                 another folder of stored outputs (html, execute, status, notebooks)'
	@echo '  STORE_URL=PATH_OR_URL     outputs that others have made, read where the store has none (the same targets)'
	@echo '  BACKEND=ray RAY_ADDRESS=HOST:PORT  execute on the machines of a Ray cluster (html, execute)'
	@echo '  SHARD=1/3                 only the first of three parts, alike in duration (execute)'
	@echo '  TABBOOK_PYTHON_JAX=PATH   an existing Python as the environment of JAX; so for the others (html, execute, …)'
	@echo '  SECTIONS="book soak-jax-1" only these measurements; an unknown one is answered with their names (bench, soak)'

html: $(SITE)/made $(if $(with-ray),$(SITE)/made-for-ray) ## install what is missing, execute what changed, build the site, print its first page
	@$(TABBOOK) html --execute $(EXECUTE) $(frameworks) $(store) $(backend)
	@$(build-wheel)

wheel: $(SITE)/made ## build the library of the book's code, d2l, into the site, from where readers install it
	@$(build-wheel)

execute: $(SITE)/made $(if $(with-ray),$(SITE)/made-for-ray) ## execute what changed, without building the site
	@$(TABBOOK) execute $(PAGES) $(frameworks) $(store) $(backend) $(shard)

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

ray: $(SITE)/made-for-ray ## install what a machine of a Ray cluster needs; then: _build/environments/site/bin/ray start …

test: lint ## run all tests; what this machine cannot run is skipped by name
	-@$(TABBOOK) environments pytorch mxnet jax tensorflow d2lbook
	@$(SITE)/bin/python -m pytest

test-wheel: $(SITE)/made-for-tests ## run every page as a reader with the wheel and one framework does, in the frameworks that `test` leaves out
	-@$(TABBOOK) environments pytorch mxnet jax tensorflow
	@$(SITE)/bin/python -m pytest -m costly tests/test_wheel.py

bench: $(SITE)/made ## measure what building the book costs, beside other tools, into benchmarks/ (half an hour)
	@$(TABBOOK) environments pytorch mxnet jax tensorflow d2lbook bench
	@$(SITE)/bin/python -m benchmarks $(SECTIONS)

soak: $(SITE)/made ## fork 200 kernels in a row, a framework and thread cap after the other, and look for wrong outputs
	@$(TABBOOK) environments pytorch mxnet jax tensorflow bench
	@$(SITE)/bin/python -m benchmarks $(if $(SECTIONS),$(SECTIONS),soak)

simulate: $(SITE)/made-for-tests ## simulate builds on clusters that nobody has; MEASURE=1 and VALIDATE=1 run real ones first
	@$(TABBOOK) environments pytorch mxnet jax tensorflow bench
	@$(SITE)/bin/python -m benchmarks.simulate $(if $(MEASURE),--measure) $(if $(VALIDATE),--validate)

lint: $(SITE)/made-for-tests ## check the code's style and types
	@$(SITE)/bin/ruff check . && $(SITE)/bin/ruff format --check . && $(SITE)/bin/mypy

textlint: $(TEXTLINT)/made ## advice on the prose of PAGES by textlint; none of it needs to be followed
	@rm -rf $(TEXTLINT)/pages && $(SITE)/bin/python -m tabbook.prose.plain $(TEXTLINT)/pages $(PAGES)
	@cd $(TEXTLINT) && ../bin/node node_modules/textlint/bin/textlint.js --config textlintrc.json --format unix pages \
		| sed 's|^.*/pages/\(.*\)\.txt:|docs/\1.md:|'

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
$(SITE)/made: requirements.txt src/pyproject.toml
	@echo 'site: installing the packages of requirements.txt'
	@$(PYTHON) -m venv $(SITE)
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable src
	@touch $@

$(SITE)/made-for-ray: $(SITE)/made requirements/ray.txt
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt --requirement requirements/ray.txt
	@touch $@

$(TEXTLINT)/made: $(SITE)/made requirements/textlint.txt $(wildcard textlint/*) textlint/.npmrc
	@$(TABBOOK) environments textlint
	@mkdir -p $(TEXTLINT) && cp textlint/*.json textlint/.npmrc $(TEXTLINT)
	@cd $(TEXTLINT) && PATH="$$PWD/../bin:$$PATH" npm ci --silent
	@touch $@

$(SITE)/made-for-tests: $(SITE)/made-for-ray requirements/test.txt
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/test.txt
	@touch $@
