"""A package whose tests were written for a Mac, and never mention mpsops, on Linux."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mpsops import _C

if _C.runtime != "sim":
    pytest.skip("a Mac needs no simulated device", allow_module_level=True)

from mpsops import simulator

CODE = {
    "doubling/__init__.py": """
        import torch

        _lib = torch.mps.compile_shader('''
            #include <metal_stdlib>
            using namespace metal;
            kernel void twice(device float* out, constant float* in, uint i [[thread_position_in_grid]]) {
              out[i] = 2 * in[i];
            }
            kernel void racy(device uint* out, uint i [[thread_position_in_grid]]) { out[i / 100] = i; }
        ''')


        def twice(x):
            out = torch.empty_like(x)
            _lib.twice(out, x)
            return out


        def last(n):
            out = torch.zeros(1, dtype=torch.int32, device="mps")
            _lib.racy(out, threads=n)
            return out.item()
        """,
    # As torch's own tests: whether there is a device is settled at the first import.
    "tests/conftest.py": """
        import sys

        import pytest
        from torch.testing._internal.common_utils import TEST_MPS


        @pytest.fixture
        def device():
            if not TEST_MPS:
                pytest.skip("no MPS" if "mpsops" not in sys.modules else "why is mpsops here?")
            return "mps"
        """,
    "tests/test_doubling.py": """
        import subprocess
        import sys

        import pytest
        import torch


        @pytest.mark.parametrize("n", [1, 5, 1000])
        def test_twice(device, n):
            from doubling import twice

            x = torch.randn(n, device=device)
            torch.testing.assert_close(twice(x), x + x)


        def test_child(device):
            code = "import doubling, torch; print(doubling.twice(torch.ones(2, device='mps')).tolist())"
            assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[2.0, 2.0]\\n"
        """,
    "settings/test_settings.py": """
        from doubling import last


        def test_order():
            assert last(9) == 8


        def test_bounds():
            last(101)
        """,
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("package")
    for name, text in CODE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return root


def run_tests(package: Path, *arguments: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MPSOPS_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-W", "error", "tests", *arguments],
        cwd=package,
        env=clean | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_without_the_simulator_they_are_skipped(package: Path) -> None:
    said = run_tests(package)
    assert "4 skipped" in said, said
    assert "no MPS" in said, said


@pytest.mark.parametrize(
    ("arguments", "environment", "passed"),
    [
        pytest.param([], {"MPSOPS_SIMULATOR": "1"}, 4, id="environment"),
        # A worker loads conftest.py before the plugin.
        pytest.param(["-p", "mpsops.simulator", "-n", "1", "-k", "twice"], {}, 3, id="plugin"),
    ],
)
def test_unchanged_they_pass(
    package: Path, arguments: list[str], environment: dict[str, str], passed: int
) -> None:
    said = run_tests(package, *arguments, **environment)
    assert f"{passed} passed" in said, said


@pytest.fixture
def _settings_come_back(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(package))
    for name in ("MPSOPS_SIMULATOR", "MPSOPS_SIM_SCHEDULE", "MPSOPS_SIM_CHECK"):
        monkeypatch.setenv(name, "")  # so that it is restored
    checked = _C.simulator_checked()
    with simulator.schedule("forward"):
        yield
    _C.simulator_set_checked(checked)


def run_here(package: Path, *options: str) -> int:
    arguments = [
        "-p",
        "mpsops.simulator",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        str(package / "settings"),
    ]
    return pytest.main([*arguments, *options])


@pytest.mark.usefixtures("_settings_come_back")
@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        (["-k", "order"], "1 passed"),
        (["-k", "order", "--mps-schedule", "reverse"], "assert 0 == 8"),
        (["-k", "bounds", "--mps-check"], "out-of-bounds store"),
    ],
)
def test_options(package: Path, options: list[str], outcome: str, capsys: pytest.CaptureFixture[str]) -> None:
    _C.simulator_set_checked(False)
    run_here(package, *options)
    said = capsys.readouterr().out
    assert "mps device: simulated" in said
    assert outcome in said


@pytest.mark.usefixtures("_settings_come_back")
def test_an_order_that_is_none(package: Path) -> None:
    with pytest.raises(ValueError, match="must be forward, reverse or random"):
        run_here(package, "--mps-schedule", "sideways")
