"""[[max_total_threads_per_threadgroup]] and [[required_threads_per_threadgroup]] bind at dispatch."""

import pytest
import torch
from exec_support import compile_kernels, fails, msl

SOURCE = """
template <int N, typename T>
[[kernel, max_total_threads_per_threadgroup(N * 32)]] void of_arguments(device T* o) { o[0] = T(N); }
template [[host_name("of_2")]] [[kernel]] decltype(of_arguments<2, float>) of_arguments<2, float>;
template [[host_name("of_4")]] kernel void of_arguments<4, float>(device float*);
namespace inside {
[[max_total_threads_per_threadgroup(64)]] kernel void before(device float* o) { o[0] = 1; }
kernel [[max_total_threads_per_threadgroup(64)]] [[host_name("renamed")]] void behind(device float* o) { o[0] = 1; }
}
[[kernel]] [[required_threads_per_threadgroup(8, 2)]] void required(device float* o) { o[0] = 1; }
kernel void free(device float* o) { o[0] = 1; }
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "limits.metal")


@pytest.mark.parametrize(
    ("name", "most"), [("of_2", 64), ("of_4", 128), ("before", 64), ("renamed", 64), ("free", 1024)]
)
def test_most_threads(kernels: msl.Library, name: str, most: int) -> None:
    out = torch.zeros(1, device="mps")
    kernels[name](out, threadgroups=1, group_size=most)
    assert out.item() != 0
    with pytest.raises(ValueError, match=f"at most {most} threads, got {most + 1}"):
        kernels[name](out, threadgroups=1, group_size=most + 1)


def test_required_threads(kernels: msl.Library) -> None:
    out = torch.zeros(1, device="mps")
    kernels["required"](out, threadgroups=2, group_size=(8, 2))
    assert out.item() == 1
    for size in (16, (2, 8), (8, 2, 2)):
        with fails("kernel required: threadgroup must have 8 x 2 x 1 threads, got"):
            kernels["required"](out, threadgroups=1, group_size=size)
