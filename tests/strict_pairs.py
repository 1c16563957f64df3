"""Sources with one mistake, and their clean twins: what tests of the strict check stand on."""

import pytest

from mpsops.msl.strict import Finding, check

HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
# By what is tried: the rule, a source with what is wrong (marked with BAD), and what is right instead.
Pairs = dict[str, tuple[str, str, str]]


def found(source: str, version: str = "3.1") -> list[Finding]:
    return check(HEADER + source, "planted.metal", version=version, ignore=())


def kernel(body: str, before: str = "") -> str:
    """A kernel with something in each address space."""
    return (
        f"struct Pair {{ float a; float b; float sum() const {{ return a + b; }} }};\n{before}\n"
        "template <class T>\n"
        "kernel void planted(device T* out [[buffer(0)]], device const T* in [[buffer(1)]],\n"
        "                    constant Pair& params [[buffer(2)]], device Pair* pairs [[buffer(3)]],\n"
        "                    threadgroup float* scratch [[threadgroup(0)]],\n"
        "                    uint index [[thread_position_in_grid]]) {\n"
        f"{body}\n}}\n"
        'template [[host_name("planted_float")]] kernel decltype(planted<float>) planted<float>;\n'
        'template [[host_name("planted_bfloat")]] kernel decltype(planted<bfloat>) planted<bfloat>;\n'
    )


def each(pairs: Pairs) -> pytest.MarkDecorator:
    """Parametrises a test that takes `rule`, `bad` and `good`."""
    return pytest.mark.parametrize(("rule", "bad", "good"), pairs.values(), ids=pairs)


def assert_found_and_clean(rule: str, bad: str, good: str) -> None:
    """Each marked line of `bad` breaks `rule` and no other line any, and `good` breaks none."""
    lines = [number for number, line in enumerate((HEADER + bad).splitlines(), 1) if "/*BAD*/" in line]
    places = {(f.file, f.line, f.rule) for f in found(bad)}
    assert places == {("planted.metal", line, rule) for line in lines}
    assert found(good) == []
