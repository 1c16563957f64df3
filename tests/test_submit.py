"""Dispatches that no runtime may see are refused, the same on every runtime; the limits are Metal's."""

import cpp_program
import pytest

EXPECTED = {
    "plain": "count 1, encode 1: 1x1x1",
    "optional": "count 1, encode 1: 1x1x1 none",
    "cpu tensor": "fake: buffer 2 must be a dense tensor on mps, got a Strided tensor on cpu:0",
    "empty": "",
    "empty axis": "",
    "empty among others": "count 1, encode 1: 1x1x1count 1, encode 1: 1x1x1",
    "two": "count 2, encode 2: 1x1x1 1x1x1",
    "wide group": "fake: threadgroup must have 1 to 1024 threads, got 1025 x 1 x 1",
    "deep group": "fake: threadgroup must have 1 to 1024 threads, got 32 x 32 x 2",
    "overflowing group": "fake: threadgroup must have 1 to 1024 threads, got 65536 x 65536 x 65536",
    "empty group": "fake: threadgroup must have 1 to 1024 threads, got 32 x 0 x 1",
    "memory": "count 1, encode 1: 1x1x1 32 bytes",
    "most memory": "count 1, encode 1: 1x1x1 16384 bytes 15360 bytes",
    "too much memory": "fake: threadgroup memory must be at most 32768 bytes, got 32784",
    "grid_for 2^31": "count 1, encode 1: 2147483648x1x1",
    "grid_for 2^31 + 1": "count 1, encode 1: 2147483648x2x1",
    "grid_for -1": "mpsops: grid must have 0 to 2^62 threads, got -1",
    "groups_for 2^23": "count 1, encode 1: 8388608x1x1",
    "groups_for 2^23 + 1": "count 1, encode 1: 8388608x2x1",
    "groups of 2^32 threads": "count 1, encode 1: 16777216x1x1",
    "groups of more threads": "fake: grid must have at most 2^32 threads along each axis, "
    "got 16777217 threadgroups of 256",
    "31 buffers": "count 1, encode 1: 1x1x1",
    "32 buffers": "fake: arguments must be at most 31 buffers, got 32",
    "name": "mode_float16_int64 x_bfloat16 mpsops: no Metal type for Double",
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return cpp_program.rows("submit", tmp_path_factory.mktemp("submit"))


@pytest.mark.parametrize("case", EXPECTED)
def test_submit(rows: dict[str, str], case: str) -> None:
    assert rows[case] == EXPECTED[case]


def test_every_case_is_expected(rows: dict[str, str]) -> None:
    assert rows.keys() == EXPECTED.keys()
