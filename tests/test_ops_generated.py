"""Every registered op against the CPU, from its registration alone: nothing here names an op."""

import copy
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

import mpsops
import op_cases as oc
from mpsops import _opinfo
from mpsops._harness import op_calls


def by_case(select: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", oc.cases(select), ids=str)


def check_forward(case: oc.Case, sample: Any, what: str) -> None:
    if oc.cpu_picks_arbitrarily(case.info, sample):
        return
    with oc.no_fallbacks():
        actual = oc.call(case.info, oc.to_device(sample))
    same = oc.call(case.info, sample)
    reference = oc.call(case.info, oc.to_reference(sample))
    assert len(actual) == len(same)
    for index, results in enumerate(zip(actual, same, reference, strict=True)):
        oc.assert_matches(*results, f"{what}, output {index}")
        if same[index].numel() > 1:
            assert actual[index].stride() == same[index].stride(), f"{what}, output {index}: memory format"


@by_case(oc.supported)
def test_forward(case: oc.Case) -> None:
    for number, sample in enumerate(case.samples()):
        if not oc.differs_by_seed(case.info, sample):
            check_forward(case, sample, f"sample {number}")


@by_case(oc.supported)
def test_random_is_reproducible(case: oc.Case) -> None:
    """Where the op draws random numbers, the seed decides them and the CPU's generator is untouched."""
    for sample in case.samples():
        if not oc.differs_by_seed(case.info, sample):
            continue
        on_mps = oc.to_device(sample)
        results = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            results.append(oc.call(case.info, on_mps))
            assert torch.equal(state, torch.get_rng_state())
        for first, again, other in zip(*results, strict=True):
            assert torch.equal(first, again)
            assert not torch.equal(first, other)


def noncontiguous(sample: Any) -> Any:
    return sample.noncontiguous()


def offset(sample: Any) -> Any:
    """Every tensor starts 3 elements into its storage."""

    def shift(tensor: torch.Tensor) -> torch.Tensor:
        room = torch.empty(tensor.numel() + 3, dtype=tensor.dtype)
        return room[3:].view(tensor.shape).copy_(tensor)

    return oc.map_tensors(shift, sample)


def expanded(sample: Any) -> Any:
    """The input becomes its own first slice, repeated by stride 0."""

    def expand(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 0 or tensor.shape[0] == 0:
            return tensor
        return tensor[:1].expand(tensor.shape)

    changed = copy.copy(sample)
    changed.input = oc.map_tensors(expand, sample).input
    return changed


def channels_last(sample: Any) -> Any:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}

    def convert(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() not in formats:
            return tensor
        return tensor.contiguous(memory_format=formats[tensor.dim()])

    return oc.map_tensors(convert, sample)


@pytest.mark.parametrize("layout", [noncontiguous, offset, expanded, channels_last], ids=lambda f: f.__name__)
@by_case(oc.one_dtype)
def test_layouts(case: oc.Case, layout: Any) -> None:
    for number, sample in enumerate(case.samples()):
        if not oc.differs_by_seed(case.info, sample):
            check_forward(case, layout(sample), f"sample {number}, {layout.__name__}")


def gradients(case: oc.Case, sample: Any, grads: list[torch.Tensor], create_graph: bool = False) -> Any:
    outputs = [out for out in oc.call(case.info, sample) if out.requires_grad]
    inputs = [t for t in op_calls.tensors([sample.input, sample.args, sample.kwargs]) if t.requires_grad]
    given = [g.to(out.device, out.dtype) for g, out in zip(grads, outputs, strict=True)]
    found = torch.autograd.grad(outputs, inputs, given, create_graph=create_graph, allow_unused=True)
    return inputs, [g for g in found if g is not None]


def differentiable(case: oc.Case) -> Any:
    for number, sample in enumerate(case.samples(requires_grad=True)):
        outputs = [out for out in oc.call(case.info, sample) if out.requires_grad]
        if oc.cpu_picks_arbitrarily(case.info, sample):
            continue
        if outputs and not oc.differs_by_seed(case.info, sample):
            yield number, sample, oc.cotangents(outputs)


def check_gradient(case: oc.Case, layout: Any) -> None:
    for number, plain, grads in differentiable(case):
        sample = layout(plain)
        with oc.no_fallbacks():
            _, actual = gradients(case, oc.to_device(sample), grads)
        _, same = gradients(case, oc.map_tensors(torch.clone, sample), grads)
        _, reference = gradients(case, oc.to_reference(sample), grads)
        assert len(actual) == len(same)
        for index, results in enumerate(zip(actual, same, reference, strict=True)):
            oc.assert_matches(*results, f"sample {number}, gradient {index}")


@by_case(oc.supported_backward)
def test_gradient(case: oc.Case) -> None:
    check_gradient(case, layout=lambda sample: sample)


@pytest.mark.parametrize("layout", [noncontiguous, channels_last], ids=lambda f: f.__name__)
@by_case(oc.one_dtype_backward)
def test_gradient_layouts(case: oc.Case, layout: Any) -> None:
    check_gradient(case, layout)


@by_case(oc.one_dtype_backward)
def test_second_gradient(case: oc.Case) -> None:
    if not case.info.supports_gradgrad:
        return
    for number, sample, grads in differentiable(case):

        def second(variant: Any, grads: list[torch.Tensor] = grads) -> list[torch.Tensor]:
            inputs, first = gradients(case, variant, grads, create_graph=True)
            if not any(g.requires_grad for g in first):
                return []
            total = sum(g.pow(2).sum() for g in first if g.requires_grad)
            return [g for g in torch.autograd.grad(total, inputs, allow_unused=True) if g is not None]

        try:
            same = second(oc.map_tensors(torch.clone, sample))
        except RuntimeError as error:
            # torch has no formula: OpInfo notes it as a test that is expected to fail.
            if not re.fullmatch(r"derivative for aten::\w+ is not implemented", str(error)):
                raise
            with pytest.raises(RuntimeError, match=str(error)):
                second(oc.to_device(sample))
            continue
        results = (second(oc.to_device(sample)), same, second(oc.to_reference(sample)))
        for index, each in enumerate(zip(*results, strict=True)):
            oc.assert_matches(*each, f"sample {number}, second gradient {index}")


@by_case(oc.one_dtype)
def test_out(case: oc.Case) -> None:
    """out= of the right size, of a wrong one (resized, with a warning), strided, and of a wrong dtype."""
    if not case.info.supports_out:
        return
    for number, sample in enumerate(case.samples()):
        on_mps = oc.to_device(sample)
        expected = oc.call(case.info, on_mps)

        def run(
            buffers: list[torch.Tensor], on_mps: Any = on_mps, expected: Any = expected, number: int = number
        ) -> None:
            out = buffers[0] if len(buffers) == 1 else tuple(buffers)
            results = oc.call(case.info, on_mps, out=out)
            for buffer, result, value in zip(buffers, results, expected, strict=True):
                assert result.data_ptr() == buffer.data_ptr()
                torch.testing.assert_close(
                    buffer, value, rtol=0, atol=0, equal_nan=True, msg=f"sample {number}"
                )

        run([torch.empty_like(value) for value in expected])
        run([torch.empty(0, dtype=value.dtype, device=op_calls.DEVICE) for value in expected])
        run([torch.empty((*v.shape, 2), dtype=v.dtype, device=op_calls.DEVICE)[..., 0] for v in expected])
        if all(value.numel() > 0 for value in expected):
            wrong = [torch.ones((*v.shape, 2), dtype=v.dtype, device=op_calls.DEVICE) for v in expected]
            with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
                run(wrong)
        for device in ("cpu", op_calls.DEVICE):
            wrong_dtype = [torch.empty(v.shape, dtype=torch.int32, device=device) for v in expected]
            out = wrong_dtype[0] if len(wrong_dtype) == 1 else tuple(wrong_dtype)
            with pytest.raises((RuntimeError, NotImplementedError)):
                oc.call(case.info, oc.to_device(sample), out=out)


@by_case(oc.one_dtype)
def test_inplace(case: oc.Case) -> None:
    """x.op_() is op(x), written over x, strided ones too."""
    if case.info.inplace_variant is None:
        return
    for number, sample in enumerate(case.samples()):
        if sample.broadcasts_input or oc.differs_by_seed(case.info, sample):
            continue
        for layout in (lambda sample: sample, noncontiguous):
            on_mps = oc.to_device(layout(sample))
            (expected,) = oc.call(case.info, on_mps)
            with oc.no_fallbacks():
                result = case.info.inplace_variant(on_mps.input, *on_mps.args, **on_mps.kwargs)
            assert result.data_ptr() == on_mps.input.data_ptr()
            torch.testing.assert_close(
                result, expected, rtol=0, atol=0, equal_nan=True, msg=f"sample {number}"
            )


@by_case(oc.one_dtype)
def test_errors(case: oc.Case) -> None:
    """OpInfo's bad inputs raise on the device what they raise on the CPU: same class, same text."""
    if case.info.error_inputs_func is None:
        return
    for error in case.info.error_inputs("cpu"):
        sample = error.sample_input
        with pytest.raises(error.error_type, match=error.error_regex or None) as on_cpu:
            oc.call(case.info, sample)
        with pytest.raises(type(on_cpu.value)) as on_mps:
            oc.call(case.info, oc.to_device(sample))
        assert str(on_mps.value) == str(on_cpu.value)


@by_case(oc.all_dtypes)
def test_dtypes(case: oc.Case) -> None:
    """The device takes a dtype exactly where the CPU does."""
    for sample in _samples_of_any_dtype(case)[:3]:
        on_cpu = exception_of(case, sample)
        on_mps = exception_of(case, oc.to_device(sample))
        assert (type(on_mps), str(on_mps)) == (type(on_cpu), str(on_cpu))


def exception_of(case: oc.Case, sample: Any) -> Exception | None:
    try:
        oc.call(case.info, sample)
    except (RuntimeError, TypeError, ValueError) as error:
        return error
    return None


def _samples_of_any_dtype(case: oc.Case) -> list[Any]:
    """OpInfo makes samples only in dtypes that the op takes: others are float32 samples, converted."""
    if case.dtype in oc.supported(case.info):
        return list(case.samples())
    base = oc.Case(case.info, *oc.one_dtype(case.info), case.ops)

    def convert(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(case.dtype) if tensor.is_floating_point() else tensor

    return [oc.map_tensors(convert, sample) for sample in base.samples()]


def on_device(case: oc.Case, limit: int | None = None) -> Any:
    for sample in itertools.islice(case.samples(requires_grad=case.info.supports_autograd), limit):
        yield case.info, oc.to_device(sample)


@by_case(oc.one_dtype)
def test_opcheck(case: oc.Case) -> None:
    """Schema and fake-tensor rules hold for each overload that the samples reach."""
    for name, calls in op_calls.record(on_device(case, limit=3)).items():
        func, args, kwargs = calls[0]
        result = torch.library.opcheck(
            func, args, kwargs, test_utils=("test_schema", "test_faketensor"), raise_exception=False
        )
        assert set(result.values()) == {"SUCCESS"}, f"{name}: {result}"


@by_case(oc.one_dtype)
def test_fake_tensors(case: oc.Case) -> None:
    for sample in case.samples():
        on_mps = oc.to_device(sample)
        actual = oc.call(case.info, on_mps)
        mode = FakeTensorMode()
        fake_sample = oc.map_tensors(mode.from_tensor, on_mps)
        with mode:
            try:
                fake = oc.call(case.info, fake_sample)
            except DynamicOutputShapeException:
                break  # on every device: its tag in torch says that the values decide the shape
        for expected, found in zip(actual, fake, strict=True):
            assert (found.shape, found.dtype, found.device) == (
                expected.shape,
                expected.dtype,
                expected.device,
            )
        break


@by_case(oc.one_dtype)
def test_compile(case: oc.Case) -> None:
    sample = next(s for s in case.samples() if not oc.differs_by_seed(case.info, s))
    on_mps = oc.to_device(sample)

    def function(*args: Any) -> Any:
        return case.info.op(*args, **on_mps.kwargs)

    torch._dynamo.reset()
    compiled = torch.compile(function, backend="aot_eager", fullgraph=False)
    with oc.callers_seed():
        expected = op_calls.tensors(function(on_mps.input, *on_mps.args))
        for found, value in zip(
            op_calls.tensors(compiled(on_mps.input, *on_mps.args)), expected, strict=True
        ):
            assert torch.equal(found, value)


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="only the simulator can choose the schedule")
@by_case(oc.one_dtype)
def test_schedules(case: oc.Case) -> None:
    """The result does not depend on the order in which the threads of a group run."""
    from mpsops import simulator

    for sample in case.samples(requires_grad=case.info.supports_autograd):
        if oc.differs_by_seed(case.info, sample):
            continue
        results = []
        for schedule in ("forward", "reverse", "random:1", "random:2"):
            with simulator.schedule(schedule):
                on_mps = oc.to_device(sample)
                outputs = oc.call(case.info, on_mps)
                tracked = [o for o in outputs if o.requires_grad]
                if tracked:
                    sum(o.sum() for o in tracked).backward()
                leaves = op_calls.tensors([on_mps.input, on_mps.args, on_mps.kwargs])
                results.append(outputs + [t.grad for t in leaves if t.grad is not None])
        for each in zip(*results, strict=True):
            for other in each[1:]:
                torch.testing.assert_close(other, each[0], rtol=0, atol=0, equal_nan=True)


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="only the simulator sees each access")
@by_case(oc.one_dtype)
def test_races(case: oc.Case) -> None:
    """No two threads access the same memory without a barrier between them, unless both do so atomically.

    Several may store the same value, as in multilabel_margin_loss, where targets repeat.
    """
    from mpsops import simulator

    with simulator.checked(races="unequal"):
        for sample in case.samples(requires_grad=case.info.supports_autograd):
            outputs = oc.call(case.info, oc.to_device(sample))
            if tracked := [o for o in outputs if o.requires_grad]:
                sum(o.sum() for o in tracked).backward()


@by_case(oc.one_dtype)
def test_dispatches(case: oc.Case) -> None:
    """No call launches more kernels than its registration says."""
    mpsops.reset_counts()
    for sample in case.samples(requires_grad=case.info.supports_autograd):
        for output in oc.call(case.info, oc.to_device(sample)):
            if output.requires_grad:
                output.sum().backward(retain_graph=True)
    for row in mpsops.ops():
        assert row.dispatches <= row.calls * row.max_dispatches, row


def claimed_by_hand() -> set[str]:
    """Overloads named by @pytest.mark.op(...) in this folder."""
    markers = re.compile(r"@pytest\.mark\.op\(([^)]*)\)", re.S)
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    return {
        name for text in texts for group in markers.findall(text) for name in re.findall(r'"([^"]+)"', group)
    }


FAMILIES = sorted({row.family for row in mpsops.ops()})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_op_has_a_test(family: str) -> None:
    """The samples above reach every overload of the family, or a hand-written test claims it."""
    claimed = claimed_by_hand()
    mpsops.reset_counts()
    for case in oc.cases(oc.one_dtype):
        if any(row.family == family for row in case.ops):
            op_calls.record(on_device(case))
    for row in mpsops.ops():
        if row.family == family and row.state == "enabled":
            assert row.calls > 0 or row.name in claimed, f"{row.name} is never called by a test"
            for name in row.opinfo:
                assert _opinfo.find(name), f"{row.name}: PyTorch has no OpInfo entry {name}"


def test_error_texts_are_plain() -> None:
    """No registered op has an empty reason or a policy without one."""
    for row in mpsops.ops():
        assert row.reason, row
        assert re.fullmatch(r"aten::\w+(\.\w+)?", row.name)
