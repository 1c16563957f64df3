"""The audit of macOS wheels finds what is planted in small Mach-O files, and passes their clean twin."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import audit
import macho
import system_libraries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="makes its files with zig, for Linux")

TAG = audit.Tag("3.11", (14, 0), "ARM64")
MODULE = "mpsops/_C_torch213.cpython-311-darwin.so"
RPATH = f"-Wl,-rpath,{audit.RPATH}"
TORCH = "int torch_old(void) { return 1; } int torch_new(void) { return 2; }"
CLEAN = """
int torch_old(void);
extern void* PyLong_FromLong(long);
const char kernels[] = "#line 1 \\"metal/mode.metal\\"\\nkernel /* a/b */ void f() {} // x / y\\n";
const char* note = "see https://example.org/page/x.html, and/or/not, 1/2/3, ./a/b.h";
void* f(void) { return PyLong_FromLong(torch_old()); }
"""


def link(source: str, output: Path, *flags: str, target: str = "aarch64-macos.14.0") -> Path:
    import ziglang

    code = output.with_suffix(".m")
    code.write_text(source)
    zig = Path(ziglang.__file__).parent / "zig"
    command = [zig, "cc", "-target", target, "-dynamiclib", "-s", "-fno-sanitize=all", "-g0", "-w"]
    command += ["-undefined", "dynamic_lookup", "-o", output, code, *flags]
    subprocess.run(command, check=True, capture_output=True)
    return output


@pytest.fixture(scope="module")
def torch_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "libtorch_cpu.dylib"
    return link(TORCH, path, "-Wl,-install_name,@rpath/libtorch_cpu.dylib")


@pytest.fixture(scope="module")
def torch(torch_path: Path) -> list[macho.Image]:
    return [macho.read(torch_path)]


Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path, torch_path: Path) -> Build:
    def build(
        source: str = CLEAN,
        *flags: str,
        rpath: str = RPATH,
        name: str = Path(MODULE).name,
        target: str = "aarch64-macos.14.0",
    ) -> Path:
        torch = [str(torch_path)] if target.startswith("aarch64") else []
        flags = (rpath, f"-Wl,-install_name,{name}", *flags)
        return link(source, tmp_path / Path(MODULE).name, *torch, *flags, target=target)

    return build


def image_problems(path: Path) -> list[str]:
    return list(audit.check_image(macho.read(path), TAG))


def symbol_problems(path: Path, torch: list[macho.Image]) -> list[str]:
    return list(audit.check_symbols(macho.read(path), torch))


def content_problems(path: Path) -> list[str]:
    return list(audit.check_content(path.read_bytes(), ["mode"]))


def test_clean(build: Build, torch: list[macho.Image]) -> None:
    path = build()
    assert image_problems(path) + symbol_problems(path, torch) + content_problems(path) == []
    image = macho.read(path)
    assert image.imports["@rpath/libtorch_cpu.dylib"] == {"_torch_old"}
    assert image.imports[None] == {"_PyLong_FromLong"}


def test_processor(build: Build) -> None:
    assert image_problems(build(target="x86_64-macos.14.0")) == ["must be for ARM64, got X86_64"]


@pytest.mark.parametrize("version", ["13.0", "15.0"])
def test_macos(build: Build, version: str) -> None:
    (problem,) = image_problems(build(target=f"aarch64-macos.{version}"))
    assert problem.startswith("must run on macOS (14, 0) and newer")


@pytest.mark.parametrize("rpath", ["-g0", "-Wl,-rpath,/opt/torch/lib"])
def test_rpath(build: Build, rpath: str) -> None:
    (problem,) = image_problems(build(rpath=rpath))
    assert problem.startswith(f"must have the rpath {audit.RPATH} and no other")


def test_second_rpath(build: Build) -> None:
    assert len(image_problems(build(CLEAN, "-Wl,-rpath,/opt/torch/lib"))) == 1


def test_install_name(build: Build) -> None:
    assert image_problems(build(name="/tmp/x.so")) == ["must have no path in its install name, got /tmp/x.so"]


def test_symbol_of_a_newer_torch(build: Build, tmp_path: Path) -> None:
    older = link("int torch_new(void) { return 2; }", tmp_path / "old.dylib")
    image = macho.read(older)
    image.name = "@rpath/libtorch_cpu.dylib"
    assert symbol_problems(build(), [image]) == [
        "must find every symbol, got _torch_old, which is not known to be in @rpath/libtorch_cpu.dylib"
    ]


def test_symbol_that_nobody_has(build: Build, torch: list[macho.Image]) -> None:
    source = CLEAN + "extern int PyLong_Frobnicate(void); int g(void) { return PyLong_Frobnicate(); }"
    assert symbol_problems(build(source), torch) == [
        "must find every symbol, got _PyLong_Frobnicate, which no library has"
    ]


def test_symbol_that_torch_does_not_take_from_the_system(build: Build, torch: list[macho.Image]) -> None:
    source = CLEAN + "int getentropy(void*, unsigned long); int g(void) { return getentropy(0, 0); }"
    assert symbol_problems(build(source), torch) == [
        f"must find every symbol, got _getentropy, which is not known to be in {system_libraries.LIBSYSTEM}"
    ]


def test_weak_symbols_of_torch_prove_nothing() -> None:
    torch = macho.Image("ARM64", (14, 0))
    torch.imports[system_libraries.LIBSYSTEM] = {"_old", "_of_macos_26"}
    torch.weak = {"_of_macos_26"}
    known = system_libraries.known_symbols([torch])[system_libraries.LIBSYSTEM]
    assert "_old" in known
    assert "_of_macos_26" not in known


def test_library(build: Build, torch: list[macho.Image], tmp_path: Path) -> None:
    system_libraries.write({"/usr/lib/libz.1.dylib": {"_inflate"}}, tmp_path)
    source = CLEAN + "int inflate(void); int g(void) { return inflate(); }"
    problems = symbol_problems(build(source, f"-L{tmp_path}", "-lz.1"), torch)
    assert problems[0] == "must link torch and what torch links, got /usr/lib/libz.1.dylib"


@pytest.mark.parametrize(
    ("message", "found"),
    [("initWithBytes:0 length:0 encoding:0", []), ("frobnicate:0", ["frobnicate:"])],
)
def test_selectors(
    build: Build, torch: list[macho.Image], tmp_path: Path, message: str, found: list[str]
) -> None:
    system_libraries.write({"/usr/lib/libobjc.A.dylib": {"_objc_msgSend"}}, tmp_path)
    source = f"""{CLEAN}
    @protocol P - (id)initWithBytes:(int)b length:(int)l encoding:(int)e; - (id)frobnicate:(int)x; @end
    id g(id<P> p) {{ return [p {message}]; }}"""
    problems = symbol_problems(build(source, f"-L{tmp_path}", "-lobjc.A"), torch)
    assert problems == [f"must send messages that are known to exist, got {name}" for name in found]


@pytest.mark.parametrize("text", ["/home/me/x.cpp", "failed at /Users/me/y.h", "rpath=/opt/torch/lib"])
def test_absolute_path(build: Build, text: str) -> None:
    (problem,) = content_problems(build(f'{CLEAN} const char* where = "{text}";'))
    assert problem.startswith("must name no file of the machine that built it, got /")


def test_missing_kernels(build: Build) -> None:
    assert list(audit.check_content(build().read_bytes(), ["mode", "pdist"])) == [
        "must carry the source of metal/pdist.metal"
    ]


@pytest.mark.parametrize(
    "source", ["int _ZN6mpsops3sim1fEv(void) { return 1; }", 'const char* t = "6mpsops3sim";']
)
def test_simulator(build: Build, source: str) -> None:
    assert content_problems(build(CLEAN + source)) == ["must not have the simulator in it"]


def test_size(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LARGEST_MODULE", 100)
    (problem,) = content_problems(build())
    assert problem.startswith("must be at most 100 bytes, got ")


def wheel_problems(tmp_path: Path, extra: dict[str, str], minors: list[str]) -> list[str]:
    files = {
        MODULE: "",
        "mpsops/__init__.py": "",
        "mpsops/_built.py": 'TORCH_VERSIONS = {\n    "2.13": "2.13.0",\n}\n',
        "mpsops-0.1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: cp311-cp311-macosx_14_0_arm64\n",
    }
    path = tmp_path / "mpsops-0.1.0-cp311-cp311-macosx_14_0_arm64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | extra).items():
            archive.writestr(name, text)
    with zipfile.ZipFile(path) as archive:
        assert audit.torch_versions(archive) == {"2.13": "2.13.0"}
        return list(audit.check_files(archive, audit.read_tag(path.name), minors))


def test_wheel(tmp_path: Path) -> None:
    assert wheel_problems(tmp_path, {}, ["2.13"]) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("mpsops/kernels/mode.so", "", "must have the modules"),
        ("mpsops/msl/include/metal_math", "", "must have nothing that only Linux uses"),
        ("tests/test_x.py", "", "must hold the package alone"),
        ("mpsops/_C_torch214.cpython-312-darwin.so", "", "must have the modules"),
        ("mpsops-0.1.0.dist-info/WHEEL", "Tag: cp311-cp311-macosx_11_0_arm64\n", "must have the tag"),
    ],
)
def test_files_of_wheel(tmp_path: Path, name: str, text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in wheel_problems(tmp_path, {name: text}, ["2.13"]))


def test_wheel_without_a_module(tmp_path: Path) -> None:
    (problem,) = wheel_problems(tmp_path, {}, ["2.13", "2.14"])
    assert "_C_torch214" in problem


@pytest.mark.parametrize(
    "name",
    ["mpsops-0.1.0-cp311-cp311-linux_x86_64.whl", "mpsops-0.1.0-py3-none-macosx_14_0_arm64.whl"],
)
def test_other_wheels(name: str) -> None:
    with pytest.raises(ValueError, match="tagged for CPython on macOS"):
        audit.read_tag(name)


def test_tag() -> None:
    tag = audit.read_tag("mpsops-0.1.0-cp313-cp313-macosx_15_0_arm64.whl")
    assert tag == audit.Tag("3.13", (15, 0), "ARM64")
    assert tag.module("2.14") == "mpsops/_C_torch214.cpython-313-darwin.so"


def test_builds_on_a_mac_do_not_see_the_stubs() -> None:
    """Only the toolchain file of the cross-build names them, and only the cross-build names that."""
    root = Path(audit.__file__).parents[2]
    texts = {path: path.read_text() for path in root.glob("cmake/**/*.cmake")}
    texts |= {path: path.read_text() for path in [root / "CMakeLists.txt", root / "pyproject.toml"]}
    naming = [path.name for path, text in texts.items() if "stubs" in text]
    assert naming == ["toolchain.cmake"]
    assert not any("toolchain.cmake" in text for path, text in texts.items() if path.parent.name != "macos")
