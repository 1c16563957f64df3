"""The cache of compiled kernels on disk: what is in its key, and what others may do to it meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mpsops import _C

if _C.runtime != "sim":
    pytest.skip("kernels are compiled here; on a Mac, Metal caches its own", allow_module_level=True)

from mpsops import msl
from mpsops.msl import _cache, _cache_key, _compiler

SOURCE = "kernel void f(device int* o, uint i [[thread_position_in_grid]]) { o[i] = i; }"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kernels"
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(path))
    return path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What clang was called for, one line for each call."""
    calls: list[str] = []
    original = _compiler._run

    def run(command: list[str], *args: object, **kwargs: object) -> str:
        calls.append(" ".join(command))
        return original(command, *args, **kwargs)

    monkeypatch.setattr(_compiler, "_run", run)
    return calls


def test_macros_are_those_of_the_source() -> None:
    source = "kernel void f(device int (&o)[N], uint i [[thread_position_in_grid]]) { o[i] = N + M; }"
    assert msl.compile(source, defines=["N=3", "M"]).names == ["f"]


def test_the_second_time_nothing_is_compiled(runs: list[str]) -> None:
    first = msl.compile_source(SOURCE)
    assert runs
    runs.clear()
    assert msl.compile_source(SOURCE) == first
    assert runs == []


def test_another_process_compiles_nothing(tmp_path: Path, folder: Path) -> None:
    program = (
        "import sys; from mpsops import msl; from mpsops.msl import _compiler\n"
        "def run(*_): sys.exit('compiled')\n"
        "if sys.argv[2:]: _compiler._run = run\n"
        "print(msl.compile(sys.argv[1]).names)"
    )
    command = [sys.executable, "-c", program, SOURCE]
    for extra in ([], ["again"]):
        done = subprocess.run([*command, *extra], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "['f']\n"), done.stderr


def _other_header(include: Path) -> None:
    (include / "inner.h").write_text("#define N 4\n")


def _shadowing_header(include: Path) -> None:
    (include / "first" / "outer.h").write_text("#define N 5\n")


@pytest.mark.parametrize("change", [_other_header, _shadowing_header])
def test_headers_are_in_the_key(tmp_path: Path, change: Callable[[Path], None]) -> None:
    include = tmp_path / "include"
    (include / "first").mkdir(parents=True)
    (include / "outer.h").write_text('#include "inner.h"\n')
    (include / "inner.h").write_text("#define N 3\n")
    source = "#include <outer.h>\nkernel void f(device int* o) { o[0] = N; }"
    folders = [include / "first", include]
    before = msl.compile_source(source, include=folders)
    assert msl.compile_source(source, include=folders) == before
    change(include)
    assert msl.compile_source(source, include=folders) != before


def test_a_header_that_a_macro_names_is_never_trusted(tmp_path: Path) -> None:
    (tmp_path / "n.h").write_text("#define N 3\n")
    source = "#define FILE <n.h>\n#include FILE\nkernel void f(device int* o) { o[0] = N; }"
    assert msl.compile_source(source, include=[tmp_path]) != msl.compile_source(source, include=[tmp_path])


def test_headers_of_the_current_folder_are_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.h").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(msl.CompileError, match=r"'here.h' file not found"):
        msl.compile_source('#include "here.h"\n' + SOURCE)


def test_all_that_matters_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        msl.compile_source(SOURCE),
        msl.compile_source(SOURCE + " "),
        msl.compile_source(SOURCE, checked=True),
        msl.compile_source(SOURCE, name="other"),
        msl.compile_source(SOURCE, defines=["N=1"]),
    ]
    monkeypatch.setattr(_compiler, "_machine", list)
    keys.append(msl.compile_source(SOURCE))
    monkeypatch.setattr(_compiler, "_OPTIONS", [*_compiler._OPTIONS, "-O1"])
    keys.append(msl.compile_source(SOURCE))
    monkeypatch.setattr(_cache_key, "_own_version", lambda: b"another translator")
    keys.append(msl.compile_source(SOURCE))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:4096] + b"x" + b[4097:], lambda b: b""]
)
def test_a_damaged_entry_is_compiled_again(damage: Callable[[bytes], bytes]) -> None:
    path = msl.compile_source(SOURCE)
    whole = path.read_bytes()
    # In a new file: this one may be mapped by a library that is loaded.
    path.unlink()
    path.write_bytes(damage(whole))
    assert msl.compile(SOURCE, checked=False).names == ["f"]
    assert path.read_bytes() == whole


def test_an_entry_that_vanishes_is_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    original = msl._library.compile_source
    vanishing = iter([True, False])

    def compile_source(*args: object, **kwargs: object) -> Path:
        path = original(*args, **kwargs)
        if next(vanishing):
            path.unlink()  # another process evicts it just then
        return path

    monkeypatch.setattr(msl._library, "compile_source", compile_source)
    assert msl.compile(SOURCE).names == ["f"]
    assert next(vanishing, None) is None


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = _cache.Cache(tmp_path / "small", limit=3 * 1032)
    for age, key in enumerate("abc"):
        path = cache.add(key, lambda made: made.write_bytes(bytes(1000)))
        os.utime(path, (age, age))
    assert cache.find("a") is not None  # used now
    cache.add("d", lambda made: made.write_bytes(bytes(1000)))
    assert [cache.find(key) is not None for key in "abcd"] == [True, False, True, True]
    left = cache.folder / ".unfinished-1"
    left.mkdir()
    os.utime(left, (0, 0))
    # What is larger than the cache is still there for who asked for it.
    cache.add("e", lambda made: made.write_bytes(bytes(9000)))
    assert [path.name for path in cache.folder.iterdir()] == ["e.so"]


def test_the_size_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _cache.user_cache().limit == 256 << 20
    monkeypatch.setenv("MPSOPS_CACHE_SIZE", "3")
    assert _cache.user_cache().limit == 3 << 20
    monkeypatch.setenv("MPSOPS_CACHE_SIZE", "much")
    with pytest.raises(ValueError, match="MPSOPS_CACHE_SIZE must be a number of MiB, got much"):
        msl.compile_source(SOURCE)


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MPSOPS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache.cache_directory() == tmp_path / "mpsops" / "kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    home = "Library/Caches" if sys.platform == "darwin" else ".cache"
    assert _cache.cache_directory() == tmp_path / home / "mpsops" / "kernels"


def test_many_at_once(tmp_path: Path) -> None:
    cache = _cache.Cache(tmp_path / "busy", limit=4 * 1032)

    def use(number: int) -> bool:
        key = str(number % 8)
        content = key.encode() * 1000
        path = cache.find(key) or cache.add(key, lambda made: made.write_bytes(content))
        try:
            return path.read_bytes()[:1000] == content  # whole, if it is there
        except FileNotFoundError:
            return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(400)))
    assert len(list(cache.folder.iterdir())) <= 5


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(msl.CompileError, match=r"cannot keep .* in .*file.*set MPSOPS_CACHE_DIR"):
        msl.compile_source(SOURCE)
