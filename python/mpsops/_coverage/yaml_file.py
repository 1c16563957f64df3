"""torch's own list of its ops, native_functions.yaml, as far as it tells which kernels there are."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
COMPOSITE = frozenset(
    {"CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"}
)


@dataclass(frozen=True)
class Entry:
    """One overload.

    Attributes:
        name: ``add.Tensor``, without ``aten::``.
        kernels: dispatch keys that torch has a kernel for; empty for the default, which is composite.
        base: the overload that torch's generated code computes this one with.
        structured: the base is the out= form, whose kernels are this one's too.
        module: the part of torch's Python interface, such as ``linalg``; often empty.
        tags: torch's own, such as ``pointwise``.
        views: returns an alias of an argument.
        factory: makes a tensor of no tensor.
    """

    name: str
    kernels: frozenset[str]
    base: str | None = None
    structured: bool = False
    module: str = ""
    tags: frozenset[str] = frozenset()
    views: bool = False
    factory: bool = False

    @property
    def native(self) -> bool:
        return any(key.endswith("MPS") for key in self.kernels)

    @property
    def composite(self) -> bool:
        return not self.kernels or not COMPOSITE.isdisjoint(self.kernels)

    @property
    def stem(self) -> str:
        """What functional, in-place and out= forms have in common."""
        return self.name.split(".")[0].rstrip("_")


def path_of_running_torch() -> Path:
    return Path(torch.__file__).parent.parent / "torchgen/packaged/ATen/native/native_functions.yaml"


def _words(value: object) -> list[str]:
    words = value if isinstance(value, list) else str(value or "").split(",")
    return [str(word).strip() for word in words if str(word).strip()]


def _entry(function: dict[str, Any]) -> Entry:
    schema = function["func"]
    arguments, returns = schema.rsplit(" -> ", 1)
    return Entry(
        name=schema.split("(")[0],
        kernels=frozenset(key for keys in function.get("dispatch", {}) for key in _words(keys)),
        base=function.get("structured_delegate"),
        structured="structured_delegate" in function,
        module=function.get("python_module", ""),
        tags=frozenset(_words(function.get("tags"))),
        views=re.search(r"\(\w+(\|\w+)*\)", returns) is not None,
        factory="Tensor" not in arguments and returns.startswith("Tensor"),
    )


def _generated(parent: Entry, function: dict[str, Any]) -> Iterable[Entry]:
    for name in _words(function.get("autogen")):
        yield replace(parent, name=name, kernels=frozenset(), base=parent.name, structured=False, views=False)


def _with_kernels_of_base(entry: Entry, entries: dict[str, Entry]) -> Entry:
    if not entry.structured or entry.base is None:
        return entry
    return replace(entry, kernels=entry.kernels | entries[entry.base].kernels)


@cache
def read(path: Path) -> dict[str, Entry]:
    """All overloads of the file, by name.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not such a file.
    """
    try:
        entries = _entries(yaml.load(path.read_text(encoding="utf-8"), _LOADER))
    except (yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} must be a native_functions.yaml of torch: {error}") from error
    if not entries:
        raise ValueError(f"{path} must be a native_functions.yaml of torch, got no ops")
    return entries


def _entries(functions: list[dict[str, Any]]) -> dict[str, Entry]:
    entries = {entry.name: entry for entry in map(_entry, functions)}
    for function in functions:
        for entry in _generated(entries[function["func"].split("(")[0]], function):
            entries.setdefault(entry.name, entry)
    return {name: _with_kernels_of_base(entry, entries) for name, entry in entries.items()}
