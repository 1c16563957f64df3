"""torch.mps.compile_shader: torch's calling convention, on the simulator as on a Mac.

What a Mac would not survive (a kernel that leaves its buffers, arguments that are missing) is an error on the
simulator only.
"""

import gc
import re
import struct
from pathlib import Path

import pytest
import torch

from mpsops import _C

if _C.runtime != "sim":
    pytest.skip("these are the rules that the simulator keeps for a Mac", allow_module_level=True)

from mpsops import simulator

KERNELS = """
#include <metal_stdlib>
using namespace metal;

kernel void full(device float* out, constant float& value, uint i [[thread_position_in_grid]]) { out[i] = value; }
kernel void arange(device int* out, uint i [[thread_position_in_grid]]) { out[i] = i; }
kernel void affine(device float* out, constant float* in, constant float2& ab, uint i [[thread_position_in_grid]]) {
  out[i] = in[i] * ab.x + ab.y;
}
kernel void grid(device uint* out, uint3 at [[thread_position_in_grid]], uint3 of [[threads_per_grid]],
                 uint3 group [[dispatch_threads_per_threadgroup]]) {
  device uint* mine = out + 3 * ((at.z * of.y + at.y) * of.x + at.x);
  mine[0] = group.x; mine[1] = group.y; mine[2] = group.z;
}
template <class T> kernel void bytes(device uchar* out, constant T& value, uint i [[thread_position_in_grid]]) {
  out[i] = reinterpret_cast<constant uchar*>(&value)[i];
}
template [[host_name("bytes1")]] kernel void bytes<uchar>(device uchar*, constant uchar&, uint);
template [[host_name("bytes2")]] kernel void bytes<ushort>(device uchar*, constant ushort&, uint);
template [[host_name("bytes4")]] kernel void bytes<uint>(device uchar*, constant uint&, uint);
template [[host_name("bytes8")]] kernel void bytes<ulong>(device uchar*, constant ulong&, uint);
template [[host_name("bytes16")]] kernel void bytes<ulong2>(device uchar*, constant ulong2&, uint);
kernel void second(device float* out [[buffer(0)]], constant float& x [[buffer(2)]],
                   uint i [[thread_position_in_grid]]) { out[i] = x; }
struct Inputs { array<device float*, 3> each; };
kernel void sum(device float* out, constant Inputs& in, uint i [[thread_position_in_grid]]) {
  out[i] = in.each[0][i] + in.each[1][i] + in.each[2][i];
}
kernel void grouped(device float* out, uint i [[thread_position_in_threadgroup]]) {
  threadgroup float shared[64];
  shared[i] = i;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[63 - i];
}
template <class T, uint N, typename = int> kernel void scratch(device T* out, uint i [[thread_position_in_grid]]) {
  threadgroup T values[N];
  threadgroup float4 sum;
  values[i] = out[i];
  sum = float4(values[i]);
  out[i] = sum.x;
}
template [[host_name("scratch_float")]] kernel void scratch<float, 32>(device float*, uint);
template [[host_name("scratch_half")]] kernel void scratch<half, 8>(device half*, uint);
[[max_total_threads_per_threadgroup(64)]] kernel void limited(device uint* out, uint i [[thread_position_in_grid]],
                                                              uint group [[threads_per_threadgroup]]) { out[i] = group; }
"""


@pytest.fixture(scope="module")
def lib() -> object:
    return torch.mps.compile_shader(KERNELS)


def packed(lib, width: int, value: object, **options: object) -> bytes:
    """The bytes that a kernel finds at a parameter of that width."""
    out = torch.zeros(width, dtype=torch.uint8, device="mps")
    getattr(lib, f"bytes{width}")(out, value, **options)
    return bytes(out.cpu().numpy())


def test_the_first_tensor_says_how_many_threads(lib) -> None:
    out = torch.zeros(5000, device="mps")
    lib.full(out, 3.14)
    assert (out == 3.14).all()
    lib.full(out, 2.5, threads=3)
    assert out[:3].tolist() == [2.5] * 3
    assert (out[3:] == 3.14).all()


@pytest.mark.parametrize(
    ("options", "shape", "group"),
    [
        ({"threads": 7}, (7,), (7, 1, 1)),
        ({"threads": [2000]}, (2000,), (1024, 1, 1)),
        ({"threads": (3, 4)}, (4, 3), (1024, 1, 1)),
        ({"threads": (3, 4, 2)}, (2, 4, 3), (1024, 1, 1)),
        ({"threads": 7, "group_size": 2}, (7,), (2, 1, 1)),
        ({"threads": [4, 5], "group_size": [2, 3]}, (5, 4), (2, 3, 1)),
        ({"threads": (4, 5, 6), "group_size": (2, 3, 4)}, (6, 5, 4), (2, 3, 4)),
        ({"threads": torch.Size([4, 5]), "group_size": torch.Size([2, 3])}, (5, 4), (2, 3, 1)),
    ],
)
def test_grids_and_groups(lib, options: dict, shape: tuple[int, ...], group: tuple[int, ...]) -> None:
    out = torch.zeros(*shape, 3, dtype=torch.int32, device="mps")
    lib.grid(out, **options)
    assert (out.cpu() == torch.tensor(group, dtype=torch.int32)).all()


def test_numbers(lib) -> None:
    assert packed(lib, 8, -3) == struct.pack("q", -3)
    assert packed(lib, 8, True) == struct.pack("q", 1)
    assert packed(lib, 4, 0.1) == struct.pack("f", 0.1)
    assert packed(lib, 4, float("nan"))[2:] == b"\xc0\x7f"
    assert packed(lib, 4, 1e300) == struct.pack("f", float("inf"))
    assert packed(lib, 16, [1, -2]) == struct.pack("2q", 1, -2)
    assert packed(lib, 16, (0.5, 1, -2.0, 3)) == struct.pack("4f", 0.5, 1, -2, 3)


@pytest.mark.parametrize(
    ("cast", "width", "format"), [("int32", 4, "i"), ("int16", 2, "h"), ("int8", 1, "b"), ("fp16", 2, "e")]
)
@pytest.mark.parametrize("value", [-7, 100.0])
def test_casts(lib, cast: str, width: int, format: str, value: float) -> None:
    expected = struct.pack(format, value if cast == "fp16" else int(value))
    assert packed(lib, width, value, arg_casts=cast) == expected
    assert packed(lib, width, value, arg_casts={1: cast}) == expected
    assert packed(lib, 8, 5, arg_casts={0: cast}) == struct.pack("q", 5)


def test_casts_wrap_and_round(lib) -> None:
    assert packed(lib, 1, 300, arg_casts="uint8") == b"\x2c"
    assert packed(lib, 4, 2**33 + 1, arg_casts="int32") == struct.pack("i", 1)
    assert packed(lib, 2, 1e9, arg_casts="fp16") == struct.pack("e", float("inf"))
    for value in (1.0, -0.1, 1.00390625, 1.01171875, 3.4e38, float("inf"), float("-inf"), 1e-40):
        expected = torch.tensor(value, dtype=torch.float32).bfloat16().view(torch.int16).item()
        assert packed(lib, 2, value, arg_casts="bf16") == struct.pack("h", expected), value
    assert packed(lib, 2, float("nan"), arg_casts="bf16") == b"\xc0\x7f"
    assert packed(lib, 16, [1, 2, 3, 4], arg_casts="int32") == struct.pack("4i", 1, 2, 3, 4)


def test_scalars_that_are_on_the_cpu(lib) -> None:
    assert packed(lib, 4, torch.tensor(0.1)) == struct.pack("f", 0.1)
    assert packed(lib, 4, torch.tensor(0.1, dtype=torch.float64)) == struct.pack("f", 0.1)
    assert packed(lib, 2, torch.tensor([7, 8], dtype=torch.int16)[1]) == struct.pack("h", 8)
    assert packed(lib, 8, torch.tensor(1 - 2j, dtype=torch.complex128)) == struct.pack("2f", 1, -2)


def test_views_are_bound_at_their_offset(lib) -> None:
    base = torch.arange(10.0, device="mps")
    out = torch.zeros(10, device="mps")
    lib.affine(out[6:8], base[3:], [2.0, 1.0])
    assert out.tolist() == [0] * 6 + [7, 9] + [0] * 2
    # Strides are not the kernel's business: numel threads, from the first element on.
    transposed = torch.zeros(2, 3, device="mps").t()
    lib.full(transposed, 1.0)
    assert (transposed == 1).all()
    parameter = torch.nn.Parameter(torch.zeros(2, device="mps"))
    lib.full(parameter, 2.0)
    assert parameter.tolist() == [2, 2]


def test_kernels_run_in_the_order_of_the_stream(lib) -> None:
    out = torch.ones(4, device="mps")
    for _ in range(3):
        lib.affine(out, out + 1, [2.0, 0.0])
    assert out.tolist() == [22] * 4


def test_tensors_by_their_addresses(lib) -> None:
    tensors = [torch.arange(float(n), n + 6.0, device="mps") for n in range(3)]
    out = torch.zeros(4, device="mps")
    lib.sum(out, [tensors[0], tensors[1][1:], tensors[2]])
    assert out.tolist() == [4, 7, 10, 13]
    with (
        simulator.checked(),
        pytest.raises(
            RuntimeError, match=r"out-of-bounds load .* element 6 .* of buffer 1 'in\[1\]', which has"
        ),
    ):
        lib.sum(torch.zeros(8, device="mps"), [torch.zeros(8, device="mps"), tensors[0], tensors[1]])


def test_no_threads_no_work(lib) -> None:
    lib.full(torch.zeros(0, device="mps"), 1.0)
    out = torch.zeros(2, device="mps")
    lib.full(out, 1.0, threads=0)
    assert out.tolist() == [0, 0]


def test_what_binds_to_no_parameter_is_let_pass(lib) -> None:
    out = torch.zeros(2, device="mps")
    lib.second(out, out, 3.0, 4, [5])
    assert out.tolist() == [3, 3]


def test_attributes(lib) -> None:
    names = {"full", "arange", "bytes8", "grouped"}
    assert names <= set(dir(lib))
    assert "bytes" not in dir(lib)
    assert lib.full.max_threads_per_threadgroup == 1024
    assert lib.full.thread_execution_width == 32
    assert lib.full.static_thread_group_memory_length == 0
    assert lib.grouped.static_thread_group_memory_length == 64 * 4
    assert lib.scratch_float.static_thread_group_memory_length == 32 * 4 + 16
    assert lib.scratch_half.static_thread_group_memory_length == 8 * 2 + 16
    assert isinstance(lib, torch._C._mps_ShaderLibrary)
    assert isinstance(lib.full, torch._C._mps_MetalKernel)


MISUSE = {
    "no such kernel": (lambda lib, x, cpu: lib.nothing(x), "Failed to create function state object for: nothing"),
    "CPU tensor": (lambda lib, x, cpu: lib.full(cpu, 1.0), "Passed CPU tensor to MPS op"),
    "CPU tensor in a list": (lambda lib, x, cpu: lib.sum(x, [x, cpu, x]), "Passed CPU tensor to MPS op"),
    "no tensor": (lambda lib, x, cpu: lib.full(12), "Number of threads is undefined or has wrong dimension"),
    "empty list": (lambda lib, x, cpu: lib.full(x, []), "Empty list/tuple can not be an argument to metal kernel"),
    "list of strings": (lambda lib, x, cpu: lib.full(x, ["a"]), "Unexpected argument types"),
    "string": (lambda lib, x, cpu: lib.full(x, "a"), "Unsupported argument type"),
    "None": (lambda lib, x, cpu: lib.full(x, None), "Unsupported argument type"),
    "complex": (lambda lib, x, cpu: lib.full(x, 1j), "Unsupported argument type"),
    "mixed list": (lambda lib, x, cpu: lib.full(x, [1, 2.0]), "Unable to cast Python instance"),
    "mixed tensors": (lambda lib, x, cpu: lib.sum(x, [x, 1, x]), "Unable to cast Python instance"),
    "too big": (lambda lib, x, cpu: lib.full(x, 2**64), "Unable to cast Python instance"),
    "cast": (lambda lib, x, cpu: lib.full(x, 1, arg_casts="fp8"), "Unsupported cast instruction fp8"),
    "casts": (lambda lib, x, cpu: lib.full(x, 1, arg_casts=3), "Unexpected caster arg type int"),
    "negative threads": (lambda lib, x, cpu: lib.full(x, 1.0, threads=-1), "Unable to cast Python instance"),
    "threads in words": (lambda lib, x, cpu: lib.full(x, 1.0, threads="many"), "Unable to cast Python instance"),
    "no dimension": (lambda lib, x, cpu: lib.full(x, 1.0, threads=[]), "Expected vec.size() > 0"),
    "4 dimensions": (lambda lib, x, cpu: lib.full(x, 1.0, threads=[1] * 4), "Expected vec.size() > 0"),
    "dimensions": (
        lambda lib, x, cpu: lib.full(x, 1.0, threads=[1, 1], group_size=1),
        "threads->size() == group_size->size()",
    ),
    "too few arguments": (lambda lib, x, cpu: lib.full(x), "kernel full takes 2 buffers, got 1"),
    "too small": (lambda lib, x, cpu: lib.bytes8(x, 1.0), "'value' must have 8 bytes, got 4"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISUSE)
def test_misuse(lib, what: str) -> None:
    call, text = MISUSE[what]
    with pytest.raises(RuntimeError) as caught:
        call(lib, torch.zeros(3, device="mps"), torch.zeros(3))
    assert text in str(caught.value)
    assert "Exception raised from" not in str(caught.value)


@pytest.mark.parametrize("options", [{"group_size": 1029}, {"threads": (3, 1024), "group_size": (3, 1024)}])
def test_groups_that_are_too_large(lib, options: dict) -> None:
    with pytest.raises(ValueError, match="Threadgroup size exceeds 1024 limit"):
        lib.full(torch.zeros(3, device="mps"), 1.0, **options)


def test_kernels_that_limit_their_groups(lib) -> None:
    assert lib.limited.max_threads_per_threadgroup == 64
    out = torch.zeros(100, dtype=torch.int32, device="mps")
    lib.limited(out)
    assert out[0].item() == 64
    with pytest.raises(ValueError, match="Threadgroup size exceeds 64 limit"):
        lib.limited(out, group_size=65)


def test_diagnostics_have_lines() -> None:
    source = "#include <metal_stdlib>\nusing namespace metal;\nkernel void f(device float* x) { x[0] = nothing; }\n"
    with pytest.raises(
        SyntaxError, match=r"^program_source:3:41: error: use of undeclared identifier 'nothing'"
    ):
        torch.mps.compile_shader(source)
    with pytest.raises(SyntaxError, match=r"^program_source:2: error: Metal has no double"):
        torch.mps.compile_shader("\nkernel void f(device double* x) {}")
    with pytest.raises(SyntaxError, match=r"program_source:1:\d+: fatal error: '.*' file not found"):
        torch.mps.compile_shader('#include "no/such/file.h"')


def test_torch_headers_are_embedded() -> None:
    lib = torch.mps.compile_shader(
        "#include <c10/metal/special_math.h>\n"
        "kernel void f(device float* x, uint i [[thread_position_in_grid]]) { x[i] = c10::metal::i0(x[i]); }"
    )
    x = torch.linspace(-2, 2, 9, device="mps")
    expected = torch.special.i0(x.cpu())
    lib.f(x)
    torch.testing.assert_close(x.cpu(), expected)


def test_checks_can_be_switched_on_later(lib) -> None:
    x = torch.zeros(4, device="mps")
    with simulator.checked(), pytest.raises(RuntimeError, match=r"kernel 'arange', thread \(4, 0, 0\)"):
        lib.arange(x, threads=5)


def test_errors_that_kernels_report() -> None:
    lib = torch.mps.compile_shader(
        """
        #include <metal_stdlib>
        #include <c10/metal/error.h>
        kernel void check(device int* x, device c10::metal::ErrorMessages* errors, uint i [[thread_position_in_grid]]) {
          if (x[i] < 0) {
            TORCH_REPORT_ERROR(errors, "negative at ", i);
          }
        }
        """
    )
    fine = torch.tensor([1, 2], dtype=torch.int32, device="mps")
    lib.check(fine, error_buf_idx=1)
    torch.mps.synchronize()
    bad = torch.tensor([1, 2, -3], dtype=torch.int32, device="mps")
    for wait in (torch.mps.synchronize, bad.cpu, bad[0].item):
        lib.check(bad, error_buf_idx=1)
        with pytest.raises(torch.AcceleratorError, match="negative at 2"):
            wait()
        torch.mps.synchronize()  # said once


def test_metal_libraries_hold_code_of_the_gpu() -> None:
    for source in (b"MTLB", "kernels.metallib"):
        with pytest.raises(
            RuntimeError, match=r"holds code for Apple GPUs, which cannot run here; .*compile_shader"
        ):
            torch.mps.load_metallib(source)
    with pytest.raises(TypeError):
        torch.mps.load_metallib(3)


def mapped(folder: Path) -> int:
    return len(set(re.findall(rf"{folder}.*", Path("/proc/self/maps").read_text())))


def test_libraries_neither_leak_nor_collide(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(tmp_path))
    source = "kernel void f(device int* x) {{ x[0] = {}; }}"
    x = torch.zeros(1, dtype=torch.int32, device="mps")
    libraries = [torch.mps.compile_shader(source.format(n)) for n in (1, 2, 1)]
    found = []
    for library in libraries:
        library.f(x)
        found.append(x.item())
    assert found == [1, 2, 1]
    assert mapped(tmp_path) == 2  # what is loaded is shared
    kernel = libraries[0].f
    del library, libraries
    gc.collect()
    assert mapped(tmp_path) == 1  # the kernel keeps its library
    kernel(x)
    assert x.item() == 1
