"""The fused observer and fake quantization: outputs, mask, and the state that it moves."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

from mpsops._opinfo.fake_quantize import ENDS, INT4, INT8, UINT8, options_of

aten = torch.ops.aten


def helper(
    self: torch.Tensor, observer_on: torch.Tensor, fake_quant_on: torch.Tensor, *args: Any
) -> tuple[torch.Tensor, ...]:
    """With copies of the state, so that calls do not depend on each other. float64 is computed in float32:
    the op takes no other dtype."""
    dtype = self.dtype
    wide = dtype == torch.float64
    given, rest = args[:4], args[4:]
    state = [tensor.float() if wide and tensor.is_floating_point() else tensor for tensor in given]
    state = [tensor.clone() for tensor in state]
    results = aten._fused_moving_avg_obs_fq_helper(
        self.float() if wide else self, observer_on, fake_quant_on, *state, *rest
    )
    results = (*results, *state)
    return tuple(t.to(dtype) if wide and t.is_floating_point() else t for t in results)


def new_state(device: Any, count: int | None = None) -> tuple[torch.Tensor, ...]:
    """Before anything was observed: of a tensor, or of `count` rows that have been seen before."""
    if count is None:
        return (
            torch.tensor(math.inf, device=device),
            torch.tensor(-math.inf, device=device),
            torch.ones(1, device=device),
            torch.zeros(1, dtype=torch.int32, device=device),
        )
    index = torch.arange(count, device=device)
    return (-1.0 - index, 2.0 + index, torch.ones(count, device=device), index.int())


def first_rows(device: Any) -> tuple[torch.Tensor, ...]:
    _, _, scale, zero_point = new_state(device)
    return (torch.zeros(0, device=device), torch.zeros(0, device=device), scale, zero_point)


def switches(device: Any, observes: float = 1, quantizes: float = 1) -> tuple[torch.Tensor, ...]:
    return torch.tensor([observes], device=device).long(), torch.tensor([quantizes], device=device).long()


def samples(op: OpInfo, device: Any, dtype: Any, requires_grad: bool, **_: Any) -> Iterator[SampleInput]:
    options = options_of(device, dtype, requires_grad)

    def sample(shape: tuple[int, ...], *args: Any, **kwargs: Any) -> SampleInput:
        return SampleInput(make_tensor(shape, low=-6, high=5, **options), args=args, kwargs=kwargs)

    for shape in ((1,), (3, 4, 5), (2, 3, 4, 2), (100, 90)):
        for ends, symmetric in ((UINT8, False), (INT8, True), (INT4, False)):
            yield sample(shape, *switches(device), *new_state(device), 0.01, *ends, 0, False, symmetric)
    for on in ((1, 0), (0, 1), (0, 0)):
        yield sample((3, 4), *switches(device, *on), *new_state(device, 1), 0.1, *UINT8, -1, False, False)
        yield sample((3, 4), *switches(device, *on), *new_state(device, 3), 0.1, *INT8, 0, True, True)
    for shape in ((4, 5), (3, 2, 4), (4, 3, 2, 2), (2, 9000)):
        for ends, symmetric in ((UINT8, False), (INT8, True)):
            for state in (first_rows(device), new_state(device, shape[0])):
                yield sample(shape, *switches(device), *state, 0.01, *ends, 0, True, symmetric)
    # What the CPU refuses to observe, without being observed.
    quiet = switches(device, 0)
    yield sample((3, 0), *quiet, *new_state(device), 0.1, *UINT8, 0)
    yield sample((3, 4, 5), *quiet, *new_state(device, 4), 0.1, *UINT8, 1, True)
    observes, quantizes = switches(device)
    for one, other in ((torch.uint8, torch.bool), (torch.float32, torch.float16)):
        yield sample((3, 4), observes.to(one), quantizes.to(other), *new_state(device), 0.1, *UINT8, 0)


def errors(op: OpInfo, device: Any, **_: Any) -> Iterator[ErrorInput]:
    tensor = torch.ones(3, 4, device=device)
    on = switches(device)

    def wrong(regex: str, self: torch.Tensor, *args: Any, error_type: Any = RuntimeError) -> ErrorInput:
        return ErrorInput(SampleInput(self, args=args), error_type=error_type, error_regex=regex)

    state, rows = new_state(device), first_rows(device)
    axis = "ch_axis must be < self.dim"
    yield wrong(axis, tensor, *on, *state, 0.1, *UINT8, 2)
    yield wrong(axis, tensor[0, 0], *on, *state, 0.1, *UINT8, 0)
    only = "only supported on axis == 0"
    yield wrong(only, tensor, *on, *rows, 0.1, *UINT8, 1, True)
    yield wrong(only, tensor, *on, *rows, 0.1, *UINT8, -1, True)
    yield wrong("out of range", tensor[0], *on, *rows, 0.1, *UINT8, 0, True, error_type=IndexError)
    yield wrong("over an empty dimension", tensor[:0], *on, *state, 0.1, *UINT8, 0)
    yield wrong(
        "to have non-zero size", tensor[:, :0], *on, *rows, 0.1, *UINT8, 0, True, error_type=IndexError
    )
    yield wrong(ENDS, tensor, *on, *state, 0.1, 4, 3, 0)
    for index in range(2):
        args = [*on]
        args[index] = on[index].repeat(2)
        yield wrong("a Tensor with 2 elements cannot", tensor, *args, *state, 0.1, *UINT8, 0)
        narrow = [*state]
        narrow[index] = state[index].half()
        yield wrong("expected scalar type Float but found Half", tensor, *on, *narrow, 0.1, *UINT8, 0)


op_db = [
    OpInfo(
        "_fused_moving_avg_obs_fq_helper",
        op=helper,
        dtypes=floating_types(),
        sample_inputs_func=samples,
        error_inputs_func=errors,
        supports_out=False,
    ),
]
