#!/usr/bin/env bash
# Installs what is missing of the system packages, and nothing else.
#
# usage: install_deps.sh [build|test]      build: to build and run dws; test (default): to build and run every test too
#
# As root, or with sudo. DWS_SKIP_INSTALL=1 leaves everything as it is (for systems without apt).
set -euo pipefail

build_packages=(g++ cmake ninja-build libtbb-dev libcli11-dev libspdlog-dev libfmt-dev libsimdjson-dev
                libxxhash-dev libpng-dev libyaml-cpp-dev libonnx-dev libprotobuf-dev)
test_packages=(libgtest-dev librapidcheck-dev libbenchmark-dev libonnx-testdata python3)

case "${1:-test}" in
  build) packages=("${build_packages[@]}") ;;
  test) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
  *) echo "usage: install_deps.sh [build|test]" >&2; exit 2 ;;
esac
[ -z "${DWS_SKIP_INSTALL:-}" ] || exit 0

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install_deps.sh: this system has no apt. Install the equivalents of these packages, then set DWS_SKIP_INSTALL=1:" >&2
  echo "  ${packages[*]}" >&2
  exit 2
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
  root=()
elif command -v sudo >/dev/null; then
  root=(sudo)
else
  echo "install_deps.sh: neither root nor sudo. Ask an administrator to run:" >&2
  echo "  apt-get install ${missing[*]}" >&2
  exit 2
fi

apt() {
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -o Dpkg::Use-Pty=0 "$@" >&2
}
install() {
  apt install -y --no-install-recommends "${missing[@]}"
}
# The lists are fetched only where they are absent or too old to install from.
known() {
  apt-get install -s --no-install-recommends "${missing[@]}" >/dev/null 2>&1
}

echo "install_deps.sh: installing ${missing[*]}" >&2
if ! known || ! install; then
  if ! apt update || ! install; then
    echo "install_deps.sh: apt-get could not install ${missing[*]} (see above; is there a network?)" >&2
    exit 2
  fi
fi
