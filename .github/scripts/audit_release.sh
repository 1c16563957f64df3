#!/usr/bin/env bash
# audit_release.sh FOLDER: one sdist, one sound wheel for each supported Python, and nothing else.
set -euo pipefail
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

count=1
ls "$folder"/mpsops-*.tar.gz
for version in $(python3 .github/scripts/versions.py python); do
  make audit WHEEL="$(echo "$folder"/mpsops-*-"cp${version//./}"-macosx_*_arm64.whl)"
  count=$((count + 1))
done
[ "$(find "$folder" -type f | wc -l)" -eq $count ]
