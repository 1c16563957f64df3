"""The parts of SyncBatchNorm. Formulas stand for what has only a CUDA kernel."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

Tensor = torch.Tensor
DTYPES = floating_types_and(torch.half, torch.bfloat16)
REDUCED = (torch.half, torch.bfloat16)
EPS = 1e-5
# The dtypes that the ops refuse, as C++ spells them.
NAMES = {
    torch.complex64: "ComplexFloat",
    torch.int64: "Long",
    torch.int32: "Int",
    torch.int16: "Short",
    torch.int8: "Char",
    torch.uint8: "Byte",
    torch.uint16: "UInt16",
    torch.uint32: "UInt32",
    torch.uint64: "UInt64",
    torch.bool: "Bool",
}


def with_formula(op: Callable[..., Any], formula: Callable[..., Any], kernel: str) -> Callable[..., Any]:
    """The op on the device; on the CPU the formula, which refuses the dtypes that CUDA's kernel refuses."""

    @wraps(formula)
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        if input.device.type != "cpu":
            return op(input, *args, **kwargs)
        if input.dtype in NAMES:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{NAMES[input.dtype]}'")
        return formula(input, *args, **kwargs)

    return call


def wide(dtype: torch.dtype) -> torch.dtype:
    """Of statistics, and of what is computed."""
    return torch.float32 if dtype in REDUCED else dtype


def over_channels(value: Tensor, input: Tensor) -> Tensor:
    return value.view(1, -1, *[1] * (input.dim() - 2))


def reduced_dims(input: Tensor) -> list[int]:
    return [dim for dim in range(input.dim()) if dim != 1]


def like(input: Tensor, result: Tensor) -> Tensor:
    return result.to(input.dtype).contiguous(memory_format=torch._prims_common.suggest_memory_format(input))


def stats(input: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    values = input.to(wide(input.dtype))
    dims = reduced_dims(input)
    return values.mean(dims), (values.var(dims, correction=0) + eps).rsqrt()


def elemt(input: Tensor, *args: Any, out: Tensor | None = None) -> Tensor:
    weight, bias, mean, invstd, _ = args
    result = (input.to(mean.dtype) - over_channels(mean, input)) * over_channels(invstd, input)
    if weight is not None:
        result = result * over_channels(weight, input)
    if bias is not None:
        result = result + over_channels(bias, input)
    result = like(input, result)
    if out is None:
        return result
    if out.dtype != input.dtype:
        raise RuntimeError("Expected output to have another type")
    return out.resize_(result.shape).copy_(result)


def gather(input: Tensor, *args: Any) -> tuple[Tensor | None, ...]:
    mean, invstd, running_mean, running_var, momentum, eps, counts = args
    if isinstance(counts, int):
        counts = torch.full((mean.shape[0],), counts)
    counts = counts.to(mean.dtype)[:, None]
    total = counts.sum()
    center = (mean * counts).sum(0) / total
    squares = ((invstd.pow(-2) - eps + (mean - center).square()) * counts).sum(0)

    def updated(running: Tensor | None, value: Tensor) -> Tensor | None:
        if running is None:
            return None
        average: Tensor = momentum * value + (1 - momentum) * running.to(mean.dtype)
        return average.to(running.dtype)

    return (
        center,
        (squares / total + eps).rsqrt(),
        updated(running_mean, center),
        updated(running_var, squares / (total - 1)),
    )


def backward_reduce(grad_output: Tensor, input: Tensor, *args: Any) -> tuple[Tensor | None, ...]:
    mean, invstd, weight, input_g, weight_g, bias_g = args
    dy = grad_output.to(mean.dtype)
    dims = reduced_dims(input)
    sum_dy = dy.sum(dims)
    sum_dy_xmu = (dy * (input.to(mean.dtype) - over_channels(mean, input))).sum(dims)
    dtype = mean.dtype if weight is None else weight.dtype
    return (
        sum_dy if input_g else None,
        sum_dy_xmu if input_g else None,
        (sum_dy_xmu * invstd).to(dtype) if weight_g else None,
        sum_dy.to(dtype) if bias_g else None,
    )


def backward_elemt(grad_output: Tensor, input: Tensor, *args: Any) -> Tensor:
    mean, invstd, weight, sum_dy, sum_dy_xmu, count = args
    total = count.sum()
    centered = input.to(mean.dtype) - over_channels(mean, input)
    result = (
        grad_output.to(mean.dtype)
        - over_channels(sum_dy / total, input)
        - centered * over_channels(invstd.square() * sum_dy_xmu / total, input)
    ) * over_channels(invstd if weight is None else invstd * weight, input)
    if torch._prims_common.suggest_memory_format(grad_output) != torch.contiguous_format:
        return torch.empty_like(input).copy_(result)
    return result.to(input.dtype).contiguous()


def updating(op: Callable[..., Any], first: int) -> Callable[..., Any]:
    """The op on copies of running_mean and running_var, at `first` and behind, returned as results."""

    def call(*args: Any) -> tuple[Tensor | None, ...]:
        averages = [None if tensor is None else tensor.clone() for tensor in args[first : first + 2]]
        return (*op(*args[:first], *averages, *args[first + 2 :]), *averages)

    return call


SHORT_SHAPES = [(4, 3), (2, 3, 7), (3, 5, 2, 3)]
# The last is too long for one group.
SHAPES = [*SHORT_SHAPES, (2, 40), (2, 4, 6, 7), (2, 3, 2, 3, 4), (1, 1, 300), (2, 2, 46, 47)]


def inputs(dtype: torch.dtype, device: Any, shapes: Any = SHAPES) -> Iterator[Tensor]:
    for shape in shapes:
        values = torch.randn(shape, device=device) * 2 + 1
        yield values.to(dtype)
    yield (
        (torch.randn(2, 5, 17, 18, device=device) - 1).to(dtype).contiguous(memory_format=torch.channels_last)
    )


def statistics(input: Tensor) -> tuple[Tensor, Tensor]:
    """Of the channels, a little off."""
    count = input.shape[1]
    mean, invstd = torch.randn(count, device=input.device), torch.rand(count, device=input.device) + 0.5
    return mean.to(wide(input.dtype)), invstd.to(wide(input.dtype))


def weights(input: Tensor) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """None, in the input's dtype, in the statistics' dtype, one of two."""
    count = input.shape[1]
    weight, bias = torch.randn(count, device=input.device), torch.randn(count, device=input.device)
    yield weight.to(input.dtype), bias.to(input.dtype)
    yield None, None
    yield weight.to(wide(input.dtype)), bias.to(wide(input.dtype))
    yield weight.to(input.dtype), None
    yield None, bias.to(wide(input.dtype))


def sample_stats(op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any) -> Any:
    for input in inputs(dtype, device):
        yield SampleInput(input, args=(EPS,))
    yield SampleInput(torch.full((3, 2, 4), 0.5, dtype=dtype, device=device), args=(0.1,))


def sample_update_stats(op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any) -> Any:
    # The schema does not say that the averages are written: checks of schemas look at the first three.
    for input in inputs(dtype, device):
        yield SampleInput(input, args=(None, None, 0.1))
    for input in inputs(dtype, device, SHORT_SHAPES):
        for average in dict.fromkeys((dtype, wide(dtype))):
            mean, var = (t.to(average) for t in statistics(input))
            yield SampleInput(input, args=(mean, var, 0.25))
        yield SampleInput(input, args=(mean, None, 0.1))
        yield SampleInput(input, args=(None, var, 0.1))
    yield SampleInput(torch.randn(1, 3, device=device).to(dtype), args=(None, None, 0.1))


def sample_gather(op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any) -> Any:
    counted = op_info.name.endswith("counts")
    for averages in (False, True):
        for ranks, channels in ((2, 3), (1, 5), (7, 40)):
            input = torch.randn(2, channels, 3, device=device).to(dtype)
            mean = torch.randn(ranks, channels, dtype=wide(dtype), device=device)
            invstd = torch.rand(ranks, channels, dtype=wide(dtype), device=device) + 0.5
            counts = torch.arange(2, 2 + ranks, device=device).to(dtype) if counted else 6
            pair = statistics(input) if averages else (None, None)
            running = [None if tensor is None else tensor.to(dtype) for tensor in pair]
            yield SampleInput(input, args=(mean, invstd, *running, 0.1, EPS, counts))


def sample_elemt(op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any) -> Any:
    for input in inputs(dtype, device, [*SHAPES, (0, 3), (2, 3, 0)]):
        for weight, bias in weights(input):
            yield SampleInput(input, args=(weight, bias, *statistics(input), EPS))


def sample_backward_reduce(op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any) -> Any:
    for input in inputs(dtype, device):
        for weight, _ in weights(input):
            yield SampleInput(
                torch.randn_like(input), args=(input, *statistics(input), weight, True, True, True)
            )
    for wanted in ((True, False, False), (False, True, False), (False, False, True), (False, False, False)):
        yield SampleInput(torch.randn_like(input), args=(input, *statistics(input), weight, *wanted))


def sample_backward_elemt(op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any) -> Any:
    for input in inputs(dtype, device, [*SHAPES, (0, 3), (2, 3, 0)]):
        for weight, _ in weights(input):
            count = torch.tensor([3, 4], dtype=torch.int32, device=device)
            mean, invstd = statistics(input)
            args = (input, mean, invstd, weight, *statistics(input), count)
            yield SampleInput(torch.randn_like(input), args=args)


def update_stats_errors(op_info: Any, device: Any, **kwargs: Any) -> Iterator[ErrorInput]:
    input = torch.randn(2, 3, 4, device=device)
    mean, var = torch.zeros(3, device=device), torch.ones(3, device=device)

    def error(text: str, *args: Any, kind: type = RuntimeError) -> ErrorInput:
        first, *rest = args
        return ErrorInput(SampleInput(first, args=(*rest, 0.1)), error_type=kind, error_regex=text)

    yield error("Dimension out of range", torch.randn(3, device=device), None, None, kind=IndexError)
    yield error("no dimensions", torch.tensor(1.0, device=device), None, None, kind=IndexError)
    yield error("at least one element", input[:0], mean, var)
    yield error("expected 1 dims but tensor has 2", input, mean[:, None], var)
    yield error("expected 1 dims but tensor has 0", input, mean, var[0])
    yield error("parameter to have scalar type of Float", input, mean.half(), var.half())
    yield error("parameter to have scalar type of Float", input.half(), mean.bfloat16(), var)
    yield error("expected scalar type Half but found Float", input.half(), mean.half(), var)
    yield error("parameter to have scalar type of Float", input.half(), mean, var.half())


def entry(
    name: str, op: Callable[..., Any], samples: Any, supports_out: bool = False, **kwargs: Any
) -> OpInfo:
    return OpInfo(
        name,
        op=op,
        dtypes=DTYPES,
        sample_inputs_func=samples,
        supports_out=supports_out,
        supports_autograd=False,
        **kwargs,
    )


CUDA_KERNELS = {
    "batch_norm_stats": "batch_norm_stats_cuda",
    "batch_norm_gather_stats": "batch_norm_update_stats_cuda",
    "batch_norm_gather_stats_with_counts": "batch_norm_update_stats_cuda",
    "batch_norm_elemt": "batch_norm_elementwise_cuda",
}


def by_formula(name: str, formula: Any, samples: Any, **kwargs: Any) -> OpInfo:
    op = getattr(torch, name)
    op = updating(op, 3) if formula is gather else op
    return entry(name, with_formula(op, formula, CUDA_KERNELS.get(name, name)), samples, **kwargs)


op_db = [
    entry(
        "batch_norm_update_stats",
        updating(torch.batch_norm_update_stats, 1),
        sample_update_stats,
        error_inputs_func=update_stats_errors,
    ),
    by_formula("batch_norm_stats", stats, sample_stats),
    by_formula("batch_norm_gather_stats", gather, sample_gather),
    by_formula("batch_norm_gather_stats_with_counts", gather, sample_gather),
    by_formula("batch_norm_elemt", elemt, sample_elemt, supports_out=True),
    by_formula("batch_norm_backward_reduce", backward_reduce, sample_backward_reduce),
    by_formula("batch_norm_backward_elemt", backward_elemt, sample_backward_elemt),
]
