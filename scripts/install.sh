#!/usr/bin/env bash
# Installs the Debian packages of scripts/packages.txt that are missing, and the npm packages of
# web/ and tests/kafka/, and reports their versions. A second run installs nothing. Needs root (or
# sudo) only when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t wanted < <(grep -vE '^(#|$)' scripts/packages.txt)
missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "install: missing Debian packages: ${missing[*]}"
  as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
  dpkg-query -W -f='  ${Package} ${Version}\n' "${missing[@]}"
else
  echo "install: all ${#wanted[@]} Debian packages are there"
fi

if ! command -v npm >/dev/null; then
  echo "install: npm is missing: install Node.js 18 or newer with npm" >&2
  exit 1
fi
for folder in web tests/kafka; do
  stamp=$folder/node_modules/.installed
  if ! cmp -s "$folder/package-lock.json" "$stamp"; then
    echo "install: npm packages of $folder/"
    (cd "$folder" && npm ci --no-audit --no-fund)
    cp "$folder/package-lock.json" "$stamp"
  else
    echo "install: npm packages of $folder/ are there"
  fi
done
