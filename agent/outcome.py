"""How an attempt ended: the typed reason the marketplace acts on, and one plain sentence for people."""

import signal
from dataclasses import dataclass

from agent.engines.base import Stand
from agent.protocol import ProtocolError
from agent.transfer import InputWrong
from agent.wire import Cancel, Lease, Reason

_CANCELLED = {
    "cancelled": "The work was stopped because the job was cancelled.",
    "preempted": "The work was stopped to make room: its capacity was interruptible.",
    "budget_limit": "The work was stopped because its budget is used up.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an attempt."""

    reason: Reason
    message: str
    exit_code: int | None = None
    signal: int | None = None


def cancelled(cancel: Cancel, stand: Stand | None = None) -> Outcome:
    """The marketplace wanted it ended."""
    return Outcome(
        reason=cancel.reason,
        message=_CANCELLED.get(cancel.reason, "The work was stopped by the marketplace."),
        exit_code=stand.exit_code if stand else None,
        signal=stand.signal if stand else None,
    )


def not_started(error: Exception) -> Outcome:
    """Why the work never began."""
    match error:
        case InputWrong():
            return Outcome(reason="input_missing", message=str(error))
        case ProtocolError():
            return Outcome(reason="input_missing", message=f"An input could not be fetched: {error}.")
        case OSError():
            return Outcome(reason="node_failed", message=f"The provider's disk failed: {error.strerror or error}.")
    return Outcome(reason="agent_error", message=f"The agent could not start the work: {error}.")


def of_stand(stand: Stand, lease: Lease, *, time_limit_s: int, cancel: Cancel | None) -> Outcome:
    """What an ended attempt means, whose time limit was `time_limit_s` in the end."""
    if stand.cause == "stopped":
        if cancel is not None:
            return cancelled(cancel, stand)
        return _ended(stand, "node_failed", "The work was stopped because the provider shut its agent down.")
    if stand.cause == "exit":
        return _by_itself(stand)
    limits = lease.limits
    reason, message = {
        "time_limit": ("time_limit", f"The work was stopped at its time limit of {time_limit_s} s."),
        "out_of_memory": (
            "out_of_memory",
            f"The work needed more than its {limits.memory_mb} MB of memory and was stopped.",
        ),
        "disk": ("output_failed", f"The work wrote more than its {limits.disk_mb} MB of disk and was stopped."),
        "lease": ("node_failed", f"The work was ended because nobody renewed its lease: {stand.note}."),
        "sandbox": ("agent_error", f"The sandbox could not be set up: {stand.note}."),
        "node": ("node_failed", f"The machine failed under the work: {stand.note}."),
    }[stand.cause or "node"]
    return _ended(stand, reason, message)  # type: ignore[arg-type]  # the table holds reasons only


def _by_itself(stand: Stand) -> Outcome:
    if stand.exit_code == 0:
        return _ended(stand, "succeeded", "The work ended well.")
    if stand.signal is not None:
        name = signal.Signals(stand.signal).name
        return _ended(stand, "exit_nonzero", f"The work was ended by signal {stand.signal} ({name}).")
    return _ended(stand, "exit_nonzero", f"The work ended with exit code {stand.exit_code}.")


def _ended(stand: Stand, reason: Reason, message: str) -> Outcome:
    return Outcome(reason=reason, message=message, exit_code=stand.exit_code, signal=stand.signal)
