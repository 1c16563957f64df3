"""Fake quantization beyond OpInfo's samples: bits, what is no number, waits, dispatches, the observer."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops
import op_cases as oc

aten = torch.ops.aten
NAN, INF = math.nan, math.inf
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
RANGES = ((0, 255), (-128, 127), (0, 127), (-64, 63), (-8, 7), (0, 2**24), (3, 3))


def on_mps(value: Any) -> Any:
    return value.to("mps") if isinstance(value, torch.Tensor) else value


def int32(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


def same(actual: Any, expected: Any) -> None:
    """Bit for bit, but for the sign and payload of NaN."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True, check_device=False)


def dispatches(name: str, call: Callable[[], Any]) -> int:
    mpsops.reset_counts()
    call()
    return next(row.dispatches for row in mpsops.ops() if row.name == name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("scale", [0.1, 0.037, 1e-3, -0.3])
def test_tensor_is_the_cpus_bit_for_bit(dtype: torch.dtype, scale: float) -> None:
    x = (torch.randn(30_000) * 20 * abs(scale) * 10).to(dtype)
    for zero_point, *ends in ((0, -128, 127), (7, 0, 255), (2**25 + 1, 0, 2**26)):
        args = (scale, zero_point, *ends)
        op = aten.fake_quantize_per_tensor_affine_cachemask
        same(op(on_mps(x), *args), op(x, *args))
        qparams = (torch.tensor(scale), int32(zero_point), torch.tensor([1]))
        op = aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams
        same(op(on_mps(x), *map(on_mps, qparams), *ends), op(x, *qparams, *ends))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", [torch.int32, torch.float32, torch.float16], ids=str)
def test_channels_are_the_cpus_bit_for_bit(dtype: torch.dtype, kind: torch.dtype) -> None:
    scale = torch.rand(7) * 0.3 + 0.01
    zero_point = (torch.randn(7) * 40).to(kind)
    x = (torch.randn(20, 7, 40) * 20).to(dtype)
    for layout in (x, x.transpose(0, 2).contiguous().transpose(0, 2), x[:, :, ::3]):
        args = (scale, zero_point, 1, -128, 127)
        op = aten.fake_quantize_per_channel_affine_cachemask
        same(op(on_mps(layout), *map(on_mps, args)), op(layout, *args))


def test_integers_longer_than_a_float() -> None:
    """Their distance from the zero point is multiplied as it is, and rounded once."""
    x = torch.tensor([[-1e9, -7.0, 3.0, 1e9]]).repeat(50, 1)
    zero_point = torch.randint(2**24, 2**30, (50,)).int() | 1
    args = (torch.rand(50) + 0.1, zero_point, 0, 0, 2**31)
    op = aten.fake_quantize_per_channel_affine_cachemask
    same(op(on_mps(x), *map(on_mps, args)), op(x, *args))


def test_a_real_zero_point_is_added_before_any_rounding() -> None:
    """As by the CPU where it has fused multiply-add. Elements for which that makes a difference."""
    x = torch.rand(2_000_000) * 12
    scale, zero_point = torch.tensor([0.0371]), torch.tensor([3.3])
    product = x * (1 / scale)
    exact = (x.double() * (1 / scale).double() + zero_point.double()).float().round()
    differs = exact != (product + zero_point).round()
    x, exact = x[differs], exact[differs]
    assert len(x) > 0
    for low in exact.unique().int().tolist():
        _, mask = aten.fake_quantize_per_channel_affine_cachemask(
            *map(on_mps, (x[None], scale, zero_point, 0)), low, low
        )
        assert torch.equal(mask[0].cpu(), exact == low)


def test_bfloat16_scale_of_channels() -> None:
    """The CPU says it takes one, and then fails; CUDA does take one."""
    x = torch.randn(4, 50)
    scale = torch.tensor([0.5, 0.1, 0.07, 2.0]).bfloat16()
    args = (int32(0, 1, -2, 3), 0, -8, 7)
    op = aten.fake_quantize_per_channel_affine_cachemask
    same(op(on_mps(x), on_mps(scale), *map(on_mps, args)), op(x, scale.float(), *args))


@pytest.mark.parametrize("zero_point", [int32(2), torch.tensor([2.0])], ids=["integer", "real"])
def test_numbers_that_no_int64_holds(zero_point: torch.Tensor) -> None:
    """Infinity lies where its sign says, NaN below, in a channel as in a tensor."""
    x = torch.tensor([[NAN, INF, -INF, 1e30, -1e30, 1.0]], device="mps")
    values, mask = aten.fake_quantize_per_channel_affine_cachemask(
        x, torch.ones(1, device="mps"), on_mps(zero_point), 0, -8, 7
    )
    assert values.tolist() == [[-10, 5, -10, 5, -10, 1]]
    assert mask.tolist() == [[False] * 5 + [True]]
    same((values, mask), aten.fake_quantize_per_tensor_affine_cachemask(x.cpu(), 1.0, 2, -8, 7))


def test_a_zero_point_is_checked_once() -> None:
    x, scale = torch.randn(3, 5, device="mps"), torch.ones(3, device="mps")
    zero_point = on_mps(int32(0, 1, 2))

    def quantize(high: int = 7) -> Any:
        return torch.fake_quantize_per_channel_affine(x, scale, zero_point, 0, -8, high)

    assert oc.waits(quantize) == 1
    assert oc.waits(quantize) == 0
    # Another range, and new values in the same tensor, are checked again.
    with pytest.raises(RuntimeError, match="`zero_point` must be between"):
        quantize(1)
    zero_point += 6
    with pytest.raises(RuntimeError, match="`zero_point` must be between"):
        quantize()
    # Ranges that are too far apart to be remembered are not mistaken for others.
    wide = on_mps(int32(0, 0, 2**31 - 1))
    far = (-(2**40), 2**40)
    assert oc.waits(lambda: torch.fake_quantize_per_channel_affine(x, scale, wide, 0, *far)) == 1
    assert oc.waits(lambda: torch.fake_quantize_per_channel_affine(x, scale, wide, 0, *far)) == 1


def test_only_zero_points_that_may_overflow_are_waited_for() -> None:
    x, scale = torch.randn(5, device="mps"), torch.ones(1, device="mps")
    for dtype, expected in ((torch.int32, 0), (torch.uint8, 0), (torch.int64, 1), (torch.float32, 1)):
        zero_point = torch.ones(1, dtype=dtype, device="mps")
        call = lambda z=zero_point: torch.fake_quantize_per_tensor_affine(x, scale, z, -8, 7)  # noqa: E731
        assert oc.waits(call) == expected
        assert oc.waits(call) == 0


def learnable(zero_point: list[float], axis: int | None) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    x = torch.randn(len(zero_point), 6, device="mps").requires_grad_()
    scale = torch.full((len(zero_point),), 0.5, device="mps").requires_grad_()
    zeros = torch.tensor(zero_point, device="mps").requires_grad_()
    if axis is None:
        y = aten._fake_quantize_learnable_per_tensor_affine(x, scale, zeros, -8, 7)
    else:
        y = aten._fake_quantize_learnable_per_channel_affine(x, scale, zeros, axis, -8, 7)
    return y, *torch.autograd.grad(y.sum(), (x, scale, zeros))


def test_learnable_zero_point_of_nan() -> None:
    """The CPU raises; here nothing waits to see it, and it shows in every result that depends on it."""
    for result in learnable([NAN], None):
        assert result.isnan().all()
    spoiled, clean = learnable([1.0, NAN, 2.0], 0), learnable([1.0, 0.0, 2.0], 0)
    for actual, expected in zip(spoiled, clean, strict=True):
        assert actual[1].isnan().all()
        same(actual[[0, 2]], expected[[0, 2]])


def test_learnable_waits_for_nothing() -> None:
    assert oc.waits(lambda: learnable([1.0], None)) == 0
    assert oc.waits(lambda: learnable([1.0, 2.0], 0)) == 0


def test_learnable_channels_of_one_dimension() -> None:
    """The CPU adds up all channels, of which autograd makes an error."""
    x = torch.tensor([0.3, 9.0, -9.0])
    args = (torch.tensor([0.5, 0.5, 0.5]), torch.zeros(3), 0, -8, 7, 1.0)
    op = aten._fake_quantize_learnable_per_channel_affine_backward
    found = op(torch.ones(3, device="mps"), on_mps(x), *map(on_mps, args))
    expected = op(torch.ones(3, 1), x[:, None], *args)
    same(found, (expected[0][:, 0], *expected[1:]))


def test_learnable_backward_of_what_is_no_number() -> None:
    """Infinity lies where its sign says, and NaN below, as in the forward."""
    x = torch.tensor([NAN, INF, -INF], device="mps")
    one, zero = torch.ones(1, device="mps"), torch.zeros(1, device="mps")
    gradients = [
        aten._fake_quantize_learnable_per_tensor_affine_backward(one, value, one, zero, -8, 7)
        for value in x.split(1)
    ]
    assert [[g.item() for g in each] for each in gradients] == [[0, -8, -1], [0, 7, -1], [0, -8, -1]]


def learnable_errors() -> list[tuple[Any, ...]]:
    x, one = torch.ones(3, 4), torch.ones(1)
    three = torch.ones(3)
    tensor = aten._fake_quantize_learnable_per_tensor_affine_backward
    channel = aten._fake_quantize_learnable_per_channel_affine_backward
    return [
        (tensor, x[:2], x, one, one, -8, 7),
        (tensor, x.t(), x, one, one, -8, 7),
        (tensor, torch.ones(12, 1), torch.ones(12, 1).half(), one, one, -8, 7),
        (tensor, x.bfloat16(), x, one, one, -8, 7),
        (tensor, x, x, one.half(), one, -8, 7),
        (tensor, x, x, one, one.int(), -8, 7),
        (tensor, x, x, one[0], one, -8, 7),
        (tensor, x, x, one, one[:0], -8, 7),
        (tensor, x, x, one, one, 1, 7),
        (channel, x[:2], x, three, three, 0, -8, 7),
        (channel, x, x, three[None], three, 0, -8, 7),
        (channel, x, x, three, three[None], 0, -8, 7),
        (channel, x, x, three, three[:2], 0, -8, 7),
        (channel, x, x, three[:2], three[:2], 0, -8, 7),
        (channel, x, x, three, three, -2, -8, 7),
        (channel, x, x, three, three, 2, -8, 7),
        (channel, x, x, three, three, 0, 1, 7),
        (channel, x[:0], x[:0], three[:0], three[:0], 0, -8, 7),
        (channel, x.half(), x.half(), three, three, 0, -8, 7),
    ]


@pytest.mark.parametrize("case", learnable_errors(), ids=lambda case: case[0].__name__[-23:])
def test_learnable_backward_errors(case: tuple[Any, ...]) -> None:
    op, *args = case
    with pytest.raises((RuntimeError, IndexError)) as on_cpu:
        op(*args)
    with pytest.raises(type(on_cpu.value)) as on_device:
        op(*map(on_mps, args))
    assert str(on_device.value) == str(on_cpu.value)


def test_learnable_backward_of_mixed_dtypes() -> None:
    """With a bfloat16 input the CPU converts whatever else there is; results are float32."""
    x, dy = torch.randn(3, 40), torch.randn(3, 40)
    for args in ((dy, x.bfloat16()), (dy.bfloat16(), x.bfloat16())):
        scale, zero_point = torch.tensor([0.25, 0.5, 0.125]).bfloat16(), int32(0, 1, -2)
        op = aten._fake_quantize_learnable_per_channel_affine_backward
        rest = (scale, zero_point, 0, -8, 7, 0.5)
        torch.testing.assert_close(op(*map(on_mps, (*args, *rest))), op(*args, *rest), check_device=False)


def test_dispatches_of_learnable_gradients() -> None:
    name = "_fake_quantize_learnable_per_channel_affine_backward"
    for shape, expected in (((3, 100), 1), ((3, 20_000), 2), ((1000, 9000), 1)):
        x = torch.randn(shape, device="mps") if shape[0] == 3 else torch.zeros(1, device="mps").expand(shape)
        ones = torch.ones(shape[0], device="mps")
        call = lambda x=x, s=ones: getattr(aten, name)(x, x, s, s, 0, -8, 7)  # noqa: E731
        if shape[0] == 1000 and mpsops._C.runtime == "sim":
            from mpsops import simulator

            with simulator.without_execution():
                assert dispatches(f"aten::{name}", call) == expected
        else:
            assert dispatches(f"aten::{name}", call) == expected


def choose_qparams(low: float, high: float, ends: tuple[int, int], symmetric: bool) -> tuple[float, int]:
    """fbgemm::ChooseQuantizationParams, with Python's floats for its doubles."""

    def single(value: float) -> float:
        return float(torch.tensor(value, dtype=torch.float64).float())

    first, last = ends
    if low < 0 < high and symmetric:
        lowest, highest = -((last - first) // 2 + 1), (last - first) // 2
        unit = max(abs(single(low / lowest)), abs(single(high / highest)))
        low, high = single(unit * lowest), single(unit * highest)
    low, high = min(low, 0.0), max(high, 0.0)
    scale = single((high - low) / (last - first))
    if scale <= 2.0**-128:
        scale = single(0.1)
    small = single(6.1e-5)
    if scale < small:
        factor, scale = single(small / scale), small
        if low == 0:
            high = single(small * (last - first))
        elif high == 0:
            low = -single(small * (last - first))
        else:
            low, high = single(low * factor), single(high * factor)
    from_low, from_high = first - low / scale, last - high / scale
    zero_point = from_low if abs(first) + abs(low / scale) < abs(last) + abs(high / scale) else from_high
    if low < 0 < high and symmetric:
        zero_point = (first + last) / 2
    return scale, round(min(max(zero_point, first), last))


def observed(low: torch.Tensor, high: torch.Tensor, ends: tuple[int, int], symmetric: bool) -> Any:
    """The parameters that the op chooses for each row, after it observed these extremes."""
    x = torch.stack([low, high], 1).to("mps")
    state = [torch.zeros(0, device="mps") for _ in range(3)] + [on_mps(int32())]
    on = torch.ones(1, dtype=torch.int64, device="mps")
    aten._fused_moving_avg_obs_fq_helper(x, on, on, *state, 0.01, *ends, 0, True, symmetric)
    same(state[0], low)
    same(state[1], high)
    return state[2].tolist(), state[3].tolist()


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("ends", RANGES[:-1], ids=str)
def test_parameters_are_those_of_double_arithmetic(ends: tuple[int, int], symmetric: bool) -> None:
    count = 2000
    low = -torch.rand(count) * 10 ** torch.empty(count).uniform_(-12, 12)
    high = -low * torch.rand(count) * 2
    low[:200], high[200:400] = 0.0, 0.0
    high[400:800] = -low[400:800]  # ties, which the rounding of a double decides
    high[800:1000] = -low[800:1000] / 3
    high[1000:1200] = low[1000:1200] / 2  # both below zero
    low[1200:1210], high[1210:1220] = -1e-38, 1e-42
    low[1220:1230], high[1220:1230] = -3e38, 3e38
    scale, zero_point = observed(low, high, ends, symmetric)
    expected = [
        choose_qparams(*pair, ends, symmetric) for pair in zip(low.tolist(), high.tolist(), strict=True)
    ]
    assert scale == [pair[0] for pair in expected]
    assert zero_point == [pair[1] for pair in expected]


def observer_state() -> tuple[torch.Tensor, ...]:
    return torch.tensor(INF), torch.tensor(-INF), torch.ones(1), int32(0)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("ends", [(0, 255), (-128, 127), (3, 3)], ids=str)
def test_observer_of_what_is_no_number(ends: tuple[int, int], symmetric: bool) -> None:
    for values in (
        [NAN, 1.0, 2.0],
        [INF, 1.0, -2.0],
        [-INF, 1.0, -2.0],
        [-INF, INF, 2.0],
        [0.0, -0.0, 0.0],
        [1e-42, 0.0, 0.0],
        [-1.0, 1.0, 0.0],
    ):
        x = torch.tensor(values)
        for on in ((1, 1), (0, 1), (1, 0), (0, 0)):
            results = []
            for device in ("cpu", "mps"):
                switches = [torch.tensor([switch], device=device) for switch in on]
                state = [tensor.to(device) for tensor in observer_state()]
                output = aten._fused_moving_avg_obs_fq_helper(
                    x.to(device), *switches, *state, 0.01, *ends, 0, False, symmetric
                )
                results.append([*output, *state])
            same(results[1], results[0])


def test_rows_with_nan() -> None:
    """The CPU raises for its zero point; here nothing waits to see it, and the row is NaN."""
    x = torch.tensor([[1.0, NAN, 2.0], [1.0, -1.0, 3.0]], device="mps")
    on = torch.ones(1, dtype=torch.int64, device="mps")
    state = [torch.zeros(0, device="mps") for _ in range(3)] + [on_mps(int32())]
    output, mask = aten._fused_moving_avg_obs_fq_helper(x, on, on, *state, 0.01, -128, 127, 0, True, False)
    assert output[0].isnan().all()
    assert not mask[0].any()
    assert state[0][0].isnan()
    assert state[2][0].isnan()
    assert output[1].isfinite().all()


@pytest.mark.parametrize("rows", [None, 3])
def test_many_steps_of_the_observer(rows: int | None) -> None:
    """State that strides, is a part of something larger, and moves as the CPU's does, bit for bit."""
    torch.manual_seed(0)
    batches = [torch.randn(3, 4, 1500) * k for k in (1.0, 2.0, 0.5, 3.0)]
    results = []
    for device in ("cpu", "mps"):
        on = torch.ones(1, dtype=torch.int64, device=device)
        count = rows or 1
        memory = torch.zeros(count, 4, device=device)
        running_min, running_max = torch.full((count,), INF, device=device), memory.new_full((count,), -INF)
        scale, zero_point = memory[:, 1], torch.zeros(count, 2, dtype=torch.int32, device=device)[:, 0]
        state = [running_min, running_max, scale, zero_point]
        outputs = [
            torch.fused_moving_avg_obs_fake_quant(
                x.to(device), on, on, *state, 0.3, -128, 127, 0, rows is not None, False
            )
            for x in batches
        ]
        results.append([*outputs, *state, memory])
    same(results[1], results[0])


def test_the_observer_waits_for_nothing() -> None:
    on = torch.ones(1, dtype=torch.int64, device="mps")
    state = [tensor.to("mps") for tensor in observer_state()]
    x = torch.randn(4, 50, device="mps", requires_grad=True)
    call = lambda: torch.fused_moving_avg_obs_fake_quant(x, on, on, *state, 0.01, 0, 255, 0)  # noqa: E731
    assert oc.waits(lambda: call().sum().backward()) == 0


def test_dispatches_of_the_observer() -> None:
    on = torch.ones(1, dtype=torch.int64, device="mps")
    op = aten._fused_moving_avg_obs_fq_helper
    for shape, per_row, expected in (
        ((4, 50), False, 2),
        ((4, 50_000), False, 3),
        ((4, 50), True, 2),
        ((4, 50_000), True, 3),
    ):
        count = 4 if per_row else 1
        state = [torch.ones(count, device="mps") for _ in range(3)]
        state.append(torch.ones(count, dtype=torch.int32, device="mps"))
        x = torch.randn(shape, device="mps")
        call = lambda x=x, s=state, p=per_row: op(x, on, on, *s, 0.01, 0, 255, 0, p)  # noqa: E731
        assert dispatches("aten::_fused_moving_avg_obs_fq_helper", call) == expected


def test_functional_observer_leaves_its_state_alone() -> None:
    x = torch.randn(4, 50)
    results = []
    for device in ("cpu", "mps"):
        on = torch.ones(1, dtype=torch.int64, device=device)
        state = [tensor.to(device) for tensor in observer_state()]
        results.append(
            aten._fused_moving_avg_obs_fq_helper_functional(x.to(device), on, on, *state, 0.01, 0, 255, 0)
        )
        same(state, observer_state())
    same(results[1], results[0])


def test_state_of_another_size() -> None:
    """The CPU kernel writes past its end."""
    on = torch.ones(1, dtype=torch.int64, device="mps")
    state = [torch.ones(3, device="mps") for _ in range(3)] + [on_mps(int32(0, 0, 0))]
    x = torch.randn(4, 5, device="mps")
    for index, name in enumerate(("running_min", "running_max", "scale", "zero_point")):
        wrong = [torch.cat([tensor, tensor[:1]]) for tensor in state]
        wrong[index] = state[index]
        with pytest.raises(RuntimeError, match=f"{name} must have 4 elements, got 3"):
            aten._fused_moving_avg_obs_fq_helper(x, on, on, *wrong, 0.01, 0, 255, 0, True)
