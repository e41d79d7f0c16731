# One word per chore. Needs Python 3.11 or later and make; everything else is installed into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-all lint types bench lock clean help

help:  ## what can be asked of make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/'

demo: $(VENV)/.installed  ## set everything up, start the example gym and print the address of its simulated phone
	@$(BIN)/replyline demo

test: $(VENV)/.installed-dev  ## run everything this machine can run, and say what was left out and why
	@$(BIN)/pytest $(ARGS)

lint: $(VENV)/.installed-dev types  ## formatting, style and the import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: $(VENV)/.installed-dev  ## the strict type checker over src
	@$(BIN)/mypy

bench: $(VENV)/.installed-dev  ## measure, side by side with a bare reference
	@$(BIN)/python -m bench

lock: $(UV)  ## choose the versions in requirements/ anew
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements/run.txt
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt

clean:  ## remove what make has made
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Replyline needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Run make with PYTHON=python3.12, say.") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then ln -sf "$$(command -v uv)" $(UV); else $(BIN)/pip install --quiet uv; fi

$(VENV)/.installed: requirements/run.txt pyproject.toml | $(UV)
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements/run.txt
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
