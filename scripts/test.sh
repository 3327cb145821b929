#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. The last lines and the exit code are CTest's.
#
# usage: test.sh [PRESET [ctest options]]     PRESET: dev (default), release, asan, tsan
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-dev}
[ $# -eq 0 ] || shift
case "$preset" in
  dev|release|asan|tsan) ;;
  *) echo "usage: test.sh [dev|release|asan|tsan [ctest options]]" >&2; exit 2 ;;
esac

./scripts/install_deps.sh test
cmake --preset "$preset" -DDWS_TESTS=ON
cmake --build --preset "$preset"
exec ctest --preset "$preset" --no-tests=error -j 2 "$@"
