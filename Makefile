# One word per chore. Needs Python 3.11 or later and make; everything else is installed into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint types bench chaos races fuzz lock clean help

help:  ## what can be asked of make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/'

demo: $(VENV)/.installed  ## set everything up, start the example gym and print the address of its simulated phone
	@$(BIN)/replyline demo

test: $(VENV)/.installed-dev  ## run everything this machine can run, and say what was left out and why (ARGS="-k stop" for less)
	@$(BIN)/pytest -n 5 --dist worksteal $(ARGS)

lint: $(VENV)/.installed-dev types  ## formatting, style and the import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache

types: $(VENV)/.installed-dev  ## the strict type checker over src
	@$(BIN)/mypy

bench: $(VENV)/.installed-dev  ## measure, side by side with a bare reference (ARGS="--only load")
	@$(BIN)/python -m bench $(ARGS)

chaos: $(VENV)/.installed-dev  ## break everything at once and count what people would have noticed (ARGS="--conversations 500")
	@$(BIN)/python -m tests.chaos $(ARGS)

races: $(VENV)/.installed-dev  ## 10,000 STOPs that race with texts leaving, on each database; STOP_RACE_SEED=7 tries the same again
	@STOP_RACE_PEOPLE=10000 $(BIN)/pytest -n 2 --long tests/outbound/test_stop_races.py $(ARGS)

fuzz: $(VENV)/.installed-dev  ## 100,000 hostile requests against a server on each database; ARGS="--seed 7 --case 12" sends one again
	@$(BIN)/python -m tests.hostile $(ARGS)

lock: $(UV)  ## write requirements/ anew; UPGRADE=--upgrade takes the newest versions
	@$(UV) pip compile --quiet $(UPGRADE) --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements/run.txt
	@$(UV) pip compile --quiet $(UPGRADE) --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt

clean:  ## remove what make has made
	rm -rf $(VENV) .mypy_cache .ruff_cache

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here; Replyline needs Python 3.11 or later. Run make with PYTHON=python3.12, say." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("Replyline needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Run make with PYTHON=python3.12, say.") if sys.version_info < (3, 11) else None'
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV) && ln -sf "$$(command -v uv)" $(UV); \
	elif $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet --disable-pip-version-check uv; \
	else \
		echo "This Python cannot make virtual environments: install the package python3-venv (Debian, Ubuntu) or uv, then run make again." >&2; exit 1; \
	fi

$(VENV)/.installed: requirements/run.txt pyproject.toml | $(UV)
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements/run.txt
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
