"""Standing orders: units kept reserved for the hours ahead. Amounts are minor units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .objects import Record


@dataclass(frozen=True, kw_only=True)
class Decision(Record):
    """What was done for an order or not, why, and when."""

    at: datetime
    decision: str = ""
    reason: str | None = None
    sentence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StandingOrder(Record):
    """`units` kept reserved for the next `ahead_hours`; `standing` is kept, partly_kept or not_kept, and why not.

    `decisions` come with one order, not with a list.
    """

    id: str | None = None
    state: str = ""
    version: int | None = None
    units: int = 1
    where: Mapping[str, Any] = field(default_factory=dict)
    ahead_hours: int = 0
    block_hours: int = 0
    ends_at: datetime | None = None
    standing: str | None = None
    short_of: str | None = None
    hours_wanted: int = 0
    hours_kept: int = 0
    kept_until: datetime | None = None
    budget: str = ""
    currency: str = "USD"
    limit_minor: int = 0
    held_minor: int = 0
    spent_minor: int = 0
    left_minor: int = 0
    created_at: datetime | None = None
    decisions: tuple[Decision, ...] = ()
