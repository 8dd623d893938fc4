"""What every engine does for the agent: try itself, take work, say how it stands, stop it, show its log and usage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from agent.wire import Lease, Usage

Cause = Literal[
    "exit",  # the work ended by itself
    "time_limit",
    "out_of_memory",
    "disk",  # its folder outgrew its disk
    "lease",  # nobody renewed the lease for too long
    "sandbox",  # the sandbox could not be set up
    "node",  # the machine failed under the work
    "stopped",  # the agent asked
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was tried, how it went, and the mend where it went wrong. `needed` ones stop the agent."""

    name: str
    ok: bool
    result: str
    mend: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How one attempt stands at its engine."""

    phase: Literal["absent", "starting", "running", "ended"]
    paused: bool = False
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    note: str = ""


class EngineFailed(Exception):
    """The engine could not take the work; the message says why."""


class Engine(Protocol):
    """A place that runs attempts. All calls are by lease id, cheap, and safe to repeat."""

    name: str

    def probe(self) -> list[Check]:
        """Try everything this engine needs, for real."""
        ...

    def prepare(self, lease: Lease, *, slot: int) -> Path:
        """Make the empty work folder of an attempt; inputs are put there before `submit`."""
        ...

    def submit(self, lease: Lease, *, slot: int, until: float) -> None:
        """Start the work, unless it was started before; it may run until `until` (boot seconds) without a renewal."""
        ...

    def renew(self, lease_id: str, *, until: float | None, time_limit_s: int = 0) -> None:
        """Say that the agent lives and that the work may run until `until` (boot seconds); past that it is paused.

        None leaves the time as it is. Its time limit becomes `time_limit_s` where that is more.
        """
        ...

    def poll(self, lease_id: str) -> Stand:
        """How the attempt stands."""
        ...

    def stop(self, lease_id: str, *, grace_s: float, signal: str = "TERM") -> None:
        """Ask the work to end by `signal`, and end it by force after `grace_s`."""
        ...

    def logs(self, lease_id: str, *, offset: int, size: int) -> bytes:
        """At most `size` bytes of standard output and error, merged, from `offset` on."""
        ...

    def usage(self, lease_id: str) -> Usage:
        """What the attempt has used so far; final once it has ended."""
        ...

    def folder(self, lease_id: str) -> Path:
        """The work folder."""
        ...

    def orphans(self, known: set[str]) -> list[str]:
        """Lease ids of attempts the engine has and the agent does not know (`known`)."""
        ...

    def forget(self, lease_id: str) -> None:
        """Remove everything of an attempt that has ended."""
        ...
