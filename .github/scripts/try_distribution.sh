#!/usr/bin/env bash
# try_distribution.sh FILE [TORCH]: installs a wheel or sdist beside that torch minor, or beside each
# supported one, in a fresh environment, and uses it.
set -euo pipefail
scripts=$(dirname "$0")
file=$1

for minor in ${2:-$(python3 "$scripts/versions.py" torch)}; do
  echo "== torch $minor"
  environment=$(mktemp -d)
  python3 -m venv "$environment"
  # By file: the mpsops of PyPI is another package.
  "$environment/bin/python" -m pip install --quiet "torch==$minor.*" numpy
  "$environment/bin/python" -m pip install --quiet "$file"
  "$environment/bin/python" "$scripts/smoke.py"
  "$environment/bin/mpsops" doctor
  rm -rf "$environment"
done
