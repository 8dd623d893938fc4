"""The column of one ask that is worth most after a price for every hour: the subproblem behind prices and search."""

from typing import NamedTuple

from scheduler.core.bounds import facts_fit, hours_fit
from scheduler.core.compiled import lean
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, may_hold, need_of, span_of
from scheduler.core.scan import PFLOP_HOUR, Facts, Wish, least_shared, price_hours, run_on, starts_of, wish_of
from scheduler.core.tables import FAR, PF_MILLI, Shelf
from scheduler.core.types import HOUR_S


class Worth(NamedTuple):
    """One column, its utility, and what is left of that after the prices of its hours; `offer` -1 is none."""

    offer: int
    start_s: int
    run_s: int
    first: int
    beyond: int
    run_cost: int
    utility: int
    left: int


@lean
def nothing(left: int) -> Worth:
    """No column, to be beaten by whatever leaves more than `left`."""
    return Worth(-1, FAR, 0, 0, 0, 0, 0, left)


@lean
def value_of(facts: Facts, ask: int, run_s: int, pf_milli: int) -> int:
    """V = work*value of a run, mm; the product is split so that it stays within 64 bits (matching.md, section 5)."""
    asks = facts.asks
    stated = asks.run_s[ask] * asks.reference_pf[ask]
    work = stated if stated else run_s * pf_milli
    whole, part = divmod(asks.units[ask] * work, PFLOP_HOUR)
    return whole * asks.value[ask] + part * asks.value[ask] // PFLOP_HOUR


@lean
def worth_most(facts: Facts, ask: int, prices: Ints, room: Room, scratch: Ints, best: Worth) -> tuple[Worth, int]:
    """`best`, or the column that leaves most of its utility after `prices`; and how many offers were examined.

    `prices` [offers, hours + 1] is the running sum of mm per unit-hour, never negative: a column leaves at most what it
    would at no price, so the search stops where that is too little.
    """
    lists, kind, wish, examined = facts.lists, facts.asks.kind[ask], wish_of(facts, ask), 0
    starts = starts_of(facts, ask, run_on(facts, ask, 0))
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        run_s, pf_milli = run_on(facts, ask, lists.offer[lists.first[entry]]), lists.pf_milli[entry]
        if run_s != starts.run_s:
            starts = starts_of(facts, ask, run_s)
        value = value_of(facts, ask, run_s, pf_milli)
        if starts.low > starts.high or utility_of(value, wish.units, lists.least[entry] * run_s) <= best.left:
            continue
        shared = least_shared(lists.shared, lists.share, entry, wish, starts, pf_milli)
        if shared < FAR:
            best, looked = worth_in(facts, wish, entry, value, shared, starts, prices, room, scratch, best)
            examined += looked
    return best, examined


@lean
def utility_of(value: int, units: int, spent: int) -> int:
    """U of a column that costs `spent` mm x seconds per unit-hour."""
    return max(1, value - units * (spent // HOUR_S))


@lean
def worth_in(
    facts: Facts, wish: Wish, entry: int, value: int, shared: int, starts: Starts, prices: Ints, room: Room,
    scratch: Ints, best: Worth,
) -> tuple[Worth, int]:  # fmt: skip
    """`best` or a column of one group that leaves more, and how many offers were examined."""
    lists, shelf, examined, need = facts.lists, facts.shelf, 0, need_of(wish.units, starts)
    for place in range(lists.first[entry], lists.beyond[entry]):
        if utility_of(value, wish.units, lists.own[place] * starts.run_s + shared) <= best.left:
            break  # as would all behind it
        offer = lists.offer[place]
        if not may_hold(room, need, offer):
            continue
        if wish.bound & 1 and not facts_fit(
            shelf.facts, shelf.latency, facts.asks.bounds, wish.ask, offer, wish.place
        ):  # fmt: skip
            continue
        examined += 1
        best = worth_on(shelf, facts.asks.bounds, wish, offer, value, starts, prices, room.free, scratch, best)
    return best, examined


@lean
def worth_at(
    shelf: Shelf, bounds: Ints, wish: Wish, offer: int, value: int, starts: Starts, free: Ints, scratch: Ints,
    found: Ints, count: int,
) -> int:  # fmt: skip
    """Add to `found`, behind `count` rows, (offer, number, first, beyond, utility) of every column; the new count."""
    price_hours(shelf, wish, offer, starts, scratch)
    units, run_s = wish.units, starts.run_s
    waiting = wish.waiting_value * shelf.facts[PF_MILLI, offer] // 1000 * run_s
    seen, shut = span_of(starts, starts.low)[0], -1
    for number in range(starts.low, starts.high + 1):
        first, skipped, stop, rest = span_of(starts, number)
        beyond = stop + (rest > 0)
        while seen < beyond:
            if free[offer, seen] < units:
                shut = seen
            seen += 1
        if shut >= first:
            continue
        if wish.bound & 2 and not hours_fit(
            shelf, bounds, wish.ask, units, offer, run_s, first, skipped, stop, rest
        ):  # fmt: skip
            continue
        spent = scratch[1, stop] - scratch[1, first] + scratch[0, stop] * rest - scratch[0, first] * skipped
        start = starts.odd_s if number == starts.odd else wish.first_s + HOUR_S * number
        run_cost = spent // HOUR_S + waiting * max(0, start - wish.ready_s) // HOUR_S**2
        found[count, 0], found[count, 1], found[count, 2], found[count, 3] = offer, number, first, beyond
        found[count, 4] = max(1, value - units * run_cost)
        count += 1
    return count


@lean
def worth_on(
    shelf: Shelf, bounds: Ints, wish: Wish, offer: int, value: int, starts: Starts, prices: Ints, free: Ints,
    scratch: Ints, best: Worth,
) -> Worth:  # fmt: skip
    """`best` or a column on `offer` that leaves more."""
    price_hours(shelf, wish, offer, starts, scratch)
    units, run_s = wish.units, starts.run_s
    waiting = wish.waiting_value * shelf.facts[PF_MILLI, offer] // 1000 * run_s
    seen, shut = span_of(starts, starts.low)[0], -1
    for number in range(starts.low, starts.high + 1):
        first, skipped, stop, rest = span_of(starts, number)
        beyond = stop + (rest > 0)
        while seen < beyond:
            if free[offer, seen] < units:
                shut = seen
            seen += 1
        if shut >= first:
            continue
        spent = scratch[1, stop] - scratch[1, first] + scratch[0, stop] * rest - scratch[0, first] * skipped
        start = starts.odd_s if number == starts.odd else wish.first_s + HOUR_S * number
        run_cost = spent // HOUR_S + waiting * max(0, start - wish.ready_s) // HOUR_S**2
        utility = max(1, value - units * run_cost)
        left = utility - units * (prices[offer, beyond] - prices[offer, first])
        if left <= best.left:
            continue
        if wish.bound & 2 and not hours_fit(
            shelf, bounds, wish.ask, units, offer, run_s, first, skipped, stop, rest
        ):  # fmt: skip
            continue
        best = Worth(offer, start, run_s, first, beyond, run_cost, utility, left)
    return best
