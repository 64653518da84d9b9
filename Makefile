# The whole interface to this repository. Every target makes what it needs.
.DEFAULT_GOAL := help
.PHONY: help demo picture gallery serve test test-core ci format check types docs web clients clients-all load bench faults lies typed tool-effects differential untold soak attack fuzz audit environments wheel clean

# Else each of the hundreds of processes that the tests start compiles the whole package.
export PYTHONDONTWRITEBYTECODE =

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

# Stamps: what is installed is installed again only when the project's file changed.
$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[cli,local,server]'
	@touch $@

$(VENV)/tools: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group test --group lint
	@touch $@

demo: $(VENV)/installed  ## stream a reply from the embedded model; no key needed
	@$(BIN)/msgmodel local pull
	@$(BIN)/python examples/demo.py

# What the page and the JavaScript client need of npm; without npm both are left out of `check`, `format` and `test`.
JS := $(if $(shell command -v npm),web clients/js)
JS_INSTALLED := $(JS:%=%/node_modules/.package-lock.json)

# npm writes this file last, so it tells whether the lock file has changed since.
$(JS_INSTALLED): %/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --silent --no-audit --no-fund
	@touch $@

PAGE := src/msgmodel/server/page/index.html
PAGE_SOURCES := web/package-lock.json web/index.html web/vite.config.ts web/build-rules.ts web/build.py \
	$(shell find web/src clients/js/src -type f 2>/dev/null)

$(PAGE): $(VENV)/installed $(PAGE_SOURCES) $(filter web/%,$(JS_INSTALLED))
	$(BIN)/python web/build.py

web: $(PAGE)  ## builds the chat page (needs Node.js and npm)

picture: $(PAGE) $(VENV)/tools  ## take the README's picture of the chat page (needs Chromium)
	$(BIN)/python web/screenshot.py

gallery: $(VENV)/tools $(JS_INSTALLED)  ## pictures of all states of the chat page, checked by axe (needs Chromium)
	$(BIN)/python web/gallery.py

serve: $(PAGE)  ## the chat page on http://127.0.0.1:8000, with the embedded model
	@$(BIN)/msgmodel local pull
	$(BIN)/msgmodel serve

test: $(VENV)/tools $(JS_INSTALLED)  ## the tests, with the real embedded model
	@$(BIN)/msgmodel local pull
	$(BIN)/python $(PYTEST)

# The tests of pure code that need no socket and no second of waiting.
CORE_TESTS := tests/question tests/wires tests/reply/test_cost.py tests/reply/test_observers.py \
	--ignore=tests/wires/test_recorded.py

test-core: $(VENV)/tools  ## the quick tests of the pure core, to run while you work (20 seconds)
	$(BIN)/python -m pytest -p no:schemathesis $(CORE_TESTS)

clients: $(VENV)/tools $(JS_INSTALLED)  ## other clients, and our JavaScript client, for the tests (needs npm)
	$(BIN)/python tests/clients/install.py

clients-all: clients  ## also the clients that take long to install, for the matrix in docs/clients.md
	$(BIN)/python tests/clients/install.py all

load: $(VENV)/tools  ## how many live streams one server carries here (a minute and a half)
	$(BIN)/python bench/load.py

bench: $(VENV)/tools  ## speed beside the peers, against the goals, into docs/benchmarks.md (a quarter of an hour)
	$(BIN)/python bench/peers/install.py
	$(BIN)/python bench/speed.py
	$(BIN)/python bench/relay.py
	$(BIN)/python bench/report.py

faults: $(VENV)/tools  ## test which libraries report a broken reply correctly: ours and the peers (four minutes)
	$(BIN)/python proofs/faults.py

lies: $(VENV)/tools  ## test which libraries tell of a reply that is not what was asked for (two minutes)
	$(BIN)/python proofs/lies.py

typed: $(VENV)/tools  ## JSON cut everywhere, on every wire: no false object; and what the peers give (15 minutes)
	$(BIN)/python proofs/typed.py
	$(BIN)/python proofs/typed_compared.py

tool-effects: $(VENV)/tools  ## tools whose process is killed at each step take effect once; and peers (half an hour)
	$(BIN)/python proofs/tool_effects.py
	$(BIN)/python proofs/tools_compared.py

differential: $(VENV)/tools  ## every recorded stream, read by us and by the official SDKs (needs the recordings)
	$(BIN)/python bench/peers/install.py openai anthropic google-genai
	$(BIN)/python proofs/differential.py

untold: $(VENV)/tools  ## what of the recorded replies stands in no event (three minutes; needs recordings)
	$(BIN)/python proofs/untold.py

soak: $(VENV)/tools  ## 500 streams at once through the server and Redis, a fifth of them faulty (20 minutes)
	$(BIN)/python proofs/soak.py

attack: $(VENV)/tools  ## floods, bombs, silent readers and costly requests, and what other users notice (four minutes)
	$(BIN)/python proofs/attack.py

fuzz: $(VENV)/tools  ## the parsers and the server's requests under a fuzzer (ten minutes of CPU each)
	$(BIN)/python proofs/fuzz/run.py

audit: $(VENV)/tools  ## known vulnerabilities in what is installed, by pip-audit and npm audit
	$(BIN)/python proofs/audit.py

format: $(VENV)/tools $(JS_INSTALLED)  ## writes the code in the one format
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	@for folder in $(JS); do npm --prefix $$folder run --silent format || exit 1; done

check: $(VENV)/tools $(JS_INSTALLED)  ## format and lint, changing nothing; the types of web/ and clients/js too
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@for folder in $(JS); do npm --prefix $$folder run --silent check || exit 1; done

types: $(VENV)/tools  ## mypy on the code, pyright on a caller's
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python tests/typing/caller.py

docs: $(VENV)/tools  ## build the documentation site into build/site; warnings are errors
	$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

environments: $(VENV)/tools  ## the quick tests on other Pythons, and with the lowest versions of all dependencies
	@$(BIN)/msgmodel local pull
	$(BIN)/python tests/environments.py

.PHONY: environments-installed
environments-installed: $(VENV)/tools
	$(BIN)/python tests/environments.py --install

wheel: $(BIN)/python $(if $(JS),$(PAGE))  ## builds the wheel and tries it in a clean environment
	rm -rf dist build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet dist/*.whl
	build/wheel/bin/python tests/installed.py

# Most tests wait: for servers, browsers and leases, for silences and hang-ups. Their CPU time is about a quarter of
# their durations (measured test by test on a busy machine), so six at a time suit two cores.
# Its plugin makes each of them import all of schemathesis, which one test runs as a program.
PYTEST := -m pytest -n 6 --dist worksteal -p no:schemathesis

.PHONY: covered
covered: $(VENV)/tools
	@$(BIN)/msgmodel local pull
	$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST)

# One at a time, most of these would leave a core unused or wait for a package index.
.PHONY: before-tests
before-tests: check types docs web clients wheel environments-installed

ci:  ## everything that CI runs
	$(MAKE) --no-print-directory $(VENV)/tools $(JS_INSTALLED)
	$(MAKE) --no-print-directory --jobs 3 --output-sync=target before-tests
	$(MAKE) --no-print-directory covered environments
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95
	$(BIN)/python tests/core_coverage.py
	$(MAKE) --no-print-directory demo

clean:  ## removes what the other targets made
	rm -rf $(VENV) build dist web/node_modules clients/js/node_modules src/msgmodel/server/page .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
