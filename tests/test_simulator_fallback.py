"""Ops that stock torch has no MPS kernel for: the error, or the CPU with a warning."""

import torch
from simulator_process import output, run

import mpsops.simulator

ERROR = (
    "The operator 'aten::ormqr' is not currently implemented for the MPS device. If you want this op to be "
    "considered for addition please comment on https://github.com/pytorch/pytorch/issues/141287 and mention "
    f"use-case, that resulted in missing op as well as commit hash {torch.version.git_version}. As a "
    "temporary fix, you can set the environment variable `PYTORCH_ENABLE_MPS_FALLBACK=1` to use the CPU as a "
    "fallback for this op. WARNING: this will be slower than running natively on MPS."
)
PROGRAM = """
    import os
    os.environ["MPSOPS_CPU_PATH"] = "0"
    install()
    x = torch.eye(2, device="mps")
    try:
        print(torch.ormqr(x, torch.zeros(2, device="mps"), x).tolist())
    except NotImplementedError as error:
        print(error)
    print(mpsops.simulator.fallback_calls())
"""


def test_error_without_the_variable() -> None:
    assert output(PROGRAM).splitlines() == [ERROR, "{}"]
    assert output(PROGRAM, PYTORCH_ENABLE_MPS_FALLBACK="0").splitlines() == [ERROR, "{}"]


def test_cpu_with_the_variable() -> None:
    again = "    torch.ormqr(x, torch.zeros(2, device='mps'), x)"
    result = run(PROGRAM + again, PYTORCH_ENABLE_MPS_FALLBACK="1")
    assert result.stdout.splitlines() == ["[[1.0, 0.0], [0.0, 1.0]]", "{'aten::ormqr': 1}"], result.stderr
    warning = (
        "UserWarning: The operator 'aten::ormqr' is not currently supported on the MPS backend and will fall "
        "back to run on the CPU. This may have performance implications."
    )
    assert result.stderr.count(warning) == 1


def test_variable_is_read_once() -> None:
    program = PROGRAM.replace(
        "install()", "install(); import os; os.environ['PYTORCH_ENABLE_MPS_FALLBACK'] = '1'"
    )
    assert output(program).splitlines() == [ERROR, "{}"]


def test_torch_always_sends_some_ops_to_the_cpu() -> None:
    program = """
        install()
        u, s, v = torch.linalg.svd(torch.eye(3, device="mps").requires_grad_())
        s.sum().backward()
        print(s.device, mpsops.simulator.fallback_calls())
    """
    result = run(program)
    assert result.stdout.strip() == "mps:0 {'aten::linalg_svd': 1}", result.stderr
    assert "'aten::linalg_svd' is not currently supported on the MPS backend" in result.stderr


def test_distributed_ops_do_not_fall_back() -> None:
    program = """
        library = torch.library.Library("c10d", "FRAGMENT")
        library.define("nothing(Tensor x) -> Tensor")
        install()
        try:
            torch.ops.c10d.nothing(torch.ones(1, device="mps"))
        except NotImplementedError as error:
            print(error)
    """
    text = output(program, PYTORCH_ENABLE_MPS_FALLBACK="1")
    assert "The distributed operator 'c10d::nothing'" in text
    assert "distributed operators can not fall back to CPU" in text


def test_stand_ins_are_counted() -> None:
    mpsops.simulator.reset_counts()
    x = torch.ones(2, device="mps")
    (x + x).mul_(2)
    assert mpsops.simulator.stand_in_calls() == {
        "aten::add.Tensor": 1,
        "aten::fill_.Scalar": 1,
        "aten::mul_.Tensor": 1,
    }
    assert mpsops.simulator.stand_in_count() == 3
    assert mpsops.simulator.fallback_count() == 0
    mpsops.simulator.reset_counts()
    assert mpsops.simulator.stand_in_count() == 0
