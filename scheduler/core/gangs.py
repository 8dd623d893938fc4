"""Gangs: asks that take one start together, or none of them any (gang scheduling, Ousterhout 1982).

Of the starts that every member may take, the one of the lowest z, summed over the units of all; the members choose in
the order of greedy, the largest first, each its best column of that start on what those before it left. The z of a
member while the others have taken nothing is no more than its z in the end, so most starts need no trial.
"""

import numpy as np

from scheduler.core.columns import FIELDS, read_column, take, write_column
from scheduler.core.compiled import compiled, lean
from scheduler.core.facts import Facts, Scratch
from scheduler.core.market import Ints
from scheduler.core.room import Room
from scheduler.core.scan import best_column
from scheduler.core.tables import FAR, INCOMPLETE, NOW

NO_START = -1


@compiled
def gang_at(facts: Facts, order: Ints, position: int) -> Ints:
    """The members of the gang whose first in `order` is at `position`; nobody where it is another, or some lack."""
    gang, number = facts.asks.gang, facts.asks.gang[order[position]]
    beyond = position
    if number != INCOMPLETE and (position == 0 or gang[order[position - 1]] != number):
        while beyond < order.size and gang[order[beyond]] == number:
            beyond += 1
    return order[position:beyond]


@compiled
def place_gang(facts: Facts, members: Ints, starts: int, room: Room, scratch: Scratch, columns: Ints) -> int:
    """Place all `members` at one of the first `starts`, or none; how many offers were examined."""
    if not members.size:
        return 0
    least, examined = least_by_start(facts, members, starts, room, scratch)
    found = np.empty((members.size, FIELDS), np.int64)
    fits, looked = choose_start(facts, members, least, room, scratch, found)
    for place in range(members.size if fits else 0):
        take(room, facts.shelf.group, read_column(found, place), facts.asks.units[members[place]])
        columns[members[place]] = found[place]
    return examined + looked


@compiled
def choose_start(
    facts: Facts, members: Ints, least: Ints, room: Room, scratch: Scratch, found: Ints
) -> tuple[bool, int]:
    """Whether all fit at some start, then with their columns of the best one in `found`; how many were examined.

    The best is the one of the lowest z, of equals the earliest; the earliest of all where a member wants to start now.
    """
    at_once = (facts.asks.when[members] == NOW).any()
    order = np.arange(least.size) if at_once else np.argsort(least, kind="mergesort")
    chosen, most, examined, tried = NO_START, FAR, 0, np.empty_like(found)
    for start in order:
        if least[start] > most or (at_once and chosen != NO_START):
            break
        if least[start] == FAR:
            continue
        cost, looked = try_start(facts, members, start, room, scratch, tried)
        examined += looked
        if cost < most or (cost == most and start < chosen):
            chosen, most = start, cost
            found[:] = tried
    return chosen != NO_START, examined


@compiled
def least_by_start(facts: Facts, members: Ints, starts: int, room: Room, scratch: Scratch) -> tuple[Ints, int]:
    """For each of the first `starts` at most the z of all `members`, summed over units; and how many were examined.

    FAR where one finds nothing. Neighbours that are alike cost alike.
    """
    least, examined, asks = np.zeros(starts, np.int64), 0, facts.asks
    for start in range(least.size):
        cost = 0
        for place in range(members.size):
            ask = members[place]
            if place == 0 or asks.alike[ask] != asks.alike[members[place - 1]]:
                best, looked = best_column(facts, ask, room, scratch, start)
                examined += looked
                cost = asks.units[ask] * best.z
                if best.offer < 0:
                    least[start] = FAR
                    break
            least[start] += cost
    return least, examined


@lean
def try_start(facts: Facts, members: Ints, start: int, room: Room, scratch: Scratch, columns: Ints) -> tuple[int, int]:
    """The z of all `members` from `start` on, summed over units, FAR where they do not fit; and the offers examined.

    Their columns are written to `columns`, by place; `room` is left as it was.
    """
    total, examined, placed = 0, 0, 0
    for ask in members:
        best, looked = best_column(facts, ask, room, scratch, start)
        examined += looked
        if best.offer < 0:
            total = FAR
            break
        take(room, facts.shelf.group, best, facts.asks.units[ask])
        write_column(columns, placed, best)
        total += facts.asks.units[ask] * best.z
        placed += 1
    for place in range(placed):
        take(room, facts.shelf.group, read_column(columns, place), -facts.asks.units[members[place]])
    return total, examined
