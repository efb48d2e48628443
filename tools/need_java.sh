#!/usr/bin/env bash
# Say what to install where Java 17 or Maven is missing.
set -euo pipefail
missing=()
java -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])' || missing+=(openjdk-17-jdk-headless)
command -v mvn >/dev/null || missing+=(maven)
if [ ${#missing[@]} -gt 0 ]; then
  echo "The Apache peers need Java 17 and Maven; on Debian and Ubuntu: apt-get install ${missing[*]}" >&2
  exit 1
fi
