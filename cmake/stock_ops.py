"""Writes the table of overloads that stock torch has on MPS, from torch's native_functions.yaml."""

import argparse
import pathlib

import yaml

# Registered in torch's MPSFallback.mm and not in the yaml: these always run on the CPU.
ALWAYS_CPU = ("embedding_renorm_", "linalg_svd", "linalg_svd.U", "col2im", "upsample_nearest3d.vec")


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
        if "MPS" not in dispatch_keys(entry) | dispatch_keys(out):
            continue
        check = "NoCheck" not in (entry.get("device_check"), out.get("device_check"))
        # Structured kernels on TensorIterator leave the check to it.
        check = check and "structured_inherits" not in out
        seeded = "nondeterministic_seeded" in str(entry.get("tags", ""))
        rows.append((name, check, seeded))
    missing = [name for name in ALWAYS_CPU if name in entries and "MPS" not in dispatch_keys(entries[name])]
    rows += [(name, True, False) for name in missing]

    lines = [
        f'    {{"{name}", {str(check).lower()}, {str(seeded).lower()}}},' for name, check, seeded in rows
    ]
    options.output.write_text(
        '#include "csrc/sim/device/stock_ops.h"\n\nnamespace mpsops::sim {\n\n'
        "const StockOp kStockOps[] = {\n" + "\n".join(lines) + "\n};\n"
        f"const size_t kStockOpCount = {len(rows)};\n\n}}  // namespace mpsops::sim\n"
    )


if __name__ == "__main__":
    main()
