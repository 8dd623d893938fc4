"""The search again, slow and plain: a plan as dictionaries, one move after another, the second search after the first.

The only floats are what a plan may lose (heat) and what a unit-hour leaves, by which asks are sorted once.
"""

from collections.abc import Iterable
from typing import NamedTuple

from scheduler.core.types import Ask
from tests.core.reference import Units
from tests.core.reference_columns import Column
from tests.core.reference_prices import Pool, Prices, left_of, running

MOST_DISPLACED = 12
HEAD, DRAWN, TRIED, NEXT = 60, 4, 16, 128
WHOLE, FIRST_SHARE = 1024, 205
LOOK_BACK = 1000
MASK = (1 << 64) - 1
Moved = list[tuple[Ask, Column | None]]  # asks that a move touched, with the column each had before


class SplitMix64:
    """Steele, Lea, Flood 2014; the upper 63 bits of each number."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def __call__(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
        return (z ^ (z >> 31)) >> 1

    def below(self, count: int) -> int:
        """By the upper 32 bits of a number (Lemire 2019)."""
        return (self() >> 31) * count >> 32


class Guide(NamedTuple):
    """What does not change: the asks in their order, their columns by what they leave, prices, and what is left."""

    asks: list[Ask]
    pool: Pool
    prices: Prices
    left: dict[str, dict[Column, int]]
    most: dict[str, int]  # what the best column of an ask leaves, 0 where all leave less

    def worth(self, ask: Ask, column: Column | None, share: int) -> int:
        """What a column leaves and `share` parts of its price; nothing for no column."""
        if column is None:
            return 0
        left = self.left[ask.id][column]
        return left + (column.utility - left) * share // WHOLE


def guide_of(asks: list[Ask], pool: Pool, prices: Prices) -> Guide:
    """Columns are sorted by what they leave, most first, equal ones as they stood."""
    sums = running(prices)
    left = {ask.id: {column: left_of(column, ask.units, sums) for column in pool[ask.id]} for ask in asks}
    ordered = {name: sorted(pool[name], key=lambda column: -left[name][column]) for name in pool}
    return Guide(asks, ordered, prices, left, {name: max([0, *left[name].values()]) for name in left})


class State:
    """A plan under way: the column of each ask that has one, what is free, and who is on each offer, in an order."""

    def __init__(self, guide: Guide, free: Units) -> None:
        self.guide = guide
        self.column: dict[str, Column] = {}
        self.free = {offer: list(hours) for offer, hours in free.items()}
        self.held: dict[str, list[Ask]] = {offer: [] for offer in free}

    def copy(self) -> "State":
        other = State(self.guide, self.free)
        other.column, other.held = dict(self.column), {offer: list(asks) for offer, asks in self.held.items()}
        return other

    @property
    def utility(self) -> int:
        return sum(column.utility for column in self.column.values())

    def fits(self, column: Column, units: int) -> bool:
        return min(self.free[column.offer][column.first : column.beyond]) >= units

    def take(self, ask: Ask, column: Column) -> None:
        for hour in range(column.first, column.beyond):
            self.free[column.offer][hour] -= ask.units
        self.held[column.offer].append(ask)
        self.column[ask.id] = column

    def leave(self, ask: Ask) -> None:
        """Take `ask` off its column; who is last on the offer takes its place in the order."""
        column = self.column.pop(ask.id)
        for hour in range(column.first, column.beyond):
            self.free[column.offer][hour] += ask.units
        held = self.held[column.offer]
        place = held.index(ask)
        held[place] = held[-1]
        held.pop()

    def first_open(self, ask: Ask, most: int | None = None) -> Column | None:
        """Of the `most` columns that leave most the first that is open."""
        return next((column for column in self.guide.pool[ask.id][:most] if self.fits(column, ask.units)), None)

    def fill(self, order: Iterable[Ask]) -> None:
        """Place those who have no place, one after another."""
        for ask in order:
            column = self.first_open(ask) if ask.id not in self.column else None
            if column is not None:
                self.take(ask, column)

    def regret(self, ask: Ask) -> int:
        """What it has less than its best column leaves."""
        has = self.guide.left[ask.id][self.column[ask.id]] if ask.id in self.column else 0
        return self.guide.most[ask.id] - has


def by_what_is_left(guide: Guide) -> list[Ask]:
    """Asks by what their best column leaves per unit-hour, those without columns last."""

    def most(ask: Ask) -> float:
        left = guide.left[ask.id]
        return max((left[c] / (ask.units * (c.beyond - c.first)) for c in left), default=float("-inf"))

    return sorted(guide.asks, key=lambda ask: -most(ask))


def search(state: State, moves: int, seed: int) -> State:
    """The better of two plans; the first if they are equal."""
    heat = state.utility // max(1, len(state.column))
    found = [improve(state.copy(), moves, seed ^ number, heat) for number in (0, 1)]
    return max(found, key=lambda each: each.utility)


def improve(state: State, moves: int, seed: int, heat: int) -> State:
    """The best plan seen at the end, or at a move whose number LOOK_BACK divides."""
    random, gained, best, kept = SplitMix64(seed), 0, 0, dict(state.column)
    wanting = [ask for ask in state.guide.asks if state.guide.pool[ask.id]]
    for move in range(moves if wanting else 0):
        ask = max((wanting[random.below(len(wanting))] for _ in range(DRAWN)), key=state.regret)
        share = WHOLE - (WHOLE - FIRST_SHARE) * (moves - move) // moves
        moved: Moved = []
        column, before = choose(state, ask, share, random), state.utility
        done = column is None or eject(state, ask, column, share, moved)
        delta = sum(
            state.guide.worth(each, state.column.get(each.id), share) - state.guide.worth(each, had, share)
            for each, had in moved
        )
        cooled = 1.0 - move / moves
        if done and delta > -heat * (cooled * cooled):  # a product: pow() need not round like one
            gained += state.utility - before
        else:
            roll_back(state, moved)
        if gained > best and (move % LOOK_BACK == 0 or move == moves - 1):
            best, kept = gained, dict(state.column)
    if gained < best:
        restore(state, kept)
    return state


def choose(state: State, ask: Ask, share: int, random: SplitMix64) -> Column | None:
    """Of up to TRIED columns drawn the one that leaves most; what nobody holds costs less by `share` of its price."""
    guide, columns = state.guide, state.guide.pool[ask.id][:HEAD]
    best, most = None, None
    for _ in range(min(len(columns), TRIED)):
        column = columns[random.below(len(columns))]
        if column == state.column.get(ask.id):
            continue
        hours = slice(column.first, column.beyond)
        priced = zip(guide.prices[column.offer][hours], state.free[column.offer][hours], strict=True)
        idle = sum(price * min(ask.units, units) for price, units in priced)
        left = guide.left[ask.id][column] + idle * share // WHOLE
        if most is None or left > most:
            best, most = column, left
    return best


def eject(state: State, ask: Ask, column: Column, share: int, moved: Moved) -> bool:
    """Place `ask`, displacing whom it must, who then look elsewhere; False where that are too many or nobody helps."""
    moved.append((ask, state.column.get(ask.id)))
    if ask.id in state.column:
        state.leave(ask)
    while not state.fits(column, ask.units):
        victim = cheapest_in_the_way(state, column, ask.units, share)
        if victim is None or len(moved) - 1 == MOST_DISPLACED:
            return False
        moved.append((victim, state.column[victim.id]))
        state.leave(victim)
    state.take(ask, column)
    for victim, _ in moved[1:]:
        other = state.first_open(victim, NEXT)
        if other is not None:
            state.take(victim, other)
    return True


def cheapest_in_the_way(state: State, column: Column, units: int, share: int) -> Ask | None:
    """Of those who hold an hour that is short the one worth least; of equal ones the first in the order."""
    short = {hour for hour in range(column.first, column.beyond) if state.free[column.offer][hour] < units}
    in_the_way = [
        ask
        for ask in state.held[column.offer]
        if short & set(range(state.column[ask.id].first, state.column[ask.id].beyond))
    ]
    return min(in_the_way, key=lambda ask: state.guide.worth(ask, state.column[ask.id], share), default=None)


def roll_back(state: State, moved: Moved) -> None:
    for ask, _ in moved:
        if ask.id in state.column:
            state.leave(ask)
    for ask, column in moved:
        if column is not None:
            state.take(ask, column)


def restore(state: State, columns: dict[str, Column]) -> None:
    """Give every ask the column it has in `columns`."""
    for ask in state.guide.asks:
        if ask.id in state.column:
            state.leave(ask)
    for ask in state.guide.asks:
        if ask.id in columns:
            state.take(ask, columns[ask.id])
