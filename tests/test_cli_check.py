"""``mpsops check``."""

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from mpsops.cli import app
from mpsops.msl import strict
from mpsops.msl.strict import RULES

ROOT = Path(__file__).parent.parent
BAD = "#include <metal_stdlib>\nusing namespace metal;\ninline float f(float* p) {\n\treturn expf(*p);\n}\n"
GOOD = BAD.replace("float*", "device float*").replace("expf", "exp")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.metal"
    path.write_text(BAD)
    return path


def test_a_finding_has_its_place_its_line_what_to_do_and_why(bad: Path) -> None:
    result = run(bad)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:5] == [
        f"{bad}:3:23: error: pointer 'p' must have an explicit address space [address-space]",
        "  3 | inline float f(float* p) {",
        "    |                       ^",
        f"   fix: {RULES['address-space'].fix}",
        "   see: Metal Shading Language Specification 4.0, 4 Address Spaces",
    ]
    assert result.stdout.splitlines()[6:9] == [
        f"{bad}:4:9: error: Metal has no 'expf' [not-in-metal]",
        "  4 |  return expf(*p);",
        "    |         ^^^^",
    ]
    assert "fix: Metal has exp" in result.stdout
    assert result.stderr == "2 errors in 1 file, 1 file checked: 1 address-space, 1 not-in-metal\n"


def test_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "good.metal").write_text(GOOD)
    result = run(tmp_path / "good.metal")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no findings, 1 file checked\n")


def test_json(bad: Path) -> None:
    result = run("--json", bad)
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first == {
        "file": str(bad),
        "line": 3,
        "column": 23,
        "level": "error",
        "rule": "address-space",
        "message": "pointer 'p' must have an explicit address space",
        "section": "4",
        "title": "Address Spaces",
        "fix": RULES["address-space"].fix,
    }
    assert second["fix"] == "Metal has exp, and precise::exp and fast::exp of most"
    bad.write_text(GOOD)
    assert json.loads(run("--json", bad).stdout) == []


def test_folders_hold_sources(bad: Path) -> None:
    (bad.parent / "below").mkdir()
    (bad.parent / "below" / "good.metal").write_text(GOOD)
    (bad.parent / "below" / "header.h").write_text(BAD)
    result = run(bad.parent)
    assert result.stderr == "2 errors in 1 file, 2 files checked: 1 address-space, 1 not-in-metal\n"
    assert run(bad.parent / "below").exit_code == 0
    assert run(bad.parent / "below" / "header.h").exit_code == 1


def test_advice_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "k.metal").write_text(
        "inline float f(float* p) { return *p; }\ninline int g(int* p) { return *p; }\n"
    )
    shown = run(tmp_path / "k.metal").stdout
    assert shown.count("[address-space]") == 2
    assert shown.count("fix: ") == shown.count("see: ") == 1


def test_warnings_are_no_failure_unless_asked(tmp_path: Path) -> None:
    source = tmp_path / "k.metal"
    source.write_text("inline uint f(uint n) { return n == 0 ? 1 : f(n - 1); }\n")
    result = run(source)
    assert result.exit_code == 0
    assert f"{source}:1:13: warning: 'f' must not call itself [recursion]" in result.stdout
    assert result.stderr == "1 warning in 1 file, 1 file checked\n"
    assert json.loads(run("--json", source).stdout)[0]["level"] == "warning"
    assert run("--warnings-as-errors", source).exit_code == 1


def test_kernels_in_strings_of_programs(bad: Path) -> None:
    program = bad.parent / "program.mm"
    kernels = f"{BAD}kernel void k(device float* p) {{ *p = 1; }}\n"
    program.write_text(
        f'static Library lib(R"METAL({kernels})METAL");\nstatic Library other(R"({kernels})");\n'
    )
    result = run(program)
    assert result.exit_code == 1
    assert f"{program}:3:23: error: pointer 'p' must have" in result.stdout
    assert "    |                       ^" in result.stdout
    assert result.stderr == "4 errors in 1 file, 1 file checked: 2 address-space, 2 not-in-metal\n"
    assert "2 files checked" in run(bad.parent).stderr


def test_a_format_string_is_not_checked(tmp_path: Path) -> None:
    program = tmp_path / "program.mm"
    kernels = "#include <metal_stdlib>\nkernel void k(device {0}* p) {{\n *p = 1; }}\n"
    program.write_text(f'auto lib = format(R"({kernels})", type);\n')
    result = run(program)
    assert result.exit_code == 0
    reason = "not checked: a format string, which the program fills in"
    assert result.stderr == f"{program}:1: {reason}\nno findings, 0 files checked\n"


def test_options_reach_the_check(tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers" / "given.h").write_text("inline uint g() { return VALUE; }\n")
    source = tmp_path / "k.metal"
    source.write_text(
        "#include <metal_stdlib>\nusing namespace metal;\n#include <given.h>\n"
        "inline uint f() { auto h = [] { if constexpr (true) { return g(); } }; return h(); }\n"
    )

    def rules(*arguments: str | Path) -> list[str]:
        return [each["rule"] for each in json.loads(run("--json", *arguments, source).stdout)]

    given = ("-I", tmp_path / "headers", "-D", "VALUE=7u")
    assert rules() == ["include"]
    assert rules(*given) == ["lambda"]
    assert rules(*given, "--pedantic") == ["lambda", "c++17"]
    assert rules(*given, "--ignore", "lambda") == []
    assert rules(*given, "--msl", "3.2") == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--msl", "9.9", "{bad}"],
        ["--ignore", "no-rule", "{bad}"],
        ["{bad}.none"],
        ["-I", "{bad}", "{bad}"],
        [__file__],
    ],
    ids=["no file", "version", "rule", "file that is not there", "folder that is none", "no kernel"],
)
def test_wrong_usage(bad: Path, arguments: list[str]) -> None:
    result = run(*(argument.format(bad=bad) for argument in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""


def test_no_clang_is_not_clean(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise strict.CompileError("mpsops: compiling kernels needs clang")

    monkeypatch.setattr(strict, "preprocess", missing)
    result = run(bad)
    assert result.exit_code == 2
    assert "needs clang" in result.stderr


def test_the_guide_has_every_rule() -> None:
    listed = run("--list-rules").stdout
    assert len(listed.splitlines()) == len(RULES) + 2
    assert listed in (ROOT / "docs" / "check.md").read_text()
    assert [rule["name"] for rule in json.loads(run("--list-rules", "--json").stdout)] == list(RULES)


def test_the_picture_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (ROOT / "docs" / "check.md").read_text()
    source = re.search(r"```cpp\n(.*?)```", guide, re.DOTALL)
    assert source is not None
    (tmp_path / "scale.metal").write_text(source[1])
    monkeypatch.chdir(tmp_path)
    result = run("--svg", "check.svg", "scale.metal")
    places = re.findall(r"^scale\.metal:\d+", result.stdout, re.MULTILINE)
    assert len(places) == 4
    for picture in (tmp_path / "check.svg", ROOT / "docs" / "check.svg"):
        text = picture.read_text()
        assert text.startswith("<svg")
        assert all(f">{place}" in text for place in places)


def test_headers_of_c10_that_kernels_include(tmp_path: Path) -> None:
    folder = Path(torch.__file__).parent / "include" / "c10" / "metal"
    names = sorted(path.name for path in folder.glob("*.h"))
    assert len(names) > 5
    includes = "".join(f"#include <c10/metal/{name}>\n" for name in names)
    (tmp_path / "all.metal").write_text(f"#include <metal_stdlib>\n{includes}")
    result = run(tmp_path / "all.metal")
    assert result.exit_code == 0, result.stdout
