"""Work in pieces beside its contiguous run, with hours, price and carbon, as plans and quotes show it."""

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

from marketplace.booking.contracts import price_of
from marketplace.catalog.models import Offer
from marketplace.common.clock import rfc3339
from marketplace.common.units import ceil_div
from marketplace.energy.use import UG_PER_G
from scheduler.asks import moment
from scheduler.core.cutting import Cut, Span
from scheduler.core.ranking import Ranked
from scheduler.core.types import HOUR_S, OfferFacts, Snapshot


def pieces_as_json(
    *, cut: Cut, offer: Offer, whole: Ranked, beside: Offer, snapshot: Snapshot, units: int, restart_s: int
) -> dict[str, Any]:
    """The pieces on `offer`, and `whole`, the contiguous run on `beside`, with what they save of its price and carbon.

    Carbon is the expected life-cycle carbon in g, rounded up, and that of the pieces adds up to the whole's; restarts
    are in every figure.
    """
    pieces = [
        {"number": number, **_span(cut.offer, offer, span, snapshot, units)} for number, span in enumerate(cut.spans, 1)
    ]
    total, carbon = (sum(each[name] for each in pieces) for name in ("total_minor", "carbon_ug"))
    run = _span(whole.offer, beside, (whole.start_s, whole.end_s), snapshot, units)
    sums = [0, *accumulate(each["carbon_ug"] for each in pieces)]
    parts = [ceil_div(after, UG_PER_G) - ceil_div(before, UG_PER_G) for before, after in pairwise(sums)]
    return {
        "pieces": [_told(each) | {"carbon_g": part} for each, part in zip(pieces, parts, strict=True)],
        "restart_s": restart_s,
        "total_minor": total,
        "carbon_g": ceil_div(carbon, UG_PER_G),
        "whole": {"offer": {"id": beside.public_id, "title": beside.title}, **_told(run)},
        "saved": {
            "total_minor": run["total_minor"] - total,
            "carbon_g": ceil_div(run["carbon_ug"], UG_PER_G) - ceil_div(carbon, UG_PER_G),
        },
    }  # fmt: skip


def _span(facts: OfferFacts, offer: Offer, span: Span, snapshot: Snapshot, units: int) -> dict[str, Any]:
    start, end = map(moment, span)
    return {
        "start": rfc3339(start),
        "end": rfc3339(end),
        "seconds": span[1] - span[0],
        "total_minor": price_of(offer, units, start, end)[1],
        "carbon_ug": carbon_ug_of(facts, [span], snapshot.first_hour_s, units),
    }


def _told(each: dict[str, Any]) -> dict[str, Any]:
    """The same with carbon in g."""
    kept = {name: value for name, value in each.items() if name != "carbon_ug"}
    return kept | {"carbon_g": ceil_div(each["carbon_ug"], UG_PER_G)}


def carbon_ug_of(facts: OfferFacts, spans: Iterable[Span], first_hour_s: int, units: int) -> int:
    """The expected life-cycle carbon of `units` at full power over [start, end) of each span, in µg rounded up."""
    mg_seconds = 0
    for start_s, end_s in spans:
        for hour in range(start_s // HOUR_S, -(-end_s // HOUR_S)):
            used = min(end_s, (hour + 1) * HOUR_S) - max(start_s, hour * HOUR_S)
            mg_seconds += facts.ci_mg[hour - first_hour_s // HOUR_S] * used
    return ceil_div(mg_seconds * facts.watts * units, HOUR_S)
