"""Matrix products in a wider dtype beyond OpInfo's samples: large tiles, layouts, out=, bad input."""

from typing import Any

import pytest
import torch

import mpsops

aten = torch.ops.aten
HALVES = (torch.float16, torch.bfloat16)
# Tiles of 64 x 64 from 32 of them on; none of the sizes is a multiple of a tile or of a step.
LARGE = (390, 37, 330)


def int8(*sizes: int, dtype: torch.dtype = torch.int8) -> torch.Tensor:
    limits = torch.iinfo(dtype)
    return torch.randint(limits.min, limits.max + 1, sizes, dtype=dtype)


def layouts(matrix: torch.Tensor) -> list[torch.Tensor]:
    """On the device: contiguous, transposed, with a gap between elements, and with an offset."""
    on_mps = matrix.to("mps")
    gaps = torch.zeros(*matrix.shape[:-1], 2 * matrix.shape[-1], dtype=matrix.dtype, device="mps")[..., ::2]
    offset = torch.zeros(matrix.numel() + 3, dtype=matrix.dtype, device="mps")[3:].view(matrix.shape)
    return [on_mps, on_mps.mT.contiguous().mT, gaps.copy_(on_mps), offset.copy_(on_mps)]


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
def test_int_mm_is_exact(dtype: torch.dtype) -> None:
    for rows, inner, columns in (LARGE, (1, 300, 70), (17, 16, 1)):
        left, right = int8(rows, inner, dtype=dtype), int8(inner, columns)
        expected = left.int() @ right.int()
        for x in layouts(left):
            for y in layouts(right):
                assert torch.equal(torch._int_mm(x, y).cpu(), expected)


def test_int_mm_wraps_around() -> None:
    left = torch.full((1, 140_000), -128, dtype=torch.int8)
    expected = (140_000 * 128 * 128 + 2**31) % 2**32 - 2**31
    assert torch._int_mm(left.to("mps"), left.t().to("mps")).item() == expected


@pytest.mark.op("aten::_int_mm.out")
def test_int_mm_out() -> None:
    left, right = int8(5, 9), int8(9, 7)
    x, y = left.to("mps"), right.to("mps")
    out = torch.empty(5, 7, dtype=torch.int32, device="mps")
    assert torch._int_mm(x, y, out=out) is out
    assert torch.equal(out.cpu(), left.int() @ right.int())
    for bad in (
        torch.empty(0, dtype=torch.int32),
        torch.empty(5, 7),
        torch.empty(5, 6, dtype=torch.int32),
        torch.empty(5, 7, 1, dtype=torch.int32),
        torch.empty(7, 5, dtype=torch.int32).t(),
    ):
        with pytest.raises(RuntimeError) as on_cpu:
            torch._int_mm(left, right, out=bad)
        with pytest.raises(RuntimeError) as on_mps:
            torch._int_mm(x, y, out=bad.to("mps"))
        assert str(on_mps.value) == str(on_cpu.value)


def test_int_mm_of_a_vector() -> None:
    for device in ("cpu", "mps"):
        x = torch.ones(2, 2, dtype=torch.int8, device=device)
        with pytest.raises(IndexError, match="Dimension out of range"):
            torch._int_mm(x, x[0])


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_mm_sums_in_float32(dtype: torch.dtype) -> None:
    """Each product is exact in float32: the error is that of summing them, one rounding for each."""
    left, right = torch.randn(*LARGE[:2]).to(dtype), torch.randn(*LARGE[1:]).to(dtype)
    expected = left.double() @ right.double()
    bound = LARGE[1] * 2.0**-24 * (left.double().abs() @ right.double().abs())
    for x in layouts(left):
        for y in layouts(right):
            found = torch.mm(x, y, out_dtype=torch.float32)
            assert ((found.cpu().double() - expected).abs() <= bound).all()


def test_mm_keeps_nan_and_infinity_in_their_rows() -> None:
    left, right = torch.ones(70, 40).half(), torch.ones(40, 70).half()
    left[3, 5], left[68, 39], right[0, 66] = float("nan"), float("inf"), -float("inf")
    found = torch.mm(left.to("mps"), right.to("mps"), out_dtype=torch.float32)
    torch.testing.assert_close(found.cpu(), left.float() @ right.float(), equal_nan=True)


@pytest.mark.op("aten::baddbmm.dtype", "aten::baddbmm.dtype_out")
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_baddbmm(dtype: torch.dtype) -> None:
    for batch, rows, inner, columns in [(3, 20, 33, 18), (2, 100, 5, 530), (0, 2, 3, 4), (2, 3, 0, 4)]:
        left, right = torch.randn(batch, rows, inner).to(dtype), torch.randn(batch, inner, columns).to(dtype)
        for sizes in ([batch, rows, columns], [rows, 1], [columns], []):
            for of in (dtype, torch.float32):
                added = torch.randn(sizes).to(of)
                expected = torch.baddbmm(added.double(), left.double(), right.double(), beta=0.5, alpha=-2)
                on_mps = [tensor.to("mps") for tensor in (added, left, right)]
                found = torch.baddbmm(*on_mps, out_dtype=torch.float32, beta=0.5, alpha=-2)
                torch.testing.assert_close(found.cpu().double(), expected, rtol=1e-6, atol=1e-5)
                out = torch.empty(batch, columns, rows, device="mps").mT
                result = torch.baddbmm(*on_mps, out_dtype=torch.float32, beta=0.5, alpha=-2, out=out)
                assert result is out
                assert torch.equal(out, found)


def test_baddbmm_of_one_dtype_is_torchs() -> None:
    tensors = [torch.randn(2, 3, 3).half().to("mps") for _ in range(3)]
    expected = torch.baddbmm(*tensors)
    assert torch.equal(torch.baddbmm(*tensors, out_dtype=torch.float16), expected)
    out = torch.empty_like(expected)
    assert torch.equal(torch.baddbmm(*tensors, out_dtype=torch.float16, out=out), expected)


def test_nan_that_is_not_added() -> None:
    left, right = (torch.ones(2, 3, 3, device="mps").half() for _ in range(2))
    added = torch.full((2, 3, 3), float("nan"), device="mps")
    assert torch.baddbmm(added, left, right, out_dtype=torch.float32, beta=0).eq(3).all()


def test_out_may_be_what_is_added() -> None:
    left, right = torch.randn(80, 20).half().to("mps"), torch.randn(20, 70).half().to("mps")
    out = torch.randn(80, 70, device="mps")
    expected = torch.addmm(out, left, right, out_dtype=torch.float32, beta=2)
    torch.addmm(out, left, right, out_dtype=torch.float32, beta=2, out=out)
    assert torch.equal(out, expected)


def test_bad_batches() -> None:
    half = torch.ones(2, 3, 3, device="mps").half()
    cases: list[tuple[tuple[Any, ...], torch.dtype, str]] = [
        ((half, half[0], half), torch.float32, "batch1 must be a 3D tensor"),
        ((half, half, half[0]), torch.float32, "batch2 must be a 3D tensor"),
        ((half, half, half[:1]), torch.float32, "Expected size for first two dimensions of batch2"),
        ((half, half, half.bfloat16()), torch.float32, "batch1 and batch2 must have the same dtype"),
        (
            (half.bfloat16(), half, half),
            torch.float32,
            "self dtype must match either out_dtype or batch1",
        ),
        ((half, half, half), torch.bfloat16, "out_dtype must be the same as input dtype or fp32"),
        ((half[:, :2], half, half), torch.float32, "must match the existing size"),
    ]
    for tensors, dtype, text in cases:
        with pytest.raises(RuntimeError, match=text):
            torch.baddbmm(*tensors, out_dtype=dtype)
    with pytest.raises(RuntimeError, match="out_dtype must be the same as the dtype of the provided out"):
        aten.baddbmm.dtype_out(half, half, half, torch.float32, out=torch.empty_like(half))


def test_one_dispatch_each() -> None:
    mpsops.reset_counts()
    half = torch.ones(100, 100, device="mps").half()
    torch.addmm(half[0], half.t(), half, out_dtype=torch.float32)
    torch.mm(half.t(), half, out_dtype=torch.float32)
    found = {row.name: (row.calls, row.dispatches) for row in mpsops.ops() if row.calls}
    assert found == {"aten::addmm.dtype": (1, 1), "aten::mm.dtype": (1, 1)}
