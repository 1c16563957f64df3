"""``mpsops doctor``, with machines and kernels that are well, and some that are not."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import mpsops
from mpsops import _opinfo
from mpsops._doctor import checks, environment, opinfo, own_samples, selftest
from mpsops._doctor.compare import difference
from mpsops.cli import app
from mpsops.cli import doctor as command


@contextmanager
def kernel(name: str, function: Callable[..., Any]) -> Iterator[None]:
    """In place of mpsops' kernel, which stays enabled below it."""
    library = torch.library.Library("aten", "IMPL")
    try:
        library.impl(name, function, "MPS", allow_override=True)
        yield
    finally:
        library._destroy()


def families(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Only these are tested."""
    rows = {name: [row for row in mpsops.ops() if row.family == name] for name in names}
    monkeypatch.setattr(selftest, "to_test", lambda: rows)


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    return result.exit_code, json.loads(result.stdout)


def status(report: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in report["checks"]}


def has_cpu_kernel(op: str) -> bool:
    return torch._C._dispatch_has_computed_kernel_for_dispatch_key(op, "CPU")


@pytest.mark.parametrize("use_opinfo", [True, False])
def test_all_kernels_are_well(use_opinfo: bool) -> None:
    results = selftest.run(use_opinfo=use_opinfo)
    assert [result.failures for result in results] == [[]] * len(results)
    # A schema does not tell of sizes that depend on each other, or of ops that the CPU lacks.
    without = [result.family for result in results if not result.samples]
    assert len(without) < (1 if use_opinfo else len(results) / 2)
    assert {result.family for result in results} == {
        row.family for row in mpsops.ops() if row.state != "native"
    }
    # Backwards with grad_input= and in-place forms are reached by nothing that users call.
    rest = {name for result in results for name in result.not_reached}
    assert len(rest) < len(mpsops.ops()) / (3 if use_opinfo else 2)
    assert not any(
        name in rest for name in ("aten::mode", "aten::_pdist_backward", "aten::special_ndtri.out")
    )


def test_well(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "special_ndtri", "mode")
    code, report = run()
    assert code == 0
    assert set(status(report).values()) <= {"ok", "warn"}
    assert [result["family"] for result in report["kernels"]] == ["special_ndtri", "mode"]


def wrong_ndtri(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x)


def raising_ndtri(x: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("special_ndtri.metal:7: no such function\nmore")


def ndtri_on_the_cpu(x: torch.Tensor) -> torch.Tensor:
    return torch.special.ndtri(x.cpu())


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (wrong_ndtri, "values are wrong, the first 0 for"),
        (raising_ndtri, "RuntimeError: special_ndtri.metal:7: no such function"),
        (ndtri_on_the_cpu, "the result is on cpu"),
    ],
)
@pytest.mark.parametrize("with_opinfo", [True, False])
def test_a_wrong_kernel(
    fault: Callable[..., Any], text: str, with_opinfo: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    families(monkeypatch, "special_ndtri", "mode")
    monkeypatch.setattr(_opinfo, "available", lambda: with_opinfo)
    with kernel("special_ndtri", fault):
        code, report = run()
    assert code == 1
    ndtri, mode = report["kernels"]
    assert text in ndtri["failures"][0]
    assert ndtri["failures"][0].startswith("special_ndtri float32: ") or with_opinfo
    assert mode["failures"] == []
    failed = [check for check in report["checks"] if check["status"] == "fail"]
    assert [check["name"] for check in failed] == ["kernel", "kernels"]
    assert "mpsops.disable('special_ndtri')" in failed[0]["advice"]
    assert "1 of 2 families agree" in failed[1]["found"]


def test_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "pdist")
    with kernel("_pdist_backward", lambda grad, self, p, pdist: torch.zeros_like(self)):
        code, report = run()
    assert code == 1
    assert all("gradient: " in failure for failure in report["kernels"][0]["failures"])


def test_a_result_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that loses its gradient."""
    families(monkeypatch, "pdist")
    detached = torch.library.Library("aten", "IMPL")
    try:
        on_cpu = lambda self, p=2.0: torch.pdist(self.detach().cpu(), p).to("mps")  # noqa: E731
        detached.impl("_pdist_forward", on_cpu, "AutogradMPS")
        code, report = run()
    finally:
        detached._destroy()
    assert code == 1
    assert "gradient: 0 tensors instead of 1" in " ".join(report["kernels"][0]["failures"])


def test_a_family_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "pdist")
    for module in (opinfo, own_samples):
        monkeypatch.setattr(module, "samples", lambda rows: iter(()))
    code, report = run()
    assert code == 0
    assert [check["found"] for check in report["checks"] if check["name"] == "kernel"] == [
        "no sample for pdist: not tested"
    ]
    assert report["checks"][-1]["found"].startswith("0 of 1 families")


def test_samples_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "pdist", "mode")

    def samples(rows: list[mpsops.OpRow]) -> Iterator[Any]:
        yield from ()
        raise KeyError(rows[0].family)

    monkeypatch.setattr(own_samples, "samples", samples)
    monkeypatch.setattr(_opinfo, "available", lambda: False)
    code, report = run()
    assert code == 1
    assert [result["failures"] for result in report["kernels"]] == [
        ["no further samples: KeyError: 'pdist'"],
        ["no further samples: KeyError: 'mode'"],
    ]


def test_what_fails_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "special_ndtri")
    with kernel("special_ndtri", wrong_ndtri):
        result = CliRunner().invoke(app, ["doctor"])
    assert "\nfail  kernel       special_ndtri: " in result.stdout
    assert "-> mpsops.disable('special_ndtri') gives torch's behaviour back" in result.stdout


def test_disabled_ops_are_tested_and_stay_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "mode")
    mpsops.disable("mode")
    try:
        code, report = run()
        assert code == 0
        assert status(report)["ops"] == "warn"
        assert report["kernels"][0]["not_reached"] == []
        assert {row.state for row in mpsops.ops() if row.family == "mode"} == {"disabled"}
    finally:
        mpsops.enable()


def test_the_time_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "pdist")
    result = selftest.run(seconds=0.0)[0]
    assert (result.samples, result.complete) == (1, False)


def test_a_missing_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checks, command):
        monkeypatch.setattr(module, "has_mps", lambda: False)
    code, report = run()
    assert code == 2
    assert status(report)["device"] == "fail"
    assert report["kernels"] == []


def test_a_device_that_cannot_add(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "mode")
    with kernel("add.Tensor", lambda a, b, alpha=1: a.clone()):
        assert checks.check_device().status == "fail"


def test_a_torch_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    families(monkeypatch, "mode")
    monkeypatch.setattr(torch, "__version__", "2.99.0")
    code, report = run()
    assert code == 1
    (check,) = [check for check in report["checks"] if check["name"] == "torch"]
    assert check["status"] == "fail"
    assert "no build for torch 2.99.0" in check["advice"]


@pytest.mark.parametrize(
    ("variables", "expected", "advice"),
    [
        ({"HOME": "/home/a"}, "ok", ""),
        ({"MPSOPS_SIM_CHECK": "1"}, "ok", ""),
        ({"PYTORCH_ENABLE_MPS_FALLBACK": "0"}, "ok", ""),
        ({"PYTORCH_ENABLE_MPS_FALLBACK": "1"}, "warn", "unset PYTORCH_ENABLE_MPS_FALLBACK"),
        ({"MPSOPS_AUTOPATCH": "0"}, "warn", "mpsops.enable()"),
        ({"MPSOPS_AUTOPACH": "0"}, "warn", "does not know MPSOPS_AUTOPACH"),
    ],
)
def test_environment(variables: dict[str, str], expected: str, advice: str) -> None:
    check = environment.check(variables)
    assert check.status == expected
    assert advice in check.advice


def test_every_variable_of_ours_is_known() -> None:
    """Those that the package reads, by its text."""
    root = Path(__file__).parent.parent
    texts = [
        p.read_text()
        for p in (*root.glob("csrc/**/*.cpp"), *root.glob("csrc/**/*.mm"), *root.glob("python/**/*.py"))
    ]
    read = re.findall(r'(?:getenv\(|environment\(|environ\.get\(|environ\[)"(MPSOPS_\w+)"', " ".join(texts))
    assert set(read) == environment.KNOWN


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="a Mac has an MPS device")
def test_a_plain_environment_without_a_device() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MPSOPS_")}
    result = subprocess.run(
        [sys.executable, "-m", "mpsops", "doctor"], env=environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "`mpsops doctor --simulator`" in result.stdout
    assert "not tested" in result.stderr


def test_own_samples_need_no_test_packages() -> None:
    rows = [row for row in mpsops.ops() if row.family == "segment_reduce"]
    found = list(own_samples.samples(rows))
    assert {sample.label for sample in found} == {f"segment_reduce {name}" for name in rows[0].dtypes}


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("found", "cpu", "exact", "good"),
    [
        ([1.0], [1.0], [1.0], True),
        ([1.0001], [1.0], [1.0], False),
        ([1.0001], [1.0002], [1.0], True),
        ([NAN], [1.0], [1.0], False),
        ([1.0], [NAN], [1.0], False),
        ([NAN], [NAN], [NAN], True),
        ([INF], [INF], [1e39], True),
        ([1.0], [INF], [1e39], False),
        ([], [], [], True),
        ([1.0, 2.0], [1.0], [1.0], False),
    ],
)
def test_difference(found: list[float], cpu: list[float], exact: list[float], good: bool) -> None:
    tensors = torch.tensor(found, device="mps"), torch.tensor(cpu), torch.tensor(exact, dtype=torch.float64)
    assert (difference(*tensors) is None) == good
