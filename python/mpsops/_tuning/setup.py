"""What a measurement holds for: a chip, and the versions of all that is between a program and it."""

import hashlib
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

from mpsops import _C, __version__
from mpsops._doctor import machine


@dataclass(frozen=True)
class Setup:
    """A machine and its software. Measurements of one are nothing to another.

    Attributes:
        chip: name and cores of the GPU.
        system: macOS and its version.
        torch: its version.
        mpsops: its version.
        build: of mpsops' native module, the kernels in it: the start of a hash.
    """

    chip: str
    system: str
    torch: str
    mpsops: str
    build: str

    @property
    def file_name(self) -> str:
        text = f"{self.chip} {self.system} torch {self.torch} mpsops {self.mpsops} {self.build}"
        return re.sub(r"[^a-z0-9.+]+", "-", text.lower()) + ".json"

    def __str__(self) -> str:
        return f"{self.chip}, {self.system}, torch {self.torch}, mpsops {self.mpsops} (build {self.build})"

    def differences(self, other: "Setup") -> str:
        """What the other has instead: ``torch 2.14.0 instead of 2.13.0``."""
        mine, others = asdict(self), asdict(other)
        return ", ".join(
            f"{name} {others[name]} instead of {mine[name]}" for name in mine if mine[name] != others[name]
        )


@cache
def _build() -> str:
    path = _C.__file__
    assert path is not None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]


def this_setup() -> Setup:
    return Setup(machine.chip(), machine.system(), torch.__version__, __version__, _build())
