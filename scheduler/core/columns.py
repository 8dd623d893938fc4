"""Columns, each one start of an ask on one offer: as rows of arrays, ranked, their hours taken and given back."""

from typing import NamedTuple

from scheduler.core.compiled import lean
from scheduler.core.market import Ints
from scheduler.core.room import Room, note_hours
from scheduler.core.tables import FAR


class Column(NamedTuple):
    """One start on one offer, or none (`offer` -1). `first` to `beyond` are the hours touched."""

    offer: int
    start_s: int
    run_s: int
    first: int
    beyond: int
    run_cost: int
    z: int


FIELDS = len(Column._fields)
OFFER, START_S, RUN_S, FIRST, BEYOND, RUN_COST, Z = range(FIELDS)


@lean
def no_column() -> Column:
    """Worse than every column."""
    return Column(-1, FAR, 0, 0, 0, 0, FAR)


@lean
def write_column(columns: Ints, row: int, column: Column) -> None:
    """Set a row."""
    columns[row, OFFER] = column.offer
    columns[row, START_S] = column.start_s
    columns[row, RUN_S] = column.run_s
    columns[row, FIRST] = column.first
    columns[row, BEYOND] = column.beyond
    columns[row, RUN_COST] = column.run_cost
    columns[row, Z] = column.z


@lean
def read_column(columns: Ints, row: int) -> Column:
    """A row as a column."""
    each = columns[row]
    return Column(each[OFFER], each[START_S], each[RUN_S], each[FIRST], each[BEYOND], each[RUN_COST], each[Z])


@lean
def take(room: Room, group: Ints, column: Column, units: int) -> None:
    """Take `units` of the hours of `column`; negative ones are given back. `group` [offers] is that of each offer."""
    for hour in range(column.first, column.beyond):
        room.free[column.offer, hour] -= units
    note_hours(room, group[column.offer], column.offer, column.first, column.beyond)


@lean
def better(rank: Ints, by_start: bool, column: Column, than: Column) -> bool:
    """Whether a column ranks before `than`: lower z (earlier start where that comes first), then start, then id."""
    if by_start and column.start_s != than.start_s:
        return column.start_s < than.start_s
    if column.z != than.z:
        return column.z < than.z
    if column.start_s != than.start_s:
        return column.start_s < than.start_s
    return than.offer < 0 or rank[column.offer] < rank[than.offer]


@lean
def worst_kept(kept: Ints, count: int) -> Column:
    """What a column must be better than to be kept in `kept` [most, fields], of which `count` rows are filled."""
    return read_column(kept, count - 1) if count == kept.shape[0] else no_column()


@lean
def keep(kept: Ints, count: int, rank: Ints, by_start: bool, column: Column) -> int:
    """Put a column that is better than the worst kept in its place, the best come first; the new count."""
    row = min(count, kept.shape[0] - 1)
    while row > 0 and better(rank, by_start, column, read_column(kept, row - 1)):
        write_column(kept, row, read_column(kept, row - 1))
        row -= 1
    write_column(kept, row, column)
    return count + 1 if count < kept.shape[0] else count
