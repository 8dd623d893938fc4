"""The columns of one ask with what they are worth."""

from scheduler.core.bounds import span_total
from scheduler.core.compiled import inlined, lean
from scheduler.core.facts import Facts, Scratch, Wish
from scheduler.core.heaps import write_row
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, is_open, span_of, start_of
from scheduler.core.scan import PFLOP_HOUR, hours_admit, own_cost, waited
from scheduler.core.tables import FAR, PF_MILLI, PRICE
from scheduler.core.types import HOUR_S


@inlined
def value_of(facts: Facts, ask: int, run_s: int, pf_milli: int) -> int:
    """V = work*value of a run, mm; the product is split so that it stays within 64 bits (matching.md, section 5)."""
    asks = facts.asks
    stated = asks.run_s[ask] * asks.reference_pf[ask]
    work = stated if stated else run_s * pf_milli
    whole, part = divmod(asks.units[ask] * work, PFLOP_HOUR)
    return whole * asks.value[ask] + part * asks.value[ask] // PFLOP_HOUR


@inlined
def utility_of(value: int, units: int, run_cost: int) -> int:
    """U of a column whose run costs `run_cost` mm per unit."""
    return max(1, value - units * run_cost)


@lean
def worth_at(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, room: Room, scratch: Scratch, rows: Ints,
    count: int,
) -> int:  # fmt: skip
    """Add to `rows`, behind the first `count`, a row for every column on `offer` that is open; the new count.

    `scratch` holds what `price_starts` and `find_open` say of the group.
    """
    place = offer - room.begin[facts.shelf.group[offer]]
    for number in range(starts.low, starts.high + 1):
        row = number - starts.low
        if scratch.costs[row] == FAR or not is_open(scratch.bits, starts, row, place):
            continue
        if not hours_admit(facts, wish, offer, starts, number, room.free):
            continue
        first, beyond, utility, run_cost = worth_of(facts, wish, offer, value, starts, number, scratch.costs[row])
        write_row(rows[count], offer, number, first, beyond, utility, run_cost)
        count += 1
    return count


@inlined
def worth_of(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, number: int, cost: int
) -> tuple[int, int, int, int]:
    """(first hour, hour beyond the last, utility, run cost per unit) of a start; the last two in mm.

    `cost` is that of green and carbon, mm x seconds per unit-hour.
    """
    run_s, pf_milli = starts.run_s, facts.shelf.facts[PF_MILLI, offer]
    first, skipped, stop, rest = span_of(starts, number)
    spent = span_total(facts.shelf, PRICE, offer, first, skipped, stop, rest) + own_cost(facts, wish, offer) * run_s
    waiting = waited(wish, pf_milli, run_s, start_of(starts, number, wish.first_s))
    run_cost = (spent + cost) // HOUR_S + waiting
    return first, stop + (rest > 0), utility_of(value, wish.units, run_cost), run_cost
