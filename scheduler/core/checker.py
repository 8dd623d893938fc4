"""An independent look at a plan: plain loops over the snapshot, sharing no arithmetic with the matcher."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from scheduler.core.roomchecker import freed_hours, room_faults
from scheduler.core.types import HOUR_S, REPLAN, START_MARGIN_S, Ask, OfferFacts, Placement, Plan, Snapshot

LEAST_PIECE_S = 7200
Spans = Sequence[tuple[int, int]]  # [start, end) in unix seconds
FACTS = {
    "accelerator": "accelerator", "hardware": "hardware", "family": "family", "interconnect": "interconnect",
    "tier": "tier", "term": "term", "currency": "currency", "residency": "country", "region": "region", "site": "site",
    "offer": "id", "provider": "provider", "kind": "kind",
}  # fmt: skip
HOURLY = {
    "renewable_share__gte": "share_ppm", "matched_share__gte": "matched_ppm",
    "carbon_free_share__gte": "carbon_free_ppm",
}  # fmt: skip
PLAIN = {
    "memory_gb__gte": "memory_gb", "notice_s__gte": "notice_s", "boot_s__lte": "boot_s",
    "reliability__gte": "reliability_ppm",
}  # fmt: skip


def faults(snapshot: Snapshot, plan: Plan) -> list[str]:
    """Everything wrong with `plan`, in words; an empty list is a sound plan."""
    offers = {offer.id: offer for offer in snapshot.offers}
    asks = {ask.id: ask for ask in snapshot.asks}
    found = _oversold(snapshot, plan, offers)
    placed = [*plan.placed, *(each.placement for each in plan.preempting)]
    twice = Counter([each.ask for each in placed] + [each.ask for each in plan.unplaced])
    found += [f"{ask} is decided {count} times" for ask, count in twice.items() if count > 1]
    if snapshot.mode != REPLAN:  # where only who moves is named
        found += [f"{ask} is not decided" for ask in asks if ask not in twice]
    found += _torn(snapshot, plan)
    for placement in placed:
        found += [
            f"{placement.ask}: {fault}"
            for fault in broken(
                snapshot, asks[placement.ask], offers[placement.offer], placement, plan.pieces.get(placement.ask, ())
            )
        ]
    return found + room_faults(snapshot, plan)


def _oversold(snapshot: Snapshot, plan: Plan, offers: Mapping[str, OfferFacts]) -> list[str]:
    used = freed_hours(snapshot, plan)
    for placement in (*plan.placed, *(each.placement for each in plan.preempting)):
        for second in placement.hours:
            used[placement.offer, (second - snapshot.first_hour_s) // HOUR_S] += placement.units
        if placement.ask in snapshot.held:  # moves, and leaves what it has
            left = snapshot.held[placement.ask]
            used.subtract({(left.offer, (hour - snapshot.first_hour_s) // HOUR_S): left.units for hour in left.hours})
    return [
        f"offer {offer} is oversold in hour {hour}: {units} of {offers[offer].free[hour]}"
        for (offer, hour), units in used.items()
        if units > offers[offer].free[hour]
    ]


def _torn(snapshot: Snapshot, plan: Plan) -> list[str]:
    """Gangs of which only some are placed, or not all at one start."""
    starts = {each.ask: each.start_s for each in plan.placed}
    gangs: dict[int, list[Ask]] = {}
    for ask in snapshot.asks:
        if ask.gang is not None:
            gangs.setdefault(ask.gang, []).append(ask)
    return [
        f"gang {gang} does not start together"
        for gang, members in gangs.items()
        if len({starts.get(ask.id) for ask in members}) > 1
        or (members[0].id in starts and any(ask.gang_size != len(members) for ask in members))
    ]


def broken(
    snapshot: Snapshot, ask: Ask, offer: OfferFacts, placement: Placement, pieces: Spans = ()
) -> list[str]:  # fmt: skip
    """The limits of `ask` that a placement on `offer`, in `pieces` if there are any, breaks."""
    spans = pieces or ((placement.start_s, placement.end_s),)
    hours = _hours(snapshot, spans)
    touched = tuple(snapshot.first_hour_s + HOUR_S * hour for hour in hours)
    found = [] if touched == placement.hours and placement.units == ask.units else ["hours or units"]
    run = sum(end - start for start, end in spans)
    found += [] if run == _run(ask, offer) + (len(spans) - 1) * ask.restart_s else ["run"]
    found += _misshapen(ask, placement, pieces) if pieces else []
    earliest = max(snapshot.now_s, ask.start_after_s or 0)
    late = ask.finish_by_s is not None and spans[-1][1] > ask.finish_by_s - START_MARGIN_S
    found += ["window"] if placement.start_s < earliest or late else []
    found += ["excluded site"] if offer.site in ask.excluded_sites else []
    return found + [name for name, wanted in ask.limits.items() if not _holds(name, wanted, ask, offer, hours, run)]


def _misshapen(ask: Ask, placement: Placement, pieces: Spans) -> list[str]:
    """Pieces that are too many, too short or too near to each other."""
    short = any(end - start < LEAST_PIECE_S for start, end in pieces)
    close = any(later - end < 1 or later % HOUR_S or end % HOUR_S for (_, end), (later, _) in pairwise(pieces))
    first = (placement.start_s, placement.end_s) != pieces[0]
    return ["pieces"] if short or close or first or not 1 < len(pieces) <= ask.max_pieces else []


def _run(ask: Ask, offer: OfferFacts) -> int:
    if offer.hardware in ask.time_limit_by_class:
        return ask.time_limit_by_class[offer.hardware]
    if ask.reference_pf_milli is None:
        return ask.run_s
    return -(-ask.run_s * ask.reference_pf_milli // offer.pf_milli)


def _hours(snapshot: Snapshot, spans: Spans) -> dict[int, int]:
    """{hour: seconds of it that the run uses}."""
    used = {}
    for hour in range(snapshot.hours):
        start = snapshot.first_hour_s + HOUR_S * hour
        overlap = sum(max(0, min(end, start + HOUR_S) - max(begin, start)) for begin, end in spans)
        if overlap > 0:
            used[hour] = overlap
    return used


def _holds(name: str, wanted: object, ask: Ask, offer: OfferFacts, hours: dict[int, int], run: int) -> bool:
    if name in FACTS:
        return getattr(offer, FACTS[name]) in (wanted if isinstance(wanted, tuple) else (wanted,))
    if name in {"egress", "served"}:
        return bool(getattr(offer, name)) or not wanted
    if name == "energy_source":
        return any(each in offer.energy_sources for each in (wanted if isinstance(wanted, tuple) else (wanted,)))
    if name == "temporal_resolution":
        fine = ("hour", "day", "month", "year")
        return offer.temporal_resolution in fine[: fine.index(str(wanted)) + 1]
    if name == "evidence":
        order = ("declared", "documents", "metered", "audited")
        return order.index(offer.evidence) >= order.index(str(wanted))
    value = _value(name, ask, offer, hours, run)
    limit = int(wanted)  # type: ignore[call-overload]
    return value is not None and (value >= limit if name.endswith("__gte") else value <= limit)


def _value(name: str, ask: Ask, offer: OfferFacts, hours: dict[int, int], run: int) -> float | None:
    if name in PLAIN:
        known = getattr(offer, PLAIN[name])
        return None if known is None else float(known)
    if name == "latency_ms__lte":
        return offer.latency_ms.get(ask.near) if ask.near else None
    if name in HOURLY:
        series = getattr(offer, HOURLY[name])
        return sum(series[hour] * used for hour, used in hours.items()) / run if series else None
    if name == "free__gte":
        return min(offer.free[hour] for hour in hours)
    price = sum(offer.price[hour] * used for hour, used in hours.items())
    intensity = sum(offer.ci_mg[hour] * used for hour, used in hours.items())
    return {
        "price__lte": price / run / 1000,
        "price_pflop__lte": price / run / offer.pf_milli,
        "total__lte": ask.units * price // 3_600_000,
        "carbon_g_per_kwh__lte": intensity / run,
        "carbon_cap_g": ask.units * offer.watts * intensity / 3600 / 10**6,
    }[name]
