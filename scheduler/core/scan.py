"""The exact best column of one ask: its offers in order, every start on each, until no offer can be better."""

from scheduler.core.bounds import facts_fit, hours_fit, most_asked, span_total
from scheduler.core.columns import Column, better, keep, no_column, read_column, worst_kept
from scheduler.core.compiled import inlined, lean
from scheduler.core.facts import Facts, Scratch, Wish, wish_of
from scheduler.core.lists import latency_cost
from scheduler.core.market import Ints
from scheduler.core.room import (
    BITS,
    FULL,
    NONE,
    SIZES,
    Room,
    Starts,
    find_open,
    has_units,
    is_open,
    lowest,
    number_of,
    rows_of,
    span_of,
    start_of,
    words_of,
)
from scheduler.core.starts import price_starts, price_waits, run_on, starts_at
from scheduler.core.sums import least_open, least_run, open_below
from scheduler.core.tables import FAR, PF_MILLI, PRICE, Shelf
from scheduler.core.types import HOUR_S

PFLOP_HOUR = 1000 * HOUR_S


@lean
def best_column(facts: Facts, ask: int, room: Room, scratch: Scratch, at: int) -> tuple[Column, int]:
    """The column of `ask` that it likes best among those with units free, and how many offers were examined.

    `at` is the number of the only start it may take, or ANY.
    """
    count, examined = best_columns(facts, ask, room, scratch, scratch.one, at)
    return read_column(scratch.one, 0) if count else no_column(), examined


@lean
def best_columns(facts: Facts, ask: int, room: Room, scratch: Scratch, kept: Ints, at: int) -> tuple[int, int]:
    """Fill `kept` [most, fields] with the columns that `ask` likes best; (their number, how many offers were examined).

    There are no others open where they are fewer than `most`.
    """
    lists, kind, wish = facts.lists, facts.asks.kind[ask], wish_of(facts, ask)
    count, examined, starts, waits_of = 0, 0, starts_at(facts, ask, run_on(facts, ask, 0), at), 0
    run_s, run_of = starts.run_s, 0
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        pf_milli = lists.pf_milli[entry]
        same = run_of == pf_milli and not facts.tastes.override[kind]
        run_s, run_of = run_s if same else run_on(facts, ask, lists.head[entry]), pf_milli
        if run_s != starts.run_s:
            starts, waits_of = starts_at(facts, ask, run_s, at), 0
        most = dearest(wish, worst_kept(kept, count), run_s, pf_milli)
        if starts.low > starts.high or lists.least[entry] * run_s >= most:
            continue
        if most == FAR and not find_offers(facts, wish, entry, starts, room, scratch):
            continue  # asked first where no price is too high yet
        if waits_of != pf_milli:
            price_waits(wish, starts, pf_milli, scratch)
            waits_of = pf_milli
        shared = price_starts(lists, entry, wish, starts, scratch)
        too_dear = shared == FAR or lists.own[entry] * run_s + shared >= most
        if too_dear or (most < FAR and not find_offers(facts, wish, entry, starts, room, scratch)):
            continue
        shared = cheapest_open(starts, words_of(room, lists.group[entry]), scratch)
        if shared < FAR:
            count, looked = best_in(facts, wish, entry, shared, starts, room, scratch, kept, count)
            examined += looked
    return count, examined


@inlined
def best_in(
    facts: Facts, wish: Wish, entry: int, shared: int, starts: Starts, room: Room, scratch: Scratch, kept: Ints,
    count: int,
) -> tuple[int, int]:  # fmt: skip
    """The same for the offers of one group, whose hours cost at least `shared`, from `count` columns on."""
    lists, some, run_s, pf_milli = facts.lists, scratch.bits.some, starts.run_s, facts.lists.pf_milli[entry]
    begin, words, rows = room.begin[lists.group[entry]], words_of(room, lists.group[entry]), rows_of(starts)
    asked = most_asked(facts.asks.bounds, wish.ask, pf_milli)
    most = dearest(wish, worst_kept(kept, count), run_s, pf_milli)
    means, examined = facts.shelf.mean[facts.shelf.length[starts.whole]], 0
    narrow(starts, words, most - lists.own[entry] * run_s, scratch)
    for word in range(words):
        left = some[word]
        while left != NONE:
            bit = lowest(left)
            offer, left = begin + BITS * word + number_of(bit), left & ~bit
            cheapest = lists.cheapest[offer]
            if cheapest > asked or (cheapest + lists.way[entry]) * run_s + shared >= most:
                return count, examined  # as would all behind it
            mean = means[offer]
            if mean > asked or (mean + lists.way[entry]) * run_s + shared >= most:
                continue
            way = own_cost(facts, wish, offer)
            alone = least_open(scratch.costs[:rows], scratch.waits[:rows], scratch.bits.open[word * rows :], bit)
            if (mean + way) * run_s + alone >= most or not facts_admit(facts, wish, offer):
                continue
            examined += 1
            count = best_on(facts, wish, offer, way, starts, room, scratch, kept, count)
            now = dearest(wish, worst_kept(kept, count), run_s, pf_milli)
            if now < most:
                most = now
                narrow(starts, words, most - (cheapest + lists.way[entry]) * run_s, scratch)
                left &= some[word]
    return count, examined


@inlined
def find_offers(facts: Facts, wish: Wish, entry: int, starts: Starts, room: Room, scratch: Scratch) -> bool:
    """Whether an offer of a group stays open to the ask through any of `starts`; `scratch` then says which do."""
    lists = facts.lists
    group, mask = lists.group[entry], facts.tastes.mask[facts.asks.kind[wish.ask]]
    admitted = lists.admitted[mask, lists.word[group] : lists.word[group + 1]]
    return find_open(room, group, wish.units, starts, admitted, scratch.bits)


@inlined
def facts_admit(facts: Facts, wish: Wish, offer: int) -> bool:
    """Whether `offer` keeps to the bounds of the ask on what does not change from hour to hour."""
    if not wish.bound & 1:
        return True
    return facts_fit(facts.shelf.facts, facts.shelf.latency, facts.asks.bounds, wish.ask, offer, wish.place)


@inlined
def hours_admit(facts: Facts, wish: Wish, offer: int, starts: Starts, number: int, free: Ints) -> bool:
    """Whether a start on `offer` has its units where the bits cannot tell, and keeps to the bounds on its hours."""
    first, skipped, stop, rest = span_of(starts, number)
    if wish.units > SIZES and not has_units(free, offer, first, stop + (rest > 0), wish.units):
        return False
    if not wish.bound & 2:
        return True
    return hours_fit(
        facts.shelf, facts.asks.bounds, wish.ask, wish.units, offer, starts.run_s, first, skipped, stop, rest
    )  # fmt: skip


@inlined
def dearest(wish: Wish, best: Column, run_s: int, pf_milli: int) -> int:
    """From how many mm x seconds per unit-hour on no run of this class can rank before `best`; FAR if any can."""
    if best.offer < 0 or (wish.by_start and best.start_s > wish.ready_s):
        return FAR
    return -(-(best.z + 1) * run_s * pf_milli // PFLOP_HOUR) * HOUR_S


@inlined
def cheapest_open(starts: Starts, words: int, scratch: Scratch) -> int:
    """The least of what `price_starts` wrote over the starts through which some offer is open; FAR where none is."""
    least, rows = FAR, rows_of(starts)
    for word in range(words):
        through = scratch.bits.open[word * rows : (word + 1) * rows]
        least = min(least, least_open(scratch.costs[:rows], scratch.waits[:rows], through, FULL))
    return least


@inlined
def narrow(starts: Starts, words: int, most: int, scratch: Scratch) -> None:
    """Leave in `some` of the bits the offers that are open through a start whose hours cost less than `most`."""
    rows = rows_of(starts)
    for word in range(words):
        through = scratch.bits.open[word * rows : (word + 1) * rows]
        scratch.bits.some[word] &= open_below(scratch.costs[:rows], scratch.waits[:rows], through, most)


@inlined
def own_cost(facts: Facts, wish: Wish, offer: int) -> int:
    """mm per unit-hour for the way to `offer`."""
    return latency_cost(facts.shelf, facts.tastes, facts.asks.kind[wish.ask], offer, wish.free_ms)


@inlined
def waited(wish: Wish, pf_milli: int, run_s: int, start_s: int) -> int:
    """mm per unit for the time from when the ask was ready."""
    return wish.waiting_value * pf_milli // 1000 * run_s * max(0, start_s - wish.ready_s) // HOUR_S**2


@inlined
def best_on(
    facts: Facts, wish: Wish, offer: int, way: int, starts: Starts, room: Room, scratch: Scratch, kept: Ints, count: int
) -> int:
    """Keep the columns on `offer` that have units free, keep to every bound and are among the best; the new count.

    The way to it costs `way` mm per unit-hour.
    """
    shelf, run_s = facts.shelf, starts.run_s
    pf_milli, place, latency = shelf.facts[PF_MILLI, offer], offer - room.begin[shelf.group[offer]], way * run_s
    worst = worst_kept(kept, count)
    most = dearest(wish, worst, run_s, pf_milli)
    last = starts.high if least_spent(shelf, offer, starts, scratch) + latency < most else starts.odd
    for number in range(starts.low, last + 1):
        row, odd = number - starts.low, number == starts.odd
        if scratch.costs[row] == FAR or not (odd or scratch.spent[row] + latency + scratch.waits[row] < most):
            continue
        if not is_open(scratch.bits, starts, row, place):
            continue
        first, skipped, stop, rest = span_of(starts, number)
        spent = latency + scratch.spent[row]
        if odd:
            spent = span_total(shelf, PRICE, offer, first, skipped, stop, rest) + latency + scratch.costs[row]
            if spent + scratch.waits[row] >= most:
                continue
        start = start_of(starts, number, wish.first_s)
        run_cost = spent // HOUR_S + waited(wish, pf_milli, run_s, start)
        z = run_cost * PFLOP_HOUR // (run_s * pf_milli)
        column = Column(offer, start, run_s, first, stop + (rest > 0), run_cost, z)
        if not better(shelf.rank, wish.by_start, column, worst):
            continue
        if not hours_admit(facts, wish, offer, starts, number, room.free):
            continue
        count = keep(kept, count, shelf.rank, wish.by_start, column)
        worst = worst_kept(kept, count)
        most = dearest(wish, worst, run_s, pf_milli)
    return count


@inlined
def least_spent(shelf: Shelf, offer: int, starts: Starts, scratch: Scratch) -> int:
    """What the cheapest of all starts but the odd one costs on `offer` with its waiting, without the way there.

    What each costs without waiting is written to `scratch`.
    """
    row = 1 if starts.low == starts.odd else 0
    number, rows = starts.low + row, rows_of(starts)
    if row >= rows:
        return FAR
    stop = number + starts.whole
    return least_run(
        shelf.until[PRICE, offer, number:], shelf.until[PRICE, offer, stop:], shelf.values[PRICE, offer, stop:],
        starts.part, scratch.costs[row:rows], scratch.waits[row:rows], scratch.spent[row:rows],
    )  # fmt: skip
