"""The messages that docs/diagnostics.md shows are those that its kernels get."""

import re
from pathlib import Path

import pytest
import torch
from exec_support import compile_kernels

from mpsops.simulator import checked, time_limit

TEXT = (Path(__file__).parent.parent / "docs" / "diagnostics.md").read_text()
PAIRS = re.findall(r"```metal\n(.*?)```\n+```text\n(.*?)\n```", TEXT, re.DOTALL)


def test_every_block_is_half_of_a_pair() -> None:
    assert TEXT.count("```") == 4 * len(PAIRS)
    assert len(PAIRS) > 8


@pytest.mark.parametrize(("source", "message"), PAIRS, ids=[m.split("'")[1] for _, m in PAIRS])
def test_message(source: str, message: str) -> None:
    library = compile_kernels(source, "example.metal")
    (name,) = library
    buffers = [torch.zeros(64, device="mps") for p in library[name].parameters if p["kind"] == "buffer"]
    with checked(races=True), time_limit(0.1), pytest.raises(RuntimeError) as caught:
        library[name](*buffers, threads=64, group_size=32)
    first = str(caught.value).splitlines()[0]
    if "no end after" in message:  # where in the loop it was stopped is chance
        first, message = (re.sub(r"example\.metal:\d", "example.metal:", text) for text in (first, message))
    assert first == f"mpsops.simulator: {message}"
