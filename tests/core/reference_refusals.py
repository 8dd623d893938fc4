"""Why asks wait again, slow and plain: every start on every offer with the names of the limits it fails.

As the specification has it (matching.md, section 2): what rejects how many offers, and the smallest change that helps.
Of a run that would end beyond the horizon only the hours before it are measured.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from scheduler.core.types import HOUR_S, MAX_RUN_S, START_MARGIN_S, Ask, Relax, Unplaced
from tests.core.reference import Units, best, is_open
from tests.core.reference_columns import (
    CLAIMS,
    FACT,
    MEASURES,
    PFLOP_HOUR,
    Market,
    Run,
    cost_of,
    is_at_a_site,
    passes,
    run_on,
    seconds_by_hour,
    starts_of,
)

CODES = {  # in the order in which limits are told, and under which name
    "accelerator": "hardware", "hardware": "hardware", "family": "hardware", "memory_gb__gte": "memory_gb",
    "interconnect": "interconnect", "tier": "tier", "term": "term", "currency": "currency", "residency": "residency",
    "region": "region", "site": "region", "offer": "offer", "provider": "provider", "kind": "kind",
    "latency_ms__lte": "latency", "price__lte": "price", "price_pflop__lte": "price", "total__lte": "total",
    "renewable_share__gte": "renewable", "matched_share__gte": "matched", "carbon_free_share__gte": "carbon_free",
    "carbon_g_per_kwh__lte": "carbon", "carbon_cap_g": "carbon_cap", "notice_s__gte": "notice_s",
    "boot_s__lte": "boot_s", "reliability__gte": "reliability", "energy_source": "energy_source",
    "temporal_resolution": "temporal_resolution", "evidence": "evidence", "free__gte": "free",
    "egress": "network", "served": "served", "excluded_sites": "region", "window": "window", "units": "capacity",
}  # fmt: skip
ROUNDED = {  # a value as the limit that surely admits it
    "renewable_share__gte": lambda ppm: ppm // 10_000 * 10_000,
    "matched_share__gte": lambda ppm: ppm // 10_000 * 10_000,
    "carbon_free_share__gte": lambda ppm: ppm // 10_000 * 10_000,
    "reliability__gte": lambda ppm: ppm // 10_000 * 10_000,
    "carbon_g_per_kwh__lte": lambda mg: -(-mg // 1000) * 1000,
    "price__lte": lambda mm: -(-mm // 1000),
    "price_pflop__lte": lambda mm: -(-mm // 1000),
}
UNKNOWN = 1 << 62  # as far as can be from what was asked
Change = tuple[str, object]


class Tried(NamedTuple):
    """One start on one offer, whatever it fails."""

    run: Run
    start_s: int
    exists: bool  # ends within the horizon
    failed: frozenset[str]
    open: int  # units free in all of its hours
    z: int


def refusals(market: Market, placed: Collection[str], free: Units) -> tuple[Unplaced, ...]:
    """Why each ask that has no place waits, where `free` is left."""
    return tuple(refusal(market, ask, free) for ask in market.asks.values() if ask.id not in placed)


def refusal(market: Market, ask: Ask, free: Units) -> Unplaced:
    if not market.is_whole(ask):
        return Unplaced(ask.id, "gang_incomplete", {}, ())
    if any(is_open(column, market.units("units_total"), ask.units) for column in market.columns[ask.id]):
        fitted = best(market, ask, market.units("free")) is not None
        code = "no_capacity" if not fitted else "outbid" if ask.gang is None else "gang_incomplete"
        tried = tried_by(market, ask, free)
    else:
        tried = tried_by(market, ask, market.units("units_total"))
        code = "no_offer_fits" if opens_later(market, ask, tried) else "never_fits"
    return Unplaced(ask.id, code, rejected(tried), relax(ask, tried))


def opens_later(market: Market, ask: Ask, tried: list[Tried]) -> bool:
    """Whether its window lies beyond the known hours, and nothing else speaks against some offer."""
    end_s = market.snapshot.horizon_end(due=market.is_due(ask))
    beyond = ask.start_after_s is not None and ask.start_after_s + ask.run_s > end_s
    return beyond and any(each.failed == {"window"} for each in tried)


def tried_by(market: Market, ask: Ask, free: Units) -> list[Tried]:
    """By start, then by offer; no starts from which no offer ends in time."""
    end_s = market.snapshot.horizon_end(due=market.is_due(ask))
    least = min((run_on(ask, offer) for offer in market.offers.values()), default=1)
    return [
        tried(market, ask, offer, start_s, end_s, free[offer])
        for _, start_s in starts_of(market.snapshot, ask)
        if start_s + least <= end_s
        for offer in market.offers
    ]


def tried(market: Market, ask: Ask, name: str, start_s: int, horizon_s: int, free: list[int]) -> Tried:
    offer, snapshot = market.offers[name], market.snapshot
    run_s = run_on(ask, offer)
    end_s = start_s + run_s
    run = Run(ask, offer, run_s, seconds_by_hour(snapshot, start_s, min(end_s, horizon_s)), offer.free)
    open_ = min(free[hour] for hour in run.seconds)
    late = ask.finish_by_s is not None and end_s + START_MARGIN_S > ask.finish_by_s
    failed = {limit for limit, wanted in ask.limits.items() if not passes(run, limit, wanted)}
    failed |= {"window"} if end_s > horizon_s or late or start_s < (ask.start_after_s or 0) else set()
    failed |= {"units"} if open_ < ask.units else set()
    failed |= set() if is_at_a_site(ask, offer) else {"excluded_sites"}
    z = cost_of(snapshot, run, start_s) * PFLOP_HOUR // (run_s * offer.pf_milli)
    return Tried(run, start_s, end_s <= horizon_s, frozenset(failed), open_, z)


def by_offer(tried: list[Tried]) -> Mapping[str, list[Tried]]:
    offers: dict[str, list[Tried]] = {}
    for each in tried:
        offers.setdefault(each.run.offer.id, []).append(each)
    return offers


def rejected(tried: list[Tried]) -> dict[str, int]:
    """{code: offers none of whose starts passes it}."""
    counts = {
        code: sum(
            all(code in {CODES[name] for name in each.failed} for each in starts) for starts in by_offer(tried).values()
        )
        for code in CODES.values()
    }
    return {code: count for code, count in counts.items() if count}


def relax(ask: Ask, tried: list[Tried]) -> tuple[Relax, ...]:
    """Each limit that alone keeps offers away; where nothing fits and there is none, the pair of the lowest z."""
    fitting = {each.run.offer.id for each in tried if not each.failed}
    others = [each for each in tried if each.exists and each.run.offer.id not in fitting]
    names = [name for name in CODES if any(name in each.failed for each in tried)]
    ways = list(filter(None, (way(ask, others, (name,)) for name in names)))
    if ways or fitting:
        return tuple(sorted(ways, key=lambda each: (-each.offers, each.z, each.limits)))
    pairs = filter(None, (way(ask, others, pair) for pair in combinations(names, 2)))
    return tuple(sorted(pairs, key=lambda each: (each.z, each.limits))[:1])


def way(ask: Ask, tried: list[Tried], names: tuple[str, ...]) -> Relax | None:
    """What brings those back that fail `names` alone: the change that admits the nearest of them."""
    only = [each for each in tried if each.failed == set(names)]
    nearest = min(only, key=lambda each: distance(each, names), default=None)
    if nearest is None or ("units" in names and not nearest.open):
        return None
    changes = tuple(change for name in names for change in changes_of(ask, nearest, name))
    to = ", ".join(changes[0][1]) if isinstance(changes[0][1], tuple) else changes[0][1]
    return Relax(
        limits=tuple(CODES[name] for name in names), offers=len(by_offer(only)), offer=nearest.run.offer.id,
        z=nearest.z, to=to, changes=changes,
    )  # fmt: skip


def distance(each: Tried, names: tuple[str, ...]) -> int:
    """How far a start is from what was asked; of two limits, and of what is no number, the lowest z is the nearest."""
    [name] = names if len(names) == 1 else ["both"]
    if name in MEASURES:
        value = MEASURES[name][0](each.run)
        return UNKNOWN if value is None else -value if name.endswith("__gte") else value
    if name == "units":
        return -each.open
    if name == "window":
        early = each.start_s < (each.run.ask.start_after_s or 0)
        return each.start_s + each.run.run_s + (MAX_RUN_S if early else 0)
    return each.z


def changes_of(ask: Ask, each: Tried, name: str) -> Iterable[Change]:
    """[(limit, new value)]: None drops it."""
    if name == "window":
        return window_of(ask, each)
    if name == "units":
        return [("units", each.open)]
    if name in MEASURES:
        value = MEASURES[name][0](each.run)
        return [(name, None if value is None else ROUNDED.get(name, int)(value))]
    if name in {*CLAIMS, "energy_source", "temporal_resolution", "evidence", "excluded_sites"}:
        return [(name, None)]
    wanted = ask.limits[name]
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    return [(name, (*wanted, getattr(each.run.offer, FACT.get(name, name))))]


def window_of(ask: Ask, each: Tried) -> Iterable[Change]:
    """Either end of the window, or both."""
    end_s = each.start_s + each.run.run_s
    if ask.finish_by_s is not None and end_s + START_MARGIN_S > ask.finish_by_s:
        yield "finish_by", -(-(end_s + START_MARGIN_S) // HOUR_S) * HOUR_S
    if ask.start_after_s is not None and each.start_s < ask.start_after_s:
        yield "start_after", each.start_s
