"""simd_ and quad_ functions of the specification, section 6.9: every one, with and without inactive lanes."""

from pathlib import Path

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

SHUFFLES = """
template <typename T>
kernel void NAME(device T* out, constant T* data, constant T* filling, constant ushort* operands,
                 uint i [[thread_position_in_grid]]) {
  T x = data[i];
  const T f = filling[i];
  const ushort n = operands[0], modulo = operands[1];
  device T* o = out + 10 * i;
  o[0] = GROUP_shuffle(x, ushort((i + n) % 4));
  o[1] = GROUP_shuffle_xor(x, n);
  o[2] = GROUP_shuffle_up(x, n);
  o[3] = GROUP_shuffle_down(x, n);
  o[4] = GROUP_shuffle_rotate_up(x, n);
  o[5] = GROUP_shuffle_rotate_down(x, n);
  o[6] = GROUP_shuffle_and_fill_up(x, f, n);
  o[7] = GROUP_shuffle_and_fill_down(x, f, n);
  o[8] = GROUP_shuffle_and_fill_up(x, f, n, modulo);
  o[9] = GROUP_shuffle_and_fill_down(x, f, n, modulo);
}
"""
TYPES = [
    "char",
    "uchar",
    "short",
    "ushort",
    "int",
    "uint",
    "half",
    "float",
    "float2",
    "half4",
    "int3",
    "uchar4",
]
ROW = 'template [[host_name("NAME_{0}")]] [[kernel]] decltype(NAME<{0}>) NAME<{0}>;\n'
SOURCE = (
    "".join(
        (SHUFFLES + "".join(ROW.format(t) for t in TYPES)).replace("NAME", f"{g}s").replace("GROUP", g)
        for g in ("simd", "quad")
    )
    + """
kernel void votes(device uint* out, constant uint* threshold, uint i [[thread_position_in_grid]]) {
  if (i % 8 >= threshold[0]) return;
  const bool vote = i % 3 == 0;
  device uint* o = out + 16 * i;
  const simd_vote votes = simd_ballot(vote);
  o[0] = uint(simd_vote::vote_t(votes));
  o[1] = votes.all();
  o[2] = votes.any();
  o[3] = uint(static_cast<simd_vote::vote_t>(simd_active_threads_mask()));
  const quad_vote quad = quad_ballot(vote);
  o[4] = uint((quad_vote::vote_t)quad);
  o[5] = quad.all();
  o[6] = quad.any();
  o[7] = uint(quad_vote::vote_t(quad_active_threads_mask()));
  o[8] = simd_all(vote);
  o[9] = simd_any(vote);
  o[10] = quad_all(vote);
  o[11] = quad_any(vote);
  o[12] = simd_is_first();
  o[13] = quad_is_first();
  o[14] = simd_broadcast_first(i);
  o[15] = quad_broadcast_first(i);
}
kernel void without_one(device float* out, constant float* in, uint i [[thread_position_in_grid]]) {
  if (i % 4 == 2) return;
  const float x = in[i];
  device float* o = out + 9 * i;
  o[0] = quad_sum(x);
  o[1] = quad_product(x);
  o[2] = quad_min(x);
  o[3] = quad_max(x);
  o[4] = quad_prefix_inclusive_sum(x);
  o[5] = quad_prefix_exclusive_sum(x);
  o[6] = quad_prefix_inclusive_product(x);
  o[7] = quad_prefix_exclusive_product(x);
  o[8] = quad_broadcast(x, ushort(3));
}
kernel void integers(device uint* out, constant uint* in, uint i [[thread_position_in_grid]]) {
  out[8 * i] = simd_and(in[i]);
  out[8 * i + 1] = simd_or(in[i]);
  out[8 * i + 2] = simd_xor(in[i]);
  out[8 * i + 3] = quad_and(in[i]);
  out[8 * i + 4] = quad_or(in[i]);
  out[8 * i + 5] = quad_xor(in[i]);
  out[8 * i + 6] = simd_prefix_inclusive_product(in[i] | 1);
  out[8 * i + 7] = simd_prefix_exclusive_product(in[i] | 1);
}
#pragma METAL internals : enable
kernel void through_integers(device bfloat* out, constant bfloat* in, uint i [[thread_position_in_grid]]) {
  out[2 * i] = as_type<bfloat>(__metal_simd_shuffle_and_fill_down(
      as_type<ushort>(in[i]), ushort(0), ushort(1), __metal_get_simdgroup_size(ushort())));
  out[2 * i + 1] = bfloat(__metal_simd_sum(float(in[i])));
}
template <typename T>
kernel void takes(device uint* out) { out[0] = __is_valid_simdgroup_type<T>::value; }
template [[host_name("takes_half4")]] [[kernel]] decltype(takes<half4>) takes<half4>;
template [[host_name("takes_long")]] [[kernel]] decltype(takes<long>) takes<long>;
"""
)
DTYPES = {
    "char": torch.int8, "uchar": torch.uint8, "short": torch.int16, "ushort": torch.uint16,
    "int": torch.int32, "uint": torch.uint32, "half": torch.float16, "float": torch.float32,
}  # fmt: skip


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "functions.metal")


def sources(lane: int, n: int, width: int, modulo: int) -> list[tuple[int, bool]]:
    """For each shuffle, whose value a lane of a group gets, and whether it is the filling."""
    part = lane // modulo * modulo
    inside = lane - part
    return [
        ((lane + n) % 4, False),
        (lane ^ n, False),
        (lane - n if lane >= n else lane, False),
        (lane + n if lane + n < width else lane, False),
        ((lane - n) % width, False),
        ((lane + n) % width, False),
        ((lane - n) % width, lane < n),
        ((lane + n) % width, lane + n >= width),
        (part + (inside - n) % modulo, inside < n),
        (part + (inside + n) % modulo, inside + n >= modulo),
    ]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("group", ["simd", "quad"])
def test_shuffles(kernels: msl.Library, group: str, kind: str) -> None:
    width, n, modulo = (32, 3, 8) if group == "simd" else (4, 1, 2)
    scalar = kind.rstrip("234")
    lanes = {"": 1, "2": 2, "3": 4, "4": 4}[kind[len(scalar) :]]  # three elements take the space of four
    used = 3 if kind.endswith("3") else lanes
    data = torch.arange(64 * lanes).reshape(64, lanes) % 100
    filling = data + 20
    out = torch.zeros(64, 10, lanes, dtype=DTYPES[scalar], device="mps")
    operands = torch.tensor([n, modulo], dtype=torch.int16, device="mps")
    arguments = [t.to(DTYPES[scalar]).to("mps") for t in (data, filling)]
    for order in SCHEDULES:
        with schedule(order):
            kernels[f"{group}s_{kind}"](out, *arguments, operands, threads=64)
        got = out.cpu().to(torch.int64)
        for i in range(64):
            base = i // width * width
            for j, (lane, filled) in enumerate(sources(i - base, n, width, modulo)):
                wanted = (filling if filled else data)[base + lane]
                assert torch.equal(got[i, j, :used], wanted[:used]), (order, i, j)


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("active", [8, 5])
def test_votes(kernels: msl.Library, active: int, order: str) -> None:
    out = torch.zeros(40, 16, dtype=torch.int32, device="mps")
    limit = torch.tensor([active], dtype=torch.int32, device="mps")
    with schedule(order):
        kernels["votes"](out, limit, threads=40, group_size=40)
    got = out.cpu()
    for i in range(40):
        if i % 8 >= active:
            assert (got[i] == 0).all()
            continue
        simd = [j for j in range(i // 32 * 32, min(i // 32 * 32 + 32, 40)) if j % 8 < active]
        quad = [j for j in range(i // 4 * 4, i // 4 * 4 + 4) if j % 8 < active]
        mask = {g: sum(1 << (j % w) for j in lanes) for g, w, lanes in (("s", 32, simd), ("q", 4, quad))}
        votes = {
            g: sum(1 << (j % w) for j in lanes if j % 3 == 0)
            for g, w, lanes in (("s", 32, simd), ("q", 4, quad))
        }
        wanted = [
            votes["s"], votes["s"] == 0xFFFFFFFF, votes["s"] != 0, mask["s"],
            votes["q"], votes["q"] == 15, votes["q"] != 0, mask["q"],
            votes["s"] == mask["s"], votes["s"] != 0, votes["q"] == mask["q"], votes["q"] != 0,
            i == simd[0], i == quad[0], simd[0], quad[0],
        ]  # fmt: skip
        assert [int(v) & 0xFFFFFFFF for v in got[i]] == [int(v) for v in wanted], i


@pytest.mark.parametrize("order", SCHEDULES)
def test_quads_without_one_lane(kernels: msl.Library, order: str) -> None:
    data = torch.arange(1.0, 33.0)
    out = torch.zeros(32, 9, device="mps")
    with schedule(order):
        kernels["without_one"](out, data.to("mps"), threads=32)
    for first in range(0, 32, 4):
        index = torch.tensor([first, first + 1, first + 3])
        x, got = data[index], out.cpu()[index]
        whole = torch.stack([x.sum(), x.prod(), x.min(), x.max()]).expand(3, 4)
        scans = [x.cumsum(0), x.cumsum(0) - x, x.cumprod(0), x.cumprod(0) / x, x[2].expand(3)]
        assert torch.equal(got, torch.cat([whole, torch.stack(scans, 1)], 1))
        assert (out[first + 2] == 0).all()


@pytest.mark.parametrize("order", SCHEDULES)
def test_integers(kernels: msl.Library, order: str) -> None:
    data = torch.randint(0, 1 << 31, (64,), generator=torch.Generator().manual_seed(0)).tolist()
    out = torch.zeros(64, 8, dtype=torch.int64)
    device = torch.zeros(64, 8, dtype=torch.int32, device="mps")
    with schedule(order):
        kernels["integers"](device, torch.tensor(data, dtype=torch.int32, device="mps"), threads=64)
    out = device.cpu().to(torch.int64) & 0xFFFFFFFF
    for i in range(64):
        simd, quad = data[i // 32 * 32 : i // 32 * 32 + 32], data[i // 4 * 4 : i // 4 * 4 + 4]
        wanted = []
        for lanes in (simd, quad):
            conjunction, union, difference = 0xFFFFFFFF, 0, 0
            for value in lanes:
                conjunction, union, difference = conjunction & value, union | value, difference ^ value
            wanted += [conjunction, union, difference]
        product = 1
        for value in simd[: i % 32]:
            product = product * (value | 1) & 0xFFFFFFFF
        wanted += [product * (data[i] | 1) & 0xFFFFFFFF, product]
        assert out[i].tolist() == wanted, i


def test_builtins_by_which_kernels_add_types(kernels: msl.Library) -> None:
    data = torch.arange(32).bfloat16()
    out = torch.zeros(32, 2, dtype=torch.bfloat16, device="mps")
    kernels["through_integers"](out, data.to("mps"), threads=32)
    assert out[:, 0].tolist() == [*range(1, 32), 0]
    assert (out[:, 1] == 496).all()
    flag = torch.zeros(1, dtype=torch.int32, device="mps")
    kernels["takes_half4"](flag, threads=1)
    assert flag.item() == 1
    kernels["takes_long"](flag, threads=1)
    assert flag.item() == 0


@pytest.mark.parametrize("kind", ["long", "ulong", "bfloat", "bool", "long2"])
def test_types_that_metal_leaves_out(kind: str) -> None:
    with pytest.raises(msl.CompileError) as caught:
        compile_kernels(
            f"kernel void f(device {kind}* o) {{\n o[0] = simd_shuffle(o[0], ushort(1)); }}", "bad.metal"
        )
    assert "bad.metal:2:9: error: no matching function for call to 'simd_shuffle'" in str(caught.value)


def test_ptx(tmp_path: Path) -> None:
    from test_msl_ptx import compiled, ptx

    text = compiled(SOURCE, tmp_path)
    assert "vote.sync.ballot" in text
    ptx.assemble(text)
