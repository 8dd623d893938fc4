"""Columns as rows of an array, and their hours taken from the room or given back."""

from scheduler.core.compiled import lean
from scheduler.core.market import Ints
from scheduler.core.room import Room, note_hours
from scheduler.core.scan import Column, Facts

FIELDS = len(Column._fields)
OFFER, START_S, RUN_S, FIRST, BEYOND, RUN_COST, Z = range(FIELDS)


@lean
def write_column(columns: Ints, ask: int, column: Column) -> None:
    """Set the row of `ask`."""
    columns[ask, OFFER] = column.offer
    columns[ask, START_S] = column.start_s
    columns[ask, RUN_S] = column.run_s
    columns[ask, FIRST] = column.first
    columns[ask, BEYOND] = column.beyond
    columns[ask, RUN_COST] = column.run_cost
    columns[ask, Z] = column.z


@lean
def read_column(columns: Ints, ask: int) -> Column:
    """The row of `ask`."""
    row = columns[ask]
    return Column(row[OFFER], row[START_S], row[RUN_S], row[FIRST], row[BEYOND], row[RUN_COST], row[Z])


@lean
def take(facts: Facts, room: Room, column: Column, units: int) -> None:
    """Take `units` of the hours of `column`; negative ones are given back."""
    for hour in range(column.first, column.beyond):
        room.free[column.offer, hour] -= units
    note_hours(room, facts.shelf.group[column.offer], column.offer, column.first, column.beyond)
