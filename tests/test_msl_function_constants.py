"""Function constants: by name and by index, optional ones, and parameters that depend on them."""

from pathlib import Path

import pytest
import torch
from exec_support import HEADER, compile_kernels, fails, msl

SOURCE = """
#define BASE 100
constant int count [[function_constant(0)]];
constant bool doubled [[function_constant(1)]];
constant float2 offset [[function_constant(BASE + 2)]];
constant half scale [[ function_constant(3) ]];
constant uchar maybe [[function_constant(4)]];
constant bool both = doubled && count > 2;
constant uint fallback = is_function_constant_defined(maybe) ? maybe : 7u;
constant int table[2] = {count, count * 10};

inline int helper(int x) { return x + count; }

kernel void uses(device float* out, uint i [[thread_position_in_grid]]) {
  float x = helper(i) + offset.x * offset.y;
  if (doubled) x *= 2;
  out[i] = x * float(scale) + (both ? 1000 : 0);
}
kernel void optional(device uint* out) { out[0] = fallback; out[1] = is_function_constant_defined(maybe); }
kernel void none(device int* out) { out[0] = 5; }
kernel void through_a_table(device int* out) { out[0] = table[1]; }
template <typename T>
kernel void generic(device T* out [[buffer(0)]],
                    constant T* mask [[buffer(1), function_constant(doubled)]],
                    constant T& other [[buffer(2)]] [[function_constant(both)]],
                    uint i [[thread_position_in_grid]]) {
  out[i] = T(count);
  if (doubled) out[i] += mask[i];
  if (both) out[i] += other;
}
template [[host_name("generic_int")]] [[kernel]] decltype(generic<int>) generic<int>;
"""
ALL = {"count": 3, "doubled": True, "offset": (0.5, 4.0), "scale": 0.25}


def test_by_name() -> None:
    library = msl.compile(HEADER + SOURCE, constants=ALL)
    out = torch.zeros(3, device="mps")
    library["uses"](out, threads=3)
    assert out.tolist() == [1000 + (i + 3 + 2) * 2 * 0.25 for i in range(3)]
    table = torch.zeros(1, dtype=torch.int32, device="mps")
    library["through_a_table"](table, threads=1)
    assert table.item() == 30


def test_by_index() -> None:
    library = msl.compile(HEADER + SOURCE, constants={0: 2, 1: True, 102: [1, 1], 3: 1, 4: 255})
    out = torch.zeros(2, device="mps")
    library["uses"](out, threads=2)
    assert out.tolist() == [(2 + 1) * 2, (3 + 1) * 2]
    optional = torch.zeros(2, dtype=torch.int32, device="mps")
    library["optional"](optional, threads=1)
    assert optional.tolist() == [255, 1]


def test_optional_constants() -> None:
    library = compile_kernels(SOURCE, "constants.metal")
    out = torch.zeros(2, dtype=torch.int32, device="mps")
    library["optional"](out, threads=1)
    assert out.tolist() == [7, 0]


def test_kernels_without_their_constants() -> None:
    library = compile_kernels(SOURCE, "constants.metal")
    out = torch.zeros(3, dtype=torch.int32, device="mps")
    library["none"](out, threads=1)
    assert out[0] == 5
    with fails(
        "kernel uses needs values of function constants: count (0), doubled (1), offset (102), scale (3)"
    ):
        library["uses"](out, threads=1)
    with fails("kernel through_a_table needs values of function constants: count (0)"):
        library["through_a_table"](out, threads=1)
    with fails("kernel generic_int needs values of function constants: count (0), doubled (1)"):
        library["generic_int"](out, None, None, threads=1)


@pytest.mark.parametrize(("count", "doubled"), [(1, False), (1, True), (3, True)])
def test_parameters_exist_where_the_constant_is_true(count: int, doubled: bool) -> None:
    library = msl.compile(HEADER + SOURCE, constants={"count": count, "doubled": doubled})
    kinds = {p["name"]: p["kind"] for p in library["generic_int"].parameters}
    assert kinds == {
        "out": "buffer", "mask": "buffer" if doubled else "absent",
        "other": "buffer" if doubled and count > 2 else "absent", "i": "builtin",
    }  # fmt: skip
    out = torch.zeros(2, dtype=torch.int32, device="mps")
    mask = torch.tensor([10, 20], dtype=torch.int32, device="mps") if doubled else None
    other = 100 if doubled and count > 2 else None
    library["generic_int"](out, mask, other, threads=2)
    assert out.tolist() == [count + (m if doubled else 0) + (other or 0) for m in (10, 20)]


def test_values_that_the_source_does_not_have() -> None:
    with pytest.raises(
        ValueError, match=r"compile: constants must be of the source's \(count \(0\), .*got 'no'"
    ):
        msl.compile(HEADER + SOURCE, constants={"no": 1})
    with pytest.raises(ValueError, match=r"of the source's \(none\), got 0"):
        msl.compile(HEADER + "kernel void f(device int* o) {}", constants={0: 1})


def test_is_defined_wants_a_function_constant() -> None:
    source = "constant int x = 1;\nkernel void f(device int* o) { o[0] = is_function_constant_defined(x); }"
    with pytest.raises(msl.TranslateError, match=r"bad.metal:2: error: 'x' is not a function constant"):
        compile_kernels(source, "bad.metal")


def test_libraries_of_different_values_are_different() -> None:
    source = HEADER + "constant int n [[function_constant(0)]];\nkernel void f(device int* o) { o[0] = n; }"
    assert len({msl.compile_source(source, constants={0: n}) for n in (1, 2, 2)}) == 2


def test_ptx_wants_values(tmp_path: Path) -> None:
    from test_msl_ptx import compiled

    with pytest.raises(msl.TranslateError, match=r"kernel 'f' needs function constants: n \(0\)"):
        compiled(
            "constant int n [[function_constant(0)]];\nkernel void f(device int* o) { o[0] = n; }", tmp_path
        )
