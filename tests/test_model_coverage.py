"""``mpsops.coverage(model, ...)``."""

import io

import pytest
import torch
from rich.console import Console
from torch import nn

import mpsops
from mpsops._coverage import cpu_path


def rows(coverage: mpsops.Coverage) -> dict[str, tuple[int, str]]:
    return {row.name: (row.calls, row.state) for row in coverage.rows}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(27, 4)).to(
        "mps"
    )


def test_forward_and_backward() -> None:
    found = mpsops.coverage(model(), torch.randn(2, 1, 9, 9, device="mps"))
    assert found.backward
    assert found.device == "mps"
    assert rows(found)["aten::_adaptive_avg_pool2d"] == (1, "mpsops")
    assert rows(found)["aten::_adaptive_avg_pool2d_backward"] == (1, "mpsops")
    assert rows(found)["aten::linear"] == (1, "native")
    assert found.missing == ()


def test_without_gradients() -> None:
    frozen = model().requires_grad_(False)
    found = mpsops.coverage(frozen, torch.randn(2, 1, 9, 9, device="mps"))
    assert not found.backward
    assert not any("backward" in name for name in rows(found))


def test_gradients_are_left_alone() -> None:
    network, x = model(), torch.randn(2, 1, 9, 9, device="mps", requires_grad=True)
    mpsops.coverage(network, x)
    assert [p.grad for p in (*network.parameters(), x)] == [None] * 5


def test_functions_and_keywords() -> None:
    found = mpsops.coverage(torch.nn.functional.pdist, torch.rand(4, 3, device="mps"), p=1.0)
    assert rows(found)["aten::_pdist_forward"] == (1, "mpsops")


def test_one_run_finds_all_that_is_missing() -> None:
    """Ops that stop the model do not stop the report; what they would have computed goes on."""
    mpsops.disable("mode", "pdist")
    values = []

    def stops(x: torch.Tensor) -> torch.Tensor:
        values.append(x.mode().values.cpu())
        values.append(torch.pdist(x).cpu())
        return values[-1]

    x = torch.rand(4, 3)
    try:
        with pytest.raises(NotImplementedError):
            stops(x.to("mps"))
        found = mpsops.coverage(stops, x.to("mps"))
    finally:
        mpsops.enable()
    assert {row.name for row in found.missing} == {"aten::mode", "aten::_pdist_forward"}
    assert found.rows[0].state == "missing"
    assert torch.equal(values[0], x.mode().values)
    assert torch.equal(values[1], torch.pdist(x))


def test_a_missing_op_that_makes_tensors() -> None:
    with mpsops.patched(cpu_path=False):
        mpsops.disable("logspace")
        found = mpsops.coverage(lambda: torch.logspace(0, 1, 3, device="mps"))
    assert [row.name for row in found.missing] == ["aten::logspace"] * torch.__version__.startswith("2.13")
    assert found.device == "mps"


def test_what_a_missing_op_writes_arrives() -> None:
    mpsops.disable("special_ndtri")
    x = torch.rand(5, device="mps")
    out = torch.zeros(5, device="mps")
    try:
        assert mpsops.coverage(lambda: torch.special.ndtri(x, out=out)).missing
    finally:
        mpsops.enable()
    torch.testing.assert_close(out.cpu(), torch.special.ndtri(x.cpu()))


def test_errors_of_the_model_are_its_own() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        mpsops.coverage(torch.mm, torch.rand(2, 3, device="mps"), torch.rand(2, 3, device="mps"))


def test_bytes_that_the_cpu_path_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    copied = iter([100, 1124])
    monkeypatch.setattr(cpu_path, "bytes_copied", lambda: next(copied))
    found = mpsops.coverage(torch.neg, torch.rand(3, device="mps"))
    assert found.bytes_copied == 1024
    assert "; 1,024 bytes copied for the CPU" in found.summary()


def test_on_the_cpu() -> None:
    found = mpsops.coverage(nn.Linear(3, 2), torch.rand(4, 3))
    assert found.device == "cpu"
    assert "on MPS torch may choose other ops" in found.summary()


def test_text_table_and_html() -> None:
    found = mpsops.coverage(torch.nn.functional.pdist, torch.rand(4, 3, device="mps"))
    out = io.StringIO()
    Console(file=out, width=80).print(found)
    for text in (str(found), repr(found), out.getvalue(), found._repr_html_()):
        assert "aten::_pdist_forward" in text
        assert "1 mpsops" in text
    assert found._repr_html_().startswith("<table>")
