"""Samples of PyTorch's own test suite, where it can be imported: it wants packages that few users have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch

from mpsops import OpRow, _opinfo

from .sample import Sample


def _as_called(op: Any, *args: Any, **kwargs: Any) -> Any:
    return op(*args, **kwargs)


@contextmanager
def callers_seed() -> Iterator[None]:
    """Entries of random ops reset the seed in each call, so that nobody could tell that they are random."""
    from torch.testing._internal import common_methods_invocations

    with mock.patch.object(common_methods_invocations, "wrapper_set_seed", _as_called):
        yield


def samples(rows: list[OpRow]) -> Iterator[Sample]:
    """Of the entries that the rows name, in every dtype that CPU and kernel take."""
    names = dict.fromkeys(name for row in rows for name in row.opinfo if name)
    claimed = dict.fromkeys(dtype for row in rows for dtype in row.dtypes)
    infos = {info.full_name: info for name in names for info in _opinfo.find(name)}
    for info in infos.values():
        for name in claimed:
            dtype = getattr(torch, name)
            if dtype not in info.supported_dtypes("cpu"):
                continue
            grad = info.supports_autograd and dtype in info.supported_backward_dtypes("cpu")
            for sample in info.sample_inputs("cpu", dtype, requires_grad=grad):
                # Where results are unique up to a sign, say, the sample knows what is not.
                unique = sample.output_process_fn_grad
                yield Sample(
                    f"{info.full_name} {name}",
                    lambda *args, op=info.op, unique=unique, **kwargs: unique(op(*args, **kwargs)),
                    (sample.input, *sample.args),
                    sample.kwargs,
                    ("out",) if info.supports_out else (),
                )
