#!/usr/bin/env bash
# Make .venv with the locked packages and this checkout: tools/venv.sh server|dev
# Takes $PYTHON, else the first python3 that is new enough.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null && "$candidate" -c "$new_enough"; then
      command -v "$candidate"
      return
    fi
  done
  echo "Python 3.11 or newer is needed; name one with PYTHON=..." >&2
  return 1
}

make_environment() {
  local python
  python=$(find_python)
  if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    local version
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "The venv module of $python is missing; on Debian and Ubuntu:" \
      "apt-get install python$version-venv" >&2
    return 1
  fi
  "$python" -m venv --clear .venv
}

echo "Setting up .venv ($kind) ..."
.venv/bin/python -c "$new_enough" 2>/dev/null || make_environment
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
pip install --require-hashes -r requirements/build.txt -r "requirements/$kind.txt"
pip install --no-deps --no-build-isolation --editable .
# As pip does for what it installs; else the first start compiles the checkout, for half a second.
.venv/bin/python -m compileall -q proto runtime metadata storage ledger broker client cli
