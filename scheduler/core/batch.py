"""A batch: greedy, then prices, a plan guided by them, and search; the better plan, and the bound that judges it."""

from typing import NamedTuple

import numpy as np

from scheduler.core.best import NOTHING
from scheduler.core.columns import BEYOND, FIELDS, FIRST, OFFER, RUN_COST, RUN_S, START_S, Z, read_column
from scheduler.core.compiled import compiled, lean
from scheduler.core.facts import Facts, new_scratch
from scheduler.core.greedy import Decided, Ground, place_all, utilities
from scheduler.core.hopes import is_short
from scheduler.core.keptrooms import empty_room
from scheduler.core.market import Bools, Ints
from scheduler.core.pool import ANY_START, NO_START, NOW_ALONE, SHORT, Pool, floors_of, pool_of, sort_by_left
from scheduler.core.prices import Floats, Pace, paid_hours, price_hours_of, proven_by, proven_on, running
from scheduler.core.room import Room, open_room, start_of
from scheduler.core.scan import PFLOP_HOUR, best_column
from scheduler.core.search import NOBODY, State, by_what_is_left, empty_state, fill, guide_of, search
from scheduler.core.starts import ANY, run_on, starts_of
from scheduler.core.tables import ALONE, FAR, INCOMPLETE, NOW, PF_MILLI
from scheduler.core.types import HOUR_S

MOST_COLUMNS, LEAST_COLUMNS, COLUMNS = 1_024, 64, 256_000  # kept per ask, and of all asks
MOST_STEPS, LOOKS = 300, 45_000_000
# Steps after which the pool is drawn anew for the prices so far: columns nobody looked at would spoil the proof. With
# WIDE columns per ask fewer draws cost .0003 of the bound, with 64 of them a twentieth (measured).
STEPS_A_STAGE, WIDE_STEPS_A_STAGE, WIDE = 15, 25, 256


class Effort(NamedTuple):
    """How hard a batch tries (matching.md, section 6): price steps, and moves per ask up to a ceiling.

    `warm_steps` are those that follow prices kept from the round before.
    """

    steps: int
    moves_per_ask: int
    most_moves: int
    warm_steps: int = 20


BATCH, QUALITY = Effort(60, 200, 120_000), Effort(200, 1_000, 1_000_000, 200)


class Judged(NamedTuple):
    """A decision, the units it leaves free, the bound on every plan's utility (mm), and the prices that prove it."""

    decided: Decided
    free: Ints
    bound: int
    prices: Ints  # [offers, hours] mm per unit-hour
    moves: int
    steps: int  # of prices


def place_batch(ground: Ground, effort: Effort, seed: int, warm: Ints | None = None) -> Judged:
    """Place the asks of a market. Due asks and gangs stay where greedy put them: the first go before all others.

    To the bound the members of a gang are asks like any other, which proves more than enough.

    `warm` [offers, hours] are prices of the round before, mm per unit-hour, in the order of the table's offers. They
    are begun at unless what greedy got for its hours proves more already, as it does when a rush is over.
    """
    table, facts = ground.table, ground.facts
    greedy, left = place_all(ground)
    units, gang = table.asks.units, table.asks.gang
    settled = (table.asks.due < FAR) | (gang == INCOMPLETE)
    stays = settled | (gang != ALONE)
    free = _free_after(table.shelf.began, greedy.columns, units, stays)
    room = open_room(free, table.shelf.begin)
    paid, usual = paid_hours(greedy.columns, greedy.utility, units, left)
    reach = reach_of(facts, stays, greedy.columns, empty_room(table.shelf))
    begun, warmed = begin_at(ground, room, reach, paid, warm)
    pool, prices, steps = price_and_pool(ground, room, reach, effort, (begun, usual), warmed=warmed)
    sort_by_left(pool, units, running(prices))
    state, guide = empty_state(pool, free), guide_of(pool, units, prices)
    fill(state, pool, units, guide, by_what_is_left(pool, units, guide))
    moves = min(effort.moves_per_ask * units.size, effort.most_moves)
    state = search(state, pool, units, guide, moves, seed)
    fill(state, pool, units, guide, np.arange(units.size))
    open_to_all = open_room(_free_after(table.shelf.began, greedy.columns, units, settled), table.shelf.begin)
    bound = int(greedy.utility[settled].sum()) + proven_by(facts, open_to_all, prices, settled)
    found = columns_of(facts, state, pool)
    found[stays] = greedy.columns[stays]
    better = _decided(ground, greedy, found)
    chosen = better if better.utility.sum() > greedy.utility.sum() else greedy
    everyone = np.ones(units.size, dtype=np.bool_)
    return Judged(chosen, _free_after(table.shelf.began, chosen.columns, units, everyone), bound, prices, moves, steps)


def begin_at(ground: Ground, room: Room, reach: Ints, paid: Floats, warm: Ints | None) -> tuple[Floats, bool]:
    """(the prices to begin at, whether they are the kept ones): those, unless what greedy got proves more already."""
    if warm is None:
        return paid, False
    units, kept = ground.table.asks.units, np.maximum(0, warm).astype(np.float64)
    paid = np.where(room.free > 0, paid, kept)  # what is sold keeps its price
    sums = running(np.rint(kept).astype(np.int64))
    pool = pool_of(ground.facts, room, reach, LEAST_COLUMNS, sums, np.full(units.size, NOTHING))
    proofs = [proven_on(units, room.free, pool, prices) for prices in (kept, paid)]
    return (kept, True) if proofs[0] <= proofs[1] else (paid, False)


def price_and_pool(
    ground: Ground, room: Room, reach: Ints, effort: Effort, paid: tuple[Floats, float], *, warmed: bool
) -> tuple[Pool, Ints, int]:
    """(the columns that leave most, the prices they were priced at, price steps made), from the prices `paid` on.

    Kept prices are near the end of their way: short steps are enough. Half of the columns are enough, too, for all
    stages but the last: the plan is made of its columns.
    """
    units, (prices, usual) = ground.table.asks.units, paid
    most = max(LEAST_COLUMNS, min(MOST_COLUMNS, COLUMNS // max(1, units.size)))
    steps = effort.warm_steps if warmed else steps_on(most * units.size, effort)
    stages, past = stages_of(steps, most), steps if warmed else 0
    widths = [max(LEAST_COLUMNS, most // 2)] * (stages - 1) + [most]
    sums = running(np.rint(prices).astype(np.int64))
    pool = pool_of(ground.facts, room, reach, widths[0], sums, np.full(units.size, NOTHING))
    for stage, width in enumerate(widths):
        if stage:
            sums = running(np.rint(prices).astype(np.int64))
            pool = pool_of(ground.facts, room, reach, width, sums, floors_of(pool, units, width, sums))
        done, beyond = steps * stage // stages, steps * (stage + 1) // stages
        pace = Pace(past + done, beyond - done, past + steps)
        priced = price_hours_of(units, room.free, pool, usual, pace, prices)
    return pool, priced.prices, steps


def steps_on(columns: int, effort: Effort) -> int:
    """More price steps where they cost little: up to MOST_STEPS as long as all of them look at LOOKS columns."""
    return max(effort.steps, min(MOST_STEPS, LOOKS // max(1, columns)))


def stages_of(steps: int, most: int) -> int:
    """In how many stages `steps` price steps are made, when asks have `most` columns."""
    return max(1, steps // (STEPS_A_STAGE if most < WIDE else WIDE_STEPS_A_STAGE))


@compiled
def _free_after(began: Ints, columns: Ints, units: Ints, placed: Bools) -> Ints:
    """What is left of `began` after the columns of the asks in `placed`."""
    free = began.copy()
    for ask in range(units.size):
        column = read_column(columns, ask)
        if placed[ask] and column.offer >= 0:
            free[column.offer, column.first : column.beyond] -= units[ask]
    return free


@compiled
def reach_of(facts: Facts, stays: Bools, columns: Ints, empty: Room) -> Ints:
    """[asks, 2] the last start of each ask, by number, as Until has it: none when it stays where it is.

    Where a run is short it is now, if the ask would start now in an `empty` room: it would waste a later hour. One that
    wants the earliest start takes none later than greedy found for it (`columns`): prices do not know of that.
    """
    reach, scratch = np.full((stays.size, 2), ANY_START), new_scratch(facts)
    for ask in range(stays.size):
        if stays[ask]:
            reach[ask] = NO_START
            continue
        if facts.asks.when[ask] == NOW and columns[ask, OFFER] >= 0:
            reach[ask] = max(0, columns[ask, START_S] - facts.clock.first_s) // HOUR_S
        if may_be_short(facts, ask):
            wished, _ = best_column(facts, ask, empty, scratch, ANY)
            if wished.start_s <= facts.clock.now_s:
                reach[ask, SHORT] = NOW_ALONE
    return reach


@lean
def may_be_short(facts: Facts, ask: int) -> bool:
    """Whether the run of `ask` is short on some class that it may take."""
    lists, kind = facts.lists, facts.asks.kind[ask]
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        if is_short(run_on(facts, ask, lists.head[entry])):
            return True
    return False


@compiled
def columns_of(facts: Facts, state: State, pool: Pool) -> Ints:
    """[asks, fields] the columns of `state` as greedy writes them."""
    columns = np.full((state.column.size, FIELDS), -1, dtype=np.int64)
    for ask in range(state.column.size):
        place = state.column[ask]
        if place != NOBODY:
            offer = pool.offer[place]
            starts = starts_of(facts, ask, run_on(facts, ask, offer))
            run_cost = pool.run_cost[place]
            z = run_cost * PFLOP_HOUR // (starts.run_s * facts.shelf.facts[PF_MILLI, offer])
            start_s = start_of(starts, pool.number[place], facts.clock.first_s)
            columns[ask, OFFER], columns[ask, START_S] = offer, start_s
            columns[ask, FIRST], columns[ask, BEYOND] = pool.first[place], pool.beyond[place]
            columns[ask, RUN_S], columns[ask, RUN_COST], columns[ask, Z] = starts.run_s, run_cost, z
    return columns


def _decided(ground: Ground, greedy: Decided, columns: Ints) -> Decided:
    """`columns` in the order in which greedy would have come to the asks."""
    return greedy._replace(columns=columns, utility=utilities(ground.facts, columns))
