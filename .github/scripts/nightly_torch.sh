#!/usr/bin/env bash
# Builds mpsops in .venv against torch's nightly.
set -euo pipefail
cd "$(dirname "$0")/../.."
make distclean .venv/bin/python
.venv/bin/python -m pip install --pre --index-url https://download.pytorch.org/whl/nightly/cpu torch

# A nightly is above the range that is supported. The file comes back as it was, time included, for make.
cp -p pyproject.toml pyproject.toml.orig
trap 'mv pyproject.toml.orig pyproject.toml' EXIT
sed -E 's/"(torch>=2\.[0-9]+),<2\.[0-9]+"/"\1,<2.99"/' pyproject.toml.orig > pyproject.toml
make .venv/installed
