"""Asks placed one after another, each on the exact best column that is left, found ahead of time on two threads.

Units only become fewer. So a best column found earlier is still the best as long as it is open, for all asks alike, and
where one found nothing the others will not. The asks of a chunk look for their columns together, on what the chunk
before left; then they take them one by one, and the few whose column went in between look again. Where many asks are
alike, they keep their KEPT best columns at once and look again when all of these are gone.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from scheduler.core.columns import FIELDS, OFFER, Column, no_column, read_column, take, write_column
from scheduler.core.compiled import Aside, compiled, lean, settled, side_by_side
from scheduler.core.facts import Facts, Scratch, new_scratch
from scheduler.core.gangs import gang_at, place_gang
from scheduler.core.market import Ints
from scheduler.core.room import Room, has_units
from scheduler.core.scan import best_column, best_columns
from scheduler.core.starts import ANY
from scheduler.core.tables import ALONE, FAR
from scheduler.core.types import HOUR_S

NOT_ASKED = -1
UNSEEN = -2  # in place of the offer: nobody looked ahead
CHUNK = 128  # of a longer one more asks look twice, of a shorter one the threads meet too often
WORTH_A_THREAD = 1_000  # asks
MANY, KEPT = 8, 32  # asks that are alike, and the columns they keep


class Turn(NamedTuple):
    """What placing knows by now."""

    last: Ints  # [asks, fields] the best column, by number of alike
    wished: Ints  # [asks] the start when empty, by number of alike
    foreseen: Ints  # [CHUNK, fields] by place in the chunk
    asked: Ints  # [2, asks] by half of a chunk and number of alike: in which chunk it looked ahead last
    columns: Ints  # [asks, fields] taken
    pool: Ints  # [asks] by number of alike: where MANY are, their row in `kept`, else NOT_ASKED
    kept: Ints  # [pools, KEPT, fields] the best columns, when they were looked for
    held: Ints  # [pools] how many these are; UNSEEN before
    gone: Ints  # [pools] how many of them are gone


def look(facts: Facts, room: Room) -> Ints:
    """[asks, fields] the best column of every ask, as if it came first.

    Asks of one kind look one behind the other: what they read is still at hand.
    """
    order = np.argsort(neighbours(facts)[facts.asks.kind], kind="stable")
    parts = side_by_side(lambda first, beyond: look_part(facts, room, order[first:beyond]), order.size)
    columns = np.empty((order.size, FIELDS), dtype=np.int64)
    columns[order] = np.concatenate(parts)
    return columns


def neighbours(facts: Facts) -> Ints:
    """[kinds] a number for each kind; those of near numbers look at the same offers from the same place."""
    tastes = facts.tastes
    number = np.empty_like(tastes.mask)
    number[np.lexsort((tastes.place, tastes.mask))] = np.arange(tastes.mask.size)
    return number


def in_halves(facts: Facts, order: Ints) -> Ints:
    """The positions of `order`, those of each half of a chunk by which offers their asks look at."""
    position, kinds = np.arange(order.size), facts.tastes.mask.size
    half = 2 * position // CHUNK
    return np.argsort((half * kinds + neighbours(facts)[facts.asks.kind[order]]) * CHUNK + position % CHUNK)


@compiled
def look_part(facts: Facts, room: Room, asks: Ints) -> Ints:
    """The same for some `asks`, in their order; asks that are alike are looked at once."""
    alike, scratch = facts.asks.alike, new_scratch(facts)
    columns, like = np.empty((asks.size, FIELDS), dtype=np.int64), np.full(alike.size, NOT_ASKED)
    for row, ask in enumerate(asks):
        if like[alike[ask]] != NOT_ASKED:
            columns[row] = columns[like[alike[ask]]]
            continue
        best, _ = best_column(facts, ask, room, scratch, ANY)
        write_column(columns, row, best)
        like[alike[ask]] = row
    return columns


def place(facts: Facts, order: Ints, first: Ints, room: Room, empty: Room) -> tuple[Ints, int]:
    """Place asks in `order`, taking units of `room`; the columns taken, and how many offers were examined.

    `first` is what `look` found before anything was taken. A short run does not take a later hour only for lack of
    units now: it waits (docs/decisions/0002), and its gang with it.
    """
    turn, scratch = begin(facts, first, CHUNK, MANY, KEPT), new_scratch(facts)
    if order.size < WORTH_A_THREAD:
        return turn.columns, place_part(facts, order, 0, order.size, False, room, empty, turn, scratch)
    return turn.columns, place_ahead(facts, order, room, empty, turn, scratch)


def place_ahead(facts: Facts, order: Ints, room: Room, empty: Room, turn: Turn, scratch: Scratch) -> int:
    """Place many asks, of each chunk ahead on two threads; how many offers were examined."""
    examined, spare, size, looks = 0, new_scratch(facts), order.size, in_halves(facts, order)
    look_ahead = settled(foresee, facts, order, looks, 0, room, turn, scratch)
    place_chunk = settled(place_part, facts, order, 0, 0, True, room, empty, turn, scratch)
    with Aside() as aside:
        for start in range(0, size, CHUNK):
            beyond = min(start + CHUNK, size)
            half = start + CHUNK // 2
            aside.begin(partial(look_ahead, facts, order, looks[half:beyond], 1, room, turn, spare))
            examined += look_ahead(facts, order, looks[start:half], 0, room, turn, scratch)
            examined += aside.end()
            examined += place_chunk(facts, order, start, beyond, True, room, empty, turn, scratch)
    return examined


@compiled
def begin(facts: Facts, first: Ints, chunk: int, many: int, kept: int) -> Turn:
    """Nothing placed, and `first` the best columns; where `many` asks are alike, they keep `kept` of them."""
    alike, last = facts.asks.alike, first.copy()
    pool, pools = np.full(alike.size, NOT_ASKED), 0
    for ask in range(alike.size):
        last[alike[ask]] = first[ask]
    for number, shared in enumerate(np.bincount(alike, minlength=1) >= many):
        if shared:
            pool[number], pools = pools, pools + 1
    return Turn(
        last, np.full(alike.size, NOT_ASKED), np.empty((chunk, FIELDS), np.int64), np.full((2, alike.size), NOT_ASKED),
        np.full(first.shape, -1, np.int64), pool, np.empty((pools, kept, FIELDS), np.int64), np.full(pools, UNSEEN),
        np.zeros(pools, np.int64),
    )  # fmt: skip


@compiled
def foresee(facts: Facts, order: Ints, looks: Ints, half: int, room: Room, turn: Turn, scratch: Scratch) -> int:
    """Write what the asks at the positions `looks` of `order`, a half of a chunk, like best by now.

    Returns how many offers were examined. UNSEEN where the best column so far is open, where one before that is alike
    looked, or many keep theirs.
    """
    chunk, alike, asked, examined = turn.foreseen.shape[0], facts.asks.alike, turn.asked[half], 0
    for position in looks:
        ask, row = order[position], position % chunk
        turn.foreseen[row, OFFER] = UNSEEN
        known = asked[alike[ask]] == position // chunk or turn.pool[alike[ask]] != NOT_ASKED
        if known or facts.asks.gang[ask] != ALONE:
            continue
        asked[alike[ask]] = position // chunk
        best = read_column(turn.last, alike[ask])
        if best.offer < 0 or has_units(room.free, best.offer, best.first, best.beyond, facts.asks.units[ask]):
            continue
        best, looked = best_column(facts, ask, room, scratch, ANY)
        examined += looked
        write_column(turn.foreseen, row, best)
    return examined


@compiled
def place_part(
    facts: Facts, order: Ints, start: int, beyond: int, ahead: bool, room: Room, empty: Room, turn: Turn,
    scratch: Scratch,
) -> int:  # fmt: skip
    """Place the asks `order[start:beyond]`, which looked `ahead` or did not; how many offers were examined."""
    examined, alike = 0, facts.asks.alike
    for position in range(start, beyond):
        ask = order[position]
        if facts.asks.gang[ask] != ALONE:
            members = gang_at(facts, order, position)
            starts = 1 if any_would_wait(facts, members, empty, turn.wished, scratch) else room.free.shape[1]
            examined += place_gang(facts, members, starts, room, scratch, turn.columns)
            continue
        row = position % turn.foreseen.shape[0] if ahead else UNSEEN
        examined += renew(facts, ask, row, room, turn, scratch)
        best = read_column(turn.last, alike[ask])
        if best.offer < 0:
            continue
        if would_wait(facts, ask, best) and would_start(facts, ask, empty, turn.wished, scratch) <= facts.clock.now_s:
            continue
        take(room, facts.shelf.group, best, facts.asks.units[ask])
        write_column(turn.columns, ask, best)
    return examined


@lean
def renew(facts: Facts, ask: int, row: int, room: Room, turn: Turn, scratch: Scratch) -> int:
    """Make `last` of `ask` the best column that is open; how many offers were examined.

    What was foreseen in `row` (or UNSEEN) is the best as long as it is open, and nothing stays nothing.
    """
    number, units = facts.asks.alike[ask], facts.asks.units[ask]
    best = read_column(turn.last, number)
    if best.offer < 0 or has_units(room.free, best.offer, best.first, best.beyond, units):
        return 0
    if turn.pool[number] != NOT_ASKED:
        return draw(facts, ask, turn.pool[number], room, turn, scratch)
    if row != UNSEEN and turn.foreseen[row, OFFER] != UNSEEN:
        best = read_column(turn.foreseen, row)
        if best.offer < 0 or has_units(room.free, best.offer, best.first, best.beyond, units):
            write_column(turn.last, number, best)
            return 0
    best, examined = best_column(facts, ask, room, scratch, ANY)
    write_column(turn.last, number, best)
    return examined


@lean
def draw(facts: Facts, ask: int, pool: int, room: Room, turn: Turn, scratch: Scratch) -> int:
    """Make `last` of `ask` the first of its kept columns that is open; how many offers were examined to fill them."""
    examined, kept, units, number = 0, turn.kept[pool], facts.asks.units[ask], facts.asks.alike[ask]
    while True:
        while turn.gone[pool] < turn.held[pool]:
            best = read_column(kept, turn.gone[pool])
            if has_units(room.free, best.offer, best.first, best.beyond, units):
                write_column(turn.last, number, best)
                return examined
            turn.gone[pool] += 1
        if 0 <= turn.held[pool] < kept.shape[0]:  # there were no others
            write_column(turn.last, number, no_column())
            return examined
        turn.held[pool], looked = best_columns(facts, ask, room, scratch, kept, ANY)
        turn.gone[pool] = 0
        examined += looked


@lean
def would_start(facts: Facts, ask: int, empty: Room, wished: Ints, scratch: Scratch) -> int:
    """When `ask` would start if nothing were promised, looked up once for all asks alike."""
    number = facts.asks.alike[ask]
    if wished[number] == NOT_ASKED:
        best, _ = best_column(facts, ask, empty, scratch, ANY)
        wished[number] = best.start_s
    return int(wished[number])


@lean
def would_wait(facts: Facts, ask: int, column: Column) -> bool:
    """Whether a column that is not now would block more of its hours than the run uses."""
    if column.start_s <= facts.clock.now_s or facts.asks.due[ask] < FAR:
        return False
    return 2 * column.run_s <= HOUR_S * (column.beyond - column.first)


@lean
def any_would_wait(facts: Facts, members: Ints, empty: Room, wished: Ints, scratch: Scratch) -> bool:
    """Whether one of `members` is so short that it would rather wait for units now."""
    for ask in members:
        short = 2 * facts.asks.run_s[ask] <= HOUR_S and facts.asks.due[ask] == FAR
        if short and would_start(facts, ask, empty, wished, scratch) <= facts.clock.now_s:
            return True
    return False
