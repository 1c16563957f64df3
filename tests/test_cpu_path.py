"""Ops without an MPS kernel run on the CPU, on the memory of the device, and copy nothing."""

import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from simulator_process import output, run

import mpsops
import mpsops.simulator

SIMULATED = mpsops.simulator.is_installed()
simulated = pytest.mark.skipif(not SIMULATED, reason="describes the simulated device")
pytestmark = pytest.mark.filterwarnings("ignore:mpsops. ", "ignore:Sparse ... tensor support is in beta")

KEYS = (("CPU", "MPS"), ("SparseCPU", "SparseMPS"), ("SparseCsrCPU", "SparseCsrMPS"))
COMPOSITE = (
    "CompositeImplicitAutograd",
    "CompositeExplicitAutograd",
    "CompositeExplicitAutogradNonFunctional",
)


@pytest.fixture(scope="module", autouse=True)
def _ops() -> Iterator[None]:
    """torch's ops under another name: those that MPS lacks today it may have tomorrow."""
    library = torch.library.Library("cpu_only", "DEF")
    for schema, function in {
        "take(Tensor self, Tensor index) -> Tensor": torch.take,
        "put_(Tensor(a!) self, Tensor index, Tensor source, bool add=False) -> Tensor(a!)": torch.Tensor.put_,
        "heaviside(Tensor self, Tensor values) -> Tensor": torch.heaviside,
        "heaviside_(Tensor(a!) self, Tensor values) -> Tensor(a!)": torch.Tensor.heaviside_,
        "heaviside.out(Tensor self, Tensor values, *, Tensor(a!) out) -> Tensor(a!)": torch.heaviside,
        "poisson(Tensor self, Generator? generator=None) -> Tensor": torch.poisson,
        "max(Tensor self, int dim) -> (Tensor, Tensor)": lambda self, dim: tuple(torch.max(self, dim)),
    }.items():
        library.define(schema)
        library.impl(schema.split("(")[0], function, "CPU")
    mpsops.enable()
    yield
    library._destroy()
    mpsops.enable()


ops = torch.ops.cpu_only


class Take(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        ctx.shape = x.shape
        ctx.save_for_backward(index)
        return ops.take(x, index)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (index,) = ctx.saved_tensors
        return ops.put_(torch.zeros(ctx.shape, device="mps"), index, grad, True), None


@pytest.fixture(autouse=True)
def _counted() -> Iterator[None]:
    mpsops.reset_counts()
    if not SIMULATED:
        yield
        return
    mpsops.simulator.reset_counts()
    yield
    # Whatever ran, torch's copying fallback did not.
    assert mpsops.simulator.fallback_count() == 0


def check_memory(tensor: torch.Tensor) -> None:
    if SIMULATED:
        mpsops.simulator.check_memory(tensor)


def ran(name: str) -> int:
    """Calls of the op on the CPU path; none of them may have copied anything."""
    calls = mpsops.cpu_path_calls().get(f"cpu_only::{name}")
    if calls is None:
        return 0
    assert calls.bytes_copied == 0
    return calls.calls


def mps(*values: float) -> torch.Tensor:
    return torch.tensor(values, device="mps")


def test_covers_what_the_dispatcher_lacks() -> None:
    """Asked again, in Python, with the path off."""
    mpsops.enable()  # other tests may have brought in more ops
    covered = set(mpsops._C.cpu_path_ops())
    ours = {row.name for row in mpsops.ops()}
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    mpsops.enable(cpu_path=False)
    try:
        assert mpsops._C.cpu_path_ops() == []
        missing = set()
        for name in torch._C._dispatch_get_all_op_names():
            if name in ours or name.startswith("c10d::"):
                continue
            for cpu, mps in KEYS:
                composite = mps == "MPS" and any(has(name, key) for key in COMPOSITE)
                if has(name, cpu) and not has(name, mps) and not composite:
                    missing.add(name)
    finally:
        mpsops.enable()
    assert covered == missing
    assert {"cpu_only::take", "cpu_only::heaviside.out"} <= covered


def test_new_output() -> None:
    x = torch.randn(5, 7)
    index = torch.tensor([0, 33, -1])
    result = ops.take(x.to("mps"), index.to("mps"))
    assert result.device.type == "mps"
    assert torch.equal(result.cpu(), x.take(index))
    assert ran("take") == 1
    check_memory(result)


def test_result_is_usable_like_any_other() -> None:
    """Resized, moved, changed by a kernel of the device, and freed in another order than it was made."""
    results = [ops.take(mps(1.0, 2.0, 3.0), torch.tensor([i], device="mps")) for i in range(3)]
    results[0].resize_(1000).fill_(4)
    results[1].add_(1)
    del results[2]
    assert results[0].sum().item() == 4000
    assert results[1].item() == 3
    assert results[1].untyped_storage().nbytes() == 4


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)])
def test_empty_and_0d(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    assert torch.equal(ops.heaviside(x.to("mps"), x.to("mps")).cpu(), torch.heaviside(x, x))
    assert ran("heaviside") == 1


def test_in_place_on_a_view() -> None:
    base = torch.arange(-12.0, 12.0).reshape(4, 6)
    on_device = base.to("mps")
    view, device_view = base.t()[1:4, 1:], on_device.t()[1:4, 1:]
    result = ops.heaviside_(device_view, mps(0.5))
    view.heaviside_(torch.tensor([0.5]))
    assert result is device_view
    assert torch.equal(on_device.cpu(), base)
    assert ran("heaviside_") == 1


def test_put_changes_its_argument() -> None:
    x = torch.zeros(3, 4, device="mps")[:, ::2]
    result = ops.put_(x, torch.tensor([0, 5], device="mps"), mps(1.0, 2.0))
    assert result is x
    assert x.cpu().tolist() == [[1, 0], [0, 0], [0, 2]]
    assert ran("put_") == 1


def test_out() -> None:
    x = torch.randn(4, 5)
    out = torch.empty(4, 5, device="mps")
    pointer = out.data_ptr()
    assert ops.heaviside(x.to("mps"), x.to("mps"), out=out) is out
    assert out.data_ptr() == pointer
    assert torch.equal(out.cpu(), torch.heaviside(x, x))
    assert ran("heaviside.out") == 1


@pytest.mark.parametrize("size", [0, 2, 50])
def test_out_of_another_size(size: int) -> None:
    x = torch.randn(4, 5)
    out = torch.empty(size, device="mps")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ops.heaviside(x.to("mps"), x.to("mps"), out=out)
    assert out.shape == (4, 5)
    assert torch.equal(out.cpu(), torch.heaviside(x, x))
    check_memory(out)


def test_out_that_shares_its_storage() -> None:
    base = torch.zeros(30, device="mps")
    ops.heaviside(torch.ones(5, device="mps"), mps(0.0), out=base[10:15])
    assert base.cpu().nonzero().flatten().tolist() == [10, 11, 12, 13, 14]


def test_strides_offsets_and_expanded() -> None:
    x = torch.randn(6, 8)
    for view in (lambda t: t.t(), lambda t: t[2:, 3:], lambda t: t[:1].expand(5, 8), lambda t: t[::2, ::3]):
        device = view(x.to("mps"))
        assert torch.equal(ops.heaviside(device, device).cpu(), torch.heaviside(view(x), view(x)))


def test_channels_last_output() -> None:
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    result = ops.heaviside(x.to("mps"), x.to("mps"))
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_several_outputs() -> None:
    x = torch.randn(2, 3, 8)
    values, indices = ops.max(x.to("mps"), 1)
    assert torch.equal(values.cpu(), x.max(1).values)
    assert torch.equal(indices.cpu(), x.max(1).indices)
    assert ran("max") == 1


def test_backward_on_another_thread() -> None:
    x = torch.randn(20, 3, device="mps", requires_grad=True)
    index = torch.tensor([0, 5, 5], device="mps")
    Take.apply(x, index).sum().backward()
    expected = torch.zeros(60)
    expected[0], expected[5] = 1, 2
    assert x.grad is not None
    assert torch.equal(x.grad.cpu().flatten(), expected)
    assert ran("put_") == 1


def test_threads() -> None:
    x = torch.randn(1000)
    device, results = x.to("mps"), [torch.empty(0)] * 8

    def work(i: int) -> None:
        index = torch.arange(i, 1000, 8, device="mps")
        for _ in range(20):
            results[i] = ops.take(device, index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(result.cpu(), x[i::8]) for i, result in enumerate(results))
    assert ran("take") == 160


def test_random_numbers() -> None:
    rate = torch.full((100,), 4.0, device="mps")
    before = torch.get_rng_state()
    torch.mps.manual_seed(3)
    first, second = ops.poisson(rate), ops.poisson(rate)
    torch.mps.manual_seed(3)
    assert torch.equal(ops.poisson(rate), first)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert ran("poisson") == 3


def test_generator() -> None:
    rate = torch.full((100,), 4.0, device="mps")
    generator = torch.Generator("mps").manual_seed(7)
    state = torch.mps.get_rng_state()
    first = ops.poisson(rate, generator=generator)
    assert torch.equal(torch.mps.get_rng_state(), state)
    assert torch.equal(ops.poisson(rate, generator=generator.manual_seed(7)), first)
    with pytest.raises(RuntimeError, match="Expected a 'mps' device type for generator but found 'cpu'"):
        ops.poisson(rate, generator=torch.Generator())


def test_conjugate_and_negative_views() -> None:
    x = torch.randn(3, 3, dtype=torch.complex64)
    expected = torch.linalg.eigvals(x.conj())
    assert torch.equal(torch.linalg.eigvals(x.to("mps").conj()).cpu(), expected)
    negative = x.conj().imag
    assert negative.is_neg()
    assert torch.equal(
        ops.heaviside(x.to("mps").conj().imag, mps(0.0)).cpu(), torch.heaviside(negative, torch.zeros(1))
    )


def test_float64_is_refused_as_by_torch() -> None:
    library = torch.library.Library("mpsops_test_double", "DEF")
    library.define("widen(Tensor self) -> Tensor")
    library.impl("widen", lambda self: self.double(), "CPU")
    mpsops.enable()
    with pytest.raises(TypeError, match="Cannot convert a MPS Tensor to float64 dtype"):
        torch.ops.mpsops_test_double.widen(mps(1.0))


def test_ops_of_other_packages() -> None:
    """In lists, as views of an argument, and as the argument itself."""
    library = torch.library.Library("mpsops_test_other", "DEF")
    library.define("all_of(Tensor(a) self, Tensor?[] others) -> (Tensor(a), Tensor, Tensor[])")
    library.impl("all_of", lambda self, others: (self[1:], others[0] + 1, [self * 2, self * 3]), "CPU")
    mpsops.enable()
    x = mps(1.0, 2.0, 3.0)
    view, plus, multiples = torch.ops.mpsops_test_other.all_of(x, [x, None])
    assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    view.zero_()
    assert x.tolist() == [1, 0, 0]
    assert plus.tolist() == [2, 3, 4]
    assert [each.tolist() for each in multiples] == [[2, 4, 6], [3, 6, 9]]
    assert mpsops.cpu_path_calls()["mpsops_test_other::all_of"].bytes_copied == 0


def test_sparse() -> None:
    dense = torch.randn(3, 4)
    x, y = dense.to_sparse(), torch.randn(4, 2)
    result = torch.hspmm(x.to("mps"), y.to("mps"))
    assert result.device.type == "mps"
    assert torch.equal(result.to_dense().cpu(), torch.hspmm(x, y).to_dense())


@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc])
def test_compressed_sparse(layout: torch.layout) -> None:
    dense = torch.randn(4, 6).relu()
    block = (2, 3) if layout in (torch.sparse_bsr, torch.sparse_bsc) else None
    made = dense.to("mps").to_sparse(layout=layout, blocksize=block)
    moved = dense.to_sparse(layout=layout, blocksize=block).to("mps")
    for tensor in (made, moved, moved.detach(), moved.clone()):
        assert (tensor.device.type, tensor.layout) == ("mps", layout)
        assert tensor.values().device.type == "mps"
        assert torch.equal(tensor.to_dense().cpu(), dense)
        assert torch.equal((tensor * 2).cpu().to_dense(), dense * 2)


def test_compressed_sparse_of_another_dtype() -> None:
    parts = [torch.tensor(part).to("mps") for part in ([0, 1], [0], [1.0])]
    with pytest.raises(RuntimeError, match=r"dtype of values \(Float\) must match dtype of .* \(Half\)"):
        torch.ops.aten._sparse_compressed_tensor_unsafe(
            *parts, (1, 1), layout=torch.sparse_csr, dtype=torch.half, device="mps"
        )


def test_compressed_sparse_matmul() -> None:
    dense, other = torch.randn(4, 6).relu(), torch.randn(6, 3)
    result = dense.to_sparse_csr().to("mps") @ other.to("mps")
    torch.testing.assert_close(result.cpu(), dense @ other)


def test_errors_of_the_cpu() -> None:
    with pytest.raises(IndexError, match="out of range"):
        ops.take(mps(1, 2), torch.tensor([7], device="mps"))
    with pytest.raises(RuntimeError, match=r"put_\(\): Expected a long tensor for index, but got Float"):
        ops.put_(mps(1, 2), mps(0.0), mps(1.0))
    assert ops.take(mps(1, 2), torch.tensor([1], device="mps")).item() == 2


def test_quantized_results_cannot_be_there() -> None:
    with pytest.raises(
        NotImplementedError, match="only strided and sparse tensors can be on MPS, got a quantized"
    ):
        torch.quantize_per_tensor(mps(1.0), 0.1, 0, torch.qint8)


def test_autocast_and_inference_mode() -> None:
    x = mps(-1.0, 0.0, 1.0)
    with torch.autocast("mps", dtype=torch.float16), torch.inference_mode():
        assert ops.heaviside(x, mps(0.5)).tolist() == [0, 0.5, 1]


@simulated
def test_warns_once_with_the_call_site() -> None:
    program = """
        import warnings
        install()
        x = torch.ones(3, 3, device="mps")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(3):
                torch.linalg.eigvals(x)
            torch.geqrf(x)
        for warning in caught:
            print(warning.category.__name__, warning.lineno, str(warning.message).split(".")[0])
    """
    eigvals, geqrf = output(program).splitlines()
    assert eigvals == "UserWarning 11 mpsops: aten::_linalg_eigvals has no MPS kernel"
    assert geqrf == "UserWarning 12 mpsops: aten::geqrf has no MPS kernel"


@simulated
@pytest.mark.parametrize(
    ("environment", "program"),
    [
        ({"MPSOPS_CPU_PATH": "0"}, "install()"),
        ({}, "install(); mpsops.enable(cpu_path=False)"),
        ({}, "install(); mpsops.disable()"),
        ({"MPSOPS_AUTOPATCH": "0"}, "install(); mpsops.enable('mode')"),
    ],
)
def test_off(environment: dict[str, str], program: str) -> None:
    """Then torch's own behaviour is back."""
    result = run(f"{program}\ntorch.geqrf(torch.ones(3, 3, device='mps'))", **environment)
    assert "NotImplementedError: The operator 'aten::geqrf' is not currently implemented" in result.stderr


def test_off_for_one_block() -> None:
    with mpsops.patched(cpu_path=False):
        assert not mpsops._C.cpu_path_enabled()
    assert mpsops._C.cpu_path_enabled()
    with mpsops.patched("mode"):
        assert mpsops._C.cpu_path_enabled()


def test_enabled_twice() -> None:
    covered = mpsops._C.cpu_path_ops()
    mpsops.enable()
    assert mpsops._C.cpu_path_ops() == covered
    assert ops.take(mps(1, 2), torch.tensor([1], device="mps")).item() == 2


@simulated
def test_memory_that_the_host_cannot_reach() -> None:
    """Torch's own fallback does it then, with copies."""
    x, index = mps(1, 2), torch.tensor([1], device="mps")
    with mpsops.simulator.private_memory():
        result = ops.take(x, index)
    assert (result.device.type, result.item()) == ("mps", 2)
    assert ran("take") == 0


def test_distributed_ops_are_refused() -> None:
    assert not any(name.startswith("c10d::") for name in mpsops._C.cpu_path_ops())


def test_memory_of_the_cpu_stays_its_own() -> None:
    """Outside of the path, and on other threads, CPU tensors are in CPU memory."""
    before = torch.mps.current_allocated_memory()
    ops.take(mps(1, 2), torch.tensor([1], device="mps"))
    tensors = [torch.empty(1 << 20) for _ in range(4)]
    assert torch.mps.current_allocated_memory() - before < 1 << 20
    assert all(tensor.fill_(1).sum() == 1 << 20 for tensor in tensors)
