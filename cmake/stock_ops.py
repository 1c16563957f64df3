"""Writes the table of overloads that stock torch has on MPS, from torch's native_functions.yaml."""

import argparse
import pathlib

import yaml

# torch's MPSFallback.mm sends these to the CPU, whatever the environment says, for as long as the
# kernel behind them (the value) is missing.
ALWAYS_CPU = {
    "embedding_renorm_": "embedding_renorm_",
    "linalg_svd": "_linalg_svd.U",
    "linalg_svd.U": "_linalg_svd.U",
    "col2im": "col2im",
    "upsample_nearest3d.vec": "upsample_nearest3d.out",
}


def dispatch_keys(entry: dict) -> set[str]:
    return {key.strip() for keys in entry.get("dispatch", {}) for key in keys.split(",")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("native_functions", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()

    functions = yaml.safe_load(options.native_functions.read_text())
    entries = {entry["func"].split("(")[0]: entry for entry in functions}
    rows = []
    for name, entry in entries.items():
        # Functional and in-place forms of a structured op have the kernels of its out= form.
        out = entries[entry["structured_delegate"]] if "structured_delegate" in entry else entry
        keys = dispatch_keys(entry) | dispatch_keys(out)
        # TensorIterator compares devices itself, and lets CPU scalars pass.
        check = "NoCheck" not in (entry.get("device_check"), out.get("device_check"))
        check = check and "structured_inherits" not in out
        rows.append((name, "MPS" in keys, "SparseMPS" in keys, check, False))
    native = {name for name, dense, *_ in rows if dense}
    rows = [row for row in rows if row[1] or row[2]]
    rows += [
        (name, True, False, True, True)
        for name, kernel in ALWAYS_CPU.items()
        if name in entries and kernel not in native
    ]

    lines = [f'    {{"{name}", {", ".join(str(flag).lower() for flag in flags)}}},' for name, *flags in rows]
    options.output.write_text(
        '#include "csrc/sim/device/stock_ops.h"\n\nnamespace mpsops::sim {\n\n'
        "const StockOp kStockOps[] = {\n" + "\n".join(lines) + "\n};\n"
        f"const size_t kStockOpCount = {len(rows)};\n\n}}  // namespace mpsops::sim\n"
    )


if __name__ == "__main__":
    main()
