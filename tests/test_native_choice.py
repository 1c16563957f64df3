"""Which native module a torch gets, and what a user is told where there is none. No Mac is needed."""

import pytest
import torch

from mpsops import _native
from mpsops._mac import Machine
from mpsops._native import choose

BUILT = {"2.13": "2.13.0", "2.15": "2.15.0"}
MAC = Machine("Darwin", "arm64", "14.5", translated=False)
LINUX = Machine("Linux", "x86_64", "", translated=False)


@pytest.mark.parametrize("machine", [MAC, LINUX])
@pytest.mark.parametrize(
    ("torch_version", "module"),
    [
        ("2.13.0", "_C_torch213"),
        ("2.13.1+cpu", "_C_torch213"),
        ("2.15.0a0+git1234", "_C_torch215"),
        ("2.15.0.dev20261101", "_C_torch215"),
    ],
)
def test_module_of_a_torch(torch_version: str, module: str, machine: Machine) -> None:
    assert choose(torch_version, True, BUILT, machine) == module


@pytest.mark.parametrize("torch_version", ["2.9.1+cpu", "2.14.0", "2.130.0", "3.13.0"])
def test_torch_without_a_module(torch_version: str) -> None:
    with pytest.raises(ImportError) as raised:
        choose(torch_version, True, BUILT, MAC)
    text = str(raised.value)
    assert f"no build for torch {torch_version}, only for torch 2.13, 2.15" in text
    assert "pip install 'torch==2.15.*'" in text
    assert "pip install --force-reinstall --no-deps ." in text


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        (Machine("Darwin", "arm64", "13.6.1", False), "needs macOS 14 or newer; this is macOS 13.6.1"),
        (Machine("Darwin", "x86_64", "14.5", False), "needs a Mac with Apple silicon"),
        (Machine("Darwin", "x86_64", "14.5", True), "for Intel and runs under Rosetta"),
    ],
)
def test_macs_that_cannot(machine: Machine, text: str) -> None:
    with pytest.raises(ImportError, match=text):
        choose("2.13.0", True, BUILT, machine)


@pytest.mark.parametrize("release", ["14.0", "15.7.1", "16.0", "26.1"])
def test_macs_that_can(release: str) -> None:
    assert choose("2.13.0", True, BUILT, Machine("Darwin", "arm64", release, False)) == "_C_torch213"


def test_torch_without_mps_on_a_mac() -> None:
    with pytest.raises(ImportError, match=r"needs a torch with MPS, and this torch 2\.13\.0 was"):
        choose("2.13.0", False, BUILT, MAC)


def test_torch_without_mps_elsewhere() -> None:
    assert choose("2.13.0", False, BUILT, LINUX) == "_C_torch213"


def test_a_module_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dynamic linker's words, and what the module was built against."""

    def fail(name: str, package: str) -> None:
        raise ImportError("Symbol not found: __ZN2at3mps")

    monkeypatch.setattr(_native.importlib, "import_module", fail)
    with pytest.raises(ImportError, match="Symbol not found") as raised:
        _native.load(torch.__version__, has_mps=True)
    (note,) = raised.value.__notes__
    assert note.startswith("mpsops was built against torch 2.")
    assert note.endswith(f"this is torch {torch.__version__}")
