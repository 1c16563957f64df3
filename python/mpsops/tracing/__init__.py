"""Where the ops of a program ran, and what they cost: ``mpsops.trace()``."""

from .recorder import Trace, trace
from .rows import Candidate, Place, PlaceTotal, TraceRow, TraceTotals

__all__ = ["Candidate", "Place", "PlaceTotal", "Trace", "TraceRow", "TraceTotals", "trace"]
