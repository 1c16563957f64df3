"""``mpsops coverage``: its states against what ops do, its groups, and two versions of torch."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map_only
from typer.testing import CliRunner

import mpsops
from mpsops._coverage import groups, table, versions, yaml_file
from mpsops._coverage.yaml_file import Entry
from mpsops._model_coverage import _Recorder
from mpsops.cli import app

STOCK = yaml_file.path_of_running_torch()


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["coverage", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout


def state(name: str) -> str:
    return table.Table().row(name).state


def test_every_op_of_torch_is_there() -> None:
    names = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")}
    assert {row.name for row in table.Table().rows()} == names
    assert len(names) > 3000


def test_states() -> None:
    # By torch's list, by mpsops' registry, and by what code that torch generates calls.
    assert state("add.Tensor") == "native"
    assert state("mode") == "mpsops"
    assert state("mode.values") == "mpsops"
    assert state("_adaptive_avg_pool2d") == "mpsops"
    assert state("hstack") == "composite"
    with mpsops.patched(cpu_path=False):
        assert state("linalg_eig") == "missing"
        assert table.Table().row("linalg_eig.out").reason == "kernels for CPU, CUDA only"


@pytest.mark.skipif(not torch.__version__.startswith("2.13"), reason="of torch 2.13")
def test_forms_of_an_op_that_is_missing_are_missing() -> None:
    with mpsops.patched(cpu_path=False):
        rows = table.Table()
        assert rows.row("linalg_matrix_exp.out").reason == "needs linalg_matrix_exp"


def test_states_follow_enabling() -> None:
    mpsops.disable("mode")
    try:
        assert state("mode") == "missing"
        assert state("mode.values") == "missing"
    finally:
        mpsops.enable()


def test_cpu_path() -> None:
    assert state("linalg_eig") == "cpu"
    with mpsops.patched(cpu_path=False):
        assert state("linalg_eig") == "missing"


class Outcomes(_Recorder):
    """Which ops ran on the device, and which stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        failed = set(self.failed)
        result = super().__torch_dispatch__(func, types, args, kwargs)
        tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if set(self.failed) == failed and any(tensor.is_mps for tensor in tensors):
            self.ran.add(str(func).replace("aten.", "aten::", 1).removesuffix(".default"))
        return result


def outcomes_of_samples() -> Outcomes:
    """The first sample of each entry of PyTorch's database, forward."""
    outcomes = Outcomes()
    for info in (info for info in op_db if "jiterator" not in info.name):
        if not info.supports_dtype(torch.float32, "cpu"):
            continue
        sample = next(iter(info.sample_inputs("cpu", torch.float32)))
        given = ((sample.input, *sample.args), sample.kwargs)
        try:
            arguments, kwargs = tree_map_only(torch.Tensor, lambda tensor: tensor.to("mps"), given)
            with outcomes, torch.no_grad():
                info.op(*arguments, **kwargs)
        except (RuntimeError, TypeError, ValueError):
            continue  # what torch refuses for other reasons, test_opinfo_sweep.py knows
    assert len(outcomes.ran) > 400
    return outcomes


@pytest.mark.filterwarnings("ignore")
def test_states_are_what_ops_do_without_the_cpu_path() -> None:
    with mpsops.patched(cpu_path=False):
        outcomes = outcomes_of_samples()
        rows = table.Table()
        stopped = [rows.row(name).state for name in outcomes.failed]
        ran = [name for name in outcomes.ran - outcomes.failed.keys() if name.startswith("aten::")]
        wrong = [name for name in ran if rows.row(name).state == "missing"]
    # One that is made of others says so; of which, torch's list does not tell.
    assert set(stopped) == {"missing", "composite"}
    assert stopped.count("composite") <= len(stopped) / 10
    assert wrong == []


@pytest.mark.filterwarnings("ignore")
def test_states_are_what_ops_do() -> None:
    outcomes = outcomes_of_samples()
    rows = table.Table()
    assert outcomes.failed == {}
    states = {rows.row(name).state for name in outcomes.ran if name.startswith("aten::")}
    assert states == {"native", "mpsops", "composite", "cpu"}


def test_summary_adds_up() -> None:
    lines = [line.rsplit(maxsplit=6) for line in run().splitlines()]
    assert lines[0] == ["group", "ops", *table.STATES]
    for _, number, *counts in lines[1:]:
        assert int(number) == sum(map(int, counts))
    columns = list(zip(*(map(int, line[1:]) for line in lines[1:]), strict=True))
    assert all(sum(column[:-1]) == column[-1] for column in columns)
    assert lines[-1][:2] == ["total", str(len(table.Table().rows()))]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("linalg_eig", "linalg"),
        ("_adaptive_avg_pool3d_backward", "pooling"),
        ("bernoulli_.float", "random"),
        ("_foreach_add.List", "foreach"),
        ("quantize_per_tensor", "quantized"),
        ("_nested_tensor_from_mask", "nested"),
        ("_to_sparse_csr", "sparse"),
        ("mkldnn_linear", "other backends"),
        ("add.Tensor", "pointwise"),
        ("sum.dim_IntList", "reductions"),
        ("transpose.int", "views"),
        ("ones", "factories"),
        ("special_ndtri.out", "special functions"),
        ("quantile", "sorting"),
    ],
)
def test_groups(name: str, group: str) -> None:
    assert table.Table().row(name).group == group


def test_most_ops_have_a_group() -> None:
    rows = table.Table().rows()
    assert sum(row.group == groups.OTHER for row in rows) < len(rows) / 6
    assert {row.group for row in rows} == set(groups.NAMES)


def test_filters() -> None:
    lines = [line.split() for line in run("--group", "linalg", "--state", "cpu", "linalg_eig*").splitlines()]
    assert {line[1] for line in lines} == {"cpu"}
    assert {"aten::linalg_eig", "aten::linalg_eig.out"} <= {line[0] for line in lines}
    assert all(line[0].startswith("aten::linalg_eig") for line in lines)


def test_json() -> None:
    found = json.loads(run("--json", "mode"))
    assert found["total"]["mpsops"] == 2
    assert found["groups"] == {"sorting": found["total"]}
    assert found["ops"][0] == {
        "name": "aten::mode",
        "group": "sorting",
        "state": "mpsops",
        "reason": "kernel of mode",
    }


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_matches(options: list[str]) -> None:
    run("no_such_op", *options, exit_code=1)


def test_unknown_group() -> None:
    result = CliRunner().invoke(app, ["coverage", "--group", "poolin"], env={"TERMINAL_WIDTH": "400"})
    assert result.exit_code == 2
    assert "got poolin" in result.stderr


YAML = """
- func: kept(Tensor self) -> Tensor
  dispatch:
    CPU, MPS: kept
- func: lost.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
  dispatch:
    CPU, CUDA: lost
- func: lost(Tensor self) -> Tensor
  structured_delegate: lost.out
- func: view(Tensor(a) self) -> Tensor(a)
  tags: [core, view_copy]
- func: base(Tensor self) -> Tensor
  python_module: linalg
  dispatch:
    CPU: base
  autogen: base.out
"""


def test_reading_the_list(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text(YAML)
    entries = yaml_file.read(tmp_path / "list.yaml")
    assert entries["kept"] == Entry("kept", frozenset({"CPU", "MPS"}))
    assert entries["lost"] == Entry("lost", frozenset({"CPU", "CUDA"}), base="lost.out", structured=True)
    assert entries["view"] == Entry("view", frozenset(), tags=frozenset({"core", "view_copy"}), views=True)
    assert entries["base.out"] == Entry("base.out", frozenset(), base="base", module="linalg")


def test_against_itself() -> None:
    assert versions.compare(STOCK) == versions.Difference((), (), (), ())
    assert run("--against", str(STOCK)) == ""


def test_against_another_version(tmp_path: Path) -> None:
    """One that has a kernel for eig, none for hypot, an op of its own, and no mish."""

    def with_dispatch(text: str, name: str, dispatch: str) -> str:
        begin = text.index(f"- func: {name}(")
        end = text.index("\n\n- func: ", begin)
        kept = [line for line in text[begin:end].splitlines() if line.startswith(("- func", "  structured"))]
        return "\n".join([text[:begin] + "\n".join(kept), *dispatch.splitlines()]) + text[end:]

    other = tmp_path / "native_functions.yaml"
    text = with_dispatch(STOCK.read_text(), "linalg_eig", "  dispatch:\n    MPS: eig")
    text = with_dispatch(text, "hypot.out", "  dispatch:\n    CPU: hypot")
    text = text.replace("- func: mish(", "- func: dish(")
    other.write_text(text + "\n- func: newer(Tensor self) -> Tensor\n  dispatch:\n    MPS: newer\n")
    found = json.loads(run("--against", str(other), "--json"))
    assert found["lost"] == ["aten::linalg_eig"]
    assert found["gained"] == ["aten::hypot", "aten::hypot.out", "aten::hypot_"]
    assert found["added"] == ["aten::mish"]
    assert "aten::newer" in found["removed"]
    lines = run("--against", str(other), "linalg_eig").splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [["aten::linalg_eig", "native there, not here"]]


def test_a_torch_without_its_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_file, "path_of_running_torch", lambda: tmp_path / "native_functions.yaml")
    result = CliRunner().invoke(app, ["coverage"])
    assert result.exit_code == 2
    assert "native_functions.yaml" in result.stderr


@pytest.mark.parametrize("text", [None, "", "- a: 1", "a: [", "\x00"])
def test_against_what_is_no_such_list(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "x.yaml"
    if text is not None:
        file.write_text(text)
    result = CliRunner().invoke(app, ["coverage", "--against", str(file)])
    assert result.exit_code == 2
    assert "x.yaml" in result.stderr
