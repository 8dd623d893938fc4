"""Every column of every ask, slow and plain: one start on one offer, what it costs, and what the ask has of it.

Cost, limits and utility are those of the specification (matching.md, sections 1, 2 and 5), in whole numbers of any size
with floor division. Nothing is shared with the core but its types.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scheduler.core.types import DUE_HORIZON_S, HOUR_S, START_MARGIN_S, Ask, OfferFacts, Rates, Reference, Snapshot

PFLOP_HOUR = 1000 * HOUR_S
WEIGHTS = {"cheapest": (100, 0, 0), "greenest": (5, 0, 95)}
EVIDENCE = ("declared", "documents", "metered", "audited")
CLAIMS = ("egress", "served")
FACT = {"residency": "country", "offer": "id"}  # where an offer calls a limit's fact by another name


class Column(NamedTuple):
    """The lower of two is the one that the ask likes better: they compare by `key`, start and offer."""

    key: tuple[int, int]  # the start where the ask wants the earliest, else 0; then z
    start_s: int
    offer: str
    number: int  # of the start: 0 is now or pinned, n the n-th whole hour
    first: int  # hours touched: [first, beyond)
    beyond: int
    run_s: int
    cost: int  # mm per unit
    z: int
    utility: int


class Run(NamedTuple):
    """An ask on an offer: the seconds it takes of each hour."""

    ask: Ask
    offer: OfferFacts
    run_s: int
    seconds: dict[int, int]
    began: tuple[int, ...]  # units free as the round began

    def total(self, hourly: Sequence[int]) -> int:
        """Sum of value x seconds."""
        return sum(hourly[hour] * seconds for hour, seconds in self.seconds.items())


class Market:
    """A snapshot with the columns of each of its asks that keep to every limit, whatever is free; by ids."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.offers = {offer.id: offer for offer in sorted(snapshot.offers, key=lambda each: each.id)}
        self.asks = {ask.id: ask for ask in sorted(snapshot.asks, key=lambda each: each.id)}
        self.columns = {ask.id: columns_of(self, ask) for ask in self.asks.values()}

    def members(self, ask: Ask) -> list[Ask]:
        """The asks that start together with `ask`."""
        return [ask] if ask.gang is None else [each for each in self.asks.values() if each.gang == ask.gang]

    def is_whole(self, ask: Ask) -> bool:
        """Whether all members of its gang are there."""
        members = self.members(ask)
        return ask.gang is None or all(each.gang_size == len(members) for each in members)

    def is_due(self, ask: Ask) -> bool:
        """Whether it goes before every bid; a gang does when all its members do."""
        together = self.members(ask) if self.is_whole(ask) else [ask]
        return all(each.is_due(self.snapshot.now_s) for each in together)

    def units(self, name: str) -> dict[str, list[int]]:
        """Units by offer and hour: those `free` or those in `units_total`."""
        return {offer.id: list(getattr(offer, name)) for offer in self.offers.values()}


def columns_of(market: Market, ask: Ask) -> list[Column]:
    found = []
    for offer in market.offers.values():
        run_s = run_on(ask, offer)
        for number, start_s in starts_of(market.snapshot, ask):
            if is_in_time(market, ask, start_s, run_s):
                run = Run(ask, offer, run_s, seconds_by_hour(market.snapshot, start_s, start_s + run_s), offer.free)
                if all(passes(run, name, limit) for name, limit in ask.limits.items()) and is_at_a_site(ask, offer):
                    found.append(column_of(market.snapshot, run, number, start_s))
    return found


def run_on(ask: Ask, offer: OfferFacts) -> int:
    """How long it runs: as stated for the class, or scaled from the class it is stated for."""
    if offer.hardware in ask.time_limit_by_class:
        return ask.time_limit_by_class[offer.hardware]
    if ask.reference_pf_milli is None:
        return ask.run_s
    return min(-(-ask.run_s * ask.reference_pf_milli // offer.pf_milli), 2 * DUE_HORIZON_S)


def starts_of(snapshot: Snapshot, ask: Ask) -> list[tuple[int, int]]:
    """[(number, unix seconds)]: now and every whole hour, or the pinned start."""
    if ask.start_s is not None:
        return [(0, ask.start_s)] if ask.start_s >= snapshot.now_s else []
    hours = [(number, snapshot.first_hour_s + HOUR_S * number) for number in range(1, snapshot.hours)]
    return [(0, snapshot.now_s), *hours]


def is_in_time(market: Market, ask: Ask, start_s: int, run_s: int) -> bool:
    end_s = start_s + run_s
    if end_s > market.snapshot.horizon_end(due=market.is_due(ask)) or start_s < (ask.start_after_s or 0):
        return False
    return ask.finish_by_s is None or end_s + START_MARGIN_S <= ask.finish_by_s


def seconds_by_hour(snapshot: Snapshot, start_s: int, end_s: int) -> dict[int, int]:
    begin, end = start_s - snapshot.first_hour_s, end_s - snapshot.first_hour_s
    hours = range(begin // HOUR_S, -(-end // HOUR_S))
    return {hour: min(end, HOUR_S * (hour + 1)) - max(begin, HOUR_S * hour) for hour in hours}


def up(number: int, divisor: int) -> int:
    """The quotient rounded up."""
    return -(-number // divisor)


def mean_share(run: Run, hourly: Sequence[int]) -> int | None:
    return run.total(hourly) // run.run_s if hourly else None


def way_to(run: Run) -> int | None:
    """ms from where the ask is; None where nobody measured it."""
    return None if run.ask.near is None else run.offer.latency_ms.get(run.ask.near)


MEASURES: dict[str, tuple[Callable[[Run], int | None], int]] = {  # what is compared with a limit, and the limit's unit
    "memory_gb__gte": (lambda run: run.offer.memory_gb, 1),
    "notice_s__gte": (lambda run: run.offer.notice_s, 1),
    "boot_s__lte": (lambda run: run.offer.boot_s, 1),
    "reliability__gte": (lambda run: run.offer.reliability_ppm, 1),
    "latency_ms__lte": (way_to, 1),
    "free__gte": (lambda run: min(run.began[hour] for hour in run.seconds), 1),
    "price__lte": (lambda run: up(run.total(run.offer.price), run.run_s), 1000),
    "price_pflop__lte": (lambda run: up(run.total(run.offer.price) * 1000, run.run_s * run.offer.pf_milli), 1000),
    "total__lte": (lambda run: run.ask.units * run.total(run.offer.price) // PFLOP_HOUR, 1),
    "renewable_share__gte": (lambda run: mean_share(run, run.offer.share_ppm), 1),
    "matched_share__gte": (lambda run: mean_share(run, run.offer.matched_ppm), 1),
    "carbon_free_share__gte": (lambda run: mean_share(run, run.offer.carbon_free_ppm), 1),
    "carbon_g_per_kwh__lte": (lambda run: up(run.total(run.offer.ci_mg), run.run_s), 1),
    "carbon_cap_g": (
        lambda run: up(up(run.total(run.offer.ci_mg), HOUR_S) * run.offer.watts * run.ask.units, 10**6), 1
    ),
}  # fmt: skip


def passes(run: Run, name: str, limit: object) -> bool:
    """Whether a column keeps to one limit; what is unknown keeps to none."""
    if name in MEASURES:
        measure, unit = MEASURES[name]
        value, bound = measure(run), int(limit) * unit
        return value is not None and (value >= bound if name.endswith("__gte") else value <= bound)
    fact = getattr(run.offer, FACT.get(name, name))
    if name in CLAIMS:
        return bool(fact) or not limit
    choices = limit if isinstance(limit, tuple) else (limit,)
    if name == "energy_source":
        return not set(choices).isdisjoint(fact)
    if name == "temporal_resolution":
        fine = ("hour", "day", "month", "year")
        return fact in fine and fine.index(fact) <= fine.index(str(limit))
    if name == "evidence":
        return EVIDENCE.index(fact) >= min(map(EVIDENCE.index, choices))
    return fact in choices


def is_at_a_site(ask: Ask, offer: OfferFacts) -> bool:
    """Whether it lies at none of the sites that the ask leaves out."""
    return offer.site not in ask.excluded_sites


def rates_of(ask: Ask, reference: Reference) -> Rates:
    """What an ask pays per ms, share, hour of waiting and kg of carbon."""
    if ask.rates is not None and ask.when in ("balanced", "now"):
        return ask.rates
    price, latency, green = WEIGHTS.get(ask.when, ask.weights)
    waiting = reference.p_mid // 100 if ask.waiting_value is None else ask.waiting_value
    return Rates(
        reference.s_p * latency // (reference.s_l * price), reference.s_p * green // price,
        0 if ask.when in WEIGHTS else waiting, ask.carbon_price if ask.rates is None else ask.rates.carbon_price,
    )  # fmt: skip


def column_of(snapshot: Snapshot, run: Run, number: int, start_s: int) -> Column:
    ask, offer = run.ask, run.offer
    cost = cost_of(snapshot, run, start_s)
    z = cost * PFLOP_HOUR // (run.run_s * offer.pf_milli)
    utility = max(1, value_of(snapshot.reference, run) - ask.units * cost)
    key = (start_s if ask.when == "now" else 0, z)
    return Column(key, start_s, offer.id, number, min(run.seconds), max(run.seconds) + 1, run.run_s, cost, z, utility)


def cost_of(snapshot: Snapshot, run: Run, start_s: int) -> int:
    """mm per unit for the whole run: price, latency, green, carbon, and what waiting costs."""
    ask, offer, reference = run.ask, run.offer, snapshot.reference
    rates, ms = rates_of(ask, reference), way_to(run)
    beyond_free = max(0, ms - reference.free_ms) if ms is not None else reference.s_l if ask.near is not None else 0
    latency = rates.latency_value * offer.pf_milli // 1000 * beyond_free
    per_share = rates.green_value * offer.pf_milli // 1000
    hourly = [
        price + latency + per_share * (10**6 - share) // 10**6 + rates.carbon_price * offer.watts * carbon // 10**9
        for price, share, carbon in zip(offer.price, offer.share_ppm, offer.ci_mg, strict=True)
    ]
    late = max(0, start_s - max(snapshot.now_s, ask.start_after_s or 0))
    waiting = rates.waiting_value * offer.pf_milli // 1000 * run.run_s * late // HOUR_S**2
    return run.total(hourly) // HOUR_S + waiting


def value_of(reference: Reference, run: Run) -> int:
    """V: the work of the run, on the class it is stated for, at what a PFLOP-hour is worth to the ask."""
    ask, rates = run.ask, rates_of(run.ask, reference)
    limit = ask.limits.get("price_pflop__lte")
    bid = ask.bid_mm if ask.bid_mm is not None else 2 * reference.p_mid if limit is None else 1000 * int(limit)
    soft = rates.latency_value * reference.s_l + rates.green_value + 24 * rates.waiting_value
    work = ask.run_s * ask.reference_pf_milli if ask.reference_pf_milli else run.run_s * run.offer.pf_milli
    return ask.units * work * (min(bid, 2 * reference.p_mid) + soft + ask.age_mm + ask.share_mm) // PFLOP_HOUR
