"""Per kind of ask, the offers it may take, in groups and cheapest first, with bounds that let a scan stop early.

All offers of a group lie in one grid zone and have one hardware class, power and greenness, so in every hour they
differ by their own price and latency alone. What a run costs at least is the least an offer asks for itself plus what
the group's hours cost in the window of the ask. To stop at such a bound is exact: the threshold algorithm (Fagin,
Lotem, Naor 2003).
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Bools, Ints
from scheduler.core.tables import CARBON, PF_MILLI, PRICE, SHARE, WATTS, Shelf, Table, Tastes

PPM = 10**6
MG_PER_KG_KW = 10**9


class Lists(NamedTuple):
    """Kind `k` has entries [begin[k], begin[k+1]), a group each; entry `e` has offers [first[e], beyond[e])."""

    begin: Ints
    first: Ints
    beyond: Ints
    offer: Ints  # within an entry by `own`
    own: Ints  # least mm per unit-hour that an offer asks for itself: price and latency
    shared: Ints  # [entries, hours + 1] running sum of what the hours cost for green and carbon, mm per unit-hour
    share: Ints  # [entries, hours + 1] running sum of the share, ppm
    least: Ints  # [entries] the cheapest offer in the cheapest hour, mm per unit-hour
    pf_milli: Ints  # [entries]


def lists_of(table: Table) -> Lists:
    """The lists of every kind of `table`."""
    shelf, tastes = table.shelf, table.tastes
    cheapest = shelf.values[PRICE, :, :-1].min(axis=1)
    counts = table.masks.sum(axis=1)[tastes.mask]
    kinds, first, beyond, offers, own = _entries(shelf, tastes, table.masks, cheapest, table.free_ms, int(counts.sum()))
    heads = offers[first]
    pf_milli = shelf.facts[PF_MILLI, heads]
    shared = _shared(shelf, tastes, kinds, heads)
    least = own[first] + np.diff(shared, axis=1).min(axis=1, initial=1 << 40)
    order = np.lexsort((least * 1000 // pf_milli, kinds))
    begin = np.searchsorted(kinds, np.arange(tastes.mask.size + 1))
    share = np.zeros_like(shared)
    np.cumsum(shelf.values[SHARE, heads, :-1], axis=1, out=share[:, 1:])
    return Lists(
        begin, first[order], beyond[order], offers, own, shared[order], share[order], least[order], pf_milli[order]
    )


@compiled
def _entries(
    shelf: Shelf, tastes: Tastes, masks: Bools, cheapest: Ints, free_ms: int, total: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(kind, first, beyond) of every entry, (offer, what it asks for itself) of every candidate, `total` in all."""
    kinds, first, beyond = [0 for _ in range(0)], [0 for _ in range(0)], [0 for _ in range(0)]
    offers, own = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    filled = 0
    for kind in range(tastes.mask.size):
        group = -1
        for offer in range(cheapest.size):
            if not masks[tastes.mask[kind], offer]:
                continue
            if shelf.group[offer] != group:
                group = shelf.group[offer]
                kinds.append(kind)
                first.append(filled)
                beyond.append(filled)
            cost = cheapest[offer] + latency_cost(shelf, tastes, kind, offer, free_ms)
            place = filled
            while place > first[-1] and own[place - 1] > cost:  # insertion: offers come nearly sorted
                offers[place], own[place] = offers[place - 1], own[place - 1]
                place -= 1
            offers[place], own[place] = offer, cost
            filled += 1
            beyond[-1] = filled
    return np.array(kinds), np.array(first), np.array(beyond), offers, own


@lean
def latency_cost(shelf: Shelf, tastes: Tastes, kind: int, offer: int, free_ms: int) -> int:
    """mm per unit-hour for the way to `offer`."""
    measured = shelf.latency[tastes.place[kind], offer]
    charged = tastes.charged_ms[kind] if measured < 0 else max(0, measured - free_ms)
    return tastes.latency_value[kind] * shelf.facts[PF_MILLI, offer] // 1000 * charged


def _shared(shelf: Shelf, tastes: Tastes, kinds: Ints, heads: Ints) -> Ints:
    """[entries, hours + 1] running sums of the hourly cost of green and carbon; `heads` is an offer of each entry."""
    hours = shelf.values[:, heads, :-1]
    green = (tastes.green_value[kinds] * shelf.facts[PF_MILLI, heads] // 1000)[:, None]
    carbon = (tastes.carbon_price[kinds] * shelf.facts[WATTS, heads])[:, None]
    sums = np.zeros((kinds.size, hours.shape[2] + 1), dtype=np.int64)
    np.cumsum(green * (PPM - hours[SHARE]) // PPM + carbon * hours[CARBON] // MG_PER_KG_KW, axis=1, out=sums[:, 1:])
    return sums
