"""Loops that wait for another thread are found, and those that always get on are not."""

import pytest

from mpsops.msl.strict import check

HEADER = (
    "#include <metal_stdlib>\nusing namespace metal;\n"
    "#define LOAD(p) atomic_load_explicit(p, memory_order_relaxed)\n"
    "#define EXCHANGE(p, x) atomic_exchange_explicit(p, x, memory_order_relaxed)\n"
    "#define OR(p, x) atomic_fetch_or_explicit(p, x, memory_order_relaxed)\n"
    "#define ADD(p, x) atomic_fetch_add_explicit(p, x, memory_order_relaxed)\n"
    "#define SWAP(p, expected, x) \\\n"
    "  atomic_compare_exchange_weak_explicit(p, &expected, x, memory_order_relaxed, memory_order_relaxed)\n"
    "inline uint next(uint x) { return x + 1; }\n"
    "inline void advance(thread uint& x) { x += 1; }\n"
    "inline uint run(device atomic_uint* p, device uint* data, uint n) {\n"
)

WAITS = {
    "until a flag is set": "while (LOAD(p) == 0) {}",
    "do": "do { n += 1; } while (LOAD(p) == 0);",
    "for": "for (; LOAD(p) != 1;) {}",
    "with a value that is read inside": "uint flag = 0; while (flag == 0) { flag = LOAD(p); }",
    "with a value declared inside": "while (true) { uint flag = LOAD(p); if (flag != 0) break; }",
    "left by return": "for (;;) { if (LOAD(p) > n) return 1; }",
    "lock by exchange": "while (EXCHANGE(p, 1u) != 0) {}",
    "lock by or": "while (OR(p, 1u) & 1u) {}",
    "lock by compare-and-exchange": "uint free = 0; while (!SWAP(p, free, 1u)) { free = 0; }",
    "lock, left by break": "while (true) { uint free = 0; if (SWAP(p, free, 1u)) { break; } }",
    "volatile": "while (*(volatile device uint*)data == 0) {}",
    "in a template": "return 0; }\ntemplate <class T> inline T wait(device T* p) {\n"
    "while (LOAD((device atomic_uint*)p) == 0) {} return 0; }\ninline uint use(device uint* p, uint n) {\nn += wait(p);",
}
GETS_ON = {
    "addition by compare-and-exchange": "uint old = LOAD(p); while (!SWAP(p, old, old + n)) {}",
    "new value in a variable": "uint old = LOAD(p); uint sum; do { sum = old + n; } while (!SWAP(p, old, sum));",
    "new value by a function": "uint old = LOAD(p); while (!SWAP(p, old, next(old))) {}",
    "maximum": "uint old = LOAD(p); while (old < n && !SWAP(p, old, n)) {}",
    "bounded": "for (uint i = 0; i < 100 && LOAD(p) == 0; ++i) {}",
    "counter against a count": "uint i = 0; while (i < LOAD(p)) { i += 1; }",
    "work queue": "uint i; while ((i = ADD(p, 1u)) < n) { data[i] = 0; }",
    "work queue, left by break": "while (true) { uint i = ADD(p, 1u); if (i >= n) break; data[i] = 0; }",
    "probing of a hash table": "uint i = n; while (true) { uint free = 0; if (SWAP(p + i, free, n)) break; i = (i + 1) % 64; }",
    "a list": "uint i = 0; while (LOAD(p + i) != 0) { i = data[i]; }",
    "changed by a function": "uint i = 0; while (LOAD(p + i) != 0) { advance(i); }",
    "no atomics": "while (n > 1) { n /= 2; }",
    "also left otherwise": "while (true) { if (LOAD(p) != 0) break; if (--n == 0) break; }",
    "left at once": "while (true) { data[0] = LOAD(p); break; }",
}


def rules(body: str) -> list[tuple[int, str]]:
    return [(f.line, f.rule) for f in check(f"{HEADER}{body}\nreturn n;\n}}\n", "waits.metal")]


@pytest.mark.parametrize("name", WAITS)
def test_waiting_is_found(name: str) -> None:
    line = HEADER.count("\n") + 1 + WAITS[name].count("\n", 0, WAITS[name].find("while (LOAD((device"))
    assert rules(WAITS[name]) == [(line, "forward-progress")]


@pytest.mark.parametrize("name", GETS_ON)
def test_getting_on_is_not(name: str) -> None:
    assert rules(GETS_ON[name]) == []
