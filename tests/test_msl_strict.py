"""The strict check as a whole: files, places, versions, messages; every kernel of ours passes it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import test_msl_strict_address_spaces
import test_msl_strict_kernels
import test_msl_strict_language
import torch
from strict_pairs import HEADER, found, kernel

from mpsops.msl import CompileError, strict
from mpsops.msl.flatten import flatten
from mpsops.msl.strict import RULES, VERSIONS, check, check_file

ROOT = Path(__file__).parent.parent
INCLUDE_DIRS = [ROOT, Path(torch.__file__).parent / "include"]
METAL_SOURCES = sorted((ROOT / "metal").glob("*.metal"))


@pytest.mark.parametrize("defines", [(), ("MPSOPS_NO_BFLOAT",)], ids=["bfloat", "no bfloat"])
@pytest.mark.parametrize("source", METAL_SOURCES, ids=lambda path: path.stem)
def test_every_kernel_family_passes(source: Path, defines: tuple[str, ...]) -> None:
    text = flatten(source, INCLUDE_DIRS).text
    assert check(text, f"metal/{source.name}", defines=defines, ignore=()) == []


@pytest.mark.parametrize("source", METAL_SOURCES, ids=lambda path: path.stem)
def test_a_lost_address_space_in_a_family_is_found(source: Path) -> None:
    text = flatten(source, INCLUDE_DIRS).text
    lost = re.sub(r"\bdevice (?=(?:const )?\w+\* )", "", text, count=1)
    assert "address-space" in {f.rule for f in check(lost, source.name)}


def test_what_apple_takes_is_left_out_of_third_party_files() -> None:
    source = "inline float apply(float (*f)(float), float x) { return f(x); }\ninline float g(float* p) { return *p; }\n"
    marked = HEADER + '#line 1 "c10/metal/x.h"\n' + source
    assert [(f.file, f.rule) for f in check(marked, "k.metal")] == [("c10/metal/x.h", "address-space")]
    rules = [f.rule for f in check(marked, "k.metal", third_party=())]
    assert rules == ["function-pointer", "address-space"]


def test_messages_speak_metal() -> None:
    findings = found(kernel("device const Pair* p = &params;"))
    assert [f.message for f in findings] == [
        "cannot initialize a variable of type 'const device Pair *' with an rvalue of type 'constant Pair *'"
    ]
    assert (findings[0].section.number, findings[0].section.title) == ("4", "Address Spaces")
    assert [f.message for f in found("kernel void k(device float* p) { device float x; x = *p; }")] == [
        "variable of a function must be in thread or threadgroup memory"
    ]
    assert [f.message for f in found("inline float f(float x) { long double y = x; return y; }")] == [
        "a floating-point type must be float, half or bfloat, got long double"
    ]


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("inline float f(device float* a, float* b) { return *b; }", "b) {"),
        ("inline half f(half a, bfloat b) { return a + b; }", "b; }"),
        ("inline float f(float x) { double y = x; return y; }", "double"),
        ("kernel void k(constant float& x [[buffer(0)]], device float* p [[buffer(31)]]) { *p = x; }", "31"),
        ("inline float f(float x) { return exp(x) + expf(x); }", "expf"),
    ],
)
def test_columns_are_those_of_the_source(line: str, at: str) -> None:
    assert [f.column for f in found(line)] == [line.index(at) + 1]


def test_what_a_macro_says_has_a_line_and_no_column() -> None:
    findings = found("#define F(name) inline float name(float* p) { return *p; }\nF(f)")
    assert [(f.line, f.column, f.rule) for f in findings] == [(4, 0, "address-space")]


def test_a_file_is_checked_with_those_that_it_includes(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    bad = tmp_path / "common" / "bad.h"
    bad.write_text("#pragma once\ninline float f(float* p) { return *p; }\n")
    source = tmp_path / "k.metal"
    source.write_text(HEADER + '#include "common/bad.h"\n')
    assert [(f.file, f.line, f.column, f.rule) for f in check_file(source)] == [
        (str(bad), 2, 23, "address-space")
    ]
    source.write_text(HEADER + '#ifdef BAD\n#include "bad.h"\n#include "none.h"\n#endif\n')
    assert check_file(source, include=[tmp_path / "common"]) == []
    findings = check_file(source, include=[tmp_path / "common"], defines=["BAD=1"])
    assert [(f.file, f.line, f.rule) for f in findings] == [(str(source), 5, "include")]


def test_a_folder_with_a_file_called_as_ours_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mpsops_support.h").write_text("#error\n")
    monkeypatch.chdir(tmp_path)
    assert found("inline float f(float x) { return x; }") == []


def test_versions() -> None:
    source = (
        "#if __METAL_VERSION__ < 310\ninline int f() { return bfloat(1.0f); }\n#endif\n"
        "inline int g(int x) { auto h = [](int y) { return y; }; return h(x); }\n"
        "inline int i(int x) { if constexpr (true) { return x; } return 0; }"
    )
    rules = {version: {f.rule for f in found(source, version)} for version in VERSIONS}
    assert rules == {
        "2.3": {"version", "lambda", "c++17"},
        "2.4": {"version", "lambda", "c++17"},
        "3.0": {"version", "lambda", "c++17"},
        "3.1": {"lambda", "c++17"},
        "3.2": {"c++17"},
        "4.0": set(),
    }
    fence = "inline void f() { atomic_thread_fence(mem_flags::mem_device, memory_order_relaxed); }"
    assert [f.message for f in found(fence)] == ["'atomic_thread_fence' needs Metal 3.2, got 3.1"]
    assert found(fence, "3.2") == []


def test_a_name_of_the_source_is_not_newer_metal() -> None:
    source = "struct tensor { float x; };\ninline float nextafter(float x) { return x; }\n"
    assert found(source + "inline float f(tensor t) { return nextafter(t.x); }", "3.0") == []
    assert [f.rule for f in found("inline float f(float x) { return metal::nextafter(x, x); }", "3.0")] == [
        "version"
    ]


def test_coherent_buffers_are_newer() -> None:
    source = (
        "kernel void k(volatile coherent(device) device uint* p [[buffer(0)]],\n"
        "              coherent device uint* q) {\n"
        "  uint coherent = p[0];\n  q[0] = coherent;\n}"
    )
    assert [(f.line, f.rule) for f in found(source)] == [(3, "version"), (4, "version")]
    assert found(source, "3.2") == []


def test_pedantic_rules_are_off_by_default() -> None:
    source = HEADER + "inline int f(int x) { if constexpr (true) { return x; } return 0; }"
    assert check(source, "k.metal") == []
    assert [f.rule for f in check(source, "k.metal", ignore=())] == ["c++17"]


def test_every_rule_has_a_planted_bug() -> None:
    modules = (test_msl_strict_address_spaces, test_msl_strict_kernels, test_msl_strict_language)
    planted = {rule for module in modules for rule, _, _ in module.PAIRS.values()}
    assert planted | {"compile", "forward-progress"} == set(RULES)


def test_what_is_not_c_plus_plus_is_said_by_clang() -> None:
    assert [f.rule for f in found("inline float f(float x) { return x }")] == ["compile"]


def test_a_clang_that_does_not_run_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "_OPTIONS", ["--no-such-option", *strict._OPTIONS])
    with pytest.raises(CompileError, match="no-such-option"):
        found("")


def test_a_missing_header_is_a_finding() -> None:
    findings = found("#include <metal_nothing>\n")
    assert [(f.line, f.rule) for f in findings] == [(3, "include")]


def test_it_runs_without_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.path.insert(0, {str(ROOT / 'cmake')!r})\n"
        "from compile_kernels import ROOT, load\n"
        "load('msl', ROOT / 'python' / 'mpsops' / 'msl')\n"
        "from msl.strict import check\n"
        "print([f.rule for f in check('inline float f(float* p) { return *p; }', 'k.metal')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "['address-space']\n", done.stderr
