"""What one look at the machine found."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """A finding.

    Attributes:
        name: what was looked at.
        status: ``ok``, ``warn`` (works, but is probably not what is wanted) or ``fail``.
        found: what is the case.
        advice: what to do about it; empty where nothing is.
    """

    name: str
    status: Status
    found: str
    advice: str = ""
