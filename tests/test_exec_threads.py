"""Positions, sizes and indices that a thread is told, in plain loops and on fibers."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

FIELDS = [
    "position_x", "position_y", "position_z", "group_x", "group_y", "group_z", "local_x", "local_y", "local_z",
    "size_x", "size_y", "size_z", "full_x", "groups_x", "groups_y", "groups_z", "grid_x", "grid_y", "grid_z",
    "index", "lane", "simdgroup", "simd_size", "simdgroups", "quad_lane",
]  # fmt: skip

BODY = """(device uint* out [[buffer(0)]],
    uint3 position [[thread_position_in_grid]], uint3 group [[threadgroup_position_in_grid]],
    ushort3 local [[thread_position_in_threadgroup]], uint3 size [[threads_per_threadgroup]],
    uint3 full [[dispatch_threads_per_threadgroup]], uint3 groups [[threadgroups_per_grid]],
    uint3 grid [[threads_per_grid]], uint index [[thread_index_in_threadgroup]],
    ushort lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simd_size [[threads_per_simdgroup]], uint simdgroups [[simdgroups_per_threadgroup]],
    uint quad_lane [[thread_index_in_quadgroup]]) {
  WAIT
  device uint* o = out + 25 * ((position.z * grid.y + position.y) * grid.x + position.x);
  o[0] = position.x; o[1] = position.y; o[2] = position.z;
  o[3] = group.x; o[4] = group.y; o[5] = group.z;
  o[6] = local.x; o[7] = local.y; o[8] = local.z;
  o[9] = size.x; o[10] = size.y; o[11] = size.z; o[12] = full.x;
  o[13] = groups.x; o[14] = groups.y; o[15] = groups.z;
  o[16] = grid.x; o[17] = grid.y; o[18] = grid.z;
  o[19] = index; o[20] = lane; o[21] = simdgroup; o[22] = simd_size; o[23] = simdgroups; o[24] = quad_lane;
}
"""
SOURCE = (
    "kernel void plain" + BODY.replace("WAIT", "")
    + "kernel void waiting" + BODY.replace("WAIT", "threadgroup_barrier(mem_flags::mem_none);")
    + """
template <typename T>
kernel void scalar_forms(device uint* out, T i [[thread_position_in_grid]], T n [[threads_per_grid]],
                         uint2 p [[thread_position_in_grid]]) {
  out[i] = n + p.x + p.y;
}
template [[host_name("scalar_uint")]] [[kernel]] decltype(scalar_forms<uint>) scalar_forms<uint>;
template [[host_name("scalar_ushort")]] [[kernel]] decltype(scalar_forms<ushort>) scalar_forms<ushort>;
"""
)  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def kernels(request: pytest.FixtureRequest) -> msl.Library:
    return compile_kernels(SOURCE, "threads.metal", checked=request.param)


def expected(grid: tuple[int, int, int], group: tuple[int, int, int]) -> torch.Tensor:
    rows = []
    for z in range(grid[2]):
        for y in range(grid[1]):
            for x in range(grid[0]):
                at = (x, y, z)
                g = [p // s for p, s in zip(at, group, strict=True)]
                local = [p % s for p, s in zip(at, group, strict=True)]
                size = [min(s, n - i * s) for s, n, i in zip(group, grid, g, strict=True)]
                groups = [-(-n // s) for s, n in zip(group, grid, strict=True)]
                index = (local[2] * size[1] + local[1]) * size[0] + local[0]
                count = size[0] * size[1] * size[2]
                tail = [index, index % 32, index // 32, 32, -(-count // 32), index % 4]
                rows.append([*at, *g, *local, *size, group[0], *groups, *grid, *tail])
    return torch.tensor(rows, dtype=torch.int32)


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("name", ["plain", "waiting"])
@pytest.mark.parametrize(
    ("grid", "group"),
    [((100, 1, 1), (32, 1, 1)), ((7, 5, 3), (4, 2, 2)), ((5, 1, 1), (64, 1, 1)), ((9, 9, 2), (3, 16, 1))],
)
def test_built_ins(
    kernels: msl.Library, name: str, grid: tuple[int, int, int], group: tuple[int, int, int], order: str
) -> None:
    assert kernels[name].uses_fibers == (name == "waiting")
    out = torch.zeros(grid[0] * grid[1] * grid[2], len(FIELDS), dtype=torch.int32, device="mps")
    with schedule(order):
        kernels[name](out, threads=grid, group_size=group)
    got, want = out.cpu(), expected(grid, group)
    for i, field in enumerate(FIELDS):
        assert torch.equal(got[:, i], want[:, i]), field


@pytest.mark.parametrize("name", ["plain", "waiting"])
def test_whole_threadgroups(kernels: msl.Library, name: str) -> None:
    out = torch.zeros(6 * 8, len(FIELDS), dtype=torch.int32, device="mps")
    kernels[name](out, threadgroups=(3, 2), group_size=(4, 2))
    assert torch.equal(out.cpu(), expected((12, 4, 1), (4, 2, 1)))


@pytest.mark.parametrize("name", ["scalar_uint", "scalar_ushort"])
def test_scalar_and_two_dimensional_forms(kernels: msl.Library, name: str) -> None:
    out = torch.zeros(10, dtype=torch.int32, device="mps")
    kernels[name](out, threads=10, group_size=4)
    assert out.tolist() == [10 + i for i in range(10)]
