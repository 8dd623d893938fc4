"""Per kind of ask, the offers it may take, in groups and cheapest first, with bounds that let a scan stop early.

All offers of a group lie in one grid zone and have one hardware class, power and greenness, so in every hour they
differ by their own price and latency alone. What a run costs at least is the least an offer asks for itself plus what
the group's hours cost in the window of the ask. To stop at such a bound is exact: the threshold algorithm (Fagin,
Lotem, Naor 2003).
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean, side_by_side
from scheduler.core.market import Bools, Ints
from scheduler.core.tables import CARBON, PF_MILLI, PRICE, SHARE, WATTS, Shelf, Table, Tastes

PPM = 10**6
MG_PER_KG_KW = 10**9
MANY = 50  # kinds that are worth a second thread


class Lists(NamedTuple):
    """Kind `k` has entries [begin[k], begin[k+1]), a group each; entry `e` has offers [first[e], beyond[e])."""

    begin: Ints
    first: Ints
    beyond: Ints
    offer: Ints  # within an entry by `own`
    own: Ints  # least mm per unit-hour that an offer asks for itself: price and latency
    row: Ints  # [entries] of `shared` and `share`: one for all kinds that weigh the hours of a group alike
    shared: Ints  # [rows, hours + 1] running sum of what the hours cost for green and carbon, mm per unit-hour
    share: Ints  # [rows, hours + 1] running sum of the share, ppm
    least: Ints  # [entries] the cheapest offer in the cheapest hour, mm per unit-hour
    pf_milli: Ints  # [entries]


def lists_of(table: Table) -> Lists:
    """The lists of every kind of `table`."""
    shelf, tastes = table.shelf, table.tastes
    cheapest = shelf.values[PRICE, :, :-1].min(axis=1)
    counts = np.append(0, np.cumsum(table.masks.sum(axis=1)[tastes.mask]))
    parts = side_by_side(
        lambda low, high: _entries(
            shelf, tastes, table.masks, cheapest, table.free_ms, low, high, counts[high] - counts[low]
        ),
        tastes.mask.size,
        worth=MANY,
    )
    before = np.cumsum([0, *(part[3].size for part in parts)])
    kinds, offers, own = (np.concatenate([part[each] for part in parts]) for each in (0, 3, 4))
    first, beyond = (
        np.concatenate([part[each] + shift for part, shift in zip(parts, before, strict=False)]) for each in (1, 2)
    )
    heads = offers[first]
    row, shared, share = _shared(shelf, tastes, kinds, heads)
    least = own[first] + np.diff(shared, axis=1).min(axis=1, initial=1 << 40)[row]
    pf_milli = shelf.facts[PF_MILLI, heads]
    order = np.lexsort((least * 1000 // pf_milli, kinds))
    begin = np.searchsorted(kinds, np.arange(tastes.mask.size + 1))
    return Lists(
        begin, first[order], beyond[order], offers, own, row[order], shared, share, least[order], pf_milli[order]
    )


@compiled
def _entries(
    shelf: Shelf, tastes: Tastes, masks: Bools, cheapest: Ints, free_ms: int, low: int, high: int, total: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(kind, first, beyond) of every entry, (offer, what it asks for itself) of every candidate, `total` in all.

    Of the kinds in [low, high).
    """
    kinds, first, beyond = [0 for _ in range(0)], [0 for _ in range(0)], [0 for _ in range(0)]
    offers, own = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    filled = 0
    for kind in range(low, high):
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


def _shared(shelf: Shelf, tastes: Tastes, kinds: Ints, heads: Ints) -> tuple[Ints, Ints, Ints]:
    """(row of each entry, [rows, hours + 1] running sums of the hourly cost of green and carbon, those of the share).

    `heads` is an offer of each entry. Entries of one group and of kinds that weigh green and carbon alike share a row.
    """
    weights = np.unique(np.stack((tastes.green_value, tastes.carbon_price)), axis=1, return_inverse=True)[1].ravel()
    key = weights[kinds] * shelf.begin.size + shelf.group[heads]
    number = np.full(tastes.mask.size * shelf.begin.size, -1)
    number[key] = 0
    number[number == 0] = np.arange((number == 0).sum())
    row = number[key]
    entry = np.empty(int(row.max(initial=-1)) + 1, dtype=np.int64)  # one of each row
    entry[row] = np.arange(row.size)
    kinds, heads = kinds[entry], heads[entry]
    hours = shelf.values[:, heads, :-1]
    green = (tastes.green_value[kinds] * shelf.facts[PF_MILLI, heads] // 1000)[:, None]
    carbon = (tastes.carbon_price[kinds] * shelf.facts[WATTS, heads])[:, None]
    shared = np.zeros((kinds.size, hours.shape[2] + 1), dtype=np.int64)
    share = np.zeros_like(shared)
    np.cumsum(green * (PPM - hours[SHARE]) // PPM + carbon * hours[CARBON] // MG_PER_KG_KW, axis=1, out=shared[:, 1:])
    np.cumsum(hours[SHARE], axis=1, out=share[:, 1:])
    return row, shared, share
