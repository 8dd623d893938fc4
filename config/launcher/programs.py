"""What the supervisor needs to know of one program it runs."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Program:
    """One long-running program: how it starts, when it is ready, how it stops.

    It is ready once it has written `ready_line` and `ready()` holds; without either, as soon as it runs. Programs of a
    lower `rank` start first and stop last. `grace_s` is how long a stop may take before it is killed. Lines with a
    `chatter` mark go to the log file alone.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    rank: int
    ready: Callable[[], bool] | None = None
    ready_line: bytes | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 5.0
    before: Callable[[], None] | None = None  # runs before each start: tidies what a crash left
    chatter: tuple[bytes, ...] = ()
