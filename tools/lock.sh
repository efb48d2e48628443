#!/usr/bin/env bash
# Make the hashed requirements again: `make lock`. Needs uv, which it puts into .venv-lock for itself.
# One file fits all systems and Python versions from 3.11 on; no index address is written into it.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv-lock/bin/uv ] || { python3 -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv; }

compile() { # output, then arguments
  local output=$1
  shift
  echo "requirements/$output"
  .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    --upgrade --output-file "requirements/$output" "$@"
}

compile build.txt requirements/build.in
compile server.txt pyproject.toml --extra server --constraint requirements/build.txt
compile dev.txt pyproject.toml --extra dev --constraint requirements/server.txt --constraint requirements/build.txt
compile fuzz.txt requirements/fuzz.in --constraint requirements/dev.txt
