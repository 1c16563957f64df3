"""The Metal runtime's own logic, with fakes of Metal's compiler and encoder: see tests/cpp/family.cpp.

A row says what was asked of Metal, then what came of it. A line feed in an error is printed as `~`.
"""

import cpp_program
import pytest

KERNEL = "of 768 threads, 96 bytes"
LOST = "is not available: metal/{}.metal compiles on this system only without bfloat16:~"
FORKED = (
    "mpsops: Metal cannot be used in a forked process; "
    "to use MPS with multiprocessing, use the 'spawn' start method"
)

FIRST_USE = {
    "first use": f"compile, make, k_float32 {KERNEL}",
    "second use": "same",
    "another kernel": f"make, k_bfloat16 {KERNEL}",
    "no such kernel": "make, mpsops: metal/plain.metal has no kernel k_int8",
    "no such bfloat16 kernel": "make, mpsops: metal/plain.metal has no kernel j_bfloat16",
    "no such family": "mpsops: kernel family must be one of metal/*.metal, got nonsense",
    # Its source is in two pieces, with the marker and the error across the seams.
    "broken source": "compile, compile without bfloat, mpsops: metal/broken.metal does not compile:"
    "~metal/common/index.h:8:1: error: undeclared x",
    "broken source again": "compile, compile without bfloat, mpsops: metal/broken.metal does not "
    "compile:~metal/common/index.h:8:1: error: undeclared x",
    "kernel names": "compile, a b ",
    "kernel names of broken source": "compile, compile without bfloat, mpsops: metal/unlisted.metal "
    "does not compile:~program_source:1:1: error: undeclared z",
    "no device": "mpsops: this process has no Metal device",
    "a device later": f"compile, make, k {KERNEL}",
}

# A failure of the compiler itself is tried a second time before anything is given up for it.
SERVICE = {
    "service down": "compile, compile, compile without bfloat, compile without bfloat, "
    "mpsops: Metal's compiler failed on metal/unbearable.metal: overloaded",
    "service down, no reason": "compile, compile, compile without bfloat, compile without bfloat, "
    "mpsops: Metal's compiler failed on metal/speechless.metal: no reason given by Metal",
    "service up again": f"compile, make, k_bfloat16 {KERNEL}",
    "service fails once": f"compile, compile, make, k_bfloat16 {KERNEL}",
    "compiler crashes on bfloat": "compile, compile, compile without bfloat, make, "
    f"k_float32 {KERNEL}, no bfloat",
    "compiler crashes on bfloat: bfloat16 kernel": "make, mpsops: kernel k_bfloat16 "
    f"{LOST.format('crashing')}crash",
    "compiler crashes on bfloat, broken source": "compile, compile, compile without bfloat, "
    "mpsops: metal/crashing_broken.metal does not compile:~program_source:2:1: error: undeclared y",
}

WITHOUT_BFLOAT = {
    "without bfloat": f"compile, compile without bfloat, make, k_float32 {KERNEL}, no bfloat",
    "without bfloat: bfloat16 kernel": f"make, mpsops: kernel k_bfloat16 {LOST.format('no_bfloat')}"
    "program_source:1:1: error: undeclared bfloat",
    "without bfloat: no such kernel": "make, mpsops: metal/no_bfloat.metal has no kernel j",
    "without bfloat: float32 tensor": "buffer 0: 0xb0f + 0, 5 threads; ",
    "without bfloat: bfloat16 tensor": "k_float32: bfloat16 is not available on this system",
    "with bfloat: bfloat16 tensor": "buffer 0: 0xb0f + 0, 5 threads; ",
}

CANNOT_RUN = "of metal/gpu.metal cannot run on this GPU:"
GPU = {
    "GPU refuses": "compile, make, compile without bfloat, make, "
    f"mpsops: kernel k {CANNOT_RUN} unsupported instruction",
    "GPU refuses again": f"make, make, mpsops: kernel k {CANNOT_RUN} unsupported instruction",
    "GPU refuses, no reason": f"make, make, mpsops: kernel silent {CANNOT_RUN} no reason given by Metal",
    "GPU refuses bfloat16 kernel": f"make, make, mpsops: kernel k_bfloat16 {CANNOT_RUN} "
    "unsupported instruction",
    "GPU refuses bfloat": f"make, make, mixed {KERNEL}, no bfloat",
    "GPU refuses bfloat: bfloat16 tensor": "make, make, other: bfloat16 is not available on this system",
    "GPU takes another": f"make, fine {KERNEL}",
    "GPU refuses bfloat: no such bfloat16 kernel": "make, mpsops: metal/gpu.metal has no kernel j_bfloat16",
    "metallib": f"load, make, k {KERNEL}",
    "metallib, another kernel": f"make, other {KERNEL}",
    "metallib refused": f"load, compile, make, k {KERNEL}",
    "metallib refused, another kernel": f"make, other {KERNEL}",
    "metallib not for this GPU": f"load, make, compile, make, k {KERNEL}",
}

THREADS = {
    "one family, 8 threads": "1 compilation, 1 pipeline, 1 kernel",
    "two families, 2 threads": "compiled at the same time",
}

ARGUMENTS = {
    "arguments": "buffer 0: 0xb0f + 12, buffer 1: 4 bytes, first 7, threadgroup 0: 32 bytes, "
    "buffer 2: none, buffer 3: 100 bytes, first 9, threadgroup 1: 64 bytes, "
    "buffer 4: 0xb0f + 2, 5 threads; ",
    "empty view at the end": "buffer 0: 0xb0f + 0, 5 threads; ",
    "two dispatches": "buffer 0: 4 bytes, first 1, 3 threadgroups; "
    "buffer 0: 4 bytes, first 2, 3 threadgroups; ",
    # Nothing of the first is encoded.
    "bfloat16 tensor in the second dispatch": "k_float32: bfloat16 is not available on this system",
}

FORKS = {
    "forked before use": f"compile, make, k_float32 {KERNEL}",
    "forked: kernel": FORKED,
    "forked: cached kernel": FORKED,
    "forked: kernel names": FORKED,
    "forked: encode": FORKED,
    "forked during compilation": FORKED,
    "parent after forks": f"make, k_float16 {KERNEL}",
}

EXPECTED = FIRST_USE | SERVICE | WITHOUT_BFLOAT | GPU | THREADS | ARGUMENTS | FORKS


# One worker, one build.
pytestmark = pytest.mark.xdist_group("family")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return cpp_program.rows("family", tmp_path_factory.mktemp("family"))


@pytest.mark.parametrize("case", EXPECTED)
def test_family(rows: dict[str, str], case: str) -> None:
    assert rows[case] == EXPECTED[case]


def test_every_case_is_expected(rows: dict[str, str]) -> None:
    assert rows.keys() == EXPECTED.keys()
