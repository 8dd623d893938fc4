"""Snapshot → plan: due asks first, then density greedy (Dantzig 1957) with the exact best column per ask.

Asks with equal limits, place, rates and run share their scored columns. A short run does not take a later hour only for
lack of units now: it waits (docs/decisions/0002).
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from scheduler.core import relaxing
from scheduler.core.feasibility import BIT, WINDOW, Feasibility, judge
from scheduler.core.market import Ints, Market, Windows, windows
from scheduler.core.scoring import NEVER, PFLOP_HOUR, Columns, Pricing, columns, rates_of
from scheduler.core.types import HOUR_S, Ask, Placement, Plan, Rates, Snapshot, Unplaced

HEAD = 128  # columns remembered per class; the rest is scored again if ever needed
CLASSES = 16  # classes kept whole: a thousand would fill gigabytes
PRICINGS = 64
WAITING_HOURS = 24
K = TypeVar("K")
V = TypeVar("V")


class Column(NamedTuple):
    """One start on one offer, with all a placement needs: `pick` is the offer's index in the market."""

    pick: int
    start_s: int
    end_s: int
    first: int  # hours touched: [first, beyond)
    beyond: int
    run_s: int
    run_cost: int
    z: int


@dataclass(frozen=True)
class Scored:
    """What all asks of one class share: columns, limits, and the key of every column that passes all but capacity."""

    market: Market
    columns: Columns
    limits: Feasibility
    key: Ints

    @property
    def spans(self) -> Windows:
        return self.columns.windows

    @cached_property
    def least_total(self) -> Ints:
        """Fewest units that exist in any hour of each column; only refusals need to know."""
        return self.spans.least(self.market.units_total)

    def columns_at(self, places: Ints) -> list[Column]:
        """The columns at these places of the flattened arrays."""
        spans, costs = self.spans, self.columns
        start, offer = np.divmod(places, self.key.shape[1])
        facts = (
            spans.picks[offer],
            spans.starts[start],
            spans.ends[start, offer],
            spans.first[start],
            spans.last[start, offer] + 1,
            spans.run[offer],
            costs.run_cost[start, offer],
            costs.z[start, offer],
        )
        return [Column(*row) for row in zip(*(fact.tolist() for fact in facts), strict=True)]


@dataclass
class Head:
    """The best columns of a class, lowest key first. `complete`: there are no others. Those before `at` are taken."""

    columns: list[Column]
    complete: bool
    at: int = 0


class Round:
    """One market while its asks are being placed; `market.free` shrinks with every placement."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.market = Market(snapshot)
        self.now_s = snapshot.now_s
        self._scored: OrderedDict[Ask, Scored] = OrderedDict()
        self._pricing: OrderedDict[tuple[str | None, Rates], Pricing] = OrderedDict()
        self._heads: dict[tuple[Ask, int], Head] = {}

    def scored(self, ask: Ask) -> Scored:
        """The class of `ask`, scored once for all who ask in a row."""
        kind = class_of(ask, self.now_s)
        if kind not in self._scored:
            self._scored[kind] = self._score(ask)
        return _kept(self._scored, kind, CLASSES)

    def _score(self, ask: Ask) -> Scored:
        rates = rates_of(ask, self.market.reference)
        taste = (ask.near, rates)
        if taste not in self._pricing:
            self._pricing[taste] = Pricing(self.market, ask.near, rates)
        spans = windows(self.market, ask)
        scored = columns(self.market, _kept(self._pricing, taste, PRICINGS), ask, spans)
        limits = judge(self.market, ask, spans)
        return Scored(self.market, scored, limits, np.where(limits.failed == 0, scored.key, NEVER))

    def best(self, ask: Ask) -> Column | None:
        """The column of lowest key with enough free units; None when there is none.

        Units only become fewer during a round, so a column passed over once is never looked at again.
        """
        kind = class_of(ask, self.now_s), ask.units
        if kind not in self._heads:
            scored = self.scored(ask)
            self._heads[kind] = _head(scored, scored.key)
        head = self._heads[kind]
        while True:
            while head.at < len(head.columns):
                if self.fits(ask, head.columns[head.at]):
                    return head.columns[head.at]
                head.at += 1
            if head.complete:
                return None
            scored = self.scored(ask)
            open_ = scored.spans.least(self.market.free) >= ask.units
            head = self._heads[kind] = _head(scored, np.where(open_, scored.key, NEVER))

    def empty_best(self, ask: Ask) -> Column | None:
        """The column the ask would take if nothing were promised."""
        scored = self.scored(ask)
        key = np.where(scored.least_total >= ask.units, scored.key, NEVER)
        if not key.size or int(key.min()) >= NEVER:
            return None
        return scored.columns_at(np.array([key.argmin()]))[0]

    def fits(self, ask: Ask, column: Column) -> bool:
        """Whether every hour of the column has the units."""
        return bool(self.market.free[column.first : column.beyond, column.pick].min() >= ask.units)

    def take(self, ask: Ask, column: Column) -> tuple[int, ...]:
        """Take the column's units; the unix seconds of its hours."""
        self.market.free[column.first : column.beyond, column.pick] -= ask.units
        first = self.market.snapshot.first_hour_s
        return tuple(first + HOUR_S * hour for hour in range(column.first, column.beyond))

    def take_hours(self, placement: Placement) -> None:
        """Take the hours of a placement decided before, so that the next is looked at on what it left."""
        pick = next(index for index, offer in enumerate(self.market.offers) if offer.id == placement.offer)
        hours = [(second - self.market.snapshot.first_hour_s) // HOUR_S for second in placement.hours]
        self.market.free[hours, pick] -= placement.units


def _kept(cache: OrderedDict[K, V], key: K, most: int) -> V:
    """The entry, which becomes the last to be forgotten."""
    cache.move_to_end(key)
    if len(cache) > most:
        cache.popitem(last=False)
    return cache[key]


def _head(scored: Scored, key: Ints) -> Head:
    """The lowest keys that are not NEVER; ties keep their order: the earlier start, then the lower offer id."""
    flat = key.ravel()
    complete = True
    if flat.size > HEAD:
        bound = np.partition(flat, HEAD - 1)[HEAD - 1]
        complete = bool(bound >= NEVER)
        places = np.flatnonzero(flat <= bound)
    else:
        places = np.arange(flat.size)
    places = places[flat[places] < NEVER]
    ordered = places[np.argsort(flat[places], kind="stable")][:HEAD]
    return Head(scored.columns_at(ordered), complete)


def class_of(ask: Ask, now_s: int) -> Ask:
    """`ask` without what only its own turn depends on: equal ones share their scored columns."""
    same = replace(
        ask,
        id="",
        submitted_s=0,
        due_s=0 if ask.is_due(now_s) else None,
        start_after_s=None if (ask.start_after_s or 0) <= now_s else ask.start_after_s,
        bid_mm=None,
        age_mm=0,
        share_mm=0,
        limits=Frozen(ask.limits),
        time_limit_by_class=Frozen(ask.time_limit_by_class),
    )
    return same if "total__lte" in ask.limits or "carbon_cap_g" in ask.limits else replace(same, units=1)


class Frozen(dict[str, Any]):
    """A mapping that can be a part of a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items(), key=lambda item: item[0])))


def utility(market: Market, ask: Ask, column: Column) -> int:
    """U = max(1, V - units*run_cost) with V = work*(bid + soft + age + share), in mm (matching.md, section 5)."""
    reference = market.reference
    rates = rates_of(ask, reference)
    limit = ask.limits.get("price_pflop__lte")
    bid = ask.bid_mm if ask.bid_mm is not None else 1000 * int(limit) if isinstance(limit, int) else 2 * reference.p_mid
    soft = rates.latency_value * reference.s_l + rates.green_value + WAITING_HOURS * rates.waiting_value
    value = min(bid, 2 * reference.p_mid) + soft + ask.age_mm + ask.share_mm
    if ask.reference_pf_milli is None:
        work = column.run_s * int(market.pf_milli[column.pick])
    else:
        work = ask.run_s * ask.reference_pf_milli
    return max(1, ask.units * work * value // PFLOP_HOUR - ask.units * column.run_cost)


def match(snapshot: Snapshot) -> Plan:
    """Place the asks of `snapshot`. Equal bytes in give equal bytes out."""
    state = Round(snapshot)
    due = sorted((ask for ask in snapshot.asks if ask.is_due(snapshot.now_s)), key=lambda ask: (ask.due_s or 0, ask.id))
    others = [ask for ask in snapshot.asks if not ask.is_due(snapshot.now_s)]
    at_first = {ask.id: state.best(ask) for ask in snapshot.asks}
    ordered = sorted(others, key=lambda ask: _density(state, ask, at_first[ask.id]))
    placed: list[Placement] = []
    unplaced: list[Unplaced] = []
    for ask in (*due, *ordered):
        decision = _place(state, ask, at_first)
        if isinstance(decision, Placement):
            placed.append(decision)
        else:
            unplaced.append(decision)
    return Plan(tuple(placed), tuple(sorted(unplaced, key=lambda each: each.ask)))


def _density(state: Round, ask: Ask, column: Column | None) -> tuple[int, str]:
    """Highest utility per unit-hour first; ids break ties."""
    if column is None:
        return 1, ask.id
    return -(utility(state.market, ask, column) // (ask.units * (column.beyond - column.first))), ask.id


def _place(state: Round, ask: Ask, at_first: Mapping[str, Column | None]) -> Placement | Unplaced:
    column = state.best(ask)
    if column is None or _would_rather_wait(state, ask, column):
        return _refusal(state, ask, fitted_alone=at_first[ask.id] is not None)
    return Placement(
        ask=ask.id,
        offer=state.market.offers[column.pick].id,
        start_s=column.start_s,
        end_s=column.end_s,
        units=ask.units,
        hours=state.take(ask, column),
        run_cost=column.run_cost,
        z=column.z,
        u=utility(state.market, ask, column),
    )


def _would_rather_wait(state: Round, ask: Ask, column: Column) -> bool:
    """Whether only the lack of units now pushes a short run into a later hour, most of which it would block unused."""
    if column.start_s <= state.now_s or ask.is_due(state.now_s):
        return False
    if 2 * column.run_s > HOUR_S * (column.beyond - column.first):
        return False
    wished = state.empty_best(ask)
    return wished is not None and wished.start_s <= state.now_s


def _opens_later(state: Round, ask: Ask, failed: Ints) -> bool:
    """Whether the window of `ask` lies beyond the hours known yet, and nothing else speaks against some offer."""
    beyond = ask.start_after_s is not None and ask.start_after_s + ask.run_s > state.market.horizon_end(ask)
    return beyond and bool((failed == BIT[WINDOW]).any())


def refusal_of(state: Round, ask: Ask, scored: Scored) -> relaxing.Refusal:
    """`ask` on the market as it stands, with every column's failures."""
    least = scored.spans.least(state.market.free)
    failed = scored.limits.with_capacity(least, ask.units)
    return relaxing.Refusal(state.market, ask, scored.columns, failed, dict(scored.limits.metrics), least)


def _refusal(state: Round, ask: Ask, *, fitted_alone: bool) -> Unplaced:
    scored = state.scored(ask)
    refusal = refusal_of(state, ask, scored)
    if state.empty_best(ask) is None:
        empty = scored.limits.with_capacity(scored.least_total, ask.units)
        alone = replace(refusal, failed=empty, least_free=scored.least_total)
        code = "no_offer_fits" if _opens_later(state, ask, empty) else "never_fits"
        return Unplaced(ask.id, code, relaxing.rejected(empty), relaxing.relax(alone))
    code = "outbid" if fitted_alone else "no_capacity"
    return Unplaced(ask.id, code, relaxing.rejected(refusal.failed), relaxing.relax(refusal))
