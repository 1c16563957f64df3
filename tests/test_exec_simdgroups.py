"""What the 32 lanes of a simdgroup tell each other, also when some of them are absent."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

SOURCE = """
template <typename T>
kernel void reductions(device T* out, constant T* in, uint i [[thread_position_in_grid]]) {
  T x = in[i];
  out[6 * i] = simd_sum(x);
  out[6 * i + 1] = simd_product(x);
  out[6 * i + 2] = simd_min(x);
  out[6 * i + 3] = simd_max(x);
  out[6 * i + 4] = simd_prefix_inclusive_sum(x);
  out[6 * i + 5] = simd_prefix_exclusive_sum(x);
}
#define ROW(T) template [[host_name("reductions_" #T)]] [[kernel]] decltype(reductions<T>) reductions<T>;
ROW(float) ROW(half) ROW(int) ROW(uint) ROW(short) ROW(uchar)

kernel void bits(device uint* out, constant uint* in, uint i [[thread_position_in_grid]]) {
  out[3 * i] = simd_and(in[i]);
  out[3 * i + 1] = simd_or(in[i]);
  out[3 * i + 2] = simd_xor(in[i]);
}
kernel void shuffles(device int* out, uint i [[thread_position_in_grid]], ushort lane [[thread_index_in_simdgroup]]) {
  int x = i;
  device int* o = out + 12 * i;
  o[0] = simd_broadcast(x, 5);
  o[1] = simd_broadcast_first(x);
  o[2] = simd_shuffle(x, ushort(31 - lane));
  o[3] = simd_shuffle_xor(x, ushort(6));
  o[4] = simd_shuffle_up(x, ushort(3));
  o[5] = simd_shuffle_down(x, ushort(3));
  o[6] = simd_shuffle_rotate_up(x, ushort(3));
  o[7] = simd_shuffle_rotate_down(x, ushort(3));
  o[8] = simd_shuffle_and_fill_up(x, x + 1000, ushort(3));
  o[9] = simd_shuffle_and_fill_down(x, x + 1000, ushort(3));
  o[10] = quad_broadcast(x, ushort(2));
  o[11] = quad_shuffle_xor(x, ushort(1));
}
kernel void votes(device uint* out, uint i [[thread_position_in_grid]]) {
  bool odd = i % 2;
  device uint* o = out + 8 * i;
  o[0] = uint(ulong(simd_ballot(odd)));
  o[1] = simd_any(odd);
  o[2] = simd_all(odd);
  o[3] = simd_all(i < 1000);
  o[4] = uint(ulong(simd_active_threads_mask()));
  o[5] = simd_is_first();
  o[6] = quad_any(i % 4 == 3 && i < 8);
  o[7] = quad_sum(i);
}
kernel void vectors(device float4* out, constant float4* in, uint i [[thread_position_in_grid]]) {
  out[i] = simd_sum(in[i]) + simd_shuffle_xor(in[i], ushort(1));
}
kernel void inactive_lanes(device float* out, constant uint& active, uint i [[thread_position_in_threadgroup]]) {
  if (i >= active) return;
  out[4 * i] = simd_sum(1.0f);
  out[4 * i + 1] = simd_min(float(i));
  out[4 * i + 2] = simd_broadcast_first(float(i));
  out[4 * i + 3] = simd_shuffle_down(float(i), ushort(1));
}
kernel void lanes_at_a_barrier_are_inactive(device float* out, uint i [[thread_position_in_threadgroup]]) {
  threadgroup float total;
  if (i < 5) {
    float s = simd_sum(1.0f);
    if (i == 0) total = s;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = total;
}
kernel void simdgroups_do_not_wait_for_each_other(device uint* out, uint i [[thread_position_in_threadgroup]],
                                                  uint group [[simdgroup_index_in_threadgroup]]) {
  uint x = 0;
  for (uint k = 0; k <= group; ++k) x += simd_sum(1u);
  out[i] = x;
}
kernel void races_ahead(device uint* out, uint i [[thread_position_in_threadgroup]]) {
  uint x = i;
  for (uint k = 0; k < 20; ++k) x = simd_shuffle(x, ushort((i + 1) % 32)) + simd_shuffle_xor(k, ushort(1)) - k;
  out[i] = x;
}
"""


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def kernels(request: pytest.FixtureRequest) -> msl.Library:
    return compile_kernels(SOURCE, "simdgroups.metal", checked=request.param)


TYPES = {
    "float": torch.float32, "half": torch.float16, "int": torch.int32, "uint": torch.uint32,
    "short": torch.int16, "uchar": torch.uint8,
}  # fmt: skip


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("type_name", TYPES)
def test_reductions(kernels: msl.Library, type_name: str, order: str) -> None:
    dtype = TYPES[type_name]
    values = torch.randint(1, 3, (80,))  # two simdgroups and half of one
    data = values.to(dtype).to("mps")
    out = torch.zeros(80, 6, dtype=dtype, device="mps")
    with schedule(order):
        kernels[f"reductions_{type_name}"](out, data, threads=80, group_size=80)
    got = out.cpu().to(torch.float64)
    for first in (0, 32, 64):
        lanes = values[first : first + 32].to(torch.float64)
        block = got[first : first + 32]
        assert (block[:, 0] == lanes.sum()).all()
        if lanes.prod() < 200:  # representable in every type
            assert (block[:, 1] == lanes.prod()).all()
        assert (block[:, 2] == lanes.min()).all()
        assert (block[:, 3] == lanes.max()).all()
        assert torch.equal(block[:, 4], lanes.cumsum(0))
        assert torch.equal(block[:, 5], lanes.cumsum(0) - lanes)


def test_product_of_floats(kernels: msl.Library) -> None:
    values = torch.rand(32) + 0.5
    out = torch.zeros(32, 6, device="mps")
    kernels["reductions_float"](out, values.to("mps"), threads=32, group_size=32)
    torch.testing.assert_close(out[:, 1].cpu(), values.double().prod().float().expand(32))


def test_bits(kernels: msl.Library) -> None:
    values = torch.randint(0, 2**31 - 1, (32,), dtype=torch.int32) | 0x100
    out = torch.zeros(32, 3, dtype=torch.int32, device="mps")
    kernels["bits"](out, values.to("mps"), threads=32, group_size=32)
    both = any_ = odd = values[0].item()
    for value in values[1:].tolist():
        both, any_, odd = both & value, any_ | value, odd ^ value
    assert out.tolist() == [[both, any_, odd]] * 32


@pytest.mark.parametrize("order", SCHEDULES)
def test_shuffles(kernels: msl.Library, order: str) -> None:
    out = torch.zeros(64, 12, dtype=torch.int32, device="mps")
    with schedule(order):
        kernels["shuffles"](out, threads=64, group_size=64)
    for i, row in enumerate(out.tolist()):
        base, lane = i // 32 * 32, i % 32
        assert row == [
            base + 5,
            base,
            base + 31 - lane,
            base + (lane ^ 6),
            base + (lane - 3 if lane >= 3 else lane),
            base + (lane + 3 if lane < 29 else lane),
            base + (lane - 3) % 32,
            base + (lane + 3) % 32,
            base + lane - 3 if lane >= 3 else base + (lane - 3) % 32 + 1000,
            base + lane + 3 if lane < 29 else base + (lane + 3) % 32 + 1000,
            i // 4 * 4 + 2,
            i ^ 1,
        ]


def test_votes(kernels: msl.Library) -> None:
    out = torch.zeros(40, 8, dtype=torch.int32, device="mps")
    kernels["votes"](out, threads=40, group_size=40)
    for i, row in enumerate(out.tolist()):
        ballot, active = (0xAAAAAAAA, 0xFFFFFFFF) if i < 32 else (0xAA, 0xFF)
        signed = [v - 2**32 if v >= 2**31 else v for v in (ballot, active)]
        quad = i // 4 * 4
        assert row == [signed[0], 1, 0, 1, signed[1], i % 32 == 0, i < 8, 4 * quad + 6]


def test_vectors(kernels: msl.Library) -> None:
    values = torch.randint(-9, 9, (32, 4)).float()
    out = torch.zeros(32, 4, device="mps")
    kernels["vectors"](out, values.to("mps"), threads=32, group_size=32)
    swapped = values.reshape(16, 2, 4).flip(1).reshape(32, 4)
    assert torch.equal(out.cpu(), values.sum(0) + swapped)


def test_lanes_that_returned_are_inactive(kernels: msl.Library) -> None:
    out = torch.zeros(32, 4, device="mps")
    kernels["inactive_lanes"](out, 5, threadgroups=1, group_size=32)
    got = out.cpu()
    assert got[:5, 0].tolist() == [5] * 5
    assert got[:5, 1].tolist() == [0] * 5
    assert got[:5, 2].tolist() == [0] * 5
    assert got[:4, 3].tolist() == [1, 2, 3, 4]
    assert got[4, 3].isnan()  # the neighbour has returned: undefined, hence poisoned
    assert not got[5:].any()


def test_lanes_at_a_barrier_are_inactive(kernels: msl.Library) -> None:
    for order in SCHEDULES:
        out = torch.zeros(40, device="mps")
        with schedule(order):
            kernels["lanes_at_a_barrier_are_inactive"](out, threadgroups=1, group_size=40)
        assert out.tolist() == [5] * 40


@pytest.mark.parametrize("order", SCHEDULES)
def test_simdgroups_meet_only_themselves(kernels: msl.Library, order: str) -> None:
    out = torch.zeros(100, dtype=torch.int32, device="mps")
    with schedule(order):
        kernels["simdgroups_do_not_wait_for_each_other"](out, threadgroups=1, group_size=100)
    assert out.tolist() == [min(32, 100 - i // 32 * 32) * (i // 32 + 1) for i in range(100)]


@pytest.mark.parametrize("order", SCHEDULES)
def test_a_lane_may_run_ahead_to_the_next_operation(kernels: msl.Library, order: str) -> None:
    out = torch.zeros(32, dtype=torch.int32, device="mps")
    with schedule(order):
        kernels["races_ahead"](out, threadgroups=1, group_size=32)
    assert out.tolist() == [(i + 20) % 32 for i in range(32)]


@pytest.mark.parametrize("type_name", ["long", "ulong", "bool", "bfloat"])
def test_types_that_metal_does_not_take(type_name: str) -> None:
    source = f"kernel void f(device {type_name}* out, uint i [[thread_position_in_grid]]) {{ out[i] = simd_sum(out[i]); }}"
    with pytest.raises(
        msl.CompileError, match=r"types.metal:1:\d+: error: no matching function for call to 'simd_sum'"
    ):
        compile_kernels(source, "types.metal")


def test_waiting_behind_an_operator_is_seen() -> None:
    source = """
struct Hidden { void operator()() const { threadgroup_barrier(mem_flags::mem_none); } };
constant Hidden wait;
kernel void f(device int* out, uint i [[thread_position_in_grid]]) { wait(); out[i] = i; }
"""
    library = compile_kernels(source, "hidden.metal")
    assert library["f"].uses_fibers
    out = torch.zeros(4, dtype=torch.int32, device="mps")
    library["f"](out, threads=4)
    assert out.tolist() == [0, 1, 2, 3]
