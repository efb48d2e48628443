# `make run` and `make test` need Python 3.11 or newer and nothing else. Each target sets up .venv.

BIN := .venv/bin
NOT_HERE := not interop and not nightly and not alone
SET_UP := tools/venv.sh requirements/build.txt pyproject.toml

# Else every process compiles the tests anew, and each program that they start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test interop nightly fuzz lint pyright bench protos lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: .venv/server.stamp ## start a standalone broker; options in ARGS="--data-dir elsewhere"
	@exec $(BIN)/magnetar standalone $(ARGS)

test: .venv/dev.stamp ## all tests that need Python only; options in ARGS="-k cursor"
	@echo "left out: tests against the Apache peers (make interop), full counts (make nightly), what runs by itself (.ci/run)"
	$(BIN)/python -m pytest -n 2 -q -m "$(NOT_HERE)" $(ARGS)

interop: .venv/dev.stamp ## tests against Apache Pulsar and BookKeeper; needs Java 17 and Maven
	@tools/need_java.sh
	@PEERS_QUICK=true tests/interop/peers/apache setup >/dev/null
	$(BIN)/python -m pytest tests -n 2 --dist loadfile --no-loadscope-reorder -q -m "interop and not nightly and not alone" $(ARGS)

nightly: .venv/dev.stamp ## full counts, resumable: SHARD=1/4 MINUTES=60
	$(BIN)/python tools/nightly.py --shard $(or $(SHARD),1/1) --minutes $(or $(MINUTES),0) $(ARGS)

fuzz: .venv/dev.stamp .venv-fuzz/stamp ## 2,000 requests drawn from the OpenAPI document by schemathesis, twice
	$(BIN)/python -m pytest -q tests/hostile/test_openapi_document.py $(ARGS)

lint: .venv/dev.stamp ## formats, types, who imports whom, sizes, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_style.py
	$(BIN)/python tools/generate_protos.py --check
	$(BIN)/python tools/client_docs.py --check
	$(BIN)/python tools/generate_http_reference.py --check

pyright: .venv/dev.stamp ## what users of the SDK see with pyright, strict; downloads 75 MB once
	$(BIN)/python tools/check_pyright.py

bench: .venv/dev.stamp ## measure against Apache Pulsar; needs Java; some rows with ROWS="raw startup"
	@tools/need_java.sh
	$(BIN)/python -m bench $(ROWS) $(ARGS)

protos: .venv/dev.stamp ## generate the protobuf modules again
	$(BIN)/python tools/generate_protos.py

lock: ## make requirements/*.txt again with the newest versions
	tools/lock.sh

clean: ## remove environments and caches; ./data stays
	rm -rf .venv .venv-lock .venv-fuzz .venv-pyright .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A stamp is written last, so an interrupted set-up is done again.
.venv/server.stamp: $(SET_UP) requirements/server.txt
	@tools/venv.sh server
	@touch $@

.venv/dev.stamp: $(SET_UP) requirements/dev.txt requirements/server.txt
	@tools/venv.sh dev
	@touch .venv/server.stamp $@

.venv-fuzz/stamp: requirements/fuzz.txt
	@echo "Setting up .venv-fuzz ..."
	@$(BIN)/python -m venv --clear .venv-fuzz
	@.venv-fuzz/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements/fuzz.txt
	@touch $@
