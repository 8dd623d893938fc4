"""Work that may run in pieces is cut where that is at least a hundredth cheaper than its contiguous run.

A round places every ask as a contiguous run first. Then, one ask after another in the order of decision, those that may
run in pieces give their hours back and take the cheapest pieces that the offers which fit them still have free, by the
same cost as every column; limits on means and totals are tested on the pieces. So the contiguous run always fits too:
whoever cannot have it waits, in pieces or not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scheduler.core.asks import columns_of
from scheduler.core.market import Ints, Market
from scheduler.core.pieces import NEVER, Hours, Work, cheapest, spans
from scheduler.core.ranking import Ranked, rank_in
from scheduler.core.scoring import PFLOP_HOUR, Pricing, ready_at
from scheduler.core.survey import Round
from scheduler.core.types import HOUR_S, REPLAN, START_MARGIN_S, Ask, OfferFacts, Placement, Plan, Snapshot

MOST_OFFERS = 16  # of those that fit, the cheapest for a contiguous run
MM_PER_MINOR = 1000
UG_PER_G = 10**6
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """Work on one offer in pieces: [begin, end) of each in unix seconds, costs in mm per unit as those of a column."""

    offer: OfferFacts
    spans: tuple[Span, ...]
    run_cost: int
    z: int

    @property
    def hours(self) -> tuple[int, ...]:
        """Unix seconds of every hour that a piece touches."""
        return tuple(hour for begin, end in self.spans for hour in range(begin // HOUR_S * HOUR_S, end, HOUR_S))


def cut(snapshot: Snapshot, plan: Plan) -> Plan:
    """`plan` with those asks in pieces that are better off so; what a plan is worth is not changed by it."""
    asks = columns_of(snapshot.asks)
    if snapshot.mode == REPLAN or not any(form.max_pieces > 1 for form in asks.forms):
        return plan
    round_ = Round(snapshot)
    for placement in plan.allocated:
        round_.take_hours(placement)
    placed, pieces = [], {}
    for placement in plan.placed:
        ask = asks[asks.place[placement.ask]]
        found = _better(round_, ask, placement) if ask.max_pieces > 1 and ask.gang is None else None
        if found is not None:
            pieces[ask.id] = found.spans
            placement = _placed(placement, found)  # noqa: PLW2901 - it is the same placement in pieces
        placed.append(placement)
    return replace(plan, placed=tuple(placed), pieces=pieces) if pieces else plan


def _better(round_: Round, ask: Ask, placement: Placement) -> Cut | None:
    """The pieces that are better than `placement`, their hours taken in its place; None, and nothing has changed."""
    round_.take_hours(replace(placement, units=-placement.units))
    found = best_cut(round_, ask, placement.z)
    round_.take_hours(placement if found is None else _placed(placement, found))
    return found


def _placed(placement: Placement, found: Cut) -> Placement:
    """The first piece is what it is placed for; `hours` are those of all."""
    (start_s, end_s), *_ = found.spans
    return replace(
        placement, offer=found.offer.id, start_s=start_s, end_s=end_s, hours=found.hours, run_cost=found.run_cost,
        z=found.z,
    )  # fmt: skip


def best_cut(round_: Round, ask: Ask, whole_z: int) -> Cut | None:
    """The cheapest pieces on the market as it stands if they cost a hundredth less than a run at `whole_z`.

    Of equal ones those on the offer that is cheapest for a contiguous run.
    """
    fitting = rank_in(round_, ask, with_relax=False).ranked[:MOST_OFFERS]
    cuts = [each for each in cuts_on(round_, ask, fitting) if each is not None and pays(each, whole_z)]
    return min(cuts, key=lambda each: each.z, default=None)


def pays(cut_: Cut, whole_z: int) -> bool:
    """Whether the pieces are a hundredth cheaper than a run at `whole_z`."""
    return 100 * cut_.z <= 99 * whole_z


def cuts_on(round_: Round, ask: Ask, fitting: Sequence[Ranked]) -> list[Cut | None]:
    """The cheapest pieces on the offer of each, None where one piece is as good or the pieces break a limit."""
    market = round_.market
    picks = np.array([market.index[each.offer.id] for each in fitting], dtype=np.int64)
    run = market.run_seconds(ask)[picks] if picks.size else picks
    found: dict[int, Cut | None] = {}
    for run_s in np.unique(run).tolist():
        same = picks[run == run_s]
        found |= zip(same.tolist(), _cut(market, round_.pricing(ask), ask, same, run_s), strict=True)
    return [found[pick] for pick in picks.tolist()]


def _cut(market: Market, pricing: Pricing, ask: Ask, picks: Ints, run_s: int) -> Iterator[Cut | None]:
    """The same for offers on which it runs equally long."""
    snapshot, work = market.snapshot, Work(run_s, ask.max_pieces, ask.restart_s)
    first, skipped_s = _earliest(snapshot, ask)
    begin_s = snapshot.first_hour_s + HOUR_S * first
    latest_s = market.horizon_end(ask) if ask.finish_by_s is None else min(
        market.horizon_end(ask), ask.finish_by_s - START_MARGIN_S
    )  # fmt: skip
    idle = pricing.waiting[picks] * run_s
    hours = Hours(
        pricing.hourly.values[first:-1, picks].T, ask.units <= market.free[first:, picks].T, idle,
        latest_s - begin_s, skipped_s,
    )  # fmt: skip
    chosen = cheapest(hours, work)
    waited = idle * (begin_s + skipped_s - ready_at(ask, snapshot.now_s)) // HOUR_S
    for row, pick in enumerate(picks.tolist()):
        parts = spans(chosen.seconds[row], skipped_s)
        if chosen.cost[row] >= NEVER or len(parts) < 2:
            yield None
            continue
        offer, run_cost = market.offers[pick], int(chosen.cost[row] + waited[row]) // HOUR_S
        z = run_cost * PFLOP_HOUR // (run_s * offer.pf_milli)
        used = {first + hour: int(chosen.seconds[row, hour]) for hour in np.flatnonzero(chosen.seconds[row]).tolist()}
        cut_ = Cut(offer, tuple((begin_s + begin, begin_s + end) for begin, end in parts), run_cost, z)
        yield cut_ if keeps_to(ask, offer, used) else None


def _earliest(snapshot: Snapshot, ask: Ask) -> tuple[int, int]:
    """(hour of the earliest start, seconds of it gone by): now, or the first whole hour of a later window."""
    if ask.start_after_s is None or ask.start_after_s <= snapshot.now_s:
        return 0, snapshot.now_s - snapshot.first_hour_s
    return -((snapshot.first_hour_s - ask.start_after_s) // HOUR_S), 0


def keeps_to(ask: Ask, offer: OfferFacts, used: Mapping[int, int]) -> bool:
    """Whether using so many seconds of these hours of `offer` keeps to the limits of `ask` on means and totals."""
    return all(MEASURES[name](ask, offer, used, int(limit)) for name, limit in ask.limits.items() if name in MEASURES)  # type: ignore[arg-type]  # these limits are numbers


def _sum(hourly: Sequence[int], used: Mapping[int, int]) -> int:
    return sum(hourly[hour] * seconds for hour, seconds in used.items())


Measure = Callable[[Ask, OfferFacts, Mapping[int, int], int], bool]
MEASURES: Mapping[str, Measure] = {
    "price__lte": lambda ask, offer, used, most: (
        _sum(offer.price, used) <= most * MM_PER_MINOR * sum(used.values())
    ),
    "price_pflop__lte": lambda ask, offer, used, most: (
        _sum(offer.price, used) * 1000 <= most * MM_PER_MINOR * sum(used.values()) * offer.pf_milli
    ),
    "total__lte": lambda ask, offer, used, most: (
        ask.units * _sum(offer.price, used) // (MM_PER_MINOR * HOUR_S) <= most
    ),
    "renewable_share__gte": lambda ask, offer, used, least: _sum(offer.share_ppm, used) >= least * sum(used.values()),
    "matched_share__gte": lambda ask, offer, used, least: _sum(offer.matched_ppm, used) >= least * sum(used.values()),
    "carbon_free_share__gte": lambda ask, offer, used, least: (
        bool(offer.carbon_free_ppm) and _sum(offer.carbon_free_ppm, used) >= least * sum(used.values())
    ),
    "carbon_g_per_kwh__lte": lambda ask, offer, used, most: _sum(offer.ci_mg, used) <= most * sum(used.values()),
    "carbon_cap_g": lambda ask, offer, used, most: (
        -(-_sum(offer.ci_mg, used) // HOUR_S) * offer.watts * ask.units <= most * UG_PER_G
    ),
    "free__gte": lambda ask, offer, used, least: min(offer.free[hour] for hour in used) >= least,
}  # fmt: skip
