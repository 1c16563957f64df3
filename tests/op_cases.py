"""What the generated tests run over: registered ops x PyTorch's OpInfo entries x dtypes."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch.testing._internal import common_methods_invocations
from torch.testing._internal.opinfo.core import OpInfo, SampleInput
from torch.utils._pytree import tree_map

import mpsops
from mpsops import _opinfo
from mpsops._harness.op_calls import DEVICE, tensors

# Every dtype that an MPS tensor can have.
MPS_DTYPES = (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.complex64,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
)
# What a result may differ from the float64 reference: torch.testing's defaults for the dtype.
TOLERANCE = {
    torch.float32: (1.3e-6, 1e-5),
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
}


@dataclass(frozen=True)
class Case:
    """One OpInfo entry in one dtype, and the registered ops that name it."""

    info: OpInfo
    dtype: torch.dtype
    ops: tuple[mpsops.OpRow, ...]

    def __str__(self) -> str:
        return f"{self.info.full_name}-{str(self.dtype).removeprefix('torch.')}"

    def samples(self, requires_grad: bool = False) -> Iterator[SampleInput]:
        torch.manual_seed(0)
        yield from self.info.sample_inputs("cpu", self.dtype, requires_grad=requires_grad)


def ops_by_opinfo() -> dict[str, tuple[mpsops.OpRow, ...]]:
    named: dict[str, list[mpsops.OpRow]] = {}
    for row in mpsops.ops():
        for name in row.opinfo:
            named.setdefault(name, []).append(row)
    return {name: tuple(rows) for name, rows in sorted(named.items())}


def cases(select: Callable[[OpInfo], set[torch.dtype]]) -> list[Case]:
    return [
        Case(info, dtype, rows)
        for name, rows in ops_by_opinfo().items()
        for info in _opinfo.find(name)
        for dtype in MPS_DTYPES
        if dtype in select(info)
    ]


def supported(info: OpInfo) -> set[torch.dtype]:
    return set(info.supported_dtypes("cpu"))


def supported_backward(info: OpInfo) -> set[torch.dtype]:
    return set(info.supported_backward_dtypes("cpu")) if info.supports_autograd else set()


def one_dtype(info: OpInfo) -> set[torch.dtype]:
    """float32, or what stands for an op that does not take it."""
    return set([dtype for dtype in MPS_DTYPES if dtype in supported(info)][:1])


def one_dtype_backward(info: OpInfo) -> set[torch.dtype]:
    return one_dtype(info) & supported_backward(info)


def all_dtypes(info: OpInfo) -> set[torch.dtype]:
    return set(MPS_DTYPES)


def map_tensors(function: Callable[[torch.Tensor], torch.Tensor], sample: SampleInput) -> SampleInput:
    """The sample with every tensor replaced; leaves that require grad go on to require it."""

    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return function(leaf.detach()).requires_grad_(leaf.requires_grad)

    return SampleInput(
        tree_map(convert, sample.input),
        args=tree_map(convert, tuple(sample.args)),
        kwargs=tree_map(convert, sample.kwargs),
        broadcasts_input=sample.broadcasts_input,
    )


def to_device(sample: SampleInput) -> SampleInput:
    """The same values, strides and storage offsets on the device; tensors that share memory still do."""
    moved: dict[int, torch.Tensor] = {}

    def move(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        flat = torch.empty(0, dtype=tensor.dtype).set_(storage)
        if storage.data_ptr() not in moved or moved[storage.data_ptr()].dtype != tensor.dtype:
            moved[storage.data_ptr()] = flat.to(DEVICE)
        return moved[storage.data_ptr()].as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())

    return map_tensors(move, sample)


def same_layout_on_device(tensor: torch.Tensor) -> torch.Tensor:
    return to_device(SampleInput(tensor)).input


def to_reference(sample: SampleInput) -> SampleInput:
    """The same values in float64."""
    wide = {torch.complex64: torch.complex128}
    return map_tensors(
        lambda t: t.double() if t.is_floating_point() else t.to(wide.get(t.dtype, t.dtype)), sample
    )


def without_seed(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return op(*args, **kwargs)


def callers_seed() -> Any:
    """Entries of ops that draw random numbers reset the seed in each call; inside, the caller's counts."""
    return mock.patch.object(common_methods_invocations, "wrapper_set_seed", without_seed)


def call(info: OpInfo, sample: SampleInput, **kwargs: Any) -> list[torch.Tensor]:
    with callers_seed():
        return tensors(info.op(sample.input, *sample.args, **sample.kwargs, **kwargs))


def differs_by_seed(info: OpInfo, sample: SampleInput) -> bool:
    """Whether the op draws random numbers for this sample."""
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        results.append(call(info, sample))
    return not all(same_values(a, b) for a, b in zip(*results, strict=True))


def same_values(a: torch.Tensor, b: torch.Tensor) -> bool:
    """torch.equal(), but a NaN equals a NaN."""
    return bool(((a == b) | (torch.ne(a, a) & torch.ne(b, b))).all())


def cpu_picks_arbitrarily(info: OpInfo, sample: SampleInput) -> bool:
    """Whether the CPU's result depends on its C++ library: which of equal elements std::sort leaves last.

    mode returns that element's index; only up to 16 elements are sorted by insertion, and the last wins.
    """
    if info.name != "mode" or sample.input.dim() == 0:
        return False
    rows = sample.input.detach().movedim(sample.args[0] if sample.args else -1, -1)
    length = rows.shape[-1]
    return length > 16 and any(row.unique().numel() < length for row in rows.reshape(-1, length))


def assert_matches(
    actual: torch.Tensor, same_dtype: torch.Tensor, reference: torch.Tensor, what: str
) -> None:
    """`actual` is as the CPU kernel's result in the same dtype, and as near to float64 as that dtype allows.

    Where the CPU kernel itself is further from float64 than the dtype's tolerance (an ill-conditioned
    function), we may be as many tolerances away as it is at its worst in this tensor.
    """
    assert actual.device.type == DEVICE, what
    assert actual.dtype == same_dtype.dtype, what
    assert actual.shape == same_dtype.shape, what
    found = actual.cpu()
    if found.is_complex():
        found, same_dtype, reference = map(torch.view_as_real, (found.resolve_conj(), same_dtype, reference))
    if not found.is_floating_point():
        assert torch.equal(found, same_dtype), f"{what}: {found} is not {same_dtype}"
        return
    rtol, atol = TOLERANCE[found.dtype]
    reference = reference.double()
    tolerance = atol + rtol * reference.abs()
    cpu_error = ((same_dtype.double() - reference).abs() / tolerance).nan_to_num(0.0, 0.0, 0.0)
    # Rounded up: the division and this product must not turn an equal error into a larger one.
    allowed = tolerance * (cpu_error.max().clamp_min(1.0) * (1 + 1e-12) if cpu_error.numel() else 1.0)
    error = (found.double() - reference).abs()
    finite = reference.isfinite() & found.isfinite()
    bad = finite & (error > allowed)
    assert not bad.any(), f"{what}: off by {error[bad].max()} at {bad.nonzero()[0].tolist()}"
    # Outside the finite values the CPU kernel of the same dtype decides: overflow, NaN, signed zero.
    rest = ~finite
    torch.testing.assert_close(found[rest], same_dtype[rest], rtol=0, atol=0, equal_nan=True, msg=what)


def cotangents(outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(out.shape).to(out.dtype) for out in outputs]


def waits(call: Callable[[], Any]) -> int:
    """How often the host waits for the device to read a value."""
    with torch.autograd.profiler.profile() as profile:
        call()
    return sum(event.count for event in profile.key_averages() if event.key == "aten::_local_scalar_dense")


def outcome(call: Callable[[str], Any], device: str) -> tuple[type, Any]:
    """What a call on a device returns, on the CPU, or raises."""
    try:
        result = call(device)
    except Exception as error:  # compared with the other device's
        return type(error), str(error).split("\nException raised from")[0]
    return tuple, [t.cpu() for t in (result if isinstance(result, tuple) else (result,))]


def assert_as_on_the_cpu(call: Callable[[str], Any], equal_nan: bool = False) -> None:
    """The same results on the device, or the same exception with the same text."""
    expected_class, expected = outcome(call, "cpu")
    actual_class, actual = outcome(call, DEVICE)
    assert actual_class is expected_class, (actual, expected)
    if expected_class is not tuple:
        assert actual == expected
        return
    for found, value in zip(actual, expected, strict=True):
        torch.testing.assert_close(found, value, equal_nan=equal_nan)


def layouts(base: torch.Tensor) -> dict[str, torch.Tensor]:
    """Views of a tensor of 120 elements, each of other strides."""
    return {
        "transposed": base.view(10, 12).t(),
        "strided": base.view(5, 12, 2)[..., 1],
        "offset": base[7:].as_strided((6, 5), (5, 1)),
        "expanded": base[:6].view(6, 1).expand(6, 4),
        "channels_last": base.view(1, 4, 5, 6).contiguous(memory_format=torch.channels_last),
        "0-d": base[3],
        "five dimensions": base.view(2, 3, 4, 5, 1).permute(4, 2, 0, 3, 1),
    }


@contextlib.contextmanager
def no_fallbacks() -> Iterator[None]:
    """Nothing may leave the device for the CPU inside the block."""
    if mpsops._C.runtime != "sim":
        yield
        return
    from mpsops import simulator

    before = simulator.fallback_count()
    yield
    assert simulator.fallback_count() == before, "an op fell back to the CPU"
