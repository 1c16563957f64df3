"""The text that Metal compiles on a Mac: complete, once, and pointing back to the original files."""

import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import torch
from script_module import load

from mpsops.msl.flatten import FlattenError, flatten, main

ROOT = Path(__file__).parent.parent
TORCH_INCLUDE = Path(torch.__file__).parent / "include"
METAL_SOURCES = sorted((ROOT / "metal").glob("*.metal"))


def compiler(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    command = ["c++", "-x", "c++", "-std=c++17", *arguments, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)


def write(folder: Path, **files: str) -> Path:
    """Files by name; `a__b_h` is a/b.h. Returns the .metal."""
    for name, text in files.items():
        path = folder / (re.sub(r"_(h|metal)$", r".\1", name).replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return next(folder.glob("**/*.metal"))


def preprocessed(text: str) -> str:
    result = compiler("-E", "-P", text=re.sub(r"#include <metal\w*>", "", text))
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_nested_includes_appear_once(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        k_metal='#include "common/a.h"\n#include "common/b.h"\nint kernel = A + B;\n',
        common__a_h="#pragma once\nconstexpr int A = 1;\n",
        common__b_h='#pragma once\n#include "common/a.h"\n#include "a.h"\nconstexpr int B = 2;\n',
    )
    result = flatten(source, [tmp_path])
    assert result.text.count("constexpr int A") == 1
    assert "pragma once" not in result.text
    assert [path.name for path in result.files] == ["k.metal", "a.h", "b.h"]


def test_a_header_without_pragma_once_appears_each_time(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        k_metal='#define X 1\n#include "x.h"\n#undef X\n#define X 2\n#include "x.h"\n',
        x_h="row(X)\n",
    )
    assert preprocessed(flatten(source, [tmp_path]).text).split() == ["row(1)", "row(2)"]


@pytest.mark.parametrize(("define", "value"), [("", "3"), ("#define CHOICE\n", "4")])
def test_a_header_first_seen_in_an_untaken_branch_is_not_lost(
    tmp_path: Path, define: str, value: str
) -> None:
    source = write(
        tmp_path,
        k_metal=f'{define}#ifdef CHOICE\n#include "a.h"\nint x = A + 1;\n#else\nint y;\n#endif\n'
        '#include "a.h"\nint z = A;\n',
        a_h="#pragma once\n#define A 3\nint a;\n",
    )
    out = preprocessed(flatten(source, [tmp_path]).text)
    assert out.count("int a;") == 1
    assert ("int x = 3 + 1;" in out) == (value == "4")
    assert "int z = 3;" in out


def test_a_header_seen_under_the_same_condition_is_not_repeated(tmp_path: Path) -> None:
    guard = "#if !defined(STABLE) && 1\n#pragma once\n{}\n#endif\n"
    source = write(
        tmp_path,
        k_metal='#include "b.h"\n',
        a_h=guard.format("int a;"),
        b_h=guard.format('#include "a.h"\n#include "c.h"'),
        c_h=guard.format('#include "a.h"'),
    )
    assert flatten(source, [tmp_path]).text.count("int a;") == 1


def test_comments_hide_includes(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        k_metal='// #include "no.h"\n/* "\n#include "no.h"\n*/ #include "a.h" // "no.h"\n'
        'constant char s[] = "/*";\n#include "b.h" /* tail */\n',
        a_h="int a;\n",
        b_h="int b;\n",
    )
    result = flatten(source, [tmp_path])
    assert [path.name for path in result.files] == ["k.metal", "a.h", "b.h"]
    assert preprocessed(result.text).splitlines() == ["int a;", 'constant char s[] = "/*";', "int b;"]


def test_directives_over_several_lines(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        k_metal='#include \\\n  "a.h" /* a comment\nuntil */ int b;\n'
        "#if 0 \\\n  || A == 0\nint no;\n#endif\nwrong\n",
        a_h="#define A 1\n",
    )
    text = flatten(source, [tmp_path]).text
    assert preprocessed(text).split() == ["int", "b;", "wrong"]
    assert "k.metal:8:1: error" in compiler("-fsyntax-only", text=text).stderr


def test_system_headers_stay(tmp_path: Path) -> None:
    source = write(tmp_path, k_metal="#include <metal_stdlib>\n#  include <metal_atomic>\n")
    text = flatten(source, [tmp_path]).text
    assert "#include <metal_stdlib>\n#  include <metal_atomic>\n" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('#include "gone.h"', r"metal/k\.metal:2: #include must name a file in .*, got gone\.h"),
        ("#include <c10/metal/gone.h>", r"metal/k\.metal:2: .*, got c10/metal/gone\.h"),
        ("#include MACRO", r"metal/k\.metal:2: #include must name a file, got MACRO"),
        ("#endif", r"metal/k\.metal:2: #endif must follow an #if, got none"),
        ("#if 1", r"metal/k\.metal: #if must have an #endif"),
        ('#include "k.metal"', r"must not be circular, got metal/k\.metal -> metal/k\.metal"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    source = write(tmp_path, metal__k_metal=f"int a;\n{line}\n")
    with pytest.raises(FlattenError, match=message):
        flatten(source, [tmp_path])


def test_an_error_points_to_the_original_line(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        metal__k_metal='#include <metal_stdlib>\n#include "metal/common/a.h"\n\nint good;\n'
        "int k = wrong_k;\n",
        metal__common__a_h='#pragma once\n#include "b.h"\n\nint a = wrong_a;\n',
        metal__common__b_h="#pragma once\n\nint b = wrong_b;\n",
    )
    text = flatten(source, [tmp_path]).text.replace("#include <metal_stdlib>", "")
    errors = compiler("-fsyntax-only", text=text).stderr
    for place in ("metal/common/b.h:3:9", "metal/common/a.h:4:9", "metal/k.metal:5:9"):
        assert f"{place}: error:" in errors


def test_the_same_text_on_every_machine(tmp_path: Path) -> None:
    files = {"metal__k_metal": '#include "common/a.h"\n', "metal__common__a_h": "#pragma once\nint a;\n"}
    first = write(tmp_path / "one", **files)
    second = write(tmp_path / "two", **files)
    assert flatten(first, [tmp_path / "one"]).text == flatten(second, [tmp_path / "two"]).text


def test_the_command_writes_text_and_depfile(tmp_path: Path) -> None:
    source = write(tmp_path / "with space", k_metal='#include "a.h"\n', a_h="int a;\n")
    out, depfile = tmp_path / "out/k.metal", tmp_path / "out/k.d"
    main([str(source), "-I", str(source.parent), "-o", str(out), "--depfile", str(depfile)])
    assert "int a;" in out.read_text()
    escaped = str(source.parent).replace(" ", r"\ ")
    assert depfile.read_text() == f"{out}: {escaped}/k.metal {escaped}/a.h\n"


@pytest.mark.parametrize("name", ["common", "indexing", "random", "reduction_utils", "special_math"])
def test_torch_headers_are_complete_and_once(tmp_path: Path, name: str) -> None:
    source = write(
        tmp_path, k_metal=f"#include <c10/metal/{name}.h>\n#include <c10/metal/utils.h>\nint end;\n"
    )
    text = flatten(source, [TORCH_INCLUDE]).text
    assert not re.search(r"#\s*include\s*[<\"]c10/", text)
    directives = [f"#include <{header}>" for header in re.findall(r"#include <(metal_\w+)>", text)]
    assert directives or name == "common"
    # What survives the preprocessor, for a compiler that calls itself Metal.
    stripped = re.sub(r"#include <\w+>", "", text)
    out = compiler("-E", "-P", "-D__METAL__", text=stripped).stdout
    assert out.count("unsigned max_ndim =") == 1
    assert out.count("struct OpMathType {") <= 1
    assert out.rstrip().endswith("int end;")


@pytest.mark.parametrize("source", METAL_SOURCES, ids=lambda path: path.stem)
def test_every_family_flattens(source: Path) -> None:
    text = flatten(source, [ROOT, TORCH_INCLUDE]).text
    assert not re.search(r'^\s*#\s*include\s*"', text, re.MULTILINE)
    assert text.count(f'#line 1 "metal/{source.name}"') == 1
    # Markers agree with the files: the line after `#line N "f"` is line N of f.
    lines = text.split("\n")
    for at, line in enumerate(lines):
        marker = re.match(r'#line (\d+) "(.+)"', line)
        if marker is None:
            continue
        path = next(p for p in (ROOT / marker[2], TORCH_INCLUDE / marker[2]) if p.exists())
        original = path.read_text().splitlines()
        number = int(marker[1])
        follows = original[number - 1] if number <= len(original) else ""
        if "#include" not in follows and "#pragma once" not in follows and follows:
            assert lines[at + 1] == follows


@pytest.fixture(scope="module")
def embed_kernels() -> ModuleType:
    return load("cmake/embed_kernels.py")


HARNESS = r"""
#include <cstdio>
int main() {
  for (const auto* family : mpsops::embedded_families()) {
    const auto source = family->source();
    std::fwrite(source.data(), 1, source.size(), stdout);
    std::fwrite(family->metallib.data(), 1, family->metallib.size(), stdout);
  }
}
"""


def test_embedded_text_comes_back_byte_for_byte(tmp_path: Path, embed_kernels: ModuleType) -> None:
    awkward = 'quotes " \\" \\n %s ??/ R"msl(x)msl" )msl_" é ∑ 漢\n\ttab\n'
    text = awkward + "".join(f"int line_{number}; // äöü\n" for number in range(10000)) + ')msl"'
    metallib = bytes(range(256)) * 9
    assert len(text) > 200_000
    generated = tmp_path / "k.cpp"
    generated.write_text(embed_kernels.embed("k", text, metallib) + HARNESS, encoding="utf-8")
    program = tmp_path / "k"
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-pedantic-errors", "-Woverlength-strings"]
    subprocess.run(["c++", *flags, f"-I{ROOT}", generated, "-o", program], check=True, timeout=120)
    output = subprocess.run([program], capture_output=True, check=True, timeout=60).stdout
    assert output == text.encode() + metallib


def test_no_literal_exceeds_what_iso_cpp_promises(embed_kernels: ModuleType) -> None:
    literals = embed_kernels.raw_literals("漢" * 100_000).split(",\n")
    assert len(literals) > 1
    assert max(len(literal.encode()) for literal in literals) <= 65536
