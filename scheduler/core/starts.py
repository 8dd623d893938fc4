"""When one ask may start on the offers of a group, and what each start costs on all of them alike."""

from scheduler.core.compiled import inlined
from scheduler.core.facts import Facts, Scratch, Wish
from scheduler.core.lists import Lists
from scheduler.core.market import Ints
from scheduler.core.room import Starts, between, rows_of
from scheduler.core.sums import sum_runs, write_waits
from scheduler.core.tables import FAR, PF_MILLI
from scheduler.core.types import DUE_HORIZON_S, HOUR_S, START_MARGIN_S

LONGEST_S = 2 * DUE_HORIZON_S
ANY = -1  # any start


@inlined
def run_on(facts: Facts, ask: int, offer: int) -> int:
    """How long `ask` runs on `offer`, seconds."""
    asks, tastes = facts.asks, facts.tastes
    stated = tastes.overrides[tastes.override[asks.kind[ask]], offer]
    if stated:
        return stated
    if asks.reference_pf[ask]:
        return min(-(-asks.run_s[ask] * asks.reference_pf[ask] // facts.shelf.facts[PF_MILLI, offer]), LONGEST_S)
    return asks.run_s[ask]


@inlined
def starts_of(facts: Facts, ask: int, run_s: int) -> Starts:
    """The starts of a run of `run_s` seconds; `low` above `high` where there are none."""
    asks, now_s, first_s = facts.asks, facts.clock.now_s, facts.clock.first_s
    latest = min(asks.horizon[ask], asks.finish_by[ask] - START_MARGIN_S) - run_s
    pinned, after = asks.pinned[ask], asks.start_after[ask]
    low, high, odd_s = 0, 0, now_s
    if pinned >= 0:
        odd_s, high = pinned, 0 if max(now_s, after) <= pinned <= latest else -1
    else:
        low = max(1, -((first_s - after) // HOUR_S)) if after > now_s else 0
        high = -1 if latest < now_s else max(0, (latest - first_s) // HOUR_S)
    odd = odd_s - first_s
    stop = (odd + run_s) // HOUR_S
    rest = odd + run_s - stop * HOUR_S
    return Starts(
        low, high, run_s, run_s // HOUR_S, run_s % HOUR_S, 0 if low == 0 else -1, odd_s, odd // HOUR_S, odd % HOUR_S,
        stop, rest,
    )  # fmt: skip


@inlined
def starts_at(facts: Facts, ask: int, run_s: int, at: int) -> Starts:
    """The same, with the start of number `at` alone unless that is ANY."""
    starts = starts_of(facts, ask, run_s)
    if at == ANY:
        return starts
    return between(starts, at, at if starts.low <= at <= starts.high else at - 1)


@inlined
def price_waits(wish: Wish, starts: Starts, pf_milli: int, scratch: Scratch) -> None:
    """Write at least what waiting for each start costs: a division would take longer than all the rest of a scan."""
    waiting = wish.waiting_value * pf_milli // 1000 * starts.run_s / HOUR_S**2
    late = wish.first_s + HOUR_S * starts.low - wish.ready_s
    write_waits(waiting, late, scratch.waits[: rows_of(starts)])
    if starts.low == starts.odd:
        write_waits(waiting, starts.odd_s - wish.ready_s, scratch.waits[:1])


@inlined
def price_starts(lists: Lists, entry: int, wish: Wish, starts: Starts, scratch: Scratch) -> int:
    """Write what green and carbon cost from each start on; the least of that and the waiting already written.

    Starts whose hours are not renewable enough cost FAR; so does the least when none is left.
    """
    count, costs = rows_of(starts), scratch.costs
    sum_starts(lists.shared[lists.row[entry]], starts, costs)
    if wish.least_share > 0:
        sum_starts(lists.share[lists.row[entry]], starts, scratch.shares)
        for row in range(count):
            if scratch.shares[row] < wish.least_share * starts.run_s:
                costs[row] = FAR
    least = FAR
    for row in range(count):
        least = min(least, costs[row] + scratch.waits[row])
    return least


@inlined
def sum_starts(until: Ints, starts: Starts, into: Ints) -> None:
    """Write value x seconds of the run from each start on; `until` is the running sum of an hourly value."""
    number, row = starts.low, 0
    if number == starts.odd:
        first, stop = starts.odd_first, starts.odd_stop
        into[0] = (until[stop] - until[first]) * HOUR_S - (until[first + 1] - until[first]) * starts.odd_skipped
        if starts.odd_rest:
            into[0] += (until[stop + 1] - until[stop]) * starts.odd_rest
        number, row = 1, 1
    count, whole, part = starts.high - number + 1, starts.whole, starts.part
    if count > 0:
        after = until[number + whole + (part > 0) :]
        sum_runs(until[number : number + count], until[number + whole :], after, part, into[row:])
