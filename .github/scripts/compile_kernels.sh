#!/usr/bin/env bash
# Compiles every kernel family with Apple's offline compiler, from the source that Metal gets at run time.
set -euo pipefail
cd "$(dirname "$0")/../.."
sources=$(mktemp -d)

# Since Xcode 26 the compiler is a component of its own.
xcrun -sdk macosx metal --version || xcodebuild -downloadComponent MetalToolchain

.venv/bin/python -m mpsops sources "$sources"
failed=0
for source in "$sources"/*.metal; do
  echo "== $(basename "$source")"
  xcrun -sdk macosx metal -std=metal3.1 -fno-fast-math -c -o /dev/null "$source" || failed=1
done
exit $failed
