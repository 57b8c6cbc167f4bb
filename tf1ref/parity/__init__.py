"""Two programs, run side by side and compared to the bit: traces, reports, and the fixture for pytest."""

from tf1ref.parity.engine import (
    ORDER,
    STEPS,
    Key,
    ProgramFailed,
    Report,
    compare,
    nothing_moves,
    run,
    trace_of,
    ulp_distance,
    without_onednn,
)
from tf1ref.parity.recorder import Trace

__all__ = [
    "ORDER",
    "STEPS",
    "Key",
    "ProgramFailed",
    "Report",
    "Trace",
    "compare",
    "nothing_moves",
    "run",
    "trace_of",
    "ulp_distance",
    "without_onednn",
]
