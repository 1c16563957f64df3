"""Matrices of 8 x 8 that a simdgroup holds: layout, load and store, products, against NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

SOURCE = """
template <typename T>
kernel void layout(device T* out, device ushort2* where, constant T* in, uint lane [[thread_index_in_simdgroup]]) {
  simdgroup_matrix<T, 8, 8> m;
  simdgroup_load(m, in);
  const thread auto& elements = m.thread_elements();
  out[2 * lane] = elements[0];
  out[2 * lane + 1] = elements[1];
  ushort quad = lane / 4;
  where[lane] = ushort2((quad & 4) + (lane / 2) % 4, (quad & 2) * 2 + (lane % 2) * 2);
}
template <typename T>
kernel void copies(device T* out, device T* in) {
  threadgroup T scratch[12 * 16];
  simdgroup_matrix<T, 8, 8> m;
  simdgroup_load(m, in, 16, ulong2(3, 2));            // row 2, column 3 of 16 columns
  simdgroup_store(m, scratch, 12, ulong2(1, 5), true);
  simdgroup_barrier(mem_flags::mem_threadgroup);
  simdgroup_load(m, scratch, ulong(12), ulong2(1, 5));
  simdgroup_store(m, out, 10, 0, false);
  simdgroup_load(m, in, 16, ulong2(3, 2), true);
  simdgroup_store(m, out + 80, 10);
}
template <typename T>
kernel void values(device T* out) {
  simdgroup_store(simdgroup_matrix<T, 8, 8>(T(3)), out);
  simdgroup_store(make_filled_simdgroup_matrix<T, 8>(T(2)), out + 64);
  simdgroup_matrix<T, 8, 8> m = make_filled_simdgroup_matrix<T, 8, 8>(T(1));
  m.thread_elements()[0] += T(4);
  m.thread_elements() *= T(2);
  simdgroup_store(m, out + 128);
}
template <typename In, typename Out>
kernel void products(device Out* out, constant In* a, constant In* b, constant Out* c) {
  simdgroup_matrix<In, 8, 8> left, right;
  simdgroup_matrix<Out, 8, 8> sum, result;
  simdgroup_load(left, a);
  simdgroup_load(right, b);
  simdgroup_load(sum, c);
  simdgroup_multiply(result, left, right);
  simdgroup_store(result, out);
  simdgroup_multiply_accumulate(sum, left, right, sum);
  simdgroup_store(sum, out + 64);
  simdgroup_store(left * right, (device In*)(out + 128));
}
#define ROWS(T) \\
  template [[host_name("layout_" #T)]] [[kernel]] decltype(layout<T>) layout<T>; \\
  template [[host_name("copies_" #T)]] [[kernel]] decltype(copies<T>) copies<T>; \\
  template [[host_name("values_" #T)]] [[kernel]] decltype(values<T>) values<T>; \\
  template [[host_name("products_" #T "_" #T)]] [[kernel]] decltype(products<T, T>) products<T, T>; \\
  template [[host_name("products_" #T "_float")]] [[kernel]] decltype(products<T, float>) products<T, float>;
ROWS(half) ROWS(bfloat)
template [[host_name("layout_float")]] [[kernel]] decltype(layout<float>) layout<float>;
template [[host_name("copies_float")]] [[kernel]] decltype(copies<float>) copies<float>;
template [[host_name("values_float")]] [[kernel]] decltype(values<float>) values<float>;
template [[host_name("products_float_float")]] [[kernel]] decltype(products<float, float>) products<float, float>;

// Four simdgroups, each 16 columns of 32 x 64 @ 64 x 64: tiles in threadgroup memory.
kernel void gemm(device float* out, constant half* a, constant half* b,
                 uint group [[simdgroup_index_in_threadgroup]], uint i [[thread_index_in_threadgroup]]) {
  threadgroup half tile[32 * 8];
  simdgroup_float8x8 sums[4][2];
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 2; ++column) sums[row][column] = simdgroup_float8x8(0);
  for (uint k = 0; k < 64; k += 8) {
    for (uint j = i; j < 256; j += 128) tile[j] = a[j / 8 * 64 + k + j % 8];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int row = 0; row < 4; ++row) {
      simdgroup_half8x8 left, right;
      simdgroup_load(left, tile, 8, ulong2(0, row * 8));
      for (int column = 0; column < 2; ++column) {
        simdgroup_load(right, b, 64, ulong2(group * 16 + column * 8, k));
        simdgroup_multiply_accumulate(sums[row][column], left, right, sums[row][column]);
      }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 2; ++column)
      simdgroup_store(sums[row][column], out, 64, ulong2(group * 16 + column * 8, row * 8));
}
kernel void part_of_a_simdgroup(device float* out, uint lane [[thread_index_in_simdgroup]]) {
  simdgroup_float8x8 m(1);
  if (lane < 16) {
    simdgroup_multiply(m, m, m);
    out[lane] = m.thread_elements()[0];
  }
}
"""
TYPES = {"float": torch.float32, "half": torch.float16, "bfloat": torch.bfloat16}


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def kernels(request: pytest.FixtureRequest) -> msl.Library:
    return compile_kernels(SOURCE, "matrices.metal", checked=request.param)


@pytest.mark.parametrize("kind", TYPES)
def test_layout(kernels: msl.Library, kind: str) -> None:
    """Two neighbours of a row in each lane, at the place that kernels for Apple's GPUs compute."""
    data = torch.arange(64).to(TYPES[kind]).to("mps")
    out = torch.zeros(32, 2, dtype=TYPES[kind], device="mps")
    where = torch.zeros(32, 2, dtype=torch.int16, device="mps")
    kernels[f"layout_{kind}"](out, where, data, threads=32)
    first = where[:, 0] * 8 + where[:, 1]
    assert out.tolist() == torch.stack([first, first + 1], 1).tolist()
    assert sorted(out.flatten().tolist()) == list(range(64))


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("kind", TYPES)
def test_load_and_store(kernels: msl.Library, kind: str, order: str) -> None:
    data = torch.randint(-9, 9, (16, 16)).to(TYPES[kind])
    out = torch.full((16, 10), -100, dtype=TYPES[kind], device="mps")
    with schedule(order):
        kernels[f"copies_{kind}"](out, data.to("mps"), threads=32)
    block = data[2:10, 3:11].T
    assert torch.equal(out[:8, :8].cpu(), block)
    assert torch.equal(out[8:, :8].cpu(), block)
    assert (out[:, 8:] == -100).all()


@pytest.mark.parametrize("kind", TYPES)
def test_values(kernels: msl.Library, kind: str) -> None:
    out = torch.zeros(3, 8, 8, dtype=TYPES[kind], device="mps")
    kernels[f"values_{kind}"](out, threads=32)
    assert torch.equal(out[0].cpu().float(), 3 * torch.eye(8))
    assert (out[1] == 2).all()
    assert (out[2, :, 0::2] == 10).all()
    assert (out[2, :, 1::2] == 2).all()


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("kinds", ["float_float", "half_half", "bfloat_bfloat", "half_float", "bfloat_float"])
def test_products(kernels: msl.Library, kinds: str, order: str) -> None:
    kind, result = kinds.split("_")
    generator = torch.Generator().manual_seed(0)
    a, b, c = (torch.randn(8, 8, generator=generator) for _ in range(3))
    a, b, c = a.to(TYPES[kind]), b.to(TYPES[kind]), c.to(TYPES[result])
    out = torch.zeros(3, 8, 8, dtype=TYPES[result], device="mps")
    with schedule(order):
        kernels[f"products_{kinds}"](out, a.to("mps"), b.to("mps"), c.to("mps"), threads=32)
    product = a.double().numpy() @ b.double().numpy()
    got = out.cpu()
    # One rounding to the type of the result, on top of float's eight.
    unit = torch.finfo(TYPES[result]).eps / 2
    bound = unit * np.abs(product) + 1e-5
    assert (np.abs(got[0].double().numpy() - product) <= bound).all()
    total = product + c.double().numpy()
    assert (np.abs(got[1].double().numpy() - total) <= unit * np.abs(total) + 1e-5).all()
    same = got[2].flatten().view(TYPES[kind])[:64].reshape(8, 8)
    operator = torch.from_numpy(product).to(TYPES[kind]).double()
    assert (
        (same.double() - operator).abs() <= 2 * torch.finfo(TYPES[kind]).eps * operator.abs() + 1e-5
    ).all()


@pytest.mark.parametrize("order", SCHEDULES)
def test_gemm(kernels: msl.Library, order: str) -> None:
    generator = torch.Generator().manual_seed(1)
    a = torch.randn(32, 64, generator=generator).half()
    b = torch.randn(64, 64, generator=generator).half()
    out = torch.zeros(32, 64, device="mps")
    with schedule(order):
        kernels["gemm"](out, a.to("mps"), b.to("mps"), threads=128, group_size=128)
    assert np.allclose(out.cpu().numpy(), a.double().numpy() @ b.double().numpy(), atol=1e-4)


def test_part_of_a_simdgroup_gets_nothing(kernels: msl.Library) -> None:
    """Undefined on a GPU: here it cannot go unnoticed."""
    out = torch.zeros(16, device="mps")
    kernels["part_of_a_simdgroup"](out, threads=32)
    assert out.isnan().all()


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("simdgroup_matrix<float, 8, 16> m;", "a simdgroup_matrix is 8 x 8"),
        ("simdgroup_matrix<int, 8, 8> m;", "elements of a simdgroup_matrix are half, bfloat or float"),
    ],
)
def test_refused(declaration: str, message: str) -> None:
    with pytest.raises(msl.CompileError) as caught:
        compile_kernels(f"kernel void f(device float* o) {{ {declaration} o[0] = sizeof(m); }}", "bad.metal")
    assert message in str(caught.value)
    assert "bad.metal:1:" in str(caught.value)


def test_ptx(tmp_path: Path) -> None:
    from test_msl_ptx import compiled, ptx

    ptx.assemble(compiled(SOURCE, tmp_path))
