"""Kernels compile for NVIDIA GPUs, whose assembler takes them. Nothing runs here: there is no such GPU."""

import re
from pathlib import Path

import pytest
import torch

from mpsops import _C, msl
from mpsops.msl import ptx

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = sorted((ROOT / "metal").glob("*.metal"))
TORCH_INCLUDE = Path(torch.__file__).parent / "include"

pytestmark = pytest.mark.skipif(_C.runtime != "sim", reason="compiles with the tools of the simulator")


def compiled(text: str, folder: Path) -> str:
    """The headers are found as in a clone: beside `metal/`."""
    for name in ("csrc", "metal"):
        (folder / name).mkdir() if name == "metal" else (folder / name).symlink_to(ROOT / name)
    (folder / "metal/probe.metal").write_text(f"#include <metal_stdlib>\nusing namespace metal;\n{text}")
    return ptx.compile_ptx(folder / "metal/probe.metal", TORCH_INCLUDE)


@pytest.mark.parametrize("source", FAMILIES, ids=lambda path: path.stem)
def test_family(source: Path) -> None:
    text = ptx.compile_ptx(source, TORCH_INCLUDE)
    names = set(re.findall(r"\.entry (\w+)\(", text))
    suffix = ".checked.so" if _C.simulator_checked() else ".so"
    library = Path(_C.__file__).parent / "kernels" / f"{source.stem}{suffix}"
    assert names == set(_C.KernelLibrary(str(library)).names())
    ptx.assemble(text)


def test_threadgroup_memory_is_shared_memory(tmp_path: Path) -> None:
    text = compiled(
        """
        kernel void turn(device float* x [[buffer(0)]], threadgroup float* more [[threadgroup(0)]],
                         uint i [[thread_index_in_threadgroup]]) {
          threadgroup float here[64];
          here[i] = x[i];
          more[i] = here[i];
          threadgroup_barrier(mem_flags::mem_threadgroup);
          x[i] = here[63 - i] + more[i ^ 1];
        }
        """,
        tmp_path,
    )
    assert re.search(r"\.shared \.align 4 \.b8 \S+\[256\]", text)
    assert ".extern .shared" in text
    assert "bar.sync" in text
    assert "ld.shared" in text
    ptx.assemble(text)


def test_constant_references_are_passed_by_value(tmp_path: Path) -> None:
    """The host reads which: 1 is an address, 2 a value, of a buffer, with its size."""
    text = compiled(
        """
        struct Params { uint count; float scale; long strides[4]; };
        kernel void probe(uint i [[thread_position_in_grid]], device float* x [[buffer(0)]],
                          constant Params& params [[buffer(2)]], constant long* more [[buffer(1)]],
                          constant float& one [[buffer(3)]]) {
          if (i < params.count) x[params.strides[i % 4] + more[i]] = params.scale + one;
        }
        """,
        tmp_path,
    )
    assert re.search(r"\.param \.align 8 \.b8 probe_param_3\[40\]", text)
    (params,) = re.findall(r"mov\.b64 \t(%rd\d+), probe_param_3;", text) or ["probe_param_3"]
    assert re.search(rf"ld\.param\.b32 \t%\w+, \[{params}\+4\]", text)
    assert ".local" not in text, "the struct is copied into memory of the thread"
    (table,) = re.findall(r"probe_passings\[\d+\] = \{([\d, ]+)\}", text)
    words = [int(word) for word in table.split(",")]
    rows = [(words[i], words[i + 1], words[i + 2]) for i in range(0, len(words), 4)]
    assert rows[1:] == [(1, 0, 8), (2, 2, 40), (1, 1, 8), (2, 3, 4)]
    assert rows[0][0] == 0
    ptx.assemble(text)


@pytest.mark.parametrize("call", ["simd_max(x[i])", "simd_prefix_inclusive_sum(x[i])"])
def test_lanes_that_are_alone_are_visited_in_a_loop(call: str, tmp_path: Path) -> None:
    """Unrolled, the predicates of 32 lanes are more than ptxas can allocate for sm_90."""
    kernel = (
        "kernel void probe(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) "
        f"{{ if (x[i] > 0.0f) x[i] = {call}; }}"
    )
    text = compiled(kernel, tmp_path)
    assert text.count("shfl.sync") < 16
    ptx.assemble(text)


@pytest.mark.parametrize(
    ("call", "instruction"),
    [
        ("simd_sum(x[i])", "shfl.sync.idx"),
        ("simd_shuffle_xor(x[i], ushort(3))", "shfl.sync.idx"),
        ("float(simd_all(x[i] > 0.0f))", "vote.sync.ballot"),
        ("fma(x[i], 2.0f, 1.0f)", "fma.rn.f32"),
        ("x[i] * 3.0f + 1.0f", "fma.rn.f32"),
        ("sqrt(x[i])", "sqrt.rn.f32"),
        ("x[i] / 3.0f", "div.rn.f32"),
    ],
)
def test_instructions(call: str, instruction: str, tmp_path: Path) -> None:
    """Among them: products are fused into sums, as nvcc does, and division and root are rounded right."""
    kernel = f"kernel void probe(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {{ x[i] = {call}; }}"
    text = compiled(kernel, tmp_path)
    assert instruction in text
    ptx.assemble(text)


def test_the_library_of_vectors(tmp_path: Path) -> None:
    """Vectors, matrices, packed vectors, pack functions and fences need nothing that an NVIDIA GPU lacks."""
    source = """
    kernel void probe(device float4* x, device packed_half3* p, device bfloat4* b, constant float3x3& m,
                      uint i [[thread_position_in_grid]]) {
      float4 v = x[i], c; int4 e;
      v.xyz = m * v.zyx;
      v = select(v, sincos(v, c) + frexp(v, e), isnan(v) || v < 0) + ldexp(v, e) + nextafter(v, c);
      v += unpack_unorm4x8_srgb_to_float(pack_float_to_srgb_unorm4x8(c)) + float4(b[i] * b[i]);
      p[i].xy += half2(v.xy);
      half4 h = half4(v);
      h = fma(h, h, h) + nextafter(h, half(1)) + fract(h);
      atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
      x[i] = v + float4(float3(p[i]), determinant(m)) + float4(mulhi(e, e)) + float4(h) + refract(v, c, 0.5f);
    }
    """
    text = compiled(source, tmp_path)
    assert "fence.sc" in text
    ptx.assemble(text)


def test_what_clang_refuses(tmp_path: Path) -> None:
    with pytest.raises(msl.CompileError, match="undeclared identifier 'nothing'"):
        compiled("kernel void f(device float* x [[buffer(0)]]) { x[0] = nothing; }", tmp_path)


def test_functions_that_nobody_defines(tmp_path: Path) -> None:
    source = "float elsewhere(float);\nkernel void probe(device float* x [[buffer(0)]]) { x[0] = elsewhere(x[0]); }"
    with pytest.raises(msl.CompileError, match=r"probe.metal needs _Z9elsewheref on NVIDIA GPUs"):
        compiled(source, tmp_path)


def test_names_that_ptx_lacks(tmp_path: Path) -> None:
    source = (
        "template <class T> kernel void f(device T* x [[buffer(0)]]) { x[0] = T(1); }\n"
        'template [[host_name("f<float>")]] kernel void f<float>(device float*);'
    )
    with pytest.raises(ValueError, match="PTX has no kernel name 'f<float>'"):
        compiled(source, tmp_path)
