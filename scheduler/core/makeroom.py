"""The last step of a round: firm work for which interruptible work on the same machines ends (matching.md, section 5).

It looks at asks that the ordinary plan left waiting or placed dearly, those due first, then the oldest, and at one
column of each twin: the one that begins when the notice is over. So nobody ends for what begins later; such work waits,
and what holds its hours may be over by then. Where a clear column costs up to a quarter more, that one is taken. Gangs
take no part: neither does their work end, nor does other work end for them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scheduler.core.asks import columns_of
from scheduler.core.preemption import choose, freed, lost, spared
from scheduler.core.ranking import Ranked, Ranking, hours_between, rank_in
from scheduler.core.scoring import PFLOP_HOUR, rates_of
from scheduler.core.survey import Round
from scheduler.core.tables import bid_of, soft_value
from scheduler.core.types import HOUR_S, Ask, OfferFacts, Placement, Plan, Preemption, Reference, Snapshot, Victim

LOOKED = 100  # asks of one round that are looked into
CLEAR, MADE = 4, 5  # 1.25 x what the best column with victims costs is still fine for a clear one


@dataclass(frozen=True, slots=True)
class Way:
    """One ask on one twin: the column, who ends for it, and what both cost together, mm."""

    ranked: Ranked
    victims: tuple[Victim, ...]
    lost: int
    cost: int


class Machines:
    """What is left of the twins as asks are looked at in turn: free units per hour, and who may still end."""

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        self.snapshot = snapshot
        self.victims: dict[str, list[Victim]] = defaultdict(list)
        for victim in snapshot.victims:
            if not spared(victim, snapshot.now_s):
                self.victims[victim.twin].append(victim)
        self.twins = {offer.id: offer for offer in snapshot.offers if offer.id in self.victims}
        self.free = {name: list(offer.free) for name, offer in self.twins.items()}
        self._pool = {each.offer: each.twin for each in snapshot.victims} | {name: name for name in self.twins}
        for placement in plan.placed:
            self.take(placement)

    def take(self, placement: Placement, units: int = 1) -> None:
        """Take the hours of `placement`, or with `units` -1 give them back."""
        twin = self._pool.get(placement.offer, "")
        for second in placement.hours if twin in self.free else ():
            self.free[twin][self._number(second)] -= units * placement.units

    def end(self, way: Way, placement: Placement) -> None:
        """The victims end and `placement` takes their hours, as far as it needs them."""
        twin = placement.offer
        for number in range(len(self.free[twin])):
            self.free[twin][number] += freed(way.victims, self._second(number))
        self.victims[twin] = [each for each in self.victims[twin] if each not in way.victims]
        self.take(placement)

    def best(self, ask: Ask) -> Way | None:
        """The cheapest way to place `ask` now where somebody ends for it, `lost` included; ties to the lower id."""
        ways = filter(None, (self._way(ask, self.twins[name]) for name in sorted(self.twins)))
        return min(ways, key=lambda way: way.cost, default=None)

    def least(self, ask: Ask, offer: OfferFacts) -> int:
        """No column of `ask` on `offer` costs less, mm."""
        return ask.units * (min(offer.price) * run_of(ask, offer) // 3600)

    def _way(self, ask: Ask, offer: OfferFacts) -> Way | None:
        victims = self.victims[offer.id]
        column = self.column(ask, offer) if victims else None
        if column is None:
            return None
        free = {hour: self.free[offer.id][self._number(hour)] for hour in hours_between(column.start_s, column.end_s)}
        short = {hour: ask.units - left for hour, left in free.items() if left < ask.units}
        chosen = choose(victims, short, self.snapshot.now_s)
        if not chosen:
            return None
        loss = sum(lost(each, self.snapshot.now_s) for each in chosen)
        return Way(column, chosen, loss, ask.units * column.run_cost + loss)

    def column(self, ask: Ask, offer: OfferFacts) -> Ranked | None:
        """`ask` on `offer` from the end of the notice on, as if all who may end had ended; None if that cannot be."""
        start = self.snapshot.now_s + max(each.notice_s for each in self.victims[offer.id])
        if (ask.start_after_s or 0) > start or ask.start_s is not None:
            return None
        free = tuple(
            max(0, left) + freed(self.victims[offer.id], self._second(number))
            for number, left in enumerate(self.free[offer.id])
        )
        ranked = _alone(self.snapshot, replace(offer, free=free), ask, start).ranked
        return ranked[0] if ranked else None

    def _second(self, number: int) -> int:
        return self.snapshot.first_hour_s + HOUR_S * number

    def _number(self, second: int) -> int:
        return (second - self.snapshot.first_hour_s) // HOUR_S


def _alone(snapshot: Snapshot, offer: OfferFacts, ask: Ask, start_s: int) -> Ranking:
    """The one column of `ask` on `offer` that begins at `start_s`."""
    market = replace(snapshot, offers=(offer,), asks=(), warm={}, victims=())
    return rank_in(Round(market), replace(ask, start_s=start_s), with_relax=False)


def ranking_of(snapshot: Snapshot, made: Preemption) -> Ranking:
    """The column that a preemption takes, as a ranking of its offer alone, which explains it."""
    asks, placement = columns_of(snapshot.asks), made.placement
    offer = next(each for each in snapshot.offers if each.id == placement.offer)
    ask = asks[asks.place[placement.ask]]
    return _alone(snapshot, replace(offer, free=offer.units_total), ask, placement.start_s)


def make_room(snapshot: Snapshot, plan: Plan) -> Plan:
    """`plan` with firm asks placed where interruptible work ends for them."""
    machines, market = Machines(snapshot, plan), _Clear(snapshot, plan)
    made: dict[str, Preemption] = {}
    for ask, placed in _in_turn(snapshot, plan, machines):
        way = machines.best(ask)
        if way is None or not _worth_it(way, placed.run_cost * ask.units if placed else market.cost(ask)):
            continue
        placement = _placement(ask, way.ranked, snapshot.reference)
        if placed:
            machines.take(placed, -1)
        machines.end(way, placement)
        made[ask.id] = Preemption(placement, tuple(each.id for each in way.victims), way.lost)
    return replace(
        plan,
        placed=tuple(each for each in plan.placed if each.ask not in made),
        unplaced=tuple(each for each in plan.unplaced if each.ask not in made),
        preempting=tuple(made.values()),
    )


def _worth_it(way: Way, clear: int | None) -> bool:
    return clear is None or CLEAR * clear > MADE * way.cost


def _in_turn(snapshot: Snapshot, plan: Plan, machines: Machines) -> Iterator[tuple[Ask, Placement | None]]:
    """Asks that wait, then those that were placed where a twin could be far cheaper; each with its placement."""
    asks = columns_of(snapshot.asks)
    waiting = sorted((asks[asks.place[each.ask]] for each in plan.unplaced), key=_turn)
    alone = [(ask, None) for ask in waiting if ask.gang is None]
    placed = ((asks[asks.place[each.ask]], each) for each in plan.placed)
    dear = [(ask, each) for ask, each in placed if ask.gang is None and _may_be_dear(ask, each, machines)]
    yield from (alone + sorted(dear, key=lambda pair: _turn(pair[0])))[:LOOKED]


def _turn(ask: Ask) -> tuple[int, int, str]:
    return (ask.due_s or 0, ask.submitted_s, ask.id)


def _may_be_dear(ask: Ask, placed: Placement, machines: Machines) -> bool:
    clear = CLEAR * placed.run_cost * ask.units
    return any(clear > MADE * machines.least(ask, offer) for offer in machines.twins.values())


class _Clear:
    """The market as the plan leaves it, made when it is first asked."""

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        self._snapshot, self._placed = snapshot, plan.placed
        self._round: Round | None = None

    def cost(self, ask: Ask) -> int | None:
        """mm of the best clear column of an ask that waits; None where there is none."""
        if self._round is None:
            self._round = Round(self._snapshot)
            for placement in self._placed:
                self._round.take_hours(placement)
        ranked = rank_in(self._round, ask, with_relax=False).ranked
        return ask.units * ranked[0].run_cost if ranked else None


def run_of(ask: Ask, offer: OfferFacts) -> int:
    """Seconds that `ask` runs on `offer`."""
    if offer.hardware in ask.time_limit_by_class:
        return ask.time_limit_by_class[offer.hardware]
    if ask.reference_pf_milli is None:
        return ask.run_s
    return -(-ask.run_s * ask.reference_pf_milli // offer.pf_milli)


def _placement(ask: Ask, column: Ranked, reference: Reference) -> Placement:
    """The column as a placement, with its U (matching.md, section 5)."""
    value = bid_of(reference, ask) + soft_value(reference, rates_of(ask, reference)) + ask.age_mm + ask.share_mm
    work = ask.run_s * ask.reference_pf_milli if ask.reference_pf_milli else column.run_s * column.offer.pf_milli
    return Placement(
        ask=ask.id, offer=column.offer.id, start_s=column.start_s, end_s=column.end_s, units=ask.units,
        hours=tuple(hours_between(column.start_s, column.end_s)), run_cost=column.run_cost, z=column.z,
        u=max(1, ask.units * work * value // PFLOP_HOUR - ask.units * column.run_cost),
    )  # fmt: skip
