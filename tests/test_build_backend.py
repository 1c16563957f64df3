"""What the build says where it cannot be done, before anything is downloaded. No Mac is needed."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from script_module import load

from mpsops import _mac

MAC = _mac.Machine("Darwin", "arm64", "14.5", translated=False)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load("cmake/build_backend.py")
    monkeypatch.setattr(module.backend, "get_requires_for_build_wheel", lambda _: ["went on"])
    return module


def on_a_mac(backend: ModuleType, monkeypatch: pytest.MonkeyPatch, machine: _mac.Machine) -> None:
    mac = backend.load_mac()
    monkeypatch.setattr(mac, "this_machine", lambda: machine)
    monkeypatch.setattr(backend, "load_mac", lambda: mac)
    monkeypatch.setattr(backend.sys, "platform", "darwin")


def have_tools(folder: Path, monkeypatch: pytest.MonkeyPatch, exit_status: int) -> None:
    tool = folder / "xcode-select"
    tool.write_text(f'#!/bin/sh\n[ "$*" = --print-path ] && exit {exit_status}\nexit 9\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_here(backend: ModuleType) -> None:
    assert backend.get_requires_for_build_wheel() == ["went on"]


def test_on_a_mac(backend: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_a_mac(backend, monkeypatch, MAC)
    have_tools(tmp_path, monkeypatch, 0)
    assert backend.get_requires_for_build_wheel() == ["went on"]


def test_without_command_line_tools(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_a_mac(backend, monkeypatch, MAC)
    have_tools(tmp_path, monkeypatch, 2)
    with pytest.raises(SystemExit, match=r"command line tools: run `xcode-select --install`"):
        backend.get_requires_for_build_wheel()


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        (_mac.Machine("Darwin", "x86_64", "14.5", True), "under Rosetta"),
        (_mac.Machine("Darwin", "x86_64", "14.5", False), "Apple silicon"),
        (_mac.Machine("Darwin", "arm64", "13.6", False), "macOS 14 or newer"),
    ],
)
def test_macs_that_cannot(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch, machine: _mac.Machine, text: str
) -> None:
    on_a_mac(backend, monkeypatch, machine)
    with pytest.raises(SystemExit, match=text):
        backend.get_requires_for_build_wheel()


@pytest.mark.parametrize("hook", ["get_requires_for_build_wheel", "get_requires_for_build_editable"])
def test_without_torch(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hook: str
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")  # find_spec("torch") is None
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(SystemExit, match=r"built against the torch that you already have, and .* has none"):
        getattr(backend, hook)()


def test_with_torch_from_elsewhere(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    monkeypatch.setenv("MPSOPS_TORCH_ROOTS", "/some/torch;/other/torch")
    assert backend.get_requires_for_build_wheel() == ["went on"]


@pytest.mark.parametrize("answer", [0, 1])
def test_rosetta_is_asked_for(monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    """In the C library of an Intel process; Apple says what the name is and what 1 means."""

    class Library:
        def sysctlbyname(self, name: bytes, old: object, size: object, new: object, length: object) -> int:
            assert (name, size._obj.value, new, length.value) == (b"sysctl.proc_translated", 4, None, 0)  # type: ignore[attr-defined]
            old._obj.value = answer  # type: ignore[attr-defined]
            return 0

    monkeypatch.setattr(_mac.ctypes, "CDLL", lambda name: Library())
    monkeypatch.setattr(_mac.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(_mac.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(_mac.platform, "mac_ver", lambda: ("14.5", ("", "", ""), "x86_64"))
    assert _mac.this_machine() == _mac.Machine("Darwin", "x86_64", "14.5", translated=answer == 1)
