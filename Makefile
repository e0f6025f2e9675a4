# Everything on a fresh Debian or Ubuntu: `make demo` and `make test` install what they need.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
LABEL ?= 2012
# Not from the environment: there LANGUAGE is often gettext's.
ifneq ($(origin LANGUAGE),command line)
LANGUAGE := en-US
endif
DEMO ?= builddirs/demo
MEDIA := resources/rehearsal-$(LABEL)-$(LANGUAGE)

.PHONY: help demo test test-fast lint types ini clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml tools/setup
	tools/setup $(VENV)
	@touch $@

$(VENV)/.ready-test: pyproject.toml tools/setup
	tools/setup $(VENV) test
	@touch $@ $(VENV)/.ready

demo: $(VENV)/.ready ## build an image of the rehearsal media, hands-free, to the packaged artefacts
	tools/demo $(BIN)/winbuild $(DEMO) $(LABEL) $(LANGUAGE) $(MEDIA)

test: $(VENV)/.ready-test ## all tests, real ones too
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup

test-fast: $(VENV)/.ready-test ## the tests that need no QEMU
	$(BIN)/pytest -m "not real and not walk"

lint: $(VENV)/.ready ## ruff
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.ready ## mypy --strict
	$(BIN)/mypy

ini: $(VENV)/.ready ## write windows-image-build.ini anew from the schema of the settings
	$(BIN)/winbuild settings --ini > windows-image-build.ini.new
	mv windows-image-build.ini.new windows-image-build.ini

clean: ## remove the virtual environment and caches (build directories stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
