"""Standing orders as the API shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.booking.models import StandingHour, StandingOrder
from marketplace.booking.standing import window_of
from marketplace.common.clock import HOUR, rfc3339
from marketplace.events.models import Event
from marketplace.ledger.budgets import period_of

MOST_DECISIONS = 50
KEPT, PARTLY, NOT_KEPT = "kept", "partly_kept", "not_kept"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stands: `kept` of the `wanted` hours ahead are reserved, without a gap until `until`."""

    wanted: int
    kept: int
    until: datetime | None
    short: str

    @property
    def word(self) -> str:
        """kept, partly_kept, not_kept; nothing before the first look."""
        if not self.short:
            return KEPT if self.kept else ""
        return PARTLY if self.kept else NOT_KEPT


def standing_of(order: StandingOrder, now: datetime) -> Standing:
    """What is reserved of the hours ahead."""
    first, beyond = window_of(order, now)
    hours = set(StandingHour.objects.ahead(order, first).kept().values_list("hour", flat=True))
    until = first
    while until in hours:
        until += HOUR
    wanted = max(0, (beyond - first) // HOUR)
    return Standing(wanted, len(hours), until if until > first else None, order.short)


def order_as_json(order: StandingOrder, now: datetime) -> dict[str, Any]:
    """The order with its terms, its month and how it stands."""
    period, standing = period_of(budget=order.budget, now=now), standing_of(order, now)
    return {
        "object": "standing_order",
        "id": order.public_id,
        "state": order.state,
        "version": order.version,
        "units": order.units,
        "where": order.where,
        "ahead_hours": order.ahead_hours,
        "block_hours": order.block_hours,
        "ends_at": rfc3339(order.ends_at),
        "standing": (standing.word or None) if order.state == "active" else None,
        "short_of": standing.short or None,
        "hours_wanted": standing.wanted,
        "hours_kept": standing.kept,
        "kept_until": rfc3339(standing.until),
        "budget": order.budget.public_id,
        "currency": order.budget.asset,
        "limit_minor": period.limit_minor,
        "held_minor": period.held,
        "spent_minor": period.spent,
        "left_minor": period.left,
        "looked_at": rfc3339(order.looked_at),
        "created_at": rfc3339(order.created_at),
    }


def decisions_of(order: StandingOrder) -> list[dict[str, Any]]:
    """What was done for the order and why, the newest first."""
    rows = Event.objects.filter(object_id=order.public_id).order_by("-object_seq")[:MOST_DECISIONS]
    return [decision_as_json(row) for row in rows]


def decision_as_json(event: Event) -> dict[str, Any]:
    """One decision: what it was, in code and in words, and its facts."""
    kind = event.type.rpartition(".")[2]
    return {
        "at": rfc3339(event.at),
        "decision": kind,
        "reason": event.reason or None,
        "sentence": sentence_of(kind, event.reason, event.facts),
        "facts": event.facts,
    }


SENTENCES: Mapping[str, str] = {
    "active": "Hours are bought from now on.",
    "paused": "Paused: nothing is bought, what is reserved stays.",
    "cancelled": "Cancelled: nothing more is bought, what is reserved stays.",
    "ended": "Ended as agreed: no whole hour is left.",
    "kept": "All hours ahead are reserved.",
    "bought": "{title} is reserved from {start} to {end} for {total_minor} minor units of {currency}.",
    "longer": "The reservation of {title} goes on from {start} to {end} for {total_minor} minor units of {currency}.",
    "lost": "{hours} hours were lost, since their reservation was not kept; they are looked for again.",
}
WHY: Mapping[str, str] = {
    "price": "{hours} hours are not reserved: whatever else fits costs more than the order allows.",
    "greenness": "{hours} hours are not reserved: whatever else fits is not renewable enough.",
    "capacity": "{hours} hours are not reserved: nobody within the terms has so many units free.",
    "money": "{hours} hours are not reserved: wallet or budget lacks the money.",
    "shelf": "{hours} hours are not reserved: no offer on the shelf is like this.",
}


def sentence_of(kind: str, reason: str, facts: Mapping[str, Any]) -> str:
    """The decision in English; pages have their own words."""
    if kind == "short":
        return WHY[reason].format_map(facts)
    return SENTENCES["longer" if facts.get("longer") else kind].format_map(facts)
