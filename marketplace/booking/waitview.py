"""Waits as the API shows them."""

from datetime import datetime
from typing import Any

from marketplace.booking.models import Wait
from marketplace.common.clock import rfc3339

# By the state of the reservation that serves it; any other is a firm one's.
OUTCOMES = {"held": "offered", "expired": "passed", "cancelled": "given_back"}


def outcome_of(wait: Wait, now: datetime) -> str:
    """waiting, offered, reserved, passed (offered and not taken), given_back, left, over."""
    held = wait.reservation
    if held is None:
        return wait.state
    lapsed = held.state == "held" and held.expires_at is not None and held.expires_at <= now
    return "passed" if lapsed else OUTCOMES.get(held.state, "reserved")


def wait_as_json(wait: Wait, now: datetime) -> dict[str, Any]:
    """The wait with its terms, its place and what serves it."""
    waiting, held = wait.state == "waiting", wait.reservation
    outcome = outcome_of(wait, now)
    return {
        "object": "wait",
        "id": wait.public_id,
        "state": wait.state,
        "version": wait.version,
        "outcome": outcome,
        "units": wait.units,
        "hours": wait.hours,
        "where": wait.where,
        "start_after": rfc3339(wait.start_after),
        "start_by": rfc3339(wait.start_by),
        "reserve": wait.reserve,
        "position": wait.ahead + 1 if waiting else None,
        "expected_start": rfc3339(wait.expected_start) if waiting else None,
        "in_time": in_time(wait) if waiting else None,
        "reservation": held.public_id if held else None,
        "answer_by": rfc3339(held.expires_at) if held and outcome == "offered" else None,
        "looked_at": rfc3339(wait.looked_at),
        "created_at": rfc3339(wait.created_at),
    }


def in_time(wait: Wait) -> bool:
    """Whether it is expected to start by the time wanted, as things stand."""
    return wait.expected_start is not None and (wait.start_by is None or wait.expected_start <= wait.start_by)
