"""The matcher again, slow and plain: every column of every ask, no arrays, nothing of the core but its types."""

from typing import NamedTuple

from scheduler.core.types import HOUR_S, Ask, Snapshot
from tests.core.reference_columns import Column, Market

Units = dict[str, list[int]]  # by offer and hour


class Greedy(NamedTuple):
    """What became of the asks: the columns of those that were placed, all in the order of decision, what is left."""

    columns: dict[str, Column]
    order: list[Ask]
    free: Units


def decide(snapshot: Snapshot) -> list[tuple[str, str, int, int]]:
    """[(ask, offer, start, z)] in the order of decision."""
    columns = place_all(Market(snapshot)).columns
    return [(ask, column.offer, column.start_s, column.z) for ask, column in columns.items()]


def place_all(market: Market) -> Greedy:
    free, columns, order = market.units("free"), {}, in_order(market)
    for members in order:
        if members[0].gang is None:
            column = best(market, members[0], free)
            found = None if column is None or waits(market, members[0], column) else [column]
        else:
            found = together(market, members, free)
        for ask, column in zip(members, found or (), strict=False):
            take(free, column, ask.units)
            columns[ask.id] = column
    return Greedy(columns, [ask for members in order for ask in members], free)


def in_order(market: Market) -> list[list[Ask]]:
    """Asks alone and whole gangs, the largest member first: those due by when, then by utility per unit-hour."""
    units: dict[tuple[str, object], list[Ask]] = {}
    for ask in sorted(market.asks.values(), key=lambda a: (-a.units, a.id) if a.gang is not None else (0, a.id)):
        units.setdefault(("alone", ask.id) if ask.gang is None else ("gang", ask.gang), []).append(ask)
    whole = [each for each in units.values() if market.is_whole(each[0])]
    due = [each for each in whole if market.is_due(each[0])]
    due.sort(key=lambda each: (max(a.due_s for a in each), min(a.id for a in each)))
    others = [each for each in whole if not market.is_due(each[0])]
    others.sort(key=lambda each: (density(market, each), min(a.id for a in each)))
    return due + others


def take(free: Units, column: Column, units: int) -> None:
    for hour in range(column.first, column.beyond):
        free[column.offer][hour] -= units


def together(market: Market, members: list[Ask], free: Units) -> list[Column] | None:
    """The columns of all members at the start of the lowest z over all units; the earliest if one wants it now."""
    found = []
    for number in range(1 if any(in_a_hurry(market, ask) for ask in members) else market.snapshot.hours):
        left = {offer: list(hours) for offer, hours in free.items()}
        columns = []
        for ask in members:
            column = best(market, ask, left, number)
            if column is None:
                break
            take(left, column, ask.units)
            columns.append(column)
        else:
            cost = sum(ask.units * column.z for ask, column in zip(members, columns, strict=True))
            found.append((0 if any(a.when == "now" for a in members) else cost, number, columns))
    return min(found)[2] if found else None


def in_a_hurry(market: Market, ask: Ask) -> bool:
    """A short run that would start now if nothing were promised, of a gang that is not due."""
    return not market.is_due(ask) and 2 * ask.run_s <= HOUR_S and would_start_now(market, ask)


def would_start_now(market: Market, ask: Ask) -> bool:
    """Whether it would if nothing were promised."""
    empty = best(market, ask, market.units("units_total"))
    return empty is not None and empty.start_s <= market.snapshot.now_s


def is_open(column: Column, free: Units, units: int) -> bool:
    return min(free[column.offer][column.first : column.beyond]) >= units


def best(market: Market, ask: Ask, free: Units, number: int | None = None) -> Column | None:
    """The column that `ask` likes best of those open; at the start of that number if one is given."""
    found = (
        column
        for column in market.columns[ask.id]
        if number in (None, column.number) and is_open(column, free, ask.units)
    )
    return min(found, default=None)


def density(market: Market, members: list[Ask]) -> int:
    """Utility per unit-hour of all members, each on the column it likes best alone; 1 where one has none."""
    columns = [best(market, ask, market.units("free")) for ask in members]
    if None in columns:
        return 1
    hours = sum(ask.units * (column.beyond - column.first) for ask, column in zip(members, columns, strict=True))
    return -(sum(column.utility for column in columns) // hours)


def waits(market: Market, ask: Ask, column: Column) -> bool:
    """A short run pushed into a later hour only by a lack of units now (docs/decisions/0002)."""
    if column.start_s <= market.snapshot.now_s or market.is_due(ask):
        return False
    return 2 * column.run_s <= HOUR_S * (column.beyond - column.first) and would_start_now(market, ask)
