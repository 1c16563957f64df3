"""``_fused_adagrad_``, as ``torch.optim.Adagrad(fused=True)`` calls it, on copies of what it writes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

Tensor = torch.Tensor
Sizes = list[tuple[int, ...]]
RATES = {"lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10, "maximize": False}
DECAYS = {"lr_decay": 0.1, "weight_decay": 0.3, "eps": 1e-3, "maximize": True}
# Of up to three threadgroups, and none.
SIZES: Sizes = [(3, 5), (), (0,), (1025,), (7,), (2, 3, 4, 5), (2100,), (1,), (33,)]


def step(params: list[Tensor], *lists: list[Tensor], **rates: Any) -> Any:
    # They stay float32 in the float64 reference.
    controls = {name: rates[name] for name in ("grad_scale", "found_inf") if name in rates}
    controls = {name: t.float() if t.dtype == torch.float64 else t for name, t in controls.items()}
    if torch.compiler.is_compiling():
        # torch 2.13 has no meta kernel for the in-place op; what is compiled is its functional form.
        return torch.ops.aten._fused_adagrad(params, *lists, **rates | controls)[:3]
    *read, steps = lists
    written = [[tensor.clone() for tensor in tensors] for tensors in (params, *read)]
    fused: Any = torch._fused_adagrad_
    fused(*written, steps, **rates | controls)
    return written


def samples(
    op_info: Any, device: Any, dtype: Any, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    def scalar(value: float, shape: tuple[int, ...] = ()) -> Tensor:
        return torch.full(shape, value, device=device)

    def lists(sizes: Sizes) -> tuple[list[Tensor], ...]:
        params = [torch.randn(size, device=device).to(dtype) for size in sizes]
        grads = [torch.randn(size, device=device).to(dtype) for size in sizes]
        sums = [(torch.rand(size, device=device) + 0.1).to(dtype) for size in sizes]
        return params, grads, sums, [scalar(float(i % 4 + 1)) for i in range(len(sizes))]

    cases: tuple[Sizes, ...] = ([(4, 3)], SIZES, [(3 * i,) for i in range(30)])
    for sizes in cases:
        for lr, rates in ((0.1, RATES), (scalar(0.1, (1,)), DECAYS)):
            params, *rest = lists(sizes)
            yield SampleInput(params, args=tuple(rest), kwargs={"lr": lr, **rates})
    for found in (0.0, 1.0, 2.0):
        for lr in (0.1, scalar(0.1)):
            params, *rest = lists(SIZES[:8])
            inf = {"grad_scale": scalar(8.0, (1,)), "found_inf": scalar(found)}
            yield SampleInput(params, args=tuple(rest), kwargs={"lr": lr, **DECAYS, **inf})


def errors(op_info: Any, device: Any, **kwargs: Any) -> Iterator[ErrorInput]:
    one, two = torch.ones(2, 3, device=device), torch.ones(2, device=device)
    step = torch.ones((), device=device)

    def error(text: str, *lists: list[Tensor], kind: type = RuntimeError, **rates: Any) -> ErrorInput:
        params, *rest = lists
        sample = SampleInput(params, args=tuple(rest), kwargs={"lr": 0.1, **RATES, **rates})
        return ErrorInput(sample, error_type=kind, error_regex=text)

    yield error("grads.size.. == n_tensors", [one], [], [one], [step])
    yield error("state_sums.size.. == n_tensors", [one], [one], [], [step])
    yield error("state_steps.size.. == n_tensors", [one], [one], [one], [])
    yield error("Float but found Half", [one], [one.half()], [one], [step])
    yield error("Float but found Half", [one], [one], [one.half()], [step])
    yield error("Half but found Float", [one.half()], [one], [one.half()], [step])
    yield error("not implemented for 'Int'", [one.int()], [one], [one], [step], kind=NotImplementedError)
    yield error("Tensor with 2 elements cannot be converted", [one], [one], [one], [two])
    yield error("Tensor with 2 elements cannot be converted", [one], [one], [one], [step], lr=two)
    yield error("Float but found Half", [one], [one], [one], [step], grad_scale=step.half())
    yield error("Float but found Half", [one], [one], [one], [step], found_inf=step.half())


op_db = [
    OpInfo(
        "_fused_adagrad_",
        op=step,
        dtypes=floating_types_and(torch.half, torch.bfloat16),
        sample_inputs_func=samples,
        error_inputs_func=errors,
        supports_out=False,
        supports_autograd=False,
    )
]
