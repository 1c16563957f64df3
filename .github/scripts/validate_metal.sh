#!/usr/bin/env bash
# The op tests under Metal's validation. A wrong call of the API aborts the process. A kernel that leaves
# its buffer does not: Metal writes a line to stderr, and the test goes on.
set -euo pipefail
cd "$(dirname "$0")/../.."
export MTL_DEBUG_LAYER=1 MTL_SHADER_VALIDATION=1 MTL_SHADER_VALIDATION_REPORT_TO_STDERR=1
log=$(mktemp)

# One process that captures nothing: the lines must reach the log.
make test PYTEST="-n 0 -s tests/test_ops_generated.py" 2>&1 | tee "$log"

for layer in API GPU; do
  if ! grep -q "Metal $layer Validation Enabled" "$log"; then
    echo "Metal's $layer validation was not on: nothing was checked." >&2
    exit 1
  fi
done
if grep -A 3 'executing kernel function' "$log" >&2; then
  echo "Metal's validation found the above." >&2
  exit 1
fi
